// Names outside the boxes, where these are too small to hold them. They say nothing of states, so they stand on the
// canvas of the edges, which a change of states does not repaint.
import { PADDING, scale, shown } from "../core/viewport";
import { drawnHeight, type Look, namesInside, place, smallSize } from "./look";

/** Pixels: height of a line, distance from the box, from what comes after it, and the least that is of use. */
const LINE = 13;
const NEAR = 2;
const AFTER = 8;
const LEAST = 40;
const FONT = 13;

export interface Label {
  node: number;
  text: string;
  /** Left end and middle of the line, pixels from the origin of the graph. */
  x: number;
  y: number;
  width: number;
}

/**
 * The names that have room. From left to right: above a box, up to the next layer; from top to bottom: to the
 * right of a box, up to the next one. Each keeps to room that no other can have, so the order does not matter.
 */
export function labels(look: Look, nodes: Iterable<number>): Label[] {
  const { scene, at, theme, measure } = look;
  const { graph, room } = scene;
  const { x, y, w, h } = graph;
  const by = scale(at);
  const down = graph.direction === "TB";
  const size = smallSize(theme) / FONT;
  const half = (drawnHeight(look) * at.zoom) / 2;
  const end = graph.width * by.x + PADDING - 4;
  const found: Label[] = [];
  for (const i of nodes) {
    // From the middle of this box to the middle of the nearest one above or below.
    const pitch = (room.gap[i] + h) * by.y;
    if (down ? pitch < Math.max(LINE, half + LINE / 2 + NEAR) : pitch - 2 * half < LINE + NEAR) {
      continue;
    }
    if (down && room.before[i] * by.x < LINE) continue;
    const left = (x[i] + (down ? w[i] / 2 : -w[i] / 2)) * by.x + (down ? NEAR + 3 : 0);
    const free = Math.min(room.length[i] * by.x - AFTER - (down ? NEAR + 3 : 0), end - left);
    const full = measure(scene.name(i)) * size;
    if (free < Math.min(full, LEAST)) continue;
    const text = full <= free ? scene.name(i) : scene.label(i, free / size, measure);
    const middle = down ? y[i] * by.y : y[i] * by.y - half - NEAR - LINE / 2;
    found.push({ node: i, text, x: left, y: middle, width: Math.min(full, free) });
  }
  return found;
}

/** Paints the names that have room; false where they are to be painted with the next frame. */
export function paintLabels(look: Look): boolean {
  const { context, scene, theme, at, view } = look;
  if (namesInside(look)) return true;
  if (!scene.roomIsDue()) return false;
  const area = shown(at, view, (2 * LINE) / at.zoom);
  const found = labels(look, scene.nodes.within(area));
  place(look, 1);
  context.font = `${smallSize(theme)}px ${theme.font}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = theme.back;
  for (const { text, x, y } of found) context.strokeText(text, x, y);
  const { matched } = look;
  for (const { node, text, x, y } of found) {
    context.fillStyle = (matched && !matched[node] ? look.dim : theme).text;
    context.fillText(text, x, y);
  }
  return true;
}
