import { describe, expect, it } from "vitest";
import { areaAround, areaOf, touches } from "../../src/core/area";
import { added, clicked, inverted, namesOf } from "../../src/core/selection";
import { fit, fitRect, scale, toView } from "../../src/core/viewport";
import { decodeGraph } from "../../src/sync/decode";
import { bytes, classifiers, graph, type Spec } from "../fake";

const specs: Spec[] = ["a", "b", "c"].map((name) => ({ name, fn: "f" }));
const plain = decodeGraph(graph(specs));
/** a and b are drawn as one box, number 3. */
const boxed = decodeGraph({
  ...graph(specs),
  groups: [{ id: "function:f", label: "f", count: 2 }],
  boxes: [{ group: 0, label: "f", count: 2 }],
  box: bytes(Uint32Array.of(3, 3, 2)),
  x: bytes(Float32Array.of(Number.NaN, Number.NaN, 100, 300)),
  y: bytes(Float32Array.of(Number.NaN, Number.NaN, 10, 50)),
  w: bytes(Float32Array.of(96, 96, 100, 200)),
});

describe("a click", () => {
  it("selects one, adds and removes with Ctrl, clears on nothing", () => {
    expect(clicked(["a"], ["b"], false)).toEqual(["b"]);
    expect(clicked(["a"], ["b"], true)).toEqual(["a", "b"]);
    expect(clicked(["a", "b"], ["a"], true)).toEqual(["b"]);
    expect(clicked(["a"], [], false)).toEqual([]);
    expect(clicked(["a"], [], true)).toEqual(["a"]);
  });

  it("on a box means all nodes in it, which leave the selection only where all were in it", () => {
    const both = namesOf(boxed, [3]);
    expect(both).toEqual(["a", "b"]);
    expect(clicked(["a", "c"], both, true)).toEqual(["a", "c", "b"]);
    expect(clicked(["a", "c", "b"], both, true)).toEqual(["c"]);
  });
});

describe("the selection", () => {
  it("is added to without repeating a name, and inverted in the order of the graph", () => {
    expect(added(["b"], ["a", "b"])).toEqual(["b", "a"]);
    expect(inverted(["a", "b", "c"], ["b"])).toEqual(["a", "c"]);
    expect(namesOf(plain, [2, 0])).toEqual(["a", "c"]);
  });
});

describe("areas", () => {
  it("are those of the box where a node is in one", () => {
    const box = { left: 200, right: 400, top: 34, bottom: 66 };
    expect([areaOf(boxed, 0), areaOf(boxed, 3)]).toEqual([box, box]);
    expect(areaAround(boxed, [1, 2])).toEqual({ left: 50, right: 400, top: -6, bottom: 66 });
    expect(areaAround(boxed, [])).toBeNull();
    expect(touches(box, { ...box, left: 400, right: 500 })).toBe(true);
    expect(touches(box, { ...box, left: 401, right: 500 })).toBe(false);
  });

  it.each([
    ["a few nodes", { left: 100, top: 100, right: 300, bottom: 180 }, 1],
    ["many", { left: 0, top: 0, right: 9000, bottom: 3000 }, 0.04],
  ])("of %s are fitted into the middle, as large as they can be", (_, area, least) => {
    const view = { width: 800, height: 400 };
    const whole = decodeGraph(graph(classifiers()));
    for (const stretch of [undefined, fit(whole, view, "LR").stretch]) {
      const at = fitRect(area, view, stretch);
      const [start, end] = [toView(at, area.left, area.top), toView(at, area.right, area.bottom)];
      expect(at.zoom).toBeGreaterThanOrEqual(stretch ? least / 4 : least);
      expect(at.zoom).toBeLessThanOrEqual(1);
      expect(start.x).toBeGreaterThanOrEqual(15.9);
      expect(end.y).toBeLessThanOrEqual(384.1);
      expect((start.x + end.x) / 2).toBeCloseTo(400, 1);
      expect((start.y + end.y) / 2).toBeCloseTo(200, 1);
      const by = scale({ ...at, zoom: Math.min(1, at.zoom * 1.02) });
      const [wide, tall] = [area.right - area.left, area.bottom - area.top];
      expect(at.zoom === 1 || wide * by.x > 768 || tall * by.y > 368).toBe(true);
    }
  });
});
