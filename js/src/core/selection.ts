// What clicks, rectangles and menus do to the selection. Pure.
import type { Graph } from "./types";
import { drawnAs } from "./walk";

/**
 * The selection after a click on what stands for some nodes (none: on nothing); `add` is a click with Ctrl, Cmd or
 * Shift: what is selected already leaves the selection.
 */
export function clicked(
  selected: readonly string[],
  names: readonly string[],
  add: boolean,
): string[] {
  if (!add) return [...names];
  const known = new Set(selected);
  if (!names.every((name) => known.has(name))) return added(selected, names);
  const gone = new Set(names);
  return selected.filter((name) => !gone.has(name));
}

/** Both, each name once, in the order in which they came. */
export function added(selected: readonly string[], names: readonly string[]): string[] {
  return [...new Set([...selected, ...names])];
}

/** All names but the selected ones. */
export function inverted(names: readonly string[], selected: readonly string[]): string[] {
  const known = new Set(selected);
  return names.filter((name) => !known.has(name));
}

/** Names of the nodes that are drawn as these, in the order of the graph: a box stands for all that are in it. */
export function namesOf(graph: Graph, drawn: Iterable<number>): string[] {
  const shown = new Set(drawn);
  if (!shown.size) return [];
  return graph.names.filter((_, i) => shown.has(drawnAs(graph, i)));
}

export function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
