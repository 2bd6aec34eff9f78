// Where there is room for a name outside its box. In graph units, found once per graph.
import type { Grid } from "./grid";
import { drawnCount } from "./groups";
import type { Graph } from "./types";
import type { Rect } from "./viewport";

export interface Room {
  /** LR: from the left edge of a box to the next layer. TB: from its right edge to the next box. */
  length: Float32Array;
  /** The lesser distance to what is above and below the box and this length; -h for none at all. */
  gap: Float32Array;
  /** TB: the distance to the box on the left. */
  before: Float32Array;
}

/** What is nearer leaves no room at zooms where names stand outside; then nothing else is asked. */
const CLOSE = 42;
/** How far to look above and below. */
const FAR = { LR: 1600, TB: 240 };
/** How far to look to the sides of a box, top to bottom. */
const [LEFT, RIGHT] = [480, 2400];

export function roomOf(graph: Graph, nodes: Grid): Room {
  const n = drawnCount(graph);
  const room: Room = {
    length: new Float32Array(n).fill(Infinity),
    gap: new Float32Array(n).fill(-graph.h),
    before: new Float32Array(n).fill(Infinity),
  };
  const alone = (area: Rect, i: number): boolean => nodes.within(area).every((j) => j === i);
  const down = graph.direction === "TB";
  const { x, y, w, h } = graph;
  const box = (i: number): Rect => ({
    left: x[i] - w[i] / 2,
    right: x[i] + w[i] / 2,
    top: y[i] - h / 2,
    bottom: y[i] + h / 2,
  });
  // Nodes in a box are nowhere: NaN, which is sorted to the end.
  const starts = down ? null : Float32Array.from(x, (at, i) => at - w[i] / 2).sort();
  const last = starts ? firstAbove(starts, Infinity) : 0;
  for (let i = 0; i < n; i++) {
    if (Number.isNaN(x[i])) continue;
    const own = box(i);
    const zone = { ...own };
    if (starts) {
      const next = firstAbove(starts, own.right);
      if (next < last) room.length[i] = starts[next] - own.left;
      // A hair less, so that the next layer is not in it.
      zone.right = next < last ? starts[next] - 0.5 : Infinity;
    } else if (alone({ ...own, left: own.left - CLOSE, right: own.right + CLOSE }, i)) {
      const row = { ...own, left: own.left - LEFT, right: own.right + RIGHT };
      for (const j of nodes.within(row)) {
        if (j === i) continue;
        if (x[j] < x[i]) room.before[i] = Math.min(room.before[i], own.left - box(j).right);
        else room.length[i] = Math.min(room.length[i], box(j).left - own.right);
      }
      zone.right = own.right + Math.min(RIGHT, room.length[i]) - 0.5;
    } else continue;
    if (!down && !alone({ ...zone, top: own.top - CLOSE, bottom: own.bottom + CLOSE }, i)) continue;
    const far = FAR[graph.direction];
    let gap = far;
    for (const j of nodes.within({ ...zone, top: own.top - far, bottom: own.bottom + far })) {
      if (j !== i) gap = Math.min(gap, Math.abs(y[j] - y[i]) - h);
    }
    room.gap[i] = gap;
  }
  return room;
}

/** Place of the first value above `limit` in a sorted list; NaN is above all. */
function firstAbove(sorted: Float32Array, limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (!(sorted[middle] <= limit)) high = middle;
    else low = middle + 1;
  }
  return low;
}
