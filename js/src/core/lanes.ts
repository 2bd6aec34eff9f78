// Who ran what when: the nodes of a run on one lane for each worker. Pure.
import { duration, oneLine } from "./format";
import { isActive, type MissedAttempt, type Run } from "./reducer";
import { type Graph, State } from "./types";

export interface Bar {
  node: number;
  lane: number;
  /** Seconds since the run began. */
  from: number;
  to: number;
  /** An attempt that gave nothing; null for the node's last one. */
  missed: MissedAttempt | null;
}

/** Seconds that the run has lasted, `now` being the kernel's time. */
export function span(run: Run, now: number): number {
  if (run.started === null) return 0;
  return Math.max(0, (run.ended ?? now) - run.started);
}

/** The lane of nodes that no worker runs: they run in the kernel, one after another. */
const KERNEL = "kernel";

export interface Lanes {
  /** What stands before each lane. */
  labels: string[];
  /** The lane of worker number `w` of the run is `w - first`; 0 is the kernel itself. */
  first: 0 | 1;
}

/** The lanes of a run: the kernel's, if nodes run there, and those of its workers. O(nodes). */
export function lanesOf(run: Run): Lanes {
  // On a cluster every node has a worker; the kernel runs none.
  const local = run.workers.every((name) => /^(thread|process) /.test(name));
  const inKernel = local && hasBegun(run, (worker) => worker === 0);
  return inKernel
    ? { labels: [KERNEL, ...run.workers], first: 0 }
    : { labels: run.workers, first: 1 };
}

export interface Axis {
  /** Seconds since the run began, of both ends. */
  begin: number;
  end: number;
}

/**
 * The time that the lanes show: from the first node that began, since a cluster may take its time to start, to the end
 * of the run or `now`. O(nodes).
 */
export function axisOf(run: Run, now: number, first: 0 | 1 = 1): Axis {
  let begin = run.missed.reduce(
    (least, missed) => (missed.worker >= first ? Math.min(least, missed.begin) : least),
    Number.POSITIVE_INFINITY,
  );
  for (let node = 0; node < run.worker.length; node++) {
    if (run.worker[node] >= first && run.begin[node] < begin) begin = run.begin[node];
  }
  if (begin === Number.POSITIVE_INFINITY) begin = 0;
  return { begin, end: Math.max(span(run, now), begin + 0.001) };
}

/**
 * Calls `draw` for each attempt that a worker has had, lane by worker, those that gave nothing first; what runs
 * reaches to `end`. O(attempts).
 */
export function eachBar(run: Run, end: number, draw: (bar: Bar) => void, first: 0 | 1 = 1): void {
  for (const missed of run.missed) {
    const { node, worker, begin: from, seconds } = missed;
    if (worker >= first) draw({ node, lane: worker - first, from, to: from + seconds, missed });
  }
  for (let node = 0; node < run.worker.length; node++) {
    const worker = run.worker[node];
    const from = run.begin[node];
    if (worker < first || Number.isNaN(from)) continue;
    const lasted = run.seconds[node];
    const known = !Number.isNaN(lasted);
    const open = !known && (run.state[node] === State.running || run.state[node] === State.paused);
    if (!open && !known) continue;
    const to = open ? Math.max(from, end) : from + lasted;
    draw({ node, lane: worker - first, from, to, missed: null });
  }
}

/** Whether any node has begun, of those whose worker is `one`. */
export function hasBegun(run: Run, one: (worker: number) => boolean = () => true): boolean {
  if (run.missed.some(({ worker }) => one(worker))) return true;
  return run.begin.some((time, node) => !Number.isNaN(time) && one(run.worker[node]));
}

/** What the timeline says of a run in which no node has begun. */
export function emptyText(graph: Graph | null, run: Run): string {
  const cached = run.counts[State.cached];
  if (!graph || !cached || isActive(run.runState)) return "No node has started yet.";
  const found: [string, number][] = [];
  let total = 0;
  for (let i = 0; i < run.state.length; i++) {
    if (run.state[i] !== State.cached || !(run.seconds[i] >= 0)) continue;
    found.push([graph.names[i], run.seconds[i]]);
    total += run.seconds[i];
  }
  const all =
    cached === run.state.length ? "All results were cached." : "No node ran; results were cached.";
  if (!found.length) return all;
  found.sort((a, b) => b[1] - a[1]);
  const longest = found
    .slice(0, LONGEST)
    .map(([name, seconds]) => `${oneLine(name, 60)} ${duration(seconds)}`);
  const more = found.length > LONGEST ? ", \u2026" : "";
  const times = found.length > 1 ? ` (${longest.join(", ")}${more})` : "";
  return `${all} Computing them took ${duration(total)}${times}.`;
}

/** Nodes that `emptyText` names, those that took longest. */
const LONGEST = 5;

/** Of bars of all lanes, those that are clear of the bar before on their lane that was kept, by the time they begin. */
export function clear<B extends { lane: number; x: number; wide: number }>(
  bars: readonly B[],
): B[] {
  const taken = new Map<number, number>();
  return [...bars]
    .sort((a, b) => a.x - b.x)
    .filter(({ lane, x, wide }) => {
      if (x < (taken.get(lane) ?? -Infinity)) return false;
      taken.set(lane, x + wide);
      return true;
    });
}

/** What a lane shows at a time, null for nothing; `slack` seconds to both sides make short bars easier to hit. */
export function barAt(
  run: Run,
  end: number,
  lane: number,
  time: number,
  slack: number,
  first: 0 | 1 = 1,
): Bar | null {
  let [found, near]: [Bar | null, number] = [null, Number.POSITIVE_INFINITY];
  const look = (bar: Bar): void => {
    if (bar.lane !== lane) return;
    const off = Math.max(bar.from - time, time - bar.to, 0);
    if (off <= slack && off < near) [found, near] = [bar, off];
  };
  eachBar(run, end, look, first);
  return found;
}

/** What a bar is, for a person: "node2, 2.00 s", and in a second line which attempt it was and why it ended. */
export function barText(run: Run, name: string, { node, missed }: Bar): string {
  const time = duration(missed ? missed.seconds : run.seconds[node]);
  const attempt = missed ? missed.attempt : run.attempt[node];
  const error = run.errors.get(node);
  const why = missed ? missed.why : error ? `${error.type}: ${error.message}` : "";
  const first = time ? `${name}, ${time}` : name;
  if (!missed && attempt < 2) return first;
  return `${first}\nattempt ${attempt}${why ? `: ${oneLine(why, 240)}` : ""}`;
}

/**
 * About `most` round times from `begin` to `end`, both in seconds since the run began, as in the header. A time that is
 * not a twentieth of a step before `begin` counts as there: a run that starts nothing first has a 0 at its left edge.
 */
export function ticks(begin: number, end: number, most: number): number[] {
  if (!(end > begin) || most < 1) return [begin];
  const rough = (end - begin) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough) ?? 10 * power;
  const first = Math.ceil(begin / step - 0.05);
  const last = Math.floor(end / step);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => (first + k) * step);
}
