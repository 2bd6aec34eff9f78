// What tests and screen readers may rely on, as painted: attributes of the root and the name of the graph.
import { graphLabel } from "../core/progress";
import type { Run } from "../core/reducer";
import type { Session } from "../core/session";
import { type Graph, State } from "../core/types";
import { setData } from "./dom";
import type { Marks } from "./marks";

export interface Told {
  graph: Graph;
  run: Run;
  marks: Marks;
  boxes: number;
  painted: number;
}

export function tell(root: HTMLElement, stage: HTMLElement, told: Told): void {
  const { graph, run, marks } = told;
  setData(root, {
    ...ofRun(run),
    "data-fuse-nodes": graph.names.length,
    "data-fuse-boxes": told.boxes,
    "data-fuse-matches": marks.matches?.length ?? 0,
    "data-fuse-selected": marks.selected.size,
    "data-fuse-changed": marks.edited,
    "data-fuse-stale": marks.outdated,
    "data-fuse-painted": told.painted,
  });
  setData(stage, { "aria-label": graphLabel(graph, run) });
}

/** What stands in place of a graph that has no nodes, or is not there. */
export function emptyText({ store, fault }: Session): string {
  if (store.graph) return "This workflow has no nodes.";
  return fault
    ? `This graph could not be read: ${fault}. The text form is print(workflow).`
    : "Waiting for the graph\u2026";
}

/** The same for a view without a graph, of what it knows. */
export function tellAlone(root: HTMLElement, session: Session): void {
  const { store, search, selected, stale } = session;
  setData(root, {
    ...ofRun(store.run),
    "data-fuse-nodes": store.graph?.names.length ?? 0,
    "data-fuse-matches": search.index?.length ?? 0,
    "data-fuse-selected": selected.length,
    "data-fuse-stale": stale?.version === store.graph?.version ? (stale?.why.size ?? 0) : 0,
  });
}

function ofRun({ counts, runState }: Run): Record<string, string | number> {
  return {
    "data-fuse-done": counts[State.done] + counts[State.cached],
    "data-fuse-failed": counts[State.failed],
    "data-fuse-running": counts[State.running],
    "data-fuse-run-state": runState,
  };
}
