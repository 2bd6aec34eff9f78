"""Roots, traversal and what belongs to a workflow, held against networkx on random DAGs."""

from __future__ import annotations

import random
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets import BaseWorkflow, DuplicateNodeNameError, LocalWorkflow, PatternError, workflow
from fuse_widgets.engine.nodes import Node


@workflow
def combine(number: int, *inputs: Any) -> int:
    return number + sum(inputs)


#: For each node the earlier ones it needs.
shapes = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *(st.lists(st.integers(0, i - 1), max_size=3) if i else st.just([]) for i in range(n))
    )
)


def build(shape: tuple[list[int], ...]) -> list[Node]:
    nodes: list[Node] = []
    for i, parents in enumerate(shape):
        nodes.append(combine(i, *[nodes[p] for p in parents]).set_name(f"n{i}"))
    return nodes


def graph_of(shape: tuple[list[int], ...]) -> Any:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(shape)))
    graph.add_edges_from((p, i) for i, parents in enumerate(shape) for p in parents)
    return graph


def expected_values(shape: tuple[list[int], ...]) -> list[int]:
    values: list[int] = []
    for i, parents in enumerate(shape):
        values.append(i + sum(values[p] for p in parents))
    return values


def members(graph: Any, outputs: list[int]) -> set[int]:
    """What the outputs need, and each descendant of its roots whose ancestors are all in as well."""
    needed = set(outputs).union(*(nx.ancestors(graph, out) for out in outputs))
    roots = {i for i in needed if not graph.in_degree(i)}
    found = set(needed)
    reachable = needed.union(*(nx.descendants(graph, root) for root in roots))
    for i in nx.topological_sort(graph):
        if i in reachable and set(graph.predecessors(i)) <= found:
            found.add(i)
    return found


@given(shapes, st.data())
def test_a_traversal_yields_every_node_once_parents_first_in_one_order(shape: Any, data: Any) -> None:
    nodes, graph = build(shape), graph_of(shape)
    outputs = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, max_size=3))
    wf = BaseWorkflow(*[nodes[i] for i in outputs])
    order = list(wf.graph_traversal())
    assert [(node.name, node) for _, node in order] == order
    places = {node: place for place, (_, node) in enumerate(order)}
    assert len(places) == len(order)
    assert set(places) == {nodes[i] for i in members(graph, outputs)}
    assert all(places[parent] < places[node] for node in places for parent in node.parents)
    assert list(wf.graph_traversal()) == order
    roots = {i for out in outputs for i in (out, *nx.ancestors(graph, out)) if not graph.in_degree(i)}
    assert wf.roots == [nodes[i] for i in sorted(roots)]
    everything = set().union(*(nx.descendants(graph, root) | {root} for root in roots))
    assert set(wf.left_out) == {nodes[i] for i in everything - members(graph, outputs)}
    targets = BaseWorkflow(*[nodes[i] for i in outputs], targets_only=True)
    assert {node for _, node in targets.graph_traversal()} == {
        nodes[i] for out in outputs for i in (out, *nx.ancestors(graph, out))
    }


@given(shapes, st.data())
def test_traversals_do_not_disturb_each_other(shape: Any, data: Any) -> None:
    nodes = build(shape)
    wf, other = BaseWorkflow(nodes[-1]), BaseWorkflow(*nodes)
    alone = [list(wf.graph_traversal()), list(other.graph_traversal())]
    open_ones, seen = [wf.graph_traversal(), other.graph_traversal()], [[], []]
    abandoned = other.graph_traversal()
    next(abandoned)
    for turn in data.draw(st.lists(st.booleans(), max_size=20)):
        seen[turn] += [found] if (found := next(open_ones[turn], None)) else []
    abandoned.close()  # type: ignore[attr-defined]
    for turn in (0, 1):
        seen[turn] += open_ones[turn]
    assert seen == alone


class Plain(BaseWorkflow):
    def run(self) -> Any:
        values: dict[Node, Any] = {}
        for _, node in self.graph_traversal():
            values[node] = node.func(*[values[a] if isinstance(a, Node) else a for a in node.args])
        return [values[out] for out in self.outputs]


@settings(max_examples=30)
@given(shapes)
def test_workflows_that_share_nodes_run_again_and_again_on_different_backends(shape: Any) -> None:
    nodes, values = build(shape), expected_values(shape)
    one, two = LocalWorkflow(*nodes, nodes[-1]), Plain(*nodes)
    for _ in range(2):
        assert one.run() == [*values, values[-1]]
        assert two.run() == values
    assert set(map(str, two.last_run.states.values())) == {"done"}


def test_a_graph_that_grows_or_is_renamed_is_seen() -> None:
    root = combine(1).set_name("root")
    wf = LocalWorkflow(root)
    child = combine(2, root).set_name("child")
    assert [name for name, _ in wf.graph_traversal()] == ["root", "child"]
    child.set_name("kid")
    assert [node.name for node in wf.find_nodes()] == ["root", "kid"]
    wf.run()
    assert wf.last_run.results == {"root": 1, "kid": 3}


def test_a_deep_graph_needs_no_recursion() -> None:
    node = combine(0)
    for _ in range(5000):
        node = combine(1, node)
    assert LocalWorkflow(node).run() == 5000


# --- names ---------------------------------------------------------------------------------------------------


def test_two_nodes_of_one_name_raise_and_both_are_named_with_their_places() -> None:
    root = combine(1)
    combine(2, root).set_name("same")
    twin = combine(3, root).set_name("same")
    with pytest.raises(DuplicateNodeNameError) as caught:
        BaseWorkflow(twin)
    line = twin.made_at.rsplit(":", 1)[1]
    assert f"test_traversal.py:{line}" in str(caught.value)
    assert f"test_traversal.py:{int(line) - 1}" in str(caught.value)
    assert "'same'" in str(caught.value)
    assert "set_name" in str(caught.value)


def test_a_name_that_is_given_twice_later_raises_before_anything_runs() -> None:
    ran: list[int] = []
    first, second = workflow(ran.append)(1), workflow(ran.append)(2)
    wf = LocalWorkflow(first, second)
    second.set_name(first.name)
    with pytest.raises(DuplicateNodeNameError):
        wf.run()
    assert ran == []
    assert wf.active_run is None


def test_patterns_match_whole_names() -> None:
    nodes = [combine(i).set_name(name) for i, name in enumerate(["fit", "fit-2", "prefit", "a.b", "a\nb"])]
    wf = BaseWorkflow(*nodes)
    assert [node.name for node in wf.find_nodes("fit")] == ["fit"]
    assert [node.name for node in wf.find_nodes("fit.*")] == ["fit", "fit-2"]
    assert [node.name for node in wf.query(r"a\.b")] == ["a.b"]
    assert wf.find_nodes() == nodes
    assert len(wf.query("no such")) == 0


def test_a_list_of_nodes_can_be_changed_without_changing_the_workflow() -> None:
    wf = BaseWorkflow(combine(1))
    wf.find_nodes().clear()
    assert len(wf.find_nodes()) == 1


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{99999999999999999999}"])
def test_a_pattern_that_is_no_regular_expression_is_named(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"is not a regular expression.*re\.escape") as caught:
        BaseWorkflow(combine(1)).find_nodes(pattern)
    assert repr(pattern) in str(caught.value)


def test_a_pattern_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="a pattern is a text"):
        BaseWorkflow(combine(1)).find_nodes(3)  # type: ignore[arg-type]


def test_query_sets_backend_info_on_every_match_and_chains() -> None:
    nodes = [combine(i).set_name(f"q{i}") for i in range(3)]
    wf = LocalWorkflow(*nodes)
    query = wf.query("q[01]").set_backend_info("retries", 2).set_remote_args({"num_cpus": 1})
    assert [node.backend_info for node in nodes] == [
        {"retries": 2, "remote_args": {"num_cpus": 1}},
        {"retries": 2, "remote_args": {"num_cpus": 1}},
        {},
    ]
    assert list(query) == nodes[:2]
    assert query[1] is nodes[1]


def test_large_random_graphs_run_in_the_order_of_their_making() -> None:
    draw = random.Random(7)
    nodes: list[Node] = []
    for i in range(2000):
        nodes.append(combine(i, *[draw.choice(nodes) for _ in range(3)] if nodes else []))
    assert BaseWorkflow(*nodes).find_nodes() == nodes
