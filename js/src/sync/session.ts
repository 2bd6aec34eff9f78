// One model in the browser: its store, its commands and the traits that go both ways. Views share it.
import { isLost } from "../core/kernel";
import { isActive } from "../core/reducer";
import type { Search } from "../core/search";
import { same } from "../core/selection";
import {
  HEIGHT,
  type Kernel,
  type Message,
  type Session as SharedSession,
  type Topic,
} from "../core/session";
import { Store } from "../core/store";
import type {
  CommandName,
  DeltaHead,
  Details,
  Direction,
  EditAnswer,
  Edits,
  Panel,
  Part,
  Printed,
  Reply,
  Stale,
  WireEdits,
  WireStale,
} from "../core/types";
import { CatchUp } from "./catchup";
import { Commands, SLOW } from "./commands";
import { decodeDelta, decodeEdits, decodeGraph, decodeStale, decodeStatus } from "./decode";
import { Faults } from "./faults";
import { KernelWatch } from "./kernel";
import type { Listener, Model, Traits } from "./model";
import { Searcher } from "./search";

const WHOLE: Part[] = ["toolbar", "outline", "graph", "inspector", "timeline", "footer"];

export class Session implements SharedSession {
  readonly store: Store;
  selected: string[] = [];
  direction: Direction = "LR";
  height = HEIGHT.usual;
  panels: Panel[] = [];
  collapsed: string[] = [];
  schema: Record<string, unknown> = {};
  details: Details | null = null;
  printed: Printed | null = null;
  edits: Edits | null = null;
  stale: Stale | null = null;
  readonly parts: readonly Part[];
  readonly place: string;
  #faults = new Faults(() => this.#tell("fault"));
  #listeners = new Set<(topic: Topic) => void>();
  #heard: [string, Listener][] = [];
  #commands: Commands;
  #searcher: Searcher;
  #kernel: KernelWatch;
  #wasLost = false;
  /** The panels that the person has closed. */
  #closed = new Set<Panel>();
  #catchUp: CatchUp;
  #turning: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly model: Model,
    readonly signal: AbortSignal,
  ) {
    this.store = new Store(() => this.#catchUp.afterGap());
    this.#catchUp = new CatchUp(this.store, () => void this.command("resync"));
    this.#commands = new Commands(
      model,
      signal,
      () => this.kernel,
      () => this.#tell("message"),
    );
    this.#searcher = new Searcher({
      model,
      graph: () => this.store.graph,
      changed: () => this.#tell("search"),
      save: () => this.#write(),
      late: (yes) => {
        if (yes) this.#commands.wait();
        else this.#commands.answered();
      },
    });
    this.parts = model.get("_parts") ?? WHOLE;
    this.place = model.get("_place") ?? "";
    // In the order in which they are read at first: what comes later may stand on what came before.
    const traits: [keyof Traits, () => void][] = [
      ["selected", () => this.#readSelected()],
      ["direction", () => this.#readDirection()],
      ["height", () => this.#readHeight()],
      ["query", () => this.#searcher.readQuery()],
      ["panels", () => this.#readList("panels")],
      ["collapsed", () => this.#readList("collapsed")],
      ["_schema", () => this.#readSchema()],
      ["_graph", () => this.#readGraph()],
      ["_status", () => this.#readStatus()],
      ["_matches", () => this.#readMatches()],
      ["_details", () => this.#readDetails()],
      ["_printed", () => this.#readPrinted()],
      ["_edits", () => this.#readEdits()],
      ["_stale", () => this.#readStale()],
    ];
    for (const [name, read] of traits) this.#on(`change:${name}`, read);
    this.#on("msg:custom", ((content: { kind?: string }, buffers?: DataView[]) => {
      if (content?.kind === "delta") this.#readDelta(content as DeltaHead, buffers?.[0]);
      else if (content?.kind === "reply") this.#readReply(content as Reply);
    }) as Listener);
    signal.addEventListener("abort", () => {
      this.#catchUp.end();
      clearTimeout(this.#turning);
      this.#searcher.end();
      for (const [event, listener] of this.#heard) model.off(event, listener);
    });
    for (const [, read] of traits) read();
    this.#kernel = new KernelWatch(model, () => this.#readKernel(), signal);
    this.#readKernel();
    // A run that was under way when this state was saved or sent: ask how far it is by now.
    if (this.store.live && isActive(this.store.run.runState)) {
      this.store.live = false;
      this.#catchUp.now();
    }
  }

  get kernel(): Kernel {
    return this.#kernel?.state ?? "unknown";
  }

  subscribe(listener: (topic: Topic) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why the newest graph, status or delta could not be read, "" where they could. */
  get fault(): string {
    return this.#faults.first;
  }

  get listeners(): number {
    return this.#listeners.size + this.store.listeners;
  }

  get message(): Message {
    return this.#commands.message;
  }

  get waiting(): ReadonlyMap<CommandName, number> {
    return this.#commands.waiting;
  }

  command(name: CommandName, args: Record<string, unknown> = {}): Promise<void> {
    return this.#commands.command(name, args);
  }

  ask(name: CommandName, args: Record<string, unknown> = {}, signal?: AbortSignal): Promise<Reply> {
    return this.#commands.ask(name, args, signal);
  }

  edit(name: "edit" | "undo" | "redo", args: Record<string, unknown> = {}): Promise<EditAnswer> {
    return this.#commands.edit(name, args);
  }

  select(names: string[]): void {
    if (same(names, this.selected)) return;
    this.selected = names;
    this.#save("selected", names);
    this.#tell("selected");
  }

  open(panel: Panel, yes: boolean): void {
    if (yes) this.#closed.delete(panel);
    else this.#closed.add(panel);
    const others = this.panels.filter((name) => name !== panel);
    this.panels = yes ? [...others, panel] : others;
    this.#save("panels", this.panels);
    this.#tell("panels");
  }

  offer(panel: Panel): void {
    if (!this.panels.includes(panel) && !this.#closed.has(panel)) this.open(panel, true);
  }

  collapse(groups: string[]): void {
    this.collapsed = groups;
    this.#save("collapsed", groups);
    this.#tell("collapsed");
  }

  get search(): Search {
    return this.#searcher.search;
  }

  find(query: string, now = false): void {
    this.#searcher.type(query, now);
  }

  turn(direction: Direction): void {
    this.direction = direction;
    this.#save("direction", direction);
    this.#tell("direction");
    // The kernel lays the graph out anew; the graph is the answer.
    clearTimeout(this.#turning);
    this.#turning = setTimeout(() => {
      if (this.store.graph?.direction !== this.direction) this.#commands.wait();
    }, SLOW);
  }

  /** Sets the height of the graph area; `keep` also writes it to the model. */
  resize(height: number, keep: boolean): void {
    this.height = Math.round(Math.min(HEIGHT.most, Math.max(HEIGHT.least, height)));
    if (keep) this.#save("height", this.height);
    this.#tell("height");
  }

  #save<K extends "selected" | "direction" | "height" | "panels" | "collapsed">(
    name: K,
    value: Session[K],
  ): void {
    this.model.set(name, value as never);
    this.#write();
  }

  /** Sends what was set; what is set while the kernel is away goes out with the first change after it. */
  #write(): void {
    if (!isLost(this.kernel)) this.model.save_changes();
  }

  #readKernel(): void {
    const lost = isLost(this.kernel);
    if (lost) this.store.setLive(false);
    this.#commands.kernelChanged();
    if (this.#wasLost && !lost) {
      // The connection is there again, and something may have been missed.
      this.model.save_changes();
      this.#commands.forget();
      this.#catchUp.now();
    }
    this.#wasLost = lost;
    this.#tell("kernel");
  }

  #on(event: string, listener: Listener): void {
    this.model.on(event, listener);
    this.#heard.push([event, listener]);
  }

  #readGraph(): void {
    const wire = this.model.get("_graph");
    if (!wire?.names || this.store.graph?.version === wire.version) return;
    this.#commands.answered();
    this.#faults.guard("graph", () => this.store.setGraph(decodeGraph(wire)));
    this.#searcher.forget();
    this.#readMatches();
    this.#readStale();
    // Both may have come in one message, and the status that belongs to this graph was read before it.
    this.#readStatus();
  }

  #readMatches(): void {
    this.#faults.guard("matches", () => this.#searcher.readMatches());
  }

  #readStatus(): void {
    const wire = this.model.get("_status");
    if (!wire?.state) return;
    this.#faults.guard("status", () => this.store.setStatus(decodeStatus(wire)));
    if (this.#catchUp.caughtUp()) this.store.setLive(true);
  }

  #readDelta(head: DeltaHead, bytes: DataView | undefined): void {
    const before = this.store.run.run;
    this.#faults.guard("delta", () => this.store.receive(decodeDelta(head, bytes)));
    // A kernel that ends may still tell what becomes of its nodes.
    if (isLost(this.kernel)) this.store.setLive(false);
    // What was refused before this run began is of no interest any more.
    if (this.store.run.run !== before) this.#commands.forget("error");
  }

  #readReply(reply: Reply): void {
    if (this.#commands.receive(reply)) this.store.setLive(true);
    // An answer to nobody's command: a change of a trait that the kernel refused.
    else if (Number(reply.id) === 0 && !reply.ok) this.#commands.refuse(reply.text);
  }

  #readList(name: "panels" | "collapsed"): void {
    const value = this.model.get(name);
    if (!Array.isArray(value) || same(value, this[name])) return;
    this[name] = value as never;
    this.#tell(name);
  }

  #readSchema(): void {
    this.schema = this.model.get("_schema") ?? {};
    this.#tell("details");
  }

  #readDetails(): void {
    const details = this.model.get("_details");
    this.details = details?.settings ? (details as Details) : null;
    this.#tell("details");
  }

  #readPrinted(): void {
    const printed = this.model.get("_printed");
    this.printed = printed?.pieces === undefined ? null : (printed as Printed);
    this.#tell("printed");
  }

  #readEdits(): void {
    const wire = this.model.get("_edits");
    if (!wire?.changed) return;
    this.#faults.guard("edits", () => {
      this.edits = decodeEdits(wire as WireEdits, this.store.graph?.names.length ?? 0);
    });
    this.#tell("edits");
    const answer = this.edits?.answer;
    if (answer) {
      const { id, text } = answer;
      // `ok` here is of the request; whether the edit was taken stands in the answer itself.
      this.#commands.receive({ kind: "reply", id, ok: true, text, data: answer });
    }
  }

  #readStale(): void {
    const wire = this.model.get("_stale");
    if (!wire?.index) return;
    this.#faults.guard("stale", () => {
      this.stale = decodeStale(wire as WireStale, this.store.graph?.names.length ?? 0);
    });
    this.#tell("stale");
  }

  #readSelected(): void {
    const names = this.model.get("selected");
    if (!Array.isArray(names) || same(names, this.selected)) return;
    this.selected = names.filter((name) => typeof name === "string");
    this.#tell("selected");
  }

  #readDirection(): void {
    const direction = this.model.get("direction");
    if ((direction !== "LR" && direction !== "TB") || direction === this.direction) return;
    this.direction = direction;
    this.#tell("direction");
  }

  #readHeight(): void {
    const height = Number(this.model.get("height"));
    if (!(height > 0) || height === this.height) return;
    this.height = Math.min(HEIGHT.most, Math.max(HEIGHT.least, height));
    this.#tell("height");
  }

  #tell(topic: Topic): void {
    for (const listener of [...this.#listeners]) listener(topic);
  }
}
