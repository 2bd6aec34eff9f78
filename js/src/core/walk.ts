// Ways through the graph: relatives of nodes, paths, where an arrow key leads. Pure; nodes are numbers.
import { type Links, linksOf, type Rows, row } from "./links";
import type { Graph } from "./types";

export type Relatives = "parents" | "children" | "ancestors" | "descendants";
export type Arrow = "left" | "right" | "up" | "down";

/** The relatives of all these nodes together, ascending; a node is among them only where it is one of another's. */
export function relatives(links: Links, nodes: Iterable<number>, which: Relatives): Uint32Array {
  const up = which === "parents" || which === "ancestors";
  const rows = up ? links.parents : links.children;
  const far = which === "ancestors" || which === "descendants";
  return ascending(reached(rows, nodes, far));
}

/** All nodes on any path along the edges between two nodes, both of them included; empty where no path joins them. */
export function between(links: Links, a: number, b: number): Uint32Array {
  if (a === b) return Uint32Array.of(a);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ]) {
    const below = reached(links.children, [from], true);
    if (!below[to]) continue;
    const above = reached(links.parents, [to], true);
    for (let i = 0; i < below.length; i++) below[i] &= above[i];
    below[from] = below[to] = 1;
    return ascending(below);
  }
  return new Uint32Array();
}

/**
 * Where an arrow key leads from node `i`, -1 for nowhere. Along the layers (left to right: the keys right and left) it
 * goes along an edge to the child or parent that stands nearest to the side, across them to the next node of the layer.
 * Of several children or parents it prefers the one that comes last in `way`, the nodes it came by. A node inside of a box stands where the box does.
 */
export function step(graph: Graph, i: number, arrow: Arrow, way: readonly number[] = []): number {
  const down = graph.direction === "TB";
  const along = arrow === "left" || arrow === "right" ? !down : down;
  const on = arrow === "right" || arrow === "down";
  if (!along) return beside(graph, i, on);
  const links = linksOf(graph);
  const next = new Set(row(on ? links.children : links.parents, i));
  return way.findLast((node) => next.has(node)) ?? nearest(graph, i, next);
}

/** Marks what is reached from the nodes by at least one edge: by one only, or by any number (`far`). */
function reached(rows: Rows, nodes: Iterable<number>, far: boolean): Uint8Array {
  const seen = new Uint8Array(rows.at.length - 1);
  const todo = [...nodes];
  for (let k = 0; k < todo.length; k++) {
    for (const next of row(rows, todo[k])) {
      if (seen[next]) continue;
      seen[next] = 1;
      if (far) todo.push(next);
    }
  }
  return seen;
}

function ascending(marked: Uint8Array): Uint32Array {
  const found: number[] = [];
  for (let i = 0; i < marked.length; i++) if (marked[i]) found.push(i);
  return Uint32Array.from(found);
}

interface Place {
  /** The middle along the layers, and half the length in that direction. */
  along: number;
  half: number;
  /** The middle across the layers. */
  cross: number;
}

/** The box that stands for node `i`: its own, or one for several nodes. */
export function drawnAs(graph: Graph, i: number): number {
  return graph.box.length ? graph.box[i] : i;
}

function placeOf(graph: Graph, i: number): Place {
  const drawn = drawnAs(graph, i);
  const [x, y] = [graph.x[drawn], graph.y[drawn]];
  return graph.direction === "TB"
    ? { along: y, half: graph.h / 2, cross: x }
    : { along: x, half: graph.w[drawn] / 2, cross: y };
}

/** The node that stands nearest to a point of the graph, -1 where there is none. */
export function nearestTo(graph: Graph, x: number, y: number): number {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < graph.names.length; i++) {
    const drawn = drawnAs(graph, i);
    const far = Math.hypot(graph.x[drawn] - x, graph.y[drawn] - y);
    if (far < least) [best, least] = [i, far];
  }
  return best;
}

/** Of some nodes the one that stands nearest to the side of `i`; the upper or left one of two. */
function nearest(graph: Graph, i: number, nodes: Iterable<number>): number {
  const { cross } = placeOf(graph, i);
  let best = -1;
  let least = [Infinity, Infinity, Infinity];
  for (const j of nodes) {
    const at = placeOf(graph, j).cross;
    const rank = [Math.abs(at - cross), at, j];
    if (!before(rank, least)) continue;
    [best, least] = [j, rank];
  }
  return best;
}

/** The next node of the layer of `i`, further on or back; boxes of one layer overlap along the layers. */
function beside(graph: Graph, i: number, on: boolean): number {
  const own = placeOf(graph, i);
  const sign = on ? 1 : -1;
  let best = -1;
  let least = [Infinity, Infinity, Infinity];
  for (let j = 0; j < graph.names.length; j++) {
    const { along, half, cross } = placeOf(graph, j);
    const off = Math.abs(along - own.along);
    if (j === i || off >= half + own.half) continue;
    const far = sign * (cross - own.cross);
    // Nodes in one box stand in one place, one after another.
    if (far < 0 || (far === 0 && (off > 0 || sign * (j - i) < 0))) continue;
    const rank = [far, off, sign * j];
    if (!before(rank, least)) continue;
    [best, least] = [j, rank];
  }
  return best;
}

function before(a: readonly number[], b: readonly number[]): boolean {
  for (let k = 0; k < a.length; k++) if (a[k] !== b[k]) return a[k] < b[k];
  return false;
}
