// The inspector for several nodes, and for none.
import { counted, oneLine } from "../../core/format";
import { staleAmong } from "../../core/stale";
import { type Graph, STATES } from "../../core/types";
import { Button, NodeList, Section, StaleLine, StateGlyph } from "./bits";
import type { Given } from "./panel";

const MOST_FUNCTIONS = 12;

export function SeveralHeader({ given, nodes }: { given: Given; nodes: readonly number[] }) {
  return (
    <header class="fuse-head">
      <h3 class="fuse-head-name">{counted(nodes.length, "node")}</h3>
      <div class="fuse-head-counts">
        <StateCounts given={given} nodes={nodes} />
      </div>
      <StaleCount given={given} nodes={nodes} />
    </header>
  );
}

function StateCounts({ given, nodes }: { given: Given; nodes: readonly number[] }) {
  void given.signals.run.value;
  const { state } = given.session.store.run;
  const counts = new Array<number>(STATES.length).fill(0);
  for (const node of nodes) counts[state[node]]++;
  return (
    <>
      {STATES.map((name, code) =>
        counts[code] ? (
          <span key={name} class="fuse-count-of">
            <StateGlyph code={code} />
            {counts[code].toLocaleString("en")} {name}
          </span>
        ) : null,
      )}
    </>
  );
}

function StaleCount({ given, nodes }: { given: Given; nodes: readonly number[] }) {
  const { session, signals } = given;
  void [signals.topics.stale.value, signals.graph.value];
  const text = staleAmong(session.stale, session.store.graph, nodes);
  return text ? <StaleLine text={text} /> : null;
}

export function SeveralNodes({ given, nodes }: { given: Given; nodes: readonly number[] }) {
  return (
    <>
      <Section title="Functions">
        <Functions given={given} nodes={nodes} />
      </Section>
      <Section title="Nodes">
        <NodeList given={given} nodes={nodes} />
      </Section>
    </>
  );
}

/** The functions of some nodes, the most used first; a click selects all nodes of one. */
function Functions({ given, nodes }: { given: Given; nodes: ArrayLike<number> }) {
  const graph = given.session.store.graph;
  if (!graph) return null;
  const counts = new Map<number, number>();
  for (let k = 0; k < nodes.length; k++) {
    const f = graph.function[nodes[k]];
    counts.set(f, (counts.get(f) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const more = sorted.length - MOST_FUNCTIONS;
  return (
    <ul class="fuse-list">
      {sorted.slice(0, MOST_FUNCTIONS).map(([f, many]) => (
        <li key={f}>
          <Button
            does="function"
            class="fuse-link"
            title={`Select all nodes of ${oneLine(graph.functions[f])}`}
            act={() => selectFunction(given, f)}
          >
            <span class="fuse-link-name fuse-mono">
              {oneLine(graph.functions[f]) || "\u201c\u201d"}
            </span>
            <span class="fuse-link-note">{many.toLocaleString("en")}</span>
          </Button>
        </li>
      ))}
      {more > 0 && <li class="fuse-quiet">and {more.toLocaleString("en")} more</li>}
    </ul>
  );
}

export function selectFunction({ session }: Given, f: number): void {
  const graph = session.store.graph;
  if (graph) session.select(graph.names.filter((_, i) => graph.function[i] === f));
}

function everyNode({ names }: Graph): number[] {
  return names.map((_, i) => i);
}

export function NothingSelected({ given }: { given: Given }) {
  const graph = given.session.store.graph;
  const nodes = graph?.names.length ?? 0;
  const links = (graph?.links.length || graph?.edges.length || 0) / 2;
  return (
    <div class="fuse-tabarea fuse-nothing">
      <h3 class="fuse-head-name">Nothing is selected</h3>
      <p class="fuse-quiet">
        Click a node to see what it takes, prints and gives. Ctrl+click selects more; what is
        selected can be edited together.
      </p>
      {graph && nodes > 0 && (
        <Section
          title={`${counted(nodes, "node")}, ${counted(links, "edge")}, ${counted(graph.functions.length, "function")}`}
        >
          <Functions given={given} nodes={everyNode(graph)} />
        </Section>
      )}
    </div>
  );
}
