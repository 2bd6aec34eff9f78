// A dot at the corner of each node whose settings were changed in the widget.
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
  const { x, y, w } = look.boxes;
  const least = at.zoom >= DETAIL.marks || namesInside(look) ? LEAST.near : LEAST.far;
  const [radius, up] = [Math.max(SIZE, least / at.zoom), drawnHeight(look) / 2];
  context.beginPath();
  for (const i of visible) {
    if (!changed[i]) continue;
    const [right, top] = [x[i] + w[i] / 2 - 2, y[i] - up + 2];
    context.moveTo(right + radius, top);
    context.arc(right, top, radius, 0, 2 * Math.PI);
  }
  context.fillStyle = theme.accent;
  context.fill();
  context.strokeStyle = theme.back;
  context.lineWidth = Math.max(1.5, 1 / at.zoom);
  context.stroke();
}
