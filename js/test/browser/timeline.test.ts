// The timeline in Chromium: what is painted for each attempt, what is said of it, and the line under the graph.
import { afterEach, describe, expect, it } from "vitest";
import { page } from "vitest/browser";
import { State } from "../../src/core/types";
import widget from "../../src/widget";
import { bytes, delta, FakeModel, graph, status } from "../fake";
import { missedAttempts } from "../fake_missed";
import "../../src/view/style.css";

const specs = [
  { name: "load", fn: "load" },
  { name: "fit", fn: "fit", parents: [0] },
];
const lost = { node: 1, attempt: 1, worker: 1, begin: 2, seconds: 4, why: "its worker was lost" };
const RUN = { run: 1, run_state: "running" as const, started: 990, now: 1000 };
let end = new AbortController();

function shown(missed = [lost]) {
  const model = new FakeModel({
    _graph: graph(specs),
    panels: ["timeline"],
    _status: status(2, {
      ...RUN,
      codes: [State.done, State.running],
      workers: ["vm:1", "vm:2"],
      worker: bytes(Uint16Array.from([1, 2])),
      attempt: bytes(Uint16Array.from([1, 1 + missed.length])),
      begin: bytes(Float32Array.from([0, 6])),
      seconds: bytes(Float32Array.from([2, Number.NaN])),
      missed: missedAttempts(missed),
    }),
  });
  const host = document.createElement("div");
  host.style.width = "800px";
  document.body.replaceChildren(host);
  end = new AbortController();
  widget().render({ model, el: host, signal: end.signal });
  const root = host.firstElementChild as HTMLElement;
  const canvas = root.querySelector(".fuse-lanes") as HTMLCanvasElement;
  const line = root.querySelector(".fuse-line") as HTMLButtonElement;
  /** The pixel of a lane at a time, the run having lasted ten seconds; labels are 128 pixels wide. */
  const place = (lane: number, time: number) => {
    const wide = canvas.getBoundingClientRect().width - 128 - 12;
    return { x: 128 + (time / 10) * wide, y: 20 * lane + 5 };
  };
  const colour = (lane: number, time: number): number[] => {
    const { x, y } = place(lane, time);
    const ratio = canvas.width / canvas.getBoundingClientRect().width;
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    return [...context.getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data];
  };
  return { model, root, canvas, line, place, colour };
}

afterEach(() => {
  end.abort();
  document.body.replaceChildren();
});

describe("the timeline", () => {
  it("paints each attempt on the lane of its worker, the earlier one paler, and says why it ended", async () => {
    const { model, canvas, place, colour } = shown();
    await expect.poll(() => canvas.width).toBeGreaterThan(400);
    await expect.poll(() => colour(1, 8)).toEqual([29, 111, 201, 255]);
    const [red = 0, green = 0, blue = 0] = colour(0, 5.5);
    expect(red).toBeGreaterThan(240);
    expect(Math.min(green, blue)).toBeGreaterThan(200);
    expect(Math.max(green, blue)).toBeLessThan(red);

    await page.elementLocator(canvas).hover({ position: place(0, 4) });
    expect(canvas.title).toBe("fit, 4.00 s\nattempt 1: its worker was lost");
    await page.elementLocator(canvas).hover({ position: place(1, 8) });
    expect(canvas.title).toBe("fit\nattempt 2");
    await page.elementLocator(canvas).click({ position: place(0, 4) });
    expect(model.get("selected")).toEqual(["fit"]);
  });
});

describe("the line under the graph", () => {
  it("tells what runs again, leads to it, and lets it go when the run has ended", async () => {
    const { model, line } = shown([]);
    expect(line.dataset.fuseKind).toBe("hint");
    const again = { i: 1, state: State.running, begin: 6, attempt: 2, worker: 2 };
    model.delta(delta(1, [again], { ...RUN, missed: missedAttempts([lost]) }));
    const told = "fit runs again (attempt 2), after its worker was lost (vm:1)";
    await expect.poll(() => line.textContent).toBe(told);
    expect(line.disabled).toBe(false);
    line.click();
    expect(model.get("selected")).toEqual(["fit"]);
    const done = { ...again, state: State.done, seconds: 3 };
    model.delta(delta(2, [done], { ...RUN, run_state: "done", ended: 1001 }));
    await expect.poll(() => line.dataset.fuseKind).toBe("hint");
  });
});
