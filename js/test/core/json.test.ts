import { describe, expect, it } from "vitest";
import { faultOf } from "../../src/core/json";

describe("where JSON goes wrong", () => {
  it.each([
    ['["a",\n b]', "a value is expected here (line 2, column 2)"],
    ['{"a": 1,\n}', "a key in double quotes is expected here (line 2, column 1)"],
    ["{a: 1}", "a key in double quotes is expected here (line 1, column 2)"],
    ['{"a" 1}', "a colon is expected here (line 1, column 6)"],
    ["[1 2]", "a comma or ] is expected here (line 1, column 4)"],
    ["{\"a\": 'b'}", "strings must be in double quotes (line 1, column 7)"],
    [
      '{"a": "b\n"}',
      "this string does not end, or has a \\ or a line break in it (line 1, column 7)",
    ],
    ["[1]]", "nothing more is expected here (line 1, column 4)"],
    ["01", "nothing more is expected here (line 1, column 2)"],
    ["", "a value is expected here (line 1, column 1)"],
    ["[", "a value is expected here (line 1, column 2)"],
  ])("%j", (text, told) => expect(faultOf(text)).toBe(told));

  it("is nowhere exactly where JSON.parse takes it", () => {
    let seed = 3;
    const random = (n: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % n;
    };
    const parts = [
      '"a"',
      ":",
      ",",
      "{",
      "}",
      "[",
      "]",
      "1",
      "-0.5e3",
      "true",
      "null",
      " ",
      "\n",
      "x",
      "'",
    ];
    let good = 0;
    for (let n = 0; n < 4000; n++) {
      const text = Array.from({ length: 1 + random(6) }, () => parts[random(parts.length)]).join(
        "",
      );
      let taken = true;
      try {
        JSON.parse(text);
      } catch {
        taken = false;
      }
      expect([text, faultOf(text) === ""]).toEqual([text, taken]);
      if (taken) good++;
    }
    expect(good).toBeGreaterThan(50);
  });

  it("does not break on what is nested a million deep", () => {
    expect(faultOf("[".repeat(1_000_000))).toBe("");
  });
});
