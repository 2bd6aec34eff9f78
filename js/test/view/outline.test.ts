// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import { State } from "../../src/core/types";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { classifiers, delta, evaluated, FakeModel, graph, type Spec, status } from "../fake";
import { freshBrowser } from "./browser";

const SPECS = classifiers(["moons"]);
const NAMES = SPECS.map((spec) => spec.name);
const page = freshBrowser();

/** Lets the panels draw what has changed. */
async function drawn(): Promise<void> {
  page.frame();
  for (let k = 0; k < 5; k++) await Promise.resolve();
}

async function open(specs: Spec[] = SPECS, traits = {}) {
  const model = new FakeModel({
    _graph: graph(specs),
    _status: status(specs.length),
    panels: ["outline"],
    ...traits,
  });
  const { initialize, render } = widget();
  const end = initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  const close = render({ model, el });
  page.resize(800, 400);
  await drawn();
  const root = el.firstElementChild as HTMLElement & { fuse: Handle };
  const part = <T extends HTMLElement>(role: string): T =>
    root.querySelector(`[data-fuse-role="${role}"]`) as T;
  const rows = (): HTMLElement[] => [...root.querySelectorAll<HTMLElement>("[data-node]")];
  const cells = (column: string): string[] =>
    rows().map((row) => row.querySelector(`.fuse-cell-${column}`)?.textContent ?? "");
  const row = (node: number): HTMLElement =>
    root.querySelector(`[data-node="${node}"]`) as HTMLElement;
  const click = async (node: number, more = {}): Promise<void> => {
    row(node).dispatchEvent(new MouseEvent("click", { bubbles: true, ...more }));
    await drawn();
  };
  const key = async (to: HTMLElement, name: string, more = {}): Promise<boolean> => {
    const kept = to.dispatchEvent(
      new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }),
    );
    await drawn();
    return kept;
  };
  const type = async (text: string): Promise<void> => {
    const field = part<HTMLInputElement>("filter");
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await drawn();
  };
  return { model, end, close, root, part, rows, cells, row, click, key, type };
}

describe("the outline", () => {
  it("lists the nodes in the order of the graph, as text", async () => {
    const hostile = '<img src=x onerror="x">\u202e\nb';
    const { cells, part, rows } = await open([
      { name: "load", fn: "load" },
      { name: hostile, fn: "<b>", parents: [0] },
      { name: "", fn: "", parents: [0] },
    ]);
    expect(cells("name")).toEqual(["load", '<img src=x onerror="x"> b', "(no name)"]);
    expect(cells("function")).toEqual(["load", "<b>", ""]);
    expect(part("outline-count").textContent).toBe("3 nodes");
    expect(part("grid").getAttribute("aria-rowcount")).toBe("4");
    expect(rows().map((row) => row.getAttribute("aria-rowindex"))).toEqual(["2", "3", "4"]);
    expect(part("grid").querySelector("img, b")).toBeNull();
  });

  it("keeps only the rows in sight in the DOM", async () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({ name: `node ${i}`, fn: "f" }));
    const { part, rows, row } = await open(many);
    const grid = part("grid");
    expect(rows().length).toBeLessThan(30);
    expect(grid.getAttribute("aria-rowcount")).toBe("5001");
    grid.scrollTop = 2500 * 28;
    grid.dispatchEvent(new Event("scroll"));
    await drawn();
    expect(rows().length).toBeLessThan(40);
    expect(row(2500).getAttribute("aria-rowindex")).toBe("2502");
  });

  it("shows states as they come, once a frame, and draws only the rows that change", async () => {
    const { model, row, cells } = await open();
    const changed: Node[] = [];
    const still = row(3).innerHTML;
    model.delta(delta(1, [{ i: 0, state: State.running, begin: 0 }]));
    model.delta(delta(2, [{ i: 0, state: State.done, seconds: 0.5, attempt: 2 }]));
    expect(row(0).dataset.fuseState).toBe("pending");
    changed.push(row(3).firstChild as Node);
    await drawn();
    expect(row(0).dataset.fuseState).toBe("done");
    expect([cells("seconds")[0], cells("attempts")[0]]).toEqual(["0.50 s", "2"]);
    expect(row(3).innerHTML).toBe(still);
    expect(row(3).firstChild).toBe(changed[0]);
  });

  it("sorts by a click on a head: up, down, back", async () => {
    const { cells, part, root } = await open(["b", "c", "a"].map((name) => ({ name, fn: "f" })));
    const head = part("sort-name");
    const sorted = (): string | null | undefined =>
      root.querySelector("[role=columnheader]")?.getAttribute("aria-sort");
    const seen: unknown[] = [];
    for (let k = 0; k < 3; k++) {
      head.click();
      await drawn();
      seen.push([cells("name").join(""), sorted()]);
    }
    expect(seen).toEqual([
      ["abc", "ascending"],
      ["cba", "descending"],
      ["bca", "none"],
    ]);
  });

  it("filters by text, states and matches, and says how many are left", async () => {
    const codes = SPECS.map((_, i) => (i < 4 ? State.failed : State.done));
    const { model, part, rows, type, root } = await open(SPECS, {
      _status: status(SPECS.length, { codes }),
    });
    const count = (): string => part("outline-count").textContent ?? "";
    expect(part("chip-failed").textContent).toBe("4");
    expect(part("chip-running")).toBeNull();
    part("chip-failed").click();
    await drawn();
    expect(count()).toBe("4 of 15");
    await type("svm");
    expect([count(), rows().length]).toEqual(["1 of 15", 1]);
    part("chip-failed").click();
    await type("");
    expect(part("chip-matches")).toBeNull();
    model.set("query", ".*SVM.*");
    model.set("_matches", evaluated(NAMES, ".*SVM.*"));
    await drawn();
    expect(root.querySelectorAll(".fuse-matched")).toHaveLength(2);
    part("chip-matches").click();
    await drawn();
    expect(count()).toBe("2 of 15");
    await type("nothing like it");
    expect(root.querySelector(".fuse-no-rows")?.textContent).toContain("No node fits the filter.");
    root.querySelector<HTMLElement>(".fuse-no-rows button")?.click();
    await drawn();
    expect(count()).toBe("15 nodes");
  });

  it("says of an empty graph that it is empty", async () => {
    const { part, root } = await open([]);
    expect(part("outline-count").textContent).toBe("0 nodes");
    expect(root.querySelector(".fuse-no-rows")?.textContent).toBe("This workflow has no nodes.");
    expect((await open([{ name: "a", fn: "f" }])).part("outline-count").textContent).toBe("1 node");
  });
});

describe("the selection in the outline", () => {
  it("is that of the model: clicks with and without Ctrl and Shift", async () => {
    const { model, click, row } = await open();
    await click(2);
    expect(model.traits.selected).toEqual([NAMES[2]]);
    await click(5, { shiftKey: true });
    expect(model.traits.selected).toEqual(NAMES.slice(2, 6));
    await click(3, { ctrlKey: true });
    expect(model.traits.selected).toEqual([NAMES[2], NAMES[4], NAMES[5]]);
    expect([row(3), row(4)].map((r) => r.getAttribute("aria-selected"))).toEqual(["false", "true"]);
  });

  it("goes by keys: arrows, with Shift a range, all, Enter to the inspector", async () => {
    const { model, part, key } = await open();
    const grid = part("grid");
    grid.focus();
    await key(grid, "ArrowDown");
    expect(model.traits.selected).toEqual([NAMES[1]]);
    await key(grid, "ArrowDown", { shiftKey: true });
    await key(grid, "ArrowDown", { shiftKey: true });
    expect(model.traits.selected).toEqual(NAMES.slice(1, 4));
    await key(grid, "ArrowUp", { shiftKey: true });
    expect(model.traits.selected).toEqual(NAMES.slice(1, 3));
    await key(grid, "End", { ctrlKey: true });
    expect(model.traits.selected).toEqual(NAMES.slice(1, 3));
    const id = grid.getAttribute("aria-activedescendant") ?? "";
    expect(document.getElementById(id)?.dataset.node).toBe("14");
    await key(grid, "Enter");
    expect(model.traits.selected).toEqual([NAMES[14]]);
    expect(model.traits.panels).toEqual(["outline", "inspector"]);
    expect(await key(grid, "a", { ctrlKey: true })).toBe(false);
    expect(model.traits.selected).toEqual(NAMES);
    await key(grid, " ");
    expect(model.traits.selected).toEqual(NAMES.slice(0, 14));
    await key(grid, "Escape");
    expect(model.traits.selected).toEqual([]);
  });

  it("scrolls to what is selected elsewhere, and keys go on from there", async () => {
    const many = Array.from({ length: 500 }, (_, i) => ({ name: `node ${i}`, fn: "f" }));
    const { model, part, row, key } = await open(many);
    model.set("selected", ["node 400"]);
    await drawn();
    const grid = part("grid");
    expect(grid.scrollTop).toBe(401 * 28 - (400 - 28));
    expect(row(400).getAttribute("aria-selected")).toBe("true");
    await key(grid, "ArrowDown");
    expect(model.traits.selected).toEqual(["node 401"]);
  });

  it("stays where it is scrolled to when it gets the focus: a click may be under way", async () => {
    const many = Array.from({ length: 500 }, (_, i) => ({ name: `node ${i}`, fn: "f" }));
    const { model, part, key } = await open(many);
    const grid = part("grid");
    grid.scrollTop = 100 * 28;
    grid.dispatchEvent(new Event("scroll"));
    grid.focus();
    await drawn();
    expect(grid.scrollTop).toBe(100 * 28);
    await key(grid, "ArrowDown");
    expect(model.traits.selected).toEqual(["node 101"]);
  });

  it("leads from the first row to the heads and back, and from the filter to the rows", async () => {
    const { part, key } = await open();
    const grid = part("grid");
    grid.focus();
    await key(grid, "ArrowUp");
    expect(document.activeElement).toBe(part("sort-name"));
    await key(part("sort-name"), "ArrowDown");
    expect(document.activeElement).toBe(grid);
    part("filter").focus();
    await key(part("filter"), "ArrowDown");
    expect(document.activeElement).toBe(grid);
  });

  it("o opens the panel and goes there, and folds it", async () => {
    const { model, root, part, key } = await open(SPECS, { panels: [] });
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    stage.focus();
    await key(stage, "o");
    vi.advanceTimersByTime(0);
    await drawn();
    expect(document.activeElement).toBe(part("grid"));
    await key(part("grid"), "o");
    expect(model.traits.panels).toEqual([]);
    expect(document.activeElement).toBe(stage);
    expect(part("grid")).toBeNull();
  });
});

describe("a panel that ends", () => {
  it("leaves nothing behind, in the middle of a run", async () => {
    const before = page.open();
    const { model, close, end } = await open();
    model.delta(delta(1, [{ i: 0, state: State.running, begin: 0 }]));
    await drawn();
    model.delta(delta(2, [{ i: 1, state: State.running, begin: 0 }]));
    close();
    end();
    const after = page.open();
    expect([after.frames, after.timers, after.observers]).toEqual([
      before.frames,
      before.timers,
      before.observers,
    ]);
  });
  it("counts and follows nothing while it is folded", async () => {
    const { model } = await open(SPECS, { panels: [] });
    model.delta(delta(1, [{ i: 0, state: State.done }], { run_state: "done" }));
    expect(page.open().frames).toBe(1);
    await drawn();
    expect(page.open().frames).toBe(0);
  });
});
