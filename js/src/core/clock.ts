// The kernel's time on the browser's clock: running bars grow without any traffic.
import { isActive, type Run } from "./reducer";
import { State } from "./types";

export class Clock {
  #offset = Number.NaN;
  #run = -1;

  /** Learns from a message that says `now` (kernel) and has arrived at `here` (browser), in seconds. */
  learn(run: number, now: number | null, here: number): void {
    if (now === null) return;
    const offset = here - now;
    // A delay on the way only makes the difference larger, so the smallest one is the best.
    if (run !== this.#run || Number.isNaN(this.#offset)) this.#offset = offset;
    else this.#offset = Math.min(this.#offset, offset);
    this.#run = run;
  }

  /** The kernel's time at `here`, NaN before anything was learned. */
  kernelTime(here: number): number {
    return here - this.#offset;
  }
}

/** Seconds since the run began, or its whole duration; NaN where it never began. */
export function runSeconds(run: Run, kernelNow: number): number {
  if (run.started === null) return Number.NaN;
  if (run.ended !== null) return Math.max(0, run.ended - run.started);
  if (!isActive(run.runState)) return Number.NaN;
  return Math.max(0, kernelNow - run.started);
}

/** Seconds of node `i`: its duration, also while its result is being saved, or the time so far; NaN where unknown. */
export function nodeSeconds(run: Run, i: number, kernelNow: number): number {
  const lasted = run.seconds[i];
  if (run.state[i] !== State.running || !Number.isNaN(lasted)) return lasted;
  if (run.started === null) return Number.NaN;
  return Math.max(0, kernelNow - run.started - run.begin[i]);
}
