// A query at the end of a cell: what it matches, in a line, and the way to see it in the graph.
import { useSignal } from "@preact/signals";
import { counted, oneLine } from "../../core/format";
import type { Session } from "../../core/session";
import { KEYS } from "../dom";
import type { Handle } from "../root";
import type { Given } from "./panel";

/** How many names are told; the line ends where there is no room. */
const NAMES = 24;
/** Milliseconds after which the graph is shown here, whatever the kernel is doing. */
const PATIENCE = 1500;

export function QueryBox({ session, signals, graph }: Given) {
  const [open, busy, note] = [useSignal(false), useSignal(false), useSignal("")];
  signals.graph.value;
  signals.topics.search.value;
  signals.topics.selected.value;
  const { query, pending, error } = session.search;
  const names = matched(session);
  const nodes = counted(names.length, "node");
  const listed = names.slice(0, NAMES).map((name) => oneLine(name, 80) || "(no name)");
  if (names.length > NAMES) listed.push("\u2026");

  const turn = (yes: boolean): void => {
    open.value = yes;
    if (graph) graph.stage.hidden = !yes;
  };
  const show = async (): Promise<void> => {
    note.value = "";
    busy.value = true;
    try {
      const shown = await inOthers(session);
      const other = shown > 0 ? nearest(session) : null;
      if (other) goTo(other);
      else turn(true);
    } catch (problem) {
      note.value = problem instanceof Error ? problem.message : String(problem);
      turn(true);
    }
    busy.value = false;
  };
  return (
    <div class="fuse-query-box">
      <p class="fuse-query-line">
        Query {query ? <code>{oneLine(query, 200)}</code> : null}
        <span class="fuse-query-count">
          {" \u00b7 "}
          {pending && !names.length ? "\u2026" : nodes}
          {listed.length > 0 && ": "}
        </span>
        <span class="fuse-query-names">{listed.join(" \u00b7 ")}</span>
      </p>
      {graph && (
        <button
          type="button"
          class="fuse-button"
          aria-disabled={busy.value || undefined}
          aria-expanded={open.value}
          data-fuse-role="show-query"
          onClick={() => {
            if (open.value) turn(false);
            else if (!busy.value) void show();
          }}
          {...KEYS}
        >
          {open.value ? "Hide graph" : "Show in graph"}
        </button>
      )}
      <p class="fuse-query-note" role="status">
        {oneLine(error || note.value, 300)}
      </p>
    </div>
  );
}

/** The names that the query matches; those selected, where it is no pattern. */
function matched({ search, selected, store }: Session): readonly string[] {
  const known = store.graph?.names ?? [];
  if (!search.query) return selected;
  return Array.from(search.index ?? [], (i) => known[i]);
}

/** Shows the query in the other widgets of the workflow; how many there are. */
async function inOthers(session: Session): Promise<number> {
  const slow = new AbortController();
  const busy = new Promise<never>((_, fail) => {
    const timer = setTimeout(
      () => fail(new Error("The kernel is busy: shown here instead.")),
      PATIENCE,
    );
    slow.signal.addEventListener("abort", () => clearTimeout(timer));
  });
  try {
    const { data } = await Promise.race([session.ask("show"), busy]);
    return (data as { shown?: number } | undefined)?.shown ?? 0;
  } finally {
    slow.abort();
  }
}

type Root = HTMLElement & { fuse?: Handle };

/** The nearest other widget on the page that shows the same workflow as a graph. */
function nearest(session: Session): Root | null {
  const all = [...document.querySelectorAll<Root>("[data-fuse-view]")];
  const own = all.find((root) => root.fuse?.model === session.model);
  const parts = (root: Root): string[] => (root.dataset.fuseParts ?? "").split(" ");
  const others = all.filter(
    (root) =>
      root.fuse?.model !== session.model &&
      root.fuse?.workflow === (session.store.graph?.title ?? "") &&
      parts(root).includes("graph") &&
      !parts(root).includes("query"),
  );
  const top = (root: Root): number => root.getBoundingClientRect().top;
  const from = own ? top(own) : 0;
  others.sort((a, b) => Math.abs(top(a) - from) - Math.abs(top(b) - from));
  return others[0] ?? null;
}

function goTo(root: Root): void {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  root.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
  root.querySelector<HTMLElement>(".fuse-stage")?.focus({ preventScroll: true });
}
