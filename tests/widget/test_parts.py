"""The parts of the widget alone, a selection that they share, and a query at the end of a cell."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import traitlets
from ipywidgets import HBox, jslink, link
from ipywidgets.widgets.widget import _instances

from fuse_widgets import (
    BackendInfoForm,
    BaseWorkflow,
    DAGWidget,
    GraphView,
    Inspector,
    LocalWorkflow,
    NodeTable,
    ProgressBar,
    workflow,
)
from fuse_widgets.widget import display, parts
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.parts import QueryView, show_query

PARTS = (GraphView, NodeTable, Inspector, BackendInfoForm, ProgressBar)
TYPES = (Path(__file__).parents[2] / "js" / "src" / "core" / "types.ts").read_text()


@workflow
def step(*_inputs: Any) -> int:
    return 1


@pytest.fixture
def wf() -> LocalWorkflow:
    first = step().set_name("moons-load")
    return LocalWorkflow(step(first).set_name("moons-fit"), step(first).set_name("<b>report</b>"))


def sent_by(widget: DAGWidget) -> list[dict[str, Any]]:
    """What goes out on the widget's comm from now on."""
    sent: list[dict[str, Any]] = []
    assert widget.comm is not None
    widget.comm.publish_msg = lambda kind, data=None, **_: sent.append(data)  # type: ignore[method-assign]
    return sent


@pytest.mark.parametrize("part", [*PARTS, DAGWidget, QueryView])
def test_what_a_part_is_made_of_is_known_to_the_browser(part: type[DAGWidget], wf: LocalWorkflow) -> None:
    known = re.search(r"export const PARTS = \[(.*?)\]", TYPES, re.S)
    assert known is not None
    widget = part(wf.query()) if part is QueryView else part(wf)  # type: ignore[arg-type]
    assert set(widget._parts) <= set(re.findall(r'"(\w+)"', known[1]))


def test_every_part_is_another_one_with_a_height_of_its_own(wf: LocalWorkflow) -> None:
    widgets = [part(wf) for part in PARTS]
    assert [widget._parts for widget in widgets] == [
        ["graph"],
        ["outline"],
        ["inspector"],
        ["form"],
        ["progress"],
    ]
    assert [widget.height for widget in widgets] == [160, 253, 480, 400, 80]
    assert NodeTable(LocalWorkflow(*[step() for _ in range(100)])).height == 480
    assert Inspector(wf, height=300).height == 300


@pytest.mark.parametrize("part", PARTS)
def test_a_part_follows_a_run_and_stands_in_a_box(part: type[DAGWidget], wf: LocalWorkflow) -> None:
    widget = part(wf, selected=["moons-fit"])
    HBox([widget])
    wf.run()
    assert wf.drain_events(5)
    assert bridge.wait_idle()
    assert set(widget.states.values()) == {"done"}
    assert widget.selected == ["moons-fit"]
    assert widget._details["count"] == 1


@pytest.mark.parametrize("part", PARTS)
def test_a_part_shows_workflows_only(part: type[DAGWidget], wf: LocalWorkflow) -> None:
    with pytest.raises(TypeError, match=f"{part.__name__} shows a workflow such as"):
        part(DAGWidget(wf))  # type: ignore[arg-type]
    with pytest.raises(traitlets.TraitError, match="has no node 'nobody'"):
        part(wf, selected=["nobody"])


def test_a_linked_selection_is_one_wherever_it_is_changed(wf: LocalWorkflow) -> None:
    graph, table = GraphView(wf), NodeTable(wf)
    link((graph, "selected"), (table, "selected"))
    graph.selected = ["moons-fit"]
    assert table.selected == ["moons-fit"]
    table.set_state({"selected": ["moons-load"]})
    assert bridge.wait_idle()
    assert (graph.selected, table.selected) == (["moons-load"], ["moons-load"])
    assert bridge.wait_idle()
    assert {graph._details["key"], table._details["key"]} == {graph._details["key"]}


def test_a_linked_selection_goes_round_once(wf: LocalWorkflow) -> None:
    graph, table = GraphView(wf), NodeTable(wf)
    link((graph, "selected"), (table, "selected"))
    assert bridge.wait_idle()
    by_graph, by_table = sent_by(graph), sent_by(table)
    graph.set_state({"selected": ["moons-fit"]})
    assert bridge.wait_idle()
    assert bridge.wait_idle()
    selections = [
        [(m["method"], m["state"]["selected"]) for m in sent if "selected" in m.get("state", {})]
        for sent in (by_graph, by_table)
    ]
    assert selections == [[("echo_update", ["moons-fit"])], [("update", ["moons-fit"])]]
    # What the browser of the table sends back where the link is its own (jslink) changes nothing.
    table.set_state({"selected": ["moons-fit"]})
    assert bridge.wait_idle()
    assert [m["method"] for m in by_graph if "selected" in m.get("state", {})] == ["echo_update"]


def test_a_selection_can_be_linked_in_the_browser(wf: LocalWorkflow) -> None:
    graph, form = GraphView(wf), BackendInfoForm(wf)
    assert jslink((graph, "selected"), (form, "selected")).source == (graph, "selected")


def test_an_edit_in_the_form_is_a_badge_in_the_graph_that_is_linked(wf: LocalWorkflow) -> None:
    form, table = BackendInfoForm(wf), NodeTable(wf, selected=["moons-load"])
    message = {"nodes": [0], "version": 1, "set": {"retries": 2}}
    form._handle_custom_msg({"kind": "command", "id": "1", "name": "edit", "args": message}, [])
    assert bridge.wait_idle()
    assert bridge.wait_idle()
    assert form._edits["changed"] == b"\0\0\0\0"
    assert table._details["settings"]["values"] == {"retries": 2}


# --- queries -------------------------------------------------------------------------------------------------


def click_show(widget: DAGWidget) -> dict[str, Any]:
    replies: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: replies.append(content)  # type: ignore[method-assign]
    widget._handle_custom_msg({"kind": "command", "id": "1", "name": "show", "args": {}}, [])
    assert bridge.wait_idle()
    assert bridge.wait_idle()
    (reply,) = [content for content in replies if content["kind"] == "reply"]
    return reply


def test_a_query_is_shown_in_all_other_widgets_of_its_workflow(wf: LocalWorkflow) -> None:
    first, second, other = DAGWidget(wf), GraphView(wf), DAGWidget(LocalWorkflow(step()))
    earlier = QueryView(wf.query("moons-fit"))
    view = QueryView(wf.query("moons.*"))
    assert (view.query, view.selected) == ("moons.*", ["moons-load", "moons-fit"])
    assert view.matches == ["moons-load", "moons-fit"]
    view.selected = []
    reply = click_show(view)
    assert (reply["ok"], reply["data"]) == (True, {"shown": 2})
    for widget in (first, second):
        assert (widget.query, widget.selected) == ("moons.*", ["moons-load", "moons-fit"])
    assert (other.query, other.selected) == ("", [])
    assert (earlier.query, earlier.selected) == ("moons-fit", ["moons-fit"])


def test_a_query_holds_the_nodes_that_it_found(wf: LocalWorkflow) -> None:
    query = wf.query("moons.*")
    wf.find_nodes("moons-fit")[0].set_name("fit")
    assert QueryView(query).selected == ["moons-load", "fit"]


def test_a_query_without_a_pattern_is_for_all_nodes(wf: LocalWorkflow) -> None:
    view = QueryView(wf.query())
    assert (view.query, len(view.selected)) == (".*", 3)
    assert click_show(view)["data"] == {"shown": 0}


def test_a_query_view_shows_queries_only(wf: LocalWorkflow) -> None:
    with pytest.raises(TypeError, match=r"shows what workflow\.query\(\) gives, not <LocalWorkflow"):
        QueryView(wf)  # type: ignore[arg-type]


class Shell:
    """What of IPython is asked."""

    def __init__(self, *types: str) -> None:
        self.display_formatter = SimpleNamespace(active_types=types)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.get_ipython", lambda: Shell("text/plain", "text/html"))
    monkeypatch.setattr("IPython.display.display", lambda data, **_: found.append(data))
    monkeypatch.setattr(parts, "somebody_watches", lambda: True)
    monkeypatch.setattr(display, "_places", {})
    return found


def test_a_query_at_the_end_of_a_cell_is_a_widget_for_a_person(
    wf: LocalWorkflow, shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        monkeypatch.setattr(display, "_cell", lambda number=number: ("cell", number))
        show_query(wf.query(".*report.*"))
    assert [data["text/plain"] for data in shown] == ["<Query '.*report.*': 1 nodes: '<b>report</b>'>"] * 2
    assert "&lt;b&gt;report&lt;/b&gt;" in shown[0]["text/html"]
    first, second = (data[display.VIEW]["model_id"] for data in shown)
    assert first not in _instances
    assert second in _instances


def test_a_query_in_an_executed_notebook_is_a_list(
    wf: LocalWorkflow, shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "somebody_watches", lambda: False)
    show_query(wf.query())
    assert [sorted(data) for data in shown] == [["text/html", "text/plain"]]
    assert "all nodes: 3 nodes" in shown[0]["text/html"]
    many = LocalWorkflow(*[step() for _ in range(130)])
    show_query(many.query())
    assert shown[1]["text/html"].count("<li>") == 100
    assert "… and 30 more" in shown[1]["text/html"]


def test_a_query_in_a_terminal_is_its_repr(
    wf: LocalWorkflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("IPython.get_ipython", lambda: Shell("text/plain"))
    show_query(wf.query("moons-load"))
    assert capsys.readouterr().out == "<Query 'moons-load': 1 nodes: 'moons-load'>\n"


def test_a_backend_of_its_own_has_parts_too() -> None:
    class Quiet(BaseWorkflow):
        def run(self) -> None: ...

    assert BackendInfoForm(Quiet(step()))._schema == {}
