// A model without Jupyter, and a graph and a run to put into it.
import type {
  Command,
  Delta,
  Direction,
  WireGraph,
  WireMatches,
  WireStatus,
} from "../src/core/types";
import { State } from "../src/core/types";
import type { Listener, Model, Traits } from "../src/sync/model";
import { missedAttempts, missedColumns } from "./fake_missed";

/** Bytes as ipywidgets delivers them: a DataView somewhere inside a larger buffer. */
export function bytes(array: ArrayBufferView, offset = 0): DataView {
  const room = new Uint8Array(array.byteLength + offset);
  room.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset);
  return new DataView(room.buffer, offset, array.byteLength);
}

export class FakeModel implements Model {
  traits: Partial<Traits>;
  sent: Command[] = [];
  saved = 0;
  listeners: [string, Listener][] = [];
  onSend: (command: Command) => void = () => {};

  constructor(traits: Partial<Traits> = {}) {
    this.traits = { selected: [], direction: "LR", height: 480, query: "", ...traits };
  }

  get<K extends keyof Traits>(name: K): Traits[K] | undefined {
    return this.traits[name];
  }

  set<K extends keyof Traits>(name: K, value: Traits[K]): void {
    this.traits[name] = value;
    this.fire(`change:${name}`);
  }

  save_changes(): void {
    this.saved++;
  }

  on(event: string, listener: Listener): void {
    this.listeners.push([event, listener]);
  }

  off(event?: string | null, listener?: Listener | null): void {
    this.listeners = this.listeners.filter(
      ([name, known]) => (event && name !== event) || (listener && known !== listener),
    );
  }

  send(content: Command): void {
    this.sent.push(content);
    this.onSend(content);
  }

  fire(event: string, ...args: unknown[]): void {
    for (const [name, listener] of [...this.listeners]) {
      if (name === event) (listener as (...given: unknown[]) => void)(...args);
    }
  }

  reply(command: Command, ok = true, text = ""): void {
    this.fire("msg:custom", { kind: "reply", id: command.id, ok, text }, []);
  }

  delta(delta: Delta, offset = 0): void {
    const { index, begin, seconds, attempt, worker, state, missed, ...head } = delta;
    const columns = [index, begin, seconds, attempt, worker, state];
    const more = missed ? { missed: { at: missed.at, why: missed.why } } : {};
    const buffer = packed(missed ? [...columns, ...missedColumns(missed)] : columns, offset);
    this.fire("msg:custom", { ...head, ...more }, [buffer]);
  }
}

export function packed(columns: ArrayBufferView[], offset = 0): DataView {
  const length = columns.reduce((sum, column) => sum + column.byteLength, 0);
  const room = new Uint8Array(length + offset);
  let at = offset;
  for (const c of columns) {
    room.set(new Uint8Array(c.buffer, c.byteOffset, c.byteLength), at);
    at += c.byteLength;
  }
  return new DataView(room.buffer, offset, length);
}

export interface Spec {
  name: string;
  fn: string;
  kind?: number;
  parents?: number[];
}

/** A simple layered layout: longest path, one column a layer, spread about the middle. */
export function graph(
  specs: Spec[],
  options: { direction?: Direction; version?: number } = {},
): WireGraph {
  const { direction = "LR", version = 1 } = options;
  const [h, gapAlong, gapAcross] = [32, 64, 12];
  const n = specs.length;
  const layer = new Array<number>(n).fill(0);
  specs.forEach((spec, i) => {
    for (const p of spec.parents ?? []) layer[i] = Math.max(layer[i], layer[p] + 1);
  });
  const layers: number[][] = [];
  layer.forEach((l, i) => {
    layers[l] ??= [];
    layers[l].push(i);
  });
  const w = Float32Array.from(specs, (s) =>
    Math.min(264, Math.max(96, [...s.name].length * 6.7 + 84)),
  );
  const [x, y] = [new Float32Array(n), new Float32Array(n)];
  const down = direction === "TB";
  const spans = layers.map((nodes) =>
    nodes.reduce((sum, i) => sum + (down ? w[i] : h) + gapAcross, -gapAcross),
  );
  const across = Math.max(1, ...spans);
  let along = 0;
  layers.forEach((nodes, l) => {
    const deep = down ? h : Math.max(...nodes.map((i) => w[i]));
    const spread = nodes.length > 1 ? Math.min(3, across / spans[l]) : 1;
    let c = (across - spans[l] * spread) / 2;
    for (const i of nodes) {
      const size = down ? w[i] : h;
      const share = size * spread + (spread - 1) * gapAcross;
      if (down) [x[i], y[i]] = [c + share / 2, along + deep / 2];
      else [x[i], y[i]] = [along + deep / 2, c + share / 2];
      c += share + gapAcross;
    }
    along += deep + gapAlong;
  });
  along -= gapAlong;
  const edges: number[] = [];
  const route: number[] = [];
  const routeAt = [0];
  specs.forEach((spec, i) => {
    for (const p of spec.parents ?? []) {
      edges.push(p, i);
      routeAt.push(route.length / 2);
    }
  });
  const functions = [...new Set(specs.map((s) => s.fn))];
  return {
    version,
    title: "classifiers",
    direction,
    names: specs.map((s) => s.name),
    functions,
    h,
    width: down ? across : along,
    height: down ? along : across,
    groups: [],
    boxes: [],
    links: bytes(new Uint32Array(0)),
    box: bytes(new Uint32Array(0)),
    function: bytes(Uint32Array.from(specs, (s) => functions.indexOf(s.fn))),
    kind: bytes(Uint8Array.from(specs, (s) => s.kind ?? 0)),
    edges: bytes(Uint32Array.from(edges)),
    x: bytes(x, 2),
    y: bytes(y, 3),
    w: bytes(w, 1),
    route_at: bytes(Uint32Array.from(routeAt)),
    route: bytes(Float32Array.from(route)),
  };
}

/**
 * A graph with some functions as one box each, wherever that makes no cycle; `label` is the name of the function.
 * Each function with several nodes is a group.
 */
export function grouped(
  specs: Spec[],
  collapsed: string[],
  options: { direction?: Direction; version?: number } = {},
): WireGraph {
  const flat = graph(specs, options);
  const n = specs.length;
  const sized = flat.functions.map((fn) => ({
    id: `function:${fn}`,
    label: fn,
    count: specs.filter((s) => s.fn === fn).length,
  }));
  const groups = sized.filter(({ count }) => count > 1).sort((a, b) => b.count - a.count);
  const boxes = groups.filter(({ id }) => collapsed.includes(id));
  if (!boxes.length) return { ...flat, groups };
  const box = specs.map((s, i) => {
    const k = boxes.findIndex(({ label }) => label === s.fn);
    return k < 0 ? i : n + k;
  });
  const drawn = [...new Set(box)].sort((a, b) => a - b);
  // The boxes laid out as nodes are, in an order with parents first.
  const parents = drawn.map((k) => {
    const inside = specs.flatMap((s, i) => (box[i] === k ? (s.parents ?? []) : []));
    return [...new Set(inside.map((p) => box[p]))].filter((p) => p !== k);
  });
  const order: number[] = [];
  while (order.length < drawn.length) {
    const at = drawn.findIndex(
      (k, place) => !order.includes(k) && parents[place].every((p) => order.includes(p)),
    );
    if (at < 0) throw new Error("these boxes make a cycle");
    order.push(drawn[at]);
  }
  const list = order.map((k): Spec => {
    const own = parents[drawn.indexOf(k)].map((p) => order.indexOf(p));
    return k < n
      ? { ...specs[k], parents: own }
      : { name: `${boxes[k - n].label} 99 of 99`, fn: "", parents: own };
  });
  const laid = graph(list, options);
  const spread = (wire: unknown, rest: number): DataView => {
    const view = wire as DataView;
    const values = new Float32Array(n + boxes.length).fill(rest);
    for (const [place, k] of order.entries()) values[k] = view.getFloat32(4 * place, true);
    return bytes(values, 1);
  };
  const pairs = (wire: unknown): DataView => {
    const view = wire as DataView;
    const count = view.byteLength / 4;
    return bytes(Uint32Array.from({ length: count }, (_, e) => order[view.getUint32(4 * e, true)]));
  };
  return {
    ...laid,
    names: flat.names,
    functions: flat.functions,
    function: flat.function,
    kind: flat.kind,
    groups,
    boxes: boxes.map((b) => ({ group: groups.indexOf(b), label: b.label, count: b.count })),
    box: bytes(Uint32Array.from(box)),
    links: flat.edges,
    edges: pairs(laid.edges),
    x: spread(laid.x, Number.NaN),
    y: spread(laid.y, Number.NaN),
    w: spread(laid.w, 96),
  };
}

export function status(
  n: number,
  given: Partial<WireStatus> & { codes?: number[] } = {},
): WireStatus {
  const { codes, ...rest } = given;
  return {
    version: 1,
    seq: 0,
    run: 0,
    run_state: "idle",
    now: 1000,
    started: null,
    ended: null,
    notice: null,
    where: "",
    errors: {},
    notes: {},
    workers: [],
    state: bytes(
      Uint8Array.from({ length: n }, (_, i) => codes?.[i] ?? State.pending),
      1,
    ),
    attempt: bytes(new Uint16Array(n), 1),
    worker: bytes(new Uint16Array(n), 1),
    begin: bytes(new Float32Array(n).fill(Number.NaN), 3),
    seconds: bytes(new Float32Array(n).fill(Number.NaN), 3),
    missed: missedAttempts([]),
    ...rest,
  };
}

export function matches(
  query: string,
  index: number[],
  given: Partial<WireMatches> = {},
): WireMatches {
  return { version: 1, query, error: "", index: bytes(Uint32Array.from(index), 1), ...given };
}

/** What the kernel answers to a pattern, with the regular expressions of JavaScript. */
export function evaluated(names: string[], query: string, before?: WireMatches): WireMatches {
  const version = before?.version ?? 1;
  try {
    const whole = new RegExp(`^(?:${query})$`, "su");
    const found = names.flatMap((name, i) => (query && whole.test(name) ? [i] : []));
    return matches(query, found, { version });
  } catch (error) {
    return { ...(before ?? matches("", [])), error: String(error) };
  }
}

export interface Changed {
  i: number;
  state: number;
  begin?: number;
  seconds?: number;
  attempt?: number;
  worker?: number;
}

export function delta(seq: number, changed: Changed[], head: Partial<Delta> = {}): Delta {
  return {
    kind: "delta",
    version: 1,
    seq,
    reset: false,
    run: 1,
    run_state: "running",
    now: 1001,
    started: 1000,
    ended: null,
    notice: null,
    where: "",
    errors: {},
    notes: {},
    count: changed.length,
    index: Uint32Array.from(changed, (c) => c.i),
    begin: Float32Array.from(changed, (c) => c.begin ?? Number.NaN),
    seconds: Float32Array.from(changed, (c) => c.seconds ?? Number.NaN),
    attempt: Uint16Array.from(changed, (c) => c.attempt ?? 1),
    worker: Uint16Array.from(changed, (c) => c.worker ?? 0),
    state: Uint8Array.from(changed, (c) => c.state),
    ...head,
  };
}

const MODELS = [
  "Nearest Neighbors",
  "Linear SVM",
  "RBF SVM",
  "Gaussian Process",
  "Decision Tree",
  "Random Forest",
  "Neural Net",
  "AdaBoost",
  "Naive Bayes",
  "QDA",
];

/** The comparison of classifiers: load, split, models, scores. */
export function classifiers(
  sets: string[] = ["moons", "circles", "iris", "wine", "digits", "breast cancer"],
): Spec[] {
  const specs: Spec[] = [];
  const add = (spec: Spec): number => specs.push(spec) - 1;
  const scores: number[] = [];
  for (const set of sets) {
    const load = add({ name: `${set}, samples`, fn: "load" });
    const split = add({ name: `${set}, split`, fn: "split", parents: [load] });
    for (const model of MODELS) {
      const made = model === "Neural Net" ? 2 : model === "AdaBoost" ? 1 : 0;
      scores.push(
        add({ name: `${set}, ${model}-model`, fn: "fit_and_score", kind: made, parents: [split] }),
      );
    }
  }
  const table = add({ name: "scores", fn: "table", parents: scores });
  add({ name: "figure of all decision surfaces", fn: "plot", parents: [table] });
  add({ name: "report", fn: "Report.write", kind: 2, parents: [table] });
  return specs;
}

/** A layered random graph of n nodes, each with 1 to 3 parents in the layers just before. */
export function layered(n: number, wide = Math.round(Math.sqrt(n) * 1.2)): Spec[] {
  let seed = 7;
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  return Array.from({ length: n }, (_, i) => {
    const l = Math.floor(i / wide);
    const parents = new Set<number>();
    if (l > 0) {
      const many = 1 + Math.floor(random() * 3);
      for (let k = 0; k < many; k++) {
        const near = (i % wide) + Math.round((random() - 0.5) * 8);
        parents.add((l - 1) * wide + Math.max(0, Math.min(wide - 1, near)));
      }
    }
    return { name: `node_${String(i).padStart(4, "0")}`, fn: `f${i % 5}`, parents: [...parents] };
  });
}

/** A random graph of n nodes, each with up to three of those before it as parents; the same for the same seed. */
export function randomDag(n: number, seed: number): Spec[] {
  let state = seed + 1;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return Array.from({ length: n }, (_, i) => {
    const parents = new Set<number>();
    for (let k = Math.floor(random() * 4); k > 0 && i > 0; k--) {
      parents.add(Math.floor(random() * i));
    }
    return { name: `node ${i}`, fn: `f${i % 3}`, parents: [...parents] };
  });
}
