// The JSON schema of `backend_info` as fields of a form, and the text of a field as a value. Pure.
import { holdsRepr, reprOf } from "./details";
import { faultOf } from "./json";
import type { Shown } from "./types";

export type Kind = "choice" | "number" | "text" | "either" | "json" | "shown" | "group";

export interface Field {
  /** From the outermost key inwards. */
  path: string[];
  label: string;
  kind: Kind;
  description: string;
  /** What may be chosen, of a "choice", and be typed, of an "either". */
  options: Shown[];
  /** Of an "either": which of these may be typed beside its options. */
  takes: ("number" | "text")[];
  integer: boolean;
  nullable: boolean;
  /** undefined where the schema names none. */
  default: Shown | undefined;
  /** "0 to 1000", "more than 0"; "" where anything goes. */
  range: string;
  /** Of a "group". */
  fields: Field[];
}

type Either = "options" | "takes" | "nullable";
type Schema = Record<string, unknown>;

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
/** Objects deeper than this are edited as JSON. */
const DEEPEST = 3;

/** The fields that a schema describes, in its order; what it does not make plain is edited as JSON. */
export function fieldsOf(schema: Schema): Field[] {
  return propertiesOf(schema, schema, [], []);
}

function propertiesOf(schema: Schema, root: Schema, path: string[], seen: Schema[]): Field[] {
  const properties = isSchema(schema.properties) ? schema.properties : {};
  return Object.entries(properties).map(([key, described]) =>
    fieldOf(isSchema(described) ? described : {}, root, [...path, key], seen),
  );
}

/** A schema with its `$ref` followed; what stands beside the reference goes before what it refers to. */
function followed(schema: Schema, root: Schema): Schema {
  let found = schema;
  for (let step = 0; step < 8; step++) {
    const only = list(found.allOf);
    if (only.length === 1 && isSchema(only[0])) {
      const { allOf: _, ...beside } = found;
      found = { ...only[0], ...beside };
      continue;
    }
    if (typeof found.$ref !== "string" || !found.$ref.startsWith("#/")) break;
    let target: unknown = root;
    for (const key of found.$ref.slice(2).split("/")) {
      const name = key.replaceAll("~1", "/").replaceAll("~0", "~");
      target = isSchema(target) && Object.hasOwn(target, name) ? target[name] : undefined;
    }
    const { $ref: _, ...beside } = found;
    found = isSchema(target) ? { ...target, ...beside } : beside;
  }
  return found;
}

function fieldOf(described: Schema, root: Schema, path: string[], seen: Schema[]): Field {
  const outer = followed(described, root);
  const ways = list(outer.anyOf ?? outer.oneOf)
    .filter(isSchema)
    .map((way) => followed(way, root));
  const known = ways.filter((way) => way.type !== "null");
  // An alternative that is no JSON can stand there and cannot be entered: the others are the field.
  const real = known.filter((way) => !way["x-fuse-shown-only"]);
  const inner = real.length === 1 ? { ...outer, ...real[0] } : outer;
  const types = list(inner.type);
  const type = types.length ? types.filter((t) => t !== "null") : [inner.type];
  const field: Field = {
    path,
    label: path.at(-1) as string,
    kind: "json",
    description: String(outer.description ?? inner.description ?? ""),
    options: [],
    takes: [],
    integer: type[0] === "integer",
    nullable: known.length < ways.length || types.includes("null") || inner.type === "null",
    default: outer.default,
    range: "",
    fields: [],
  };
  const choices = real.length > 1 ? real.map(choicesOf) : [choicesOf(inner)];
  const takes = real.map(takenBy);
  const shownOnly = known.length > 0 && real.length === 0;
  if (described["x-fuse-shown-only"] || outer["x-fuse-shown-only"] || shownOnly)
    field.kind = "shown";
  else if (choices.every((some) => some.length > 0)) {
    field.kind = "choice";
    field.options = optionsOf(choices.flat());
    field.nullable ||= choices.flat().includes(null);
  } else if (real.length > 1 && real.every((_, i) => takes[i] || choices[i].length > 0)) {
    field.kind = "either";
    field.takes = takes.filter((one) => one !== "");
    field.options = optionsOf(choices.flat());
    field.nullable ||= choices.flat().includes(null);
    field.range = [...field.options.map(typed), ...field.takes.map((one) => `a ${one}`)].join(
      " or ",
    );
  } else if (real.length > 1 || type.length > 1) field.kind = "json";
  else if (type[0] === "integer" || type[0] === "number") {
    field.kind = "number";
    field.range = rangeOf(inner);
  } else if (type[0] === "string") field.kind = "text";
  else if (
    isSchema(inner.properties) &&
    path.length < DEEPEST &&
    !seen.includes(inner.properties)
  ) {
    field.kind = "group";
    field.fields = propertiesOf(inner, root, path, [...seen, inner.properties]);
  }
  return field;
}

const typed = (value: Shown): string => (typeof value === "string" ? value : JSON.stringify(value));

function optionsOf(choices: Shown[]): Shown[] {
  return choices.filter((value, i) => value !== null && choices.indexOf(value) === i);
}

/** What an alternative of a field lets be typed; "" where it is neither a number nor a text. */
function takenBy(schema: Schema): "number" | "text" | "" {
  if (choicesOf(schema).length) return "";
  if (schema.type === "number" || schema.type === "integer") return "number";
  return schema.type === "string" ? "text" : "";
}

function choicesOf(schema: Schema): Shown[] {
  if (Array.isArray(schema.enum)) return schema.enum.every(isScalar) ? schema.enum : [];
  if (Object.hasOwn(schema, "const")) return isScalar(schema.const) ? [schema.const] : [];
  return schema.type === "boolean" ? [true, false] : [];
}

function isScalar(value: unknown): boolean {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function rangeOf(schema: Schema): string {
  const bound = (name: string): number | null =>
    typeof schema[name] === "number" ? (schema[name] as number) : null;
  const [least, most] = [bound("minimum"), bound("maximum")];
  const [above, below] = [bound("exclusiveMinimum"), bound("exclusiveMaximum")];
  if (least !== null && most !== null) return `${least} to ${most}`;
  const low = least !== null ? `${least} or more` : above !== null ? `more than ${above}` : "";
  const high = most !== null ? `at most ${most}` : below !== null ? `less than ${below}` : "";
  return [low, high].filter(Boolean).join(", ");
}

/** A value as the text of its field. */
export function textOf(field: Pick<Field, "kind" | Either>, value: Shown): string {
  const repr = reprOf(value);
  if (repr !== null) return repr;
  if (value === undefined) return "";
  if (field.kind === "text" && typeof value === "string") return value;
  if (value === null && field.kind === "text") return "";
  if (value === null && (field.kind === "number" || field.kind === "either")) return "None";
  if (field.kind === "either" && typeof value === "string") {
    // A text that would be read as something else goes in quotes.
    const read = eitherOf(field, value.trim());
    const plain = value !== "" && read.ok && "value" in read && read.value === value;
    return plain ? value : JSON.stringify(value);
  }
  return JSON.stringify(value);
}

/** A value as a person reads it: no quotes about words, None, on and off; what is no JSON by its text. */
export function worded(value: Shown): string {
  if (value === true) return "on";
  if (value === false) return "off";
  if (value === null || value === undefined) return "none";
  if (typeof value === "string" && value) return value;
  return written(value);
}

function written(value: Shown): string {
  const repr = reprOf(value);
  if (repr !== null || !holdsRepr(value)) return repr ?? JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  const entries = Object.entries(value as Record<string, Shown>);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}: ${written(item)}`).join(", ")}}`;
}

/** What stands in an empty field: "0 (default)", "(the workflow's)", "not set". */
export function placeholderOf(field: Field): string {
  if (field.default !== undefined && field.default !== null)
    return `${worded(field.default)} (default)`;
  if (field.kind === "shown") return "none";
  // None often means that something larger decides, and the description says what.
  return field.description.includes("the workflow's") ? "(the workflow's)" : "not set";
}

export type Parsed =
  | { ok: true; value: Shown }
  | { ok: true; unset: true }
  | { ok: false; error: string };

const wrong = (error: string): Parsed => ({ ok: false, error });
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** What a person typed, by the syntax of the field alone; whether the value may stand there is the kernel's to say. */
export function parsed(field: Field, text: string): Parsed {
  const plain = text.trim();
  if (plain === "") return { ok: true, unset: true };
  if (field.kind === "text") return { ok: true, value: text };
  if (field.kind === "either") return eitherOf(field, plain);
  if (field.kind !== "number") return parsedJson(plain);
  if (field.nullable && /^(none|null)$/i.test(plain)) return { ok: true, value: null };
  return numberOf(plain);
}

function numberOf(plain: string): Parsed {
  const digits = plain.replaceAll("_", "");
  const value = Number(digits);
  if (!NUMBER.test(digits)) return wrong("this is not a number");
  if (!Number.isFinite(value)) return wrong("this number is too large");
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return wrong("a browser cannot send a number of so many digits exactly; set it in Python");
  return { ok: true, value };
}

/** A word that may be chosen, else a number, else a text; in quotes it is a text in any case. */
function eitherOf({ options, takes, nullable }: Pick<Field, Either>, plain: string): Parsed {
  const option = options.find((value) => value === plain || JSON.stringify(value) === plain);
  if (option !== undefined) return { ok: true, value: option };
  if (nullable && /^(none|null)$/i.test(plain)) return { ok: true, value: null };
  if (takes.includes("number") && NUMBER.test(plain)) return numberOf(plain);
  if (plain.startsWith('"')) return parsedJson(plain);
  if (takes.includes("text")) return { ok: true, value: plain };
  return wrong(
    `this is not ${[...options.map(typed), ...takes.map((one) => `a ${one}`)].join(" or ")}`,
  );
}

/** JSON with the place of what is wrong in it. */
export function parsedJson(text: string): Parsed {
  try {
    const value: unknown = JSON.parse(text);
    return inexact(value)
      ? wrong("a number in it is too large to be sent exactly")
      : { ok: true, value };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return wrong(`this is not JSON: ${faultOf(text) || said}`);
  }
}

function inexact(value: Shown): boolean {
  if (typeof value === "number")
    return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value));
  return typeof value === "object" && value !== null && Object.values(value).some(inexact);
}
