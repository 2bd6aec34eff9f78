// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import { State } from "../../src/core/types";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { delta, FakeModel, graph, layered, status } from "../fake";
import { drawn, freshBrowser } from "./browser";

const SPECS = layered(400);
const page = freshBrowser("performance");

function open(width = 800, height = 400) {
  const model = new FakeModel({ _graph: graph(SPECS), _status: status(SPECS.length) });
  const { initialize, render } = widget();
  initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  render({ model, el });
  page.resize(width, height);
  const root = el.firstElementChild as HTMLElement & { fuse: Handle };
  const stage = root.querySelector(".fuse-stage") as HTMLElement;
  const map = root.querySelector(".fuse-minimap") as HTMLElement;
  const zoomIn = (times = 12): void => {
    stage.focus();
    for (let k = 0; k < times; k++) {
      stage.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true }));
    }
    page.frame();
  };
  const point = (type: string, x: number, y: number): void => {
    map.dispatchEvent(new MouseEvent(type, { clientX: x, clientY: y, bubbles: true }));
  };
  const paintings = (): number => drawn.calls.putImageData ?? 0;
  return { model, root, stage, map, zoomIn, point, paintings };
}

describe("the small map", () => {
  it("is there only while a part of the graph lies outside, and no screen reader is told of it", () => {
    const { root, map, zoomIn } = open();
    expect(map.hidden).toBe(true);
    zoomIn();
    expect(map.hidden).toBe(false);
    expect(map.getAttribute("aria-hidden")).toBe("true");
    (root.querySelector('[data-fuse-role="fit"]') as HTMLElement).click();
    page.frame();
    expect(map.hidden).toBe(true);
  });

  it.each([
    [470, 400],
    [800, 290],
  ])("stays away from a stage of %i by %i pixels", (width, height) => {
    const { map, zoomIn } = open(width, height);
    zoomIn();
    expect(map.hidden).toBe(true);
  });

  it("moves the view to what is pressed and along with a drag, and selects nothing", () => {
    const { model, root, zoomIn, point } = open();
    zoomIn();
    const first = root.fuse.nodeCentre("node_0000") as { x: number; y: number };
    point("pointerdown", 8, 8);
    const pressed = root.fuse.nodeCentre("node_0000") as { x: number; y: number };
    expect(pressed.x).toBeGreaterThan(first.x);
    point("pointermove", 40, 20);
    point("pointerup", 40, 20);
    const dragged = root.fuse.nodeCentre("node_0000") as { x: number; y: number };
    expect(dragged.x).toBeLessThan(pressed.x);
    point("pointermove", 100, 60);
    expect(root.fuse.nodeCentre("node_0000")).toEqual(dragged);
    expect(model.traits.selected).toEqual([]);
  });

  it("lets the wheel through to the graph", () => {
    const { root, map, zoomIn } = open();
    zoomIn(8);
    const before = root.fuse.zoom();
    map.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, bubbles: true, cancelable: true }));
    expect(root.fuse.zoom()).toBeGreaterThan(before);
  });

  it("is painted when states have changed, ten times a second at most, and not by moving", () => {
    const { model, stage, zoomIn, paintings } = open();
    zoomIn();
    const before = paintings();
    stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    page.frame();
    expect(paintings()).toBe(before);
    for (let seq = 1; seq <= 10; seq++) {
      model.delta(delta(seq, [{ i: seq, state: State.done }]));
      vi.advanceTimersByTime(20);
      page.frame();
    }
    vi.advanceTimersByTime(200);
    const painted = paintings() - before;
    expect(painted).toBeGreaterThanOrEqual(2);
    expect(painted).toBeLessThanOrEqual(4);
  });
});
