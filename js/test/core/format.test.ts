import { describe, expect, it } from "vitest";
import { duration, graphemes, oneLine, roughly, shorten, someLines } from "../../src/core/format";

const each = (text: string) => graphemes(text).length;

describe("durations", () => {
  it.each([
    [Number.NaN, ""],
    [0, "<1 ms"],
    [0.0007, "<1 ms"],
    [0.001, "1 ms"],
    [0.0124, "12 ms"],
    [0.0994, "99 ms"],
    [0.0996, "0.10 s"],
    [0.314, "0.31 s"],
    [9.994, "9.99 s"],
    [9.996, "10.0 s"],
    [59.94, "59.9 s"],
    [59.96, "1:00 min"],
    [125, "2:05 min"],
    [3599.4, "59:59 min"],
    [3599.6, "1:00 h"],
    [3720, "1:02 h"],
    [-1, "<1 ms"],
  ])("%d s is %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  it("has a steady form while it grows", () => {
    expect(duration(0.04, true)).toBe("0.0 s");
    expect(duration(6.12, true)).toBe("6.1 s");
    expect(duration(61, true)).toBe("1:01 min");
  });

  it.each([
    [0.2, "1 s"],
    [4.4, "4 s"],
    [42, "40 s"],
    [100, "2 min"],
    [7300, "2 h"],
  ])("%d s left is about %s", (seconds, text) => expect(roughly(seconds)).toBe(text));
});

describe("shortening in the middle", () => {
  it("leaves alone what fits", () => {
    expect(shorten("scores", 6, each)).toBe("scores");
  });

  it("keeps more of the end than of the beginning", () => {
    expect(shorten("moons, RBF SVM-model", 11, each)).toBe("moon\u2026-model");
    expect(shorten("abcdefghij", 4, each)).toBe("a\u2026ij");
  });

  it("never cuts an emoji, a flag or a surrogate pair in two", () => {
    const family = "\u{1F468}\u200D\u{1F469}\u200D\u{1F467}";
    const text = `${family}${family}ab${family}${family}`;
    expect(shorten(text, 4, each)).toBe(`${family}\u2026${family}${family}`);
    const pairs = "\u{20000}\u{20001}\u{20002}\u{20003}\u{20004}";
    for (let width = 0; width < 5; width++) {
      expect(shorten(pairs, width, each)).not.toMatch(/\p{Cs}/u);
    }
  });

  it("measures Japanese as wide as it is", () => {
    const wide = (text: string) => [...text].reduce((sum, c) => sum + (c > "\u2fff" ? 2 : 1), 0);
    expect(shorten("データセット読み込み", 11, wide)).toBe("デー\u2026み込み");
  });

  it("gives the mark alone, or nothing, where there is no room", () => {
    expect(shorten("abc", 1, each)).toBe("\u2026");
    expect(shorten("abc", 0, each)).toBe("");
  });
});

describe("text made safe", () => {
  it("puts a name on one line, without controls and marks that turn the writing", () => {
    expect(oneLine("a\n\tb\u0007\u202Egnp.exe")).toBe("a b gnp.exe");
    expect(oneLine("<img onerror=1>")).toBe("<img onerror=1>");
    expect(oneLine("\ud800x")).toBe("x");
  });

  it("keeps beginning and end of ten kilobytes", () => {
    const text = oneLine(`start${"x".repeat(10_000)}end`, 40);
    expect(text).toHaveLength(39);
    expect(text.startsWith("start")).toBe(true);
    expect(text.endsWith("xend")).toBe(true);
  });

  it("keeps the lines of a message, and bounds it", () => {
    expect(someLines("one\r\ntwo\u001b[31m", 100)).toBe("one\ntwo [31m");
    expect(someLines("y".repeat(1000), 100)).toBe(`${"y".repeat(99)}\u2026`);
  });
});
