// What a search shows. Pure.

export interface Search {
  /** The pattern as typed; "" for no search. */
  query: string;
  /** Its nodes, or those of the last good pattern, ascending; null where nothing has been evaluated yet. */
  index: Uint32Array | null;
  /** What is wrong with the pattern, "" where nothing is. */
  error: string;
  /** True while no answer has come for the pattern as it stands. */
  pending: boolean;
}

/** Most characters of a pattern; keep it in step with widget/search.py. */
export const PATTERN = 10_000;

/** What is wrong with a pattern that is not even sent, "" where nothing is. */
export function faultOfPattern(query: string): string {
  if (query.length <= PATTERN) return "";
  const [length, most] = [query.length, PATTERN].map((n) => n.toLocaleString("en"));
  return `a pattern has at most ${most} characters, this ${length}`;
}

export const NO_SEARCH: Search = { query: "", index: null, error: "", pending: false };

/** "4 of 17"; "" where there is nothing to say. */
export function countText({ query, index, error }: Search, nodes: number): string {
  if (!query || !index) return "";
  if (index.length) return `${index.length} of ${nodes}`;
  return error ? "" : "no match";
}

/** The match after (`by` 1) or before (-1) a node, around the ends; a `node` of -1 is before all. -1 for none. */
export function nextMatch(index: Uint32Array | null, node: number, by: 1 | -1): number {
  if (!index?.length) return -1;
  const found = by > 0 ? index.find((i) => i > node) : index.findLast((i) => i < node);
  return found ?? (by > 0 ? index[0] : index[index.length - 1]);
}

/** A pattern that would match, and how many names it does. */
export interface Advice {
  pattern: string;
  count: number;
}

/** A text as a pattern that matches just this text, in Python and here. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
}

/** What to search for in place of a text that is no whole name but stands in some; null where there is nothing to say. */
export function adviceFor(
  { query, index, error, pending }: Search,
  names: readonly string[],
): Advice | null {
  if (!query || !index || index.length || error || pending) return null;
  const count = names.reduce((sum, name) => sum + (name.includes(query) ? 1 : 0), 0);
  return count ? { pattern: `.*${escaped(query)}.*`, count } : null;
}
