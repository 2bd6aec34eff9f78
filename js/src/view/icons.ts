// The marks of states and kinds, as paths around (0, 0). Drawn, not typed: fonts differ.
import { State } from "../core/types";

export interface Icon {
  path: Path2D;
  how: "stroke" | "fill";
}

/** Radius of the disc behind the mark of a state. */
export const DISC = 9;

const MARKS: Record<number, [string, Icon["how"]]> = {
  [State.queued]: ["M0 -3.8 V0 L2.7 1.7", "stroke"],
  [State.running]: ["M-2.4 -4 L4.2 0 L-2.4 4 Z", "fill"],
  [State.paused]: ["M-3.4 -3.8 h2.4 v7.6 h-2.4 Z M1 -3.8 h2.4 v7.6 h-2.4 Z", "fill"],
  [State.done]: ["M-3.9 0.3 L-1.2 3 L4 -2.9", "stroke"],
  [State.cached]: [
    "M-4 -2.7 a4 1.6 0 0 1 8 0 a4 1.6 0 0 1 -8 0 V2.7 a4 1.6 0 0 0 8 0 V-2.7 M-4 0 a4 1.6 0 0 0 8 0",
    "stroke",
  ],
  [State.failed]: ["M-3 -3 L3 3 M3 -3 L-3 3", "stroke"],
  [State.skipped]: ["M-3 3.4 L3 -3.4", "stroke"],
  [State.cancelled]: ["M-3 -3 h6 v6 h-6 Z", "fill"],
};

/** Kinds, as paths around (0, 0): an f with its hook, a box seen from a corner, an f after a dot. */
export const KIND_MARKS = [
  "M3.4 -4.6 C1.4 -5.4 0.6 -4.4 0.3 -2.6 L-0.8 3 C-1.2 4.7 -2 5.3 -3.6 4.7 M-2.2 -1.4 H2.8",
  "M0 -4.4 L3.7 -2.2 V2.2 L0 4.4 L-3.7 2.2 V-2.2 Z M-3.7 -2.2 L0 0 L3.7 -2.2 M0 0 V4.4",
  "M4.6 -4.6 C2.6 -5.4 1.8 -4.4 1.5 -2.6 L0.4 3 C0 4.7 -0.8 5.3 -2.2 4.7 M-1 -1.4 H4 M-4.2 3.6 h0.01",
];

/** Whether a state has a ring for a disc: what has not begun, or will not. */
export function isHollow(code: number): boolean {
  return code === State.pending || code === State.queued || code === State.skipped;
}

let states: Map<number, Icon> | undefined;
let kinds: Path2D[] | undefined;

/** The mark of a state as the path of an SVG element around (0, 0); undefined for pending, which has none. */
export function stateMark(code: number): [path: string, how: Icon["how"]] | undefined {
  return MARKS[code];
}

export function stateIcon(code: number): Icon | undefined {
  states ??= new Map(
    Object.entries(MARKS).map(([key, [d, how]]) => [Number(key), { path: new Path2D(d), how }]),
  );
  return states.get(code);
}

export function kindIcon(kind: number): Path2D {
  kinds ??= KIND_MARKS.map((d) => new Path2D(d));
  return kinds[kind] ?? kinds[0];
}

/** Pictures of the toolbar, for a 16 by 16 box. */
export const BUTTONS = {
  run: "M4 2.5 L13 8 L4 13.5 Z",
  stop: "M3.5 3.5 h9 v9 h-9 Z",
  pause: "M4 3 h3 v10 h-3 Z M9 3 h3 v10 h-3 Z",
  step: "M3 3 L9.5 8 L3 13 Z M11 3 h2 v10 h-2 Z",
  fit: "M2 2 h4.4 v1.6 H3.6 V6.4 H2 Z M9.6 2 H14 V6.4 H12.4 V3.6 H9.6 Z M2 9.6 H3.6 V12.4 H6.4 V14 H2 Z M12.4 9.6 H14 V14 H9.6 V12.4 H12.4 Z",
  right: "M2 7.2 H10.4 L7.4 4.2 L8.6 3 L13.6 8 L8.6 13 L7.4 11.8 L10.4 8.8 H2 Z",
  previous: "M10.4 3.4 L9.2 2.2 L3.6 8 L9.2 13.8 L10.4 12.6 L6 8 Z",
  next: "M5.6 3.4 L6.8 2.2 L12.4 8 L6.8 13.8 L5.6 12.6 L10 8 Z",
  select:
    "M2 2 H14 V14 H2 Z M3.5 3.5 V12.5 H12.5 V3.5 Z M4.6 8 L5.7 6.9 L7.2 8.4 L10.5 5.1 L11.6 6.2 L7.2 10.6 Z",
  outline:
    "M2 3 h1.8 v1.8 H2 Z M5.4 3.1 H14 V4.7 H5.4 Z M2 7.1 h1.8 v1.8 H2 Z M5.4 7.2 H14 V8.8 H5.4 Z M2 11.2 h1.8 v1.8 H2 Z M5.4 11.3 H14 V12.9 H5.4 Z",
  inspector:
    "M2 2.5 H14 V13.5 H2 Z M3.5 4 V12 H8.6 V4 Z M10.2 4.8 V6 H12.8 V4.8 Z M10.2 7.2 V8.4 H12.8 V7.2 Z",
  timeline: "M2 2.8 H8 V5 H2 Z M5.4 6.9 H14 V9.1 H5.4 Z M3.4 11 H10.6 V13.2 H3.4 Z",
  help: "M5 5.6 C5 3.6 6.3 2.4 8.1 2.4 C9.9 2.4 11.2 3.5 11.2 5.2 C11.2 6.4 10.6 7.1 9.7 7.8 C9 8.3 8.8 8.7 8.8 9.6 H7.2 C7.2 8.2 7.6 7.5 8.6 6.7 C9.3 6.2 9.6 5.9 9.6 5.2 C9.6 4.4 9 3.9 8.1 3.9 C7.2 3.9 6.6 4.5 6.6 5.6 Z M7.1 11.1 h1.8 v1.9 h-1.8 Z",
  close:
    "M3.4 4.5 L4.5 3.4 L8 6.9 L11.5 3.4 L12.6 4.5 L9.1 8 L12.6 11.5 L11.5 12.6 L8 9.1 L4.5 12.6 L3.4 11.5 L6.9 8 Z",
  more: "M2 6.8 h2.6 v2.4 H2 Z M6.7 6.8 h2.6 v2.4 H6.7 Z M11.4 6.8 H14 v2.4 h-2.6 Z",
  down: "M7.2 2 V10.4 L4.2 7.4 L3 8.6 L8 13.6 L13 8.6 L11.8 7.4 L8.8 10.4 V2 Z",
};
