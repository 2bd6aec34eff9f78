// Edges as smooth curves through their route points, computed once per graph.
import type { Graph } from "./types";

export interface Curves {
  /** Points of edge e: pts[2 * at[e]] .. pts[2 * at[e + 1]]: a start, then three per cubic piece. */
  at: Uint32Array;
  pts: Float32Array;
  /** Bounding boxes, flat left, top, right, bottom. */
  boxes: Float32Array;
}

/**
 * A curve leaves its source and reaches its target along the direction of the layout. Between them it is
 * a monotone cubic (Fritsch and Carlson 1980, the slopes as in Steffen 1990), which never swings
 * past a route point, so that it does not run into a box that the layout led it around.
 */
export function curves(graph: Graph): Curves {
  const across = graph.direction === "TB";
  const m = graph.edges.length / 2;
  const at = new Uint32Array(m + 1);
  for (let e = 0; e < m; e++) {
    at[e + 1] = at[e] + 1 + 3 * (graph.route_at[e + 1] - graph.route_at[e] + 1);
  }
  const pts = new Float32Array(2 * at[m]);
  const boxes = new Float32Array(4 * m);
  // u runs along the direction of the layout, v across it.
  let u: number[] = [];
  let v: number[] = [];
  for (let e = 0; e < m; e++) {
    const [s, t] = [graph.edges[2 * e], graph.edges[2 * e + 1]];
    u = [across ? graph.y[s] + graph.h / 2 : graph.x[s] + graph.w[s] / 2];
    v = [across ? graph.x[s] : graph.y[s]];
    for (let r = graph.route_at[e]; r < graph.route_at[e + 1]; r++) {
      u.push(graph.route[2 * r + (across ? 1 : 0)]);
      v.push(graph.route[2 * r + (across ? 0 : 1)]);
    }
    u.push(across ? graph.y[t] - graph.h / 2 : graph.x[t] - graph.w[t] / 2);
    v.push(across ? graph.x[t] : graph.y[t]);
    write(pts, 2 * at[e], u, v, across);
    bound(pts, 2 * at[e], 2 * at[e + 1], boxes, 4 * e);
  }
  return { at, pts, boxes };
}

function write(pts: Float32Array, offset: number, u: number[], v: number[], across: boolean): void {
  let o = offset;
  const put = (a: number, b: number): void => {
    pts[o++] = across ? b : a;
    pts[o++] = across ? a : b;
  };
  const slopes = monotone(u, v);
  put(u[0], v[0]);
  const last = u.length - 1;
  for (let k = 0; k < last; k++) {
    const step = u[k + 1] - u[k];
    // A single piece bends like an S; a long one in pieces keeps its slopes.
    const share = last === 1 ? 0.5 : 1 / 3;
    const reach = step > 0 ? step * share : Math.max(12, -step * share);
    const slope = step > 0 ? [slopes[k], slopes[k + 1]] : [0, 0];
    put(u[k] + reach, v[k] + slope[0] * reach);
    put(u[k + 1] - reach, v[k + 1] - slope[1] * reach);
    put(u[k + 1], v[k + 1]);
  }
}

function monotone(u: number[], v: number[]): number[] {
  const last = u.length - 1;
  const slopes = new Array<number>(last + 1).fill(0);
  for (let k = 1; k < last; k++) {
    const [before, after] = [u[k] - u[k - 1], u[k + 1] - u[k]];
    if (before <= 0 || after <= 0) continue;
    const [s0, s1] = [(v[k] - v[k - 1]) / before, (v[k + 1] - v[k]) / after];
    if (s0 * s1 <= 0) continue;
    const mean = (s0 * after + s1 * before) / (before + after);
    slopes[k] = Math.sign(s0) * 2 * Math.min(Math.abs(s0), Math.abs(s1), Math.abs(mean) / 2);
  }
  return slopes;
}

function bound(
  pts: Float32Array,
  from: number,
  to: number,
  boxes: Float32Array,
  offset: number,
): void {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (let o = from; o < to; o += 2) {
    const x = pts[o];
    const y = pts[o + 1];
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  boxes[offset] = left;
  boxes[offset + 1] = top;
  boxes[offset + 2] = right;
  boxes[offset + 3] = bottom;
}
