// A view in Chromium whose page gets another theme.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import widget from "../../src/widget";
import { FakeModel, graph, status } from "../fake";
import { FakeInspection } from "../fake_inspection";
import "../../src/view/style.css";

const specs = [{ name: "load", fn: "load" }];
let end: AbortController;
beforeEach(() => {
  end = new AbortController();
});
afterEach(() => {
  end.abort();
  document.body.replaceChildren();
  document.body.removeAttribute("data-jp-theme-light");
});

function shown(traits = {}) {
  const model = new FakeModel({
    _graph: graph(specs),
    _status: status(specs.length, { codes: [4] }),
    ...traits,
  });
  const kernel = new FakeInspection(model, specs);
  kernel.preview = { kind: "html", content: "<p>a table</p>", note: "" };
  model.onSend = (command) => void kernel.answer(command);
  const host = document.createElement("div");
  document.body.replaceChildren(host);
  const instance = widget();
  instance.initialize({ model, signal: end.signal });
  instance.render({ model, el: host, signal: end.signal });
  const root = host.querySelector("[data-fuse-view]") as HTMLElement;
  const press = (role: string): void =>
    root.querySelector<HTMLElement>(`[data-fuse-role="${role}"]`)?.click();
  return { model, kernel, root, press };
}

/** As JupyterLab does it: the page says so at once, the colours come with a style sheet a little later. */
function turnDark(): void {
  document.body.setAttribute("data-jp-theme-light", "false");
  setTimeout(() => {
    const sheet = document.createElement("style");
    sheet.textContent = "body { --jp-layout-color0: #111; --jp-content-font-color1: #eee; }";
    document.body.append(sheet);
  }, 40);
}

describe("another theme of the page", () => {
  it("reaches the graph, beside a timeline that is folded away", async () => {
    const { root } = shown();
    await expect.poll(() => root.dataset.fuseTheme).toBe("light");
    turnDark();
    await expect.poll(() => root.dataset.fuseTheme).toBe("dark");
  });

  it("reaches the HTML of a result that is shown", async () => {
    const { kernel, root, press } = shown({ panels: ["inspector"], selected: ["load"] });
    kernel.tell();
    await expect.poll(() => root.querySelector("[data-fuse-role='tab-Result']")).not.toBeNull();
    press("tab-Result");
    await expect.poll(() => root.querySelector("[data-fuse-role='show-result']")).not.toBeNull();
    press("show-result");
    const page = (): string => root.querySelector("iframe")?.srcdoc ?? "";
    await expect.poll(page).toContain("color-scheme: light");
    turnDark();
    await expect.poll(page).toContain("color-scheme: dark");
  });
});
