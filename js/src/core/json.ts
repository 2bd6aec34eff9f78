// Where JSON goes wrong: browsers tell it in different ways, some not at all.

class Fault extends Error {
  constructor(
    readonly at: number,
    readonly expected: string,
  ) {
    super(expected);
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has none of these in its strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

/** "a value is missing (line 2, column 3)"; "" where nothing is found to be wrong. */
export function faultOf(text: string): string {
  try {
    const end = space(text, value(text, space(text, 0)));
    if (end < text.length) throw new Fault(end, "nothing more is expected here");
    return "";
  } catch (error) {
    if (!(error instanceof Fault)) return ""; // so deep that the stack has no room for it
    const lines = text.slice(0, error.at).split("\n");
    const column = (lines.at(-1) as string).length + 1;
    return `${error.expected} (line ${lines.length}, column ${column})`;
  }
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

function space(text: string, at: number): number {
  return match(SPACE, text, at);
}

/** Each of these gives the place behind what it has read. */
function value(text: string, at: number): number {
  const first = text[at];
  if (first === "{") return list(text, at, "}", pair);
  if (first === "[") return list(text, at, "]", value);
  if (first === '"') return string(text, at);
  const end = Math.max(match(NUMBER, text, at), match(WORD, text, at));
  if (end >= 0) return end;
  throw new Fault(
    at,
    first === "'" ? "strings must be in double quotes" : "a value is expected here",
  );
}

function string(text: string, at: number): number {
  const end = match(STRING, text, at);
  if (end < 0) throw new Fault(at, "this string does not end, or has a \\ or a line break in it");
  return end;
}

function pair(text: string, at: number): number {
  if (text[at] !== '"') throw new Fault(at, "a key in double quotes is expected here");
  const colon = space(text, string(text, at));
  if (text[colon] !== ":") throw new Fault(colon, "a colon is expected here");
  return value(text, space(text, colon + 1));
}

function list(
  text: string,
  start: number,
  close: string,
  item: (text: string, at: number) => number,
): number {
  let at = space(text, start + 1);
  if (text[at] === close) return at + 1;
  for (;;) {
    at = space(text, item(text, at));
    if (text[at] === close) return at + 1;
    if (text[at] !== ",") throw new Fault(at, `a comma or ${close} is expected here`);
    at = space(text, at + 1);
  }
}
