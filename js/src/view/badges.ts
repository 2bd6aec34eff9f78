// Dots at corners of nodes: full for settings that were changed in the widget, hollow for results that are out of date.
import { DETAIL, drawnHeight, type Look, namesInside } from "./look";

const SIZE = 4;
/** Pixels on the screen that it has at least, where names or marks are drawn, and further out. */
const LEAST = { near: 3.5, far: 2 };

/** @param changed 1 for a node that was changed; null for none. */
export function paintBadges(
  look: Look,
  visible: readonly number[],
  changed: Uint8Array | null,
): void {
  if (!changed) return;
  const { context, theme, at } = look;
  corners(look, visible, changed, 1);
  context.fillStyle = theme.accent;
  context.fill();
  context.strokeStyle = theme.back;
  context.lineWidth = Math.max(1.5, 1 / at.zoom);
  context.stroke();
}

/** @param stale 1 for a node whose result is out of date; null for none. */
export function paintStale(look: Look, visible: readonly number[], stale: Uint8Array | null): void {
  if (!stale) return;
  const { context, theme, at } = look;
  corners(look, visible, stale, -1);
  context.fillStyle = theme.back;
  context.fill();
  context.strokeStyle = theme.text;
  context.lineWidth = Math.max(1.5, 1 / at.zoom);
  context.stroke();
}

/** Circles at the upper corners of the marked nodes, `side` 1 for the right ones, -1 for the left ones. */
function corners(look: Look, visible: readonly number[], marked: Uint8Array, side: 1 | -1): void {
  const { context, at } = look;
  const { x, y, w } = look.boxes;
  const least = at.zoom >= DETAIL.marks || namesInside(look) ? LEAST.near : LEAST.far;
  const [radius, up] = [Math.max(SIZE, least / at.zoom), drawnHeight(look) / 2];
  context.beginPath();
  for (const i of visible) {
    if (!marked[i]) continue;
    const [across, top] = [x[i] + side * (w[i] / 2 - 2), y[i] - up + 2];
    context.moveTo(across + radius, top);
    context.arc(across, top, radius, 0, 2 * Math.PI);
  }
}
