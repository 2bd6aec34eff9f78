// What all painters share: the look of a picture, its measures, outlines and rings around what is drawn.
import { isBox } from "../core/groups";
import { type Size, stretched, type Viewport } from "../core/viewport";
import { DISC } from "./icons";
import type { Boxes, Scene } from "./scene";
import type { Theme } from "./theme";

/**
 * Below these zooms: times only where the name leaves room; no times; no marks of kinds; names inside only where
 * boxes are stretched enough for them; no arrow heads; no marks of states but plain blocks of colour; no edges.
 */
export const DETAIL = {
  shared: 0.8,
  sides: 0.68,
  kinds: 0.66,
  names: 0.3,
  heads: 0.24,
  marks: 0.2,
  edges: 0.03,
};
/** Sizes in a font as wide as Helvetica; `theme.scale` makes wider fonts smaller. */
export const FONT = 13;
const SMALL = 11;
export const RADIUS = 7;
/** How far the sheet behind a box of several nodes shows above it, and how much narrower it is on each side. */
export const SHEET = 4;
/** How much room between boxes may be filled where they would else be too small to see. */
const GAPS = 10;
/** Pixels that the box of a name has to be high, and those of the name itself. */
const LINE = 10;
export const LETTERS = 9;
/**
 * From the left edge of a box: middle of the state's disc, middle of the kind's mark, start of the name, start of the
 * label of one that stands for several nodes.
 */
export const AT = { disc: 15, kind: 31, name: 39, label: 31, end: 9 };

export interface Look {
  context: CanvasRenderingContext2D;
  scene: Scene;
  /** The boxes of the scene as `at` stretches them: what is painted stands on these, not on the graph's. */
  boxes: Boxes;
  theme: Theme;
  /** The theme for what does not match. */
  dim: Theme;
  /** 1 for a node that a search matches, and for a box with such a node; null where nothing is to be dimmed. */
  matched: Uint8Array | null;
  at: Viewport;
  view: Size;
  ratio: number;
  /** Width of a text in the font of names. */
  measure: (text: string) => number;
}

export function clear({ context }: Look): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
}

/** From here on a unit is `zoom` pixels long. */
export function place({ context, at, ratio }: Look, zoom = at.zoom): void {
  const [tx, ty] = [Math.round(at.tx * ratio), Math.round(at.ty * ratio)];
  context.setTransform(zoom * ratio, 0, 0, zoom * ratio, tx, ty);
}

/** Whether names stand inside the boxes: these are high enough, and the usual box holds half its name. */
export function namesInside({ scene, boxes, at }: Pick<Look, "scene" | "boxes" | "at">): boolean {
  if (at.zoom >= DETAIL.names) return true;
  if ((boxes.h + GAPS) * at.zoom < LINE) return false;
  const usual = scene.usualWidth;
  const room = usual * stretched(at).across - AT.disc - DISC * 1.35 - 10;
  return room * at.zoom >= ((usual - 56) / 2) * (LETTERS / FONT);
}

/** From far away boxes are a little higher than life, to be seen and to hold names; never into the neighbours. */
export function drawnHeight(look: Look): number {
  const { boxes, at } = look;
  const least = namesInside(look) ? LINE : 2;
  return Math.min(boxes.h + GAPS, Math.max(boxes.h, least / at.zoom));
}

export function outline(look: Look, nodes: readonly number[], radius: number): void {
  const { context, at } = look;
  const { x, y, w } = look.boxes;
  const tall = drawnHeight(look);
  context.beginPath();
  for (const i of nodes) {
    const wide = Math.min(w[i] + GAPS, Math.max(w[i], 3 / at.zoom));
    if (radius > 0) context.roundRect(x[i] - wide / 2, y[i] - tall / 2, wide, tall, radius);
    else context.rect(x[i] - wide / 2, y[i] - tall / 2, wide, tall);
  }
}

export function smallSize(theme: Theme): number {
  return Math.max(10, SMALL * theme.scale);
}

export function rings(
  look: Look,
  nodes: readonly number[],
  colour: string,
  width: number,
  least = 2,
  gap = 0,
): void {
  if (!nodes.length) return;
  const { context, at } = look;
  const { x, y, w } = look.boxes;
  const h = drawnHeight(look);
  const line = Math.max(width, least / at.zoom);
  const out = 1.5 + line / 2 + (gap && Math.max(gap, 2 / at.zoom));
  context.beginPath();
  for (const i of nodes) {
    const up = isBox(look.scene.graph, i) ? SHEET : 0;
    const [wide, tall] = [w[i] + 2 * out, h + 2 * out + up];
    context.roundRect(x[i] - wide / 2, y[i] - h / 2 - out - up, wide, tall, RADIUS + out);
  }
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.stroke();
}
