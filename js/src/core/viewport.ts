// Which part of the graph a view shows. Graph units are CSS pixels at zoom 1.

export interface Size {
  width: number;
  height: number;
}

/** A point of the graph (x, y) is drawn at (x * zoom + tx, y * zoom + ty). */
export interface Viewport {
  zoom: number;
  tx: number;
  ty: number;
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

/** Shows the whole graph in the middle of the view, never larger than life. */
export function fit(graph: Size, view: Size, padding = PADDING): Viewport {
  const across = (view.width - 2 * padding) / Math.max(1, graph.width);
  const down = (view.height - 2 * padding) / Math.max(1, graph.height);
  const zoom = Math.max(0.002, Math.min(1, across, down));
  return centred({ x: graph.width / 2, y: graph.height / 2 }, zoom, view);
}

/** Puts a point of the graph in the middle of the view. */
export function centred(at: { x: number; y: number }, zoom: number, view: Size): Viewport {
  return { zoom, tx: view.width / 2 - at.x * zoom, ty: view.height / 2 - at.y * zoom };
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
  const ratio = zoom / at.zoom;
  return { zoom, tx: x - (x - at.tx) * ratio, ty: y - (y - at.ty) * ratio };
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
  return {
    zoom: at.zoom,
    tx: hold(at.tx, graph.width * at.zoom, view.width),
    ty: hold(at.ty, graph.height * at.zoom, view.height),
  };
}

export function toGraph(at: Viewport, x: number, y: number): { x: number; y: number } {
  return { x: (x - at.tx) / at.zoom, y: (y - at.ty) / at.zoom };
}

export function toView(at: Viewport, x: number, y: number): { x: number; y: number } {
  return { x: x * at.zoom + at.tx, y: y * at.zoom + at.ty };
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
