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

export default function widget() {
  let session: Session | undefined;
  let problem: unknown;

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
        mount(session, el, controller.signal);
      } catch (error) {
        controller.abort();
        sorry(el, error);
      }
      return () => controller.abort();
    },
  };
}
