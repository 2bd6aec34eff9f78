import { describe, expect, it } from "vitest";
import {
  alike,
  crc32,
  holdsRepr,
  isCurrent,
  nodeDetails,
  selectionKey,
  shownFor,
} from "../../src/core/details";
import type { Details } from "../../src/core/types";
import { decodeGraph } from "../../src/sync/decode";
import { classifiers, graph } from "../fake";

const about = (names: string[], given: Partial<Details> = {}): Details => ({
  version: 1,
  count: names.length,
  key: selectionKey(names),
  node: null,
  settings: { values: {}, mixed: {}, inside: {}, unknown: [] },
  ...given,
});

describe("the key of a selection", () => {
  it("is the CRC-32 that Python computes", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    expect(selectionKey([])).toBe("00000000");
    // Taken from Python's zlib.crc32.
    expect(selectionKey(["a", "b"])).toBe("ef0790fb");
    expect(selectionKey(["Größe", "データ"])).toBe("7a1f9381");
    expect(selectionKey(["a", "b"])).not.toBe(selectionKey(["b", "a"]));
  });

  it("tells details of this selection from those of another, of another graph, and from none", () => {
    const wire = decodeGraph(graph(classifiers(["moons"])));
    const selected = ["moons, samples"];
    const session = { selected, store: { graph: wire } };
    expect(isCurrent(about(selected), session)).toBe(true);
    expect(isCurrent(about(["scores"]), session)).toBe(false);
    expect(isCurrent(about(selected, { version: 7 }), session)).toBe(false);
    expect(isCurrent(null, session)).toBe(false);
    expect(nodeDetails(about(selected), session)).toBeNull();
  });
});

it("what was shown goes back as it was, also for keys with names of JavaScript's own", () => {
  const settings = {
    values: { retries: 2 },
    mixed: { cache: [true, null] },
    inside: {},
    unknown: [],
  };
  expect(shownFor(settings, ["retries"])).toBe(2);
  expect(shownFor(settings, ["cache"])).toEqual({ mixed: [true, null] });
  expect([shownFor(settings, ["timeout"]), shownFor(settings, ["constructor"])]).toEqual([
    null,
    null,
  ]);
});

it("values are compared as JSON, and what is none is found inside of them", () => {
  expect(alike({ a: [1, { b: null }], c: 2 }, { c: 2, a: [1, { b: null }] })).toBe(true);
  expect(alike({ a: 1 }, { a: 1, b: 1 })).toBe(false);
  expect(alike([], {})).toBe(false);
  expect(alike({ toString: 1 }, { other: 1 })).toBe(false);
  expect(holdsRepr({ a: [{ $repr: "<object>" }] })).toBe(true);
  expect(holdsRepr({ a: ["$repr"] })).toBe(false);
});
