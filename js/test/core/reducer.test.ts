import { describe, expect, it } from "vitest";
import { nodeSeconds, runSeconds } from "../../src/core/clock";
import { applyDelta, emptyRun, fromStatus } from "../../src/core/reducer";
import { State } from "../../src/core/types";
import { decodeStatus } from "../../src/sync/decode";
import { delta, status } from "../fake";
import { missedAttempts } from "../fake_missed";

const fresh = (n = 4) => fromStatus(decodeStatus(status(n)));

describe("folding deltas", () => {
  it("changes only the rows of the delta, and the counts with them", () => {
    const run = fresh();
    const changed = [
      { i: 2, state: State.running, begin: 0.5, worker: 1 },
      { i: 0, state: State.done, begin: 0.1, seconds: 0.25, attempt: 2 },
    ];
    expect(applyDelta(run, delta(1, changed, { workers: ["thread 1"] }))).toBe("applied");
    expect([...run.state]).toEqual([4, 0, 2, 0]);
    expect([...run.attempt]).toEqual([2, 0, 1, 0]);
    expect([...run.worker]).toEqual([0, 0, 1, 0]);
    expect(run.seconds[0]).toBe(0.25);
    expect(run.begin[2]).toBe(0.5);
    expect(run.seconds[2]).toBeNaN();
    expect([...run.counts]).toEqual([2, 0, 1, 0, 1, 0, 0, 0, 0]);
    expect(run.workers).toEqual(["thread 1"]);
    expect(run.runState).toBe("running");
    expect(run.seq).toBe(1);
  });

  it("puts all nodes back to pending before a delta with reset", () => {
    const run = fresh();
    applyDelta(
      run,
      delta(1, [{ i: 1, state: State.failed, seconds: 1 }], {
        errors: { "1": { type: "ValueError", message: "no" } },
        notes: { "1": "first time" },
      }),
    );
    applyDelta(run, delta(2, [{ i: 3, state: State.queued }], { reset: true, run: 2 }));
    expect([...run.state]).toEqual([0, 0, 0, 1]);
    expect(run.seconds[1]).toBeNaN();
    expect([...run.attempt]).toEqual([0, 0, 0, 1]);
    expect([...run.counts].slice(0, 7)).toEqual([3, 1, 0, 0, 0, 0, 0]);
    expect(run.errors.size).toBe(0);
    expect(run.notes.size).toBe(0);
    expect(run.run).toBe(2);
  });

  it("takes errors and notes of a delta as all there is for its nodes", () => {
    const run = fresh();
    const error = { type: "KeyError", message: "'x'", root: "a" };
    applyDelta(
      run,
      delta(1, [{ i: 1, state: State.failed }], { errors: { "1": error }, notes: { "1": "n" } }),
    );
    applyDelta(run, delta(2, [{ i: 2, state: State.done }]));
    expect(run.errors.get(1)).toEqual(error);
    expect(run.notes.get(1)).toBe("n");
    applyDelta(run, delta(3, [{ i: 1, state: State.running, attempt: 2 }]));
    expect(run.errors.has(1)).toBe(false);
    expect(run.notes.has(1)).toBe(false);
  });

  it("keeps the workers until a longer list comes", () => {
    const run = fresh();
    applyDelta(run, delta(1, [], { workers: ["a"] }));
    applyDelta(run, delta(2, []));
    expect(run.workers).toEqual(["a"]);
    applyDelta(run, delta(3, [{ i: 0, state: State.running, worker: 2 }], { workers: ["a", "b"] }));
    expect(run.workers[run.worker[0] - 1]).toBe("b");
  });

  it("keeps the attempts that gave nothing, each once, until the next run", () => {
    const [one, two, three] = [1, 2, 3].map((attempt) => {
      return { node: 1, attempt, worker: 1, begin: attempt, seconds: 0.5, why: `fault ${attempt}` };
    });
    const run = fromStatus(decodeStatus(status(4, { missed: missedAttempts([one, two]) })));
    expect(run.missed).toEqual([one, two]);
    // The status was packed before what it says was sent as a delta.
    applyDelta(run, delta(1, [], { missed: missedAttempts([two, three], 1) }));
    expect(run.missed).toEqual([one, two, three]);
    applyDelta(run, delta(2, [{ i: 0, state: State.done }]));
    expect(run.missed).toHaveLength(3);
    const beyond = { ...one, node: 4 };
    applyDelta(run, delta(3, [], { reset: true, run: 2, missed: missedAttempts([beyond]) }));
    expect(run.missed).toEqual([]);
  });

  it("changes nothing at a gap, at another version, or at what it has seen", () => {
    const run = fresh();
    const one = [{ i: 0, state: State.done }];
    expect(applyDelta(run, delta(3, one))).toBe("gap");
    expect(applyDelta(run, delta(1, one, { version: 2 }))).toBe("version");
    expect(applyDelta(run, delta(0, one))).toBe("old");
    expect([...run.state]).toEqual([0, 0, 0, 0]);
    expect(run.seq).toBe(0);
  });

  it("passes over an index that the graph does not have", () => {
    const run = fresh(2);
    expect(applyDelta(run, delta(1, [{ i: 9, state: State.done }]))).toBe("applied");
    expect([...run.counts].reduce((a, b) => a + b)).toBe(2);
  });
});

describe("time", () => {
  it("lets a running node grow, and gives those that are over, or only being saved, what they took", () => {
    const run = fresh(3);
    applyDelta(
      run,
      delta(1, [
        { i: 0, state: State.running, begin: 2 },
        { i: 1, state: State.done, begin: 0, seconds: 0.5 },
        { i: 2, state: State.running, begin: 1, seconds: 2.5 },
      ]),
    );
    expect(nodeSeconds(run, 2, 1007)).toBe(2.5);
    expect(nodeSeconds(run, 0, 1007)).toBe(5);
    expect(nodeSeconds(run, 1, 1007)).toBe(0.5);
    expect(runSeconds(run, 1007)).toBe(7);
    applyDelta(run, delta(2, [], { run_state: "done", ended: 1008.5 }));
    expect(runSeconds(run, 9999)).toBe(8.5);
    expect(runSeconds(emptyRun(1, 1), 5)).toBeNaN();
  });
});
