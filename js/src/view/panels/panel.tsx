// How a panel gets into a view: a host element, a component, an end.
import { type ComponentChild, render } from "preact";
import type { Session } from "../../core/session";
import { element } from "../dom";
import type { GraphView } from "../graph";
import type { Signals } from "./signals";

/**
 * What every panel is given. A component that reads signals or has state of its own is drawn again only where these or
 * its props have changed: it has to read a signal for all that it takes from the session.
 */
export interface Given {
  session: Session;
  signals: Signals;
  /** The graph beside it, null where the view has none. */
  graph: GraphView | null;
  /** Tells the person something in passing. */
  say: (text: string) => void;
}

/** An element with a component in it, which ends with `signal`. */
export function panel(name: string, content: ComponentChild, signal: AbortSignal): HTMLElement {
  const host = element("aside", {
    class: `fuse-panel fuse-${name}`,
    "data-fuse-panel": name,
    // A landmark that keys can go to.
    "aria-label": name,
    tabindex: "-1",
  });
  render(content, host);
  signal.addEventListener("abort", () => render(null, host));
  return host;
}
