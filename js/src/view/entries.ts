// What the menu of the selection offers. Each maker gives the entries of one section; add yours to MAKERS.
import { oneLine } from "../core/format";
import { bigGroups, boxedGroups, groupsOf } from "../core/groups";
import { linksOf } from "../core/links";
import { added, inverted } from "../core/selection";
import type { Session } from "../core/session";
import type { Graph } from "../core/types";
import { between, type Relatives, relatives } from "../core/walk";
import type { GraphView } from "./graph";

export interface Entry {
  /** Its `data-fuse-role`. */
  role: string;
  label: string;
  /** How many nodes it would select; none: -1. */
  count?: number;
  /** The key that does the same. */
  key?: string;
  disabled?: boolean;
  /** @param add keeps what is selected; asked for with Shift. */
  act(add: boolean): void;
}

/** What there is when the menu opens. */
export interface Scope {
  session: Session;
  view: GraphView;
  graph: Graph;
  /** The selected nodes. */
  selected: number[];
}

export type Maker = (scope: Scope) => Entry[];

const FAMILY: [Relatives, string][] = [
  ["parents", "Select parents"],
  ["children", "Select children"],
  ["ancestors", "Select all ancestors"],
  ["descendants", "Select all descendants"],
];

function selecting(
  { session, graph }: Scope,
  role: string,
  label: string,
  nodes: Iterable<number>,
): Entry {
  const names = Array.from(nodes, (i) => graph.names[i]);
  return {
    role,
    label,
    count: names.length,
    disabled: names.length === 0,
    act: (add) => session.select(add ? added(session.selected, names) : names),
  };
}

function family(scope: Scope): Entry[] {
  const links = linksOf(scope.graph);
  return FAMILY.map(([which, label]) =>
    selecting(scope, which, label, relatives(links, scope.selected, which)),
  );
}

function path(scope: Scope): Entry[] {
  const [a, b] = scope.selected;
  const two = scope.selected.length === 2;
  const nodes = two ? between(linksOf(scope.graph), a, b) : [];
  return [selecting(scope, "path", "Select the path between both", nodes)];
}

function sets(scope: Scope): Entry[] {
  const { session, graph } = scope;
  const { names } = graph;
  const rest = inverted(names, session.selected);
  return [
    selecting(scope, "matches", "Select the matches", session.search.index ?? []),
    selecting(scope, "all", "Select all", names.keys()),
    {
      role: "invert",
      label: "Invert the selection",
      count: rest.length,
      disabled: rest.length === names.length,
      act: () => session.select(rest),
    },
    {
      role: "clear",
      label: "Clear the selection",
      key: "Esc",
      disabled: session.selected.length === 0,
      act: () => session.select([]),
    },
  ];
}

function sight({ view, selected }: Scope): Entry[] {
  const disabled = selected.length === 0;
  return [
    {
      role: "fit-selection",
      label: "Fit the selection",
      key: "f",
      disabled,
      act: () => view.fitSelection(),
    },
    {
      role: "centre",
      label: "Centre",
      disabled,
      act: () => view.centre(selected[selected.length - 1]),
    },
  ];
}

/** Most groups that are offered for one selection. */
const OFFERED = 4;

function folds({ session, graph, selected }: Scope): Entry[] {
  if (!graph.groups.length) return [];
  const { collapsed } = session;
  const now = new Set(collapsed);
  const entry = (role: string, label: string, groups: string[], count?: number): Entry => ({
    role,
    label,
    ...(count !== undefined && { count }),
    disabled: groups.length === collapsed.length && groups.every((id) => now.has(id)),
    act: () => session.collapse(groups),
  });
  const open = groupsOf(graph, selected).filter(({ id }) => !now.has(id));
  const without = (gone: Iterable<string>): string[] => {
    const dropped = new Set(gone);
    return collapsed.filter((id) => !dropped.has(id));
  };
  const big = bigGroups(graph);
  return [
    ...open
      .slice(0, OFFERED)
      .map(({ id, label, count }) =>
        entry("collapse", `Collapse ${oneLine(label, 40)}`, [...collapsed, id], count),
      ),
    entry("expand", "Expand", without(boxedGroups(graph, selected))),
    ...(big.length ? [entry("collapse-big", "Collapse the big groups", big)] : []),
    entry("expand-all", "Expand all", without(graph.groups.map(({ id }) => id))),
  ];
}

export const MAKERS: Maker[] = [family, path, sets, folds, sight];

/** The entries by section, without empty sections. */
export function sections(scope: Scope, makers: readonly Maker[] = MAKERS): Entry[][] {
  return makers.map((make) => make(scope)).filter((entries) => entries.length > 0);
}
