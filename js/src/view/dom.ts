// Small helpers for the DOM. Text always goes in as text.

const SVG = "http://www.w3.org/2000/svg";

/** JupyterLab asks the element with the focus itself before it takes a key as one of its own ("x" cuts the cell). */
export const KEYS = { "data-lm-suppress-shortcuts": "true" };

export interface Attributes {
  class?: string;
  text?: string;
  [name: string]: string | undefined;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Node[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  if (made.tabIndex >= 0 || attributes.tabindex) setData(made, KEYS);
  made.append(...children);
  return made;
}

/** A 16 by 16 picture made of one path. */
export function glyph(path: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** Timers of one view; all of them end with its signal. */
export class Timers {
  #open = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => {
      for (const timer of this.#open.values()) clearTimeout(timer);
      this.#open.clear();
    });
  }

  /** Runs `what` after `ms`; a timer of the same name that is still open is replaced. */
  after(name: string, ms: number, what: () => void): void {
    this.stop(name);
    const timer = setTimeout(() => {
      this.#open.delete(name);
      what();
    }, ms);
    this.#open.set(name, timer);
  }

  stop(name: string): void {
    clearTimeout(this.#open.get(name));
    this.#open.delete(name);
  }
}

/** Sets text or an attribute only where it differs: an unchanged page costs nothing. */
export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setData(node: HTMLElement, values: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(values)) {
    const text = String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}
