// @vitest-environment jsdom
// Parts that stand alone: a query at the end of a cell, the progress of a run.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Command, type Part, State } from "../../src/core/types";
import widget from "../../src/widget";
import { classifiers, delta, FakeModel, graph, matches, status } from "../fake";
import { freshBrowser } from "./browser";

const SPECS = classifiers(["moons"]);
const NAMES = SPECS.map((spec) => spec.name);
const page = freshBrowser();
beforeEach(() => {
  HTMLElement.prototype.scrollIntoView = vi.fn();
});

async function settled(): Promise<void> {
  for (let k = 0; k < 10; k++) await Promise.resolve();
}

function open(traits: object = {}, parts?: Part[]) {
  const model = new FakeModel({
    _graph: graph(SPECS),
    _status: status(SPECS.length),
    ...(parts && { _parts: parts }),
    ...traits,
  });
  const { initialize, render } = widget();
  initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  render({ model, el });
  page.resize(800, 400);
  const root = el.firstElementChild as HTMLElement;
  const stage = root.querySelector(".fuse-stage") as HTMLElement;
  const line = (): string => root.querySelector(".fuse-query-line")?.textContent ?? "";
  const button = root.querySelector('[data-fuse-role="show-query"]') as HTMLButtonElement;
  return { model, root, stage, line, button };
}
const SVM = { query: ".*SVM.*", _matches: matches(".*SVM.*", [3, 4]) };
const answering =
  (model: FakeModel, shown: number) =>
  ({ id, name }: Command): void => {
    expect(name).toBe("show");
    model.fire("msg:custom", { kind: "reply", id, ok: true, text: "", data: { shown } }, []);
  };

describe("a query at the end of a cell", () => {
  it("tells its pattern and its nodes, and keeps its graph to itself", () => {
    const { line, stage } = open(SVM, ["query", "graph"]);
    expect(line()).toBe(`Query .*SVM.* \u00b7 2 nodes: ${NAMES[3]} \u00b7 ${NAMES[4]}`);
    expect(stage.hidden).toBe(true);
  });
  it("tells the nodes that are selected where it is no pattern", () => {
    const { line } = open({ selected: [NAMES[0]] }, ["query", "graph"]);
    expect(line()).toBe(`Query  \u00b7 1 node: ${NAMES[0]}`);
  });
  it("goes to the widget of the same workflow that is on the page", async () => {
    const [other, own] = [open(), open(SVM, ["query", "graph"])];
    own.model.onSend = answering(own.model, 1);
    own.button.click();
    await settled();
    expect(HTMLElement.prototype.scrollIntoView).toHaveBeenCalledTimes(1);
    expect(vi.mocked(HTMLElement.prototype.scrollIntoView).mock.contexts[0]).toBe(other.root);
    expect(document.activeElement).toBe(other.stage);
    expect(own.stage.hidden).toBe(true);
  });
  it.each([
    ["there is no other", 0, "classifiers"],
    ["the other one is not on this page", 1, "another workflow"],
  ])("opens its own graph where %s, and folds it again", async (_, shown, title) => {
    open({ _graph: { ...graph(SPECS), title } });
    const own = open(SVM, ["query", "graph"]);
    own.model.onSend = answering(own.model, shown);
    own.button.click();
    await settled();
    expect(HTMLElement.prototype.scrollIntoView).not.toHaveBeenCalled();
    expect([own.stage.hidden, own.button.textContent]).toEqual([false, "Hide graph"]);
    own.button.click();
    await settled();
    expect([own.stage.hidden, own.button.textContent]).toEqual([true, "Show in graph"]);
  });
  it("does not wait for a kernel that is busy", async () => {
    const { button, stage, root } = open(SVM, ["query", "graph"]);
    button.click();
    await settled();
    expect(stage.hidden).toBe(true);
    vi.advanceTimersByTime(1500);
    await settled();
    expect(stage.hidden).toBe(false);
    expect(root.querySelector(".fuse-query-note")?.textContent).toContain("kernel is busy");
  });
});

describe("the progress alone", () => {
  it("follows the run", () => {
    const { model, root } = open({}, ["progress"]);
    expect(root.querySelector(".fuse-toolbar, .fuse-stage")).toBeNull();
    model.delta(delta(1, [{ i: 0, state: State.done, seconds: 1 }]));
    const bar = root.querySelector("[role=progressbar]");
    expect([bar?.getAttribute("aria-valuenow"), bar?.getAttribute("aria-valuemax")]).toEqual([
      "1",
      "15",
    ]);
    expect(root.querySelector(".fuse-progress")?.textContent).toContain("1 of 15");
    expect(root.dataset).toMatchObject({ fuseNodes: "15", fuseDone: "1", fuseRunState: "running" });
    model.set("selected", [NAMES[1]]);
    expect(root.dataset.fuseSelected).toBe("1");
    expect(root.dataset.fuseTheme).toBeUndefined();
    vi.advanceTimersByTime(0);
    expect(root.dataset.fuseTheme).toBe("light");
  });
});
