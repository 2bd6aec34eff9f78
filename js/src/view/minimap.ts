// The small map in a corner of the stage, while a part of the graph lies outside of it.
import { isNeeded, lookingAt, type MiniMap, mapOf, middleOf, windowOf } from "../core/minimap";
import { STATES, State } from "../core/types";
import { element, type Timers } from "./dom";
import { Paint } from "./frames";
import type { GraphView } from "./graph";
import { ORDER } from "./paint";
import type { Scene } from "./scene";
import { parseColour } from "./theme";

/** Milliseconds between two paintings of states. */
const REST = 100;
/** Pixels of the screen that the smallest mark is long and high. */
const MARK = 2;

/** A colour as the four bytes of a pixel. */
function packed(colour: string): number {
  const [r, g, b] = parseColour(colour) ?? [128, 128, 128];
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

export class Minimap {
  readonly node: HTMLElement;
  #canvas = element("canvas");
  #window = element("div", { class: "fuse-window" });
  #context: CanvasRenderingContext2D | null;
  #scene: Scene | null = null;
  #map: MiniMap | null = null;
  /** What the last painting showed; the same is not painted again. */
  #shows: unknown[] = [];
  #last = -Infinity;

  constructor(
    readonly graph: GraphView,
    readonly timers: Timers,
    signal: AbortSignal,
  ) {
    this.#context = this.#canvas.getContext("2d");
    this.node = element(
      "div",
      { class: "fuse-minimap", "aria-hidden": "true", "data-fuse-role": "minimap", hidden: "" },
      this.#canvas,
      this.#window,
    );
    this.#pointing(signal);
  }

  /** After a painting of the graph: `due` is what was painted. */
  update(due: number): void {
    const { scene, at, view } = this.graph;
    if (scene !== this.#scene) {
      this.#scene = scene;
      this.#map = scene && mapOf(scene.graph);
    }
    if (!(due & (Paint.edges | Paint.nodes))) return;
    const hidden = !scene || !isNeeded(scene.graph, at, view);
    if (hidden !== this.node.hidden) this.node.hidden = hidden;
    if (hidden || !this.#map) return;
    const { left, top, right, bottom } = windowOf(this.#map, at, view);
    const { style } = this.#window;
    style.transform = `translate(${left}px, ${top}px)`;
    style.width = `${right - left}px`;
    style.height = `${bottom - top}px`;
    this.#refresh();
  }

  /** Paints where something has changed, now or when the last painting is old enough. */
  #refresh(): void {
    const { scene, theme, matched, session } = this.graph;
    const { run } = session.store;
    const shows = [scene, theme, matched, run, run.seq, devicePixelRatio];
    if (shows.every((one, k) => one === this.#shows[k])) return;
    const now = performance.now();
    const rest = scene === this.#shows[0] ? this.#last + REST - now : 0;
    if (rest > 0) {
      this.timers.after("minimap", rest, () => this.#refresh());
      return;
    }
    this.#shows = shows;
    this.#last = now;
    this.#paint();
  }

  #paint(): void {
    const [context, map] = [this.#context, this.#map];
    const { scene, theme, matched } = this.graph;
    if (!context || !map || !scene || !theme) return;
    const ratio = Math.min(3, devicePixelRatio || 1);
    const [wide, tall] = [Math.round(map.width * ratio), Math.round(map.height * ratio)];
    if (this.#canvas.width !== wide || this.#canvas.height !== tall) {
      [this.#canvas.width, this.#canvas.height] = [wide, tall];
      const { style } = this.#canvas;
      [style.width, style.height] = [`${map.width}px`, `${map.height}px`];
    }
    const { x, y, w, h } = scene.graph;
    const states = this.#states(scene);
    // Thousands of small rectangles are written faster than they are drawn.
    const pixels = new Uint32Array(wide * tall);
    const high = Math.max(MARK, Math.round(h * map.down * ratio));
    for (const bright of matched ? [0, 1] : [1]) {
      const { strong, border } = bright ? theme : theme.dim;
      for (const code of ORDER) {
        const colour = packed(code === State.pending ? border[code] : strong[code]);
        for (const i of states[code]) {
          if (matched && matched[i] !== bright) continue;
          const long = Math.max(MARK, Math.round(w[i] * map.across * ratio));
          const left = Math.round((x[i] * map.across + map.left) * ratio - long / 2);
          const top = Math.round((y[i] * map.down + map.top) * ratio - high / 2);
          for (let line = top; line < top + high; line++) {
            pixels.fill(colour, line * wide + left, line * wide + left + long);
          }
        }
      }
    }
    context.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), wide, tall), 0, 0);
  }

  /** What is drawn, by state. */
  #states(scene: Scene): number[][] {
    const { run } = this.graph.session.store;
    const states: number[][] = STATES.map(() => []);
    for (const k of scene.drawn) states[scene.code(run, k)]?.push(k);
    return states;
  }

  /** A press centres the view there; a drag moves it along. The wheel goes on to the graph. */
  #pointing(signal: AbortSignal): void {
    const { graph, node } = this;
    let held: { dx: number; dy: number; id: number } | null = null;
    const place = (event: PointerEvent): { x: number; y: number } => {
      const box = this.#canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    const go = (event: PointerEvent): void => {
      if (!held || !this.#map) return;
      const { x, y } = place(event);
      graph.busy = true;
      graph.move(lookingAt(this.#map, graph.at, graph.view, x + held.dx, y + held.dy));
    };
    const end = (): void => {
      if (held) graph.busy = false;
      held = null;
    };
    const on = (
      type: "pointerdown" | "pointermove" | "pointerup" | "pointercancel" | "lostpointercapture",
      act: (event: PointerEvent) => void,
    ): void => node.addEventListener(type, act, { signal });
    on("pointerdown", (event) => {
      if (event.button !== 0 || !this.#map) return;
      const { x, y } = place(event);
      const { left, top, right, bottom } = windowOf(this.#map, graph.at, graph.view);
      const inside = x >= left && x <= right && y >= top && y <= bottom;
      // Whoever takes hold of the window moves it from where they took it.
      const middle = inside ? middleOf(this.#map, graph.at, graph.view) : { x, y };
      held = { dx: middle.x - x, dy: middle.y - y, id: event.pointerId };
      node.setPointerCapture?.(event.pointerId);
      if (!inside) go(event);
    });
    on("pointermove", (event) => {
      if (event.pointerId === held?.id) go(event);
    });
    on("pointerup", end);
    on("pointercancel", end);
    on("lostpointercapture", end);
  }
}
