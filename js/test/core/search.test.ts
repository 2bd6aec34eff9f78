import { describe, expect, it } from "vitest";
import { adviceFor, countText, escaped, NO_SEARCH, nextMatch } from "../../src/core/search";

const found = (...index: number[]) => ({
  ...NO_SEARCH,
  query: "x",
  index: Uint32Array.from(index),
});

describe("the count", () => {
  it("tells matches of nodes, and says nothing without a search or an answer", () => {
    expect(countText(found(1, 3, 5, 7), 17)).toBe("4 of 17");
    expect(countText(found(), 17)).toBe("no match");
    expect(countText(NO_SEARCH, 17)).toBe("");
    expect(countText({ ...NO_SEARCH, query: "x", pending: true }, 17)).toBe("");
    expect(countText({ ...found(), error: "broken" }, 17)).toBe("");
    expect(countText({ ...found(2), error: "broken" }, 17)).toBe("1 of 17");
  });
});

describe("next and previous", () => {
  const index = Uint32Array.from([2, 5, 9]);
  it("go through the matches in turn, around both ends", () => {
    expect([-1, 2, 5, 9].map((at) => nextMatch(index, at, 1))).toEqual([2, 5, 9, 2]);
    expect([-1, 2, 5, 9].map((at) => nextMatch(index, at, -1))).toEqual([9, 9, 2, 5]);
  });
  it("go on from a node that matches no more, and nowhere without matches", () => {
    expect(nextMatch(index, 6, 1)).toBe(9);
    expect(nextMatch(index, 6, -1)).toBe(5);
    expect(nextMatch(new Uint32Array(), 6, 1)).toBe(-1);
    expect(nextMatch(null, -1, -1)).toBe(-1);
  });
  it("take node 0 for a match as any other", () => {
    const first = Uint32Array.from([0, 4]);
    expect([nextMatch(first, -1, 1), nextMatch(first, 4, 1), nextMatch(first, 4, -1)]).toEqual([
      0, 0, 0,
    ]);
  });
});

describe("the advice for a part of a name", () => {
  const names = ["mask one", "mask two", "a.b", "axb"];

  it("offers a pattern for the names that contain what was typed", () => {
    expect(adviceFor({ ...found(), query: "mask" }, names)).toEqual({
      pattern: ".*mask.*",
      count: 2,
    });
    expect(adviceFor({ ...found(), query: "a.b" }, ["xa.b", "axb"])).toEqual({
      pattern: ".*a\\.b.*",
      count: 1,
    });
  });

  it("says nothing where something matches, is wrong, has no answer yet or stands in no name", () => {
    expect(adviceFor({ ...found(1), query: "mask" }, names)).toBeNull();
    expect(adviceFor({ ...found(), query: "mask", error: "broken" }, names)).toBeNull();
    expect(adviceFor({ ...found(), query: "mask", pending: true }, names)).toBeNull();
    expect(adviceFor({ ...found(), query: "max" }, names)).toBeNull();
    expect(adviceFor(NO_SEARCH, names)).toBeNull();
  });

  it("writes text so that a pattern matches just this text", () => {
    for (const text of ["f(x)[0]{1}", "a^b$c|d", "1.5*2+3?", "back\\slash", "plain_name-1"]) {
      expect(new RegExp(`^${escaped(text)}$`).test(text)).toBe(true);
    }
  });
});
