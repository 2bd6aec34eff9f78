// Saving is the host's wherever the focus is: the one shortcut of JupyterLab that works inside of the widget.
import type { Timers } from "./dom";

const SUPPRESS = "data-lm-suppress-shortcuts";

/** Lets Ctrl+S and Cmd+S through to JupyterLab, which would leave them to the browser. */
export function letSave(root: HTMLElement, timers: Timers, signal: AbortSignal): void {
  const held = new Set<Element>();
  const hear = (event: KeyboardEvent): void => {
    if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey)
      return;
    const target = event.target as Element;
    if (!root.contains(target)) return;
    for (let at: Element | null = target; at; at = at.parentElement)
      if (at.hasAttribute(SUPPRESS)) held.add(at);
    for (const one of held) one.removeAttribute(SUPPRESS);
    timers.after("save", 0, () => {
      for (const one of held) one.setAttribute(SUPPRESS, "true");
      held.clear();
    });
  };
  // JupyterLab listens on the document: this has to come before.
  window.addEventListener("keydown", hear, { capture: true, signal });
}
