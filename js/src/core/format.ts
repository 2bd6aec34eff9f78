// Text for people: durations, names made safe and shortened.

/** "<1 ms", "12 ms", "0.31 s", "12.3 s", "2:05 min", "1:02 h"; "" where unknown. */
export function duration(seconds: number, running = false): string {
  if (!Number.isFinite(seconds)) return "";
  const s = Math.max(0, seconds);
  if (running && s < 59.95) return `${s.toFixed(1)} s`;
  if (s < 0.001) return "<1 ms";
  if (s < 0.0995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.995) return `${s.toFixed(2)} s`;
  if (s < 59.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  const minutes = Math.round(s / 60);
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
}

/** A rough duration, for what is left: "4 s", "3 min", "2 h". */
export function roughly(seconds: number): string {
  if (seconds < 1) return "1 s";
  if (seconds < 20) return `${Math.round(seconds)} s`;
  if (seconds < 57.5) return `${Math.round(seconds / 5) * 5} s`;
  if (seconds < 3570) return `${Math.max(1, Math.round(seconds / 60))} min`;
  return `${Math.round(seconds / 360) / 10} h`;
}

/** With a capital letter, unless the first word is a name in code. */
export function sentence(text: string): string {
  return text.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase());
}

/** "1 node", "1,200 nodes". */
export function counted(n: number, one: string, several = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : several}`;
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}

// Controls, format marks (those that turn the direction of writing among them; U+200D stays, it joins
// emoji), line and paragraph separators, halves of surrogate pairs.
const UNSAFE = /(?!\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

/** One line of text without control characters, at most `limit` characters (the middle goes). */
export function oneLine(text: string, limit = 400): string {
  let line = text;
  if (line.length > 4 * limit) line = `${line.slice(0, 2 * limit)}\u2026${line.slice(-2 * limit)}`;
  line = line.replace(UNSAFE, " ").replace(/ {2,}/g, " ").trim();
  if (line.length <= limit) return line;
  const keep = Math.floor((limit - 1) / 2);
  const parts = graphemes(line);
  if (parts.length <= limit) return line;
  return `${parts.slice(0, keep).join("")}\u2026${parts.slice(-keep).join("")}`;
}

/** Several lines of text without control characters except the line break, cut at the end. */
export function someLines(text: string, limit = 600): string {
  const cut =
    text.length > limit ? `${graphemes(text.slice(0, limit)).slice(0, -1).join("")}\u2026` : text;
  return cut
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/\t/g, "    ").replace(UNSAFE, " "))
    .join("\n")
    .trim();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what escape sequences begin with
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

/** Text as it was written, without escape sequences and control characters except tab and line break. */
export function printable(text: string): string {
  return text
    .replace(ESCAPES, "")
    .split(/\r\n|\r|\n/)
    .map((line) =>
      line
        .split("\t")
        .map((part) => part.replace(UNSAFE, " "))
        .join("\t"),
    )
    .join("\n");
}

/** The end of a path, which says most: "…/models/svm.py". */
export function shortPath(path: string): string {
  const line = oneLine(path, 1000);
  const parts = line.split(/[\\/]/);
  return parts.length > 3 ? `\u2026/${parts.slice(-2).join("/")}` : line;
}

let segmenter: Intl.Segmenter | null | undefined;

/** What a person takes for one character each: emoji sequences and surrogate pairs stay whole. */
export function graphemes(text: string): string[] {
  if (/^[\u0020-\u007e]*$/.test(text)) return text.split("");
  if (segmenter === undefined) {
    segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter() : null;
  }
  if (!segmenter) return Array.from(text);
  return Array.from(segmenter.segment(text), (part) => part.segment);
}

/**
 * The text with its middle replaced by an ellipsis where it is wider than `width`; the end keeps a
 * little more than the beginning, since people put what differs at the end.
 *
 * @param measure the width of a text, in the unit of `width`.
 */
export function shorten(text: string, width: number, measure: (text: string) => number): string {
  if (measure(text) <= width) return text;
  const parts = graphemes(text);
  const made = (keep: number): string => {
    const head = Math.floor(keep * 0.45);
    const start = parts.slice(0, head).join("").trimEnd();
    const end =
      keep > head
        ? parts
            .slice(-(keep - head))
            .join("")
            .trimStart()
        : "";
    return `${start}\u2026${end}`;
  };
  let low = 0;
  let high = parts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(made(middle)) <= width) low = middle;
    else high = middle - 1;
  }
  return low > 0 || measure("\u2026") <= width ? made(low) : "";
}
