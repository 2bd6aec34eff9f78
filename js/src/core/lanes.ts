// Who ran what when: the nodes of a run on one lane for each worker. Pure.
import { duration, oneLine } from "./format";
import type { MissedAttempt, Run } from "./reducer";
import { State } from "./types";

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

export interface Axis {
  /** Seconds since the run began, of both ends. */
  begin: number;
  end: number;
}

/**
 * The time that the lanes show: from the first node that began, since a cluster may take its time to start, to the end
 * of the run or `now`. O(nodes).
 */
export function axisOf(run: Run, now: number): Axis {
  let begin = run.missed.reduce(
    (least, missed) => (missed.worker > 0 ? Math.min(least, missed.begin) : least),
    Number.POSITIVE_INFINITY,
  );
  for (let node = 0; node < run.worker.length; node++) {
    if (run.worker[node] > 0 && run.begin[node] < begin) begin = run.begin[node];
  }
  if (begin === Number.POSITIVE_INFINITY) begin = 0;
  return { begin, end: Math.max(span(run, now), begin + 0.001) };
}

/**
 * Calls `draw` for each attempt that a worker has had, lane by worker, those that gave nothing first; what runs
 * reaches to `end`. O(attempts).
 */
export function eachBar(run: Run, end: number, draw: (bar: Bar) => void): void {
  for (const missed of run.missed) {
    const { node, worker, begin: from, seconds } = missed;
    if (worker > 0) draw({ node, lane: worker - 1, from, to: from + seconds, missed });
  }
  for (let node = 0; node < run.worker.length; node++) {
    const worker = run.worker[node];
    const from = run.begin[node];
    if (worker === 0 || Number.isNaN(from)) continue;
    const lasted = run.seconds[node];
    const known = !Number.isNaN(lasted);
    const open = !known && (run.state[node] === State.running || run.state[node] === State.paused);
    if (!open && !known) continue;
    const to = open ? Math.max(from, end) : from + lasted;
    draw({ node, lane: worker - 1, from, to, missed: null });
  }
}

/** Whether any node has begun with a worker. */
export function hasBegun(run: Run): boolean {
  if (run.missed.some(({ worker }) => worker > 0)) return true;
  return run.begin.some((time, node) => run.worker[node] > 0 && !Number.isNaN(time));
}

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
): Bar | null {
  let [found, near]: [Bar | null, number] = [null, Number.POSITIVE_INFINITY];
  eachBar(run, end, (bar) => {
    if (bar.lane !== lane) return;
    const off = Math.max(bar.from - time, time - bar.to, 0);
    if (off <= slack && off < near) [found, near] = [bar, off];
  });
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

/** About `most` round times from 0 to `end` for an axis. */
export function ticks(end: number, most: number): number[] {
  if (!(end > 0) || most < 1) return [0];
  const rough = end / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough) ?? 10 * power;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, k) => k * step);
}
