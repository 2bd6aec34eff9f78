// What the line under the graph says: of all that there is to say now, the most important. Pure.
import { counted, oneLine, sentence } from "./format";
import { whyLost } from "./kernel";
import { firstFailed, heldUp, stoppingText } from "./progress";
import { isActive, type Run } from "./reducer";
import type { Session } from "./session";
import { newerText, staleText } from "./stale";
import { type Graph, State, WAITS } from "./types";

export const HINT =
  "Drag to move \u00b7 click, then wheel to zoom \u00b7 Shift+drag to select \u00b7 ? for more";

export interface Notice {
  kind:
    | "error"
    | "waiting"
    | "notice"
    | "stopping"
    | "newer"
    | "failed"
    | "again"
    | "stale"
    | "hint";
  text: string;
  /** The node that it is about, -1 for none. */
  node: number;
  /** What tells it from the notice before: its text may change while it stands, and is not read aloud each time. */
  key: string;
}

/** What a notice is made of: the parts of a `Session` that it looks at. */
export type Situation = Pick<Session, "message" | "fault" | "kernel"> &
  Partial<Pick<Session, "stale">> & {
    store: Pick<Session["store"], "graph" | "run" | "live">;
  };

type Source = (now: Situation) => Notice | null;

/** What may be said, the most important first: a notice stands until it no longer holds or one before it does. */
const SOURCES: readonly Source[] = [
  notUnderstood,
  fromKernel,
  lost,
  stopping,
  waiting,
  newer,
  failed,
  saidByRun,
  runAgain,
  leftBehind,
  outOfDate,
];

export function notice(now: Situation): Notice {
  for (const source of SOURCES) {
    const found = source(now);
    if (found) return found;
  }
  return { kind: "hint", text: now.store.graph?.names.length ? HINT : "", node: -1, key: "" };
}

function say(kind: Notice["kind"], text: string, node = -1, key = text): Notice | null {
  return text ? { kind, text, node, key } : null;
}

function notUnderstood({ fault }: Situation): Notice | null {
  return say("error", fault && `Not understood: ${oneLine(fault)}`);
}

function fromKernel({ message, kernel, store }: Situation): Notice | null {
  if (message.kind === "none") return null;
  if (message.kind === "error") return say("error", sentence(oneLine(message.text, 600)));
  const last = store.live || kernel === "busy" ? "" : " showing the last state it sent";
  return say("waiting", message.text + last);
}

function lost({ kernel }: Situation): Notice | null {
  return say("notice", sentence(whyLost(kernel)));
}

function stopping({ store }: Situation): Notice | null {
  return say("stopping", stoppingText(store.run), -1, "");
}

/** Before what failed: nothing else says why a run goes on in which nothing happens. */
function waiting({ store: { run, graph } }: Situation): Notice | null {
  const nodes = isActive(run.runState) ? heldUp(run) : [];
  if (!nodes.length || !graph) return null;
  const [node] = nodes;
  const name = oneLine(graph.names[node], 80);
  const text = `${name} waits: ${oneLine((run.notes.get(node) ?? "").slice(WAITS.length), 240)}`;
  const more = nodes.length - 1;
  const failures = run.counts[State.failed];
  const rest = [more && `and ${more} more`, failures && `${failures} failed`, againText(run)];
  const aside = rest.filter(Boolean).join(", ");
  return say("notice", aside ? `${text}  (${aside})` : text, node, text);
}

/** Also after a failure: the function may have been defined again to mend it. */
function newer({ store: { run }, stale }: Situation): Notice | null {
  return stale && !isActive(run.runState) ? say("newer", newerText(stale)) : null;
}

/** Nodes that cells have replaced, or left behind. */
function leftBehind({ stale }: Situation): Notice | null {
  return say("notice", oneLine(stale?.notices[0] ?? "", 600));
}

function outOfDate({ store: { run, graph }, stale }: Situation): Notice | null {
  if (!stale || !graph || isActive(run.runState)) return null;
  const [node] = stale.why.keys();
  return say("stale", staleText(stale, graph), node);
}

function failed({ store: { run, graph } }: Situation): Notice | null {
  const node = firstFailed(run);
  if (node < 0 || !graph) return null;
  const error = run.errors.get(node);
  const more = run.counts[State.failed] - 1;
  const why = error ? `${error.type}: ${oneLine(error.message, 240)}` : "failed";
  const rest = more > 0 ? `  (and ${more} more failed)` : "";
  return say("failed", `${oneLine(graph.names[node], 80)}: ${why}${rest}`, node);
}

function saidByRun({ store: { run } }: Situation): Notice | null {
  const again = run.notice ? againText(run) : "";
  const said = oneLine(run.notice, 300);
  // Where no node has failed, what the run says at its end is the error that ended it.
  const kind = run.runState === "failed" ? "failed" : "notice";
  return say(kind, again ? `${said}  (${again})` : said, -1, said);
}

function runAgain({ store: { run, graph } }: Situation): Notice | null {
  const last = run.missed.at(-1);
  return graph && last ? say("again", againText(run, graph), last.node, "") : null;
}

/**
 * Which nodes had to be tried again in the run that is under way, "" where none had to.
 *
 * @param graph to say of them why, and which node it is where it is one.
 */
export function againText(run: Run, graph?: Graph): string {
  const last = run.missed.at(-1);
  if (!last || !isActive(run.runState)) return "";
  const nodes = new Set(run.missed.map(({ node }) => node));
  const open = [...nodes].some((node) => run.state[node] <= State.paused);
  const [one, more] = open ? ["runs", "run"] : ["ran", "ran"];
  const alone = nodes.size === 1;
  const text = `${counted(nodes.size, "node")} ${alone ? one : more} again`;
  const why = graph ? oneLine(last.why, 160) : "";
  if (!why) return text;
  if (!alone) {
    const alike = run.missed.every((missed) => missed.why === last.why);
    return `${text}, ${alike ? "each" : "the last one"} after ${why}`;
  }
  const name = oneLine(graph?.names[last.node] ?? "", 80);
  const attempt = Math.max(last.attempt + 1, run.attempt[last.node]);
  const worker = oneLine(run.workers[last.worker - 1] ?? "", 80);
  return `${name} ${one} again (attempt ${attempt}), after ${why}${worker && ` (${worker})`}`;
}
