// The graph area of one view: canvases, viewport, painting when something changed.
import { areaAround, areaOf, keptInSight, partUnder, touches } from "../core/area";
import { isBox, paintedCount } from "../core/groups";
import { kept, placeOf } from "../core/kept";
import { isActive } from "../core/reducer";
import type { Session } from "../core/session";
import * as port from "../core/viewport";
import { drawnAs } from "../core/walk";
import { element, type Timers } from "./dom";
import { EdgeCanvas } from "./edges";
import { Frames, Paint } from "./frames";
import { labels } from "./labels";
import { paintLive } from "./live";
import { type Look, namesInside } from "./look";
import { Marks } from "./marks";
import { paintNodes } from "./paint";
import { earlierIn, leavePlace } from "./places";
import { measurer, Scene } from "./scene";
import { readTheme, type Themes } from "./theme";
import { emptyText, tell } from "./told";
import { watchElement } from "./watch";

export class GraphView {
  readonly stage: HTMLElement;
  readonly frames: Frames;
  scene: Scene | null = null;
  at: port.Viewport = { zoom: 1, tx: 0, ty: 0 };
  view: port.Size = { width: 0, height: 0 };
  hovered = -1;
  /** True while the pointer drags or the wheel turns. */
  busy = false;
  /** What lies over a corner of the stage, at its lower edge. */
  over: HTMLElement | null = null;
  /** Called after each paint with what was painted, for what shows the same in another way. */
  painted: (due: number) => void = () => {};
  theme: Themes | null = null;
  readonly marks = new Marks();
  #fitted = true;
  #canvases: HTMLCanvasElement[];
  #contexts: CanvasRenderingContext2D[];
  #empty: HTMLElement;
  #probe: HTMLElement;
  #measure: (text: string) => number = (text) => text.length * 7;
  #ratio = 1;
  #paints = 0;
  #visible = 0;
  #boxes = 0;
  #edges: EdgeCanvas;
  #still: MediaQueryList;
  #inSight = true;

  constructor(
    readonly session: Session,
    readonly root: HTMLElement,
    readonly timers: Timers,
    readonly signal: AbortSignal,
  ) {
    this.#canvases = ["edges", "nodes", "live"].map((name) =>
      element("canvas", { class: `fuse-canvas fuse-canvas-${name}`, "aria-hidden": "true" }),
    );
    this.#edges = new EdgeCanvas(this.#canvases[0]);
    this.#contexts = this.#canvases.map((canvas) => {
      const context = canvas.getContext("2d");
      if (!context) throw new Error("this browser gives no 2D canvas");
      return context;
    });
    this.#empty = element("div", { class: "fuse-empty", hidden: "" });
    this.#probe = element("span", { class: "fuse-probe", "aria-hidden": "true" });
    this.stage = element(
      "div",
      { class: "fuse-stage", tabindex: "0", role: "application", "aria-roledescription": "graph" },
      ...this.#canvases,
      this.#empty,
      this.#probe,
    );
    this.stage.style.height = `${session.height}px`;
    this.frames = new Frames((due, time) => this.#draw(due, time), signal);
    this.#still = matchMedia("(prefers-reduced-motion: reduce)");
    this.#watch();
    this.setGraph();
    signal.addEventListener("abort", () => this.#leave());
  }

  /** Takes the graph of the store; keeps the place where it can. */
  setGraph(): void {
    const graph = this.session.store.graph;
    const before = this.scene?.graph;
    const turned = before?.direction !== graph?.direction;
    this.scene = graph ? new Scene(graph) : null;
    this.#boxes = graph ? paintedCount(graph) : 0;
    this.hovered = -1;
    const none = !graph || graph.names.length === 0;
    this.#empty.hidden = !none;
    this.#empty.textContent = emptyText(this.session);
    this.setSelected();
    this.marks.forget();
    this.setSearch();
    this.setEdits();
    this.setStale();
    if (turned || this.#fitted) this.fit();
    else if (before && graph) {
      this.move(kept(this.at, this.view, before, graph, this.session.selected));
    }
    this.frames.ask(Paint.all);
  }

  setSelected(): void {
    this.marks.setSelected(this.session);
    this.frames.ask(Paint.nodes | Paint.live);
  }

  /** 1 for what a search matches; null where nothing is dimmed. */
  get matched(): Uint8Array | null {
    return this.marks.matched;
  }

  /** Takes the matches of the session; what is typed meanwhile paints nothing. */
  setSearch(): void {
    if (this.scene && this.marks.setSearch(this.session, this.scene.graph)) {
      this.frames.ask(Paint.all);
    }
  }

  /** Takes the nodes whose settings were changed. */
  setEdits(): void {
    if (this.scene && this.marks.setEdits(this.session, this.scene.graph)) {
      this.frames.ask(Paint.nodes);
    }
  }

  /** Takes the nodes whose results are out of date. */
  setStale(): void {
    if (this.scene && this.marks.setStale(this.session, this.scene.graph)) {
      this.frames.ask(Paint.nodes);
    }
  }

  /** Goes to a match, which then stands out among the others. */
  showMatch(i: number): void {
    this.marks.current = i;
    this.frames.ask(Paint.nodes);
    this.centre(i);
  }

  setHovered(i: number): void {
    if (i === this.hovered) return;
    this.hovered = i;
    this.frames.ask(Paint.live);
  }

  fit(): void {
    this.#fitted = true;
    if (this.scene) {
      const { graph } = this.scene;
      this.at = port.fit(graph, this.view, graph.direction);
    }
    this.frames.ask(Paint.all);
  }

  /** Moves the view to another place, as a gesture does. */
  move(to: port.Viewport): void {
    if (!this.scene) return;
    this.#fitted = false;
    this.at = port.clamp(to, this.scene.graph, this.view);
    this.frames.ask(Paint.all);
  }

  zoom(factor: number, x = this.view.width / 2, y = this.view.height / 2): void {
    if (!this.scene) return;
    const least = port.smallestZoom(this.scene.graph, this.view);
    this.move(port.zoomAbout(this.at, factor, x, y, least));
  }

  /** Shows all selected nodes as large as they can be, the whole graph where none is selected. */
  fitSelection(): void {
    const area = this.scene && areaAround(this.scene.graph, this.marks.selected);
    if (!area) this.fit();
    else this.move(port.fitRect(area, this.view, this.at.stretch));
  }

  /** Brings node `i` into view where it can be read; moves nothing where it is in sight already. */
  show(i: number): void {
    if (this.#isReadable(i)) this.reveal(i);
    else this.centre(i);
  }

  /** Moves the view just so far that node `i` is in it. */
  reveal(i: number): void {
    const area = this.scene && areaOf(this.scene.graph, i);
    if (!area || !this.view.width) return;
    let to = this.at;
    if (!port.holds(to, area, this.view)) to = port.revealed(to, area, this.view);
    const { over } = this;
    if (over && !over.hidden && touches(area, partUnder(over, to))) {
      to = port.revealed(to, area, { ...this.view, height: over.offsetTop });
    }
    if (to !== this.at) this.move(to);
  }

  /** Whether the name of node `i` is drawn, or would be where it is in view. */
  #isReadable(i: number): boolean {
    if (!this.scene || !this.theme || !this.view.width) return false;
    const look = this.#look(0);
    const { graph } = this.scene;
    return namesInside(look) || labels(look, [isBox(graph, i) ? i : drawnAs(graph, i)]).length > 0;
  }

  /** Brings node `i` to the middle, large enough to be read. */
  centre(i: number): void {
    if (!this.scene) return;
    const { graph } = this.scene;
    const k = isBox(graph, i) ? i : drawnAs(graph, i);
    const zoom = Math.max(this.at.zoom, port.NATURAL);
    this.move(port.centred({ x: graph.x[k], y: graph.y[k] }, zoom, this.view, this.at.stretch));
  }

  /** The node under a point of the stage, -1 where there is none. */
  nodeAt(x: number, y: number): number {
    if (!this.scene) return -1;
    const point = port.toGraph(this.at, x, y);
    return this.scene.nodes.at(point.x, point.y);
  }

  /** What is drawn in a part of the graph. */
  within(area: port.Rect): number[] {
    return this.scene?.nodes.within(area) ?? [];
  }

  /** The middle of a node on the page, null for an unknown name. */
  nodeCentre(name: string): { x: number; y: number } | null {
    const i = this.session.store.indexOf(name);
    if (i === undefined || !this.scene) return null;
    const box = this.stage.getBoundingClientRect();
    const at = placeOf(this.scene.graph, this.at, i);
    return { x: box.left + this.stage.clientLeft + at.x, y: box.top + this.stage.clientTop + at.y };
  }

  /** How many boxes the last paint drew. */
  visible(): number {
    return this.#visible;
  }

  #watch(): void {
    const { signal } = this;
    const watched = {
      resized: () => this.#resize(),
      inSight: (yes: boolean) => {
        this.#inSight = yes;
        if (yes) this.frames.ask(Paint.live);
      },
    };
    watchElement(this.stage, watched, signal);
    this.#still.addEventListener("change", () => this.frames.ask(Paint.live), { signal });
  }

  /** The page may have another theme. */
  setTheme(): void {
    if (!this.view.width) return;
    const theme = readTheme(this.root, this.#probe, this.#contexts[1]);
    if (JSON.stringify(theme) === JSON.stringify(this.theme)) return;
    this.#measure = measurer(this.#contexts[1], `13px ${theme.font}`);
    if (theme.font !== this.theme?.font) this.scene?.forgetLabels();
    this.theme = theme;
    this.frames.ask(Paint.all);
  }

  #resize(): void {
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    if (!width || !height) return;
    const before = this.view;
    this.view = { width, height };
    this.#ratio = Math.min(3, devicePixelRatio || 1);
    for (const canvas of this.#canvases) {
      canvas.width = Math.round(width * this.#ratio);
      canvas.height = Math.round(height * this.#ratio);
    }
    if (!this.theme) this.setTheme();
    if (this.#fitted && !before.width) this.#comeBack();
    if (this.#fitted) this.fit();
    // What is drawn stays where it is, and the node that was selected last in sight.
    else if (before.width && this.scene) {
      const last = [...this.marks.selected].at(-1) ?? -1;
      this.move(keptInSight(this.at, before, this.view, areaOf(this.scene.graph, last)));
    }
    this.frames.now(Paint.all);
  }

  /** The cell runs again, or its output goes: what is shown next in this place looks at the same part. */
  #leave(): void {
    const { session, scene, at } = this;
    if (session.place && scene) {
      const moved = this.#fitted ? null : { at, graph: scene.graph };
      leavePlace(session.place, moved);
    }
  }

  #comeBack(): void {
    const { session, scene } = this;
    const earlier = session.place ? earlierIn(session.place) : null;
    if (!earlier || !scene || earlier.graph.direction !== scene.graph.direction) return;
    this.#fitted = false;
    const to = kept(earlier.at, this.view, earlier.graph, scene.graph, session.selected);
    this.at = port.clamp(to, scene.graph, this.view);
  }

  #look(layer: number): Look {
    const scene = this.scene as Scene;
    const theme = this.theme as Themes;
    return {
      context: this.#contexts[layer],
      scene,
      boxes: scene.boxes(this.at),
      measure: this.#measure,
      theme,
      dim: theme.dim,
      matched: this.marks.matched,
      at: this.at,
      view: this.view,
      ratio: this.#ratio,
    };
  }

  /** Paints what is due; true while something moves. */
  #draw(due: number, time: number): boolean {
    if (!this.view.width || !this.scene || !this.theme) return false;
    const { store } = this.session;
    const { run } = store;
    if (due & Paint.edges) this.#drawEdges();
    if (due & Paint.nodes) {
      this.#visible = paintNodes({
        ...this.#look(1),
        run,
        selected: this.marks.chosen,
        found: this.marks.found,
        current: this.marks.currentIn(this.scene.graph),
        changed: this.marks.changed,
        stale: this.marks.stale,
      });
      const { graph } = this.scene;
      this.#paints++;
      const told = { graph, run, marks: this.marks, boxes: this.#boxes, painted: this.#paints };
      tell(this.root, this.stage, told);
    }
    this.painted(due);
    const moving = !this.#still.matches && store.live;
    const inSight = paintLive({
      ...this.#look(2),
      run,
      kernelNow: store.kernelNow(),
      hovered: this.hovered,
      edges: this.#edgesNear(),
      time: moving ? time : null,
    });
    const ticking = inSight && this.#inSight && isActive(run.runState) && store.live;
    if (ticking && this.#still.matches) {
      this.timers.after("tick", 500, () => this.frames.ask(Paint.live));
      return false;
    }
    return ticking;
  }

  #drawEdges(): void {
    const drawn = this.#edges.draw(this.#look(0), this.busy);
    if (drawn === "partly") this.frames.ask(Paint.edges);
    if (drawn !== "stretched") return;
    // The exact picture follows when the gesture rests.
    this.timers.after("edges", 90, () => {
      this.busy = false;
      this.frames.ask(Paint.edges);
    });
  }

  /** Edges of the hovered and of few selected nodes. */
  #edgesNear(): readonly number[] {
    const { whole, partly } = this.marks.chosen;
    const some = whole.size + partly.size <= 20 ? [...whole, ...partly] : [];
    return (this.scene as Scene).edgesOf(this.hovered >= 0 ? [...some, this.hovered] : some);
  }
}
