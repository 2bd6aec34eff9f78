// @vitest-environment jsdom
// Which components are drawn again while a run goes on: 30 times a second, in graphs of thousands of nodes.
import { options, type VNode } from "preact";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { State } from "../../src/core/types";
import { delta, layered } from "../fake";
import { freshBrowser } from "./browser";
import { inspected, settle } from "./inspected";

const page = freshBrowser();
let drawn: string[] = [];
const before = options.diffed;

beforeEach(() => {
  options.diffed = (vnode: VNode) => {
    if (typeof vnode.type === "function") drawn.push(vnode.type.name);
    before?.(vnode);
  };
});
afterEach(() => {
  options.diffed = before ?? (() => {});
});

const SPECS = layered(100);
/** A node with children, and one of these. */
const CHILD = SPECS.findIndex(({ parents }) => parents?.length);
const PARENT = SPECS[CHILD].parents?.[0] as number;

async function open(selected: string[]) {
  const { model, view } = inspected(SPECS, { selected });
  const { root } = view();
  page.resize(1200, 400);
  await settle();
  let seq = 0;
  const change = async (node: number, state: number): Promise<string[]> => {
    drawn = [];
    model.delta(delta(++seq, [{ i: node, state }]));
    await settle();
    return drawn;
  };
  await change(SPECS.length - 1, State.queued);
  return { root, change };
}

describe("a state that is none of the selected nodes'", () => {
  it("draws nothing again where nothing is selected", async () => {
    const { change } = await open([]);
    expect(await change(SPECS.length - 1, State.running)).toEqual([]);
  });

  it("draws the line of the state at most where one node is", async () => {
    const { change } = await open([SPECS[PARENT].name]);
    const again = await change(SPECS.length - 1, State.running);
    expect(again.filter((name) => !["NodeHeader", "StateGlyph"].includes(name))).toEqual([]);
  });
});

describe("a state that is shown", () => {
  it("is drawn at the name of the node alone", async () => {
    const { root, change } = await open([SPECS[PARENT].name]);
    const again = await change(CHILD, State.failed);
    expect(again.filter((name) => name === "NodeLink").length).toBe(1);
    expect(again).not.toContain("Overview");
    const link = [...root.querySelectorAll("[data-fuse-role='node']")].find((one) =>
      one.textContent?.includes(SPECS[CHILD].name),
    );
    expect(link?.textContent).toContain("failed");
  });

  it("is counted where several nodes are selected", async () => {
    const { root, change } = await open(SPECS.slice(0, 5).map(({ name }) => name));
    await change(3, State.running);
    expect(root.querySelector(".fuse-head-counts")?.textContent).toContain("1 running");
  });
});
