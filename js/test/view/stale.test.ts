// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { HINT } from "../../src/core/notices";
import { State, type WireStale } from "../../src/core/types";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { bytes, delta, FakeModel, graph, status } from "../fake";
import { freshBrowser } from "./browser";

const SPECS = ["load", "clean", "fit"].map((name, i) => ({
  name,
  fn: name,
  parents: i ? [i - 1] : [],
}));
const page = freshBrowser();

function stale(places: number[], more: Partial<WireStale> = {}): WireStale {
  return {
    version: 1,
    index: bytes(Uint32Array.from(places), 1),
    reason: bytes(Uint32Array.from(places.keys()), 2),
    reasons: ["code changed", "clean is out of date"].slice(0, places.length),
    newer: [],
    notices: [],
    ...more,
  };
}

async function open(traits: object) {
  const model = new FakeModel({
    _graph: graph(SPECS),
    _status: status(SPECS.length),
    panels: ["outline", "inspector"],
    selected: ["clean"],
    ...traits,
  });
  const { initialize, render } = widget();
  initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  const close = render({ model, el });
  page.resize(800, 400);
  const drawn = async (): Promise<void> => {
    page.frame();
    for (let k = 0; k < 5; k++) await Promise.resolve();
  };
  await drawn();
  const root = el.firstElementChild as HTMLElement & { fuse: Handle };
  const part = (role: string) => root.querySelector(`[data-fuse-role="${role}"]`) as HTMLElement;
  return { model, root, part, drawn, close };
}

describe("results that are out of date", () => {
  it("are counted and marked in graph, list and inspector, and gone with the next answer", async () => {
    const { model, root, part, drawn } = await open({ _stale: stale([1, 2]) });
    expect(root.dataset.fuseStale).toBe("2");
    const marked = () =>
      [...root.querySelectorAll<HTMLElement>(".fuse-row.fuse-stale")].map(
        (row) => row.dataset.node,
      );
    expect(marked()).toEqual(["1", "2"]);
    expect(
      root.querySelector('[data-node="2"] [title^="out of date"]')?.getAttribute("title"),
    ).toBe("out of date: clean is out of date");
    expect(part("stale").textContent).toBe("Out of date: code changed");
    expect(part("notice").textContent).toContain("2 nodes are out of date (clean: code changed");
    model.set("_stale", stale([]));
    await drawn();
    expect([root.dataset.fuseStale, marked(), part("stale")]).toEqual(["0", [], null]);
    expect(part("notice").textContent).toBe(HINT);
  });

  it("are counted with their reasons where several nodes are selected, and marked among them", async () => {
    const { model, root, part, drawn } = await open({
      _stale: stale([1, 2]),
      selected: ["load", "clean", "fit"],
    });
    expect(part("stale").textContent).toBe(
      "2 of 3 out of date: code changed, clean is out of date",
    );
    const marks = [...root.querySelectorAll(".fuse-inspector [data-fuse-role='node']")].map(
      (link) => link.querySelector(".fuse-stale-mark") !== null,
    );
    expect(marks).toEqual([false, true, true]);
    model.set("selected", ["clean", "fit"]);
    await drawn();
    expect(part("stale").textContent).toMatch(/^All 2 out of date: /);
    model.set("_stale", stale([]));
    await drawn();
    expect(part("stale")).toBe(null);
    expect(root.querySelector(".fuse-inspector .fuse-stale-mark")).toBe(null);
  });

  it("of another graph are not marked", async () => {
    const { root } = await open({ _stale: stale([1], { version: 7 }) });
    expect(root.dataset.fuseStale).toBe("0");
    expect(root.querySelector(".fuse-row.fuse-stale")).toBe(null);
  });

  it("are counted where there is no graph", async () => {
    const { root } = await open({ _stale: stale([1]), _parts: ["outline"] });
    expect(root.dataset.fuseStale).toBe("1");
  });

  it("that cannot be read are said, and the view stays", async () => {
    const { root, part } = await open({ _stale: stale([1], { reason: bytes(new Uint8Array(3)) }) });
    expect(part("notice").textContent).toContain("Not understood");
    expect(root.dataset.fuseNodes).toBe("3");
  });
});

describe("a function that another cell has defined again", () => {
  const newer = [{ name: "clean", where: "In[9]", count: 1 }];

  it("is offered, also after a failure, and taken by a press", async () => {
    const { model, part } = await open({ _stale: stale([], { newer }) });
    expect(part("notice").textContent).toBe("clean was defined again in In[9]");
    const button = part("update-functions");
    expect(button.hidden).toBe(false);
    button.click();
    expect(model.sent.at(-1)).toMatchObject({ name: "update_functions", args: {} });
  });

  it("is not offered while a run is under way", async () => {
    const { model, part, drawn } = await open({ _stale: stale([], { newer }) });
    model.delta(delta(1, [{ i: 0, state: State.running }]));
    await drawn();
    expect(part("update-functions").hidden).toBe(true);
  });
});

describe("a cell that runs again", () => {
  it("shows the same part of the graph as before, unless all of it was shown", async () => {
    const first = await open({ _place: "cell 0" });
    const whole = first.root.fuse.zoom();
    first.close();
    const second = await open({ _place: "cell 0" });
    expect(second.root.fuse.zoom()).toBe(whole);
    second.root
      .querySelector<HTMLElement>(".fuse-stage")
      ?.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true }));
    await second.drawn();
    const zoom = second.root.fuse.zoom();
    expect(zoom).toBeGreaterThan(whole);
    second.close();
    const elsewhere = await open({ _place: "cell 1" });
    expect(elsewhere.root.fuse.zoom()).toBe(whole);
    const third = await open({ _place: "cell 0" });
    expect(third.root.fuse.zoom()).toBe(zoom);
  });
});

it("what cells left behind is said", async () => {
  const { part } = await open({ _stale: stale([], { notices: ["twin is left out."] }) });
  expect(part("notice").textContent).toBe("twin is left out.");
});
