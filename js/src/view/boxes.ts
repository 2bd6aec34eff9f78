// Boxes that stand for several nodes: a second sheet behind each, the bar of their states, their count.
import { isBox } from "../core/groups";
import { BAR } from "../core/progress";
import type { Run } from "../core/reducer";
import { STATES, State } from "../core/types";
import { drawnHeight, type Look, RADIUS, SHEET } from "./look";

export interface BoxLook extends Look {
  run: Run;
  /** For each box how many of its nodes a search matches; null where there is no search. */
  found: Uint32Array | null;
}

/** Pixels: height of the bar, distance from the lower edge, least length of what is in it at all. */
const [THICK, BELOW, LEAST] = [3, 2.5, 3];
const PERIOD = 2400;

/** What of all that is drawn stands for several nodes. */
export function boxesAmong({ scene }: Look, drawn: readonly number[]): number[] {
  const { graph } = scene;
  return graph.boxes.length ? drawn.filter((k) => isBox(graph, k)) : [];
}

/** The sheets behind boxes, filled and outlined as is set. */
export function paintSheets(look: Look, boxes: readonly number[]): void {
  if (!boxes.length) return;
  const { context } = look;
  const { x, y, w } = look.boxes;
  const tall = drawnHeight(look);
  context.beginPath();
  for (const k of boxes) {
    context.roundRect(
      x[k] - w[k] / 2 + SHEET,
      y[k] - tall / 2 - SHEET,
      w[k] - 2 * SHEET,
      tall,
      RADIUS,
    );
  }
  context.fill();
  context.stroke();
}

interface Segment {
  code: number;
  left: number;
  wide: number;
}

/** The parts of a bar `room` long: by their shares, but none too short to be seen. */
export function segments(counts: Uint32Array, room: number, least: number): Segment[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const shares = BAR.map((code) =>
    counts[code] ? Math.max(least, (room * counts[code]) / total) : 0,
  );
  const sum = shares.reduce((a, b) => a + b, 0);
  // What is still to come has its share as well, a short one where much of the rest is very short.
  const rest = total - BAR.reduce((n, code) => n + counts[code], 0);
  const by = Math.min(1, (room - (rest ? least : 0)) / sum);
  const found: Segment[] = [];
  let left = 0;
  for (const [place, code] of BAR.entries()) {
    const wide = shares[place] * by;
    if (wide) found.push({ code, left, wide });
    left += wide;
  }
  return found;
}

interface Bar {
  left: number;
  top: number;
  room: number;
  thick: number;
  parts: Segment[];
}

function barOf(look: BoxLook, k: number): Bar {
  const { at, scene, run } = look;
  const { x, y, w } = look.boxes;
  const thick = Math.max(THICK, 1.5 / at.zoom);
  const room = w[k] - 2 * RADIUS;
  const top = y[k] + drawnHeight(look) / 2 - thick - BELOW;
  const parts = segments(scene.inside(run, k), room, LEAST / Math.min(1, at.zoom));
  return { left: x[k] - w[k] / 2 + RADIUS, top, room, thick, parts };
}

/** The bars of states along the lower edges. */
export function paintBars(look: BoxLook, boxes: readonly number[]): void {
  if (!boxes.length) return;
  const { context, theme } = look;
  const bars = boxes.map((k) => barOf(look, k));
  context.globalAlpha = 0.13;
  context.fillStyle = theme.text;
  for (const { left, top, room, thick } of bars) context.fillRect(left, top, room, thick);
  context.globalAlpha = 1;
  for (const code of STATES.keys()) {
    context.fillStyle = theme.strong[code];
    for (const { left, top, thick, parts } of bars) {
      for (const part of parts) {
        if (part.code === code) context.fillRect(left + part.left, top, part.wide, thick);
      }
    }
  }
}

/** Lets the running part of each bar breathe. */
export function paintPulses(
  look: Omit<BoxLook, "found"> & { time: number | null },
  boxes: readonly number[],
): void {
  const { context, theme, time } = look;
  if (time === null) return;
  context.fillStyle = theme.back;
  for (const k of boxes) {
    const { left, top, thick, parts } = barOf({ ...look, found: null }, k);
    const part = parts.find(({ code }) => code === State.running);
    if (!part) continue;
    context.globalAlpha = 0.3 - 0.3 * Math.cos((2 * Math.PI * time) / PERIOD + k * 0.7);
    context.fillRect(left + part.left, top, part.wide, thick);
  }
  context.globalAlpha = 1;
}

/** "×12"; while something is searched for "3 of 12". */
export function countText({ scene, found }: BoxLook, k: number): string {
  const place = k - scene.graph.names.length;
  const { count } = scene.graph.boxes[place];
  return found?.[place] ? `${found[place]} of ${count}` : `\u00d7${count}`;
}

/** Room on both sides of a count in its badge. */
export const AROUND = 6;

/** The backgrounds of counts: for each its right end, its middle and its width. */
export function paintCounts({ context, theme }: Look, badges: readonly number[][]): void {
  if (!badges.length) return;
  context.globalAlpha = 0.16;
  context.fillStyle = theme.quiet;
  context.beginPath();
  for (const [right, middle, wide] of badges) {
    context.roundRect(right - wide, middle - 8, wide, 16, 8);
  }
  context.fill();
  context.globalAlpha = 1;
}
