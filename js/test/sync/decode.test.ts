import { describe, expect, it } from "vitest";
import { column, decodeDelta, decodeGraph, decodeStatus } from "../../src/sync/decode";
import { bytes, graph, packed, status } from "../fake";
import { missedAttempts, missedColumns } from "../fake_missed";

describe("columns", () => {
  it.each([0, 1, 2, 3, 4, 5, 7])("come out right at a byte offset of %i", (offset) => {
    const view = bytes(Float32Array.from([1.5, -2, Number.NaN]), offset);
    expect([...column(Float32Array, view, "x")]).toEqual([1.5, -2, Number.NaN]);
    expect([...column(Uint16Array, bytes(Uint16Array.from([1, 65535]), offset), "a")]).toEqual([
      1, 65535,
    ]);
  });

  it("come from an ArrayBuffer or a typed array as well", () => {
    const array = Uint32Array.from([7, 8]);
    expect([...column(Uint32Array, array.buffer, "x")]).toEqual([7, 8]);
    expect([...column(Uint32Array, array.subarray(1), "x")]).toEqual([8]);
  });

  it("are refused in words where bytes are missing", () => {
    expect(() => column(Float32Array, new Uint8Array(5), "begin")).toThrow(
      "the column begin has 5 bytes, not a multiple of 4",
    );
    expect(() => column(Float32Array, undefined, "begin")).toThrow("the column begin is missing");
  });
});

describe("a delta", () => {
  const head = {
    kind: "delta" as const,
    version: 1,
    seq: 1,
    reset: false,
    run: 1,
    run_state: "running" as const,
    now: 1,
    started: 1,
    ended: null,
    notice: null,
    where: "",
    errors: {},
    notes: {},
    count: 3,
  };
  const columns = [
    Uint32Array.from([5, 6, 70000]),
    Float32Array.from([0.5, 1, 2]),
    Float32Array.from([Number.NaN, 3, 4]),
    Uint16Array.from([1, 2, 3]),
    Uint16Array.from([0, 9, 8]),
    Uint8Array.from([4, 6, 2]),
  ];

  it.each([0, 1, 2, 3])("is five columns and the states in one buffer, at offset %i", (offset) => {
    const delta = decodeDelta(head, packed(columns, offset));
    expect([...delta.index]).toEqual([5, 6, 70000]);
    expect([...delta.begin]).toEqual([0.5, 1, 2]);
    expect([...delta.seconds]).toEqual([Number.NaN, 3, 4]);
    expect([...delta.attempt]).toEqual([1, 2, 3]);
    expect([...delta.worker]).toEqual([0, 9, 8]);
    expect([...delta.state]).toEqual([4, 6, 2]);
  });

  it("has the attempts that gave nothing behind the columns", () => {
    const missed = missedAttempts(
      [{ node: 70000, attempt: 3, worker: 9, begin: 1.5, seconds: 0.25, why: "E: no" }],
      7,
    );
    const buffer = packed([...columns, ...missedColumns(missed)], 1);
    const { at, why } = missed;
    const delta = decodeDelta({ ...head, missed: { at, why } }, buffer);
    expect([...delta.state]).toEqual([4, 6, 2]);
    expect(delta.missed).toEqual(missed);
    expect(decodeDelta(head, packed(columns)).missed).toBeUndefined();
    expect(() => decodeDelta(head, buffer)).toThrow("67 entries, not 51");
  });

  it("of no nodes needs no buffer", () => {
    expect(decodeDelta({ ...head, count: 0 }, undefined).index).toHaveLength(0);
  });

  it("of the wrong length is refused", () => {
    expect(() => decodeDelta({ ...head, count: 2 }, packed(columns))).toThrow("51 entries, not 34");
    expect(() => decodeDelta(head, undefined)).toThrow("without its buffer");
  });
});

describe("graph and status", () => {
  const wire = graph([
    { name: "a", fn: "f" },
    { name: "b", fn: "g", kind: 2, parents: [0] },
  ]);

  it("decode", () => {
    const g = decodeGraph(wire);
    expect(g.names).toEqual(["a", "b"]);
    expect([...g.edges]).toEqual([0, 1]);
    expect([...g.kind]).toEqual([0, 2]);
    expect([...g.function]).toEqual([0, 1]);
    expect(g.w).toHaveLength(2);
  });

  it("are refused where columns do not belong together", () => {
    const three = Float32Array.from([1, 2, 3]);
    expect(() => decodeGraph({ ...wire, x: bytes(three) })).toThrow(
      "the column x has 3 entries, not 2",
    );
    expect(() => decodeGraph({ ...wire, edges: bytes(Uint32Array.from([0, 9])) })).toThrow(
      "node 9",
    );
    const missed = { ...missedAttempts([]), why: ["lost"] };
    expect(() => decodeStatus({ ...status(3), missed })).toThrow(
      "the column node has 0 entries, not 1",
    );
    expect(() => decodeStatus({ ...status(3), attempt: bytes(new Uint16Array(2)) })).toThrow(
      "the column attempt has 2 entries, not 3",
    );
  });

  it("decode with no nodes at all", () => {
    const g = decodeGraph(graph([]));
    expect(g.names).toHaveLength(0);
    expect([...g.route_at]).toEqual([0]);
  });
});
