// Pointer and wheel on the graph.
import { groupOfBox } from "../core/groups";
import { added, clicked, namesOf } from "../core/selection";
import { type Rect, toGraph } from "../core/viewport";
import { element } from "./dom";
import type { GraphView } from "./graph";

const SLOP = 4;
/** Two clicks are one double-click within these milliseconds. */
const DOUBLE = 400;
/** What lies over the graph and has a pointer of its own. */
const OVER = ".fuse-minimap, .fuse-menu";

export interface Said {
  hover(node: number): void;
  hint(text: string): void;
  /** A node was clicked, without more: what is known of it may be shown. */
  picked(node: number): void;
  /** The menu is asked for, at a point of the page. */
  menu(at: { x: number; y: number }): void;
}

interface Press {
  x: number;
  y: number;
  tx: number;
  ty: number;
  id: number;
  /** Drags a rectangle, not the graph. */
  band: boolean;
  dragged: boolean;
}

/**
 * Drag moves, a click selects, Ctrl, Cmd or Shift with a click adds or removes, Shift with a drag adds what a rectangle
 * touches. A double-click centres a node, expands a box of several, or shows the whole graph. The wheel zooms once the
 * graph has the focus (after a click into it) or with Ctrl or Cmd; without, the page scrolls and a hint says how.
 */
export function gestures(graph: GraphView, said: Said, signal: AbortSignal): void {
  const { stage, session } = graph;
  const band = element("div", { class: "fuse-band", hidden: "", "aria-hidden": "true" });
  stage.append(band);
  let start: Press | null = null;
  let last = { time: -Infinity, x: 0, y: 0, node: -1 };

  const place = (event: MouseEvent): { x: number; y: number } => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const over = (event: Event): boolean => (event.target as Element).closest?.(OVER) !== null;
  const hover = (node: number): void => {
    graph.setHovered(node);
    stage.classList.toggle("fuse-over", node >= 0);
    said.hover(node);
  };
  const rest = (): void => {
    start = null;
    band.hidden = true;
    graph.busy = false;
    stage.classList.remove("fuse-dragging");
  };
  const select = (drawn: number[], add: boolean): void => {
    if (graph.scene)
      session.select(clicked(session.selected, namesOf(graph.scene.graph, drawn), add));
  };
  const on = <K extends keyof HTMLElementEventMap>(
    type: K,
    listener: (event: HTMLElementEventMap[K]) => void,
    options: AddEventListenerOptions = {},
  ): void => stage.addEventListener(type, listener, { ...options, signal });

  on("pointerdown", (event) => {
    if (event.button !== 0 || start || over(event)) return;
    const { tx, ty } = graph.at;
    const { pointerId: id, shiftKey } = event;
    start = { ...place(event), tx, ty, id, band: shiftKey, dragged: false };
    stage.setPointerCapture?.(id);
  });
  on("pointermove", (event) => {
    const { x, y } = place(event);
    if (!start) {
      if (event.pointerType !== "touch") hover(over(event) ? -1 : graph.nodeAt(x, y));
      return;
    }
    if (event.pointerId !== start.id) return;
    const [dx, dy] = [x - start.x, y - start.y];
    if (!start.dragged && Math.hypot(dx, dy) < SLOP) return;
    start.dragged = true;
    hover(-1);
    if (start.band) {
      band.hidden = false;
      band.style.transform = `translate(${Math.min(x, start.x)}px, ${Math.min(y, start.y)}px)`;
      band.style.width = `${Math.abs(dx)}px`;
      band.style.height = `${Math.abs(dy)}px`;
      return;
    }
    graph.busy = true;
    stage.classList.add("fuse-dragging");
    graph.move({ ...graph.at, tx: start.tx + dx, ty: start.ty + dy });
  });
  on("pointerup", (event) => {
    if (!start || event.pointerId !== start.id) return;
    if (!start.dragged) click(event);
    else if (start.band && graph.scene) {
      const names = namesOf(graph.scene.graph, graph.within(spanned(start, place(event))));
      session.select(added(session.selected, names));
    }
    rest();
  });
  on("pointercancel", rest);
  on("lostpointercapture", rest);
  on("pointerleave", () => hover(-1));
  on("wheel", (event) => wheel(event), { passive: false });
  on("contextmenu", (event) => {
    if (over(event)) return;
    event.preventDefault();
    event.stopPropagation();
    rest();
    hover(-1);
    const { x, y } = place(event);
    const node = graph.nodeAt(x, y);
    if (node >= 0 && graph.scene) {
      const selected = new Set(session.selected);
      const names = namesOf(graph.scene.graph, [node]);
      if (!names.every((name) => selected.has(name))) session.select(names);
    }
    said.menu({ x: event.clientX, y: event.clientY });
  });

  function click(event: PointerEvent): void {
    const { x, y } = place(event);
    const node = graph.nodeAt(x, y);
    const add = event.ctrlKey || event.metaKey || event.shiftKey;
    const near = Math.hypot(event.clientX - last.x, event.clientY - last.y) < 2 * SLOP;
    if (!add && near && event.timeStamp - last.time < DOUBLE) {
      // The first click may have moved what lay under the pointer.
      const group = graph.scene && groupOfBox(graph.scene.graph, last.node);
      if (group) session.collapse(session.collapsed.filter((id) => id !== group));
      else if (last.node >= 0) graph.centre(last.node);
      else graph.fit();
      last = { ...last, time: -Infinity };
      return;
    }
    last = { time: add ? -Infinity : event.timeStamp, x: event.clientX, y: event.clientY, node };
    select(node < 0 ? [] : [node], add);
    if (node >= 0 && !add) said.picked(node);
  }

  /** The part of the graph between two points of the stage. */
  function spanned(a: { x: number; y: number }, b: { x: number; y: number }): Rect {
    const start = toGraph(graph.at, Math.min(a.x, b.x), Math.min(a.y, b.y));
    const end = toGraph(graph.at, Math.max(a.x, b.x), Math.max(a.y, b.y));
    return { left: start.x, top: start.y, right: end.x, bottom: end.y };
  }

  function wheel(event: WheelEvent): void {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== stage) {
      said.hint("Click the graph, or hold Ctrl, to zoom with the wheel");
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const unit = event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 200 : 1;
    // A pinch on a touch pad comes as a wheel with Ctrl and small steps.
    const gain =
      event.ctrlKey && Math.abs(event.deltaY) < 50 && event.deltaMode === 0 ? 0.01 : 0.0016;
    const { x, y } = place(event);
    graph.busy = true;
    hover(-1);
    graph.zoom(Math.exp(-Math.max(-300, Math.min(300, event.deltaY * unit)) * gain), x, y);
  }
}
