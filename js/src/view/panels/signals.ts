// A session as signals, for the panels: a component that reads one is drawn again when it changes, and no other.
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { selectedNodes } from "../../core/details";
import { type Session, TOPICS, type Topic } from "../../core/session";

export interface Signals {
  /** Another number whenever the graph is another one. */
  graph: ReadonlySignal<number>;
  /** Another number whenever states have changed; what they are is in `session.store.run`. */
  run: ReadonlySignal<number>;
  topics: Readonly<Record<Topic, ReadonlySignal<number>>>;
  /** The selected nodes. */
  nodes: ReadonlySignal<readonly number[]>;
  /** Another number whenever the page may have another theme; the view counts it up. */
  theme: Signal<number>;
}

/** Signals of a session that live as long as a view. State stays in the session; these only say that it has changed. */
export function signalsOf(session: Session, aborted: AbortSignal): Signals {
  const [graph, run] = [signal(0), signal(0)];
  const topics = Object.fromEntries(TOPICS.map((topic) => [topic, signal(0)])) as Record<
    Topic,
    Signal<number>
  >;
  const stopStore = session.store.subscribe((change) => {
    if (change === "graph") graph.value++;
    run.value++;
  });
  const stopSession = session.subscribe((topic) => {
    topics[topic].value++;
  });
  aborted.addEventListener("abort", () => {
    stopStore();
    stopSession();
  });
  const nodes = computed(() => {
    void [graph.value, topics.selected.value];
    return selectedNodes(session);
  });
  return { graph, run, topics, nodes, theme: signal(0) };
}
