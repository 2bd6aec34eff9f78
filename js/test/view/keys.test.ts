// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import { State } from "../../src/core/types";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { classifiers, evaluated, FakeModel, graph, status } from "../fake";
import { freshBrowser } from "./browser";

const SPECS = classifiers(["moons"]);
const NAMES = SPECS.map((spec) => spec.name);
const page = freshBrowser();

function open(traits = {}) {
  const model = new FakeModel({
    _graph: graph(SPECS),
    _status: status(SPECS.length, { codes: SPECS.map(() => State.done) }),
    ...traits,
  });
  const { initialize, render } = widget();
  initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  render({ model, el });
  page.resize(800, 400);
  const root = el.firstElementChild as HTMLElement & { fuse: Handle };
  const stage = root.querySelector(".fuse-stage") as HTMLElement;
  const part = <T extends HTMLElement>(role: string): T =>
    root.querySelector(`[data-fuse-role="${role}"]`) as T;
  const key = (to: HTMLElement, name: string, more = {}): boolean =>
    to.dispatchEvent(
      new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }),
    );
  const aloud = (): string => root.querySelector(".fuse-aloud")?.textContent ?? "";
  return { model, root, stage, part, key, aloud };
}

describe("keys on the graph", () => {
  it("walk along edges from the one selected node, and say where one is", () => {
    const { model, stage, key, aloud } = open({ selected: ["moons, samples"] });
    expect(key(stage, "ArrowRight")).toBe(false);
    expect(model.traits.selected).toEqual(["moons, split"]);
    expect(aloud()).toBe("moons, split, done, 1 input, 10 outputs");
    key(stage, "ArrowLeft");
    expect(model.traits.selected).toEqual(["moons, samples"]);
    key(stage, "ArrowLeft");
    expect(model.traits.selected).toEqual(["moons, samples"]);
    expect(aloud()).toBe("no further node to the left");
  });

  it("move the view where several are selected, and always with Shift", () => {
    for (const [selected, more] of [
      [[], { shiftKey: true }],
      [["scores", "report"], {}],
      [["moons, split"], { shiftKey: true }],
    ] as const) {
      const { model, root, stage, key } = open({ selected: [...selected] });
      for (let k = 0; k < 4; k++) key(stage, "+");
      const before = root.fuse.nodeCentre("scores");
      key(stage, "ArrowRight", more);
      expect(model.traits.selected).toEqual(selected);
      expect((before?.x ?? 0) - (root.fuse.nodeCentre("scores")?.x ?? 0)).toBeCloseTo(64);
      root.remove();
    }
  });

  it("begin in the middle of the view where nothing is selected", () => {
    const { model, root, stage, key } = open();
    const still = root.fuse.nodeCentre("scores");
    key(stage, "ArrowLeft");
    const [name] = model.traits.selected ?? [];
    const at = root.fuse.nodeCentre(name);
    expect(Math.hypot((at?.x ?? 0) - 400, (at?.y ?? 0) - 200)).toBeLessThan(60);
    expect(root.fuse.nodeCentre("scores")).toEqual(still);
  });

  it("lead back the way one came", () => {
    const { model, stage, key } = open({ selected: ["moons, split"] });
    const selected = () => model.traits.selected?.[0];
    key(stage, "ArrowRight");
    for (let k = 0; k < 3; k++) key(stage, "ArrowUp");
    const child = selected();
    for (const arrow of ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"]) key(stage, arrow);
    expect(selected()).toBe(child);
    key(stage, "ArrowLeft");
    expect(selected()).toBe("moons, split");
    key(stage, "ArrowRight");
    expect(selected()).toBe(child);
  });

  it("bring the node into view without zooming, and move nothing where it is in view", () => {
    const { model, root, stage, key } = open({ selected: ["moons, samples"] });
    const still = root.fuse.nodeCentre("scores");
    key(stage, "ArrowRight");
    expect(root.fuse.nodeCentre("scores")).toEqual(still);
    for (let k = 0; k < 8; k++) key(stage, "+");
    const zoom = root.fuse.zoom();
    for (let k = 0; k < 3; k++) {
      key(stage, "ArrowRight");
      const at = root.fuse.nodeCentre(model.traits.selected?.[0] ?? "");
      expect(at?.x).toBeGreaterThan(0);
      expect(at?.x).toBeLessThan(800);
    }
    expect(root.fuse.zoom()).toBe(zoom);
  });

  it("Enter selects a node to begin with, then opens the inspector, then goes into it", () => {
    const { model, root, stage, key } = open();
    stage.focus();
    key(stage, "Enter");
    expect(model.traits.selected).toHaveLength(1);
    expect(model.traits.panels).toBeUndefined();
    key(stage, "Enter");
    expect(model.traits.panels).toEqual(["inspector"]);
    expect(document.activeElement).toBe(stage);
    const inspector = root.querySelector<HTMLElement>("[data-fuse-panel='inspector']");
    inspector?.append("something");
    key(stage, "Enter");
    vi.advanceTimersByTime(0);
    expect(document.activeElement).toBe(inspector);
    key(inspector as HTMLElement, "Escape");
    expect(document.activeElement).toBe(stage);
  });

  it("Escape clears the selection, then the search, then leaves", () => {
    const { model, stage, key } = open({ selected: ["scores"], query: "moons.*" });
    stage.focus();
    key(stage, "Escape");
    expect([model.traits.selected, model.traits.query]).toEqual([[], "moons.*"]);
    key(stage, "Escape");
    expect([model.traits.query, document.activeElement]).toEqual(["", stage]);
    key(stage, "Escape");
    expect(document.activeElement).not.toBe(stage);
  });

  it("[ and ] go through the matches, and the arrow down leads from the search to a node", () => {
    const { model, stage, part, key, aloud } = open({ query: ".*SVM.*" });
    model.set("_matches", evaluated(NAMES, ".*SVM.*"));
    key(stage, "]");
    expect(aloud()).toBe("match 1 of 2");
    key(stage, "]", { ctrlKey: true, altKey: true, modifierAltGraph: true });
    expect(aloud()).toBe("match 2 of 2");
    key(stage, "[");
    expect(aloud()).toBe("match 1 of 2");
    const field = part("search");
    field.focus();
    expect(key(field, "]")).toBe(true);
    key(field, "ArrowDown");
    expect(document.activeElement).toBe(stage);
    expect(model.traits.selected).toEqual(["moons, Linear SVM-model"]);
    expect(aloud()).toBe("moons, Linear SVM-model, done, 1 input, 1 output");
  });

  it("leave what is typed, keys with Ctrl and keys of menus alone", () => {
    const { model, root, stage, part, key } = open();
    const menu = stage.appendChild(document.createElement("div"));
    menu.setAttribute("role", "menu");
    for (const [to, name, more] of [
      [part("search"), "o", {}],
      [stage, "o", { ctrlKey: true }],
      [menu, "ArrowDown", {}],
      [menu, "o", {}],
      [root, "x", {}],
    ] as const) {
      expect(key(to as HTMLElement, name, more)).toBe(true);
    }
    expect(model.traits.panels).toBeUndefined();
  });
});

describe("the buttons of the panels", () => {
  it("open and fold them, and say so", () => {
    const { model, part } = open();
    const outline = part("outline");
    expect(outline.getAttribute("aria-pressed")).toBe("false");
    outline.click();
    expect(model.traits.panels).toEqual(["outline"]);
    expect(outline.getAttribute("aria-pressed")).toBe("true");
    part("inspector").click();
    outline.click();
    expect(model.traits.panels).toEqual(["inspector"]);
    model.set("panels", []);
    expect(part("inspector").getAttribute("aria-pressed")).toBe("false");
  });
});

it("Ctrl+S is JupyterLab's, also from a field; its other shortcuts stay out", () => {
  const { part, key } = open();
  const field = part("search");
  const seen: boolean[] = [];
  const hear = () => seen.push(field.closest("[data-lm-suppress-shortcuts]") === null);
  document.addEventListener("keydown", hear, true);
  key(field, "s", { ctrlKey: true });
  key(field, "s", { metaKey: true });
  vi.advanceTimersByTime(0);
  key(field, "s");
  key(field, "z", { ctrlKey: true });
  document.removeEventListener("keydown", hear, true);
  expect(seen).toEqual([true, true, false, false]);
});
