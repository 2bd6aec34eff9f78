// Small pieces that the panels share.
import { computed } from "@preact/signals";
import type { ComponentChildren, HTMLAttributes } from "preact";
import { useMemo } from "preact/hooks";
import { oneLine } from "../../core/format";
import type { Run } from "../../core/reducer";
import { whyStale } from "../../core/stale";
import { STATES } from "../../core/types";
import { copyText } from "../clipboard";
import { KEYS } from "../dom";
import { DISC, isHollow, stateMark } from "../icons";
import type { Given } from "./panel";

/** An id that no other element of the page has: each widget brings a module of its own, so chance has to do. */
export const freshId = (): string => `fuse-${Math.random().toString(36).slice(2, 12)}`;

/** Such an id for the life of a component. */
export function useFreshId(): string {
  return useMemo(freshId, []);
}

/** What a node has in the run; what uses this is drawn again when that is another value, and not with the whole run. */
export function useOfNode<T>({ session, signals }: Given, node: number, read: OfNode<T>): T {
  const found = useMemo(
    () =>
      computed(() => {
        void signals.run.value;
        return read(session.store.run, node);
      }),
    [session, signals, node, read],
  );
  return found.value;
}
type OfNode<T> = (run: Run, node: number) => T;
export const stateOf: OfNode<number> = (run, node) => run.state[node];

interface ButtonProps {
  /** For tests: what it does, in a word. */
  does: string;
  act: (event: MouseEvent) => void;
  children: ComponentChildren;
  title?: string;
  /** For a screen reader, where there is only a picture. */
  label?: string;
  off?: boolean;
  class?: string;
  pressed?: boolean;
}

export function Button({
  does,
  act,
  children,
  title,
  label,
  off,
  class: name,
  pressed,
}: ButtonProps) {
  return (
    <button
      type="button"
      class={name ?? "fuse-button fuse-button-low"}
      data-fuse-role={does}
      title={title}
      aria-label={label}
      // Not `disabled`: a button that has just been pressed keeps the focus.
      aria-disabled={off || undefined}
      aria-pressed={pressed}
      onClick={(event) => off || act(event)}
      {...KEYS}
    >
      {children}
    </button>
  );
}

export function Picture({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

/** The disc and mark of a state, as in the graph. */
export function StateGlyph({ code }: { code: number }) {
  const name = STATES[code] ?? "pending";
  const hollow = isHollow(code);
  const mark = stateMark(code);
  return (
    <svg class={`fuse-glyph fuse-glyph-${name}`} viewBox="-10 -10 20 20" aria-hidden="true">
      <circle r={hollow ? DISC - 1 : DISC} class={hollow ? "fuse-hollow" : ""} />
      {mark && <path d={mark[0]} class={`fuse-mark-${mark[1]} ${hollow ? "fuse-hollow" : ""}`} />}
    </svg>
  );
}

/** In the head of the inspector: what is out of date, and why. */
export function StaleLine({ text }: { text: string }) {
  return (
    <div class="fuse-head-stale" title={text} data-fuse-role="stale">
      <span class="fuse-stale-mark" aria-hidden="true" />
      {text}
    </div>
  );
}

/** A node by its name; a click selects it and brings it into view. */
export function NodeLink({ given, node, note }: { given: Given; node: number; note?: string }) {
  const { store } = given.session;
  void given.signals.graph.value;
  const name = store.graph?.names[node];
  const code = useOfNode(given, node, stateOf);
  void given.signals.topics.stale.value;
  if (name === undefined) return null;
  const stale = oneLine(whyStale(given.session.stale, store.graph, node), 300);
  const state = stale ? `${STATES[code]}, out of date: ${stale}` : STATES[code];
  return (
    <button
      type="button"
      class="fuse-link"
      data-fuse-role="node"
      title={`${oneLine(name)} (${state})`}
      onClick={() => {
        given.session.select([name]);
        given.graph?.show(node);
      }}
      {...KEYS}
    >
      <StateGlyph code={code} />
      <span class="fuse-link-name">{oneLine(name) || "\u201c\u201d"}</span>
      {note && <span class="fuse-link-note">{note}</span>}
      {stale && <span class="fuse-stale-mark" aria-hidden="true" />}
      <span class="fuse-spoken">{state}</span>
    </button>
  );
}

const MOST_LINKS = 100;

export function NodeList({ given, nodes, note }: NodeListProps) {
  const more = nodes.length - MOST_LINKS;
  return (
    <ul class="fuse-list">
      {Array.from(nodes.slice(0, MOST_LINKS), (node) => (
        <li key={node}>
          <NodeLink given={given} node={node} note={note?.(node) ?? ""} />
        </li>
      ))}
      {more > 0 && <li class="fuse-quiet">and {more.toLocaleString("en")} more</li>}
    </ul>
  );
}

interface NodeListProps {
  given: Given;
  nodes: ArrayLike<number> & { slice(from: number, to: number): ArrayLike<number> };
  note?: (node: number) => string;
}

export function Section({
  title,
  children,
}: {
  title: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="fuse-topic">
      <h4>{title}</h4>
      {children}
    </section>
  );
}

/** Label and value; a value that is not known yet is a quiet ellipsis of the same height. */
export function Row({ label, children }: { label: string; children?: ComponentChildren }) {
  const empty = children === undefined || children === null || children === "";
  return (
    <>
      <dt>{label}</dt>
      <dd>{empty ? <span class="fuse-quiet">{"\u2026"}</span> : children}</dd>
    </>
  );
}

export function CopyButton({
  given,
  text,
  what,
}: {
  given: Given;
  text: () => string;
  what: string;
}) {
  const act = async (event: MouseEvent): Promise<void> => {
    const near = (event.currentTarget as HTMLElement).parentElement as HTMLElement;
    const copied = await copyText(text(), near);
    given.say(copied ? `${what} copied` : "the browser refused; select the text and press Ctrl+C");
  };
  return (
    <Button does="copy" act={act} title={`Copy the ${what}`} class="fuse-button fuse-button-low">
      Copy
    </Button>
  );
}

/** Something to scroll, which the keyboard has to reach. */
export function Scrolling(props: HTMLAttributes<HTMLDivElement>) {
  return <div {...{ tabIndex: 0, ...KEYS }} {...props} />;
}
