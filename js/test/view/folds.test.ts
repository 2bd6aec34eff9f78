// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import type { Panel } from "../../src/core/types";
import widget from "../../src/widget";
import { classifiers, FakeModel, graph, status } from "../fake";
import { freshBrowser } from "./browser";

const SPECS = classifiers(["moons"]);
const page = freshBrowser();

function open(panels: Panel[], width: number) {
  const model = new FakeModel({ _graph: graph(SPECS), _status: status(SPECS.length), panels });
  const { initialize, render } = widget();
  initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  render({ model, el });
  page.resize(width, 400);
  const root = el.firstElementChild as HTMLElement;
  const part = (role: string) =>
    root.querySelector(`[data-fuse-role="${role}"]`) as HTMLButtonElement;
  const shown = (): string[] =>
    [...root.querySelectorAll<HTMLElement>("[data-fuse-panel]")]
      .filter((node) => !node.hidden)
      .map((node) => node.dataset.fusePanel ?? "");
  const pressed = (): string[] =>
    ["outline", "inspector", "timeline"].filter(
      (name) => part(name).getAttribute("aria-pressed") === "true",
    );
  return { model, root, part, shown, pressed };
}

describe("panels in a narrow cell", () => {
  it("lie over the graph one at a time, and a wide one has them all again", () => {
    const { model, part, shown, pressed } = open(["outline", "inspector", "timeline"], 600);
    expect(shown()).toEqual(["inspector", "timeline"]);
    expect(pressed()).toEqual(["inspector", "timeline"]);
    part("outline").click();
    expect(shown()).toEqual(["outline", "timeline"]);
    expect(pressed()).toEqual(["outline", "timeline"]);
    page.resize(1000, 400);
    expect(shown()).toEqual(["outline", "inspector", "timeline"]);
    expect([...(model.traits.panels ?? [])].sort()).toEqual(["inspector", "outline", "timeline"]);
  });

  it("do not come up again when the one over them is closed", () => {
    const { model, part, shown } = open(["outline", "inspector"], 600);
    part("close-inspector").click();
    expect(shown()).toEqual([]);
    expect(model.traits.panels).toEqual(["outline"]);
    part("timeline").click();
    expect(shown()).toEqual(["timeline"]);
    part("outline").click();
    expect(shown()).toEqual(["outline", "timeline"]);
    part("outline").click();
    expect(shown()).toEqual(["timeline"]);
  });

  it("open with the keys where they are folded away", () => {
    const { root, shown } = open(["outline", "inspector"], 600);
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    stage.dispatchEvent(new KeyboardEvent("keydown", { key: "o", bubbles: true }));
    expect(shown()).toEqual(["outline"]);
  });

  it("are all there in a wide cell", () => {
    const { part, shown } = open([], 900);
    part("outline").click();
    part("inspector").click();
    expect(shown()).toEqual(["outline", "inspector"]);
  });
});
