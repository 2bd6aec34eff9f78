"""A workflow as an ipycytoscape graph, without a browser: models, states, search, selection, refresh."""

from __future__ import annotations

import gc
import json
import math
import sys
import weakref
from typing import Any

import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from ipycytoscape import CytoscapeWidget, Edge, Node
from ipywidgets import Widget, link
from ipywidgets.widgets.widget import _instances

from fuse_widgets import (
    DAGWidget,
    FuseError,
    LocalWorkflow,
    NodeExecutionError,
    PatternError,
    workflow,
)
from fuse_widgets.engine.nodes import Node as WorkflowNode
from fuse_widgets.engine.views import make_view
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.cytoscape import MOST_EDGES, MOST_NODES, CytoscapeGraph


@workflow
def add(a: int, b: int = 1) -> int:
    return a + b


@workflow
def fail(a: int) -> int:
    raise ValueError("no luck")


def diamond() -> tuple[WorkflowNode, ...]:
    top = add(1).set_name("top")
    left, right = add(top).set_name("left"), add(top, 5).set_name("right")
    return top, left, right, add(left, right).set_name("bottom")


def finish(graph: CytoscapeGraph) -> None:
    """Wait until all that has happened is in the models."""
    assert graph.workflow.drain_events(5)
    assert graph._search.wait()
    assert bridge.wait_idle()
    while graph._due < math.inf:
        assert bridge.wait_idle()


def column(graph: CytoscapeGraph, key: str) -> dict[str, Any]:
    return {node.data["name"]: node.data[key] for node in graph.graph.nodes}


def classes(graph: CytoscapeGraph) -> dict[str, str]:
    return {node.data["name"]: node.classes for node in graph.graph.nodes}


def arrows(graph: CytoscapeGraph) -> list[tuple[str, str]]:
    names = {node.data["id"]: node.data.get("name") for node in graph.graph.nodes}
    return [(names[edge.data["source"]], names[edge.data["target"]]) for edge in graph.graph.edges]


def sent_by(widget: Widget) -> list[str]:
    """The names of the traits that a widget sends from now on, message by message."""
    sent: list[str] = []
    widget._send = lambda message, buffers=None: sent.append("+".join(sorted(message.get("state", {}))))
    return sent


def test_the_workflow_is_a_graph_of_ipycytoscape() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape()
    assert isinstance(graph, CytoscapeWidget)
    assert arrows(graph) == [("top", "left"), ("top", "right"), ("left", "bottom"), ("right", "bottom")]
    first = dict(graph.graph.nodes[0].data)
    assert first.pop("width") > 60
    assert first == {
        "id": "n1",
        "name": "top",
        "label": "top",
        "function": "add",
        "kind": "function",
        "state": "pending",
        "tooltip": "",
    }
    assert (graph.cytoscape_layout["name"], graph.cytoscape_layout["rankDir"]) == ("dagre", "LR")
    assert all(node.selectable for node in graph.graph.nodes)
    assert not any(edge.selectable for edge in graph.graph.edges)


def test_what_has_to_wait_a_tenth_of_a_second_costs_nothing_meanwhile() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape()
    finish(graph)
    flushes: list[bool] = []
    flush = graph.flush
    graph.flush = lambda: flushes.append(flush()) or flushes[-1]
    bridge.post(graph, lambda: None)
    bridge.post(graph, lambda: None)
    assert bridge.wait_idle()
    finish(graph)
    assert len(flushes) <= 3


def test_each_element_is_told_in_one_message_and_the_lists_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    count = {"open": 0, "update": 0}
    opened, send = Widget.open, Widget._send

    def counting_open(self: Widget) -> None:
        count["open"] += 1
        opened(self)

    def counting_send(self: Widget, *args: Any, **kwargs: Any) -> None:
        count["update"] += 1
        send(self, *args, **kwargs)

    monkeypatch.setattr(Widget, "open", counting_open)
    monkeypatch.setattr(Widget, "_send", counting_send)
    graph = LocalWorkflow(diamond()[-1]).cytoscape()
    elements = len(graph.graph.nodes) + len(graph.graph.edges)
    assert elements == 8
    assert count["open"] <= elements + 6  # the widget, its graphs, the selection, ipywidgets' layouts
    assert count["update"] <= 4


def test_states_follow_a_run_and_only_nodes_that_change_are_touched() -> None:
    top, *_ = diamond()
    fail(top).set_name("broken")
    graph = LocalWorkflow(top).cytoscape()
    with pytest.raises(NodeExecutionError):
        graph.workflow.run()
    finish(graph)
    assert column(graph, "state") == {
        **dict.fromkeys(["top", "left", "right", "bottom"], "done"),
        "broken": "failed",
    }
    assert column(graph, "state") == {name: str(state) for name, state in graph.states.items()}
    messages = {node.data["name"]: sent_by(node) for node in graph.graph.nodes}
    graph.workflow.find_nodes("broken")[0].func = lambda a: a
    graph.workflow.run()
    finish(graph)
    assert column(graph, "state")["broken"] == "done"
    assert {name for name, sent in messages.items() if sent} >= {"broken"}
    assert {trait for sent in messages.values() for trait in sent} == {"data"}
    for sent in messages.values():
        sent.clear()
    bridge.post(graph, lambda: None)
    finish(graph)
    assert not any(messages.values())


def test_a_burst_of_changes_costs_a_node_few_messages() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape()
    sent = sent_by(graph.graph.nodes[0])
    for _ in range(20):
        graph.workflow.run()
    finish(graph)
    assert len(sent) <= 20
    assert column(graph, "state")["top"] == "done"


def test_a_graph_made_after_a_run_shows_how_it_ended() -> None:
    wf = LocalWorkflow(diamond()[-1])
    wf.run()
    graph = wf.cytoscape()
    finish(graph)
    assert set(column(graph, "state").values()) == {"done"}


def test_matches_are_a_class_and_the_users_classes_stay() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape(query="left|right")
    assert graph.matches == ["left", "right"]
    finish(graph)
    assert classes(graph) == {"top": "dimmed", "left": "match", "right": "match", "bottom": "dimmed"}
    graph.graph.nodes[0].classes = "mine dimmed"
    graph.query = "t.*"
    finish(graph)
    assert classes(graph) == {"top": "mine match", "left": "dimmed", "right": "dimmed", "bottom": "dimmed"}
    graph.query = ""
    finish(graph)
    assert set(classes(graph).values()) == {"", "mine"}
    assert graph.matches == []


def test_a_broken_pattern_is_told_and_keeps_the_last_good_matches() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape(query="left")
    graph.query = "left("
    assert graph.matches == ["left"]
    assert "is not a regular expression" in graph.query_error
    graph.query = "right"
    assert (graph.matches, graph.query_error) == (["right"], "")
    with pytest.raises(PatternError):
        graph.workflow.cytoscape(query="left(")


def test_what_is_selected_in_python_goes_to_the_browser() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape(selected=["left"])
    assert bridge.wait_idle()
    ids = {node.data["name"]: node.data["id"] for node in graph.graph.nodes}
    assert graph._selection.get_state("chosen") == {"chosen": [ids["left"]]}
    assert graph._selection.target == graph.model_id
    graph.selected = ["bottom", "top", "top"]
    assert bridge.wait_idle()
    assert graph.selected == ["bottom", "top"]
    assert graph._selection.chosen == [ids["bottom"], ids["top"]]
    with pytest.raises(traitlets.TraitError, match="has no node 'nobody'"):
        graph.selected = ["nobody"]


def test_what_is_selected_in_the_browser_is_there_in_python_and_not_sent_back() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape()
    sent = sent_by(graph._selection)
    graph._selection.set_state({"chosen": [graph.graph.nodes[2].data["id"], "unknown"]})
    assert bridge.wait_idle()
    assert graph.selected == ["right"]
    assert sent[0] == "chosen"  # the echo, for other browsers
    graph._selection.set_state({"chosen": []})
    assert bridge.wait_idle()
    assert graph.selected == []


@pytest.mark.parametrize("junk", [{"chosen": 5}, {"chosen": [5]}, {"_esm": "evil"}, {"target": "x"}, {}])
def test_other_changes_from_the_browser_are_refused(junk: dict[str, Any]) -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape(selected=["left"])
    code = graph._selection._esm
    graph._selection.set_state(junk)
    assert bridge.wait_idle()
    assert (graph.selected, graph._selection._esm, graph._selection.target) == (
        ["left"],
        code,
        graph.model_id,
    )


def test_it_shares_selection_and_query_with_another_widget() -> None:
    wf = LocalWorkflow(diamond()[-1])
    dag, graph = DAGWidget(wf), wf.cytoscape()
    link((dag, "selected"), (graph, "selected"))
    link((dag, "query"), (graph, "query"))
    graph._selection.set_state({"chosen": [graph.graph.nodes[1].data["id"]]})
    assert bridge.wait_idle()
    assert dag.selected == ["left"]
    dag.set_state({"selected": ["top"], "query": "b.*"})
    assert bridge.wait_idle()
    finish(graph)
    assert graph.selected == ["top"]
    assert graph.matches == ["bottom"]


def test_the_users_style_layout_and_handlers_are_on_top() -> None:
    mine = {"selector": "node[function = 'add']", "style": {"shape": "ellipse"}}
    graph = LocalWorkflow(diamond()[-1]).cytoscape(style=[mine], layout={"name": "cola"})
    assert graph.get_layout() == {"name": "cola"}
    assert graph.get_style()[-1] == mine
    ours = len(graph.get_style()) - 1
    graph.set_style([mine, mine])
    assert len(graph.get_style()) == ours + 2
    heard = []
    graph.on("node", "tap", heard.append)
    graph._handle_custom_msg({"widget": "node", "event": "tap", "data": {"data": {"name": "top"}}}, [])
    assert heard == [{"data": {"name": "top"}}]
    before = list(graph.cytoscape_style)
    graph.workflow.run()
    graph.query = "top"
    finish(graph)
    assert graph.cytoscape_style == before


def test_every_state_has_a_colour_of_ours() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape()
    css = {rule["selector"]: rule["style"] for rule in graph.get_style()}
    colours = {
        css[f"node[state = '{state}']"]["border-color"] for state in ("running", "done", "failed", "cached")
    }
    assert len(colours) == 4
    assert css["node[state = 'done']"]["background-image"].startswith("data:image/svg+xml;utf8,%3Csvg")
    json.dumps(graph.get_style())


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"layout": "dagre"}, TypeError, "layout: 'dagre' is no dict"),
        ({"style": {"selector": "node"}}, TypeError, "is no list of rules"),
        ({"style": ["node"]}, TypeError, "is no list of rules"),
        ({"direction": "up"}, traitlets.TraitError, "direction"),
        ({"selected": ["nobody"]}, traitlets.TraitError, "has no node 'nobody'"),
    ],
)
def test_a_wrong_option_is_refused_in_words(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LocalWorkflow(diamond()[-1]).cytoscape(**options)


def endpoints(graph: CytoscapeGraph) -> tuple[str, str] | None:
    """On which sides edges leave and enter boxes."""
    for rule in graph.cytoscape_style:
        if "source-endpoint" in rule["style"]:
            return rule["style"]["source-endpoint"], rule["style"]["target-endpoint"]
    return None


def test_direction_turns_the_layout() -> None:
    graph = LocalWorkflow(diamond()[-1]).cytoscape(direction="TB")
    assert graph.cytoscape_layout["rankDir"] == "TB"
    mine = [{"selector": "node", "style": {"shape": "ellipse"}}]
    graph.set_style(mine)
    assert endpoints(graph) == ("180deg", "0deg")
    graph.direction = "LR"
    assert graph.cytoscape_layout["rankDir"] == "LR"
    assert endpoints(graph) == ("90deg", "270deg")
    assert graph.cytoscape_style[-1:] == mine
    graph.set_layout(name="cola")
    assert endpoints(graph) is None
    graph.cytoscape_style = mine  # without any of ours
    graph.set_layout(name="dagre")
    assert graph.cytoscape_style == mine


def wide(count: int) -> LocalWorkflow:
    top = add(0)
    for _ in range(count - 1):
        add(top)
    return LocalWorkflow(top, workflow_name="wide")


def test_a_graph_that_is_too_large_is_refused_and_dag_widget_named() -> None:
    wf = wide(MOST_NODES)
    assert len(wf.cytoscape().graph.nodes) == MOST_NODES
    add(wf.find_nodes()[0])
    with pytest.raises(ValueError, match=r"'wide' has 301 nodes .*DAGWidget\(workflow\)") as caught:
        wf.cytoscape()
    assert isinstance(caught.value, FuseError)
    layer = [add(n) for n in range(40)]
    more = [
        workflow(lambda *inputs: inputs)(*layer).set_name(f"sum {n}") for n in range(MOST_EDGES // 40 + 1)
    ]
    with pytest.raises(ValueError, match=r"1,240 edges"):
        LocalWorkflow(*more).cytoscape()


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "a.b['c']\"#d",
    "node[state]",
    "n1",
    "\ud800",
    "x" * 5000,
    "名前",
    "a\nb\x00",
]


@pytest.mark.slow
@given(
    st.lists(st.one_of(st.text(min_size=1), st.sampled_from(HOSTILE)), min_size=1, max_size=6, unique=True)
)
@settings(max_examples=40)
def test_names_of_any_characters_are_safe(names: list[str]) -> None:
    wf = LocalWorkflow(*[add(n).set_name(name) for n, name in enumerate(names)])
    graph = wf.cytoscape()
    for node in graph.graph.nodes:
        assert node.data["id"].isalnum()
        assert "<" not in node.data["tooltip"]
        assert "\n" not in node.data["label"]
        json.dumps(dict(node.data)).encode()
    graph._selection.set_state({"chosen": [node.data["id"] for node in graph.graph.nodes]})
    assert bridge.wait_idle()
    assert graph.selected == [node.name for node in wf.find_nodes()]
    wf.run()
    finish(graph)
    assert {node.data["state"] for node in graph.graph.nodes} == {"done"}
    graph.close()


def test_refresh_appends_what_is_new_and_keeps_the_rest() -> None:
    top, *_, bottom = diamond()
    graph = LocalWorkflow(bottom).cytoscape(selected=["left"], query=".*t")
    graph.workflow.run()
    finish(graph)
    before = list(graph.graph.nodes)
    add(top).set_name("last")
    graph.refresh()
    finish(graph)
    assert graph.graph.nodes[:4] == before
    assert column(graph, "state") == {
        **dict.fromkeys(["top", "left", "right", "bottom"], "done"),
        "last": "pending",
    }
    assert arrows(graph)[-1] == ("top", "last")
    assert classes(graph)["last"] == "match"
    assert graph.selected == ["left"]
    assert "last" in graph.states


def test_refresh_takes_away_what_is_gone_and_keeps_ids_classes_and_the_users_own_elements() -> None:
    _, left, _, bottom = diamond()
    graph = LocalWorkflow(bottom).cytoscape(selected=["left", "right"])
    graph.graph.add_node(Node(data={"id": "mine"}, classes="own"))
    graph.graph.add_edge(Edge(data={"id": "e", "source": "mine", "target": "n4"}))
    graph.graph.nodes[3].classes = "important"
    old = {node.data["name"]: node.data["id"] for node in graph.graph.nodes if "name" in node.data}
    left.set_name("renamed")
    graph.refresh()
    new = {node.data["name"]: node.data["id"] for node in graph.graph.nodes if "name" in node.data}
    assert list(new) == ["top", "right", "bottom", "renamed"]
    assert {name: new[name] for name in ("top", "right", "bottom")} == {
        name: old[name] for name in ("top", "right", "bottom")
    }
    assert new["renamed"] not in old.values()
    assert sorted(arrow for arrow in arrows(graph) if arrow[0]) == [
        ("renamed", "bottom"),
        ("right", "bottom"),
        ("top", "renamed"),
        ("top", "right"),
    ]
    assert (None, "bottom") in arrows(graph)
    own = [node for node in graph.graph.nodes if node.data["id"] == "mine"]
    assert [node.classes for node in own] == ["own"]
    assert (
        next(node for node in graph.graph.nodes if node.data.get("name") == "bottom").classes == "important"
    )
    assert graph.selected == ["right"]
    assert set(graph.graph._adj) == {node.data["id"] for node in graph.graph.nodes}
    graph.workflow.run()
    finish(graph)
    assert {node.data["state"] for node in graph.graph.nodes if "name" in node.data} == {"done"}


def test_the_lists_are_cut_before_the_rest_is_appended() -> None:
    _, left, _, bottom = diamond()
    graph = LocalWorkflow(bottom).cytoscape()
    lists: list[list[str]] = []
    send = graph.graph._send

    def watch(message: Any, buffers: Any = None) -> None:
        lists.append(list(message.get("state", {}).get("nodes", [])))
        send(message, buffers)

    graph.graph._send = watch
    left.set_name("renamed")
    graph.refresh()
    assert [len(one) for one in lists] == [1, 4]
    assert len({*lists[0], *lists[1]}) == 4


def test_a_run_that_begins_with_new_nodes_draws_them() -> None:
    top, *_, bottom = diamond()
    graph = LocalWorkflow(bottom).cytoscape()
    add(top).set_name("late")
    graph.workflow.run()
    finish(graph)
    assert column(graph, "state")["late"] == "done"


def test_refresh_says_what_is_wrong() -> None:
    graph = wide(MOST_NODES).cytoscape()
    add(graph.workflow.find_nodes()[0])
    with pytest.raises(ValueError, match="301 nodes"):
        graph.refresh()
    assert len(graph.graph.nodes) == MOST_NODES


def test_a_closed_graph_lets_go_of_everything() -> None:
    before = set(_instances)
    wf = LocalWorkflow(diamond()[-1])
    graph = wf.cytoscape(query="left")
    wf.run()
    finish(graph)
    node, gone = graph.graph.nodes[0], weakref.ref(graph)
    searching = graph._search._thread
    graph.close()
    sent = sent_by(node)
    wf.run()
    assert wf.drain_events(5)
    assert bridge.wait_idle()
    assert sent == []
    assert node.comm is None
    assert set(_instances) - before == set()
    if searching is not None:
        searching.join(10)
    del graph, node, sent
    for _ in range(2):  # widgets have finalizers, which may keep one another until the second time
        gc.collect()
    assert gone() is None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "ipycytoscape"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("fuse_widgets.widget.cytoscape", "fuse_widgets.widget.elements"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "ipycytoscape", None)
    with pytest.raises(
        FuseError, match=r"needs the package 'ipycytoscape'.*pip install ipycytoscape"
    ) as caught:
        LocalWorkflow(diamond()[-1]).cytoscape()
    assert isinstance(caught.value, ImportError)


def test_a_view_that_nobody_has_registered_is_told() -> None:
    with pytest.raises(FuseError, match="there is no view 'hologram'"):
        make_view("hologram", LocalWorkflow(diamond()[-1]), {})


def test_viewers_without_the_extension_get_a_picture() -> None:
    graph = LocalWorkflow(diamond()[-1], workflow_name="snap").cytoscape()
    data, _ = graph._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "<svg" in data["text/html"]
    assert data["text/plain"].startswith("CytoscapeGraph(<LocalWorkflow 'snap': 4 nodes")
