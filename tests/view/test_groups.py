"""Groups: which there are, that their boxes make no cycle, and that nothing is lost in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets.view._layers import topological_order
from fuse_widgets.view.graph import Graph
from fuse_widgets.view.groups import Box, Group, big_groups, contract, find_groups
from fuse_widgets.view.layout import box_widths
from fuse_widgets.view.snapshot import render_fragment, render_svg
from fuse_widgets.view.state import StatusColumns
from tests.lines import lines_run


def graph_of(
    names: Sequence[str],
    edges: Sequence[tuple[int, int]] = (),
    functions: Sequence[str] | None = None,
    collapsed: Sequence[str] = (),
) -> Graph:
    given = functions or ["f"] * len(names)
    kinds = list(dict.fromkeys(given))
    return Graph(
        title="groups",
        names=tuple(names),
        functions=tuple(kinds),
        function=np.array([kinds.index(name) for name in given], np.uint32),
        kind=np.zeros(len(names), np.uint8),
        edges=np.array(edges, np.uint32).reshape(-1, 2),
        widths=box_widths(names),
        direction="LR",
        collapsed=tuple(collapsed),
    )


def found(names: Sequence[str], functions: Sequence[str] | None = None) -> dict[str, list[int]]:
    graph = graph_of(names, (), functions)
    return {group.id: group.members.tolist() for group in graph.groups}


def drawn(n: int, edges: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """The edges between what is drawn, checked to have no cycle."""
    place = np.arange(n)
    for k, box in enumerate(boxes, n):
        assert (place[box.members] < n).all()  # in no other box
        place[box.members] = k
    ends = place[edges]
    ends = ends[ends[:, 0] != ends[:, 1]]
    topological_order(n + len(boxes), ends[:, 0].tolist(), ends[:, 1].tolist())
    return ends


@st.composite
def dags(draw: st.DrawFn, most: int = 30) -> tuple[int, np.ndarray, list[Group]]:
    """A DAG whose numbering says nothing about its order, and some sets of its nodes."""
    n = draw(st.integers(2, most))
    rank = draw(st.permutations(range(n)))
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=3 * n))
    edges = {(a, b) if rank[a] < rank[b] else (b, a) for a, b in pairs if a != b}
    sets = draw(st.lists(st.sets(st.integers(0, n - 1), min_size=2, max_size=n), max_size=6))
    groups = [Group(f"prefix:{k}", str(k), np.array(sorted(nodes))) for k, nodes in enumerate(sets)]
    return n, np.array(sorted(edges), np.int64).reshape(-1, 2), groups


@settings(max_examples=400)
@given(dags())
def test_boxes_make_no_cycle_and_hold_only_nodes_of_their_group(case):
    n, edges, groups = case
    boxes = contract(n, edges, groups)
    drawn(n, edges, boxes)
    for box in boxes:
        assert len(box.members) >= 2
        assert set(box.members.tolist()) <= set(box.group.members.tolist())
        assert (np.diff(box.members) > 0).all()


@settings(max_examples=200)
@given(dags())
def test_one_group_becomes_as_few_boxes_and_nodes_as_is_possible(case):
    n, edges, groups = case
    for group in groups:
        inside = set(group.members.tolist())
        order, _, parents = topological_order(n, edges[:, 0].tolist(), edges[:, 1].tolist())
        back = [0] * n  # how often a path to the node has come back into the set
        for v in order:
            for p in parents[v]:
                back[v] = max(back[v], back[p] + (p in inside and v not in inside))
        parts = 1 + max([back[v] for v in inside])
        boxes = contract(n, edges, [group])
        assert len(boxes) + len(inside) - sum(len(box.members) for box in boxes) == parts


@settings(max_examples=200)
@given(dags())
def test_groups_are_whole_where_that_makes_no_cycle(case):
    n, edges, groups = case
    taken: set[int] = set()
    apart = []
    for group in sorted(groups, key=lambda group: -len(group.members)):
        nodes = [v for v in group.members.tolist() if v not in taken]
        taken.update(nodes)
        if len(nodes) > 1:
            apart.append(Box(group, "", np.array(nodes)))
    try:
        drawn(n, edges, apart)
    except ValueError:
        return
    assert [b.members.tolist() for b in contract(n, edges, groups)] == [b.members.tolist() for b in apart]


@settings(max_examples=150)
@given(dags(), st.integers(1, 4), st.data())
def test_every_edge_and_every_node_is_there_in_what_is_drawn(case, kinds, data):
    n, edges, _ = case
    functions = [f"f{data.draw(st.integers(0, kinds))}" for _ in range(n)]
    names = [f"{'ab'[data.draw(st.integers(0, 1))]}/{i}" for i in range(n)]
    graph = graph_of(names, edges.tolist(), functions)
    ids = data.draw(st.lists(st.sampled_from([group.id for group in graph.groups] or ["prefix:none"])))
    graph = graph.collapse(ids)
    shown = {tuple(pair) for pair in graph.drawn_edges.tolist()}
    assert len(shown) == len(graph.drawn_edges)
    assert shown == {
        (a, b) for a, b in graph.box[graph.edges].tolist() if a != b
    }  # no edge is lost, none made up
    assert sum(len(box.members) for box in graph.boxes) + int((graph.box == np.arange(n)).sum()) == n
    assert np.isnan(graph.layout.x).tolist() == (graph.box != np.arange(n)).tolist() + [False] * len(
        graph.boxes
    )
    wire = graph.to_wire(1)
    for box in wire["boxes"]:
        assert box["count"] <= wire["groups"][box["group"]]["count"]


def test_groups_are_those_of_functions_and_of_the_beginnings_of_names():
    names = ["moons, load", "moons, SVM-model", "circles, load", "circles, SVM-model", "report"]
    assert found(names, ["load", "fit", "load", "fit", "write"]) == {
        "function:load": [0, 2],
        "function:fit": [1, 3],
        "prefix:moons, ": [0, 1],
        "prefix:circles, ": [2, 3],
    }


def test_prefixes_nest_and_of_the_same_nodes_only_the_longest_is_a_group():
    names = ["run/a/x", "run/a/y", "run/b/deep/x", "run/b/deep/y", "other"]
    assert found(names) == {
        "prefix:run/": [0, 1, 2, 3],
        "prefix:run/a/": [0, 1],
        "prefix:run/b/deep/": [2, 3],
    }
    assert [group.label for group in graph_of(names).groups] == ["run", "run/a", "run/b/deep"]


def test_automatic_names_make_no_groups_beside_their_functions():
    names = ["train_0000", "train_0001", "train_it", "load_0000", "load_0001"]
    assert found(names, ["train", "train", "train", "load", "load"]) == {
        "function:train": [0, 1, 2],
        "function:load": [3, 4],
    }


def test_neither_single_nodes_nor_all_nodes_are_a_group_and_numbers_do_not_end_prefixes():
    assert found(["a.1", "a.2"]) == {}
    assert found(["x", "C=0.1", "C=0.2", "C=0.3"]) == {}
    assert found([]) == {}


def test_a_prefix_with_the_label_of_a_function_says_that_it_is_one():
    groups = graph_of(["a-1", "a-2", "b", "c"], (), ["f", "g", "a", "a"]).groups
    assert {group.id: group.label for group in groups} == {"function:a": "a", "prefix:a-": "a-…"}


def test_hostile_names_make_bounded_groups():
    names = [f"{'a.' * 3000}{i}" for i in range(3)] + ["\ud800, 1", "\ud800, 2", "", "_" * 10_000] * 2
    groups = graph_of(names, (), ["f", "g"] * 5 + ["f"]).groups
    assert all(len(group.id) <= 2000 and group.id.isprintable() for group in groups)
    assert "prefix:?, " in {group.id for group in groups}
    many = [f"{i // 2:05d}/{i}" for i in range(4000)]
    assert len(graph_of(many).groups) == 500


def test_the_larger_group_wins_and_an_inner_one_shows_when_the_outer_is_expanded():
    names = ["run/a/x", "run/a/y", "run/b/x", "run/b/y", "end"]
    graph = graph_of(names, [(0, 4)])
    both = graph.collapse(["prefix:run/a/", "prefix:run/"])
    assert [(box.label, box.members.tolist()) for box in both.boxes] == [("run", [0, 1, 2, 3])]
    inner = graph.collapse(["prefix:run/a/", "prefix:no such"])
    assert [(box.label, box.members.tolist()) for box in inner.boxes] == [("run/a", [0, 1])]
    assert inner.drawn.tolist() == [2, 3, 4, 5]
    assert inner.drawn_edges.tolist() == [[5, 4]]


def test_parts_of_a_group_are_numbered_from_the_roots_down():
    names = ["load", "train 1", "train 2", "check", "train 3", "train 4", "end"]
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 6)]
    graph = graph_of(names, edges, collapsed=["prefix:train "])
    assert [(box.label, box.members.tolist()) for box in graph.boxes] == [
        ("train (1)", [1, 2]),
        ("train (2)", [4, 5]),
    ]
    assert graph.drawn_edges.tolist() == [[0, 7], [3, 8], [7, 3], [8, 6]]


def test_large_graphs_start_with_their_big_functions_as_boxes():
    def layers(count: int) -> tuple[list[tuple[int, int]], list[str]]:
        wide = count // 5
        pairs = [((k - 1) * wide + i, k * wide + i) for k in range(1, 5) for i in range(wide)]
        return pairs, [f"step {i // wide}" for i in range(5 * wide)]

    for count, boxes in ((300, 0), (1000, 5)):
        edges, functions = layers(count)
        graph = graph_of([f"n{i}" for i in range(count)], edges, functions)
        graph = graph.collapse(graph.big_groups())
        assert len(graph.boxes) == boxes
    # chains of two functions in turn: boxes would hide nothing
    chain = graph_of([str(i) for i in range(400)], [(i, i + 1) for i in range(399)], ["f", "g"] * 200)
    assert chain.big_groups() == []
    assert big_groups(400, chain.edges, []) == []


@pytest.mark.parametrize("mixed", [True, False])
def test_the_work_of_finding_fifty_groups_grows_with_the_graph(mixed):
    assert finding_groups(mixed, 5000) < 5.5 * finding_groups(mixed, 1000)


def finding_groups(mixed, n):
    """How much work it is, in lines of Python."""
    draw = np.random.default_rng(0)
    edges = np.array([(i - draw.integers(1, min(i, 70) + 1), i) for i in range(1, n) for _ in range(3)])
    function = (draw.integers(0, 50, n) if mixed else np.arange(n) // (n // 50)).astype(np.uint32)
    names = [f"set {i % 37}, model_{i % 11}/{i}" for i in range(n)]
    boxes = []

    def find():
        groups = find_groups(names, [f"f{k}" for k in range(50)], function)
        boxes.append(contract(n, edges, [group for group in groups if group.id.startswith("function:")]))

    work = lines_run(find)
    drawn(n, edges, *boxes)
    return work


def test_pictures_show_boxes_with_their_counts():
    names = [f"load {i}" for i in range(3)] + ["end"]
    graph = graph_of(names, [(i, 3) for i in range(3)], collapsed=["prefix:load "])
    status = StatusColumns(names)
    svg = render_svg(graph, status)
    assert svg.count('class="node"') == 1
    assert svg.count('class="box"') == 1
    assert ">×3</text>" in svg  # noqa: RUF001
    assert "load: 3 nodes\n3 pending" in svg
    assert render_svg(graph, status, max_nodes=1).count("h") > 0
    assert "nan" not in svg
    assert "nan" not in render_fragment(graph, status)
