// What the browser knows of one model: the graph and the fold of its run. Shared by all views of it.
import { Clock } from "./clock";
import { applyDelta, emptyRun, fromStatus, type Run } from "./reducer";
import { same } from "./selection";
import type { Delta, Graph, Status } from "./types";

export type Change = "graph" | "status";
const HELD = 1024;

export class Store {
  graph: Graph | null = null;
  run: Run = emptyRun(0, -1);
  readonly clock = new Clock();
  /** False while what is shown may be older than what the kernel knows. */
  live = true;
  #listeners = new Set<(change: Change) => void>();
  #held = new Map<number, Delta>();
  #status: Status | null = null;
  #index: Map<string, number> | null = null;

  /**
   * @param onGap called when deltas are missing or belong to another version; the answer to it is a new status.
   * @param here the browser's clock in seconds.
   */
  constructor(
    readonly onGap: () => void = () => {},
    readonly here: () => number = () => Date.now() / 1000,
  ) {}

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Whether deltas have arrived that wait for a status. */
  get behind(): boolean {
    return this.#held.size > 0;
  }

  setGraph(graph: Graph): void {
    const before = this.graph?.names;
    this.graph = graph;
    this.#index = null;
    // The same nodes laid out anew keep what is known of them until the status of this version comes.
    if (before && same(before, graph.names)) this.run.version = graph.version;
    else if (this.run.version !== graph.version || this.run.state.length !== graph.names.length) {
      this.run = emptyRun(graph.names.length, graph.version);
    }
    if (this.#status) this.#take(this.#status);
    this.#tell("graph");
  }

  setStatus(status: Status): void {
    this.#status = status;
    if (this.graph && this.#take(status)) this.#tell("status");
  }

  receive(delta: Delta): void {
    const folded = applyDelta(this.run, delta);
    if (folded === "old") return;
    if (folded === "applied") {
      this.clock.learn(delta.run, delta.now, this.here());
      this.#drain();
      this.live = true;
      this.#tell("status");
      return;
    }
    // The status that fills the gap may be on its way already: keep the delta until it is here.
    if (this.#held.size >= HELD) this.#held.clear();
    this.#held.set(delta.seq, delta);
    this.onGap();
  }

  setLive(live: boolean): void {
    if (this.live === live) return;
    this.live = live;
    this.#tell("status");
  }

  /** The kernel's time now; frozen at the last message while the view is not live. */
  kernelNow(): number {
    if (!this.live && this.run.now !== null) return this.run.now;
    return this.clock.kernelTime(this.here());
  }

  indexOf(name: string): number | undefined {
    if (!this.#index) {
      this.#index = new Map();
      for (const [i, known] of (this.graph?.names ?? []).entries()) this.#index.set(known, i);
    }
    return this.#index.get(name);
  }

  /** True where the status belongs to the graph and is not older than what is known. */
  #take(status: Status): boolean {
    const graph = this.graph;
    if (!graph || status.version !== graph.version) return false;
    if (status.state.length !== graph.names.length) return false;
    const known = this.run;
    const overtaken =
      known.version === status.version && known.seq > status.seq && known.run >= status.run;
    if (overtaken) return false;
    this.run = fromStatus(status);
    this.clock.learn(status.run, status.now, this.here());
    this.#drain();
    return true;
  }

  #drain(): void {
    for (const seq of [...this.#held.keys()]) {
      const delta = this.#held.get(seq) as Delta;
      if (delta.version < this.run.version) this.#held.delete(seq);
      else if (delta.version === this.run.version && seq <= this.run.seq) this.#held.delete(seq);
    }
    let next = this.#held.get(this.run.seq + 1);
    while (next && applyDelta(this.run, next) === "applied") {
      this.#held.delete(next.seq);
      next = this.#held.get(this.run.seq + 1);
    }
  }

  #tell(change: Change): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
}
