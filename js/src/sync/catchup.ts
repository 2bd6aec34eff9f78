// Asking for the whole status where deltas are missing.
import type { Store } from "../core/store";

const GRACE = 100;
const AGAIN = 1500;

export class CatchUp {
  #waits: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #ended = false;

  /** @param ask asks the kernel for its status. */
  constructor(
    readonly store: Store,
    readonly ask: () => void,
  ) {}

  now(): void {
    this.#asked = Date.now();
    this.ask();
  }

  /** Deltas are missing. The status may be on its way already, so wait a little before asking. */
  afterGap(): void {
    if (this.#waits !== undefined) return;
    this.#waits = setTimeout(() => {
      this.#waits = undefined;
      if (!this.store.behind || this.#ended) return;
      if (Date.now() - this.#asked > AGAIN) this.now();
      this.afterGap();
    }, GRACE);
  }

  /** True once where the status that was asked for has come and nothing is missing. */
  caughtUp(): boolean {
    if (!this.#asked || this.store.behind) return false;
    this.#asked = 0;
    return true;
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#waits);
  }
}
