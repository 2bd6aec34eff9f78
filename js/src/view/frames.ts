// One animation frame at most is asked for, however many reasons there are to paint.

export const Paint = { edges: 1, nodes: 2, live: 4, all: 7 } as const;

export class Frames {
  #frame = 0;
  #due = 0;

  /** @param draw paints what is due and says whether something moves, that is whether to go on. */
  constructor(
    readonly draw: (due: number, time: number) => boolean,
    readonly signal: AbortSignal,
  ) {
    signal.addEventListener("abort", () => {
      if (this.#frame) cancelAnimationFrame(this.#frame);
      this.#frame = 0;
    });
  }

  ask(due: number): void {
    if (this.signal.aborted) return;
    this.#due |= due;
    if (!this.#frame) this.#frame = requestAnimationFrame((time) => this.#tick(time));
  }

  /** Paints at once, for a canvas that was emptied by a new size. */
  now(due: number): void {
    if (this.signal.aborted) return;
    this.#due |= due;
    if (this.#frame) cancelAnimationFrame(this.#frame);
    this.#tick(performance.now());
  }

  #tick(time: number): void {
    this.#frame = 0;
    const due = this.#due;
    this.#due = 0;
    if (this.draw(due, time)) this.ask(Paint.live);
  }
}
