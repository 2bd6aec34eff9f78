// Which part of its graph each place of the page showed last, so that running a cell again moves nothing.
import type { Graph } from "../core/types";
import type { Viewport } from "../core/viewport";

export interface Earlier {
  at: Viewport;
  graph: Graph;
}

// Each model has this module to itself, so what they share is kept by the page.
const KEY = Symbol.for("fuse_widgets.places");
/** Graphs are large; the oldest places are forgotten. */
const MOST = 20;

function places(): Map<string, Earlier> {
  const page = globalThis as { [KEY]?: Map<string, Earlier> };
  page[KEY] ??= new Map();
  return page[KEY];
}

/** A view goes; `earlier` is null if it showed the whole graph. */
export function leavePlace(place: string, earlier: Earlier | null): void {
  const known = places();
  known.delete(place);
  if (earlier) known.set(place, earlier);
  for (const oldest of known.keys()) {
    if (known.size <= MOST) break;
    known.delete(oldest);
  }
}

/** What the last view in a place showed; null if that was the whole graph, or there was none. */
export function earlierIn(place: string): Earlier | null {
  return places().get(place) ?? null;
}
