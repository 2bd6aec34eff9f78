import { describe, expect, it } from "vitest";
import {
  axisOf,
  type Bar,
  barAt,
  barText,
  clear,
  eachBar,
  emptyText,
  hasBegun,
  lanesOf,
  span,
  ticks,
} from "../../src/core/lanes";
import { emptyRun } from "../../src/core/reducer";
import { State } from "../../src/core/types";
import { decodeGraph } from "../../src/sync/decode";
import { graph } from "../fake";

const run = () => {
  const made = emptyRun(5, 1);
  made.started = 100;
  made.workers = ["thread 1", "thread 2"];
  made.worker.set([1, 2, 1, 0, 2]);
  made.begin.set([0, 0.5, 2, Number.NaN, 3]);
  made.seconds.set([1.5, 2, Number.NaN, Number.NaN, Number.NaN]);
  made.state.set([State.done, State.failed, State.running, State.cached, State.queued]);
  return made;
};
const bars = (end: number): Bar[] => {
  const found: Bar[] = [];
  eachBar(run(), end, (bar) => found.push(bar));
  return found;
};

describe("lanes", () => {
  it("hold what workers had, and what runs reaches to now", () => {
    expect(bars(6)).toEqual([
      { node: 0, lane: 0, from: 0, to: 1.5, missed: null },
      { node: 1, lane: 1, from: 0.5, to: 2.5, missed: null },
      { node: 2, lane: 0, from: 2, to: 6, missed: null },
    ]);
  });

  it("end with the function where the result is being saved, which is not done on that worker", () => {
    const saving = run();
    saving.seconds[2] = 1;
    const found: Bar[] = [];
    eachBar(saving, 6, (bar) => found.push(bar));
    expect(found.at(-1)).toEqual({ node: 2, lane: 0, from: 2, to: 3, missed: null });
  });

  it("tell the node at a time, the nearest within reach", () => {
    const nodeAt = (lane: number, time: number, slack: number) =>
      barAt(run(), 6, lane, time, slack)?.node;
    expect(nodeAt(0, 1, 0)).toBe(0);
    expect(nodeAt(0, 1.7, 0.1)).toBeUndefined();
    expect(nodeAt(0, 1.7, 0.25)).toBe(0);
    expect(nodeAt(0, 1.9, 0.5)).toBe(2);
    expect(nodeAt(1, 1, 0)).toBe(1);
    expect(nodeAt(7, 1, 9)).toBeUndefined();
  });

  it("last as long as the run", () => {
    const known = run();
    expect(span(known, 104)).toBe(4);
    known.ended = 102;
    expect(span(known, 104)).toBe(2);
    expect(span(emptyRun(0, 1), 50)).toBe(0);
  });

  it("begin with the first node that began, however long the cluster took to start", () => {
    const known = run();
    for (let i = 0; i < 5; i++) known.begin[i] += 73;
    known.ended = 185;
    expect(axisOf(known, 200)).toEqual({ begin: 73, end: 85 });
    known.ended = null;
    expect(axisOf(known, 180)).toEqual({ begin: 73, end: 80 });
    // The clock of the page may lag behind what the kernel has sent.
    expect(axisOf(known, 170)).toEqual({ begin: 73, end: 73.001 });
    expect(axisOf(emptyRun(3, 1), 50)).toEqual({ begin: 0, end: 0.001 });
  });

  it("have all bars on the axis, one of them at its beginning, whatever the run", () => {
    let seed = 1;
    const random = (): number => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    for (let round = 0; round < 200; round++) {
      const n = 1 + Math.floor(random() * 12);
      const made = emptyRun(n, 1);
      const late = random() * 100;
      made.started = 1000;
      for (let i = 0; i < n; i++) {
        made.worker[i] = i === 0 ? 1 : Math.floor(random() * 4);
        made.begin[i] = late + random() * 20;
        const open = random() < 0.3;
        made.seconds[i] = open ? Number.NaN : random() * 5;
        made.state[i] = open ? State.running : State.done;
      }
      const axis = axisOf(made, 1000 + late + 25);
      const found: Bar[] = [];
      eachBar(made, axis.end, (bar) => found.push(bar));
      expect(Math.min(...found.map(({ from }) => from))).toBe(axis.begin);
      expect(Math.max(...found.map(({ to }) => to))).toBeLessThanOrEqual(axis.end);
    }
  });

  it("hold every attempt of a node, each on the lane of the worker that ran it", () => {
    const known = run();
    const first = { node: 2, attempt: 1, worker: 2, begin: -1, seconds: 1.25, why: "E: no" };
    const unseen = { node: 1, attempt: 1, worker: 0, begin: -9, seconds: 0, why: "it was lost" };
    known.missed.push(first, unseen);
    known.attempt[2] = 2;
    const found: Bar[] = [];
    eachBar(known, 6, (bar) => bar.node === 2 && found.push(bar));
    expect(found).toEqual([
      { node: 2, lane: 1, from: -1, to: 0.25, missed: first },
      { node: 2, lane: 0, from: 2, to: 6, missed: null },
    ]);
    expect(axisOf(known, 106).begin).toBe(-1);
    expect(barAt(known, 6, 1, 0, 0)?.missed).toBe(first);
    known.worker.fill(0);
    expect(hasBegun(known)).toBe(true);
  });

  it("have one for the kernel, if nodes run there", () => {
    const inline = run();
    inline.worker.fill(0);
    inline.workers = [];
    expect(lanesOf(inline)).toEqual({ labels: ["kernel"], first: 0 });
    const found: Bar[] = [];
    eachBar(inline, 6, (bar) => found.push(bar), 0);
    expect(found.map(({ node, lane }) => [node, lane])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    expect(axisOf(inline, 106, 0)).toEqual({ begin: 0, end: 6 });
    expect(barAt(inline, 6, 0, 1, 0, 0)?.node).toBe(0);
    const mixed = run();
    mixed.worker[0] = 0;
    expect(lanesOf(mixed)).toEqual({ labels: ["kernel", "thread 1", "thread 2"], first: 0 });
    expect(lanesOf(run())).toEqual({ labels: ["thread 1", "thread 2"], first: 1 });
    const cluster = { ...mixed, workers: ["vm:7", "vm:8"] };
    expect(lanesOf(cluster)).toEqual({ labels: ["vm:7", "vm:8"], first: 1 });
  });

  it("say why there are none", () => {
    const names = ["load", "clean", "fit"];
    const g = decodeGraph(graph(names.map((name) => ({ name, fn: "f", kind: 0 }))));
    const made = emptyRun(3, 1);
    expect(emptyText(g, made)).toBe("No node has started yet.");
    expect(emptyText(null, made)).toBe("No node has started yet.");
    made.runState = "done";
    made.state.fill(State.cached);
    made.counts[State.cached] = 3;
    expect(emptyText(g, made)).toBe("All results were cached.");
    made.seconds.set([1, Number.NaN, 20]);
    expect(emptyText(g, made)).toBe(
      "All results were cached. Computing them took 21.0 s (fit 20.0 s, load 1.00 s).",
    );
    made.state[1] = State.pending;
    made.counts[State.cached] = 2;
    expect(emptyText(g, made)).toMatch(/^No node ran; results were cached\. Computing them took/);
  });

  it("tell which attempt a bar is, and why it ended", () => {
    const known = run();
    const bar = (node: number, missed: Bar["missed"] = null): Bar => {
      return { node, lane: 0, from: 0, to: 1, missed };
    };
    expect(barText(known, "load", bar(0))).toBe("load, 1.50 s");
    expect(barText(known, "load", bar(2))).toBe("load");
    known.attempt.set([1, 2, 3]);
    known.errors.set(1, { type: "ValueError", message: "no\nluck" });
    expect(barText(known, "fit", bar(1))).toBe("fit, 2.00 s\nattempt 2: ValueError: no luck");
    expect(barText(known, "fit", bar(2))).toBe("fit\nattempt 3");
    const lost = { node: 1, attempt: 1, worker: 1, begin: 0, seconds: 0.5, why: "" };
    expect(barText(known, "fit", bar(1, lost))).toBe("fit, 0.50 s\nattempt 1");
    const why = "its worker was lost";
    const text = "fit, 0.50 s\nattempt 1: its worker was lost";
    expect(barText(known, "fit", bar(1, { ...lost, why }))).toBe(text);
  });

  it("have an axis with round times", () => {
    expect(ticks(0, 6.1, 8)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(ticks(0, 100, 3)).toEqual([0, 50, 100]);
    expect(ticks(0, 0.0034, 4)).toHaveLength(4);
    expect(ticks(0, 0, 5)).toEqual([0]);
  });

  it("count from the beginning of the run, as the header does, however late the first node began", () => {
    expect(ticks(7.3, 11.2, 5)).toEqual([8, 9, 10, 11]);
    expect(ticks(0.01, 6.1, 8)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(ticks(73, 85, 4)).toEqual([75, 80, 85]);
    expect(ticks(8.6, 8.9, 1)).toEqual([]);
  });
});

describe("names on bars", () => {
  it("go by time on each lane, whatever order the bars come in", () => {
    const bar = (lane: number, x: number, wide: number) => ({ lane, x, wide });
    const bars = [bar(0, 200, 50), bar(0, 0, 100), bar(1, 10, 40), bar(0, 90, 40), bar(0, 100, 40)];
    expect(clear(bars)).toEqual([bar(0, 0, 100), bar(1, 10, 40), bar(0, 100, 40), bar(0, 200, 50)]);
  });
});
