// Entry for anywidget. A function, called once per model, so that `initialize` and every `render` of a model
// share one session: the runtime gives each of them another wrapper of the model.
import type { Model } from "./sync/model";
import { Session } from "./sync/session";
import { mount, sorry } from "./view/root";

interface Given {
  model: Model;
  signal?: AbortSignal;
}

/** A controller that also ends with the signal of the runtime (anywidget gives one from 0.10 on). */
function controllerFor(signal: AbortSignal | undefined): AbortController {
  const controller = new AbortController();
  if (signal?.aborted) controller.abort();
  signal?.addEventListener("abort", () => controller.abort(), {
    once: true,
    signal: controller.signal,
  });
  return controller;
}

/** A view on the page. */
interface View {
  root: HTMLElement;
  el: HTMLElement;
  /** Whether it has been on the page. */
  seen: boolean;
  controller: AbortController;
}

/**
 * JupyterLab draws a widget again when its output is updated (as it is at the end of a run, so that the notebook is saved with
 * the last picture). It takes the old view out of the page without an end. What a person sees is then moved, and stays as it is.
 */
function leftOver(views: Set<View>): View | undefined {
  return [...views].find(({ el, seen }) => seen && el.parentNode === null);
}

/** While JupyterLab draws a widget again its output is empty for a moment, and must not make the page jump. */
function keepHeight({ root, el }: View): void {
  const output = el.parentElement;
  if (output?.classList.contains("jp-OutputArea-output") && root.offsetHeight) {
    output.style.minHeight = `${root.offsetHeight}px`;
  }
}

export default function widget() {
  let session: Session | undefined;
  let problem: unknown;
  const views = new Set<View>();

  function start(model: Model, signal: AbortSignal): void {
    try {
      session = new Session(model, signal);
    } catch (error) {
      problem = error;
      console.error("fuse_widgets:", error);
    }
  }

  return {
    initialize({ model, signal }: Given): () => void {
      const controller = controllerFor(signal);
      start(model, controller.signal);
      return () => controller.abort();
    },
    render({ model, el, signal }: Given & { el: HTMLElement }): () => void {
      const controller = controllerFor(signal);
      try {
        if (!session && !problem) start(model, controller.signal);
        if (!session) throw problem;
        const old = leftOver(views);
        if (old) {
          el.append(old.root);
          old.el = el;
          controller.signal.addEventListener("abort", () => old.controller.abort(), { once: true });
        } else {
          const root = mount(session, el, controller.signal);
          const view: View = { root, el, seen: el.isConnected, controller };
          views.add(view);
          const look = new ResizeObserver(() => {
            view.seen ||= view.el.isConnected;
            keepHeight(view);
          });
          look.observe(root);
          controller.signal.addEventListener("abort", () => {
            look.disconnect();
            views.delete(view);
          });
        }
      } catch (error) {
        controller.abort();
        sorry(el, error);
      }
      return () => controller.abort();
    },
  };
}
