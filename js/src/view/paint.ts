// Painting edges and boxes. They and what moves (live.ts) have a canvas each, so that a change of states does not
// repaint the edges, and what moves repaints nothing else.
import { duration } from "../core/format";
import { type Chosen, isBox } from "../core/groups";
import type { Run } from "../core/reducer";
import { STATES, State } from "../core/types";
import { shown, stretched } from "../core/viewport";
import { paintBadges, paintStale } from "./badges";
import {
  AROUND,
  type BoxLook,
  boxesAmong,
  countText,
  paintBars,
  paintCounts,
  paintSheets,
} from "./boxes";
import { DISC, isHollow, kindIcon, stateIcon } from "./icons";
import {
  AT,
  clear,
  DETAIL,
  drawnHeight,
  FONT,
  LETTERS,
  type Look,
  namesInside,
  outline,
  place,
  RADIUS,
  rings,
  SHEET,
  smallSize,
} from "./look";

/** What matters more is painted later. */
export const ORDER = [
  State.pending,
  State.queued,
  State.skipped,
  State.cancelled,
  State.cached,
  State.done,
  State.paused,
  State.running,
  State.failed,
];

export function trace(look: Look, edges: Iterable<number>): void {
  const { context, scene } = look;
  const { at, pts } = scene.curves;
  const { across: u, down: v } = stretched(look.at);
  context.beginPath();
  for (const e of edges) {
    let o = 2 * at[e];
    context.moveTo(pts[o] * u, pts[o + 1] * v);
    for (o += 2; o < 2 * at[e + 1]; o += 6) {
      const [ax, ay, bx, by] = [pts[o] * u, pts[o + 1] * v, pts[o + 2] * u, pts[o + 3] * v];
      context.bezierCurveTo(ax, ay, bx, by, pts[o + 4] * u, pts[o + 5] * v);
    }
  }
  context.stroke();
}

export function heads({ context, scene, boxes }: Look, nodes: Iterable<number>): void {
  const down = scene.graph.direction === "TB";
  context.beginPath();
  for (const i of nodes) {
    if (!scene.targets[i]) continue;
    const up = isBox(scene.graph, i) ? SHEET : 0;
    const [x, y] = down
      ? [boxes.x[i], boxes.y[i] - boxes.h / 2 - up]
      : [boxes.x[i] - boxes.w[i] / 2, boxes.y[i]];
    context.moveTo(x, y);
    context.lineTo(down ? x - 4 : x - 8, down ? y - 8 : y - 4);
    context.lineTo(down ? x + 4 : x - 8, down ? y - 8 : y + 4);
    context.closePath();
  }
  context.fill();
}

export function paintEdges(look: Look): number {
  const { context, scene, theme, at, view } = look;
  clear(look);
  if (at.zoom < DETAIL.edges) return 0;
  place(look);
  const area = shown(at, view, 8);
  const edges = scene.edges.within(area);
  // Thin lines where there are many, so that they stay in the background.
  context.lineWidth = Math.max(1.25, Math.min(0.8, 0.45 + at.zoom) / at.zoom);
  context.globalAlpha = Math.min(1, Math.max(0.4, 0.35 + at.zoom * 1.6));
  const lines = (colour: string, some: number[], ends: Iterable<number>): void => {
    context.strokeStyle = context.fillStyle = colour;
    trace(look, some);
    if (at.zoom >= DETAIL.heads) heads(look, ends);
  };
  const { matched } = look;
  const { edges: ends } = scene.graph;
  lines((matched ? look.dim : theme).edge, edges, scene.nodes.within(area));
  if (matched) {
    const between = edges.filter((e) => matched[ends[2 * e]] && matched[ends[2 * e + 1]]);
    lines(theme.edge, between, new Set(between.map((e) => ends[2 * e + 1])));
  }
  context.globalAlpha = 1;
  return edges.length;
}

export interface NodeLook extends BoxLook {
  selected: Chosen;
  /** The match that was gone to, -1 for none. */
  current: number;
  /** 1 for a node whose settings were changed in the widget; null for none. */
  changed: Uint8Array | null;
  /** 1 for a node whose result is out of date; null for none. */
  stale: Uint8Array | null;
}

/** Paints the boxes and returns how many. */
export function paintNodes(look: NodeLook): number {
  const { scene, theme, at, view, selected } = look;
  clear(look);
  place(look);
  const visible = scene.nodes.within(shown(at, view, 8));
  const [matches, others] = parted(look, visible);
  const chosen = (nodes: number[]): number[] => nodes.filter((i) => selected.whole.has(i));
  // Rings are behind the boxes, so that from afar the colour of a state stays in its ring.
  const ring = (nodes: number[]): void => {
    rings(look, chosen(nodes), theme.accent, 2.5);
    if (!selected.partly.size) return;
    const partly = nodes.filter((k) => selected.partly.has(k));
    rings(look, partly, theme.accent, 1, 1);
  };
  ring(others);
  boxes({ ...look, theme: look.dim }, others);
  if (look.matched) {
    rings(look, matches, theme.match, 2.5);
    rings(look, chosen(matches), theme.match, 2.5, 2, 3);
    if (look.matched[look.current]) rings(look, [look.current], theme.match, 5, 4);
  }
  ring(matches);
  boxes(look, matches);
  paintStale(look, visible, look.stale);
  paintBadges(look, visible, look.changed);
  return visible.length;
}

/** Nodes to paint as they are, and those to dim. */
export function parted({ matched }: Look, nodes: number[]): [number[], number[]] {
  if (!matched) return [nodes, []];
  return [nodes.filter((i) => matched[i]), nodes.filter((i) => !matched[i])];
}

function boxes(look: NodeLook, visible: readonly number[]): void {
  const { context, scene, theme, at, run } = look;
  if (!visible.length) return;
  const named = namesInside(look);
  const groups: number[][] = STATES.map(() => []);
  for (const i of visible) groups[scene.code(run, i)]?.push(i);
  const plain = at.zoom < DETAIL.marks && !named;
  for (const code of ORDER) {
    const nodes = groups[code];
    if (!nodes.length) continue;
    if (plain) {
      context.fillStyle = code === State.pending ? theme.border[code] : theme.strong[code];
      outline(look, nodes, at.zoom < 0.1 ? 0 : RADIUS);
      context.fill();
      continue;
    }
    context.fillStyle = theme.fill[code];
    context.strokeStyle = theme.border[code];
    context.lineWidth = Math.max(1, 0.7 / at.zoom);
    paintSheets(look, boxesAmong(look, nodes));
    outline(look, nodes, RADIUS);
    context.fill();
    strokes(look, nodes, code);
    marks(look, nodes, code);
  }
  if (!plain) paintBars(look, boxesAmong(look, visible));
  if (named) names(look, visible);
}

/** The borders of boxes; those that are out of date have gaps. */
function strokes(look: NodeLook, nodes: readonly number[], code: number): void {
  const { context, stale } = look;
  const old = stale ? nodes.filter((i) => stale[i]) : [];
  if (code === State.skipped) context.setLineDash([4, 3]);
  if (old.length)
    outline(
      look,
      nodes.filter((i) => !stale?.[i]),
      RADIUS,
    );
  context.stroke();
  if (old.length) {
    context.setLineDash([3, 3]);
    outline(look, old, RADIUS);
    context.stroke();
  }
  context.setLineDash([]);
}

function marks(look: NodeLook, nodes: readonly number[], code: number): void {
  const { context, theme, at } = look;
  const { x, y, w } = look.boxes;
  const { kind } = look.scene.graph;
  // Larger than life where the boxes are small, so that the state can still be read.
  const grow = Math.min(1.35, Math.max(1, 0.5 / at.zoom));
  const hollow = isHollow(code);
  context.lineWidth = 1.5 * grow;
  context.beginPath();
  for (const i of nodes) {
    const cx = x[i] - w[i] / 2 + AT.disc;
    const r = (hollow ? DISC - 1 : DISC) * grow;
    context.moveTo(cx + r, y[i]);
    context.arc(cx, y[i], r, 0, 2 * Math.PI);
  }
  context.fillStyle = context.strokeStyle = theme.strong[code];
  if (hollow) context.stroke();
  else context.fill();
  const icon = stateIcon(code);
  context.lineCap = context.lineJoin = "round";
  const before = context.getTransform();
  if (icon) {
    context.fillStyle = context.strokeStyle = hollow ? theme.strong[code] : theme.onState;
    for (const i of nodes) {
      context.translate(x[i] - w[i] / 2 + AT.disc, y[i]);
      context.scale(grow, grow);
      context.lineWidth = code === State.cached ? 1.3 : 1.8;
      if (icon.how === "fill") context.fill(icon.path);
      else context.stroke(icon.path);
      context.setTransform(before);
    }
  }
  if (at.zoom < DETAIL.kinds) return;
  context.strokeStyle = theme.quiet;
  context.lineWidth = 1.1;
  for (const i of nodes) {
    if (i >= kind.length) continue;
    context.translate(x[i] - w[i] / 2 + AT.kind, y[i]);
    context.stroke(kindIcon(kind[i]));
    context.setTransform(before);
  }
}

/** What stands at the right end of a box: how long it took, or that it came from storage. */
export function sideText(run: Run, i: number): string {
  const code = run.state[i];
  if (code === State.cached) return "cached";
  if (code === State.running) return "00.0 s";
  return code === State.done || code === State.failed ? duration(run.seconds[i]) : "";
}

function names(look: NodeLook, nodes: readonly number[]): void {
  const { context, scene, theme, at, run, measure } = look;
  const { x, y, w } = look.boxes;
  const family = theme.font;
  const [font, small] = [FONT * theme.scale, smallSize(theme)];
  // Enough pixels on the screen (in a narrow font) that names can be read a good way out.
  const letters = (LETTERS * theme.scale) / at.zoom;
  const size = Math.max(font, Math.min(letters, drawnHeight(look) * 0.84));
  const marked = at.zoom >= DETAIL.kinds;
  const far = AT.disc + DISC * 1.35 + Math.max(4, 2 / at.zoom);
  const end = marked ? AT.end : 6;
  const squeeze = size > font ? 1.12 : 1.06;
  context.textBaseline = "middle";
  const texts: [string, number, number, number][] = [];
  const sides: [string, number, number][] = [];
  const badges: number[][] = [];
  for (const i of nodes) {
    const left = x[i] - w[i] / 2;
    const box = isBox(scene.graph, i);
    const start = marked ? (box ? AT.label : AT.name) : far;
    const shown = at.zoom >= DETAIL.sides;
    const side = shown ? (box ? countText(look, i) : sideText(run, i)) : "";
    const wider = box ? 2 * AROUND + 2 : 6;
    const taken = side ? measure(side) * (small / FONT) + wider : 0;
    let room = w[i] - start - end;
    // Seen from near, time and name share the box; from further away the name comes first.
    const wide = (measure(scene.name(i)) * size) / FONT;
    const both = taken > 0 && (at.zoom >= DETAIL.shared || wide <= room - taken);
    scene.sides[i] = both ? 1 : 0;
    if (both) room -= taken;
    const label = scene.label(i, (room * FONT * squeeze) / size, measure);
    texts.push([label, left + start, y[i] + 0.5, room]);
    if (both && box) {
      const right = x[i] + w[i] / 2 - end + 2;
      badges.push([right, y[i], taken - 2]);
      sides.push([side, right - AROUND, y[i] + 0.5]);
    } else if (both && run.state[i] !== State.running) {
      sides.push([side, x[i] + w[i] / 2 - end, y[i] + 0.5]);
    }
  }
  paintCounts(look, badges);
  context.font = `${size}px ${family}`;
  context.textAlign = "left";
  context.fillStyle = theme.text;
  for (const [text, tx, ty, room] of texts) context.fillText(text, tx, ty, room);
  context.font = `${small}px ${family}`;
  context.textAlign = "right";
  context.fillStyle = theme.quiet;
  for (const [text, tx, ty] of sides) context.fillText(text, tx, ty);
}
