"""Groups of a DAGWidget: drawn as boxes and as nodes, from both sides."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from fuse_widgets import DAGWidget, LocalWorkflow, workflow
from fuse_widgets.widget.bridge import bridge


@workflow
def load(number: int) -> int:
    return number


@workflow
def add(*numbers: int) -> int:
    return sum(numbers)


def two_groups() -> DAGWidget:
    loaded = [load(i).set_name(f"load {i}") for i in range(3)]
    sums = [add(node).set_name(f"sum {i}") for i, node in enumerate(loaded)]
    return DAGWidget(LocalWorkflow(add(*sums).set_name("all")), collapsed=["function:load"])


def test_groups_that_there_are_not_are_told_in_python_once_with_the_nearest() -> None:
    with pytest.warns(UserWarning, match="has no group 'load': did you mean 'function:load'") as warned:
        widget = DAGWidget(two_groups().workflow, collapsed=["load", "function:load"])
    assert [one.filename for one in warned] == [__file__]
    with pytest.warns(
        UserWarning, match="has no group 'function:nope': there are 'function:add', 'function:load', "
    ) as warned:
        widget.collapsed = ["load", "function:nope"]
    assert [one.filename for one in warned] == [__file__]
    with pytest.warns(UserWarning, match="no group 'prefix:summ': did you mean 'prefix:sum '"):
        widget.collapsed = ["prefix:summ"]


@pytest.mark.filterwarnings("error")
def test_groups_that_come_with_the_graph_or_from_the_browser_are_no_mistake() -> None:
    widget = two_groups()
    widget.set_state({"collapsed": ["function:nope"]})
    settle()
    assert widget.collapsed == ["function:nope"]
    first = widget.workflow.find_nodes()[0]
    for i in range(2):
        workflow(new)(first).set_name(f"new {i}")
    widget.collapsed = ["function:new"]
    settle()
    assert boxes(widget) == [("new", 2)]


def new(_: int) -> int:
    return 0


def places(widget: DAGWidget) -> dict[str, tuple[float, float]]:
    layout = widget.graph.layout
    return {
        name: (float(layout.x[at]), float(layout.y[at]))
        for name, at in widget.graph.index.items()
        if layout.x[at] == layout.x[at]
    }


@pytest.mark.parametrize("collapsed", [[], ["function:load"]])
def test_another_function_moves_nothing(collapsed: list[str]) -> None:
    rng = random.Random(3)
    nodes = [load(i).set_name(f"n{i}") for i in range(12)]
    for i in range(30):
        nodes.append(add(*rng.sample(nodes, 2)).set_name(f"m{i}"))
    widget = DAGWidget(LocalWorkflow(*nodes), collapsed=collapsed)
    before, drawn = places(widget), boxes(widget)
    for node in nodes[12::5]:
        widget.workflow.replace_func(node, lambda *_: 0)
    widget.refresh()
    assert "<lambda>" in " ".join(widget.graph.functions)
    assert places(widget) == before
    assert boxes(widget) == drawn
    assert np.array_equal(
        widget.graph.layout.route, DAGWidget(widget.workflow, collapsed=collapsed).graph.layout.route
    )


def settle() -> None:
    for _ in range(2):  # what a browser asks for, then what comes of it
        assert bridge.wait_idle()


def boxes(widget: DAGWidget) -> list[tuple[str, int]]:
    wire = widget.get_state("_graph")["_graph"]
    json.dumps({key: value for key, value in wire.items() if not isinstance(value, bytes)}, allow_nan=False)
    return [(box["label"], box["count"]) for box in wire["boxes"]]


def test_groups_are_collapsed_and_expanded_from_python_and_from_the_browser() -> None:
    widget = two_groups()
    assert boxes(widget) == [("load", 3)]
    widget.set_state({"collapsed": ["prefix:sum ", "prefix:sum "]})
    settle()
    assert widget.collapsed == ["prefix:sum "]
    assert boxes(widget) == [("sum", 3)]
    assert widget.get_state("_graph")["_graph"]["version"] == 2
    widget.collapsed = []
    settle()
    assert boxes(widget) == []


def test_a_run_counts_nodes_and_not_boxes() -> None:
    widget = two_groups()
    assert widget.workflow.run() == 3
    settle()
    assert widget.progress["counts"] == {"done": 7}
    assert set(widget.states.values()) == {"done"}
    widget.selected = ["load 1"]
    assert widget.selected == ["load 1"]


def test_ids_of_groups_can_travel_whatever_is_in_them() -> None:
    widget = two_groups()
    with pytest.warns(UserWarning, match="has no group"):
        widget.collapsed = ["function:load", "half \ud800"]
    assert widget.get_state("collapsed") == {"collapsed": ["function:load", "half ?"]}
    settle()
    assert len(widget.graph.boxes) == 1


@pytest.mark.parametrize("value", [5, [5], [["function:load"]], {"a": 1}, [str(i) for i in range(501)]])
def test_what_is_no_list_of_groups_is_refused(value: object) -> None:
    widget = two_groups()
    told: list[dict[str, object]] = []
    widget.send = lambda content, buffers=None: told.append(content)  # type: ignore[method-assign]
    widget.set_state({"collapsed": value})
    settle()
    assert boxes(widget) == [("load", 3)]
    assert [(reply["kind"], reply["ok"]) for reply in told] == [("reply", False)]
    with pytest.raises(TypeError, match="collapsed is a list of ids of groups"):
        DAGWidget(widget.workflow, collapsed="function:load")


def test_a_large_graph_starts_with_its_big_functions_collapsed() -> None:
    top = load(0)
    for i in range(320):
        add(top).set_name(f"sum {i}")
    wf = LocalWorkflow(top)
    widget = DAGWidget(wf)
    assert widget.collapsed == ["function:add"]
    assert boxes(widget) == [("add", 320)]
    assert len(widget.states) == 321
    assert boxes(DAGWidget(wf, collapsed=[])) == []


def test_what_stays_keeps_its_order_where_a_node_is_added() -> None:
    top = load(0).set_name("top")
    middle = [add(top).set_name(f"middle {i}") for i in range(6)]
    for i, node in enumerate(middle):
        add(node).set_name(f"end {i}")
    widget = DAGWidget(LocalWorkflow(top))

    def order() -> list[str]:
        y = widget.graph.layout.y
        return sorted(middle_names, key=lambda name: y[widget.graph.index[name]])

    middle_names = [node.name for node in middle]
    before = order()
    add(*middle[::-2]).set_name("one more")
    widget.refresh()
    assert len(widget.graph) == 14
    assert order() == before
