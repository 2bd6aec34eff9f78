// What of a model could not be read: the last good state of it stays.

export class Faults {
  #texts = new Map<string, string>();

  /** @param changed called when `first` is another one. */
  constructor(readonly changed: () => void) {}

  /** Why something could not be read, "" where all could. */
  get first(): string {
    return this.#texts.values().next().value ?? "";
  }

  /** Reads a part of the model; what is wrong with it is kept until it can be read. */
  guard(
    what: "graph" | "status" | "delta" | "matches" | "edits" | "stale",
    read: () => void,
  ): void {
    const before = this.first;
    try {
      read();
      this.#texts.delete(what);
    } catch (error) {
      console.error("fuse_widgets:", error);
      this.#texts.set(what, error instanceof Error ? error.message : String(error));
    }
    if (this.first !== before) this.changed();
  }
}
