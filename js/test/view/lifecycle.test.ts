// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import { State } from "../../src/core/types";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { classifiers, delta, FakeModel, graph, type Spec, status } from "../fake";
import { drawn, freshBrowser } from "./browser";

const NOTHING = { listeners: 0, observers: 0, frames: 0, timers: 0 };
const page = freshBrowser();

function open(specs: Spec[] = classifiers(["moons"]), traits = {}) {
  const model = new FakeModel({ _graph: graph(specs), _status: status(specs.length), ...traits });
  const { initialize, render } = widget();
  const end = initialize({ model });
  const view = () => {
    const el = document.body.appendChild(document.createElement("div"));
    const controller = new AbortController();
    const close = render({ model, el, signal: controller.signal });
    page.resize(800, 400);
    const root = el.firstElementChild as HTMLElement & { fuse: Handle };
    const button = (role: string) =>
      root.querySelector(`[data-fuse-role="${role}"]`) as HTMLButtonElement;
    return { el, root, controller, close, button };
  };
  return { model, end, view };
}
const running = { run: 1, run_state: "running" as const, started: 990 };
const point = (type: string, at: { x: number; y: number }, more = {}) =>
  new MouseEvent(type, { clientX: at.x, clientY: at.y, bubbles: true, ...more });

describe("closing a view", () => {
  it.each(["signal", "function"])("leaves nothing behind, by %s, in the middle of a run", (how) => {
    const before = page.open();
    const { model, end, view } = open();
    const session = page.open();
    const { controller, close, root } = view();
    model.delta(delta(1, [{ i: 3, state: State.running, begin: 0 }]));
    page.frame();
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    stage.dispatchEvent(point("pointermove", root.fuse.nodeCentre("scores") as never));
    stage.dispatchEvent(new WheelEvent("wheel", { deltaY: 1, bubbles: true }));
    const during = page.open();
    expect(during.listeners).toBeGreaterThan(15);
    expect(during.observers).toBeGreaterThanOrEqual(3);
    expect(during.frames).toBe(1);
    expect(during.timers).toBeGreaterThan(0);
    if (how === "signal") controller.abort();
    else close();
    expect(page.open()).toEqual(session);
    expect(document.querySelector(".fuse-widget")).toBeNull();
    model.delta(delta(2, [{ i: 3, state: State.done }]));
    expect(page.open()).toEqual(session);
    end();
    expect(model.listeners).toEqual([]);
    expect(page.open()).toEqual(before);
    expect(before).toEqual(NOTHING);
  });

  it("leaves the other view of the model alone", () => {
    const { model, view } = open();
    const [one, two] = [view(), view()];
    one.close();
    model.delta(delta(1, [{ i: 0, state: State.done, seconds: 1 }]));
    page.frame();
    expect(two.root.getAttribute("data-fuse-done")).toBe("1");
    expect(one.root.getAttribute("data-fuse-done")).toBe("0");
  });
});

describe("an output that JupyterLab draws again", () => {
  it("shows the view that it took out of the page, as it was", () => {
    const { model, view } = open();
    const old = view();
    old.button("timeline").click();
    old.el.remove();
    const again = view();
    expect(again.el.firstElementChild).toBe(old.root);
    model.delta(delta(1, [{ i: 0, state: State.done, seconds: 1 }]));
    page.frame();
    expect(old.root.getAttribute("data-fuse-done")).toBe("1");
    const other = view();
    expect(other.el.firstElementChild).not.toBe(old.root);
    again.close();
    expect(again.el.firstElementChild).toBeNull();
    expect(other.el.firstElementChild).toBe(other.root);
  });

  it("leaves a view alone that is out of sight with its cell, or not on the page yet", () => {
    const { view } = open();
    const cell = document.body.appendChild(document.createElement("div"));
    const hidden = view();
    cell.append(hidden.el);
    cell.remove();
    const second = view();
    expect(hidden.el.firstElementChild).toBe(hidden.root);
    expect(second.root).not.toBe(hidden.root);
  });
});

describe("a view", () => {
  it("says on its root what it has painted", () => {
    const { model, view } = open();
    const { root } = view();
    expect(root.dataset).toMatchObject({
      fuseView: "dag",
      fuseNodes: "15",
      fuseDone: "0",
      fuseMatches: "0",
      fuseRunState: "idle",
    });
    const painted = Number(root.dataset.fusePainted);
    expect(painted).toBeGreaterThan(0);
    expect(root.fuse.visible()).toBe(15);
    model.delta(
      delta(1, [
        { i: 0, state: State.cached },
        { i: 1, state: State.done, seconds: 1 },
        { i: 2, state: State.failed },
        { i: 3, state: State.running, begin: 0 },
      ]),
    );
    expect(root.dataset.fuseDone).toBe("0");
    page.frame();
    expect(root.dataset).toMatchObject({ fuseDone: "2", fuseFailed: "1", fuseRunning: "1" });
    expect(Number(root.dataset.fusePainted)).toBe(painted + 1);
    expect(drawn.texts).toContain("moons, split");
    expect(drawn.texts).not.toContain("cached");
    page.resize(1600, 600);
    expect(drawn.texts).toContain("cached");
  });

  it("asks for frames only while something runs", () => {
    const { model, view } = open();
    view();
    page.frame();
    expect(page.open().frames).toBe(0);
    model.delta(delta(1, [{ i: 3, state: State.running, begin: 0 }]));
    page.frame();
    page.frame();
    expect(page.open().frames).toBe(1);
    model.delta(delta(2, [{ i: 3, state: State.done }], { run_state: "done", ended: 1002 }));
    page.frame();
    expect(page.open()).toMatchObject({ frames: 0, timers: 0 });
  });

  it("shares the selection with the model and with the other view", () => {
    const { model, view } = open();
    const [one, two] = [view(), view()];
    const stage = one.root.querySelector(".fuse-stage") as HTMLElement;
    const click = (name: string | null, more = {}) => {
      const at =
        name === null
          ? { x: 1, y: 1 }
          : (one.root.fuse.nodeCentre(name) as { x: number; y: number });
      stage.dispatchEvent(point("pointerdown", at, more));
      stage.dispatchEvent(point("pointerup", at, more));
      page.frame();
    };
    click("scores");
    expect(model.traits.selected).toEqual(["scores"]);
    click("report", { ctrlKey: true });
    expect(model.traits.selected).toEqual(["scores", "report"]);
    expect(two.root.dataset.fuseSelected).toBe("2");
    click("scores", { shiftKey: true });
    expect(model.traits.selected).toEqual(["report"]);
    click(null);
    expect(model.traits.selected).toEqual([]);
    expect(two.root.dataset.fuseSelected).toBe("0");
  });

  it("shows hostile names as text", () => {
    vi.useFakeTimers();
    const name = '<img src=x onerror="window.hacked=1">\u202e\nnext';
    const { view } = open([{ name, fn: "<script>1</script>" }]);
    const { root } = view();
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    stage.dispatchEvent(point("pointermove", root.fuse.nodeCentre(name) as never));
    vi.advanceTimersByTime(200);
    const card = root.querySelector(".fuse-card") as HTMLElement;
    expect(card.hidden).toBe(false);
    expect(card.querySelector(".fuse-card-name")?.textContent).toBe(
      '<img src=x onerror="window.hacked=1"> next',
    );
    expect(root.querySelector("img, script")).toBeNull();
    stage.dispatchEvent(point("pointerleave", { x: 0, y: 0 }));
    expect(card.hidden).toBe(true);
  });

  it("enables the buttons that make sense, and sends their commands", () => {
    const { model, view } = open();
    const { button } = view();
    const enabled = () => ["run", "stop", "pause", "step"].filter((role) => !button(role).disabled);
    expect(enabled()).toEqual(["run", "step"]);
    button("run").click();
    expect(enabled()).toEqual(["step"]);
    model.reply(model.sent[0]);
    model.delta(delta(1, []));
    expect(enabled()).toEqual(["stop", "pause"]);
    button("pause").click();
    model.delta(delta(2, [], { run_state: "paused" }));
    model.reply(model.sent[1]);
    expect(button("pause").textContent).toBe("Resume");
    button("stop").click();
    model.delta(delta(3, [], { run_state: "stopping" }));
    expect(button("stop").textContent).toBe("Interrupt");
    expect(enabled()).toEqual(["stop"]);
    button("stop").click();
    expect(model.sent.map((c) => c.name)).toEqual(["run", "pause", "stop", "stop"]);
  });

  it("names the failed node under the graph, and tells all about it when pressed", () => {
    const { model, view } = open();
    const { button } = view();
    const errors = { "4": { type: "ValueError", message: "bad\nlines", root: "x" } };
    model.delta(delta(1, [{ i: 4, state: State.failed }], { errors }));
    const line = button("notice");
    expect(line.textContent).toBe("moons, RBF SVM-model: ValueError: bad lines");
    line.click();
    expect(model.traits.selected).toEqual(["moons, RBF SVM-model"]);
    expect(model.traits.panels).toEqual(["inspector"]);
  });

  it("turns when asked, and keeps the direction in the model", () => {
    const { model, view } = open();
    const { button } = view();
    button("direction").click();
    expect(model.traits.direction).toBe("TB");
    expect(button("direction").getAttribute("aria-label")).toContain("top to bottom");
  });

  it("leaves the wheel to the page until the graph has the focus", () => {
    const { view } = open();
    const { root } = view();
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    const wheel = (more = {}) => {
      const event = new WheelEvent("wheel", {
        deltaY: -100,
        bubbles: true,
        cancelable: true,
        ...more,
      });
      stage.dispatchEvent(event);
      return event.defaultPrevented;
    };
    const before = root.fuse.zoom();
    expect(wheel()).toBe(false);
    expect(root.fuse.zoom()).toBe(before);
    expect(root.querySelector(".fuse-hint")?.textContent).toContain("hold Ctrl");
    expect(wheel({ ctrlKey: true })).toBe(true);
    expect(root.fuse.zoom()).toBeGreaterThan(before);
    stage.focus();
    expect(wheel()).toBe(true);
  });

  it("draws only what is in the viewport, and no names from afar", () => {
    const specs = Array.from({ length: 3000 }, (_, i) => ({ name: `node ${i}`, fn: "f" }));
    const { view } = open(specs);
    const { root } = view();
    expect(root.fuse.visible()).toBe(3000);
    expect(drawn.texts).toEqual([]);
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    stage.focus();
    for (let k = 0; k < 60; k++) {
      stage.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true }));
    }
    page.frame();
    expect(root.fuse.visible()).toBeLessThan(20);
    expect(root.fuse.visible()).toBeGreaterThan(0);
  });

  it("finds each node where it is painted, in an overview that is stretched", () => {
    const specs = classifiers();
    const { view } = open(specs);
    const { root } = view();
    page.resize(800, 560);
    expect(drawn.texts).toContain("moons, split");
    expect(drawn.texts).not.toContain("moons, QDA-model");
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    const name = root.querySelector(".fuse-card-name") as HTMLElement;
    for (const spec of specs) {
      stage.dispatchEvent(point("pointermove", root.fuse.nodeCentre(spec.name) as never));
      vi.advanceTimersByTime(200);
      expect(name.textContent).toBe(spec.name);
    }
  });

  it("says so where there is nothing to draw, or where it cannot be drawn", () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
    expect(open([]).view().root.textContent).toContain("This workflow has no nodes");
    const broken = open(classifiers(["moons"]), { _graph: { names: ["a"], version: 1 } }).view()
      .root;
    expect(broken.textContent).toContain("could not be read: the column function is missing");
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
    const { el } = open().view();
    expect(el.textContent).toBe(
      "fuse_widgets could not draw this graph: this browser gives no 2D canvas; " +
        "the text form is `print(workflow)`",
    );
    expect(quiet).toHaveBeenCalled();
  });

  it("shows a run that was under way as it was last known, without moving, until the kernel answers", () => {
    const specs = classifiers(["moons"]);
    const codes = specs.map((_, i) => (i === 2 ? State.running : State.pending));
    const { model, view } = open(specs, { _status: status(specs.length, { codes, ...running }) });
    const { root } = view();
    page.frame();
    expect(page.open().frames).toBe(0);
    vi.advanceTimersByTime(2100);
    expect(root.textContent).toContain(
      "Waiting for the kernel\u2026 showing the last state it sent",
    );
    model.reply(model.sent[0]);
    page.frame();
    expect(page.open().frames).toBe(1);
  });
});
