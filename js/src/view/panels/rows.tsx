// The rows of the outline. A row is drawn again when what it shows has changed, and no other.

import { useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { nodeSeconds } from "../../core/clock";
import { duration, graphemes, oneLine } from "../../core/format";
import type { Column } from "../../core/outline";
import { whyStale } from "../../core/stale";
import { STATES, State } from "../../core/types";
import { KEYS } from "../dom";
import { StateGlyph } from "./bits";
import { type List, ROW } from "./list";

export const COLUMNS: { column: Column; label: string; title: string }[] = [
  { column: "name", label: "name", title: "Sort by name" },
  { column: "function", label: "function", title: "Sort by function" },
  { column: "state", label: "state", title: "Sort by state, what matters first" },
  { column: "seconds", label: "time", title: "Sort by duration" },
  { column: "attempts", label: "attempts", title: "Sort by attempts" },
];
/** People put what differs at the end of a name: so many characters of it always show. */
const TAIL = 9;

export function Heads({ list }: { list: List }) {
  const sorting = list.sorting.value;
  const key = (event: KeyboardEvent): void => {
    const button = event.currentTarget as HTMLElement;
    const cells = [...(button.closest("[role='row']")?.querySelectorAll("button") ?? [])];
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const near = cells.filter((cell) => cell.offsetParent !== null || cell === button);
    if (by) near[near.indexOf(button as HTMLButtonElement) + by]?.focus();
    else if (event.key === "ArrowDown" || event.key === "Escape") list.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="fuse-heads" role="rowgroup">
      <div class="fuse-row" role="row" aria-rowindex={1}>
        {COLUMNS.map(({ column, label, title }, k) => {
          const sorted =
            sorting?.column === column ? (sorting.down ? "descending" : "ascending") : "none";
          return (
            <div
              key={column}
              class={`fuse-cell fuse-cell-${column}`}
              role="columnheader"
              aria-colindex={k + 1}
              aria-sort={sorted}
            >
              <button
                type="button"
                tabIndex={-1}
                title={title}
                data-fuse-role={`sort-${column}`}
                {...KEYS}
                onClick={() => list.sort(column)}
                onKeyDown={key}
              >
                <span>{label}</span>
                {sorted !== "none" && (
                  <span aria-hidden="true">{sorting?.down ? "\u2193" : "\u2191"}</span>
                )}
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function Rows({ list, id }: { list: List; id: string }) {
  const rows = list.rows.value;
  const first = list.first.value;
  const inSight = [...rows.subarray(first, list.end.value)];
  return (
    <div class="fuse-rows" role="rowgroup" style={{ height: `${rows.length * ROW}px` }}>
      {inSight.map((node, k) => (
        <Row key={node} list={list} id={id} node={node} at={first + k} />
      ))}
    </div>
  );
}

/** What a row shows of a run: a text that changes only when the row does. */
function live(list: List, node: number): string {
  list.frame.value;
  list.given.signals.graph.value;
  const { store } = list.given.session;
  const code = store.run.state[node] ?? State.pending;
  const time = duration(nodeSeconds(store.run, node, store.kernelNow()), code === State.running);
  return `${code}|${time}|${store.run.attempt[node] || ""}`;
}

function Row({ list, id, node, at }: { list: List; id: string; node: number; at: number }) {
  const [code, time, attempts] = useComputed(() => live(list, node)).value.split("|");
  const stale = useComputed(() => {
    list.given.signals.topics.stale.value;
    list.given.signals.graph.value;
    const { stale, store } = list.given.session;
    return oneLine(whyStale(stale, store.graph, node), 300);
  }).value;
  const selected = useComputed(() => list.selected.value.has(node)).value;
  const active = useComputed(() => list.active.value === node).value;
  const matched = useComputed(() => list.matched.value?.[node] === 1).value;
  const text = useComputed(() => {
    list.given.signals.graph.value;
    const { graph } = list.given.session.store;
    const called = graph?.functions[graph.function[node]] ?? "";
    return [oneLine(graph?.names[node] ?? "") || "(no name)", oneLine(called, 160)].join("\n");
  }).value;
  const [name, called] = text.split("\n");
  const state = STATES[Number(code)] ?? "";
  const looks = [
    "fuse-row",
    selected && "fuse-selected",
    active && "fuse-active",
    matched && "fuse-matched",
    stale && "fuse-stale",
  ];
  return (
    <div
      id={`${id}-${node}`}
      class={looks.filter(Boolean).join(" ")}
      role="row"
      aria-rowindex={at + 2}
      aria-selected={selected}
      data-node={node}
      data-fuse-state={state}
      style={{ transform: `translateY(${at * ROW}px)` }}
    >
      <Cell
        column="name"
        title={called ? `${name}\n${called}` : name}
        label={matched ? `${name}, match` : name}
      >
        <Shortened text={name} />
      </Cell>
      <Cell column="function" title={called}>
        {called}
      </Cell>
      <Cell column="state" title={stale && `out of date: ${stale}`}>
        <StateGlyph code={Number(code)} />
        {state}
        {stale && <span class="fuse-stale-mark" role="img" aria-label="out of date" />}
      </Cell>
      <Cell column="seconds">{time}</Cell>
      <Cell column="attempts">{attempts}</Cell>
    </div>
  );
}

interface CellGiven {
  column: Column;
  title?: string;
  label?: string;
  children: ComponentChildren;
}

function Cell({ column, title, label, children }: CellGiven) {
  const index = COLUMNS.findIndex((known) => known.column === column) + 1;
  return (
    <div
      class={`fuse-cell fuse-cell-${column}`}
      role="gridcell"
      aria-colindex={index}
      aria-label={label}
      title={title}
    >
      {children}
    </div>
  );
}

/** A name whose middle goes where there is no room, so that its end stays. */
function Shortened({ text }: { text: string }) {
  const parts = graphemes(text);
  if (parts.length <= 2 * TAIL) return <span class="fuse-start">{text}</span>;
  return (
    <>
      <span class="fuse-start">{parts.slice(0, -TAIL).join("")}</span>
      <span class="fuse-tail">{parts.slice(-TAIL).join("")}</span>
    </>
  );
}
