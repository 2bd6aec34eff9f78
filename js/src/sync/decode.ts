// Binary columns of the wire as typed arrays. Little-endian, as every browser's machine is.
import { counted } from "../core/format";
import type {
  Bytes,
  Delta,
  DeltaHead,
  Edits,
  Graph,
  Matches,
  Missed,
  RunColumns,
  Stale,
  Status,
  WireEdits,
  WireGraph,
  WireMatches,
  WireMissed,
  WireStale,
  WireStatus,
} from "../core/types";

interface ArrayType<T> {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}

/**
 * A typed array over `bytes`, a copy only where the offset does not suit the type.
 *
 * @param what the name of the field, for the error.
 */
export function column<T>(type: ArrayType<T>, bytes: Bytes | undefined, what: string): T {
  if (bytes === undefined || bytes === null) throw new Error(`the column ${what} is missing`);
  // Not `instanceof`: bytes may come from another frame, with its own ArrayBuffer.
  const view = ArrayBuffer.isView(bytes) ? bytes : new Uint8Array(bytes);
  const size = type.BYTES_PER_ELEMENT;
  if (view.byteLength % size !== 0) {
    throw new Error(`the column ${what} has ${view.byteLength} bytes, not a multiple of ${size}`);
  }
  const { buffer, byteOffset, byteLength } = view;
  if (byteOffset % size === 0)
    return new type(buffer as ArrayBuffer, byteOffset, byteLength / size);
  const copy = (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
  return new type(copy, 0, byteLength / size);
}

function expect(length: number, wanted: number, what: string): void {
  if (length !== wanted) throw new Error(`the column ${what} has ${length} entries, not ${wanted}`);
}

export function decodeGraph(wire: WireGraph): Graph {
  const graph: Graph = {
    ...wire,
    function: column(Uint32Array, wire.function, "function"),
    kind: column(Uint8Array, wire.kind, "kind"),
    edges: column(Uint32Array, wire.edges, "edges"),
    links: column(Uint32Array, wire.links, "links"),
    box: column(Uint32Array, wire.box, "box"),
    x: column(Float32Array, wire.x, "x"),
    y: column(Float32Array, wire.y, "y"),
    w: column(Float32Array, wire.w, "w"),
    route_at: column(Uint32Array, wire.route_at, "route_at"),
    route: column(Float32Array, wire.route, "route"),
  };
  const n = graph.names.length;
  const drawn = n + graph.boxes.length;
  for (const key of ["function", "kind"] as const) expect(graph[key].length, n, key);
  for (const key of ["x", "y", "w"] as const) expect(graph[key].length, drawn, key);
  if (graph.boxes.length) expect(graph.box.length, n, "box");
  if (graph.edges.length === 0 && graph.route_at.length === 0) graph.route_at = new Uint32Array(1);
  expect(graph.route_at.length, graph.edges.length / 2 + 1, "route_at");
  expect(graph.route.length, 2 * (graph.route_at.at(-1) ?? 0), "route");
  for (const end of graph.edges) {
    if (end >= drawn) throw new Error(`an edge names node ${end}, but there are ${drawn} nodes`);
  }
  return graph;
}

export function decodeStatus(wire: WireStatus): Status {
  const columns: RunColumns = {
    state: column(Uint8Array, wire.state, "state"),
    attempt: column(Uint16Array, wire.attempt, "attempt"),
    worker: column(Uint16Array, wire.worker, "worker"),
    begin: column(Float32Array, wire.begin, "begin"),
    seconds: column(Float32Array, wire.seconds, "seconds"),
  };
  const n = columns.state.length;
  for (const [key, values] of Object.entries(columns)) expect(values.length, n, key);
  return { ...wire, ...columns, missed: decodeMissed(wire.missed) };
}

function decodeMissed(wire: WireMissed): Missed {
  const columns = {
    node: column(Uint32Array, wire.node, "node"),
    begin: column(Float32Array, wire.begin, "begin"),
    seconds: column(Float32Array, wire.seconds, "seconds"),
    attempt: column(Uint16Array, wire.attempt, "attempt"),
    worker: column(Uint16Array, wire.worker, "worker"),
  };
  for (const [key, values] of Object.entries(columns)) expect(values.length, wire.why.length, key);
  return { ...wire, ...columns };
}

export function decodeMatches(wire: WireMatches, nodes: number): Matches {
  const index = column(Uint32Array, wire.index, "index");
  const wrong = index.find((i) => i >= nodes);
  if (wrong !== undefined) {
    throw new Error(`a match names node ${wrong}, but there are ${nodes} nodes`);
  }
  return { ...wire, index };
}

export function decodeStale(wire: WireStale, nodes: number): Stale {
  const index = column(Uint32Array, wire.index, "stale");
  const reason = column(Uint32Array, wire.reason, "reason");
  expect(reason.length, index.length, "reason");
  const why = new Map<number, string>();
  for (const [k, node] of index.entries()) {
    if (node < nodes) why.set(node, wire.reasons[reason[k]] ?? "");
  }
  const { version, reasons, newer, notices } = wire;
  return { version, reasons, newer, notices, why };
}

/** Edits of an older graph may name nodes that are gone: these are passed over. */
export function decodeEdits(wire: WireEdits, nodes: number): Edits {
  const changed = column(Uint32Array, wire.changed, "changed").filter((i) => i < nodes);
  return { ...wire, changed };
}

/** One delta: columns after another in one buffer, in the order of the contract. */
export function decodeDelta(head: DeltaHead, bytes: Bytes | undefined): Delta {
  const k = head.count;
  if (k > 0 && !bytes) throw new Error(`a delta of ${counted(k, "node")} came without its buffer`);
  const whole = bytes ? column(Uint8Array, bytes, "delta") : new Uint8Array(0);
  const m = head.missed?.why.length ?? 0;
  expect(whole.byteLength, 17 * k + 16 * m, "delta");
  let at = 0;
  const take = <T>(type: ArrayType<T>, what: string, count = k): T => {
    const part = whole.subarray(at, at + count * type.BYTES_PER_ELEMENT);
    at += part.byteLength;
    return column(type, part, what);
  };
  const columns = {
    index: take(Uint32Array, "index"),
    begin: take(Float32Array, "begin"),
    seconds: take(Float32Array, "seconds"),
    attempt: take(Uint16Array, "attempt"),
    worker: take(Uint16Array, "worker"),
    state: take(Uint8Array, "state"),
  };
  const missed = head.missed && {
    ...head.missed,
    node: take(Uint32Array, "node", m),
    begin: take(Float32Array, "begin", m),
    seconds: take(Float32Array, "seconds", m),
    attempt: take(Uint16Array, "attempt", m),
    worker: take(Uint16Array, "worker", m),
  };
  return { ...head, ...columns, missed };
}
