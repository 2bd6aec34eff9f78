// What is computed once per graph for drawing it: boxes, curves, arrow heads, names as one line.
import { type Curves, curves } from "../core/curves";
import { oneLine, shorten } from "../core/format";
import { Grid } from "../core/grid";
import type { Graph } from "../core/types";

export class Scene {
  readonly curves: Curves;
  readonly nodes: Grid;
  readonly edges: Grid;
  /** 1 for a node that an edge leads to: one arrow head serves all edges that end there. */
  readonly targets: Uint8Array;
  /** 1 for a node whose box shows its time, as last painted. */
  readonly sides: Uint8Array;
  #names: (string | undefined)[];
  #labels: (string | undefined)[];
  #widths: Float32Array;

  constructor(readonly graph: Graph) {
    const n = graph.names.length;
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
  }

  name(i: number): string {
    this.#names[i] ??= oneLine(this.graph.names[i], 240) || "(no name)";
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

  /** Edges that touch one of the nodes. */
  edgesOf(nodes: ReadonlySet<number>): number[] {
    const found: number[] = [];
    const { edges } = this.graph;
    for (let e = 0; 2 * e < edges.length; e++) {
      if (nodes.has(edges[2 * e]) || nodes.has(edges[2 * e + 1])) found.push(e);
    }
    return found;
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
