"""A layout that follows another one keeps its order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets.view._crossings import count_crossings
from fuse_widgets.view.graph import Graph
from fuse_widgets.view.layout import SPARE, WORTH, layered_layout

from .test_groups import graph_of


@st.composite
def connected(draw: st.DrawFn) -> list[tuple[int, int]]:
    """A connected DAG: each node but the first has parents among those before it."""
    n = draw(st.integers(3, 20))
    edges = set()
    for i in range(1, n):
        near = max(0, i - 8)
        edges |= {(p, i) for p in draw(st.sets(st.integers(near, i - 1), min_size=1, max_size=3))}
    return sorted(edges)


def added(edges: list[tuple[int, int]], data: st.DataObject) -> list[tuple[int, int]]:
    """The graph with one more node, which has the last number."""
    n = max(b for _, b in edges) + 1
    parents = data.draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=3))
    return [*edges, *sorted((p, n) for p in parents)]


def shown(edges: list[tuple[int, int]]) -> Graph:
    return graph_of([f"n{i}" for i in range(max(b for _, b in edges) + 1)], edges)


def crossings(graph: Graph) -> int:
    """Crossings of straight edges between neighbouring columns, as far as they have one."""
    x, y = graph.layout.x - graph.widths / 2, graph.layout.y
    column = np.searchsorted(np.unique(x), x)
    a, b = graph.edges[:, 0], graph.edges[:, 1]
    near = column[b] - column[a] == 1
    return sum(
        count_crossings(y[a[near & (column[a] == c)]], y[b[near & (column[a] == c)]]) for c in set(column[a])
    )


@pytest.mark.slow
@settings(max_examples=60)
@given(connected(), st.data())
def test_nodes_of_a_layer_keep_their_order_where_one_is_added(edges, data):
    before = shown(edges)
    fresh = shown(added(edges, data))
    after = fresh.after(before)
    n = len(before)
    old, new = before.layout, after.layout
    left, now = old.x - before.widths / 2, (new.x - after.widths / 2)[:n]
    turned = [
        (i, j)
        for i in range(n)
        for j in range(i)
        if left[i] == left[j] and now[i] == now[j] and (old.y[i] < old.y[j]) != (new.y[i] < new.y[j])
    ]
    if turned:  # only where the order costs too much
        free = layered_layout(fresh.widths, fresh.edges, height=32)
        assert np.array_equal(free.y, new.y)
    assert crossings(after) <= WORTH * crossings(fresh) + 3 * SPARE


@settings(max_examples=25)
@given(connected())
def test_the_same_graph_laid_out_after_itself_stays_as_it_is(edges):
    graph = shown(edges)
    order = np.argsort(graph.layout.y, kind="stable")
    again = graph.after(graph)
    rows = again.layout.x - graph.widths / 2
    for row in np.unique(rows):
        inside = order[rows[order] == row]
        assert (np.diff(again.layout.y[inside]) > 0).all()


def test_a_leaf_more_moves_no_other_node_past_another():
    # two fans that would be drawn the other way round, were it not for the order before
    edges = [(0, i) for i in range(1, 9)] + [(i, i + 8) for i in range(1, 9)]
    before = shown(edges)
    for parent in range(17):
        after = shown([*edges, (parent, 17)]).after(before)
        for nodes in (range(1, 9), range(9, 17)):
            ways = [np.argsort(graph.layout.y[list(nodes)]).tolist() for graph in (before, after)]
            assert ways[0] == ways[1]


def test_what_is_around_a_box_keeps_its_order_where_it_is_expanded_and_collapsed():
    names = ["load"] + [f"{kind} {i}" for kind in ("a", "b", "c") for i in range(4)] + ["end"]
    edges = [(0, i) for i in range(1, 13)] + [(i, 13) for i in range(1, 13)]
    groups = ["prefix:a ", "prefix:b ", "prefix:c "]
    whole = graph_of(names, edges, collapsed=groups)
    first = {box.label: float(whole.layout.y[14 + k]) for k, box in enumerate(whole.boxes)}
    order = sorted(first, key=lambda label: first[label])
    middle = f"prefix:{order[1]} "
    opened = whole.collapse([g for g in groups if g != middle]).after(whole)
    kept = {box.label: float(opened.layout.y[14 + k]) for k, box in enumerate(opened.boxes)}
    inner = [float(opened.layout.y[i]) for i, name in enumerate(names) if name.startswith(order[1])]
    assert kept[order[0]] < min(inner)
    assert max(inner) < kept[order[2]]
    closed = opened.collapse(groups).after(opened)
    last = {box.label: float(closed.layout.y[14 + k]) for k, box in enumerate(closed.boxes)}
    assert sorted(last, key=lambda label: last[label]) == order
