// The menu of the selection: beside its button, or where the graph was pressed with the right button.

import { render } from "preact";
import type { Session } from "../core/session";
import { element, KEYS } from "./dom";
import { type Entry, sections } from "./entries";
import type { GraphView } from "./graph";

const EDGE = 4;

interface Given {
  sections: Entry[][];
  close: () => void;
}

function Items({ sections, close }: Given) {
  const item = (entry: Entry) => {
    const { role, label, count, key, disabled = false } = entry;
    const act = (event: MouseEvent): void => {
      close();
      entry.act(event.shiftKey);
    };
    return (
      <button
        class="fuse-item"
        type="button"
        role="menuitem"
        tabIndex={-1}
        data-fuse-role={`menu-${role}`}
        {...KEYS}
        disabled={disabled}
        aria-keyshortcuts={key === "Esc" ? "Escape" : key}
        onClick={act}
      >
        <span>{label}</span>
        <span class="fuse-item-side">{key ?? (count || "")}</span>
      </button>
    );
  };
  return sections.map((entries, k) => (
    <div class="fuse-section" key={k}>
      {entries.map(item)}
    </div>
  ));
}

export class SelectionMenu {
  readonly node: HTMLElement;
  readonly #signal: AbortSignal;
  #opener: HTMLElement | null = null;
  #open: AbortController | null = null;

  constructor(
    readonly session: Session,
    readonly graph: GraphView,
    signal: AbortSignal,
  ) {
    this.#signal = signal;
    this.node = element("div", {
      class: "fuse-menu",
      role: "menu",
      tabindex: "-1",
      "aria-label": "selection",
      hidden: "",
    });
    this.node.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.node.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
    signal.addEventListener("abort", () => {
      this.close(false);
      render(null, this.node);
    });
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** @param at a point of the page, or the button whose menu this is. */
  open(at: { x: number; y: number } | HTMLElement): void {
    this.close(false);
    const { session, graph: view } = this;
    const { store } = session;
    const { graph } = store;
    if (!graph?.names.length) return;
    const selected = session.selected.flatMap((name) => store.indexOf(name) ?? []);
    const given = sections({ session, view, graph, selected });
    render(<Items sections={given} close={() => this.close()} />, this.node);
    this.#open = new AbortController();
    const { signal } = this.#open;
    this.#opener = at instanceof HTMLElement ? at : view.stage;
    if (at instanceof HTMLElement) at.setAttribute("aria-expanded", "true");
    this.node.hidden = false;
    this.#place(at);
    this.#items()[0]?.focus({ preventScroll: true });
    const away = (event: Event): void => {
      const target = event.target as Node;
      if (this.node.contains(target) || (at instanceof HTMLElement && at.contains(target))) return;
      this.close(false);
    };
    document.addEventListener("pointerdown", away, { capture: true, signal });
    addEventListener("blur", () => this.close(false), { signal });
    this.#signal.addEventListener("abort", () => this.#open?.abort(), { signal });
    const stop = store.subscribe((change) => change === "graph" && this.close());
    signal.addEventListener("abort", stop);
  }

  /** @param back whether the focus goes to where the menu was opened from. */
  close(back = true): void {
    if (!this.#open) return;
    this.#open.abort();
    this.#open = null;
    this.node.hidden = true;
    this.#opener?.removeAttribute("aria-expanded");
    if (back) this.#opener?.focus({ preventScroll: true });
  }

  #items(): HTMLButtonElement[] {
    return [...this.node.querySelectorAll<HTMLButtonElement>("button:enabled")];
  }

  /** Inside of the widget, beside the point; below a button, with its right end. */
  #place(at: { x: number; y: number } | HTMLElement): void {
    const box = (this.node.offsetParent ?? this.node.parentElement)?.getBoundingClientRect();
    if (!box) return;
    const [wide, tall] = [this.node.offsetWidth, this.node.offsetHeight];
    let [x, y] = [0, 0];
    if (at instanceof HTMLElement) {
      const button = at.getBoundingClientRect();
      [x, y] = [button.right - box.left - wide, button.bottom - box.top + EDGE];
    } else [x, y] = [at.x - box.left, at.y - box.top];
    const within = (v: number, length: number, room: number): number =>
      Math.max(EDGE, Math.min(room - length - EDGE, v));
    const [left, top] = [within(x, wide, box.width), within(y, tall, box.height)];
    this.node.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const items = this.#items();
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    const to = (k: number): void => items.at(k % items.length)?.focus();
    const acts: Record<string, () => void> = {
      ArrowDown: () => to(at + 1),
      ArrowUp: () => to(at < 0 ? -1 : at - 1),
      Home: () => to(0),
      End: () => to(-1),
      Escape: () => this.close(),
      Tab: () => this.close(),
    };
    if (event.key in acts) {
      event.preventDefault();
      acts[event.key]();
    }
    event.stopPropagation();
  }
}
