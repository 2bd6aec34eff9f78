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
});
