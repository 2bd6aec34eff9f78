// Where a view stands after the graph was drawn anew: what the person looked at stays where it was. Pure.
import type { Graph } from "./types";
import { type Size, toView, type Viewport } from "./viewport";
import { drawnAs } from "./walk";

/** The middle of a node, or of the box that it is in, in the view. */
export function placeOf(graph: Graph, at: Viewport, i: number): { x: number; y: number } {
  const k = drawnAs(graph, i);
  return toView(at, graph.x[k], graph.y[k]);
}

/**
 * The viewport that shows `after` with one node where it was: the last selected one in sight, else the one nearest to the
 * middle, of those that both graphs have.
 */
export function kept(
  at: Viewport,
  view: Size,
  before: Graph,
  after: Graph,
  selected: readonly string[],
): Viewport {
  const index = new Map(after.names.map((name, i) => [name, i]));
  const held = selected.at(-1);
  let best: { old: number; now: number } | null = null;
  let least = Infinity;
  for (const [old, name] of before.names.entries()) {
    const now = index.get(name);
    if (now === undefined) continue;
    const { x, y } = placeOf(before, at, old);
    const inSight = x >= 0 && y >= 0 && x <= view.width && y <= view.height;
    const far = name === held && inSight ? -1 : Math.hypot(x - view.width / 2, y - view.height / 2);
    if (far < least) [best, least] = [{ old, now }, far];
  }
  if (!best) return at;
  const was = placeOf(before, at, best.old);
  const is = placeOf(after, at, best.now);
  return { ...at, tx: at.tx + was.x - is.x, ty: at.ty + was.y - is.y };
}
