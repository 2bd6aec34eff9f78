// What is computed once per graph (or once per stretch) for drawing it: boxes, curves, arrow heads, names as one line.
import { type Curves, curves } from "../core/curves";
import { oneLine, shorten } from "../core/format";
import { Grid } from "../core/grid";
import { boxCounts, drawnCount, isBox, overall } from "../core/groups";
import type { Run } from "../core/reducer";
import { type Room, roomOf } from "../core/room";
import { type Graph, STATES } from "../core/types";
import { stretched, type Viewport } from "../core/viewport";

/** Middles and sizes of the boxes, as stretched. Everything else about them has the same scale in both directions. */
export type Boxes = Pick<Graph, "x" | "y" | "w" | "h">;

export class Scene {
  readonly curves: Curves;
  readonly nodes: Grid;
  readonly edges: Grid;
  /** 1 for what an edge leads to: one arrow head serves all edges that end there. */
  readonly targets: Uint8Array;
  /** 1 for a node whose box shows its time, as last painted. */
  readonly sides: Uint8Array;
  #names: (string | undefined)[];
  #labels: (string | undefined)[];
  #widths: Float32Array;
  #room: Room | null = null;
  #asked = false;
  #usual = 0;
  #counts: Uint32Array = new Uint32Array();
  #counted: { run: Run; seq: number } | null = null;
  #boxes: Boxes;
  #stretch = "1,1";
  #near: number[] = [];
  #nearTo = "";

  constructor(readonly graph: Graph) {
    const n = drawnCount(graph);
    const boxes = new Float32Array(4 * n);
    for (let i = 0; i < n; i++) {
      const half = graph.w[i] / 2;
      boxes[4 * i] = graph.x[i] - half;
      boxes[4 * i + 1] = graph.y[i] - graph.h / 2;
      boxes[4 * i + 2] = graph.x[i] + half;
      boxes[4 * i + 3] = graph.y[i] + graph.h / 2;
    }
    this.nodes = new Grid(boxes, 160);
    this.curves = curves(graph);
    this.edges = new Grid(this.curves.boxes, 320);
    this.targets = new Uint8Array(n);
    this.sides = new Uint8Array(n);
    for (let e = 1; e < graph.edges.length; e += 2) this.targets[graph.edges[e]] = 1;
    this.#names = new Array(n);
    this.#labels = new Array(n);
    this.#widths = new Float32Array(n).fill(-1);
    this.#boxes = graph;
  }

  /** The boxes as a viewport stretches them. */
  boxes(at: Viewport): Boxes {
    const { across, down } = stretched(at);
    const stretch = `${across},${down}`;
    if (stretch !== this.#stretch) {
      this.#stretch = stretch;
      const { x, y, w, h } = this.graph;
      const by = (values: Float32Array, k: number): Float32Array =>
        k === 1 ? values : values.map((value) => value * k);
      this.#boxes = { x: by(x, across), y: by(y, down), w: by(w, across), h: h * down };
    }
    return this.#boxes;
  }

  /** False once for a large graph, so that its first picture need not wait for `room`. */
  roomIsDue(): boolean {
    const due = this.#asked || this.graph.names.length <= 200;
    this.#asked = true;
    return due;
  }

  /** Where names may stand outside the boxes. */
  get room(): Room {
    this.#room ??= roomOf(this.graph, this.nodes);
    return this.#room;
  }

  /** The median width of the boxes, as laid out. */
  get usualWidth(): number {
    if (!this.#usual) {
      const widths = this.graph.w.filter((_, i) => !Number.isNaN(this.graph.x[i])).sort();
      this.#usual = widths[widths.length >> 1] ?? 1;
    }
    return this.#usual;
  }

  /** All that is drawn: nodes in no box, and boxes. */
  get drawn(): number[] {
    return [...this.graph.x.keys()].filter((k) => !Number.isNaN(this.graph.x[k]));
  }

  /** How many nodes of a box are in each state; counted once for each state of the run. */
  inside(run: Run, box: number): Uint32Array {
    if (this.#counted?.run !== run || this.#counted.seq !== run.seq) {
      this.#counted = { run, seq: run.seq };
      this.#counts = boxCounts(this.graph, run);
    }
    const k = box - this.graph.names.length;
    return this.#counts.subarray(STATES.length * k, STATES.length * (k + 1));
  }

  /** The state of what is drawn as `i`: of a box the one that matters most. */
  code(run: Run, i: number): number {
    return isBox(this.graph, i) ? overall(this.inside(run, i)) : run.state[i];
  }

  name(i: number): string {
    const { names, boxes } = this.graph;
    this.#names[i] ??= oneLine(names[i] ?? boxes[i - names.length].label, 240) || "(no name)";
    return this.#names[i];
  }

  /** The name of a node as it fits into `room` units; remembered until the room changes. */
  label(i: number, room: number, measure: (text: string) => number): string {
    const width = Math.round(room);
    if (this.#widths[i] !== width) {
      this.#widths[i] = width;
      this.#labels[i] = shorten(this.name(i), width, measure);
    }
    return this.#labels[i] as string;
  }

  /** The font has changed: widths of names are other ones. */
  forgetLabels(): void {
    this.#widths.fill(-1);
  }

  /** Edges that touch some of what is drawn; found again only where these are other ones. */
  edgesOf(drawn: readonly number[]): readonly number[] {
    const about = drawn.join();
    if (about !== this.#nearTo) {
      const some = new Set(drawn);
      const { edges } = this.graph;
      this.#nearTo = about;
      this.#near = [];
      for (let e = 0; some.size && 2 * e < edges.length; e++) {
        if (some.has(edges[2 * e]) || some.has(edges[2 * e + 1])) this.#near.push(e);
      }
    }
    return this.#near;
  }
}

/** Widths of texts in one font, remembered. */
export function measurer(
  context: CanvasRenderingContext2D,
  font: string,
): (text: string) => number {
  const known = new Map<string, number>();
  return (text) => {
    let width = known.get(text);
    if (width === undefined) {
      context.font = font;
      width = context.measureText(text).width;
      if (known.size > 20_000) known.clear();
      known.set(text, width);
    }
    return width;
  };
}
