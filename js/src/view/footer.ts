// The line under the graph: what the person should know now. Its height never changes.
import { counted, oneLine } from "../core/format";
import { kernelText, whyLost } from "../core/kernel";
import { firstFailed, stoppingText } from "../core/progress";
import { HEIGHT, type Session } from "../core/session";
import { State } from "../core/types";
import { element, setData, setText } from "./dom";

export const HINT =
  "Drag to move \u00b7 click, then wheel to zoom \u00b7 Shift+drag to select \u00b7 ? for more";

export class Footer {
  readonly node: HTMLElement;
  readonly handle: HTMLElement;
  #line = element("button", { class: "fuse-line", type: "button", "data-fuse-role": "notice" });
  #kernel = element("span", { class: "fuse-kernel", "data-fuse-role": "kernel" });
  #spoken = element("div", { class: "fuse-spoken", role: "status", "aria-live": "polite" });
  #goes = -1;
  #state = "";

  /** @param show brings a node into view; called where the line names one and is pressed. */
  constructor(
    readonly session: Session,
    show: (node: number) => void,
    signal: AbortSignal,
  ) {
    this.handle = element("div", {
      class: "fuse-handle",
      role: "separator",
      tabindex: "0",
      "aria-orientation": "horizontal",
      "aria-label": "height of the graph",
      "aria-valuemin": String(HEIGHT.least),
      "aria-valuemax": String(HEIGHT.most),
      title: "Drag to change the height",
      "data-fuse-role": "resize",
    });
    this.node = element(
      "div",
      { class: "fuse-footer" },
      this.#line,
      this.#kernel,
      this.#spoken,
      this.handle,
    );
    this.#line.addEventListener("click", () => this.#goes >= 0 && show(this.#goes), { signal });
    this.#resizing(signal);
    this.update();
  }

  update(): void {
    setData(this.handle, { "aria-valuenow": this.session.height });
    const { text, kind, node } = this.#say();
    this.#goes = node;
    setText(this.#line, text);
    this.#line.disabled = node < 0;
    setData(this.#line, { "data-fuse-kind": kind, title: kind === "hint" ? "" : text });
    const { kernel, store } = this.session;
    const { run } = store;
    setText(this.#kernel, kernelText(kernel, store.live));
    setData(this.#kernel, { "data-fuse-kernel": kernel, "data-fuse-live": String(store.live) });
    const spoken = kind === "hint" ? "" : `. ${text}`;
    // Said once per change of the run, not with every node.
    const now = `${run.run} ${run.runState} ${kind} ${kind === "hint" || kind === "stopping" ? "" : text}`;
    if (now !== this.#state) {
      this.#state = now;
      const done = run.counts[State.done] + run.counts[State.cached];
      const nodes = counted(run.state.length, "node");
      setText(this.#spoken, `${run.runState}, ${done} of ${nodes} done${spoken}`);
    }
  }

  #say(): { text: string; kind: string; node: number } {
    const { message, store, fault, kernel } = this.session;
    const { run, graph } = store;
    if (fault) return { text: `not understood: ${oneLine(fault)}`, kind: "error", node: -1 };
    if (message.kind === "error")
      return { text: oneLine(message.text, 300), kind: "error", node: -1 };
    if (message.kind === "waiting") {
      const last = store.live || kernel === "busy" ? "" : " what is shown is the last it sent";
      return { text: message.text + last, kind: "waiting", node: -1 };
    }
    const lost = whyLost(kernel);
    if (lost) return { text: lost, kind: "notice", node: -1 };
    const stopping = stoppingText(run);
    if (stopping) return { text: stopping, kind: "stopping", node: -1 };
    const failed = firstFailed(run);
    if (failed >= 0 && graph) {
      const error = run.errors.get(failed);
      const name = oneLine(graph.names[failed], 80);
      const more = run.counts[State.failed] - 1;
      const why = error ? `${error.type}: ${oneLine(error.message, 240)}` : "failed";
      const rest = more > 0 ? `  (and ${more} more failed)` : "";
      return { text: `${name}: ${why}${rest}`, kind: "failed", node: failed };
    }
    if (run.notice) return { text: oneLine(run.notice, 300), kind: "notice", node: -1 };
    return { text: graph?.names.length ? HINT : "", kind: "hint", node: -1 };
  }

  #resizing(signal: AbortSignal): void {
    const { session, handle } = this;
    let from: { y: number; height: number } | null = null;
    const end = (): void => {
      if (from) session.resize(session.height, true);
      from = null;
    };
    const on = <K extends keyof HTMLElementEventMap>(
      type: K,
      listener: (event: HTMLElementEventMap[K]) => void,
    ): void => handle.addEventListener(type, listener, { signal });
    on("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = { y: event.clientY, height: session.height };
      handle.setPointerCapture?.(event.pointerId);
      event.preventDefault();
    });
    on("pointermove", (event) => {
      if (from) session.resize(from.height + event.clientY - from.y, false);
    });
    on("pointerup", end);
    on("pointercancel", end);
    on("lostpointercapture", end);
    on("keydown", (event) => {
      const step = event.key === "ArrowDown" ? 16 : event.key === "ArrowUp" ? -16 : 0;
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      session.resize(session.height + step, true);
    });
  }
}
