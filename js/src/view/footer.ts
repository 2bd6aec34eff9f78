// The line under the graph: what the person should know now. Only what was refused may take several lines.
import { counted } from "../core/format";
import { kernelText } from "../core/kernel";
import { notice } from "../core/notices";
import { HEIGHT, type Session } from "../core/session";
import { State } from "../core/types";
import { element, setData, setText } from "./dom";

export class Footer {
  readonly node: HTMLElement;
  readonly handle: HTMLElement;
  #line = element("button", { class: "fuse-line", type: "button", "data-fuse-role": "notice" });
  #kernel = element("span", { class: "fuse-kernel", "data-fuse-role": "kernel" });
  #spoken = element("div", { class: "fuse-spoken", role: "status", "aria-live": "polite" });
  #use = element("button", {
    class: "fuse-use",
    type: "button",
    text: "Use it",
    title: "Let the nodes use the functions as they were defined last",
    "data-fuse-role": "update-functions",
    hidden: "",
  });
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
      this.#use,
      this.#kernel,
      this.#spoken,
      this.handle,
    );
    this.#line.addEventListener("click", () => this.#goes >= 0 && show(this.#goes), { signal });
    this.#use.addEventListener("click", () => void session.command("update_functions"), { signal });
    this.#resizing(signal);
    this.update();
  }

  update(): void {
    setData(this.handle, { "aria-valuenow": this.session.height });
    const { text, kind, node, key } = notice(this.session);
    this.#goes = node;
    setText(this.#line, text);
    this.#line.disabled = node < 0;
    this.#use.hidden = kind !== "newer";
    setData(this.#line, { "data-fuse-kind": kind, title: kind === "hint" ? "" : text });
    const { kernel, store } = this.session;
    const { run } = store;
    setText(this.#kernel, kernelText(kernel, store.live));
    setData(this.#kernel, { "data-fuse-kernel": kernel, "data-fuse-live": String(store.live) });
    const spoken = kind === "hint" ? "" : `. ${text}`;
    // Said once per change of the run, not with every node.
    const now = `${run.run} ${run.runState} ${kind} ${key}`;
    if (now !== this.#state) {
      this.#state = now;
      const done = run.counts[State.done] + run.counts[State.cached];
      const nodes = counted(run.state.length, "node");
      setText(this.#spoken, `${run.runState}, ${done} of ${nodes} done${spoken}`);
    }
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
