import { describe, expect, it } from "vitest";
import { type Field, fieldsOf, parsed, placeholderOf, textOf } from "../../src/core/schema";
import { SCHEMA } from "../fake_settings";

const FIELDS = new Map(fieldsOf(SCHEMA).map((field) => [field.label, field]));
const field = (name: string): Field => FIELDS.get(name) as Field;

describe("the fields of a schema", () => {
  it("come in its order, each with a control that suits it", () => {
    expect([...FIELDS.values()].map(({ label, kind }) => [label, kind])).toEqual([
      ["cache", "choice"],
      ["plugin", "shown"],
      ["executor", "choice"],
      ["retries", "number"],
      ["timeout", "number"],
      ["label", "text"],
      ["tags", "json"],
      ["remote_args", "group"],
    ]);
    expect(field("executor")).toMatchObject({
      options: ["inline", "thread", "process"],
      nullable: true,
      default: null,
    });
    expect(field("cache").options).toEqual([true, false]);
    expect(field("retries")).toMatchObject({ integer: true, range: "0 to 1000", nullable: false });
    expect(field("timeout")).toMatchObject({
      integer: false,
      range: "more than 0",
      nullable: true,
    });
  });

  it("follow references, optional ones too, and keep the whole path", () => {
    const inner = field("remote_args").fields;
    expect(inner.map(({ path, kind }) => [path.join("."), kind])).toEqual([
      ["remote_args.num_cpus", "number"],
      ["remote_args.scheduling", "choice"],
      ["remote_args.retry_exceptions", "choice"],
      ["remote_args.resources", "json"],
    ]);
    expect(inner[1].options).toEqual(["DEFAULT", "SPREAD"]);
  });

  it("are those alternatives that are JSON", () => {
    const ways = (...anyOf: object[]): Field =>
      fieldsOf({ properties: { x: { anyOf: [...anyOf, { type: "null" }], default: null } } })[0];
    const shown = { "x-fuse-shown-only": true };
    expect(ways({ type: "boolean" }, { type: "array", items: {}, ...shown })).toMatchObject({
      kind: "choice",
      options: [true, false],
      nullable: true,
    });
    expect(ways({ enum: ["DEFAULT", "SPREAD"] }, shown)).toMatchObject({
      kind: "choice",
      options: ["DEFAULT", "SPREAD"],
    });
    expect(ways({ type: "integer", minimum: 1 }, shown)).toMatchObject({
      kind: "number",
      range: "1 or more",
    });
    expect(ways(shown).kind).toBe("shown");
    expect(ways({ type: "integer" }, { type: "array" }).kind).toBe("json");
  });

  it("that are one of several simple things are read as the one they look like", () => {
    const made = (...anyOf: object[]): Field =>
      fieldsOf({ properties: { x: { anyOf: [...anyOf, { type: "null" }] } } })[0];
    const both = made({ type: "integer" }, { type: "string" });
    const auto = made({ const: "auto" }, { type: "number" });
    expect([both.kind, both.range]).toEqual(["either", "a number or a text"]);
    expect([auto.kind, auto.range]).toEqual(["either", "auto or a number"]);
    const read = (field: Field, text: string) => {
      const got = parsed(field, text);
      return got.ok ? ("value" in got ? got.value : "unset") : got.error;
    };
    expect(["3", '"3"', "some words", "none", ""].map((text) => read(both, text))).toEqual([
      3,
      "3",
      "some words",
      null,
      "unset",
    ]);
    expect(["3", "auto", '"auto"', "x", '"x'].map((text) => read(auto, text))).toEqual([
      3,
      "auto",
      "auto",
      "this is not auto or a number",
      expect.stringContaining("not JSON"),
    ]);
    for (const value of [3, "3", "some words", "none", null, '"', "", " a ", 1.5]) {
      expect(read(both, textOf(both, value))).toBe(value);
    }
  });

  it("end where a schema refers to itself, and where there is none", () => {
    const tree = { properties: { next: { $ref: "#/$defs/T" } }, $defs: {} };
    Object.assign(tree.$defs, { T: { properties: { next: { $ref: "#/$defs/T" } } } });
    const [first] = fieldsOf(tree);
    expect(first.fields[0].kind).toBe("json");
    expect(fieldsOf({})).toEqual([]);
    expect(
      fieldsOf({ properties: { a: { $ref: "#/$defs/a" }, b: true } }).map((f) => f.kind),
    ).toEqual(["json", "json"]);
    const round = { properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { $ref: "#/$defs/a" } } };
    expect(fieldsOf(round)[0].kind).toBe("json");
  });

  it("say what holds where nothing is set", () => {
    expect(["cache", "retries", "timeout"].map((name) => placeholderOf(field(name)))).toEqual([
      "on (default)",
      "0 (default)",
      "not set",
    ]);
  });
});

describe("the text of a field", () => {
  it.each([
    ["retries", "3", { value: 3 }],
    ["retries", " 1_000 ", { value: 1000 }],
    ["retries", "-5", { value: -5 }],
    ["retries", "1.5", { value: 1.5 }],
    ["retries", "", { unset: true }],
    ["timeout", "1e3", { value: 1000 }],
    ["timeout", "None", { value: null }],
    ["label", " two words ", { value: " two words " }],
    ["tags", '["a"]', { value: ["a"] }],
  ])("%s: %j is understood", (name, text, value) => {
    expect(parsed(field(name), text)).toEqual({ ok: true, ...value });
  });

  it.each([
    ["retries", "three", "not a number"],
    ["retries", "none", "not a number"],
    ["retries", "0x10", "not a number"],
    ["timeout", "1e999", "too large"],
    ["timeout", "Infinity", "not a number"],
    ["retries", "12345678901234567890", "so many digits"],
    ["tags", '["a",\n  b]', "line 2"],
    ["tags", "[", "line 1"],
    ["tags", "[1e999]", "too large"],
  ])("%s: %j is refused before it is sent", (name, text, why) => {
    expect(parsed(field(name), text)).toMatchObject({
      ok: false,
      error: expect.stringContaining(why),
    });
  });

  it("is what would be typed to get the value", () => {
    expect(textOf(field("label"), '"x"')).toBe('"x"');
    expect(textOf(field("tags"), ["a"])).toBe('["a"]');
    expect(textOf(field("timeout"), null)).toBe("None");
    expect(textOf(field("plugin"), { $repr: "<Plugin at 0x7f>" })).toBe("<Plugin at 0x7f>");
  });
});
