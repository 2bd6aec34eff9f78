import { describe, expect, it } from "vitest";
import {
  bigGroups,
  boxCounts,
  boxedGroups,
  chosenOf,
  groupOfBox,
  groupsOf,
  overall,
  paintedCount,
  tally,
} from "../../src/core/groups";
import { kept, placeOf } from "../../src/core/kept";
import { boxFacts, graphLabel } from "../../src/core/progress";
import { fromStatus } from "../../src/core/reducer";
import { roomOf } from "../../src/core/room";
import { STATES, State } from "../../src/core/types";
import { toView } from "../../src/core/viewport";
import { decodeGraph, decodeStatus } from "../../src/sync/decode";
import { Scene } from "../../src/view/scene";
import { classifiers, grouped, status } from "../fake";

const SPECS = classifiers(["moons", "circles"]);
const N = SPECS.length;
const FITS = "function:fit_and_score";
const boxed = decodeGraph(grouped(SPECS, [FITS, "function:load"]));
const flat = decodeGraph(grouped(SPECS, []));
const fits = SPECS.flatMap(({ fn }, i) => (fn === "fit_and_score" ? [i] : []));
const run = (codes: number[]) => fromStatus(decodeStatus(status(N, { codes })));

describe("a graph with boxes", () => {
  it("has them behind its nodes, which are nowhere themselves", () => {
    expect(boxed.boxes.map(({ label, count }) => [label, count])).toEqual([
      ["fit_and_score", 20],
      ["load", 2],
    ]);
    expect([...boxed.box].filter((k) => k === N)).toHaveLength(20);
    for (const i of fits) expect(boxed.x[i]).toBeNaN();
    expect(paintedCount(boxed)).toBe(N - 22 + 2);
    expect(paintedCount(flat)).toBe(N);
  });

  it("is found by the pointer, box by box, and has room around it", () => {
    const scene = new Scene(boxed);
    expect(scene.nodes.at(boxed.x[N], boxed.y[N])).toBe(N);
    const all = scene.nodes.within({ left: -1e6, right: 1e6, top: -1e6, bottom: 1e6 });
    expect(all).toHaveLength(paintedCount(boxed));
    expect(all.filter((k) => k >= N)).toEqual([N, N + 1]);
    const room = roomOf(boxed, scene.nodes);
    for (const k of all) expect(room.gap[k]).not.toBeNaN();
    expect([...scene.curves.pts].some(Number.isNaN)).toBe(false);
    expect(scene.name(N)).toBe("fit_and_score");
    expect(scene.usualWidth).toBeGreaterThan(90);
  });
});

describe("states in boxes", () => {
  it("are counted, each node once", () => {
    const codes = new Array(N).fill(State.pending);
    for (const [k, i] of fits.entries()) codes[i] = k < 5 ? State.done : State.queued;
    const counts = boxCounts(boxed, run(codes));
    expect(counts).toHaveLength(2 * STATES.length);
    expect([counts[State.done], counts[State.queued]]).toEqual([5, 15]);
    expect(counts[STATES.length + State.pending]).toBe(2);
    expect(boxCounts(flat, run(codes))).toHaveLength(0);
    const scene = new Scene(boxed);
    expect(scene.code(run(codes), N)).toBe(State.queued);
    expect(scene.code(run(codes), fits[0])).toBe(State.done);
  });

  it("are counted anew when the run has gone on", () => {
    const scene = new Scene(boxed);
    const now = run([]);
    expect(scene.inside(now, N)[State.failed]).toBe(0);
    now.state[fits[0]] = State.failed;
    now.seq++;
    expect(scene.inside(now, N)[State.failed]).toBe(1);
    expect(scene.code(now, N)).toBe(State.failed);
  });

  it.each([
    [{ done: 9, failed: 1, running: 5 }, "failed"],
    [{ done: 9, running: 1, pending: 5 }, "running"],
    [{ done: 9, pending: 1 }, "pending"],
    [{ done: 9, cached: 3 }, "done"],
    [{ cached: 3 }, "cached"],
    [{ done: 9, skipped: 1 }, "skipped"],
    [{}, "pending"],
  ] as const)("%o stand for %s", (given, name) => {
    const counts = Uint32Array.from(
      STATES,
      (state) => (given as Record<string, number>)[state] ?? 0,
    );
    expect(STATES[overall(counts)]).toBe(name);
  });

  it("are told by the card, and to a screen reader how many nodes are in boxes", () => {
    const counts = Uint32Array.from(
      STATES,
      (state) => ({ done: 3, failed: 1 })[state as string] ?? 0,
    );
    expect(boxFacts(counts)).toEqual([
      { label: "nodes", text: "4" },
      { label: "done", text: "3" },
      { label: "failed", text: "1" },
    ]);
    expect(graphLabel(boxed, run([]))).toBe(
      `Workflow classifiers: ${N} nodes, 44 edges; ${N} pending; 22 of the nodes in 2 boxes`,
    );
  });
});

describe("selected and found nodes in boxes", () => {
  it("mark their box as whole or in part", () => {
    expect(chosenOf(boxed, new Set(fits))).toEqual({ whole: new Set([N]), partly: new Set() });
    const some = new Set([fits[0], N - 1]);
    expect(chosenOf(boxed, some)).toEqual({ whole: new Set([N - 1]), partly: new Set([N]) });
    expect(chosenOf(flat, some).whole).toBe(some);
    expect([...tally(boxed, [fits[0], fits[3], 0, N - 1])]).toEqual([2, 1]);
  });
});

describe("groups of nodes", () => {
  it("are those that have all of them, the smallest first", () => {
    const graph = {
      ...flat,
      groups: [
        { id: "prefix:moons, ", label: "moons", count: 12 },
        { id: FITS, label: "fit_and_score", count: 20 },
        { id: "function:load", label: "load", count: 2 },
      ].sort((a, b) => b.count - a.count),
    };
    const ids = (nodes: number[]) => groupsOf(graph, nodes).map(({ id }) => id);
    expect(ids([fits[0]])).toEqual(["prefix:moons, ", FITS]);
    expect(ids(fits)).toEqual([FITS]);
    expect(ids([0, fits[0]])).toEqual(["prefix:moons, "]);
    expect(ids([])).toEqual([]);
    expect(bigGroups(graph)).toEqual([FITS]);
  });

  it("are told of the boxes that nodes are in", () => {
    expect(boxedGroups(boxed, [fits[0], fits[1], N - 1])).toEqual([FITS]);
    expect(boxedGroups(flat, fits)).toEqual([]);
    expect(groupOfBox(boxed, N + 1)).toBe("function:load");
    expect(groupOfBox(boxed, 3)).toBeNull();
  });
});

describe("a graph that is drawn anew", () => {
  const view = { width: 400, height: 300 };
  const at = { zoom: 1, tx: -200, ty: 40 };

  it("keeps the last selected node where it is, if it is in sight", () => {
    const at = { zoom: 1, tx: 200 - boxed.x[N], ty: 150 - boxed.y[N] };
    const name = boxed.names[fits[7]];
    const then = kept(at, view, boxed, flat, ["no such node", name]);
    const place = placeOf(flat, then, fits[7]);
    expect(place.x).toBeCloseTo(200, 3);
    expect(place.y).toBeCloseTo(150, 3);
  });

  it("keeps what is nearest to the middle where nothing in sight is selected", () => {
    const far = flat.names.findIndex((_, i) => toView(at, flat.x[i], flat.y[i]).x > 400);
    const then = kept(at, view, flat, boxed, [flat.names[far]]);
    const off = flat.names.map((_, i) => {
      const { x, y } = placeOf(flat, at, i);
      return Math.hypot(x - 200, y - 150);
    });
    const near = off.indexOf(Math.min(...off));
    expect(placeOf(boxed, then, near).x).toBeCloseTo(placeOf(flat, at, near).x, 3);
    expect(placeOf(boxed, then, near).y).toBeCloseTo(placeOf(flat, at, near).y, 3);
    expect(kept(at, view, flat, { ...boxed, names: ["others"] }, [])).toBe(at);
  });
});
