// Pointer and wheel on the graph.
import { clicked } from "../core/selection";
import type { GraphView } from "./graph";

const SLOP = 4;

export interface Said {
  hover(node: number): void;
  hint(text: string): void;
}

/**
 * Drag moves, a click selects, Ctrl, Cmd or Shift with a click adds or removes. The wheel zooms once the graph
 * has the focus (after a click into it) or with Ctrl or Cmd; without, the page scrolls and a hint says how.
 */
export function gestures(graph: GraphView, said: Said, signal: AbortSignal): void {
  const { stage, session } = graph;
  let start: { x: number; y: number; tx: number; ty: number; id: number } | null = null;
  let dragged = false;

  const place = (event: MouseEvent): { x: number; y: number } => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const hover = (node: number): void => {
    graph.setHovered(node);
    stage.classList.toggle("fuse-over", node >= 0);
    said.hover(node);
  };
  const rest = (): void => {
    start = null;
    graph.busy = false;
    stage.classList.remove("fuse-dragging");
  };
  const on = <K extends keyof HTMLElementEventMap>(
    type: K,
    listener: (event: HTMLElementEventMap[K]) => void,
    options: AddEventListenerOptions = {},
  ): void => stage.addEventListener(type, listener, { ...options, signal });

  on("pointerdown", (event) => {
    if (event.button !== 0 || start) return;
    start = { ...place(event), tx: graph.at.tx, ty: graph.at.ty, id: event.pointerId };
    dragged = false;
    stage.setPointerCapture?.(event.pointerId);
  });
  on("pointermove", (event) => {
    const { x, y } = place(event);
    if (!start) {
      if (event.pointerType !== "touch") hover(graph.nodeAt(x, y));
      return;
    }
    if (event.pointerId !== start.id) return;
    const [dx, dy] = [x - start.x, y - start.y];
    if (!dragged && Math.hypot(dx, dy) < SLOP) return;
    dragged = true;
    graph.busy = true;
    stage.classList.add("fuse-dragging");
    hover(-1);
    graph.move({ ...graph.at, tx: start.tx + dx, ty: start.ty + dy });
  });
  on("pointerup", (event) => {
    if (!start || event.pointerId !== start.id) return;
    if (!dragged) {
      const { x, y } = place(event);
      const node = graph.nodeAt(x, y);
      const name = node < 0 ? null : (graph.scene?.graph.names[node] ?? null);
      const add = event.ctrlKey || event.metaKey || event.shiftKey;
      session.select(clicked(session.selected, name, add));
    }
    rest();
  });
  on("pointercancel", rest);
  on("lostpointercapture", rest);
  on("pointerleave", () => hover(-1));
  on("wheel", (event) => wheel(event), { passive: false });

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
