import { describe, expect, it } from "vitest";
import { curves } from "../../src/core/curves";
import { Grid } from "../../src/core/grid";
import {
  centred,
  clamp,
  fit,
  MAX_ZOOM,
  NATURAL,
  PADDING,
  scale,
  shown,
  stretched,
  toGraph,
  toView,
  zoomAbout,
} from "../../src/core/viewport";
import { decodeGraph } from "../../src/sync/decode";
import { bytes, graph } from "../fake";

const VIEW = { width: 800, height: 400 };

describe("the viewport", () => {
  it("fits a large graph whole, in the middle", () => {
    const at = fit({ width: 2000, height: 500 }, VIEW, undefined, 20);
    expect(at.zoom).toBeCloseTo(760 / 2000);
    expect(toView(at, 0, 0).x).toBeCloseTo(20);
    expect(toView(at, 2000, 0).x).toBeCloseTo(780);
    expect(toView(at, 0, 250).y).toBeCloseTo(200);
  });

  it("never blows up a small graph", () => {
    expect(fit({ width: 100, height: 30 }, VIEW)).toEqual({ zoom: 1, tx: 350, ty: 185 });
  });

  it("keeps the point under the pointer while it zooms, within bounds", () => {
    const at = { zoom: 0.5, tx: 30, ty: -10 };
    const before = toGraph(at, 123, 45);
    const after = toGraph(zoomAbout(at, 1.7, 123, 45), 123, 45);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
    expect(zoomAbout(at, 1e9, 0, 0).zoom).toBe(MAX_ZOOM);
    expect(zoomAbout(at, 1e-9, 0, 0, 0.1).zoom).toBe(0.1);
  });

  it("never lets the graph leave the view", () => {
    const size = { width: 1000, height: 1000 };
    expect(clamp({ zoom: 1, tx: 5000, ty: -5000 }, size, VIEW, 50)).toEqual({
      zoom: 1,
      tx: 750,
      ty: -950,
    });
    expect(clamp({ zoom: 1, tx: 10, ty: 20 }, size, VIEW)).toEqual({ zoom: 1, tx: 10, ty: 20 });
  });

  it("knows which part of the graph it shows", () => {
    expect(shown({ zoom: 2, tx: -100, ty: 0 }, VIEW, 5)).toEqual({
      left: 45,
      top: -5,
      right: 455,
      bottom: 205,
    });
    expect(centred({ x: 10, y: 10 }, 2, VIEW)).toEqual({ zoom: 2, tx: 380, ty: 180 });
  });
});

describe("the stretch", () => {
  const size = { width: 1200, height: 3000 };
  const view = { width: 750, height: 560 };

  it("uses the width that a high graph leaves free, and no more", () => {
    const at = fit(size, view, "LR");
    expect(at.zoom).toBeCloseTo(fit(size, view).zoom);
    expect(toView(at, 0, 0).x).toBeCloseTo(PADDING);
    expect(toView(at, 1200, 3000).x).toBeCloseTo(750 - PADDING);
    expect(toView(at, 600, 1500)).toEqual({ x: 375, y: 280 });
    expect(fit(size, { ...view, width: 4000 }, "LR").stretch?.most).toBeLessThan(4.2);
    expect(fit(size, view, "TB").stretch).toBeUndefined();
    expect(fit({ width: 800, height: 600 }, view, "LR").stretch).toBeUndefined();
    expect(stretched(fit({ width: 9000, height: 300 }, view, "TB")).down).toBeGreaterThan(5);
  });

  it("fades without a jump: zooming in makes everything longer, until nothing is stretched", () => {
    for (const wide of [400, 750, 1200, 3000]) {
      const at = fit(size, { ...view, width: wide }, "LR");
      let before = scale(at);
      for (let zoom = at.zoom; zoom < 1; zoom *= 1.01) {
        const now = scale({ ...at, zoom });
        expect(now.x).toBeGreaterThanOrEqual(before.x);
        expect(now.x / before.x).toBeLessThan(1.011);
        expect(now.x).toBeGreaterThanOrEqual(now.y);
        before = now;
      }
      expect(stretched({ ...at, zoom: NATURAL })).toEqual({ across: 1, down: 1 });
      expect(stretched({ ...at, zoom: at.zoom / 2 })).toEqual(stretched(at));
    }
  });

  it("keeps the point under the pointer while it zooms in and out, and what is shown agrees", () => {
    for (const direction of ["LR", "TB"] as const) {
      let at = fit(direction === "LR" ? size : { width: 9000, height: 300 }, view, direction);
      const under = toGraph(at, 123, 45);
      for (const factor of [1.3, 1.7, 0.4, 2.2, 1.9, 3, 0.2]) {
        at = zoomAbout(at, factor, 123, 45, 0.01);
        const now = toGraph(at, 123, 45);
        expect(now.x).toBeCloseTo(under.x);
        expect(now.y).toBeCloseTo(under.y);
        const area = shown(at, view);
        expect(toView(at, area.right, area.bottom).x).toBeCloseTo(view.width);
        expect(toView(at, area.right, area.bottom).y).toBeCloseTo(view.height);
      }
    }
  });
});

describe("the grid", () => {
  const boxes = Float32Array.from(
    Array.from({ length: 400 }, (_, i) => [(i % 20) * 100, Math.floor(i / 20) * 50]).flatMap(
      ([x, y]) => [x, y, x + 80, y + 30],
    ),
  );
  const grid = new Grid(boxes, 130);

  it("finds what a slow search finds, each once", () => {
    for (const area of [
      { left: 150, top: 60, right: 420, bottom: 140 },
      { left: -500, top: -500, right: 5000, bottom: 5000 },
      { left: 85, top: 35, right: 95, bottom: 45 },
      { left: 3000, top: 0, right: 3100, bottom: 10 },
    ]) {
      const slow: number[] = [];
      for (let i = 0; i < 400; i++) {
        const [l, t, r, b] = boxes.subarray(4 * i, 4 * i + 4);
        if (l <= area.right && r >= area.left && t <= area.bottom && b >= area.top) slow.push(i);
      }
      expect(grid.within(area)).toEqual(slow);
    }
  });

  it("tells which box holds a point", () => {
    expect(grid.at(140, 60)).toBe(21);
    expect(grid.at(190, 60)).toBe(-1);
    expect(grid.at(-1, -1)).toBe(-1);
    expect(new Grid(new Float32Array(0), 100).at(0, 0)).toBe(-1);
  });

  it("holds one box as wide as the world beside a thousand small ones", () => {
    const many = new Float32Array(4 * 1001);
    for (let i = 0; i < 1000; i++) many.set([i * 1000, 0, i * 1000 + 1, 1], 4 * i);
    many.set([0, 0, 1e6, 1], 4000);
    expect(new Grid(many, 10).within({ left: 5000, top: 0, right: 5000, bottom: 1 })).toEqual([
      5, 1000,
    ]);
  });
});

describe("curves", () => {
  const specs = [
    { name: "a", fn: "f" },
    { name: "b", fn: "f", parents: [0] },
  ];

  it("go from the right edge of the source to the left edge of the target", () => {
    const g = decodeGraph(graph(specs));
    const { at, pts } = curves(g);
    expect([...at]).toEqual([0, 4]);
    expect(pts[0]).toBeCloseTo(g.x[0] + g.w[0] / 2, 3);
    expect(pts[6]).toBeCloseTo(g.x[1] - g.w[1] / 2, 3);
    expect(pts[1]).toBe(pts[3]);
    expect(pts[5]).toBe(pts[7]);
  });

  it("go from bottom to top where the layout runs down", () => {
    const g = decodeGraph(graph(specs, { direction: "TB" }));
    const { pts } = curves(g);
    expect(pts[1]).toBeCloseTo(g.y[0] + g.h / 2, 3);
    expect(pts[7]).toBeCloseTo(g.y[1] - g.h / 2, 3);
  });

  it("pass through the route points and never swing past them", () => {
    const wire = graph(specs);
    const g = decodeGraph({
      ...wire,
      x: bytes(Float32Array.from([0, 1000])),
      y: bytes(Float32Array.from([0, 0])),
      w: bytes(Float32Array.from([100, 100])),
      route: bytes(Float32Array.from([300, 80, 600, 80])),
      route_at: bytes(Uint32Array.from([0, 2])),
    });
    const { at, pts, boxes } = curves(g);
    expect(at[1]).toBe(10);
    expect([pts[6], pts[7]]).toEqual([300, 80]);
    expect([pts[12], pts[13]]).toEqual([600, 80]);
    expect([...boxes]).toEqual([50, 0, 950, 80]);
  });
});
