// Which panels of a view are folded away. In a narrow cell the panels beside the graph lie over it: only one of them at a
// time, and what is open in a wide cell stays as it was for when there is room again.
import type { Session } from "../core/session";
import type { Panel } from "../core/types";

/** In cells of this width and less panels lie over the graph; keep it in step with panels.css. */
export const NARROW = 760;
const SIDES: readonly Panel[] = ["outline", "inspector"];

export class Folds {
  #narrow = false;
  /** The one panel at the side that a narrow cell shows. */
  #side: Panel | null = null;
  #before: readonly Panel[];

  constructor(readonly session: Session) {
    this.#before = [...session.panels];
  }

  shown(panel: Panel): boolean {
    const open = this.session.panels.includes(panel);
    return open && !(this.#narrow && SIDES.includes(panel) && panel !== this.#side);
  }

  /** The panels of the session are other ones; what was opened last comes last in it. */
  changed(): void {
    const { panels } = this.session;
    const last = panels.at(-1);
    if (last && SIDES.includes(last) && this.#opened(last)) this.#side = last;
    else if (this.#side && !panels.includes(this.#side)) this.#side = null;
    this.#before = [...panels];
  }

  /** True where the width makes another arrangement of it. */
  setWidth(width: number): boolean {
    const narrow = width > 0 && width <= NARROW;
    if (narrow === this.#narrow) return false;
    this.#narrow = narrow;
    this.#side = this.session.panels.findLast((panel) => SIDES.includes(panel)) ?? null;
    return true;
  }

  /** Closing a panel makes the one before it the last, but opens it not. */
  #opened(last: Panel): boolean {
    return this.session.panels.length >= this.#before.length || !this.#before.includes(last);
  }
}
