// The timeline of a run: a lane for each worker. Painted at most ten times a second, in one pass over the nodes.
import { counted, duration, graphemes, oneLine, shorten } from "../core/format";
import {
  type Axis,
  axisOf,
  type Bar,
  barAt,
  barText,
  clear,
  eachBar,
  emptyText,
  hasBegun,
  type Lanes,
  lanesOf,
  ticks,
} from "../core/lanes";
import { clicked } from "../core/selection";
import type { Session } from "../core/session";
import { State } from "../core/types";
import { element, setData, setText, type Timers } from "./dom";
import { measurer } from "./scene";
import { readTheme, type Themes } from "./theme";

const LANE = 20;
const BAR = 14;
const AXIS = 20;
const LABELS = 128;
const END = 12;
/** Lanes that are in sight without scrolling. */
const IN_SIGHT = 6;
const PAUSE = 100;
/** Pixels that a bar needs for a name. */
const NAMED = 36;
/** Narrower bars have no round corners. */
const THIN = 6;
/** A shortened name with fewer characters says nothing. */
const TELLING = 4;

/** "2.00 s" on an axis is "2 s". */
const tidy = (text: string): string => text.replace(/(\.\d*?)0+ s$/, "$1 s").replace(". s", " s");

export class Timeline {
  readonly node: HTMLElement;
  #canvas = element("canvas", { class: "fuse-lanes", "aria-hidden": "true" });
  #context: CanvasRenderingContext2D;
  #empty = element("div", { class: "fuse-lanes-empty" });
  #spoken = element("div", { class: "fuse-spoken" });
  #probe = element("span", { class: "fuse-probe", "aria-hidden": "true" });
  #theme: Themes | null = null;
  #measure: (text: string) => number = () => 0;
  #width = 0;
  #due = false;

  /** @param show brings a node into view, and what is known of it. */
  constructor(
    readonly session: Session,
    readonly root: HTMLElement,
    readonly show: (node: number) => void,
    readonly timers: Timers,
    readonly signal: AbortSignal,
  ) {
    const context = this.#canvas.getContext("2d");
    if (!context) throw new Error("this browser gives no 2D canvas");
    this.#context = context;
    this.node = element(
      "div",
      {
        class: "fuse-timeline",
        "data-fuse-panel": "timeline",
        role: "group",
        "aria-label": "timeline",
        hidden: "", // until it is opened
      },
      this.#canvas,
      this.#empty,
      this.#spoken,
      this.#probe,
    );
    const resize = new ResizeObserver(() => {
      this.#width = this.node.clientWidth;
      this.#paint();
    });
    resize.observe(this.node);
    signal.addEventListener("abort", () => resize.disconnect());
    this.#canvas.addEventListener("pointermove", (event) => this.#over(event), { signal });
    this.#canvas.addEventListener("click", (event) => this.#click(event), { signal });
    this.update();
  }

  /** Something has changed: paint soon. */
  update(): void {
    if (this.#due || this.node.hidden || this.signal.aborted) return;
    this.#due = true;
    this.timers.after("timeline", PAUSE, () => {
      this.#due = false;
      requestAnimationFrame(() => this.#paint());
    });
  }

  /** The page may have another theme. */
  setTheme(): void {
    this.#theme = null;
    this.update();
  }

  /** What the lanes show of time, and pixels per second. */
  #axis(first: Lanes["first"]): Axis & { scale: number } {
    const { store } = this.session;
    const { begin, end } = axisOf(store.run, store.kernelNow(), first);
    return { begin, end, scale: Math.max(1, this.#width - LABELS - END) / (end - begin) };
  }

  #barAt(event: MouseEvent): Bar | null {
    const box = this.#canvas.getBoundingClientRect();
    const lane = Math.floor((event.clientY - box.top) / LANE);
    const { run } = this.session.store;
    const { first } = lanesOf(run);
    const { begin, end, scale } = this.#axis(first);
    const since = (event.clientX - box.left - LABELS) / scale;
    if (since < 0) return null;
    return barAt(run, end, lane, begin + since, 4 / scale, first);
  }

  #over(event: MouseEvent): void {
    const { graph, run } = this.session.store;
    const bar = this.#barAt(event);
    this.#canvas.classList.toggle("fuse-over", bar !== null);
    const name = oneLine(graph?.names[bar?.node ?? -1] ?? "", 120);
    const box = this.#canvas.getBoundingClientRect();
    const lane = Math.floor((event.clientY - box.top) / LANE);
    const worker = oneLine(lanesOf(run).labels[lane] ?? "", 200);
    setData(this.#canvas, { title: bar && name ? barText(run, name, bar) : worker });
  }

  #click(event: MouseEvent): void {
    const node = this.#barAt(event)?.node ?? -1;
    const name = this.session.store.graph?.names[node];
    if (name === undefined) return;
    const add = event.ctrlKey || event.metaKey || event.shiftKey;
    this.session.select(clicked(this.session.selected, [name], add));
    if (!add) this.show(node);
  }

  #paint(): void {
    if (this.node.hidden || !this.#width) return;
    const { store, selected } = this.session;
    const { run, graph } = store;
    const { labels, first } = lanesOf(run);
    const lanes = labels.length;
    const begun = lanes > 0 && hasBegun(run, (worker) => worker >= first);
    this.#empty.hidden = begun;
    this.#canvas.hidden = !begun;
    if (!begun || !graph) {
      const text = emptyText(graph, run);
      setText(this.#empty, text);
      setText(this.#spoken, text);
      return;
    }
    this.#theme ??= readTheme(this.root, this.#probe, this.#context);
    const theme = this.#theme;
    const [width, height] = [this.#width, lanes * LANE + AXIS];
    const ratio = Math.min(3, devicePixelRatio || 1);
    const context = this.#context;
    this.node.style.setProperty("--fuse-lanes", `${Math.min(lanes, IN_SIGHT) * LANE + AXIS}px`);
    this.#canvas.style.height = `${height}px`;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const font = `12px ${theme.font}`;
    this.#measure = measurer(context, font);
    context.font = font;
    context.textBaseline = "middle";
    const { begin, end, scale } = this.#axis(first);
    this.#frame(labels, width, begin, end, theme);

    const busy = new Map<number, number>();
    const chosen = new Set(selected.map((name) => store.indexOf(name)));
    const rings: [number, number, number][] = [];
    const named: { node: number; lane: number; x: number; wide: number; missed: boolean }[] = [];
    const drawn = [new Int32Array(lanes).fill(-1), new Int32Array(lanes).fill(-1)] as const;
    let at = "";
    const draw = ({ node, lane, from, to, missed }: Bar): void => {
      if (lane >= lanes) return;
      const x = LABELS + (from - begin) * scale;
      const wide = Math.max(1.5, (to - from) * scale - 1);
      const y = lane * LANE + (LANE - BAR) / 2;
      if (!missed && Number.isNaN(run.seconds[node])) busy.set(lane, node);
      // Where many bars share a pixel, one is drawn.
      const pixel = Math.round(x * ratio);
      const last = drawn[missed ? 0 : 1];
      const crowded = wide < 2 && last[lane] === pixel && !chosen.has(node);
      if (!crowded) {
        last[lane] = pixel;
        const thin = wide < THIN;
        const colour = missed ? missedColour(theme, thin) : theme.strong[run.state[node]];
        if (colour !== at) context.fillStyle = at = colour;
        context.beginPath();
        if (!thin) context.roundRect(x, y, wide, BAR, 3);
        else context.rect(x, y, wide, BAR);
        context.fill();
        if (missed && !thin) outline(context, x, y, wide, theme.strong[State.failed]);
      }
      if (wide >= NAMED) named.push({ node, lane, x, wide, missed: missed !== null });
      if (chosen.has(node)) rings.push([x, y, wide]);
    };
    eachBar(run, end, draw, first);
    // Nodes come in the order of the graph, their names in that of time.
    for (const { node, lane, x, wide, missed } of clear(named)) {
      const name = oneLine(graph.names[node], 120);
      const text = shorten(name, wide - 10, this.#measure);
      if (text !== name && graphemes(text).length <= TELLING) continue;
      context.fillStyle = missed ? theme.text : theme.onState;
      context.fillText(text, x + 5, lane * LANE + LANE / 2 + 0.5, wide - 10);
    }
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    for (const [x, y, wide] of rings) {
      context.beginPath();
      context.roundRect(x - 2, y - 2, wide + 4, BAR + 4, 4);
      context.stroke();
    }
    const doing = [...busy].map(([lane, node]) => `${labels[lane]}: ${graph.names[node]}`);
    setText(this.#spoken, `${counted(lanes, "worker")}. ${doing.slice(0, 8).join("; ")}`);
  }

  #frame(
    labels: readonly string[],
    width: number,
    begin: number,
    end: number,
    theme: Themes,
  ): void {
    const context = this.#context;
    const lanes = labels.length;
    context.textAlign = "left";
    for (let lane = 0; lane < lanes; lane++) {
      const y = lane * LANE + LANE / 2;
      context.fillStyle = theme.quiet;
      const label = shorten(oneLine(labels[lane], 120), LABELS - 24, this.#measure);
      context.fillText(label, 12, y + 0.5, LABELS - 20);
      context.globalAlpha = 0.12;
      context.fillStyle = theme.quiet;
      context.beginPath();
      context.roundRect(LABELS, y - BAR / 2, width - LABELS - END, BAR, 3);
      context.fill();
      context.globalAlpha = 1;
    }
    context.fillStyle = theme.quiet;
    const most = Math.max(1, Math.floor((width - LABELS) / 96));
    for (const time of ticks(begin, end, most)) {
      const x = LABELS + (Math.max(0, time - begin) / (end - begin)) * (width - LABELS - END);
      const text = time === 0 ? "0 s" : tidy(duration(time));
      if (x + this.#measure(text) > width) continue;
      context.fillText(text, x, lanes * LANE + AXIS / 2);
    }
  }
}

/** An attempt that gave nothing is a paler bar with an outline; where there is no room for one, it is in between. */
function missedColour(theme: Themes, thin: boolean): string {
  return (thin ? theme.border : theme.fill)[State.failed];
}

function outline(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  wide: number,
  colour: string,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(x + 0.5, y + 0.5, wide - 1, BAR - 1, 2.5);
  context.stroke();
}
