"""Layered layout: what holds for every graph, and how the usual shapes look."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets.view._crossings import count_crossings
from fuse_widgets.view.layout import Layout, box_widths, layered_layout
from tests.lines import lines_run

HEIGHT = 32.0


@st.composite
def graphs(draw: st.DrawFn) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Box widths and the edges of a DAG whose numbering says nothing about its order."""
    n = draw(st.integers(0, 24))
    widths = draw(st.lists(st.floats(20, 260), min_size=n, max_size=n))
    rank = draw(st.permutations(range(n)))
    pairs = draw(
        st.lists(st.tuples(st.integers(0, max(n - 1, 0)), st.integers(0, max(n - 1, 0))), max_size=40)
    )
    edges = [(a, b) if rank[a] < rank[b] else (b, a) for a, b in pairs if a != b and n]
    return np.array(widths, np.float64), edges


def routes(layout: Layout) -> list[np.ndarray]:
    at = layout.route_at.astype(int)
    return [layout.route[2 * a : 2 * b].reshape(-1, 2) for a, b in itertools.pairwise(at)]


def chain(*nodes: int) -> list[tuple[int, int]]:
    return list(itertools.pairwise(nodes))


@settings(max_examples=120)
@given(graphs(), st.sampled_from(["LR", "TB"]))
def test_boxes_lie_inside_apart_from_each_other_and_edges_lead_forward(graph, direction):
    widths, edges = graph
    layout = layered_layout(widths, edges, direction=direction, height=HEIGHT, node_gap=10, layer_gap=30)
    n = len(widths)
    assert layout.x.dtype == layout.y.dtype == layout.route.dtype == np.float32
    assert layout.route_at.dtype == np.uint32
    assert layout.x.shape == layout.y.shape == (n,)
    assert (layout.x - widths / 2 >= -0.01).all()
    assert (layout.x + widths / 2 <= layout.width + 0.01).all()
    assert (layout.y - HEIGHT / 2 >= -0.01).all()
    assert (layout.y + HEIGHT / 2 <= layout.height + 0.01).all()
    apart_x = np.abs(layout.x[:, None] - layout.x) - (widths[:, None] + widths) / 2
    apart_y = np.abs(layout.y[:, None] - layout.y) - HEIGHT
    apart = np.maximum(apart_x, apart_y) + 1e9 * np.eye(n)
    assert (apart >= 10 - 0.01).all()
    for a, b in edges:
        if direction == "LR":
            gap = (layout.x[b] - widths[b] / 2) - (layout.x[a] + widths[a] / 2)
        else:
            gap = (layout.y[b] - HEIGHT / 2) - (layout.y[a] + HEIGHT / 2)
        assert gap >= 30 - 0.01


@settings(max_examples=120)
@given(graphs(), st.sampled_from(["LR", "TB"]))
def test_routes_run_forward_between_the_boxes_and_miss_the_others(graph, direction):
    widths, edges = graph
    layout = layered_layout(widths, edges, direction=direction, height=HEIGHT)
    assert len(layout.route_at) == len(edges) + 1
    assert layout.route_at[0] == 0
    assert 2 * layout.route_at[-1] == len(layout.route)
    along = 0 if direction == "LR" else 1
    size = np.stack([widths, np.full(len(widths), HEIGHT)], axis=1)
    centre = np.stack([layout.x, layout.y], axis=1)
    for (a, b), points in zip(edges, routes(layout), strict=False):
        line = np.concatenate([centre[a : a + 1], points, centre[b : b + 1]])
        assert (np.diff(line[:, along]) >= -0.01).all()
        if len(points):
            assert points[0, along] >= centre[a, along] + size[a, along] / 2 - 0.01
            assert points[-1, along] <= centre[b, along] - size[b, along] / 2 + 0.01
        for p in points:
            inside = (np.abs(centre - p) < size / 2 - 0.01).all(axis=1)
            assert not inside.any()


@settings(max_examples=60)
@given(graphs(), st.sampled_from(["LR", "TB"]))
def test_the_same_graph_gets_the_same_layout(graph, direction):
    widths, edges = graph
    one = layered_layout(widths, edges, direction=direction)
    two = layered_layout(list(widths), np.array(edges, np.uint32).reshape(-1), direction=direction)
    for name in ("x", "y", "route_at", "route"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert (one.width, one.height) == (two.width, two.height)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=160))
def test_crossings_are_those_of_a_plain_count(segments):
    upper = np.array([a for a, _ in segments], np.int64)
    lower = np.array([b for _, b in segments], np.int64)
    plain = sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(segments) for c, d in segments[:i])
    assert count_crossings(upper, lower) == plain


def test_crossings_of_many_segments():
    k = 1000
    assert count_crossings(np.arange(k), np.arange(k)[::-1]) == k * (k - 1) // 2
    assert count_crossings(np.arange(k), np.arange(k)) == 0


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_nothing_and_a_single_box(direction):
    nothing = layered_layout([], [], direction=direction)
    assert (len(nothing.x), nothing.route_at.tolist(), len(nothing.route)) == (0, [0], 0)
    assert (nothing.width, nothing.height) == (0.0, 0.0)
    one = layered_layout([120.0], [], direction=direction)
    assert (one.x[0], one.y[0], one.width, one.height) == (60.0, 16.0, 120.0, 32.0)


def test_a_chain_is_a_straight_line_without_bends():
    layout = layered_layout([100.0] * 5, chain(0, 1, 2, 3, 4), layer_gap=50)
    assert layout.y.tolist() == [16.0] * 5
    assert layout.x.tolist() == [50.0, 200.0, 350.0, 500.0, 650.0]
    assert (layout.width, layout.height, len(layout.route)) == (700.0, 32.0, 0)


def test_top_to_bottom_turns_the_picture():
    layout = layered_layout([100.0] * 3, chain(2, 0, 1), direction="TB", layer_gap=40)
    assert layout.x.tolist() == [50.0] * 3
    assert layout.y[[2, 0, 1]].tolist() == [16.0, 88.0, 160.0]


def test_boxes_of_one_layer_begin_together():
    layout = layered_layout([100.0, 80.0, 160.0], [(0, 1), (0, 2)], layer_gap=50)
    assert (layout.x - np.array([50, 40, 80])).tolist() == [0.0, 150.0, 150.0]


def test_a_parent_stands_in_the_middle_of_its_children():
    layout = layered_layout([100.0] * 6, [(0, i) for i in range(1, 6)], node_gap=8)
    assert np.diff(layout.y[1:]).tolist() == [40.0] * 4
    assert layout.y[0] == layout.y[3]


def test_a_source_with_slack_stands_next_to_what_needs_it():
    layout = layered_layout([100.0] * 5, [*chain(0, 1, 2, 3), (4, 3)], layer_gap=50)
    assert layout.x[4] == layout.x[2]


def test_a_chain_with_slack_moves_as_one():
    layout = layered_layout([100.0] * 7, [*chain(0, 1, 2, 3, 4), *chain(5, 6, 4)], layer_gap=50)
    assert (layout.x[5], layout.x[6]) == (layout.x[2], layout.x[3])


def test_a_long_edge_goes_round_the_boxes_between_with_two_bends_at_most():
    layout = layered_layout([100.0] * 6, [*chain(0, 1, 2, 3, 4, 5), (0, 5)], layer_gap=50)
    points = routes(layout)[-1]
    assert 2 <= len(points) <= 4, points
    assert np.ptp(points[:, 1]) == 0.0
    assert (np.abs(points[0, 1] - layout.y[1:5]) > 16).all()


def test_duplicate_edges_get_the_same_route():
    edges = [*chain(0, 1, 2, 3), (0, 3), (0, 3), (1, 2)]
    layout = layered_layout([100.0] * 4, edges)
    all_routes = routes(layout)
    assert len(all_routes) == 6
    assert len(all_routes[3]) >= 2
    assert np.array_equal(all_routes[3], all_routes[4])


def test_branches_stay_together_and_nothing_crosses_in_a_comparison():
    names, edges = ["table"], []
    for data in range(6):
        load, split = len(names), len(names) + 1
        names += ["load", "split"]
        edges.append((load, split))
        for _ in range(10):
            clf, score = len(names), len(names) + 1
            names += [f"clf {data}", f"score {data}"]
            edges += [(split, clf), (clf, score), (score, 0)]
    layout = layered_layout(box_widths(names), edges)
    clf = [i for i, name in enumerate(names) if name.startswith("clf")]
    by_place = sorted(clf, key=lambda i: layout.y[i])
    assert [names[i][-1] for i in by_place] == [str(d) for d in range(6) for _ in range(10)]
    score = [i + 1 for i in by_place]
    assert (np.diff(layout.y[score]) > 0).all()
    assert np.abs(layout.y[score] - layout.y[by_place]).max() < 0.01


def test_components_keep_their_order_and_their_columns():
    widths = [100.0, 120.0, 90.0, 140.0, 80.0, 80.0]
    layout = layered_layout(widths, [(0, 1), (2, 3), (4, 5)], layer_gap=50)
    assert layout.y[0] == layout.y[1] < layout.y[2] == layout.y[3] < layout.y[4]
    left = layout.x - np.array(widths) / 2
    assert left.tolist() == [0.0, 150.0, 0.0, 150.0, 0.0, 150.0]


def test_a_hundred_components_fill_a_rectangle():
    edges = [(2 * i, 2 * i + 1) for i in range(100)]
    layout = layered_layout([100.0] * 200, edges)
    assert 1.0 < layout.width / layout.height < 4.0


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_boxes_without_edges_form_a_compact_grid(direction):
    layout = layered_layout([120.0] * 100, [], direction=direction)
    assert 1 / 4 < layout.width / layout.height < 4
    assert layout.width * layout.height < 2.5 * 100 * 120 * 32


def test_a_thousand_children_are_one_tidy_column():
    n = 1001
    layout = layered_layout([120.0] * n, [(0, i) for i in range(1, n)], node_gap=8)
    assert len(set(layout.x[1:].tolist())) == 1
    assert layout.height == pytest.approx(1000 * 40 - 8)


def test_work_does_not_grow_faster_than_the_graph():
    def work(n: int) -> int:
        edges = [
            *((0, i) for i in range(1, n)),
            *((i, n) for i in range(1, n)),
            *((i, i + 1) for i in range(n, 2 * n)),
        ]
        return lines_run(lambda: layered_layout(np.full(2 * n + 1, 120.0), edges))

    assert work(1000) < 4.5 * work(250)


def test_edges_over_a_thousand_layers_do_not_make_a_million_dummies():
    n = 1500
    edges = [*chain(*range(n)), *((0, i) for i in range(2, n))]
    layout = layered_layout(np.full(n, 120.0), edges)
    assert len(layout.route) < 100_000
    assert len(set(layout.x.tolist())) == n


@pytest.mark.parametrize(
    ("widths", "edges", "options", "text"),
    [
        ([1.0, 1.0], [(0, 1), (1, 0)], {}, "node 0 is on a cycle"),
        ([1.0], [(0, 0)], {}, "node 0 is on a cycle"),
        ([1.0], [(0, 3)], {}, r"edge 0 is \[0, 3\], but the nodes are 0 to 0"),
        ([1.0], [], {"direction": "RL"}, "direction is 'RL'; it must be 'LR'"),
    ],
)
def test_bad_input_is_refused_in_words(widths, edges, options, text):
    with pytest.raises(ValueError, match=text):
        layered_layout(widths, edges, **options)


def test_box_widths_follow_the_text_within_bounds():
    widths = box_widths(
        ["a", "moons", "moons, RBF SVM-model", "x" * 10_000], extra=60, minimum=80, maximum=240
    )
    assert widths.dtype == np.float32
    assert widths[0] == 80.0
    assert widths[0] < widths[1] + 40 < widths[2] < 240
    assert widths[3] == 240.0
    assert box_widths([]).tolist() == []


def test_box_widths_know_wide_and_combining_characters():
    plain, wide, combining, plain_e = box_widths(
        ["abcdefgh", "数据分析模型训练", "e\u0301" * 8, "e" * 8], minimum=0
    )
    assert wide > plain + 30
    assert combining == plain_e
    assert box_widths(["a\nb"], minimum=0) == box_widths(["a b"], minimum=0)
