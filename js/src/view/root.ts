// One view of a model: the parts it is made of. Everything it starts ends with its signal.
import { type ComponentType, h } from "preact";
import { isActive } from "../core/reducer";
import type { Session } from "../core/session";
import { PARTS, type Panel, type Part } from "../core/types";
import { element, KEYS, setText, Timers } from "./dom";
import { Folds } from "./folds";
import { Footer } from "./footer";
import { Paint } from "./frames";
import { gestures } from "./gestures";
import { GraphView } from "./graph";
import { letSave } from "./hostkeys";
import { HoverCard } from "./hover";
import { keys } from "./keys";
import { SelectionMenu } from "./menu";
import { Minimap } from "./minimap";
import { Form } from "./panels/form";
import { openHelp } from "./panels/help";
import { Inspector } from "./panels/inspector";
import { Outline } from "./panels/outline";
import { type Given, panel } from "./panels/panel";
import { QueryBox } from "./panels/querybox";
import { signalsOf } from "./panels/signals";
import { ProgressBar } from "./progressbar";
import { SearchBar } from "./searchbar";
import { markTheme, watchTheme } from "./theme";
import { Timeline } from "./timeline";
import { tellAlone } from "./told";
import { Toolbar } from "./toolbar";

const TICK = 200;
/** Pixels of width from which on a click on a node opens the inspector. */
const WIDE = 900;

/** For tests and for the curious, at `root.fuse`. */
export interface Handle {
  /** The middle of a node in client coordinates, null where no node has this name. */
  nodeCentre(name: string): { x: number; y: number } | null;
  /** How many boxes the last paint drew: those in the viewport. */
  visible(): number;
  zoom(): number;
  model: Session["model"];
  /** The name of the workflow. */
  workflow: string;
}

export function mount(session: Session, el: HTMLElement, signal: AbortSignal): HTMLElement {
  const { store } = session;
  const has = (part: Part): boolean => session.parts.includes(part);
  const root = element("div", {
    class: "fuse-widget",
    "data-fuse-view": "dag",
    "data-fuse-nodes": "0",
    "data-fuse-painted": "0",
    "data-fuse-parts": PARTS.filter(has).join(" "),
    // JupyterLab's own keys (d d, a, b) stay out while the widget has the focus.
    ...KEYS,
  });
  const timers = new Timers(signal);
  const graph = has("graph") ? new GraphView(session, root, timers, signal) : null;
  const card = graph && new HoverCard(graph, timers);
  const hint = element("div", { class: "fuse-hint", "aria-hidden": "true" });
  const spoken = element("div", { class: "fuse-spoken fuse-aloud", role: "status" });
  const speak = (text: string): void => setText(spoken, text);
  const say = (text: string): void => {
    speak(text);
    setText(hint, text);
    hint.classList.add("fuse-on");
    timers.after("hint", 1600, () => hint.classList.remove("fuse-on"));
  };
  const offer = (): void => {
    if (has("inspector") && root.clientWidth >= WIDE) session.offer("inspector");
  };
  const failed = (node: number): void => {
    const name = store.graph?.names[node];
    if (name !== undefined) session.select([name]);
    if (has("inspector")) session.open("inspector", true);
    graph?.show(node);
  };
  const picked = (node: number): void => {
    offer();
    graph?.show(node);
  };
  const folds = new Folds(session);
  const search = graph && new SearchBar(graph, say, signal);
  const help = (): void => openHelp(root, graph !== null);
  const menu = graph && new SelectionMenu(session, graph, signal);
  const toggle = (button: HTMLElement): void => (menu?.isOpen ? menu.close() : menu?.open(button));
  const shown = (name: Panel): boolean => folds.shown(name);
  const acts = { fit: () => graph?.fit(), help, menu: menu && toggle, shown };
  const toolbar = has("toolbar")
    ? new Toolbar(session, acts, search?.node ?? element("span"), signal)
    : null;
  const progress = has("progress") ? new ProgressBar(session) : null;
  const timeline = has("timeline") ? new Timeline(session, root, picked, timers, signal) : null;
  const footer = has("footer") ? new Footer(session, failed, signal) : null;
  const given: Given = { session, signals: signalsOf(session, signal), graph, say };
  const part = (name: Part, component: ComponentType<Given>): HTMLElement[] =>
    has(name) ? [panel(name, h(component, given), signal)] : [];

  const body = element(
    "div",
    { class: "fuse-body" },
    ...part("outline", Outline),
    ...(graph ? [graph.stage] : []),
    ...part("inspector", Inspector),
    ...part("form", Form),
  );
  if (graph && card) {
    const map = new Minimap(graph, timers, signal);
    graph.painted = (due) => map.update(due);
    graph.over = map.node;
    graph.stage.append(map.node, card.node);
    // A query shows its nodes in a graph that is there already, or in its own when asked.
    graph.stage.hidden = has("query");
    const said = {
      hover: (node: number) => card.hover(node),
      hint: say,
      picked: (node: number) => {
        offer();
        if (has("inspector") && shown("inspector")) card.rest(node);
      },
      menu: (at: { x: number; y: number }) => menu?.open(at),
    };
    gestures(graph, said, signal);
  }
  body.append(hint);
  root.append(
    ...(toolbar ? [toolbar.node] : []),
    ...(progress ? [progress.node] : []),
    ...part("query", QueryBox),
    body,
    ...(timeline ? [timeline.node] : []),
    ...(footer ? [footer.node] : []),
    spoken,
    ...(menu ? [menu.node] : []),
  );
  const themed = (): void => {
    if (!graph || graph.stage.hidden) markTheme(root, spoken);
    graph?.setTheme();
    timeline?.setTheme();
    given.signals.theme.value++;
  };
  watchTheme(themed, timers, signal);
  // A graph reads the theme itself with its first size.
  if (!graph || graph.stage.hidden) timers.after("theme", 0, themed);

  const fold = (): void => {
    for (const name of ["outline", "inspector", "timeline"] satisfies Panel[]) {
      const node = root.querySelector<HTMLElement>(`[data-fuse-panel="${name}"]`);
      // A part that stands alone does not fold away.
      if (node) node.hidden = graph !== null && !shown(name);
    }
    body.style.setProperty("--fuse-height", `${session.height}px`);
  };
  const tick = (): void => {
    timers.stop("progress");
    if (!isActive(store.run.runState) || !store.live) return;
    toolbar?.tick();
    timeline?.update();
    progress?.tick();
    card?.update();
    timers.after("progress", TICK, tick);
  };
  const update = (): void => {
    toolbar?.update();
    progress?.update();
    footer?.update();
    timeline?.update();
    card?.update();
    graph?.frames.ask(Paint.nodes | Paint.live);
    if (!graph) tellAlone(root, session);
    tick();
  };
  const stopStore = store.subscribe((change) => {
    if (change === "graph") {
      card?.forget();
      graph?.setGraph();
      search?.update();
    }
    update();
  });
  const stopSession = session.subscribe((topic) => {
    if (!graph) tellAlone(root, session);
    if (topic === "selected") {
      graph?.setSelected();
      timeline?.update();
    } else if (topic === "edits") graph?.setEdits();
    else if (topic === "stale") {
      graph?.setStale();
      footer?.update();
    } else if (topic === "search") {
      graph?.setSearch();
      search?.update();
    } else if (topic === "direction") toolbar?.direction();
    else if (topic === "panels") {
      folds.changed();
      fold();
      toolbar?.panels();
    } else if (topic === "height") {
      if (graph) graph.stage.style.height = `${session.height}px`;
      fold();
      footer?.update();
    } else if (topic === "message" || topic === "fault" || topic === "kernel") {
      if (topic === "fault") graph?.setGraph();
      toolbar?.update();
      footer?.update();
    }
  });
  root.addEventListener("keydown", (event) => search?.key(event), { signal });
  letSave(root, timers, signal);
  const go = keys({ root, session, graph, search, timers, help, speak }, signal);
  if (search) search.into = go;
  toolbar?.direction();
  const resized = new ResizeObserver(() => {
    if (!folds.setWidth(root.clientWidth)) return;
    fold();
    toolbar?.panels();
  });
  resized.observe(root);
  signal.addEventListener("abort", () => resized.disconnect());
  fold();
  update();
  const handle: Handle = {
    nodeCentre: (name) => graph?.nodeCentre(name) ?? null,
    visible: () => graph?.visible() ?? 0,
    zoom: () => graph?.at.zoom ?? 1,
    model: session.model,
    get workflow() {
      return store.graph?.title ?? "";
    },
  };
  Object.assign(root, { fuse: handle });
  signal.addEventListener("abort", () => {
    stopStore();
    stopSession();
    root.remove();
  });
  el.append(root);
  return root;
}

/** A sentence in place of the view: never a blank output. */
export function sorry(el: HTMLElement, error: unknown): void {
  console.error("fuse_widgets:", error);
  const why = error instanceof Error ? error.message : String(error);
  const text = `fuse_widgets could not draw this graph: ${why}; the text form is \`print(workflow)\``;
  el.replaceChildren(element("div", { class: "fuse-widget fuse-sorry", role: "alert", text }));
}
