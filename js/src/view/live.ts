// Painting what moves or follows the pointer: running bars, their times, the hovered node and its edges.
import { nodeSeconds } from "../core/clock";
import { duration } from "../core/format";
import type { Run } from "../core/reducer";
import { State } from "../core/types";
import { shown } from "../core/viewport";
import { boxesAmong, paintPulses } from "./boxes";
import {
  AT,
  clear,
  DETAIL,
  drawnHeight,
  type Look,
  namesInside,
  place,
  RADIUS,
  rings,
  smallSize,
} from "./look";
import { heads, parted, trace } from "./paint";

export interface LiveLook extends Look {
  run: Run;
  kernelNow: number;
  hovered: number;
  /** Edges to bring forward: those of the hovered and the selected nodes. */
  edges: readonly number[];
  /** Milliseconds of the animation's clock; null where nothing may move. */
  time: number | null;
}

/** Paints what moves or follows the pointer. Returns whether a running node is in sight. */
export function paintLive(look: LiveLook): boolean {
  const { context, scene, theme, at, view, run, hovered } = look;
  clear(look);
  place(look);
  if (look.edges.length && at.zoom >= DETAIL.edges) {
    context.strokeStyle = context.fillStyle = theme.accent;
    context.lineWidth = Math.max(1.6, 1.2 / at.zoom);
    trace(look, look.edges);
    const ends = new Set(look.edges.map((e) => scene.graph.edges[2 * e + 1]));
    if (at.zoom >= DETAIL.heads) heads(look, ends);
  }
  if (hovered >= 0) rings(look, [hovered], theme.quiet, 1.25, 1.25);
  if (!run.counts[State.running]) return false;
  const inSight = scene.nodes.within(shown(at, view));
  const moving = inSight.filter((i) => run.state[i] === State.running);
  const busy = boxesAmong(look, inSight).filter((k) => scene.inside(run, k)[State.running] > 0);
  if (at.zoom >= DETAIL.marks || namesInside(look)) {
    const [matches, others] = parted(look, moving);
    bars({ ...look, theme: look.dim }, others);
    bars(look, matches);
    paintPulses(look, busy);
  }
  return moving.length + busy.length > 0;
}

const PERIOD = 2400;

function bars(look: LiveLook, nodes: readonly number[]): void {
  const { context, scene, theme, at, run } = look;
  const { x, y, w } = look.boxes;
  const h = drawnHeight(look);
  const colour = theme.strong[State.running];
  const thick = Math.max(2.5, 1.5 / at.zoom);
  for (const i of nodes) {
    const [left, wide] = [x[i] - w[i] / 2 + RADIUS, w[i] - 2 * RADIUS];
    const top = y[i] + h / 2 - thick - 1.5;
    context.globalAlpha = 0.2;
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(left, top, wide, thick, thick / 2);
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    if (look.time === null) context.roundRect(left, top, wide, thick, thick / 2);
    else {
      // A piece that walks to and fro, slow at both ends.
      const phase = 0.5 - 0.5 * Math.cos((2 * Math.PI * look.time) / PERIOD + i * 0.7);
      context.roundRect(left + phase * wide * 0.7, top, wide * 0.3, thick, thick / 2);
    }
    context.fill();
  }
  if (at.zoom < DETAIL.sides) return;
  const end = at.zoom >= DETAIL.kinds ? AT.end : 6;
  context.font = `${smallSize(theme)}px ${theme.font}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = theme.quiet;
  for (const i of nodes) {
    if (!scene.sides[i]) continue;
    const text = duration(nodeSeconds(run, i, look.kernelNow), true);
    context.fillText(text, x[i] + w[i] / 2 - end, y[i] + 0.5);
  }
}
