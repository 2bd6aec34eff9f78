// What tests and screen readers may rely on, as painted: attributes of the root and the name of the graph.
import { graphLabel } from "../core/progress";
import type { Run } from "../core/reducer";
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
  const { counts } = run;
  setData(root, {
    "data-fuse-nodes": graph.names.length,
    "data-fuse-boxes": told.boxes,
    "data-fuse-done": counts[State.done] + counts[State.cached],
    "data-fuse-failed": counts[State.failed],
    "data-fuse-running": counts[State.running],
    "data-fuse-matches": marks.matches?.length ?? 0,
    "data-fuse-selected": marks.selected.size,
    "data-fuse-run-state": run.runState,
    "data-fuse-painted": told.painted,
  });
  setData(stage, { "aria-label": graphLabel(graph, run) });
}
