// What the toolbar and the hover card say, as text and numbers.
import { nodeSeconds, runSeconds } from "./clock";
import { counted, duration, oneLine, roughly, someLines } from "./format";
import { linksOf, row } from "./links";
import { isActive, type Run } from "./reducer";
import { type Graph, KINDS, type RunState, STATES, State, WAITS } from "./types";

/** States from left to right in a bar of progress; what is not in it is still to come. */
export const BAR = [
  State.cached,
  State.done,
  State.running,
  State.paused,
  State.failed,
  State.skipped,
  State.cancelled,
] as const;

/**
 * Seconds until the run ends, as far as one can tell: what similar nodes took (same function, else the mean
 * of all), divided by how many ran side by side since the first one began: a cluster may have had to be started
 * before. NaN while too little has happened, or nobody can tell.
 */
export function secondsLeft(graph: Graph, run: Run, kernelNow: number): number {
  const elapsed = runSeconds(run, kernelNow);
  if (run.runState !== "running" || !(elapsed > 1) || heldUp(run).length) return Number.NaN;
  const sum = new Float64Array(graph.functions.length);
  const count = new Uint32Array(graph.functions.length);
  let [total, finished, worked, first] = [0, 0, 0, Number.POSITIVE_INFINITY];
  for (let i = 0; i < run.state.length; i++) {
    const code = run.state[i];
    if (run.begin[i] < first) first = run.begin[i];
    if (code === State.running) worked += nodeSeconds(run, i, kernelNow) || 0;
    if (code !== State.done || !(run.seconds[i] >= 0)) continue;
    sum[graph.function[i]] += run.seconds[i];
    count[graph.function[i]]++;
    total += run.seconds[i];
    finished++;
  }
  if (finished < 2) return Number.NaN;
  worked += total;
  let work = 0;
  for (let i = 0; i < run.state.length; i++) {
    const code = run.state[i];
    if (code > State.paused) continue;
    const f = graph.function[i];
    const expected = count[f] ? sum[f] / count[f] : total / finished;
    const spent = code === State.running ? nodeSeconds(run, i, kernelNow) || 0 : 0;
    work += Math.max(0, expected - spent);
  }
  const sideBySide = Math.max(0.2, worked / (elapsed - first));
  return work / sideBySide;
}

/** How a run stands that neither goes on by itself nor has come to its end. */
const HALTED: Partial<Record<RunState, string>> = {
  paused: "paused",
  stopping: "stopping",
  cancelled: "stopped",
};

/** "12 of 17 · 1 failed · 6.1 s, about 4 s left", "stopped · 3 of 9 · 2.0 s". */
export function progressText(graph: Graph, run: Run, kernelNow: number): string {
  const n = run.state.length;
  const c = run.counts;
  const elapsed = runSeconds(run, kernelNow);
  const active = isActive(run.runState);
  const parts: string[] = [];
  const touched = n - c[State.pending] > 0 || active || run.ended !== null;
  if (!touched) return counted(n, "node");
  const halted = HALTED[run.runState];
  if (halted) parts.push(halted);
  parts.push(`${c[State.done] + c[State.cached]} of ${n}`);
  if (c[State.cached]) parts.push(`${c[State.cached]} cached`);
  for (const code of [State.failed, State.skipped, State.cancelled]) {
    if (c[code]) parts.push(`${c[code]} ${STATES[code]}`);
  }
  if (Number.isFinite(elapsed)) {
    const left = secondsLeft(graph, run, kernelNow);
    const time = duration(elapsed, active);
    parts.push(
      Number.isFinite(left) && left >= 0.5 ? `${time}, about ${roughly(left)} left` : time,
    );
  }
  return parts.join(" \u00b7 ");
}

/** What a run that stops waits for, as the kernel says it; "" for one that does not stop. */
export function stoppingText({ runState, notice }: Run): string {
  return runState === "stopping" ? oneLine(notice, 300) || "Stopping." : "";
}

/** What a second stop does, by where the nodes run that it is for. */
export function interruptTitle({ state, worker, workers }: Run): string {
  const kinds = new Set<string>();
  for (let i = 0; i < state.length; i++) {
    if (state[i] === State.running) kinds.add(workers[worker[i] - 1]?.split(" ")[0] ?? "");
  }
  if (kinds.has("thread")) {
    return "Interrupt the nodes that still run; one that does not react goes on in its thread";
  }
  if (kinds.size === 1 && kinds.has("process"))
    return "End the processes of the nodes that still run";
  return "Interrupt the nodes that still run";
}

/** For a screen reader: what is drawn, in one sentence. */
export function graphLabel(graph: Graph, run: Run): string {
  const counts = STATES.flatMap((name, code) =>
    run.counts[code] ? [`${run.counts[code]} ${name}`] : [],
  );
  const title = graph.title ? `Workflow ${oneLine(graph.title, 80)}` : "Workflow";
  const n = graph.names.length;
  const m = (graph.links.length || graph.edges.length) / 2;
  return `${title}: ${counted(n, "node")}, ${counted(m, "edge")}; ${counts.join(", ")}${boxesText(graph)}`;
}

/** For a screen reader: node `i` in one sentence, "split, done, 1.0 s, 2 inputs, 3 outputs". */
export function nodeSentence(graph: Graph, run: Run, i: number, kernelNow: number): string {
  const { parents, children } = linksOf(graph);
  const parts = [
    oneLine(graph.names[i], 160) || "a node without a name",
    STATES[run.state[i]] ?? "",
    duration(nodeSeconds(run, i, kernelNow), run.state[i] === State.running),
    counted(row(parents, i).length, "input"),
    counted(row(children, i).length, "output"),
  ];
  return parts.filter((part) => part).join(", ");
}

function boxesText({ boxes }: Graph): string {
  if (!boxes.length) return "";
  const inside = boxes.reduce((sum, { count }) => sum + count, 0);
  return `; ${inside} of the nodes in ${counted(boxes.length, "box", "boxes")}`;
}

/** What is known of the first node that failed by itself, -1 where none did. */
export function firstFailed(run: Run): number {
  if (!run.counts[State.failed]) return -1;
  return run.state.indexOf(State.failed);
}

/** The queued nodes that wait for a machine that can hold them, or for their worker process. O(notes), of a run in which something is queued. */
export function heldUp({ counts, notes, state }: Run): number[] {
  if (!counts[State.queued]) return [];
  const found: number[] = [];
  for (const [i, note] of notes) {
    if (state[i] === State.queued && note.startsWith(WAITS)) found.push(i);
  }
  return found;
}

export interface Fact {
  label: string;
  text: string;
}

/** The essentials of a box: how many nodes it stands for, and how far they are. */
export function boxFacts(counts: Uint32Array): Fact[] {
  const nodes = counts.reduce((sum, count) => sum + count, 0);
  const found = STATES.flatMap((name, code) =>
    counts[code] ? [{ label: name, text: String(counts[code]) }] : [],
  );
  return [{ label: "nodes", text: String(nodes) }, ...found];
}

/** The essentials of node `i`, for the hover card. All of it is text, none of it markup. */
export function facts(graph: Graph, run: Run, i: number, kernelNow: number): Fact[] {
  const code = run.state[i];
  const found: Fact[] = [];
  const add = (label: string, text: string): void => {
    if (text) found.push({ label, text });
  };
  const kind = KINDS[graph.kind[i]] ?? "function";
  add(kind, oneLine(graph.functions[graph.function[i]] ?? "", 160));
  const time = duration(nodeSeconds(run, i, kernelNow), code === State.running);
  const state = code === State.cached ? "cached, read from storage" : (STATES[code] ?? "unknown");
  const took = code === State.cached ? `computed in ${time}` : time;
  add("state", time ? `${state}, ${took}` : state);
  if (run.attempt[i] > 1) add("attempt", String(run.attempt[i]));
  if (run.worker[i] > 0) add("worker", oneLine(run.workers[run.worker[i] - 1] ?? "", 80));
  add("note", someLines(run.notes.get(i) ?? "", 240));
  const error = run.errors.get(i);
  if (error) {
    add("error", someLines(`${error.type}: ${error.message}`, 500));
    if (error.root && error.root !== graph.names[i]) add("failed first", oneLine(error.root, 160));
  }
  return found;
}
