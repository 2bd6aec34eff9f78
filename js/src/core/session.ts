// What a view may ask of the model it shows. `sync/session.ts` is the one that talks to a kernel.
import type { Search } from "./search";
import type { Store } from "./store";
import type {
  CommandName,
  Details,
  Direction,
  EditAnswer,
  Edits,
  Panel,
  Part,
  Printed,
  Reply,
  Stale,
} from "./types";

/** Of the graph area, pixels. */
export const HEIGHT = { least: 80, most: 2000, usual: 480 };

/** What may have changed in a session. */
export const TOPICS = [
  "selected",
  "direction",
  "height",
  "search",
  "message",
  "fault",
  "panels",
  "collapsed",
  "details",
  "printed",
  "edits",
  "stale",
  "kernel",
] as const;
export type Topic = (typeof TOPICS)[number];

/** What is known of the kernel: "unknown" where the host does not say. */
export type Kernel = "unknown" | "idle" | "busy" | "gone" | "restarted";

/** What a command has to say: "waiting" until the kernel answers, "error" where it refused. */
export interface Message {
  kind: "none" | "waiting" | "error";
  text: string;
}

export interface Session {
  readonly store: Store;
  readonly selected: string[];
  readonly direction: Direction;
  readonly height: number;
  readonly search: Search;
  readonly message: Message;
  /** What this view shows. */
  readonly parts: readonly Part[];
  /** The place in the notebook where this model is shown, the same after its cell was run again; "" if unknown. */
  readonly place: string;
  /** The panels that are open. */
  readonly panels: readonly Panel[];
  /** The groups that are drawn as one box. */
  readonly collapsed: readonly string[];
  /** The JSON schema of `backend_info`, {} for a backend without one. */
  readonly schema: Record<string, unknown>;
  /** About the selected nodes, null until it has come. It may still be about an earlier selection: see `isCurrent`. */
  readonly details: Details | null;
  /** What the selected node has printed, null where nothing is known. */
  readonly printed: Printed | null;
  readonly edits: Edits | null;
  /** What is out of date; it may still be about an earlier graph. */
  readonly stale: Stale | null;
  readonly kernel: Kernel;
  /** The commands that wait for a reply. */
  readonly waiting: ReadonlyMap<CommandName, number>;
  /** Why the graph could not be read, "" where it could. */
  readonly fault: string;
  /** The model of the host, for tests and for those who know what they do. */
  readonly model: unknown;
  subscribe(listener: (topic: Topic) => void): () => void;
  /** Sends a command; what comes of it is in `message`. Never throws. */
  command(name: CommandName, args?: Record<string, unknown>): Promise<void>;
  /**
   * Sends a command and gives its reply.
   * @throws Error with words for the person where it is refused or no reply comes.
   */
  ask(name: CommandName, args?: Record<string, unknown>, signal?: AbortSignal): Promise<Reply>;
  /**
   * Changes `backend_info`: sends `edit`, `undo` or `redo` and gives the answer, with errors by field.
   * @throws Error where no answer comes.
   */
  edit(name: "edit" | "undo" | "redo", args?: Record<string, unknown>): Promise<EditAnswer>;
  select(names: string[]): void;
  /** Opens or folds a panel. */
  open(panel: Panel, yes: boolean): void;
  /** Opens a panel unless the person has closed it since the page was loaded. */
  offer(panel: Panel): void;
  /** Draws these groups as one box each, and all others as nodes. */
  collapse(groups: string[]): void;
  /** Searches for a pattern, "" for none; `now` does not wait for more to be typed. */
  find(query: string, now?: boolean): void;
  turn(direction: Direction): void;
  resize(height: number, keep: boolean): void;
}
