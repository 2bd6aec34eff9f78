import { describe, expect, it, vi } from "vitest";
import { Store } from "../../src/core/store";
import { State } from "../../src/core/types";
import { decodeGraph, decodeStatus } from "../../src/sync/decode";
import { bytes, delta, graph, status } from "../fake";

const SPECS = [
  { name: "a", fn: "f" },
  { name: "b", fn: "g", parents: [0] },
];
const made = (onGap = vi.fn(), here = () => 2000) => {
  const store = new Store(onGap, here);
  store.setGraph(decodeGraph(graph(SPECS)));
  store.setStatus(decodeStatus(status(2)));
  return { store, onGap };
};

describe("the store", () => {
  it("asks once a delta is missing, and goes on from the status with what it has kept", () => {
    const { store, onGap } = made();
    store.receive(delta(1, [{ i: 0, state: State.running }]));
    store.receive(delta(3, [{ i: 1, state: State.running }]));
    expect(onGap).toHaveBeenCalledTimes(1);
    expect(store.behind).toBe(true);
    expect([...store.run.state]).toEqual([2, 0]);
    const state = bytes(Uint8Array.from([State.done, State.pending]));
    store.setStatus(decodeStatus(status(2, { seq: 2, run: 1, run_state: "running", state })));
    expect([...store.run.state]).toEqual([4, 2]);
    expect(store.run.seq).toBe(3);
    expect(store.behind).toBe(false);
  });

  it("fills a gap when the missing delta comes late", () => {
    const { store } = made();
    store.receive(delta(2, [{ i: 1, state: State.done }]));
    store.receive(delta(1, [{ i: 0, state: State.done }]));
    expect([...store.run.state]).toEqual([4, 4]);
    expect(store.run.seq).toBe(2);
  });

  it("keeps deltas of another version until graph and status of it are here", () => {
    const { store, onGap } = made();
    const three = [...SPECS, { name: "c", fn: "f" }];
    store.receive(delta(1, [{ i: 2, state: State.running }], { version: 2 }));
    expect(onGap).toHaveBeenCalled();
    expect([...store.run.state]).toEqual([0, 0]);
    store.setStatus(decodeStatus(status(3, { version: 2 })));
    expect(store.run.state.length).toBe(2);
    store.setGraph(decodeGraph(graph(three, { version: 2 })));
    expect([...store.run.state]).toEqual([0, 0, 2]);
  });

  it("keeps the states when the same nodes are laid out anew", () => {
    const { store } = made();
    store.receive(delta(1, [{ i: 0, state: State.done }]));
    store.setGraph(decodeGraph(graph(SPECS, { version: 2, direction: "TB" })));
    expect([...store.run.state]).toEqual([4, 0]);
    store.receive(delta(2, [{ i: 1, state: State.done }], { version: 2 }));
    expect([...store.run.state]).toEqual([4, 4]);
  });

  it("does not go back to a status that later deltas have overtaken", () => {
    const { store } = made();
    store.receive(delta(1, [{ i: 0, state: State.running }]));
    store.setStatus(decodeStatus(status(2, { seq: 0, run: 1 })));
    expect([...store.run.state]).toEqual([2, 0]);
    expect(store.run.seq).toBe(1);
  });

  it("tells its listeners, and no longer those that left", () => {
    const { store } = made();
    const heard = vi.fn();
    const leave = store.subscribe(heard);
    store.receive(delta(1, []));
    expect(heard).toHaveBeenCalledWith("status");
    leave();
    store.receive(delta(2, []));
    expect(heard).toHaveBeenCalledTimes(1);
    expect(store.listeners).toBe(0);
  });

  it("reckons with a kernel whose clock is wrong, and trusts the fastest message", () => {
    let here = 2000;
    const { store } = made(vi.fn(), () => here);
    here = 2001.5;
    store.receive(
      delta(1, [{ i: 0, state: State.running, begin: 0.5 }], { now: 1001, started: 1000 }),
    );
    expect(store.kernelNow()).toBe(1001);
    here = 2003;
    store.receive(delta(2, [], { now: 1002.9 }));
    expect(store.kernelNow()).toBeCloseTo(1002.9, 6);
    store.receive(delta(3, [], { now: 1002 }));
    expect(store.kernelNow()).toBeCloseTo(1002.9, 6);
    store.setLive(false);
    here = 2100;
    expect(store.kernelNow()).toBe(1002);
  });

  it("finds nodes by name", () => {
    const { store } = made();
    expect(store.indexOf("b")).toBe(1);
    expect(store.indexOf("constructor")).toBeUndefined();
  });
});
