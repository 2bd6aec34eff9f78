// What a view may ask of the model it shows. `sync/session.ts` is the one that talks to a kernel.
import type { Search } from "./search";
import type { Store } from "./store";
import type { CommandName, Direction } from "./types";

export type Topic = "selected" | "direction" | "height" | "search" | "message" | "fault";

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
  /** The commands that wait for a reply. */
  readonly waiting: ReadonlyMap<CommandName, number>;
  /** Why the graph could not be read, "" where it could. */
  readonly fault: string;
  /** The model of the host, for tests and for those who know what they do. */
  readonly model: unknown;
  subscribe(listener: (topic: Topic) => void): () => void;
  /** Sends a command; what comes of it is in `message`. Never throws. */
  command(name: CommandName, args?: Record<string, unknown>): Promise<void>;
  select(names: string[]): void;
  /** Searches for a pattern, "" for none; `now` does not wait for more to be typed. */
  find(query: string, now?: boolean): void;
  turn(direction: Direction): void;
  resize(height: number, keep: boolean): void;
}
