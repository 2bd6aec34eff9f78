// The head of the inspector for one node: what the columns tell, without asking the kernel.
import { useLayoutEffect, useState } from "preact/hooks";
import { nodeSeconds } from "../../core/clock";
import { duration, oneLine, someLines } from "../../core/format";
import { whyStale } from "../../core/stale";
import { STATES, State } from "../../core/types";
import { StaleLine, StateGlyph } from "./bits";
import type { Given } from "./panel";

const TICK = 200;

export function NodeHeader({ given, node }: { given: Given; node: number }) {
  const { store } = given.session;
  void given.signals.run.value;
  void given.signals.topics.stale.value;
  const stale = oneLine(whyStale(given.session.stale, store.graph, node), 300);
  const { run } = store;
  const code = run.state[node];
  useTicking(code === State.running && store.live);
  const name = oneLine(store.graph?.names[node] ?? "");
  const note = someLines(run.notes.get(node) ?? "", 400);
  const notes = code === State.cached && note === "stored" ? "" : note; // the line of the state says so
  return (
    <header class="fuse-head" data-fuse-state={STATES[code]}>
      <h3 class="fuse-head-name" title={name}>
        {name || "\u201c\u201d"}
      </h3>
      <div class="fuse-head-state">
        <StateGlyph code={code} />
        <span>{stateLine(given, node)}</span>
      </div>
      {stale && <StaleLine text={`Out of date: ${stale}`} />}
      {notes && (
        <div class="fuse-head-why" title={notes}>
          {notes}
        </div>
      )}
    </header>
  );
}

/** "done in 1.02 s · thread 2 · attempt 1". */
export function stateLine({ session }: Pick<Given, "session">, node: number): string {
  const { store } = session;
  const { run } = store;
  const code = run.state[node];
  const time = duration(nodeSeconds(run, node, store.kernelNow()), code === State.running);
  const state = code === State.cached ? "cached, read from storage" : (STATES[code] ?? "unknown");
  const joint =
    { [State.done]: " in ", [State.failed]: " after ", [State.cached]: ", computed in " }[code] ??
    ", ";
  const parts = [time ? `${state}${joint}${time}` : state];
  const worker = run.worker[node] > 0 ? run.workers[run.worker[node] - 1] : "";
  if (worker) parts.push(oneLine(worker, 60));
  const begun = code !== State.queued && code !== State.paused;
  if (run.attempt[node] > (begun ? 0 : 1)) parts.push(`attempt ${run.attempt[node]}`);
  return parts.join(" \u00b7 ");
}

/** Draws a component again while something in it goes on. */
export function useTicking(on: boolean): void {
  const [, tick] = useState(0);
  useLayoutEffect(() => {
    if (!on) return;
    const timer = setInterval(() => tick((n) => n + 1), TICK);
    return () => clearInterval(timer);
  }, [on]);
}
