// The fold of `_status` and of deltas into columns. Pure: no clock, no DOM, no model.
import {
  type Delta,
  type Missed,
  type NodeError,
  type RunState,
  STATES,
  State,
  type Status,
} from "./types";

/** An attempt that gave nothing and was followed by another of the same node. */
export interface MissedAttempt {
  node: number;
  attempt: number;
  /** As in the column `worker`: 0 for none, else 1 + an index. */
  worker: number;
  begin: number;
  seconds: number;
  why: string;
}

export interface Run {
  version: number;
  seq: number;
  run: number;
  runState: RunState;
  now: number | null;
  started: number | null;
  ended: number | null;
  notice: string;
  where: string;
  workers: string[];
  errors: Map<number, NodeError>;
  notes: Map<number, string>;
  state: Uint8Array;
  attempt: Uint16Array;
  worker: Uint16Array;
  begin: Float32Array;
  seconds: Float32Array;
  /** In the order in which they ended. */
  missed: MissedAttempt[];
  /** How many nodes are in each state, by state code. */
  counts: Uint32Array;
}

export type Folded = "applied" | "old" | "gap" | "version";

/** A run in which nothing has happened, for a graph of `n` nodes. */
export function emptyRun(n: number, version: number): Run {
  const counts = new Uint32Array(STATES.length);
  counts[State.pending] = n;
  return {
    version,
    seq: 0,
    run: 0,
    runState: "idle",
    now: null,
    started: null,
    ended: null,
    notice: "",
    where: "",
    workers: [],
    errors: new Map(),
    notes: new Map(),
    state: new Uint8Array(n),
    attempt: new Uint16Array(n),
    worker: new Uint16Array(n),
    begin: new Float32Array(n).fill(Number.NaN),
    seconds: new Float32Array(n).fill(Number.NaN),
    missed: [],
    counts,
  };
}

function byIndex<T>(record: Record<string, T> | null | undefined): Map<number, T> {
  const map = new Map<number, T>();
  for (const [key, value] of Object.entries(record ?? {})) map.set(Number(key), value);
  return map;
}

function recount(run: Run): void {
  run.counts.fill(0);
  for (const code of run.state) if (code < run.counts.length) run.counts[code]++;
}

function takeHead(run: Run, from: Status | Delta): void {
  run.seq = from.seq;
  run.run = from.run;
  run.runState = from.run_state;
  run.now = from.now ?? run.now;
  run.started = from.started;
  run.ended = from.ended;
  run.notice = from.notice ?? "";
  run.where = from.where ?? "";
}

/** Those that come may overlap with what a status has told already. */
function takeMissed(run: Run, missed: Missed): void {
  run.missed.length = Math.min(run.missed.length, missed.at);
  for (const [k, why] of missed.why.entries()) {
    const node = missed.node[k];
    if (node >= run.state.length) continue;
    run.missed.push({
      node,
      attempt: missed.attempt[k],
      worker: missed.worker[k],
      begin: missed.begin[k],
      seconds: missed.seconds[k],
      why,
    });
  }
}

/** `_status` is the whole truth: nothing of an earlier run stays. The columns are copied. */
export function fromStatus(status: Status): Run {
  const run = emptyRun(status.state.length, status.version);
  takeHead(run, status);
  run.workers = [...(status.workers ?? [])];
  run.errors = byIndex(status.errors);
  run.notes = byIndex(status.notes);
  run.state.set(status.state);
  run.attempt.set(status.attempt);
  run.worker.set(status.worker);
  run.begin.set(status.begin);
  run.seconds.set(status.seconds);
  takeMissed(run, status.missed);
  recount(run);
  return run;
}

function reset(run: Run): void {
  run.state.fill(State.pending);
  run.attempt.fill(0);
  run.worker.fill(0);
  run.begin.fill(Number.NaN);
  run.seconds.fill(Number.NaN);
  run.missed = [];
  run.errors.clear();
  run.notes.clear();
  run.counts.fill(0);
  run.counts[State.pending] = run.state.length;
}

/**
 * Folds one delta into `run`, in place. Nothing is changed unless the answer is "applied":
 * "old" was folded already, "gap" and "version" need the whole status first.
 */
export function applyDelta(run: Run, delta: Delta): Folded {
  if (delta.version !== run.version) return "version";
  if (delta.seq <= run.seq) return "old";
  if (delta.seq !== run.seq + 1) return "gap";
  if (delta.reset) reset(run);
  takeHead(run, delta);
  if (delta.workers) run.workers = [...delta.workers];
  for (let k = 0; k < delta.count; k++) {
    const i = delta.index[k];
    if (i >= run.state.length) continue;
    const code = delta.state[k];
    run.counts[run.state[i]]--;
    run.counts[code]++;
    run.state[i] = code;
    run.attempt[i] = delta.attempt[k];
    run.worker[i] = delta.worker[k];
    run.begin[i] = delta.begin[k];
    run.seconds[i] = delta.seconds[k];
    // `errors` and `notes` are complete for the nodes of a delta: what is not there has gone.
    run.errors.delete(i);
    run.notes.delete(i);
  }
  if (delta.missed) takeMissed(run, delta.missed);
  for (const [i, error] of byIndex(delta.errors)) run.errors.set(i, error);
  for (const [i, note] of byIndex(delta.notes)) run.notes.set(i, note);
  return "applied";
}

/** Whether a run is under way. */
export function isActive(state: RunState): boolean {
  return state === "running" || state === "paused" || state === "stopping";
}
