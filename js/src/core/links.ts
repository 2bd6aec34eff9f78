// Who feeds whom among the nodes, both ways: flat lists with a row for each node. Built once per graph.
import type { Graph } from "./types";

/** The neighbours of node `i` are `list[at[i]]` to `list[at[i + 1] - 1]`, in the order of the edges. */
export interface Rows {
  at: Uint32Array;
  list: Uint32Array;
}

export interface Links {
  parents: Rows;
  children: Rows;
}

const known = new WeakMap<Graph, Links>();

/** Edges of the nodes themselves, also where boxes hide some of them. O(nodes + edges), once per graph. */
export function linksOf(graph: Graph): Links {
  let links = known.get(graph);
  if (!links) {
    const pairs = graph.links.length ? graph.links : graph.edges;
    const n = graph.names.length;
    links = { parents: rows(n, pairs, 1), children: rows(n, pairs, 0) };
    known.set(graph, links);
  }
  return links;
}

/** @param from which end of a pair has the row: 0 the source, 1 the target. */
function rows(n: number, pairs: Uint32Array, from: 0 | 1): Rows {
  const at = new Uint32Array(n + 1);
  for (let e = from; e < pairs.length; e += 2) at[pairs[e] + 1]++;
  for (let i = 0; i < n; i++) at[i + 1] += at[i];
  const list = new Uint32Array(at[n]);
  const next = at.slice();
  for (let e = 0; e < pairs.length; e += 2) list[next[pairs[e + from]]++] = pairs[e + 1 - from];
  return { at, list };
}

export function row({ at, list }: Rows, i: number): Uint32Array {
  return list.subarray(at[i], at[i + 1]);
}
