import { describe, expect, it } from "vitest";
import {
  facts,
  firstFailed,
  graphLabel,
  interruptTitle,
  progressText,
  secondsLeft,
  stoppingText,
} from "../../src/core/progress";
import { applyDelta, fromStatus } from "../../src/core/reducer";
import { State } from "../../src/core/types";
import { decodeGraph, decodeStatus } from "../../src/sync/decode";
import { type Changed, delta, graph, status } from "../fake";

const g = decodeGraph(
  graph(
    Array.from({ length: 10 }, (_, i) => ({
      name: `n${i}`,
      fn: i < 8 ? "fit" : "plot",
      kind: i % 3,
    })),
  ),
);
const run = (changed: Changed[], head = {}) => {
  const made = fromStatus(decodeStatus(status(10)));
  applyDelta(made, delta(1, changed, head));
  return made;
};
const done = (i: number, seconds = 2): Changed => ({ i, state: State.done, begin: 0, seconds });

describe("the line of progress", () => {
  it("says how many nodes there are before anything ran", () => {
    expect(progressText(g, fromStatus(decodeStatus(status(10))), 1000)).toBe("10 nodes");
  });

  it("counts what is done, stored and failed, and what is left", () => {
    const now = run([
      done(0),
      done(1),
      { i: 2, state: State.cached },
      { i: 3, state: State.failed },
    ]);
    expect(progressText(g, now, 1004)).toBe(
      "3 of 10 \u00b7 1 cached \u00b7 1 failed \u00b7 4.0 s, about 12 s left",
    );
  });

  it("says what a finished run took", () => {
    const now = run([done(0)], { run_state: "cancelled", ended: 1012.34 });
    expect(progressText(g, now, 5000)).toBe("stopped \u00b7 1 of 10 \u00b7 12.3 s");
  });

  it("says that a run is paused", () => {
    expect(progressText(g, run([done(0)], { run_state: "paused" }), 1003)).toBe(
      "paused \u00b7 1 of 10 \u00b7 3.0 s",
    );
  });

  it("says what a run that stops waits for, in the kernel's words", () => {
    const notice = "Stopping: waiting for 'fit'. Press Interrupt to interrupt it.";
    const stopping = (head = {}) =>
      stoppingText(run([{ i: 1, state: State.running }], { run_state: "stopping", ...head }));
    expect(stopping({ notice })).toBe(notice);
    expect(stopping()).toBe("Stopping.");
    expect(stoppingText(run([], { notice }))).toBe("");
  });

  it("says what an interrupt does where the nodes run", () => {
    const workers = ["thread 1", "process 1", "vm:7"];
    const title = (...at: number[]) =>
      interruptTitle(
        run(
          at.map((worker, i) => ({ i, state: State.running, worker })),
          { workers },
        ),
      );
    const any = "Interrupt the nodes that still run";
    expect(title(1, 2)).toBe(`${any}; one that does not react goes on in its thread`);
    expect(title(2, 2)).toBe("End the processes of the nodes that still run");
    expect([title(2, 3), title(0), title()]).toEqual([any, any, any]);
  });

  it("does not guess from a single node, nor in the first second", () => {
    expect(secondsLeft(g, run([done(0)]), 1004)).toBeNaN();
    expect(secondsLeft(g, run([done(0), done(1)]), 1000.5)).toBeNaN();
  });

  it("does not guess while something waits for what is not there", () => {
    const all = [done(0), done(1), { i: 2, state: State.queued }];
    expect(secondsLeft(g, run(all), 1004)).toBeGreaterThan(0);
    const notes = { "2": "waits: needs GPU: 1, the cluster has none" };
    expect(secondsLeft(g, run(all, { notes }), 1004)).toBeNaN();
  });

  it("reckons with nodes side by side", () => {
    const four = [done(0), done(1), done(2), done(3)];
    expect(secondsLeft(g, run(four), 1002)).toBeCloseTo((6 * 2) / 4);
  });

  it("does not take the start of a cluster for work", () => {
    const late = [0, 1].map((i) => ({ ...done(i), begin: 20 }));
    expect(secondsLeft(g, run(late), 1022)).toBeCloseTo((8 * 2) / 2);
  });
});

describe("words about nodes", () => {
  it("names what is known of a failed node, as text", () => {
    const now = run([{ i: 1, state: State.failed, seconds: 0.5, attempt: 2, worker: 1 }], {
      workers: ["thread 1"],
      errors: { "1": { type: "ValueError", message: "<b>no</b>", root: "n0" } },
      notes: { "1": "ran because: code changed" },
    });
    expect(facts(g, now, 1, 1000)).toEqual([
      { label: "constructor", text: "fit" },
      { label: "state", text: "failed, 0.50 s" },
      { label: "attempt", text: "2" },
      { label: "worker", text: "thread 1" },
      { label: "note", text: "ran because: code changed" },
      { label: "error", text: "ValueError: <b>no</b>" },
      { label: "failed first", text: "n0" },
    ]);
    expect(firstFailed(now)).toBe(1);
  });

  it("says in a sentence what is drawn", () => {
    expect(graphLabel(g, run([done(0)]))).toBe(
      "Workflow classifiers: 10 nodes, 0 edges; 9 pending, 1 done",
    );
  });
});
