// Attempts that gave nothing, as they come from the kernel.
import type { MissedAttempt } from "../src/core/reducer";
import type { Missed } from "../src/core/types";

export function missedAttempts(rows: MissedAttempt[], at = 0): Missed {
  return {
    at,
    why: rows.map(({ why }) => why),
    node: Uint32Array.from(rows, ({ node }) => node),
    begin: Float32Array.from(rows, ({ begin }) => begin),
    seconds: Float32Array.from(rows, ({ seconds }) => seconds),
    attempt: Uint16Array.from(rows, ({ attempt }) => attempt),
    worker: Uint16Array.from(rows, ({ worker }) => worker),
  };
}

/** The columns in the order in which they stand behind those of a delta. */
export function missedColumns({ node, begin, seconds, attempt, worker }: Missed) {
  return [node, begin, seconds, attempt, worker];
}
