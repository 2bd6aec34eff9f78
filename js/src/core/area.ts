// Rectangles of the graph: of a node, of several, whether two of them meet. Pure.
import type { Graph } from "./types";
import { type Rect, revealed, type Size, shown, toGraph, type Viewport } from "./viewport";
import { drawnAs } from "./walk";

/** The box of a node, or that in which it is drawn; null where it is nowhere (-1). */
export function areaOf(graph: Graph, i: number): Rect | null {
  if (i < 0) return null;
  const k = i < graph.names.length ? drawnAs(graph, i) : i;
  const [x, y, wide, tall] = [graph.x[k], graph.y[k], graph.w[k] / 2, graph.h / 2];
  if (Number.isNaN(x)) return null;
  return { left: x - wide, right: x + wide, top: y - tall, bottom: y + tall };
}

/** The rectangle around several nodes, null where there is none. */
export function areaAround(graph: Graph, nodes: Iterable<number>): Rect | null {
  const whole = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const i of nodes) {
    const area = areaOf(graph, i);
    if (!area) continue;
    whole.left = Math.min(whole.left, area.left);
    whole.top = Math.min(whole.top, area.top);
    whole.right = Math.max(whole.right, area.right);
    whole.bottom = Math.max(whole.bottom, area.bottom);
  }
  return whole.left < Infinity ? whole : null;
}

export function touches(a: Rect, b: Rect): boolean {
  return a.left <= b.right && b.left <= a.right && a.top <= b.bottom && b.top <= a.bottom;
}

/** The viewport after a new size: the same, moved just enough for an area that was in sight to be so still. */
export function keptInSight(at: Viewport, before: Size, view: Size, area: Rect | null): Viewport {
  return area && touches(shown(at, before), area) ? revealed(at, area, view) : at;
}

/** An element of the stage, as far as its place goes. */
export interface Placed {
  offsetLeft: number;
  offsetTop: number;
  offsetWidth: number;
  offsetHeight: number;
}

/** The part of the graph under an element of the stage. */
export function partUnder(over: Placed, at: Viewport): Rect {
  const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = over;
  const start = toGraph(at, offsetLeft, offsetTop);
  const end = toGraph(at, offsetLeft + offsetWidth, offsetTop + offsetHeight);
  return { left: start.x, top: start.y, right: end.x, bottom: end.y };
}
