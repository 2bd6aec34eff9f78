// The page for looking: ?graph=17|80|1000|5000|empty|one|hostile & state=mixed|running|idle|done|late|again & theme=light|dark
// & direction=LR|TB & height=480 & width=1100 & play=1 & query=.*SVM.* & mute=1 (no answers)
// & collapsed=function:load,function:split
// & panels=outline,inspector & parts=outline,progress & selected=scores & matching=.*SVM.* & preview=text|html|svg. Without Jupyter.
import {
  type Panel,
  type Part,
  State,
  type WireGraph,
  type WireStatus,
} from "../../src/core/types";
import widget from "../../src/widget";
import {
  bytes,
  classifiers,
  delta,
  evaluated,
  FakeModel,
  grouped,
  layered,
  type Spec,
  status,
} from "../fake";
import { FakeInspection } from "../fake_inspection";
import { missedAttempts } from "../fake_missed";
import { details, PREVIEWS, PRINTED } from "./inspected";

const query = new URLSearchParams(location.search);
const which = query.get("graph") ?? "80";
const HOSTILE: Spec[] = [
  { name: "<img src=x onerror=\"document.title='HACKED'\">", fn: "<b>f</b>" },
  { name: `line one\nline two\ttab \u0007bell`, fn: "g", parents: [0] },
  { name: "x".repeat(10_000), fn: "long", parents: [0] },
  { name: "データセット読み込み、分割、学習モデル その一", fn: "日本語", parents: [1, 2] },
  {
    name: "👩‍👩‍👧‍👦🎉 emoji 👍🏽 family that is rather long 🏳️‍🌈",
    fn: "emoji",
    kind: 1,
    parents: [1],
  },
  { name: "Größenänderung der Überprüfungsdaten", fn: "prüfe", kind: 2, parents: [2, 0] },
  { name: "\u202Egnp.exe \u2066turned", fn: "rtl", parents: [3, 4] },
  { name: "", fn: "", parents: [5, 6] },
];

function specs(): Spec[] {
  if (which === "empty") return [];
  if (which === "one") return [{ name: "load", fn: "load" }];
  if (which === "hostile") return HOSTILE;
  if (which === "17") return classifiers(["moons"]).concat();
  if (which === "30") return classifiers(["moons", "circles"]);
  if (which === "80") return classifiers();
  return layered(Number(which));
}

// A graph as the kernel laid it out may be put into the window before this script runs.
const real = (window as unknown as { REAL_GRAPH?: WireGraph }).REAL_GRAPH;
const list: Spec[] = real ? real.names.map((name) => ({ name, fn: "f" })) : specs();
const n = list.length;
const collapsed = query.get("collapsed")?.split(",") ?? [];
const wire = grouped(list, collapsed, {
  direction: query.get("direction") === "TB" ? "TB" : "LR",
});

function mixed(): WireStatus {
  const now = Date.now() / 1000;
  const cycle = [5, 5, 4, 4, 4, 6, 2, 2, 4, 1, 3, 0, 7, 8];
  const codes = list.map((s, i) =>
    s.fn === "load" || s.fn === "split" ? (i % 4 ? 4 : 5) : cycle[i % 14],
  );
  if (n > 14) codes.fill(0, n - 3);
  const errors: WireStatus["errors"] = {};
  codes.forEach((c, i) => {
    if (c === 6) {
      errors[i] = {
        type: "ValueError",
        message: "The least populated class in y has only 1 member, which is too few. <b>bold?</b>",
        root: list[i].name,
      };
    }
  });
  return status(n, {
    codes,
    seq: 5,
    run: 1,
    run_state: "running",
    now,
    started: now - 6.1,
    workers: ["thread 1", "thread 2"],
    worker: bytes(Uint16Array.from(codes, (c, i) => (c >= 2 && c !== 5 ? 1 + (i % 2) : 0))),
    attempt: bytes(Uint16Array.from(codes, (_, i) => (i % 5 ? 1 : 2))),
    begin: bytes(Float32Array.from(codes, (_, i) => (i % 7) * 0.8)),
    seconds: bytes(
      Float32Array.from(codes, (c, i) => (c === 4 || c === 6 ? (i * 0.137) % 3 : Number.NaN)),
    ),
    errors,
    notes: Object.fromEntries(
      codes.map((c, i) => [i, c === 4 ? "argument C changed from 1 to 10" : ""]),
    ),
  });
}

/** A run that has ended: its cluster took 146 s to start, one node failed, one was skipped. */
function late(): WireStatus {
  const now = Date.now() / 1000;
  const codes: number[] = list.map((_, i) => (i === n - 2 ? State.failed : State.done));
  codes[n - 1] = State.skipped;
  const ran = codes.map((code) => code !== State.skipped);
  return status(n, {
    codes,
    run: 1,
    run_state: "failed",
    now,
    started: now - 160,
    ended: now,
    where: query.get("where") ?? "1 machine, 2 CPUs",
    workers: ["vm:27935", "vm:28058"],
    worker: bytes(Uint16Array.from(ran, (yes, i) => (yes ? 1 + (i % 2) : 0))),
    begin: bytes(Float32Array.from(ran, (yes, i) => (yes ? 146 + i : Number.NaN))),
    seconds: bytes(Float32Array.from(ran, (yes) => (yes ? 1.9 : Number.NaN))),
  });
}

/** A run that has lost a worker and goes on: of its first six nodes two are tried again, one of them for the second time. */
function again(): WireStatus {
  const now = Date.now() / 1000;
  const column = (rest: number, ...first: number[]) => {
    return bytes(Float32Array.from(list, (_, i) => first[i] ?? rest));
  };
  const places = [1, 2, 2, 3, 1, 3];
  const row = (node: number, attempt: number, worker: number, times: number[], why: string) => {
    return { node, attempt, worker, begin: times[0] ?? 0, seconds: times[1] ?? 0, why };
  };
  return status(n, {
    codes: [State.done, State.done, State.running, State.running, State.done, State.done],
    run: 1,
    run_state: "running",
    now,
    started: now - 9,
    notice: query.get("notice"),
    workers: ["ray-head:27935", "ray-head:28058", "ray-worker-2:411"],
    worker: bytes(Uint16Array.from(list, (_, i) => places[i] ?? 0)),
    attempt: bytes(
      Uint16Array.from(list, (_, i) => (i === 2 ? 3 : i < 6 ? 1 + (i === 3 ? 1 : 0) : 0)),
    ),
    begin: column(Number.NaN, 0, 1.6, 6, 7.4, 4.1, 5),
    seconds: column(Number.NaN, 1.4, 1.2, Number.NaN, Number.NaN, 2.3, 2.2),
    missed: missedAttempts(
      [
        row(2, 1, 1, [1.6, 2.3], "ValueError: the fit did not converge"),
        row(3, 1, 2, [3, 2.8], "its worker was lost"),
        ...(query.has("one") ? [] : [row(2, 2, 3, [2.6, 2.2], "its worker was lost")]),
        ...Array.from({ length: 12 }, (_, k) => row(5, k + 1, 3, [0.1 * k, 0.04], "OSError: busy")),
      ].filter(({ node }) => !query.has("one") || node === 3),
    ),
  });
}

function start(): WireStatus {
  const state = query.get("state") ?? "mixed";
  if (state === "mixed" && n) return mixed();
  if (state === "late") return late();
  if (state === "again") return again();
  const codes = new Array(n).fill(state === "done" ? State.done : State.pending);
  const now = Date.now() / 1000;
  const ended =
    state === "done" ? { run_state: "done" as const, started: now - 12, ended: now } : {};
  return status(n, { codes, run: 1, ...ended });
}

const theme = query.get("theme") ?? "light";
document.body.dataset.jpThemeLight = String(theme !== "dark");
const model = new FakeModel({
  _graph: real ?? wire,
  _status: start(),
  height: Number(query.get("height") ?? 480),
  direction: wire.direction,
  panels: (query.get("panels")?.split(",") ?? []) as Panel[],
  selected: query.getAll("selected"),
  ...(query.has("parts") && { _parts: query.get("parts")?.split(",") as Part[] }),
  collapsed,
});
model.on("change:collapsed", () => {
  const version = (model.traits._graph?.version ?? 0) + 1;
  setTimeout(() => {
    const { direction = "LR", collapsed = [] } = model.traits;
    model.traits._status = { ...(model.traits._status as WireStatus), version };
    model.set("_graph", grouped(list, collapsed, { direction, version }));
  }, 30);
});
const inspection = new FakeInspection(model, list);
const preview = query.get("preview");
inspection.preview = preview ? (PREVIEWS[preview] ?? new Error(preview)) : inspection.preview;
list.forEach((spec, i) => {
  if (spec.fn === "fit_and_score")
    inspection.infos[i] = i % 2 ? { retries: 2, team: "vision" } : {};
  inspection.made.set(i, details(i, list, model));
});
inspection.edited();
inspection.countsFrom = "Counts from the next attempt on: 2 of these nodes are running";
model.onSend = (command) =>
  setTimeout(() => query.has("mute") || inspection.answer(command) || model.reply(command), 5);
model.on("change:selected", () => {
  const index = inspection.selected[0] ?? 0;
  const pieces = [PRINTED, { number: 1, edition: 0 }, "after the display\n"];
  model.set("_printed", { version: wire.version, index, run: 1, pieces, cut: 12_345, dropped: 0 });
});
const whole = new RegExp(`^(?:${query.get("matching") ?? ""})$`, "su");
if (query.has("matching")) model.traits.selected = wire.names.filter((name) => whole.test(name));
model.fire("change:selected");
model.on("change:query", () => {
  const asked = model.traits.query ?? "";
  setTimeout(() => {
    if (query.has("mute") || asked !== model.traits.query) return;
    model.set(
      "_matches",
      evaluated(
        list.map((s) => s.name),
        asked,
        model.traits._matches,
      ),
    );
  }, 30);
});
const el = document.getElementById("here") as HTMLElement;
el.style.width = `${query.get("width") ?? 1100}px`;
const { initialize, render } = widget();
const began = performance.now();
initialize({ model });
render({ model, el });

if (query.has("query")) model.set("query", query.get("query") ?? "");
let seq = model.traits._status?.seq ?? 0;
/** Sends one delta and says how long it took until painted. */
async function change(count: number): Promise<number> {
  const root = el.querySelector(".fuse-widget") as HTMLElement;
  const painted = root.getAttribute("data-fuse-painted");
  const states = [State.done, State.running, State.failed, State.pending];
  const changes = Array.from({ length: Math.min(count, n) }, (_, i) => ({
    i,
    state: states[(i + seq) % 4],
    seconds: 0.5,
    begin: 0,
  }));
  const now = Date.now() / 1000;
  const made = delta(++seq, changes, { now, started: now - 3 });
  const from = performance.now();
  model.delta(made);
  while (root.getAttribute("data-fuse-painted") === painted) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return performance.now() - from;
}

Object.assign(window, { model, inspection, change, began, el });
