// A grid over many rectangles: which of them touch a rectangle, which holds a point.
import type { Rect } from "./viewport";

export class Grid {
  readonly #boxes: Float32Array;
  readonly #cell: number;
  readonly #columns: number;
  readonly #rows: number;
  readonly #left: number;
  readonly #top: number;
  readonly #start: Uint32Array;
  readonly #items: Uint32Array;
  readonly #seen: Uint32Array;
  #round = 0;

  /** @param boxes flat left, top, right, bottom; NaN for one that is nowhere. @param cell the side of a cell, enlarged where there would be too many. */
  constructor(boxes: Float32Array, cell: number) {
    const n = boxes.length / 4;
    let [left, top, right, bottom] = [0, 0, 1, 1];
    for (let i = 0; i < n; i++) {
      if (Number.isNaN(boxes[4 * i])) continue;
      left = Math.min(left, boxes[4 * i]);
      top = Math.min(top, boxes[4 * i + 1]);
      right = Math.max(right, boxes[4 * i + 2]);
      bottom = Math.max(bottom, boxes[4 * i + 3]);
    }
    const area = (right - left) * (bottom - top);
    this.#boxes = boxes;
    this.#cell = Math.max(cell, Math.sqrt(area / Math.max(64, 4 * n)));
    this.#left = left;
    this.#top = top;
    this.#columns = Math.floor((right - left) / this.#cell) + 1;
    this.#rows = Math.floor((bottom - top) / this.#cell) + 1;
    this.#seen = new Uint32Array(n);
    const fill = new Uint32Array(this.#columns * this.#rows + 1);
    const each = (visit: (cell: number, i: number) => void): void => {
      for (let i = 0; i < n; i++) {
        if (Number.isNaN(boxes[4 * i])) continue;
        const [c0, r0, c1, r1] = this.#span(
          boxes[4 * i],
          boxes[4 * i + 1],
          boxes[4 * i + 2],
          boxes[4 * i + 3],
        );
        for (let r = r0; r <= r1; r++) {
          for (let c = c0; c <= c1; c++) visit(r * this.#columns + c, i);
        }
      }
    };
    each((cell) => {
      fill[cell + 1]++;
    });
    for (let c = 1; c < fill.length; c++) fill[c] += fill[c - 1];
    this.#start = fill.slice();
    this.#items = new Uint32Array(fill[fill.length - 1]);
    each((cell, i) => {
      this.#items[fill[cell]++] = i;
    });
  }

  /** The rectangles that touch `area`, each once, in rising order. */
  within(area: Rect): number[] {
    const found: number[] = [];
    const boxes = this.#boxes;
    const round = ++this.#round;
    const [c0, r0, c1, r1] = this.#span(area.left, area.top, area.right, area.bottom);
    for (let r = r0; r <= r1; r++) {
      for (let c = c0; c <= c1; c++) {
        const cell = r * this.#columns + c;
        for (let k = this.#start[cell]; k < this.#start[cell + 1]; k++) {
          const i = this.#items[k];
          if (this.#seen[i] === round) continue;
          this.#seen[i] = round;
          const apart =
            boxes[4 * i] > area.right ||
            boxes[4 * i + 2] < area.left ||
            boxes[4 * i + 1] > area.bottom ||
            boxes[4 * i + 3] < area.top;
          if (!apart) found.push(i);
        }
      }
    }
    return found.sort((a, b) => a - b);
  }

  /** The last (topmost) rectangle that holds the point, -1 where there is none. */
  at(x: number, y: number): number {
    return this.within({ left: x, top: y, right: x, bottom: y }).at(-1) ?? -1;
  }

  #span(
    left: number,
    top: number,
    right: number,
    bottom: number,
  ): [number, number, number, number] {
    const column = (x: number): number => Math.floor((x - this.#left) / this.#cell);
    const row = (y: number): number => Math.floor((y - this.#top) / this.#cell);
    return [
      Math.max(0, Math.min(this.#columns - 1, column(left))),
      Math.max(0, Math.min(this.#rows - 1, row(top))),
      Math.max(-1, Math.min(this.#columns - 1, column(right))),
      Math.max(-1, Math.min(this.#rows - 1, row(bottom))),
    ];
  }
}
