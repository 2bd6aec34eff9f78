// A view with its inspector or form open, over a fake kernel.
import type { Traits } from "../../src/sync/model";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { classifiers, FakeModel, graph, type Spec, status } from "../fake";
import { FakeInspection } from "../fake_inspection";

/** Lets everything that only waits for its turn have it. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 12; n++) await Promise.resolve();
}

/** @param widgetManager the host's. */
export function inspected(
  specs: Spec[] = classifiers(["moons"]),
  traits: Partial<Traits> = {},
  widgetManager?: unknown,
) {
  const model = new FakeModel({
    _graph: graph(specs),
    _status: status(specs.length),
    panels: ["inspector"],
    ...traits,
  });
  Object.assign(model, { widget_manager: widgetManager });
  const kernel = new FakeInspection(model, specs);
  model.onSend = (command) => {
    if (!kernel.answer(command)) model.reply(command);
  };
  if (traits.selected) kernel.tell();
  const { initialize, render } = widget();
  const end = initialize({ model });
  const view = () => {
    const el = document.body.appendChild(document.createElement("div"));
    const close = render({ model, el });
    const root = el.firstElementChild as HTMLElement & { fuse: Handle };
    const all = (query: string): HTMLElement[] => [...root.querySelectorAll<HTMLElement>(query)];
    const one = <T extends HTMLElement>(query: string): T => {
      const found = root.querySelector<T>(query);
      if (!found) throw new Error(`there is no ${query} in ${root.textContent}`);
      return found;
    };
    const role = <T extends HTMLElement>(name: string): T => one<T>(`[data-fuse-role="${name}"]`);
    const field = (path: string): HTMLInputElement => one(`[data-fuse-field="${path}"]`);
    const wrong = (path: string): string =>
      field(path).closest(".fuse-setting")?.querySelector(".fuse-wrong-text")?.textContent ?? "";
    const press = async (on: HTMLElement, key: string, more = {}): Promise<void> => {
      on.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }),
      );
      await settle();
    };
    const type = async (on: HTMLInputElement, text: string): Promise<void> => {
      on.focus();
      on.value = text;
      on.dispatchEvent(new Event("input", { bubbles: true }));
      await settle();
    };
    const choose = async (path: string, value: string): Promise<void> => {
      const select = field(path);
      select.value = value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      await settle();
    };
    const click = async (name: string): Promise<void> => {
      role(name).click();
      await settle();
    };
    const tab = (name: string): Promise<void> => click(`tab-${name}`);
    return { close, root, all, one, role, field, wrong, press, type, choose, click, tab };
  };
  const select = async (...names: string[]): Promise<void> => {
    model.set("selected", names);
    await settle();
  };
  const edits = (): Record<string, unknown>[] =>
    model.sent.filter(({ name }) => name === "edit").map(({ args }) => args);
  return { model, kernel, view, select, edits, end };
}
