// The card beside the node under the pointer. Everything in it is text.
import { drawnCount, isBox } from "../core/groups";
import { boxFacts, facts } from "../core/progress";
import { STATES } from "../core/types";
import { scale, toView } from "../core/viewport";
import { element, setText, type Timers } from "./dom";
import type { GraphView } from "./graph";

const DELAY = 140;
const GAP = 8;
const EDGE = 4;
const WIDEST = 360;
const NARROWEST = 168;

export class HoverCard {
  readonly node: HTMLElement;
  #name = element("div", { class: "fuse-card-name" });
  #facts = element("dl", { class: "fuse-card-facts" });
  #shown = -1;
  /** The node that something else tells about. */
  #resting = -1;

  constructor(
    readonly graph: GraphView,
    readonly timers: Timers,
  ) {
    this.node = element(
      "div",
      { class: "fuse-card", role: "tooltip", hidden: "" },
      this.#name,
      this.#facts,
    );
  }

  hover(i: number): void {
    if (i !== this.#resting) this.#resting = -1;
    if (i < 0 || i === this.#resting) {
      this.timers.stop("card");
      this.#hide();
    } else if (i !== this.#shown) {
      if (this.#shown >= 0) this.#show(i);
      else this.timers.after("card", DELAY, () => this.#show(i));
    }
  }

  /** Hides the card of node `i` until the pointer has left it: something else tells about it. */
  rest(i: number): void {
    this.#resting = i;
    this.hover(i);
  }

  /** New states or a new second: the text of the card that is shown, if any. */
  update(): void {
    if (this.#shown >= 0) this.#fill(this.#shown);
  }

  /** The nodes are other ones now. */
  forget(): void {
    this.hover(-1);
  }

  #hide(): void {
    this.#shown = -1;
    this.node.hidden = true;
  }

  #show(i: number): void {
    if (this.graph.hovered !== i) return;
    this.#shown = i;
    this.node.hidden = false;
    this.#fill(i);
    this.#place(i);
  }

  #fill(i: number): void {
    const { scene, session } = this.graph;
    if (!scene || i >= drawnCount(scene.graph)) {
      this.#hide();
      return;
    }
    const { store } = session;
    this.node.setAttribute("data-fuse-state", STATES[scene.code(store.run, i)] ?? "");
    setText(this.#name, scene.name(i));
    const rows = isBox(scene.graph, i)
      ? boxFacts(scene.inside(store.run, i))
      : facts(scene.graph, store.run, i, store.kernelNow());
    while (this.#facts.children.length > 2 * rows.length) this.#facts.lastChild?.remove();
    while (this.#facts.children.length < 2 * rows.length) {
      this.#facts.append(element("dt"), element("dd"));
    }
    for (const [k, { label, text }] of rows.entries()) {
      const [term, value] = [this.#facts.children[2 * k], this.#facts.children[2 * k + 1]];
      setText(term as HTMLElement, label);
      setText(value as HTMLElement, text);
      (value as HTMLElement).className = `fuse-fact-${label.replace(" ", "-")}`;
    }
  }

  /** Below the node where there is room, else above, else beside it; always inside the graph area. */
  #place(i: number): void {
    const { scene, at, view } = this.graph;
    if (!scene) return;
    const { x, y, w, h } = scene.graph;
    const middle = toView(at, x[i], y[i]);
    const by = scale(at);
    const [halfWide, halfTall] = [(w[i] * by.x) / 2, (h * by.y) / 2];
    const size = (most: number): [number, number] => {
      this.node.style.maxWidth = `${Math.min(WIDEST, view.width - 2 * EDGE, most)}px`;
      return [this.node.offsetWidth, this.node.offsetHeight];
    };
    const within = (v: number, length: number, room: number): number =>
      Math.max(EDGE, Math.min(room - length - EDGE, v));
    let [wide, tall] = size(WIDEST);
    let left = within(middle.x - halfWide, wide, view.width);
    let top = middle.y + halfTall + GAP;
    const above = middle.y - halfTall - GAP - tall;
    if (top + tall > view.height - EDGE && above >= EDGE) top = above;
    else if (top + tall > view.height - EDGE) {
      const after = view.width - EDGE - (middle.x + halfWide + GAP);
      const before = middle.x - halfWide - GAP - EDGE;
      const room = Math.max(after, before);
      if (room >= NARROWEST) {
        [wide, tall] = size(room);
        left = after >= before ? middle.x + halfWide + GAP : middle.x - halfWide - GAP - wide;
      }
      top = within(middle.y - tall / 2, tall, view.height);
    }
    this.node.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
