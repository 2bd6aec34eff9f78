import { beforeEach, describe, expect, it } from "vitest";
import { isFixed, selectionKey, standing } from "../../src/core/details";
import { Editor, flat, RAW, rawOf } from "../../src/core/editor";
import { type Field, fieldsOf } from "../../src/core/schema";
import type { EditAnswer, Settings } from "../../src/core/types";
import { SCHEMA } from "../fake_settings";

const FIELDS = fieldsOf(SCHEMA);
const field = (path: string): Field =>
  flat(FIELDS).find((one) => one.path.join(".") === path) as Field;
const NAMES = ["a", "b", "c"];

let sent: [string, Record<string, unknown> | undefined][];
let answers: ((answer: Partial<EditAnswer> | Error) => Promise<void>)[];
let session: ReturnType<typeof make>;
let editor: Editor;
let changes: number;

function make() {
  return {
    selected: ["b", "c"] as string[],
    store: {
      graph: { version: 4 },
      indexOf: (name: string) => (NAMES.includes(name) ? NAMES.indexOf(name) : undefined),
    },
    details: null as unknown,
    edit(name: string, args?: Record<string, unknown>) {
      sent.push([name, args]);
      return new Promise<EditAnswer>((resolve, reject) => {
        answers.push(async (answer) => {
          if (answer instanceof Error) reject(answer);
          else resolve({ id: "1", ok: true, text: "", errors: {}, ...answer });
          for (let n = 0; n < 5; n++) await Promise.resolve();
        });
      });
    },
  };
}

beforeEach(() => {
  [sent, answers, changes] = [[], [], 0];
  session = make();
  editor = new Editor(session as never, () => changes++);
});

const shows = (settings: Partial<Settings>): void => {
  session.details = {
    key: selectionKey(session.selected),
    settings: { values: {}, mixed: {}, inside: {}, unknown: [], ...settings },
  };
};

describe("what is typed into a field", () => {
  it("goes out as one message for all selected nodes, with what was shown", async () => {
    editor.type("retries", "3", "", { mixed: [0, 2] });
    void editor.commit(field("retries"));
    void editor.commit(field("retries"));
    expect(sent).toEqual([
      [
        "edit",
        {
          nodes: [1, 2],
          version: 4,
          at: [],
          set: { retries: 3 },
          unset: [],
          was: { retries: { mixed: [0, 2] } },
        },
      ],
    ]);
    expect(editor.draft("retries")?.state).toBe("pending");
    await answers[0]({});
    expect(editor.draft("retries")).toBeUndefined();
  });

  it("unsets the key where it was emptied", () => {
    editor.type("retries", "", "2", 2);
    void editor.commit(field("retries"));
    expect(sent[0][1]).toMatchObject({ set: {}, unset: ["retries"], was: { retries: 2 } });
  });

  it("sends nothing where nothing is different", () => {
    editor.type("retries", "3", "2", 2);
    editor.type("retries", "2", "2", 2);
    void editor.commit(field("retries"));
    expect(editor.draft("retries")).toBeUndefined();
    expect(sent).toEqual([]);
  });

  it("stays with the kernel's words where it is refused, and is not sent again by leaving the field", async () => {
    editor.type("timeout", "-5", "", null);
    void editor.commit(field("timeout"));
    await answers[0]({ ok: false, errors: { timeout: "must be greater than 0" } });
    expect(editor.draft("timeout")).toMatchObject({
      text: "-5",
      state: "refused",
      error: "must be greater than 0",
    });
    void editor.commit(field("timeout"));
    expect(sent.length).toBe(1);
    void editor.commit(field("timeout"), true);
    expect(sent.length).toBe(2);
    editor.drop("timeout");
    expect(editor.draft("timeout")).toBeUndefined();
  });

  it("stays where no answer comes, and where it is no number nothing is sent", async () => {
    editor.type("timeout", "5", "", null);
    void editor.commit(field("timeout"));
    await answers[0](new Error("the kernel is gone"));
    expect(editor.draft("timeout")).toMatchObject({ text: "5", error: "the kernel is gone" });
    editor.type("timeout", "soon", "", null);
    void editor.commit(field("timeout"), true);
    expect(editor.draft("timeout")?.error).toContain("not a number");
    expect(sent.length).toBe(1);
  });

  it("is measured against what Python has set meanwhile, once that was told", async () => {
    editor.type("retries", "3", "2", 2);
    void editor.commit(field("retries"));
    shows({ values: { retries: 7 } });
    await answers[0]({ ok: false, errors: { retries: "it is 7 by now" } });
    void editor.commit(field("retries"), true);
    expect(sent[1][1]).toMatchObject({ set: { retries: 3 }, was: { retries: 7 } });
  });

  it("is not lost where it was typed while an earlier answer was on its way", async () => {
    editor.type("retries", "3", "", null);
    void editor.commit(field("retries"));
    editor.type("retries", "34", "", null);
    shows({ values: { retries: 3 } });
    await answers[0]({});
    expect(editor.draft("retries")).toMatchObject({ text: "34", state: "typing", was: 3 });
    void editor.commit(field("retries"));
    expect(sent[1][1]).toMatchObject({ set: { retries: 34 }, was: { retries: 3 } });
  });

  it("goes to the nodes it was typed for when others are selected, and waits there where it is refused", async () => {
    editor.type("timeout", "-5", "", null);
    session.selected = ["a"];
    void editor.leave(FIELDS);
    expect(sent[0][1]).toMatchObject({ nodes: [1, 2], set: { timeout: -5 } });
    await answers[0]({ ok: false, errors: { timeout: "no" } });
    expect(editor.draft("timeout")).toBeUndefined();
    session.selected = ["b", "c"];
    expect(editor.draft("timeout")).toMatchObject({ text: "-5", error: "no" });
  });
});

describe("a field inside of an object", () => {
  it("is sent by itself, with where it is: what stands beside it is no matter of it", () => {
    const num = field("remote_args.num_cpus");
    editor.type("remote_args.num_cpus", "2", "1", { mixed: [1, null] });
    void editor.commit(num);
    expect(sent[0][1]).toMatchObject({
      at: ["remote_args"],
      set: { num_cpus: 2 },
      unset: [],
      was: { num_cpus: { mixed: [1, null] } },
    });
    session.selected = ["a"];
    editor.type("remote_args.num_cpus", "", "1", 1);
    void editor.commit(num);
    expect(sent[1][1]).toMatchObject({ at: ["remote_args"], set: {}, unset: ["num_cpus"] });
  });

  it("is measured against what stands there by now, where it was refused", async () => {
    editor.type("remote_args.num_cpus", "2", "", null);
    void editor.commit(field("remote_args.num_cpus"));
    shows({ values: { remote_args: { num_cpus: 7, resources: { a: 1 } } } });
    await answers[0]({ ok: false, errors: { "remote_args.num_cpus": "it is 7 by now" } });
    void editor.commit(field("remote_args.num_cpus"), true);
    expect(sent[1][1]).toMatchObject({ set: { num_cpus: 2 }, was: { num_cpus: 7 } });
  });

  it("shows the errors of its own path without the path", async () => {
    editor.type("remote_args.num_cpus", "-1", "", null);
    void editor.commit(field("remote_args.num_cpus"));
    await answers[0]({
      ok: false,
      errors: { "remote_args.num_cpus": "too small", retries: "odd" },
    });
    expect(editor.draft("remote_args.num_cpus")?.error).toBe("too small\nretries: odd");
  });
});

describe("raw JSON", () => {
  const settings: Settings = {
    values: { retries: 2, team: "vision", plugin: { $repr: "<Plugin>" } },
    mixed: { cache: [true, null] },
    inside: {},
    unknown: ["team"],
  };

  it("leaves out what cannot stand in it, and says so", () => {
    expect(rawOf(settings)).toEqual({
      values: { retries: 2, team: "vision" },
      left: ["cache", "plugin"],
    });
  });

  it("sends what is different as one edit", () => {
    editor.type(RAW, '{"retries": 2, "timeout": 5, "__proto__": 1}', "", null);
    void editor.commitRaw(settings);
    const args = sent[0][1] as { set: object; was: object };
    expect(Object.entries(args.set)).toEqual([
      ["timeout", 5],
      ["__proto__", 1],
    ]);
    expect(args).toMatchObject({ unset: ["team"], was: { timeout: null, team: "vision" } });
  });

  it("never replaces what is no JSON", () => {
    editor.type(RAW, '{"retries": 2, "team": "vision", "plugin": 1}', "", null);
    void editor.commitRaw(settings);
    expect(editor.draft(RAW)?.error).toMatch(/^plugin: it contains values that are not JSON/);
    expect(sent).toEqual([]);
  });

  it.each([
    ["{retries: 2}", "line 1"],
    ['{\n  "retries": 2,\n  x\n}', "line 3"],
    ["[1]", "not an object"],
    ['{"a": 1e999}', "too large"],
  ])("%j is told with its place and stays", (text, why) => {
    editor.type(RAW, text, "", null);
    void editor.commitRaw(settings);
    expect(editor.draft(RAW)).toMatchObject({ text, error: expect.stringContaining(why) });
    expect(sent).toEqual([]);
  });
});

describe("undo and redo", () => {
  it("go out one at a time and say what went wrong", async () => {
    void editor.undo("undo");
    void editor.undo("undo");
    expect([sent.length, editor.busy]).toEqual([1, "undo"]);
    await answers[0]({ ok: false, text: "retries was changed in Python" });
    expect([editor.problem, editor.busy]).toEqual(["retries was changed in Python", ""]);
    void editor.undo("redo");
    await answers[1](new Error("gone"));
    expect([sent[1][0], editor.problem]).toEqual(["redo", "gone"]);
  });
});

it("what stands at a path is unset, a value, or different from node to node", () => {
  const settings: Settings = {
    values: { remote_args: { num_cpus: 2 }, odd: null },
    mixed: {
      cache: [true, false],
      args: [
        { a: 1, b: 2 },
        { b: 2, c: { $repr: "<object>" } },
      ],
    },
    inside: {
      args: {
        values: { b: 2 },
        mixed: { a: [1, null], c: [null, { $repr: "<object>" }] },
        inside: {},
      },
    },
    unknown: [],
  };
  expect(standing(settings, ["remote_args", "num_cpus"])).toEqual({ how: "set", value: 2 });
  expect(standing(settings, ["remote_args", "toString"])).toEqual({ how: "unset" });
  expect(standing(settings, ["odd"])).toEqual({ how: "set", value: null });
  expect(standing(settings, ["odd", "inner"])).toEqual({ how: "unset" });
  expect(standing(settings, ["cache"])).toEqual({ how: "mixed", of: [true, false] });
  expect(standing(settings, ["args", "b"])).toEqual({ how: "set", value: 2 });
  expect(standing(settings, ["args", "a"])).toEqual({ how: "mixed", of: [1, null] });
  expect(standing(settings, ["args", "d"])).toEqual({ how: "unset" });
  expect(["a", "b", "c", "d"].map((key) => isFixed(standing(settings, ["args", key])))).toEqual([
    false,
    false,
    true,
    false,
  ]);
});
