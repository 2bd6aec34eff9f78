import { describe, expect, it } from "vitest";
import { isNeeded, lookingAt, mapOf, middleOf, windowOf } from "../../src/core/minimap";
import { fit, NATURAL, scale } from "../../src/core/viewport";

const view = { width: 800, height: 400 };
const large = { width: 6000, height: 2000 };
const near = { zoom: 1, tx: -500, ty: -300 };

describe("the small map", () => {
  it.each([
    ["the whole graph is in the view", large, fit(large, view, "LR"), view, false],
    ["a part lies outside", large, near, view, true],
    ["a part lies outside of a low stage", large, near, { width: 800, height: 299 }, false],
    ["a part lies outside of a narrow stage", large, near, { width: 479, height: 400 }, false],
    [
      "a small graph was moved within the view",
      { width: 300, height: 100 },
      { zoom: 1, tx: 90, ty: 9 },
      view,
      false,
    ],
    [
      "a small graph was moved out of the view",
      { width: 300, height: 100 },
      { zoom: 1, tx: 600, ty: 9 },
      view,
      true,
    ],
    ["only its empty edge is outside", large, { zoom: 0.1, tx: -0.5, ty: 0 }, view, false],
  ])("where %s", (_, graph, at, size, needed) => {
    expect(isNeeded(graph, at, size)).toBe(needed);
  });

  it.each([
    ["usual", large],
    ["long", { width: 40_000, height: 32 }],
    ["high", { width: 100, height: 30_000 }],
    ["tiny", { width: 96, height: 32 }],
    ["empty", { width: 0, height: 0 }],
  ])("holds a %s graph wholly, and has a size that can be pressed", (_, graph) => {
    const map = mapOf(graph);
    expect(map.width).toBeLessThanOrEqual(177);
    expect(map.height).toBeLessThanOrEqual(113);
    expect(Math.min(map.width, map.height)).toBeGreaterThanOrEqual(40);
    expect(map.left).toBeGreaterThanOrEqual(4);
    expect(map.left + graph.width * map.across).toBeLessThanOrEqual(map.width - 4 + 1e-9);
    expect(map.top + graph.height * map.down).toBeLessThanOrEqual(map.height - 4 + 1e-9);
    expect(Math.max(map.across, map.down) / Math.min(map.across, map.down)).toBeLessThan(4.01);
  });

  it("shows which part is in the view, held at its edges", () => {
    const map = mapOf(large);
    const part = windowOf(map, near, view);
    expect(part.left).toBeCloseTo(500 * map.across + map.left);
    expect(part.right - part.left).toBeCloseTo(800 * map.across);
    expect(part.bottom).toBeCloseTo(700 * map.down + map.top);
    const off = windowOf(map, { zoom: 1, tx: 700, ty: 300 }, view);
    expect([off.left, off.top]).toEqual([0, 0]);
  });

  it.each([undefined, { along: "x" as const, most: 3, from: 0.1 }])(
    "leads to the point that is pressed, stretched or not (%o)",
    (stretch) => {
      const map = mapOf(large);
      const at = { zoom: NATURAL / 2, tx: 0, ty: 0, ...(stretch && { stretch }) };
      const to = lookingAt(map, at, view, 60, 30);
      expect(middleOf(map, to, view).x).toBeCloseTo(60);
      expect(middleOf(map, to, view).y).toBeCloseTo(30);
      expect(scale(to)).toEqual(scale(at));
    },
  );
});
