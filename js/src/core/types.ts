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

/** What begins the note of a queued node that nothing in the cluster can hold. */
export const WAITS = "waits: ";

export const KINDS = ["function", "constructor", "method"] as const;

export type Direction = "LR" | "TB";
export type RunState = "idle" | "running" | "paused" | "stopping" | "done" | "failed" | "cancelled";
export type CommandName =
  | "run"
  | "stop"
  | "pause"
  | "resume"
  | "step"
  | "resync"
  | "display"
  | "preview"
  | "edit"
  | "undo"
  | "redo"
  | "code"
  | "show"
  | "update_functions";
/** The parts that a view may be made of, in the order in which they stand. */
export const PARTS = [
  "toolbar",
  "query",
  "progress",
  "outline",
  "graph",
  "inspector",
  "form",
  "timeline",
  "footer",
] as const;
export type Part = (typeof PARTS)[number];
/** The parts that fold away. */
export type Panel = "outline" | "inspector" | "timeline";

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
  /** The sets of nodes that can be drawn as one box, whether they are or not. */
  groups: Group[];
  /** The b boxes that stand for several nodes each. Box n + k is `boxes[k]`. */
  boxes: GroupBox[];
}

export interface Group {
  /** "function:train", "prefix:moons, " */
  id: string;
  label: string;
  count: number;
}

export interface GroupBox {
  /** Its place in `groups`. */
  group: number;
  label: string;
  count: number;
}

/**
 * Things drawn are numbered: 0 to n - 1 are the nodes, n to n + b - 1 the boxes. A node inside of a box is not drawn:
 * its `x` is NaN.
 */
export interface GraphColumns {
  function: Uint32Array;
  kind: Uint8Array;
  /** Of what is drawn: source and target. */
  edges: Uint32Array;
  /** Of the nodes, where boxes hide some of them; empty where `edges` says it all. */
  links: Uint32Array;
  /** For each node the box that it is in, n + k, or itself; empty where there are no boxes. */
  box: Uint32Array;
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
  /** What the run has to run on, such as "3 machines, 12 CPUs"; "" where the backend does not say. */
  where: string;
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

/** Attempts that gave nothing and were followed by another of the same node, in the order in which they ended. */
export interface MissedHead {
  /** The place of the first of these among all of the run. */
  at: number;
  /** Why each ended, in a line. */
  why: string[];
}

export interface MissedColumns {
  node: Uint32Array;
  /** Seconds since `started`. */
  begin: Float32Array;
  seconds: Float32Array;
  attempt: Uint16Array;
  worker: Uint16Array;
}

export type Missed = MissedHead & MissedColumns;
export type Graph = GraphHead & GraphColumns;
export type Status = RunHead & { workers: string[]; missed: Missed } & RunColumns;
export type DeltaHead = RunHead & {
  kind: "delta";
  reset: boolean;
  workers?: string[] | null;
  missed?: MissedHead | undefined;
  count: number;
};
export type Delta = DeltaHead & { index: Uint32Array; missed?: Missed | undefined } & RunColumns;

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

/** A function that another cell has defined again. */
export interface NewerFunction {
  name: string;
  /** The cell, "In[9]". */
  where: string;
  /** How many nodes use the older one. */
  count: number;
}

export interface StaleHead {
  version: number;
  reasons: string[];
  newer: NewerFunction[];
  /** Sentences about nodes that cells have replaced or left behind. */
  notices: string[];
}

export interface StaleColumns {
  /** Nodes, ascending. */
  index: Uint32Array;
  /** For each its place in `reasons`. */
  reason: Uint32Array;
}

export type Stale = StaleHead & {
  /** Why the result of a node is out of date; of the others nothing stands here. */
  why: ReadonlyMap<number, string>;
};

type OnTheWire<Columns> = { [K in keyof Columns]: Bytes };
export type WireGraph = GraphHead & OnTheWire<GraphColumns>;
export type WireMissed = MissedHead & OnTheWire<MissedColumns>;
export type WireStatus = RunHead & {
  workers: string[];
  missed: WireMissed;
} & OnTheWire<RunColumns>;
export type WireEdits = EditsHead & OnTheWire<EditsColumns>;
export type WireStale = StaleHead & OnTheWire<StaleColumns>;
export type WireMatches = MatchesHead & OnTheWire<MatchesColumns>;

export interface Reply {
  kind: "reply";
  id: string;
  ok: boolean;
  text: string;
  /** What a command that asks for something gives. */
  data?: unknown;
}

/** A JSON value, or `{"$repr": text}` for what is none. */
export type Shown = unknown;

export interface Argument {
  /** "x", "*rest", "**options". */
  name: string;
  /** A preview of the value, nodes in it by their names. */
  text: string;
  /** The nodes that stand in it. */
  nodes: number[];
}

export interface Attempt {
  attempt: number;
  state: StateName;
  worker: string;
  /** Seconds since the epoch; null where unknown. */
  started: number | null;
  seconds: number | null;
  /** "ValueError: ..." where it failed, else "". */
  error: string;
}

export interface Frame {
  file: string;
  line: number;
  function: string;
  code: string;
  /** Whether it is code of this package or of the standard library, and so of less interest. */
  inner: boolean;
}

export interface Failure {
  type: string;
  message: string;
  /** Innermost first. */
  frames: Frame[];
  /** The traceback as Python prints it. */
  text: string;
  /** The node that failed first, for a skipped one; null where it is this node. */
  root: number | null;
}

/** What is known of a result without formatting it. */
export interface ResultFacts {
  type: string;
  /** "1000 x 3", "" where it has none. */
  shape: string;
  /** "float64", "3 columns", "" where there is nothing to say. */
  detail: string;
  bytes: number | null;
}

/** All that is told of one selected node beyond the columns. */
export interface NodeDetails {
  index: number;
  name: string;
  kind: (typeof KINDS)[number];
  function: string;
  module: string;
  file: string;
  line: number | null;
  signature: string;
  docstring: string;
  source: string;
  /** Where the node was made, "In[3], line 2". */
  made: string;
  arguments: Argument[];
  attempts: Attempt[];
  failure: Failure | null;
  /** null where there is no result to look at; `why_no_result` says why. */
  result: ResultFacts | null;
  why_no_result: string;
  /** What storage cannot compare for the node, in words. */
  not_tracked: string[];
}

/** Objects taken together. */
export interface Together {
  /** What all of them have in common, by key. */
  values: Record<string, Shown>;
  /** Keys in which they differ: up to five different values each, null for "not set". */
  mixed: Record<string, Shown[]>;
  /** The same for what stands in a key of `mixed`, where all that stands there are objects. */
  inside: Record<string, Together>;
}

/** `backend_info` of the selected nodes taken together. */
export interface Settings extends Together {
  /** Keys that the backend keeps and does not understand. */
  unknown: string[];
}

/** `_details`: what belongs to the present selection. */
export interface Details {
  version: number;
  /** How many nodes were selected when it was made, and a digest of which, as `selectionKey` makes it. */
  count: number;
  key: string;
  /** The node where one is selected, else null. */
  node: NodeDetails | null;
  settings: Settings;
}

/** A display among printed texts: the browser asks for it by its number, and again when its edition is another. */
export interface DisplayPiece {
  number: number;
  edition: number;
}

/** `_printed`: what the one selected node has printed and displayed in its last attempts. */
export interface Printed {
  version: number;
  index: number;
  run: number;
  /** The end of it, texts and displays in order; `cut` characters and `dropped` displays went before. */
  pieces: (string | DisplayPiece)[];
  cut: number;
  dropped: number;
}

export interface EditAnswer {
  id: string;
  ok: boolean;
  text: string;
  /** What is wrong, by field; "" for the whole. */
  errors: Record<string, string>;
}

export interface EditsHead {
  version: number;
  /** What undo and redo would do, in words; "" where there is nothing to do. */
  undo: string;
  redo: string;
  /** Where an edit counts that was made while a run was under way, "" otherwise. */
  counts_from: string;
  /** The answer to the newest edit, undo or redo: it comes with its effect, in one message. */
  answer: EditAnswer | null;
}

export interface EditsColumns {
  /** Nodes whose `backend_info` was changed in the widget and is not as it was before. */
  changed: Uint32Array;
}

export type Edits = EditsHead & EditsColumns;

/** What `preview` gives, the richest form of a result that is small enough, and `display`, the form of what was displayed. */
export interface Preview {
  kind: "text" | "html" | "svg" | "png" | "jpeg" | "gif";
  /** Text, HTML or SVG as it is, pictures in base64. */
  content: string;
  /** What was left out, "" where nothing was. */
  note: string;
}

export interface Command {
  kind: "command";
  id: string;
  name: CommandName;
  args: Record<string, unknown>;
}
