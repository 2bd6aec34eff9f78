// The part of an anywidget model that this widget uses, typed.
import type {
  Command,
  Details,
  Direction,
  Panel,
  Part,
  Printed,
  WireEdits,
  WireGraph,
  WireMatches,
  WireStale,
  WireStatus,
} from "../core/types";

export interface Traits {
  _graph: WireGraph;
  _status: WireStatus;
  _matches: WireMatches;
  selected: string[];
  direction: Direction;
  height: number;
  query: string;
  panels: Panel[];
  collapsed: string[];
  _parts: Part[];
  _place: string;
  _schema: Record<string, unknown>;
  _details: Partial<Details>;
  _printed: Partial<Printed>;
  _edits: Partial<WireEdits>;
  _stale: Partial<WireStale>;
}

export type Listener = (...args: never[]) => void;

export interface Model {
  get<K extends keyof Traits>(name: K): Traits[K] | undefined | null;
  set<K extends keyof Traits>(name: K, value: Traits[K]): void;
  save_changes(): void;
  on(event: string, listener: Listener): void;
  off(event?: string | null, listener?: Listener | null): void;
  send(content: Command, callbacks?: unknown, buffers?: unknown): void;
  /** The host's, where it has one: the way to the kernel. */
  readonly widget_manager?: unknown;
}
