// Who ran what when: the nodes of a run on one lane for each worker. Pure.
import type { Run } from "./reducer";
import { State } from "./types";

export interface Bar {
  node: number;
  lane: number;
  /** Seconds since the run began. */
  from: number;
  to: number;
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
  let begin = Number.POSITIVE_INFINITY;
  for (let node = 0; node < run.worker.length; node++) {
    if (run.worker[node] > 0 && run.begin[node] < begin) begin = run.begin[node];
  }
  if (begin === Number.POSITIVE_INFINITY) begin = 0;
  return { begin, end: Math.max(span(run, now), begin + 0.001) };
}

/** Calls `draw` for each node that a worker has had, lane by worker; nodes that run reach to `end`. O(nodes). */
export function eachBar(run: Run, end: number, draw: (bar: Bar) => void): void {
  for (let node = 0; node < run.worker.length; node++) {
    const worker = run.worker[node];
    const from = run.begin[node];
    if (worker === 0 || Number.isNaN(from)) continue;
    const lasted = run.seconds[node];
    const open = run.state[node] === State.running || run.state[node] === State.paused;
    if (!open && Number.isNaN(lasted)) continue;
    draw({ node, lane: worker - 1, from, to: open ? Math.max(from, end) : from + lasted });
  }
}

/** Whether any node has begun with a worker. */
export function hasBegun(run: Run): boolean {
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

/** The node that a lane shows at a time, -1 for none; `slack` seconds to both sides make short ones easier to hit. */
export function barAt(run: Run, end: number, lane: number, time: number, slack: number): number {
  let [found, near] = [-1, Number.POSITIVE_INFINITY];
  eachBar(run, end, (bar) => {
    if (bar.lane !== lane) return;
    const off = Math.max(bar.from - time, time - bar.to, 0);
    if (off <= slack && off < near) [found, near] = [bar.node, off];
  });
  return found;
}

/** About `most` round times from 0 to `end` for an axis. */
export function ticks(end: number, most: number): number[] {
  if (!(end > 0) || most < 1) return [0];
  const rough = end / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough) ?? 10 * power;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, k) => k * step);
}
