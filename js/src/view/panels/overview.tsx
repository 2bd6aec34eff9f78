// The first tab: what a node is, what went wrong, what it takes and gives.
import { counted, oneLine, printable, shortPath } from "../../core/format";
import { linksOf } from "../../core/links";
import type { Run } from "../../core/reducer";
import { type Argument, KINDS, type NodeDetails, type NodeError } from "../../core/types";
import { relatives } from "../../core/walk";
import { Attempts } from "./attempts";
import { Button, NodeList, Row, Section, useOfNode } from "./bits";
import { Failed } from "./failure";
import type { Given } from "./panel";
import { selectFunction } from "./several";

interface Props {
  given: Given;
  node: number;
  /** null where they have not come yet. */
  details: NodeDetails | null;
}

export function Overview({ given, node, details }: Props) {
  const { graph } = given.session.store;
  void given.signals.graph.value;
  const error = useOfNode(given, node, errorOf);
  if (!graph) return null;
  const links = linksOf(graph);
  const parents = relatives(links, [node], "parents");
  const children = relatives(links, [node], "children");
  const takes = argumentsByNode(details, graph.names);
  const literal = details?.arguments.filter((argument) => !argument.nodes.length) ?? [];
  return (
    <>
      {error && (
        <Failed given={given} node={node} error={error} failure={details?.failure ?? null} />
      )}
      <Facts given={given} node={node} details={details} />
      {details && details.not_tracked.length > 0 && <NotTracked notes={details.not_tracked} />}
      <Section title={parents.length ? `Inputs (${parents.length})` : "Inputs"}>
        {parents.length ? (
          <NodeList
            given={given}
            nodes={parents}
            note={(parent) => [...(takes.get(parent) ?? [])].join(", ")}
          />
        ) : (
          <p class="fuse-quiet">It needs no other node.</p>
        )}
      </Section>
      <Section title={children.length ? `Outputs (${children.length})` : "Outputs"}>
        {children.length ? (
          <NodeList given={given} nodes={children} />
        ) : (
          <p class="fuse-quiet">No other node needs its result.</p>
        )}
      </Section>
      {literal.length > 0 && (
        <Section title="Arguments">
          <dl class="fuse-kv">
            {literal.map(({ name, text }) => (
              <Row key={name} label={oneLine(name, 60)}>
                <span class="fuse-mono fuse-value">{printable(text)}</span>
              </Row>
            ))}
          </dl>
        </Section>
      )}
      {details && details.attempts.length > 1 && <Attempts attempts={details.attempts} />}
      {details?.docstring && (
        <Section title="Docstring">
          <div class="fuse-doc">{printable(details.docstring)}</div>
        </Section>
      )}
    </>
  );
}

function NotTracked({ notes }: { notes: readonly string[] }) {
  return (
    <Section title="Not tracked">
      <ul class="fuse-notes" data-fuse-role="not-tracked">
        {notes.map((note) => (
          <li key={note}>{printable(note)}</li>
        ))}
      </ul>
      <p class="fuse-quiet">A change of these does not make the node run again.</p>
    </Section>
  );
}

const errorOf = (run: Run, node: number): NodeError | undefined => run.errors.get(node);

/** For each node that stands in an argument the names of these arguments, each once. */
function argumentsByNode(details: NodeDetails | null, names: readonly string[]) {
  const found = new Map<number, Set<string>>();
  for (const argument of details?.arguments ?? ([] as Argument[])) {
    for (const node of argument.nodes) {
      const words = found.get(node) ?? new Set();
      found.set(node, words.add(wordFor(argument, oneLine(names[node] ?? ""))));
    }
  }
  return found;
}

/** "x", or "[3] as x" where the argument is an item of the node. */
function wordFor({ name, text, nodes }: Argument, node: string): string {
  const item = nodes.length === 1 && text.startsWith(`${node}[`) ? text.slice(node.length) : "";
  return item ? `${oneLine(item, 24)} as ${oneLine(name, 40)}` : oneLine(name, 40);
}

function Facts({ given, node, details }: Props) {
  const { graph } = given.session.store;
  if (!graph) return null;
  const f = graph.function[node];
  const alike = graph.function.reduce((sum, other) => sum + (other === f ? 1 : 0), 0);
  const file = details?.file
    ? `${shortPath(details.file)}${details.line === null ? "" : `, line ${details.line}`}`
    : "";
  return (
    <dl class="fuse-kv">
      <Row label={KINDS[graph.kind[node]] ?? "function"}>
        <span class="fuse-mono fuse-value">
          {oneLine(graph.functions[f] ?? "")}
          {details && <span class="fuse-quiet">{oneLine(details.signature, 600)}</span>}
        </span>
        {alike > 1 && (
          <Button
            does="same-function"
            class="fuse-tag fuse-tag-button"
            title="Select all nodes of this function"
            act={() => selectFunction(given, f)}
          >
            Select all {counted(alike, "node")}
          </Button>
        )}
      </Row>
      <Row label="module">{details && (oneLine(details.module) || "none")}</Row>
      <Row label="file">
        {details && (
          <span class="fuse-path" title={oneLine(details.file, 1000)}>
            {file || "none"}
          </span>
        )}
      </Row>
      <Row label="made at">{details && (oneLine(details.made) || "unknown")}</Row>
    </dl>
  );
}
