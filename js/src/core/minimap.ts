// The small map of the whole graph: when it is needed, and where things are on it. Pure.
import { type Rect, type Size, scale, shown, toGraph, toView, type Viewport } from "./viewport";

/** Pixels of the map that are filled by a graph of the usual proportions, and those that it has at least. */
const MOST = { width: 168, height: 104 };
const LEAST = 32;
const MARGIN = 4;
/** How much longer than wide a map may be drawn: a long graph is still to be seen. */
const STRETCH = 4;
/** In a smaller stage the map would hide what it is to help with. */
const ROOM = { width: 480, height: 300 };
const SLACK = 1;

/** A point (x, y) of the graph is at (x * across + left, y * down + top) of the map. */
export interface MiniMap extends Size {
  across: number;
  down: number;
  left: number;
  top: number;
}

export function mapOf(graph: Size): MiniMap {
  const most = {
    x: MOST.width / Math.max(1, graph.width),
    y: MOST.height / Math.max(1, graph.height),
  };
  const zoom = STRETCH * Math.min(most.x, most.y, 1 / STRETCH);
  const [across, down] = [Math.min(most.x, zoom), Math.min(most.y, zoom)];
  const width = Math.ceil(Math.max(LEAST, graph.width * across)) + 2 * MARGIN;
  const height = Math.ceil(Math.max(LEAST, graph.height * down)) + 2 * MARGIN;
  const left = (width - graph.width * across) / 2;
  return { width, height, across, down, left, top: (height - graph.height * down) / 2 };
}

/** Whether a part of the graph lies outside of a view that has room for a map. */
export function isNeeded(graph: Size, at: Viewport, view: Size): boolean {
  if (view.width < ROOM.width || view.height < ROOM.height) return false;
  const [start, end] = [toView(at, 0, 0), toView(at, graph.width, graph.height)];
  const outside = start.x < -SLACK || start.y < -SLACK;
  return outside || end.x > view.width + SLACK || end.y > view.height + SLACK;
}

/** Where on the map the view is, no further than its edges. */
export function windowOf(map: MiniMap, at: Viewport, view: Size): Rect {
  const part = shown(at, view);
  const hold = (v: number, most: number): number => Math.max(0, Math.min(most, v));
  return {
    left: hold(part.left * map.across + map.left, map.width),
    top: hold(part.top * map.down + map.top, map.height),
    right: hold(part.right * map.across + map.left, map.width),
    bottom: hold(part.bottom * map.down + map.top, map.height),
  };
}

/** Where on the map the middle of the view is; it may be beyond the edges. */
export function middleOf(map: MiniMap, at: Viewport, view: Size): { x: number; y: number } {
  const { x, y } = toGraph(at, view.width / 2, view.height / 2);
  return { x: x * map.across + map.left, y: y * map.down + map.top };
}

/** The viewport whose middle is a point of the map. */
export function lookingAt(map: MiniMap, at: Viewport, view: Size, x: number, y: number): Viewport {
  const by = scale(at);
  return {
    ...at,
    tx: view.width / 2 - ((x - map.left) / map.across) * by.x,
    ty: view.height / 2 - ((y - map.top) / map.down) * by.y,
  };
}
