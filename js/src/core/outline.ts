// The nodes as a list: which are shown, in which order, and what a click or key selects. Pure.
import { nodeSeconds } from "./clock";
import type { Run } from "./reducer";
import { type Graph, State } from "./types";

export type Column = "name" | "function" | "state" | "seconds" | "attempts";

export interface Sorting {
  column: Column;
  down: boolean;
}

export interface Filter {
  /** A part of the name or of the function's name, in any case. */
  text: string;
  /** Codes of states; none for all. */
  states: ReadonlySet<number>;
  /** 1 for each node to show; null for all. */
  only: Uint8Array | null;
}

/** States by how much they matter to the one who looks, the most first. */
export const IMPORTANCE = [
  State.failed,
  State.running,
  State.paused,
  State.queued,
  State.cancelled,
  State.skipped,
  State.pending,
  State.done,
  State.cached,
] as const;
const RANK = Uint8Array.from(IMPORTANCE, (_, code) =>
  IMPORTANCE.indexOf(code as (typeof IMPORTANCE)[number]),
);

/** What a click on the head of a column makes of the order: up, down, and back to that of the graph (null). */
export function nextSorting(now: Sorting | null, column: Column): Sorting | null {
  if (now?.column !== column) return { column, down: false };
  return now.down ? null : { column, down: true };
}

/**
 * The nodes that a filter lets through, in order. Equal ones stay in the order of the graph, and what is unknown stands
 * last, in both directions.
 */
export function listed(
  graph: Graph,
  run: Run,
  sorting: Sorting | null,
  filter: Filter,
  kernelNow: number,
): Uint32Array {
  const rows = filtered(graph, run, filter);
  return sorting ? rows.sort(order(graph, run, sorting, kernelNow)) : rows;
}

function filtered(graph: Graph, run: Run, { text, states, only }: Filter): Uint32Array {
  const n = graph.names.length;
  const wanted = folded(text.trim());
  const texts = wanted ? textsOf(graph) : null;
  const rows = new Uint32Array(n);
  let count = 0;
  for (let i = 0; i < n; i++) {
    if (only && !only[i]) continue;
    if (states.size && !states.has(run.state[i])) continue;
    if (texts) {
      const found = texts.names[i].includes(wanted);
      if (!found && !texts.functions[graph.function[i]].includes(wanted)) continue;
    }
    rows[count++] = i;
  }
  return rows.subarray(0, count);
}

function order(
  graph: Graph,
  run: Run,
  { column, down }: Sorting,
  kernelNow: number,
): (a: number, b: number) => number {
  const sign = down ? -1 : 1;
  let value: ArrayLike<number>;
  if (column === "name") value = textsOf(graph).nameRank();
  else if (column === "function") value = textsOf(graph).functionRank();
  else if (column === "state") value = Uint8Array.from(run.state, (code) => RANK[code]);
  else if (column === "attempts") {
    value = Float64Array.from(run.attempt, (count) => count || Number.NaN);
  } else value = Float64Array.from(run.state, (_, i) => nodeSeconds(run, i, kernelNow));
  return (a, b) => {
    const [p, q] = [value[a], value[b]];
    if (p === q) return a - b;
    const unknown = Number(Number.isNaN(p)) - Number(Number.isNaN(q));
    if (unknown) return unknown;
    return Number.isNaN(p) ? a - b : sign * (p - q);
  };
}

/** Names to look into and their ranks in the order of a dictionary ("node 2" before "node 10"), once per graph. */
class Texts {
  readonly names: string[];
  readonly functions: string[];
  #nameRank: Float64Array | undefined;
  #functionRank: Float64Array | undefined;

  constructor(readonly graph: Graph) {
    this.names = graph.names.map(folded);
    this.functions = graph.functions.map(folded);
  }

  nameRank(): Float64Array {
    this.#nameRank ??= ranks(this.graph.names);
    return this.#nameRank;
  }

  functionRank(): Float64Array {
    if (!this.#functionRank) {
      const rank = ranks(this.graph.functions);
      this.#functionRank = Float64Array.from(this.graph.function, (f) => rank[f]);
    }
    return this.#functionRank;
  }
}

const known = new WeakMap<Graph, Texts>();

function textsOf(graph: Graph): Texts {
  let texts = known.get(graph);
  if (!texts) {
    texts = new Texts(graph);
    known.set(graph, texts);
  }
  return texts;
}

function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}

/** Equal texts share a rank. A text of any length is compared by its beginning only. */
function ranks(texts: readonly string[]): Float64Array {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  const keys = texts.map((text) => text.slice(0, 400));
  const places = keys.map((_, i) => i).sort((a, b) => compare(keys[a], keys[b]) || a - b);
  const rank = new Float64Array(texts.length);
  for (let k = 1; k < places.length; k++) {
    const [before, now] = [places[k - 1], places[k]];
    rank[now] = rank[before] + (compare(keys[before], keys[now]) ? 1 : 0);
  }
  return rank;
}

/** The rows from one node to another, both included, in the order in which they are listed; one alone if the other is not. */
export function range(rows: Uint32Array, from: number, to: number): Uint32Array {
  const [a, b] = [rows.indexOf(from), rows.indexOf(to)];
  if (b < 0) return new Uint32Array();
  return a < 0 ? rows.slice(b, b + 1) : rows.slice(Math.min(a, b), Math.max(a, b) + 1);
}

/** The node that a key leads to in the list, -1 for none; `page` is how many rows are in sight. */
export function rowAfter(rows: Uint32Array, from: number, key: string, page: number): number {
  const last = rows.length - 1;
  if (last < 0) return -1;
  const at = rows.indexOf(from);
  const to: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at < 0 ? last : at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: last,
  };
  return key in to ? rows[Math.max(0, Math.min(last, to[key]))] : -1;
}
