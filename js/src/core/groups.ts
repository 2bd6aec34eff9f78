// Groups of nodes and the boxes that stand for them: who is in which, how far they are. Pure.
import type { Run } from "./reducer";
import { type Graph, type Group, STATES, State } from "./types";
import { drawnAs } from "./walk";

/** How many things are drawn at most: nodes, hidden ones too, and boxes. Numbers of drawn things are below it. */
export function drawnCount(graph: Graph): number {
  return graph.names.length + graph.boxes.length;
}

/** How many boxes are painted: single nodes, and boxes for several. */
export function paintedCount(graph: Graph): number {
  const n = graph.names.length;
  if (!graph.boxes.length) return n;
  return graph.boxes.length + graph.box.reduce((sum, k, i) => sum + Number(k === i), 0);
}

/** Whether what is drawn as `k` stands for several nodes. */
export function isBox(graph: Graph, k: number): boolean {
  return k >= graph.names.length;
}

/** For each box how many of some nodes are in it. */
export function tally(graph: Graph, nodes: Iterable<number>): Uint32Array {
  const found = new Uint32Array(graph.boxes.length);
  if (found.length) for (const i of nodes) found[graph.box[i] - graph.names.length]++;
  return found;
}

/** For each box how many of its nodes are in each state: nine numbers a box, one after another. O(nodes). */
export function boxCounts(graph: Graph, run: Run): Uint32Array {
  const [n, wide] = [graph.names.length, STATES.length];
  const found = new Uint32Array(wide * graph.boxes.length);
  if (found.length === 0) return found;
  for (let i = 0; i < n; i++) {
    const k = graph.box[i] - n;
    if (k >= 0) found[wide * k + run.state[i]]++;
  }
  return found;
}

/** What matters most comes first: the state of a box is the first of these that one of its nodes has. */
const RANK = [
  State.failed,
  State.running,
  State.paused,
  State.queued,
  State.pending,
  State.cancelled,
  State.skipped,
  State.done,
  State.cached,
];

/** The state that stands for all nodes of a box. */
export function overall(counts: Uint32Array): number {
  return RANK.find((code) => counts[code] > 0) ?? State.pending;
}

/** What is selected, as it is drawn: `whole` with all of its nodes, `partly` with some of them. */
export interface Chosen {
  whole: ReadonlySet<number>;
  partly: ReadonlySet<number>;
}

export function chosenOf(graph: Graph, selected: ReadonlySet<number>): Chosen {
  if (!graph.boxes.length) return { whole: selected, partly: new Set() };
  const whole = new Set<number>();
  const partly = new Set<number>();
  const inside = tally(graph, selected);
  for (const i of selected) {
    const k = drawnAs(graph, i);
    const some = isBox(graph, k) && inside[k - graph.names.length] < countOf(graph, k);
    (some ? partly : whole).add(k);
  }
  return { whole, partly };
}

/** How many nodes are drawn as `k`. */
export function countOf(graph: Graph, k: number): number {
  return isBox(graph, k) ? graph.boxes[k - graph.names.length].count : 1;
}

/** The id of the group that box `k` is of, null for a node. */
export function groupOfBox(graph: Graph, k: number): string | null {
  const box = graph.boxes[k - graph.names.length];
  return box ? (graph.groups[box.group]?.id ?? null) : null;
}

/** The groups that all of these nodes are in, the smallest first; none for no nodes. */
export function groupsOf(graph: Graph, nodes: readonly number[]): Group[] {
  if (!nodes.length) return [];
  const kinds = new Set(nodes.map((i) => graph.functions[graph.function[i]]));
  const has = ({ id }: Group): boolean => {
    const text = id.slice(id.indexOf(":") + 1);
    if (id.startsWith("function:")) return kinds.size === 1 && kinds.has(text);
    return nodes.every((i) => graph.names[i].startsWith(text));
  };
  return graph.groups.filter(has).reverse();
}

/** The groups whose boxes these nodes are in. */
export function boxedGroups(graph: Graph, nodes: Iterable<number>): string[] {
  const found = new Set<string>();
  for (const i of nodes) {
    const id = groupOfBox(graph, drawnAs(graph, i));
    if (id !== null) found.add(id);
  }
  return [...found];
}

/** The functions with so many nodes that a large graph starts with them as boxes. */
export function bigGroups(graph: Graph, least = 10): string[] {
  const big = ({ id, count }: Group): boolean => id.startsWith("function:") && count >= least;
  return graph.groups.filter(big).map(({ id }) => id);
}
