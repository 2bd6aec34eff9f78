// The nodes as a table beside the graph. Only the rows in sight are in the DOM.

import { useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { counted } from "../../core/format";
import { IMPORTANCE } from "../../core/outline";
import { STATES } from "../../core/types";
import { KEYS } from "../dom";
import { BUTTONS } from "../icons";
import { Picture, StateGlyph } from "./bits";
import { List } from "./list";
import type { Given } from "./panel";
import { COLUMNS, Heads, Rows } from "./rows";

export function Outline(given: Given) {
  const list = useMemo(() => new List(given), []);
  useLayoutEffect(() => list.start(), [list]);
  if (!list.open.value) return null;
  return (
    <>
      <Head list={list} />
      <Filters list={list} />
      <Table list={list} />
    </>
  );
}

function Head({ list }: { list: List }) {
  const { session, graph, signals } = list.given;
  signals.graph.value;
  const all = session.store.graph?.names.length ?? 0;
  const count = list.filtering.value ? `${list.rows.value.length} of ${all}` : counted(all, "node");
  const close = (): void => {
    session.open("outline", false);
    graph?.stage.focus();
  };
  return (
    <header class="fuse-outline-head">
      {/* Said by a screen reader after a filter, not with every state of a run. */}
      <h2 aria-live={list.states.value.size ? "off" : "polite"} data-fuse-role="outline-count">
        {count}
      </h2>
      {graph && (
        <button
          type="button"
          class="fuse-close"
          title="Close the list of nodes (o)"
          aria-label="Close the list of nodes"
          data-fuse-role="close-outline"
          onClick={close}
          {...KEYS}
        >
          <Picture path={BUTTONS.close} />
        </button>
      )}
    </header>
  );
}

function Filters({ list }: { list: List }) {
  const { session } = list.given;
  const counts = useComputed(() => {
    list.frame.value;
    list.given.signals.graph.value;
    return session.store.run.counts.join();
  }).value.split(",");
  const matched = list.matched.value;
  const key = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && list.text.peek()) list.text.value = "";
    else if (event.key === "Escape" || event.key === "ArrowDown") list.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const shown = IMPORTANCE.filter((code) => counts[code] !== "0" || list.states.value.has(code));
  return (
    <div class="fuse-filters">
      <input
        class="fuse-input"
        type="text"
        placeholder="Filter by name or function"
        aria-label="filter by a part of the name or function"
        autocomplete="off"
        spellcheck={false}
        data-fuse-role="filter"
        {...KEYS}
        value={list.text.value}
        onInput={(event) => {
          list.text.value = event.currentTarget.value;
        }}
        onKeyDown={key}
      />
      <div class="fuse-chips" role="group" aria-label="states to show">
        {shown.map((code) => (
          <Chip
            key={code}
            name={`chip-${STATES[code]}`}
            title={`${STATES[code]}: ${counts[code]}`}
            pressed={list.states.value.has(code)}
            act={() => list.toggleState(code)}
          >
            <StateGlyph code={code} />
            {counts[code]}
          </Chip>
        ))}
        {matched && (
          <Chip
            name="chip-matches"
            title="only matches of the search"
            pressed={list.onlyMatches.value}
            act={() => {
              list.onlyMatches.value = !list.onlyMatches.value;
            }}
          >
            <span class="fuse-ring" />
            only matches
          </Chip>
        )}
      </div>
    </div>
  );
}

interface ChipGiven {
  name: string;
  title: string;
  pressed: boolean;
  act: () => void;
  children: ComponentChildren;
}

function Chip({ name, title, pressed, act, children }: ChipGiven) {
  return (
    <button
      type="button"
      class="fuse-chip"
      title={title}
      aria-label={name === "chip-matches" ? undefined : title}
      aria-pressed={pressed}
      data-fuse-role={name}
      onClick={act}
      {...KEYS}
    >
      {children}
    </button>
  );
}

function Table({ list }: { list: List }) {
  const { id } = list;
  const grid = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => (grid.current ? list.attach(grid.current) : undefined), [list]);
  const rows = list.rows.value;
  const active = list.active.value;
  const at = rows.indexOf(active);
  const drawn = at >= list.first.value && at < list.end.value;
  const none = list.given.session.store.graph?.names.length === 0;

  const key = (event: KeyboardEvent): void => {
    if (event.target !== grid.current) return;
    if (event.key === "ArrowUp" && list.atTop() && !event.shiftKey) {
      grid.current?.querySelector("button")?.focus();
    } else if (!list.key(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const nodeOf = (event: Event): number => {
    const row = (event.target as Element).closest<HTMLElement>("[data-node]");
    return row ? Number(row.dataset.node) : -1;
  };
  return (
    <div
      ref={grid}
      class="fuse-grid"
      role="grid"
      tabIndex={0}
      aria-label="nodes"
      aria-multiselectable="true"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      aria-activedescendant={drawn ? `${id}-${active}` : undefined}
      {...KEYS}
      data-fuse-role="grid"
      onScroll={() => list.scrolled()}
      onFocus={(event) => event.target === grid.current && list.focused()}
      onKeyDown={key}
      onClick={(event) => nodeOf(event) >= 0 && list.click(nodeOf(event), event)}
      onDblClick={(event) => nodeOf(event) >= 0 && list.show(nodeOf(event))}
    >
      <Heads list={list} />
      {rows.length > 0 ? (
        <Rows list={list} id={id} />
      ) : (
        <div class="fuse-no-rows">
          {none ? "This workflow has no nodes." : "No node fits the filter."}
          {!none && (
            <button type="button" class="fuse-button" onClick={() => list.showAll()} {...KEYS}>
              Show all
            </button>
          )}
        </div>
      )}
    </div>
  );
}
