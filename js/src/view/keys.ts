// Keys of a view: arrows walk through the graph, letters do what the toolbar does. The search and the panels have keys of
// their own, which come first.
import { nodeSentence } from "../core/progress";
import type { Session } from "../core/session";
import type { Graph, Panel } from "../core/types";
import { toGraph } from "../core/viewport";
import { type Arrow, nearestTo, step } from "../core/walk";
import type { Timers } from "./dom";
import type { GraphView } from "./graph";
import type { SearchBar } from "./searchbar";

export interface Hands {
  root: HTMLElement;
  session: Session;
  graph: GraphView | null;
  search: SearchBar | null;
  timers: Timers;
  /** Shows the keys. */
  help: () => void;
  /** Tells a screen reader. */
  speak: (text: string) => void;
}

const ARROWS: Record<string, Arrow> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
};
const PAN = 64;
/** Most nodes of a way that are remembered. */
const WAY = 256;
const TEXT = "input, textarea, select, [contenteditable]";

/** Follows the keys until the signal ends; gives what selects a node as an arrow key does. */
export function keys(hands: Hands, signal: AbortSignal): (node: number) => void {
  const { root, session, graph, search } = hands;
  const { store } = session;

  const panel = (name: Panel): HTMLElement | null =>
    root.querySelector(`[data-fuse-panel="${name}"]`);
  const enter = (name: Panel): void => {
    // A panel that was just opened is drawn after this.
    hands.timers.after("focus", 0, () => {
      const host = panel(name);
      (host?.querySelector<HTMLElement>("[role='grid']") ?? host)?.focus();
    });
  };
  const leave = (): void => {
    if (graph) graph.stage.focus();
    else (document.activeElement as HTMLElement | null)?.blur();
  };

  const go = (node: number): void => {
    const { graph: known, run } = store;
    if (!graph || !known) return;
    session.select([known.names[node]]);
    graph.reveal(node);
    hands.speak(nodeSentence(known, run, node, store.kernelNow()));
  };
  const only = (): number => {
    const [name] = session.selected;
    return session.selected.length === 1 ? (store.indexOf(name) ?? -1) : -1;
  };

  /** Nodes in the order in which the arrows came to them, of one graph. */
  let way: { graph: Graph; nodes: number[] } | null = null;
  const wayTo = (known: Graph, from: number): number[] => {
    if (way?.graph !== known || way.nodes.at(-1) !== from) way = { graph: known, nodes: [from] };
    return way.nodes;
  };

  const inTheMiddle = (): number => {
    if (!graph || !store.graph) return -1;
    const { x, y } = toGraph(graph.at, graph.view.width / 2, graph.view.height / 2);
    return nearestTo(store.graph, x, y);
  };

  function walk(arrow: Arrow, pan: boolean): void {
    if (!graph || !store.graph) return;
    const from = only();
    if (!pan && !session.selected.length) {
      begin();
      return;
    }
    if (pan || from < 0) {
      const [dx, dy] = { left: [1, 0], right: [-1, 0], up: [0, 1], down: [0, -1] }[arrow];
      graph.move({ ...graph.at, tx: graph.at.tx + dx * PAN, ty: graph.at.ty + dy * PAN });
      return;
    }
    const nodes = wayTo(store.graph, from);
    const to = step(store.graph, from, arrow, nodes);
    if (to >= 0) {
      if (nodes.length > WAY) nodes.splice(0, WAY / 2);
      nodes.push(to);
      go(to);
    } else
      hands.speak(
        `no further node ${arrow === "up" || arrow === "down" ? arrow : `to the ${arrow}`}`,
      );
  }

  /** Selects a node to begin with: the match that was gone to, else what is in the middle. */
  function begin(): void {
    const start = search && search.at >= 0 ? search.at : inTheMiddle();
    if (start >= 0) go(start);
  }

  /** Selects a node to begin with; then opens the inspector; then goes into it. */
  function inspect(): void {
    if (!session.selected.length) begin();
    else if (!panel("inspector")) return;
    else if (!panel("inspector")?.hidden) enter("inspector");
    else session.open("inspector", true);
  }

  function outline(): void {
    const host = panel("outline");
    if (!host || !graph) return;
    const open = host.hidden === true;
    if (!open && host.contains(document.activeElement)) leave();
    session.open("outline", open);
    if (open) enter("outline");
  }

  function back(target: Element): boolean {
    const onStage = target === graph?.stage;
    if (onStage || panel("outline")?.contains(target)) {
      if (session.selected.length) {
        session.select([]);
        hands.speak("nothing selected");
      } else if (session.search.query) {
        session.find("", true);
        hands.speak("search cleared");
      } else if (onStage) graph?.stage.blur();
      else leave();
      return true;
    }
    const inside = graph !== null && panel("inspector")?.contains(target);
    if (inside) leave();
    return inside === true;
  }

  const everywhere: Record<string, () => void> = {
    "?": hands.help,
    o: outline,
    t: () =>
      session.parts.includes("timeline") &&
      session.open("timeline", !session.panels.includes("timeline")),
    ...(graph && {
      "+": () => graph.zoom(1.25),
      "=": () => graph.zoom(1.25),
      "-": () => graph.zoom(0.8),
      "0": () => graph.fit(),
      f: () => graph.fitSelection(),
    }),
    ...(!search && { "/": () => panel("outline")?.querySelector("input")?.focus() }),
    ...(search && { "[": () => search.go(-1), "]": () => search.go(1) }),
  };

  function act(event: KeyboardEvent): boolean {
    const target = event.target as Element;
    if (target.closest("dialog, [role='menu']") || target.matches(TEXT)) return false;
    const { key } = event;
    if (target === graph?.stage) {
      if (ARROWS[key]) walk(ARROWS[key], event.shiftKey);
      else if (key === "Enter") inspect();
      if (ARROWS[key] || key === "Enter") return true;
    }
    if (key === "Escape") return back(target);
    if (!Object.hasOwn(everywhere, key)) return false;
    everywhere[key]();
    return true;
  }

  root.addEventListener(
    "keydown",
    (event) => {
      if (event.defaultPrevented || event.isComposing || event.metaKey) return;
      // On many keyboards [ and ] are typed with AltGr, which some systems report as Ctrl and Alt.
      if ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph")) return;
      if (!act(event)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  return go;
}
