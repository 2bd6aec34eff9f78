// Which results are out of date, and what else cells have changed since. Pure.
import { counted, oneLine } from "./format";
import type { Graph, Stale } from "./types";

/** Why the result of a node is out of date, "" if it is not. */
export function whyStale(
  stale: Stale | null | undefined,
  graph: Graph | null,
  node: number,
): string {
  return (stale && stale.version === graph?.version && stale.why.get(node)) || "";
}

/** "2 nodes are out of date: clean (code changed), …; Run computes them again". */
export function staleText(stale: Stale, graph: Graph): string {
  const { size } = stale.why;
  if (!size || stale.version !== graph.version) return "";
  const [[node, why]] = stale.why;
  const first = `${oneLine(graph.names[node], 80)}: ${oneLine(why, 160)}`;
  return size === 1
    ? `1 node is out of date (${first})`
    : `${counted(size, "node")} are out of date (${first}, \u2026)`;
}

/** "2 of 3 out of date: parent prep changed", of several nodes; "" if none is. */
export function staleAmong(
  stale: Stale | null | undefined,
  graph: Graph | null,
  nodes: readonly number[],
): string {
  const found = nodes.map((node) => whyStale(stale, graph, node)).filter(Boolean);
  if (!found.length) return "";
  const all = found.length === nodes.length;
  const [of, many] = [nodes.length, found.length].map((n) => n.toLocaleString("en"));
  const reasons = [...new Set(found)].map((why) => oneLine(why, 160));
  const more = reasons.length > MOST_REASONS ? ", \u2026" : "";
  const why = reasons.slice(0, MOST_REASONS).join(", ") + more;
  return `${all ? `All ${of} out of date` : `${many} of ${of} out of date`}: ${why}`;
}

const MOST_REASONS = 3;

/** "clean was defined again in In[9]", for all such functions. */
export function newerText(stale: Stale): string {
  if (!stale.newer.length) return "";
  return stale.newer
    .slice(0, 3)
    .map(({ name, where }) => `${oneLine(name, 80)} was defined again in ${oneLine(where, 80)}`)
    .join(", ")
    .concat(stale.newer.length > 3 ? ", \u2026" : "");
}
