// The wire, as docs/architecture.md ("The wire") fixes it. Every other file takes these types from here.

export const STATES = [
  "pending",
  "queued",
  "running",
  "paused",
  "done",
  "cached",
  "failed",
  "skipped",
  "cancelled",
] as const;
export type StateName = (typeof STATES)[number];

/** Codes of the node states, as they stand in the `state` columns. */
export const State = {
  pending: 0,
  queued: 1,
  running: 2,
  paused: 3,
  done: 4,
  cached: 5,
  failed: 6,
  skipped: 7,
  cancelled: 8,
} as const;

export const KINDS = ["function", "constructor", "method"] as const;

export type Direction = "LR" | "TB";
export type RunState = "idle" | "running" | "paused" | "stopping" | "done" | "failed" | "cancelled";
export type CommandName = "run" | "stop" | "pause" | "resume" | "step" | "resync";

/** What a binary field may arrive as: ipywidgets gives DataViews, other hosts buffers or typed arrays. */
export type Bytes = ArrayBufferView | ArrayBuffer;

export interface GraphHead {
  version: number;
  title: string;
  direction: Direction;
  names: string[];
  functions: string[];
  /** Height of every box, CSS pixels at zoom 1. */
  h: number;
  width: number;
  height: number;
}

export interface GraphColumns {
  function: Uint32Array;
  kind: Uint8Array;
  edges: Uint32Array;
  x: Float32Array;
  y: Float32Array;
  w: Float32Array;
  route_at: Uint32Array;
  route: Float32Array;
}

export interface NodeError {
  type: string;
  message: string;
  root?: string | null;
}

export interface RunHead {
  version: number;
  seq: number;
  run: number;
  run_state: RunState;
  /** The kernel's clock, seconds since the epoch. */
  now: number | null;
  started: number | null;
  ended: number | null;
  notice: string | null;
  errors: Record<string, NodeError>;
  notes: Record<string, string>;
}

export interface RunColumns {
  state: Uint8Array;
  attempt: Uint16Array;
  worker: Uint16Array;
  /** Seconds since `started`; NaN where unknown. */
  begin: Float32Array;
  seconds: Float32Array;
}

export type Graph = GraphHead & GraphColumns;
export type Status = RunHead & { workers: string[] } & RunColumns;
export type DeltaHead = RunHead & {
  kind: "delta";
  reset: boolean;
  workers?: string[] | null;
  count: number;
};
export type Delta = DeltaHead & { index: Uint32Array } & RunColumns;

export interface MatchesHead {
  version: number;
  /** The last pattern that was evaluated with success. */
  query: string;
  /** What is wrong with the present pattern, "" where nothing is. */
  error: string;
}

export interface MatchesColumns {
  /** Nodes that `query` matches, ascending. */
  index: Uint32Array;
}

export type Matches = MatchesHead & MatchesColumns;

type OnTheWire<Columns> = { [K in keyof Columns]: Bytes };
export type WireGraph = GraphHead & OnTheWire<GraphColumns>;
export type WireStatus = RunHead & { workers: string[] } & OnTheWire<RunColumns>;
export type WireMatches = MatchesHead & OnTheWire<MatchesColumns>;

export interface Reply {
  kind: "reply";
  id: string;
  ok: boolean;
  text: string;
}

export interface Command {
  kind: "command";
  id: string;
  name: CommandName;
  args: Record<string, unknown>;
}
