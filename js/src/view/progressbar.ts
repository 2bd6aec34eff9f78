// How far the run is, as a bar of states and a line of text.
import { oneLine } from "../core/format";
import { BAR, progressText } from "../core/progress";
import type { Session } from "../core/session";
import { STATES, State } from "../core/types";
import { element, setData, setText } from "./dom";

export class ProgressBar {
  readonly node: HTMLElement;
  #bar: HTMLElement;
  #parts = BAR.map((code) => element("span", { class: `fuse-part fuse-is-${STATES[code]}` }));
  #text = element("span", { class: "fuse-progress" });
  #where = element("span", { class: "fuse-where", "data-fuse-role": "where" });

  constructor(readonly session: Session) {
    this.#bar = element(
      "div",
      { class: "fuse-bar", role: "progressbar", "aria-label": "progress of the run" },
      ...this.#parts,
    );
    const lead = element("div", { class: "fuse-lead" }, this.#bar, this.#text);
    this.node = element("div", { class: "fuse-status" }, lead, this.#where);
    this.update();
  }

  update(): void {
    const { counts, state } = this.session.store.run;
    const n = Math.max(1, state.length);
    let shown = 0;
    for (const [k, code] of BAR.entries()) {
      this.#parts[k].style.flexGrow = String(counts[code]);
      this.#parts[k].hidden = counts[code] === 0;
      shown += counts[code];
    }
    const where = this.#runsOn();
    setText(this.#where, where);
    setData(this.#where, { title: where });
    this.#where.hidden = where === "";
    this.#bar.style.setProperty("--fuse-rest", String(n - shown));
    setData(this.#bar, {
      "aria-valuemin": 0,
      "aria-valuemax": n,
      "aria-valuenow": counts[State.done] + counts[State.cached],
    });
    this.tick();
  }

  /** The text that changes with time, while a run is under way. */
  tick(): void {
    const { store } = this.session;
    const text = store.graph ? progressText(store.graph, store.run, store.kernelNow()) : "";
    setText(this.#text, text);
    // In little room the badge is not to be seen: its text is here as well.
    setData(this.#text, { title: [text, this.#runsOn()].filter((part) => part).join(" \u00b7 ") });
  }

  #runsOn(): string {
    return oneLine(this.session.store.run.where, 120);
  }
}
