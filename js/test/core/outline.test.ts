import { describe, expect, it } from "vitest";
import {
  type Column,
  type Filter,
  IMPORTANCE,
  listed,
  nextSorting,
  range,
  rowAfter,
  type Sorting,
} from "../../src/core/outline";
import { fromStatus, type Run } from "../../src/core/reducer";
import { type Graph, STATES, State } from "../../src/core/types";
import { decodeGraph, decodeStatus } from "../../src/sync/decode";
import { bytes, graph, randomDag, type Spec, status } from "../fake";

const ALL: Filter = { text: "", states: new Set(), only: null };
const up = (column: Column): Sorting => ({ column, down: false });
const down = (column: Column): Sorting => ({ column, down: true });

function made(specs: Spec[], given = {}): [Graph, Run] {
  const n = specs.length;
  return [decodeGraph(graph(specs)), fromStatus(decodeStatus(status(n, given)))];
}
const named = (...names: string[]): Spec[] => names.map((name) => ({ name, fn: "f" }));

describe("the order of the list", () => {
  it("is that of the graph until a head is clicked, and again after the third click", () => {
    const [g, run] = made(named("c", "a", "b"));
    expect([...listed(g, run, null, ALL, 0)]).toEqual([0, 1, 2]);
    let sorting = nextSorting(null, "name");
    expect([...listed(g, run, sorting, ALL, 0)]).toEqual([1, 2, 0]);
    sorting = nextSorting(sorting, "name");
    expect([...listed(g, run, sorting, ALL, 0)]).toEqual([0, 2, 1]);
    expect(nextSorting(sorting, "name")).toBeNull();
    expect(nextSorting(sorting, "state")).toEqual(up("state"));
  });
  it("takes numbers in names for numbers, and equal names as they come", () => {
    const [g, run] = made(named("node 10", "node 2", "Node 1", "node 2"));
    expect([...listed(g, run, up("name"), ALL, 0)]).toEqual([2, 1, 3, 0]);
    expect([...listed(g, run, down("name"), ALL, 0)]).toEqual([0, 1, 3, 2]);
  });
  it("puts what matters first, by state", () => {
    const codes = STATES.map((_, code) => code);
    const [g, run] = made(named(...STATES), { codes });
    expect([...listed(g, run, up("state"), ALL, 0)]).toEqual([...IMPORTANCE]);
    expect(new Set(IMPORTANCE)).toEqual(new Set(codes));
  });
  it("puts unknown seconds and attempts last, both ways; a running node by its time so far", () => {
    const [g, run] = made(named("a", "b", "c", "d"), {
      codes: [State.done, State.pending, State.running, State.done],
      run_state: "running",
      started: 100,
      seconds: bytes(Float32Array.of(5, Number.NaN, Number.NaN, 1)),
      begin: bytes(Float32Array.of(0, Number.NaN, 2, 0)),
      attempt: bytes(Uint16Array.of(2, 0, 1, 1)),
    });
    expect([...listed(g, run, up("seconds"), ALL, 105)]).toEqual([3, 2, 0, 1]);
    expect([...listed(g, run, down("seconds"), ALL, 105)]).toEqual([0, 2, 3, 1]);
    expect([...listed(g, run, up("attempts"), ALL, 105)]).toEqual([2, 3, 0, 1]);
    expect([...listed(g, run, down("attempts"), ALL, 105)]).toEqual([0, 2, 3, 1]);
  });
  it("is stable and complete in random graphs, for each column and both directions", () => {
    for (let seed = 0; seed < 12; seed++) {
      const n = seed * 5;
      const [g, run] = made(randomDag(n, seed), {
        codes: Array.from({ length: n }, (_, i) => (i * 7 + seed) % 9),
        seconds: bytes(Float32Array.from({ length: n }, (_, i) => (i % 3 ? i % 4 : Number.NaN))),
      });
      for (const column of ["name", "function", "state", "seconds", "attempts"] as const) {
        for (const sorting of [up(column), down(column)]) {
          const rows = [...listed(g, run, sorting, ALL, 0)];
          expect([...rows].sort((a, b) => a - b)).toEqual(g.names.map((_, i) => i));
          for (let k = 1; k < rows.length; k++) {
            const [a, b] = [rows[k - 1], rows[k]];
            const key = (i: number): unknown =>
              ({
                name: g.names[i],
                function: g.functions[g.function[i]],
                state: run.state[i],
                seconds: run.seconds[i],
                attempts: run.attempt[i],
              })[column];
            if (Object.is(key(a), key(b))) expect(a).toBeLessThan(b);
          }
        }
      }
    }
  });
});

describe("the filter", () => {
  const specs: Spec[] = [
    { name: "moons, Linear SVM", fn: "train" },
    { name: "moons, split", fn: "split" },
    { name: "Größe", fn: "SVM_size" },
  ];
  const codes = [State.done, State.failed, State.done];

  it("looks into names and functions, in any case", () => {
    const [g, run] = made(specs, { codes });
    const rows = (text: string): number[] => [...listed(g, run, null, { ...ALL, text }, 0)];
    expect(rows("svm")).toEqual([0, 2]);
    expect(rows("  SPLIT ")).toEqual([1]);
    expect(rows("GRÖSSE".normalize("NFD"))).toEqual([]);
    expect(rows("GRÖ".normalize("NFD"))).toEqual([2]);
    expect(rows(".*")).toEqual([]);
    expect(rows(" ")).toEqual([0, 1, 2]);
  });
  it("takes states and matches together with the text, and keeps the order", () => {
    const [g, run] = made(specs, { codes });
    const only = Uint8Array.of(1, 1, 0);
    const states = new Set<number>([State.done, State.skipped]);
    expect([...listed(g, run, null, { ...ALL, states }, 0)]).toEqual([0, 2]);
    expect([...listed(g, run, null, { ...ALL, only }, 0)]).toEqual([0, 1]);
    expect([...listed(g, run, down("name"), { text: "svm", states, only }, 0)]).toEqual([0]);
    expect([...listed(g, run, null, { ...ALL, only: new Uint8Array(3) }, 0)]).toEqual([]);
  });
});

describe("keys and clicks in the list", () => {
  const rows = Uint32Array.of(4, 2, 9, 0);
  it("select a range as it is listed", () => {
    expect([...range(rows, 9, 4)]).toEqual([4, 2, 9]);
    expect([...range(rows, 2, 2)]).toEqual([2]);
    expect([...range(rows, 7, 9)]).toEqual([9]);
    expect([...range(rows, 9, 7)]).toEqual([]);
  });
  it("lead up and down and to the ends, and begin where nothing was", () => {
    const to = (from: number, key: string): number => rowAfter(rows, from, key, 2);
    expect([to(4, "ArrowDown"), to(0, "ArrowDown"), to(-1, "ArrowDown")]).toEqual([2, 0, 4]);
    expect([to(2, "ArrowUp"), to(4, "ArrowUp"), to(-1, "ArrowUp")]).toEqual([4, 4, 0]);
    expect([to(4, "PageDown"), to(9, "PageUp"), to(9, "PageDown")]).toEqual([9, 4, 0]);
    expect([to(2, "Home"), to(2, "End"), to(2, "x")]).toEqual([4, 0, -1]);
    expect(rowAfter(new Uint32Array(), -1, "ArrowDown", 2)).toBe(-1);
  });
});
