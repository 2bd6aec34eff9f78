// Which part of the graph a view shows. Graph units are CSS pixels at zoom 1.
import type { Direction } from "./types";

export interface Size {
  width: number;
  height: number;
}

/** How much longer than wide the graph is drawn, `most` up to the zoom `from`, 1 at the zoom NATURAL. */
export interface Stretch {
  along: "x" | "y";
  most: number;
  from: number;
}

/** A point of the graph (x, y) is drawn at (x * zoom * across + tx, y * zoom * down + ty), see `stretched`. */
export interface Viewport {
  zoom: number;
  tx: number;
  ty: number;
  /** None: both directions alike. */
  stretch?: Stretch;
}

export interface Rect {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const PADDING = 16;
export const MAX_ZOOM = 3;
const MIN_ZOOM = 0.05;
/** From this zoom on a graph is drawn in its own proportions. */
export const NATURAL = 0.8;
const MOST_STRETCH = 12;
/** Scale along the layers up to which a stretch goes: names are read in full; boxes are as high as a line of text. */
const LONGEST: Record<Direction, number> = { LR: 0.7, TB: 0.44 };

/**
 * Shows the whole graph in the middle of the view, never larger than life. With a direction, what the other axis
 * leaves free along the layers is used by a stretch.
 */
export function fit(graph: Size, view: Size, direction?: Direction, padding = PADDING): Viewport {
  const across = (view.width - 2 * padding) / Math.max(1, graph.width);
  const down = (view.height - 2 * padding) / Math.max(1, graph.height);
  const zoom = Math.max(0.002, Math.min(1, across, down));
  const middle = { x: graph.width / 2, y: graph.height / 2 };
  if (!direction) return centred(middle, zoom, view);
  const along = direction === "LR" ? "x" : "y";
  const free = (along === "x" ? across : down) / zoom;
  // LONGEST is less than NATURAL, so that zooming in makes everything longer as well as wider.
  const most = Math.min(MOST_STRETCH, free, LONGEST[direction] / zoom);
  return centred(middle, zoom, view, most > 1 ? { along, most, from: zoom } : undefined);
}

/** Shows a part of the graph in the middle of the view, as large as it can be and never larger than life. */
export function fitRect(area: Rect, view: Size, stretch?: Stretch, padding = PADDING): Viewport {
  const fits = (zoom: number): boolean => {
    const by = scale({ zoom, tx: 0, ty: 0, ...(stretch && { stretch }) });
    return (
      (area.right - area.left) * by.x <= view.width - 2 * padding &&
      (area.bottom - area.top) * by.y <= view.height - 2 * padding
    );
  };
  let [low, high] = [0.002, 1];
  for (let k = 0; k < 24 && !fits(high); k++) {
    const middle = Math.sqrt(low * high);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  const zoom = fits(high) ? high : low;
  const middle = { x: (area.left + area.right) / 2, y: (area.top + area.bottom) / 2 };
  return centred(middle, zoom, view, stretch);
}

/** Puts a point of the graph in the middle of the view. */
export function centred(
  at: { x: number; y: number },
  zoom: number,
  view: Size,
  stretch?: Stretch,
): Viewport {
  const made: Viewport = { zoom, tx: 0, ty: 0, ...(stretch && { stretch }) };
  const { x, y } = toView(made, at.x, at.y);
  return { ...made, tx: view.width / 2 - x, ty: view.height / 2 - y };
}

/** By what the two axes are longer than `zoom` says. */
export function stretched({ zoom, stretch }: Viewport): { across: number; down: number } {
  if (!stretch) return { across: 1, down: 1 };
  const { along, most, from } = stretch;
  const share = Math.log(NATURAL / zoom) / Math.log(NATURAL / from);
  const by = most ** Math.max(0, Math.min(1, share));
  return along === "x" ? { across: by, down: 1 } : { across: 1, down: by };
}

/** Pixels of the view per graph unit. */
export function scale(at: Viewport): { x: number; y: number } {
  const { across, down } = stretched(at);
  return { x: at.zoom * across, y: at.zoom * down };
}

/** Zooms by a factor, keeping the point of the graph under (x, y) of the view where it is. */
export function zoomAbout(
  at: Viewport,
  factor: number,
  x: number,
  y: number,
  smallest = MIN_ZOOM,
): Viewport {
  const zoom = Math.min(MAX_ZOOM, Math.max(smallest, at.zoom * factor));
  const [before, after] = [scale(at), scale({ ...at, zoom })];
  return {
    ...at,
    zoom,
    tx: x - ((x - at.tx) * after.x) / before.x,
    ty: y - ((y - at.ty) * after.y) / before.y,
  };
}

export function smallestZoom(graph: Size, view: Size): number {
  return Math.min(MIN_ZOOM, fit(graph, view).zoom * 0.8);
}

/** Moves the graph, but never wholly out of sight: `keep` pixels of it stay in the view. */
export function clamp(at: Viewport, graph: Size, view: Size, keep = 48): Viewport {
  const hold = (t: number, length: number, room: number): number => {
    const shown = Math.min(keep, length);
    return Math.min(room - shown, Math.max(shown - length, t));
  };
  const { x, y } = scale(at);
  return {
    ...at,
    tx: hold(at.tx, graph.width * x, view.width),
    ty: hold(at.ty, graph.height * y, view.height),
  };
}

/** Whether a rectangle of the graph is in the view as a whole, `margin` pixels from its edges. */
export function holds(at: Viewport, area: Rect, view: Size, margin = 8): boolean {
  const start = toView(at, area.left, area.top);
  const end = toView(at, area.right, area.bottom);
  const across = start.x >= margin && end.x <= view.width - margin;
  return across && start.y >= margin && end.y <= view.height - margin;
}

/** Moves the view just so far that a rectangle of the graph is in it; the same viewport where it is already. */
export function revealed(at: Viewport, area: Rect, view: Size, margin = 24): Viewport {
  const start = toView(at, area.left, area.top);
  const end = toView(at, area.right, area.bottom);
  const by = (from: number, to: number, room: number): number => {
    const edge = Math.max(0, Math.min(margin, (room - (to - from)) / 2));
    if (from < edge) return edge - from;
    return to > room - edge ? Math.max(edge - from, room - edge - to) : 0;
  };
  const [dx, dy] = [by(start.x, end.x, view.width), by(start.y, end.y, view.height)];
  return dx || dy ? { ...at, tx: at.tx + dx, ty: at.ty + dy } : at;
}

export function toGraph(at: Viewport, x: number, y: number): { x: number; y: number } {
  const by = scale(at);
  return { x: (x - at.tx) / by.x, y: (y - at.ty) / by.y };
}

export function toView(at: Viewport, x: number, y: number): { x: number; y: number } {
  const by = scale(at);
  return { x: x * by.x + at.tx, y: y * by.y + at.ty };
}

/** The part of the graph that is in the view, `margin` graph units larger on each side. */
export function shown(at: Viewport, view: Size, margin = 0): Rect {
  const start = toGraph(at, 0, 0);
  const end = toGraph(at, view.width, view.height);
  return {
    left: start.x - margin,
    top: start.y - margin,
    right: end.x + margin,
    bottom: end.y + margin,
  };
}
