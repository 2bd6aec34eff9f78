// Colours and fonts for the canvas, read from the CSS variables of style.css.
import { STATES, State } from "../core/types";
import type { Timers } from "./dom";

export interface Theme {
  dark: boolean;
  font: string;
  /** 1 for a font as narrow as Helvetica, for which the layout makes its boxes; smaller for a wider one. */
  scale: number;
  back: string;
  text: string;
  quiet: string;
  edge: string;
  accent: string;
  onState: string;
  /** The ring of what a search matches. */
  match: string;
  /** By state code: the strong colour, the fill of a box, its border. */
  strong: string[];
  fill: string[];
  border: string[];
}

/** `dim`: the same for what a search does not match. */
export type Themes = Theme & { dim: Theme };

/** What is left of a colour that is dimmed. */
const DIM = { light: 0.36, dark: 0.5 };
const DIM_TEXT = { light: 0.5, dark: 0.6 };
/** A node that failed is to be seen also where a search does not match it. */
const DIM_FAILED = 0.75;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz";
/** How wide Helvetica draws the alphabet at 13 pixels. */
const HELVETICA = 12.76 * 13;

type Rgb = [number, number, number];

/** "rgb(1, 2, 3)", "rgba(...)" or "color(srgb 0 0 0)" as numbers; null where it is transparent or unknown. */
export function parseColour(text: string): Rgb | null {
  const numbers = text.match(/-?[\d.]+(e-?\d+)?/g)?.map(Number);
  if (!numbers || numbers.length < 3) return null;
  if (numbers.length > 3 && numbers[3] === 0) return null;
  const scale = text.startsWith("color(") ? 255 : 1;
  return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale];
}

export function luminance([r, g, b]: Rgb): number {
  const line = (c: number): number => (c <= 10 ? c / 3294 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * line(r) + 0.7152 * line(g) + 0.0722 * line(b);
}

function mix(a: Rgb, b: Rgb, share: number): string {
  const at = (k: number): number => Math.round(a[k] * share + b[k] * (1 - share));
  return `rgb(${at(0)}, ${at(1)}, ${at(2)})`;
}

/** Marks `root` as dark or light, for a view without a canvas. */
export function markTheme(root: HTMLElement, probe: HTMLElement): void {
  probe.style.color = "var(--fuse-back)";
  const back = parseColour(getComputedStyle(probe).color) ?? [255, 255, 255];
  root.setAttribute("data-fuse-theme", isDark(back) ? "dark" : "light");
}

function isDark(back: Rgb): boolean {
  return luminance(back) < 0.3;
}

/** Reads the theme and marks `root` as dark or light. */
export function readTheme(
  root: HTMLElement,
  probe: HTMLElement,
  context: CanvasRenderingContext2D,
): Themes {
  const colour = (name: string, fallback: Rgb): Rgb => {
    probe.style.color = `var(${name})`;
    return parseColour(getComputedStyle(probe).color) ?? fallback;
  };
  const back = colour("--fuse-back", [255, 255, 255]);
  const dark = isDark(back);
  root.setAttribute("data-fuse-theme", dark ? "dark" : "light");
  const grey: Rgb = [140, 148, 156];
  const states = STATES.map((name) => colour(`--fuse-${name}`, grey));
  const css = (name: string, fallback: Rgb): string => mix(colour(name, fallback), back, 1);
  const tint = dark ? 0.2 : 0.13;
  const font = getComputedStyle(root).fontFamily || "sans-serif";
  context.font = `13px ${font}`;
  const hollow = (code: number): boolean => code < 2;
  const theme: Theme = {
    dark,
    font,
    scale: Math.max(0.88, Math.min(1, HELVETICA / context.measureText(ALPHABET).width)),
    back: mix(back, back, 1),
    text: css("--fuse-text", dark ? [230, 234, 238] : [26, 30, 36]),
    quiet: css("--fuse-quiet", grey),
    edge: css("--fuse-edge", grey),
    accent: css("--fuse-accent", [25, 103, 192]),
    onState: css("--fuse-on-state", [255, 255, 255]),
    match: css("--fuse-match", [199, 136, 0]),
    strong: states.map((c) => mix(c, back, 1)),
    fill: states.map((c, code) => mix(c, back, hollow(code) ? (dark ? 0.09 : 0.05) : tint)),
    border: states.map((c, code) => mix(c, back, hollow(code) ? 0.5 : 0.45)),
  };
  return { ...theme, dim: dimmed(theme, back) };
}

/** Colours nearer to the background, as if seen through a veil; opaque, since edges run behind boxes. */
function dimmed(theme: Theme, back: Rgb): Theme {
  const mode = theme.dark ? "dark" : "light";
  const faint = (colour: string, share = DIM[mode]): string =>
    mix(parseColour(colour) ?? back, back, share);
  const ofState = (colour: string, code: number): string =>
    faint(colour, code === State.failed ? DIM_FAILED : DIM[mode]);
  return {
    ...theme,
    text: faint(theme.text, DIM_TEXT[mode]),
    quiet: faint(theme.quiet, DIM_TEXT[mode]),
    edge: faint(theme.edge),
    strong: theme.strong.map(ofState),
    fill: theme.fill.map((c) => faint(c)),
    border: theme.border.map(ofState),
  };
}

/** Calls `changed` when the page may have another theme. Style sheets follow the attribute, so twice. */
export function watchTheme(changed: () => void, timers: Timers, signal: AbortSignal): void {
  const again = (): void => {
    changed();
    timers.after("theme", 120, changed);
    timers.after("theme-late", 700, changed);
  };
  const observer = new MutationObserver(again);
  const attributeFilter = [
    "class",
    "style",
    "theme",
    "data-theme",
    "data-jp-theme-light",
    "data-jp-theme-name",
  ];
  observer.observe(document.body, { attributes: true, attributeFilter });
  observer.observe(document.documentElement, { attributes: true, attributeFilter });
  signal.addEventListener("abort", () => observer.disconnect());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again, { signal });
}
