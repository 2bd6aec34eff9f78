// What is selected and what a search matches, as it is to be drawn: a box stands for all nodes in it.
import { type Chosen, chosenOf, drawnCount, tally } from "../core/groups";
import type { Session } from "../core/session";
import type { Graph } from "../core/types";
import { drawnAs } from "../core/walk";

export class Marks {
  /** Nodes. */
  selected = new Set<number>();
  chosen: Chosen = { whole: this.selected, partly: this.selected };
  /** The matches as they came. */
  matches: Uint32Array | null = null;
  /** 1 for a node that a search matches, and for a box with such a node; null where nothing is dimmed. */
  matched: Uint8Array | null = null;
  /** For each box how many of its nodes match. */
  found: Uint32Array | null = null;
  /** 1 for a node whose settings were changed in the widget, and for a box with such a node; null for none. */
  changed: Uint8Array | null = null;
  /** How many nodes those are. */
  edited = 0;
  /** 1 for a node whose result is out of date, and for a box with such a node; null for none. */
  stale: Uint8Array | null = null;
  /** How many nodes those are. */
  outdated = 0;
  /** The match that was gone to, -1 for none. */
  current = -1;

  setSelected({ selected, store }: Session): void {
    this.selected = new Set(selected.flatMap((name) => store.indexOf(name) ?? []));
    if (store.graph) this.chosen = chosenOf(store.graph, this.selected);
  }

  /** True where the matches are other ones than before. */
  setSearch({ search }: Session, graph: Graph): boolean {
    const { index } = search;
    if (index === this.matches) return false;
    this.matches = index;
    this.matched = index?.length ? new Uint8Array(drawnCount(graph)) : null;
    this.found = index?.length ? tally(graph, index) : null;
    for (const i of index ?? []) {
      if (this.matched) this.matched[i] = this.matched[drawnAs(graph, i)] = 1;
    }
    return true;
  }

  /** Takes the nodes whose settings were changed; true where there is something to paint. */
  setEdits({ edits }: Session, graph: Graph): boolean {
    const fresh = edits !== null && edits.changed.length > 0 && edits.version === graph.version;
    if (!fresh && !this.changed) return false;
    this.edited = fresh ? edits.changed.length : 0;
    this.changed = fresh ? new Uint8Array(drawnCount(graph)) : null;
    for (const i of fresh ? edits.changed : []) {
      if (this.changed) this.changed[i] = this.changed[drawnAs(graph, i)] = 1;
    }
    return true;
  }

  /** Takes the nodes whose results are out of date; true where there is something to paint. */
  setStale({ stale }: Session, graph: Graph): boolean {
    const fresh = stale !== null && stale.why.size > 0 && stale.version === graph.version;
    if (!fresh && !this.stale) return false;
    this.outdated = fresh ? stale.why.size : 0;
    this.stale = fresh ? new Uint8Array(drawnCount(graph)) : null;
    for (const i of fresh ? stale.why.keys() : []) {
      if (this.stale) this.stale[i] = this.stale[drawnAs(graph, i)] = 1;
    }
    return true;
  }

  /** What the current match is drawn as, -1 where there is none. */
  currentIn(graph: Graph): number {
    return this.current >= 0 && this.current < graph.names.length
      ? drawnAs(graph, this.current)
      : -1;
  }

  /** The graph is another one. */
  forget(): void {
    this.matches = this.matched = this.found = null;
  }
}
