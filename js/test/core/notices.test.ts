import { describe, expect, it } from "vitest";
import { againText, HINT, notice, type Situation } from "../../src/core/notices";
import { emptyRun, type MissedAttempt, type Run } from "../../src/core/reducer";
import { State } from "../../src/core/types";
import { decodeGraph } from "../../src/sync/decode";
import { graph } from "../fake";

const NAMES = ["load", "fit", "score"];
const g = decodeGraph(graph(NAMES.map((name) => ({ name, fn: "f" }))));

function situation(run: Partial<Run> = {}, more: Partial<Situation> = {}): Situation {
  const now = {
    ...emptyRun(3, 1),
    run: 1,
    runState: "running" as const,
    workers: ["vm:7"],
    ...run,
  };
  const message = { kind: "none" as const, text: "" };
  return { message, fault: "", kernel: "idle", store: { graph: g, run: now, live: true }, ...more };
}
const missed = (node: number, more: Partial<MissedAttempt> = {}): MissedAttempt => {
  return { node, attempt: 1, worker: 1, begin: 0, seconds: 1, why: "its worker was lost", ...more };
};
const text = (run: Partial<Run>) => notice(situation(run)).text;

describe("the line under the graph", () => {
  it("says the most important thing there is to say", () => {
    const error = { type: "ValueError", message: "no" };
    const now = situation(
      {
        runState: "stopping",
        notice: "machine vm was lost",
        missed: [missed(1)],
        state: Uint8Array.from([State.failed, State.running, State.failed]),
        counts: Uint32Array.from([0, 0, 1, 0, 0, 0, 2, 0, 0]),
        errors: new Map([[0, error]]),
      },
      { fault: "no names", message: { kind: "error", text: "refused" }, kernel: "gone" },
    );
    const told: [string, string][] = [];
    const next = (change: () => void) => {
      const { kind, text: said } = notice(now);
      told.push([kind, said]);
      change();
    };
    const { run } = now.store;
    next(() => Object.assign(now, { fault: "" }));
    next(() => Object.assign(now, { message: { kind: "waiting", text: "waiting;" } }));
    next(() => Object.assign(now, { message: { kind: "none", text: "" } }));
    next(() => Object.assign(now, { kernel: "idle" }));
    next(() => Object.assign(run, { runState: "running" }));
    next(() => Object.assign(run, { counts: new Uint32Array(9) }));
    next(() => Object.assign(run, { notice: "" }));
    next(() => Object.assign(run, { runState: "done" }));
    next(() => {});
    expect(told).toEqual([
      ["error", "Not understood: no names"],
      ["error", "refused"],
      ["waiting", "waiting;"],
      ["notice", "The kernel is gone; start one and run the cell again to go on"],
      ["stopping", "machine vm was lost"],
      ["failed", "load: ValueError: no  (and 1 more failed)"],
      ["notice", "machine vm was lost  (1 node runs again)"],
      ["again", "fit runs again (attempt 2), after its worker was lost (vm:7)"],
      ["hint", HINT],
    ]);
  });

  it("says why a command was refused in full, as a sentence", () => {
    const why = (text: string) => notice(situation({}, { message: { kind: "error", text } })).text;
    const long = `node 'prep' cannot run, ${"since its function was defined again ".repeat(12)}.`;
    expect(why(long)).toBe(`N${long.slice(1).replace(/ \./, " .")}`);
    expect(why("workflow_name must be a string")).toBe("workflow_name must be a string");
  });

  it("says that worker processes are starting", () => {
    const starting = "waits: its worker process is starting";
    const now = {
      state: Uint8Array.from([State.queued, State.queued, State.pending]),
      counts: Uint32Array.from([1, 2, 0, 0, 0, 0, 0, 0, 0]),
      notes: new Map([
        [0, starting],
        [1, starting],
      ]),
    };
    expect(text(now)).toBe("load waits: its worker process is starting  (and 1 more)");
    const state = Uint8Array.from([State.running, State.running, State.pending]);
    expect(text({ ...now, state, notes: new Map() })).toBe(HINT);
  });

  it("tells what no machine can hold, also when something has failed", () => {
    const lacks = "waits: needs GPU: 1, the cluster has none";
    const now = {
      state: Uint8Array.from([State.failed, State.queued, State.queued]),
      counts: Uint32Array.from([0, 2, 0, 0, 0, 0, 1, 0, 0]),
      notes: new Map([[1, lacks]]),
      notice: "node 'fit' needs GPU: 1",
    };
    expect(notice(situation(now))).toEqual({
      kind: "notice",
      text: "fit waits: needs GPU: 1, the cluster has none  (1 failed)",
      node: 1,
      key: "fit waits: needs GPU: 1, the cluster has none",
    });
    const notes = new Map([
      [0, "ran because: code changed"],
      [1, lacks],
      [2, lacks],
    ]);
    expect(text({ ...now, notes, missed: [missed(0)] })).toBe(
      "fit waits: needs GPU: 1, the cluster has none  (and 1 more, 1 failed, 1 node ran again)",
    );
    expect(text({ ...now, runState: "failed" })).toBe("load: failed");
    expect(text({ ...now, notes: new Map([[1, "queued again: its worker was lost"]]) })).toBe(
      "load: failed",
    );
  });

  it("tells a node that runs again, why, and where it was", () => {
    const state = Uint8Array.from([0, State.queued, 0]);
    expect(notice(situation({ missed: [missed(1)], state }))).toEqual({
      kind: "again",
      text: "fit runs again (attempt 2), after its worker was lost (vm:7)",
      node: 1,
      key: "",
    });
    const attempt = Uint16Array.from([0, 3, 0]);
    const twice = [missed(1), missed(1, { attempt: 2, worker: 0, why: "ValueError: no luck" })];
    expect(text({ missed: twice, attempt })).toBe(
      "fit runs again (attempt 3), after ValueError: no luck",
    );
    const done = state.fill(State.done);
    expect(text({ missed: twice, attempt, state: done })).toBe(
      "fit ran again (attempt 3), after ValueError: no luck",
    );
    expect(text({ missed: [missed(1, { why: "" })] })).toBe("1 node runs again");
  });

  it("counts them where they are many, and says why where all had the same reason", () => {
    const all = [missed(0), missed(1), missed(0, { attempt: 2 })];
    expect(text({ missed: all })).toBe("2 nodes run again, each after its worker was lost");
    const other = [...all, missed(2, { why: "OSError: gone" })];
    expect(text({ missed: other })).toBe("3 nodes run again, the last one after OSError: gone");
    expect(notice(situation({ missed: other })).node).toBe(2);
    const state = new Uint8Array(3).fill(State.done);
    expect(text({ missed: all, state })).toBe("2 nodes ran again, each after its worker was lost");
  });

  it("says nothing of it once the run is over, or where nothing was missed", () => {
    expect(text({ missed: [missed(1)], runState: "done" })).toBe(HINT);
    expect(text({ missed: [missed(1)], runState: "cancelled" })).toBe(HINT);
    expect(text({})).toBe(HINT);
    expect(againText(situation().store.run)).toBe("");
  });

  it("keeps its key while only numbers in it change", () => {
    const key = (run: Partial<Run>) => notice(situation(run)).key;
    const said = "machine vm was lost";
    expect(key({ notice: said, missed: [missed(1)] })).toBe(said);
    expect(key({ notice: said, missed: [missed(1), missed(2)] })).toBe(said);
    expect(key({ missed: [missed(1)] })).toBe(key({ missed: [missed(1), missed(2)] }));
  });

  it("is an error where one has ended the run that no node is to blame for", () => {
    const gone = "ClusterError: the Ray cluster does not answer any more";
    const said = (runState: Run["runState"]) => notice(situation({ runState, notice: gone }));
    expect(said("failed")).toMatchObject({ kind: "failed", text: gone, node: -1 });
    expect(said("running").kind).toBe("notice");
  });
});
