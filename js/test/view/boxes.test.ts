// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import { State } from "../../src/core/types";
import { segments } from "../../src/view/boxes";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { classifiers, delta, FakeModel, grouped, matches, status } from "../fake";
import { drawn, freshBrowser } from "./browser";

const SPECS = classifiers(["moons", "circles"]);
const N = SPECS.length;
const FITS = "function:fit_and_score";
const fits = SPECS.flatMap(({ fn }, i) => (fn === "fit_and_score" ? [i] : []));
const page = freshBrowser();

function open(collapsed = [FITS]) {
  const model = new FakeModel({
    _graph: grouped(SPECS, collapsed),
    _status: status(N),
    collapsed,
  });
  const { initialize, render } = widget();
  initialize({ model });
  const el = document.body.appendChild(document.createElement("div"));
  render({ model, el });
  page.resize(1200, 400);
  const root = el.firstElementChild as HTMLElement & { fuse: Handle };
  const stage = root.querySelector(".fuse-stage") as HTMLElement;
  let time = 0;
  const press = (name: string, wait = 1000): void => {
    const at = root.fuse.nodeCentre(name) as { x: number; y: number };
    time += wait;
    for (const type of ["pointerdown", "pointerup"]) {
      const event = new MouseEvent(type, {
        clientX: at.x,
        clientY: at.y,
        bubbles: true,
        button: 0,
      });
      Object.defineProperty(event, "timeStamp", { value: time });
      stage.dispatchEvent(event);
    }
  };
  return { model, root, stage, press };
}

describe("a box of several nodes", () => {
  it("is painted in place of them, with its count, while all are counted", () => {
    const { root } = open();
    expect(root.dataset).toMatchObject({ fuseNodes: String(N), fuseBoxes: String(N - 19) });
    expect(root.fuse.visible()).toBe(N - 19);
    expect(drawn.texts).toContain("fit_and_score");
    expect(drawn.texts).toContain("\u00d720");
    expect(drawn.texts).not.toContain(SPECS[fits[0]].name);
  });

  it("is where its nodes are, and a click on it selects them all", () => {
    const { model, root, press } = open();
    const [one, other] = [fits[0], fits[9]].map((i) => root.fuse.nodeCentre(SPECS[i].name));
    expect(one).toEqual(other);
    press(SPECS[fits[0]].name);
    expect(model.traits.selected).toEqual(fits.map((i) => SPECS[i].name));
    page.frame();
    expect(root.dataset.fuseSelected).toBe("20");
  });

  it("expands with a double-click, and other groups stay as they are", () => {
    const { model, press } = open([FITS, "function:load"]);
    press(SPECS[fits[0]].name);
    press(SPECS[fits[0]].name, 100);
    expect(model.traits.collapsed).toEqual(["function:load"]);
  });

  it("says how many of its nodes match, and going to a match goes to it", () => {
    const { model, root } = open();
    drawn.texts = [];
    model.set("query", "moons.*SVM.*");
    model.set("_matches", matches("moons.*SVM.*", fits.slice(1, 3)));
    page.frame();
    expect(root.dataset.fuseMatches).toBe("2");
    expect(drawn.texts).toContain("2 of 20");
    const next = root.querySelector('[data-fuse-role="next"]') as HTMLElement | null;
    (next as HTMLElement).click();
    page.frame();
    const at = root.fuse.nodeCentre(SPECS[fits[5]].name);
    expect(at?.x).toBeCloseTo(600, 0);
  });

  it("tells its states in a card, all of them text", () => {
    const { model, root, stage } = open();
    model.delta(
      delta(1, [
        { i: fits[0], state: State.failed },
        { i: fits[1], state: State.done, seconds: 1 },
      ]),
    );
    page.frame();
    const at = root.fuse.nodeCentre(SPECS[fits[0]].name) as { x: number; y: number };
    stage.dispatchEvent(
      new MouseEvent("pointermove", { clientX: at.x, clientY: at.y, bubbles: true }),
    );
    vi.advanceTimersByTime(200);
    const card = root.querySelector(".fuse-card") as HTMLElement;
    expect(card.hidden).toBe(false);
    expect(card.dataset.fuseState).toBe("failed");
    expect(card.textContent).toBe("fit_and_scorenodes20pending18done1failed1");
  });

  it("moves while one of its nodes runs", () => {
    const { model } = open();
    page.frame();
    expect(page.open().frames).toBe(0);
    model.delta(delta(1, [{ i: fits[3], state: State.running, begin: 0 }]));
    page.frame();
    expect(page.open().frames).toBe(1);
    model.delta(delta(2, [{ i: fits[3], state: State.done, seconds: 1 }], { run_state: "done" }));
    page.frame();
    expect(page.open().frames).toBe(0);
  });

  it("is collapsed, expanded and collapsed again from the menu", () => {
    const { model, root, press } = open([]);
    const choose = (role: string): void => {
      (root.querySelector('[data-fuse-role="selection"]') as HTMLElement).click();
      (root.querySelector(`[data-fuse-role="menu-${role}"]`) as HTMLElement).click();
    };
    press(SPECS[fits[0]].name);
    choose("collapse");
    expect(model.traits.collapsed).toEqual([FITS]);
    model.set("_graph", grouped(SPECS, [FITS], { version: 2 }));
    choose("expand");
    expect(model.traits.collapsed).toEqual([]);
    model.set("_graph", grouped(SPECS, [], { version: 3 }));
    choose("collapse-big");
    expect(model.traits.collapsed).toEqual([FITS]);
    model.set("_graph", grouped(SPECS, [FITS], { version: 4 }));
    choose("expand-all");
    expect(model.traits.collapsed).toEqual([]);
  });
});

describe("a workflow without groups", () => {
  it("has nothing to expand in its menu", () => {
    const { model, root } = open([]);
    const entries = (): string[] => {
      root.querySelector<HTMLElement>('[data-fuse-role="selection"]')?.click();
      return [...root.querySelectorAll<HTMLElement>("[role=menuitem]")].map(
        ({ dataset }) => dataset.fuseRole ?? "",
      );
    };
    expect(entries()).toContain("menu-expand");
    model.set("_graph", { ...grouped(SPECS, [], { version: 2 }), groups: [] });
    expect(entries().filter((role) => /expand|collapse/.test(role))).toEqual([]);
  });
});

describe("a bar of states", () => {
  const counts = (given: Record<number, number>): Uint32Array =>
    Uint32Array.from({ length: 9 }, (_, code) => given[code] ?? 0);
  const lengths = (given: Record<number, number>, room = 100): number[][] =>
    segments(counts(given), room, 3).map(({ code, left, wide }) => [code, left, wide]);

  it("has the order of the toolbar's and leaves what is to come empty", () => {
    expect(lengths({ [State.done]: 5, [State.cached]: 2, [State.pending]: 3 })).toEqual([
      [State.cached, 0, 20],
      [State.done, 20, 50],
    ]);
    expect(lengths({ [State.pending]: 4 })).toEqual([]);
    expect(lengths({ [State.done]: 4 })).toEqual([[State.done, 0, 100]]);
  });

  it("shows one failure among a thousand nodes, and that one is still to come", () => {
    const [[, , done], [code, left, wide]] = lengths({ [State.done]: 999, [State.failed]: 1 });
    expect([code, done]).toEqual([State.failed, left]);
    expect(wide).toBeGreaterThan(2.5);
    expect(left + wide).toBeCloseTo(100, 6);
    const parts = lengths({ [State.done]: 999, [State.pending]: 1 });
    expect(parts[0][2]).toBeCloseTo(97, 6);
  });
});
