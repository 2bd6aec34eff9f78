// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { bytes, classifiers, FakeModel, graph, matches, type Spec, status } from "../fake";
import { freshBrowser } from "./browser";

const DIAMOND: Spec[] = [
  { name: "load", fn: "f" },
  { name: "left", fn: "g", parents: [0] },
  { name: "right", fn: "g", parents: [0] },
  { name: "end", fn: "h", parents: [1, 2] },
  { name: "alone", fn: "i" },
];
const page = freshBrowser();

function open(specs = DIAMOND, traits = {}, size: [number, number] = [1000, 400]) {
  const model = new FakeModel({ _graph: graph(specs), _status: status(specs.length), ...traits });
  const { initialize, render } = widget();
  initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  render({ model, el });
  page.resize(...size);
  const root = el.firstElementChild as HTMLElement & { fuse: Handle };
  const stage = root.querySelector(".fuse-stage") as HTMLElement;
  const part = (role: string) =>
    root.querySelector(`[data-fuse-role="${role}"]`) as HTMLButtonElement;
  const at = (name: string) => root.fuse.nodeCentre(name) as { x: number; y: number };
  let now = 1000;
  const point = (type: string, to: { x: number; y: number }, more = {}): void => {
    const init = { clientX: to.x, clientY: to.y, bubbles: true, cancelable: true, ...more };
    const event = new MouseEvent(type, init);
    Object.defineProperty(event, "timeStamp", { value: now });
    stage.dispatchEvent(event);
  };
  const click = (to: { x: number; y: number }, more = {}, later = 1000): void => {
    now += later;
    point("pointerdown", to, more);
    point("pointerup", to, more);
  };
  const drag = (from: { x: number; y: number }, to: { x: number; y: number }, more = {}): void => {
    point("pointerdown", from, more);
    point("pointermove", to, more);
    point("pointerup", to, more);
  };
  const key = (name: string, more = {}): void => {
    const to = document.activeElement ?? stage;
    to.dispatchEvent(
      new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }),
    );
  };
  return { model, root, stage, part, at, point, click, drag, key };
}

describe("the pointer", () => {
  it("selects what a rectangle touches with Shift, and adds to what is selected", () => {
    const { model, root, at, drag, click } = open();
    click(at("alone"));
    const from = { x: at("left").x - 5, y: at("left").y - 4 };
    drag(from, { x: at("right").x, y: at("right").y }, { shiftKey: true });
    expect(model.traits.selected).toEqual(["alone", "left", "right"]);
    expect((root.querySelector(".fuse-band") as HTMLElement).hidden).toBe(true);
  });

  it("brings up no card over a node that the inspector tells about, until it has left", () => {
    const { model, root, at, point, click } = open(DIAMOND, { panels: ["inspector"] });
    const card = root.querySelector(".fuse-card") as HTMLElement;
    const over = (name: string): boolean => {
      point("pointermove", at(name));
      vi.advanceTimersByTime(500);
      return !card.hidden;
    };
    expect(over("left")).toBe(true);
    click(at("left"));
    expect(model.traits.selected).toEqual(["left"]);
    expect(card.hidden).toBe(true);
    expect(over("left")).toBe(false);
    expect(over("right")).toBe(true);
    expect(over("left")).toBe(true);
  });

  it("moves the graph when it drags without Shift", () => {
    const { model, at, drag } = open();
    const before = at("load");
    drag({ x: 500, y: 390 }, { x: 530, y: 380 });
    expect(at("load")).toEqual({ x: before.x + 30, y: before.y - 10 });
    expect(model.traits.selected).toEqual([]);
  });

  it("centres a node with a double-click, and fits the graph with one beside the nodes", () => {
    const { root, at, click } = open(classifiers());
    const zoom = root.fuse.zoom();
    const place = at("wine, split");
    click(place);
    click(place, {}, 200);
    expect(root.fuse.zoom()).toBeGreaterThanOrEqual(0.8);
    expect(at("wine, split").x).toBeCloseTo(500, 0);
    expect(at("wine, split").y).toBeCloseTo(200, 0);
    click({ x: 990, y: 5 });
    click({ x: 990, y: 5 }, {}, 200);
    expect(root.fuse.zoom()).toBe(zoom);
  });

  it("takes two slow clicks for two clicks", () => {
    const { root, at, click } = open(classifiers());
    const zoom = root.fuse.zoom();
    click(at("wine, split"));
    click(at("wine, split"), {}, 500);
    expect(root.fuse.zoom()).toBe(zoom);
  });

  it("opens the inspector with a click on a node, until the person has closed it", () => {
    const { model, part, at, click, key, stage } = open();
    click(at("load"), { ctrlKey: true });
    expect(model.traits.panels).toBeUndefined();
    click(at("load"));
    expect(model.traits.panels).toEqual(["inspector"]);
    part("inspector").click();
    click(at("end"));
    expect(model.traits.panels).toEqual([]);
    stage.focus();
    key("Enter");
    expect(model.traits.panels).toEqual(["inspector"]);
  });

  it("leaves the inspector closed in a narrow cell", () => {
    const { model, at, click } = open(DIAMOND, {}, [880, 400]);
    click(at("load"));
    expect(model.traits.panels).toBeUndefined();
  });
});

describe("a new size", () => {
  it("leaves the graph where it is, once it was moved, and the selected node in sight", () => {
    const { at, drag, click } = open(classifiers());
    drag({ x: 990, y: 5 }, { x: 994, y: 5 });
    const before = at("moons, split");
    page.resize(700, 400);
    expect(at("moons, split")).toEqual(before);
    page.resize(1000, 400);
    click(at("scores"));
    const was = at("scores");
    expect(was.x).toBeGreaterThan(500);
    page.resize(was.x - 10, 400);
    expect(at("scores").x).toBeLessThan(was.x - 10);
    expect(at("scores").y).toBe(was.y);
  });
});

describe("the menu of the selection", () => {
  it("selects relatives, and says how many there are", () => {
    const { model, root, part, click, at } = open();
    click(at("left"));
    part("selection").click();
    const menu = root.querySelector("[role=menu]") as HTMLElement;
    expect(menu.hidden).toBe(false);
    expect(part("menu-descendants").textContent).toBe("Select all descendants1");
    expect(part("menu-path").disabled).toBe(true);
    expect(part("menu-matches").disabled).toBe(true);
    part("menu-descendants").click();
    expect(model.traits.selected).toEqual(["end"]);
    expect(menu.hidden).toBe(true);
    part("selection").click();
    part("menu-ancestors").dispatchEvent(
      new MouseEvent("click", { shiftKey: true, bubbles: true }),
    );
    expect(model.traits.selected).toEqual(["end", "load", "left", "right"]);
  });

  it("selects all that lies on the paths between two nodes", () => {
    const { model, part } = open(DIAMOND, { selected: ["end", "load"] });
    part("selection").click();
    part("menu-path").click();
    expect(model.traits.selected).toEqual(["load", "left", "right", "end"]);
  });

  it("selects matches, all, the others, none", () => {
    const found = { query: "l.*", _matches: matches("l.*", [0, 1]) };
    const { model, part } = open(DIAMOND, found);
    const choose = (role: string): unknown => {
      part("selection").click();
      part(`menu-${role}`).click();
      return model.traits.selected;
    };
    expect(choose("matches")).toEqual(["load", "left"]);
    expect(choose("invert")).toEqual(["right", "end", "alone"]);
    expect(choose("clear")).toEqual([]);
    expect(choose("all")).toHaveLength(5);
  });

  it("opens where the right button was pressed, for the node there unless it is selected", () => {
    const { model, root, part, point, at } = open();
    const menu = root.querySelector("[role=menu]") as HTMLElement;
    point("contextmenu", at("left"));
    expect([model.traits.selected, menu.hidden]).toEqual([["left"], false]);
    part("menu-all").click();
    point("contextmenu", at("left"));
    expect(model.traits.selected).toHaveLength(5);
  });

  it("is walked through with the arrow keys and closed with Esc or a click elsewhere", () => {
    const { root, part, key } = open(DIAMOND, { selected: ["left"] });
    const menu = root.querySelector("[role=menu]") as HTMLElement;
    part("selection").focus();
    part("selection").click();
    const focused = (): string | null =>
      (document.activeElement as HTMLElement).getAttribute("data-fuse-role");
    expect(focused()).toBe("menu-parents");
    key("ArrowUp");
    expect(focused()).toBe("menu-centre");
    key("ArrowDown");
    key("ArrowDown");
    expect(focused()).toBe("menu-children");
    key("Escape");
    expect([menu.hidden, focused()]).toEqual([true, "selection"]);
    part("selection").click();
    document.body.dispatchEvent(new MouseEvent("pointerdown", { bubbles: true }));
    expect(menu.hidden).toBe(true);
  });

  it("fits what is selected", () => {
    const { root, part } = open(classifiers(), { selected: ["moons, split"] });
    const before = root.fuse.zoom();
    part("selection").click();
    part("menu-fit-selection").click();
    expect(root.fuse.zoom()).toBe(1);
    expect(before).toBeLessThan(0.8);
  });

  it("finds relatives of nodes that are in a box", () => {
    const boxed = {
      ...graph(DIAMOND),
      links: bytes(Uint32Array.of(0, 1, 0, 2, 1, 3, 2, 3)),
    };
    const { model, part } = open(DIAMOND, { _graph: boxed, selected: ["end"] });
    part("selection").click();
    part("menu-parents").click();
    expect(model.traits.selected).toEqual(["left", "right"]);
  });
});
