// One view in Chromium: laid out, painted and clicked, with a model without Jupyter.
import { afterEach, describe, expect, it } from "vitest";
import { page } from "vitest/browser";
import { State } from "../../src/core/types";
import widget from "../../src/widget";
import { FakeModel, graph, status } from "../fake";
import "../../src/view/style.css";

const specs = [
  { name: "load", fn: "load" },
  { name: "moons, Linear SVM", fn: "train", parents: [0] },
  { name: "moons, RBF SVM", fn: "train", parents: [0] },
  { name: "scores", fn: "score", parents: [1, 2] },
];
const end = new AbortController();

function shown(traits = {}): { model: FakeModel; root: HTMLElement } {
  const model = new FakeModel({
    _graph: graph(specs),
    _status: status(specs.length, { codes: [State.done, State.done, State.failed, State.skipped] }),
    ...traits,
  });
  const host = document.createElement("div");
  document.body.replaceChildren(host);
  widget().render({ model, el: host, signal: end.signal });
  return { model, root: host.querySelector("[data-fuse-view]") as HTMLElement };
}

afterEach(() => document.body.replaceChildren());

describe("a view", () => {
  it("paints the nodes and takes a click on one", async () => {
    const { model, root } = shown();
    await expect.poll(() => root.dataset.fuseNodes).toBe("4");
    const stage = root.querySelector<HTMLElement>(".fuse-stage")!;
    const at = (
      root as unknown as { fuse: { nodeCentre(n: string): { x: number; y: number } } }
    ).fuse.nodeCentre("moons, RBF SVM");
    const box = stage.getBoundingClientRect();
    await page.elementLocator(stage).click({ position: { x: at.x - box.x, y: at.y - box.y } });
    await expect.poll(() => model.get("selected")).toEqual(["moons, RBF SVM"]);
    await expect.poll(() => root.dataset.fuseSelected).toBe("1");
  });

  it.each([420, 760, 1000])("shows why a command was refused in full, at %i px", async (width) => {
    const { model, root } = shown();
    (root.parentElement as HTMLElement).style.width = `${width}px`;
    await expect.poll(() => root.dataset.fuseNodes).toBe("4");
    const line = root.querySelector<HTMLElement>("[data-fuse-role='notice']")!;
    const before = line.clientHeight;
    const why = `node 'load' cannot run: ${"it misses an argument, and ".repeat(8)}so on`;
    model.onSend = (command) => model.reply(command, false, why);
    root.querySelector<HTMLElement>("[data-fuse-role='run']")!.click();
    await expect.poll(() => line.textContent).toBe(`N${why.slice(1)}`);
    expect([line.scrollWidth <= line.clientWidth, line.scrollHeight <= line.clientHeight]).toEqual([
      true,
      true,
    ]);
    expect(line.clientHeight).toBeGreaterThan(before);
    const [end, last] = [root, line].map((node) => node.getBoundingClientRect().bottom);
    expect(last).toBeLessThanOrEqual(end);
  });
});
