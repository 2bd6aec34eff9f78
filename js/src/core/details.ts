// What belongs to the selection, and whether it does yet. Pure.
import type { Details, Graph, NodeDetails, Shown, Together } from "./types";

let table: Uint32Array | undefined;

/** CRC-32 as zlib computes it, as an unsigned number. */
export function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    return c;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255];
  return (crc ^ 0xffffffff) >>> 0;
}

const keys = new WeakMap<readonly string[], string>();

/**
 * A digest of which nodes are selected: CRC-32 of their names in UTF-8, in their order, joined by line feeds, as eight
 * hexadecimal digits. In Python: `format(zlib.crc32("\n".join(names).encode()), "08x")`, of the names as they are shown.
 */
export function selectionKey(names: readonly string[]): string {
  let key = keys.get(names);
  if (key === undefined) {
    const bytes = new TextEncoder().encode(names.join("\n"));
    key = crc32(bytes).toString(16).padStart(8, "0");
    keys.set(names, key);
  }
  return key;
}

/** What `isCurrent` looks at, so that tests need no session. */
export interface Selection {
  selected: readonly string[];
  store: { graph: Graph | null };
}

/** Whether the details are about the present selection in the present graph. */
export function isCurrent(details: Details | null, { selected, store }: Selection): boolean {
  if (!details || details.count !== selected.length) return false;
  if (store.graph && details.version !== store.graph.version) return false;
  return details.key === selectionKey(selected);
}

/** What is known of the one selected node: it may be of an earlier version of the graph; null where nothing is. */
export function nodeDetails(details: Details | null, { selected }: Selection): NodeDetails | null {
  const node = details?.node;
  return node && selected.length === 1 && node.name === selected[0] ? node : null;
}

/** The places of the selected nodes in the graph. */
export function selectedNodes(session: {
  selected: readonly string[];
  store: { indexOf(name: string): number | undefined };
}): number[] {
  return session.selected.flatMap((name) => session.store.indexOf(name) ?? []);
}

/** What stands at a path of the settings: unset, set to a value, or different from node to node. */
export type Standing =
  | { how: "unset" }
  | { how: "set"; value: Shown }
  | { how: "mixed"; of: Shown[] };

export function standing(settings: Together, path: readonly string[]): Standing {
  const [first, ...rest] = path;
  if (Object.hasOwn(settings.mixed, first)) {
    if (rest.length && Object.hasOwn(settings.inside, first))
      return standing(settings.inside[first], rest);
    return { how: "mixed", of: settings.mixed[first] };
  }
  let value: Shown = settings.values;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key))
      return { how: "unset" };
    value = (value as Record<string, Shown>)[key];
  }
  return { how: "set", value };
}

/** What the form showed at a path, as `edit` wants it back in `was`. */
export function shownFor(settings: Together, path: readonly string[]): Shown {
  const at = standing(settings, path);
  if (at.how === "mixed") return { mixed: at.of };
  return at.how === "set" ? at.value : null;
}

/** Whether a path can only be read: what stands there, in one node at least, is no JSON. */
export function isFixed(at: Standing): boolean {
  if (at.how === "mixed") return at.of.some(holdsRepr);
  return at.how === "set" && holdsRepr(at.value);
}

/** The text of a value that is no JSON, null where it is JSON. */
export function reprOf(value: Shown): string | null {
  if (typeof value !== "object" || value === null) return null;
  const text = (value as { $repr?: unknown }).$repr;
  return typeof text === "string" ? text : null;
}

/** Whether there is something in a value that is no JSON and would not survive being sent back. */
export function holdsRepr(value: Shown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return reprOf(value) !== null || Object.values(value).some(holdsRepr);
}

/** Whether two JSON values are the same; the order of keys does not count. */
export function alike(a: Shown, b: Shown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, two] = [Object.entries(a), Object.entries(b)];
  const other = b as Record<string, Shown>;
  return (
    one.length === two.length &&
    one.every(([key, value]) => Object.hasOwn(b, key) && alike(value, other[key]))
  );
}
