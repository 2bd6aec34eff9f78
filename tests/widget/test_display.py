"""Showing workflows again and again leaves nothing behind, and outputs show the end of the last run."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from ipywidgets import Output, Widget

from fuse_widgets import (
    DAGWidget,
    FuseError,
    GraphView,
    LocalWorkflow,
    NodeExecutionError,
    NodeTable,
    workflow,
)
from fuse_widgets.widget import dag, display
from fuse_widgets.widget.bridge import bridge


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Which cell runs: `cell`, `number`, and the `message` that it was asked for with."""
    now: dict[str, Any] = {"cell": "a", "number": 1, "message": "m1"}
    monkeypatch.setattr(display, "_places", {})
    monkeypatch.setattr(display, "_cell", lambda: (now["cell"], now["number"]))
    monkeypatch.setattr(display, "_parent", lambda: {"header": {"msg_id": now["message"]}})
    yield now
    Widget.close_all()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What stands in each output, in the order in which they came."""
    outputs: list[dict[str, Any]] = []

    class Handle:
        def __init__(self, place: int) -> None:
            self.place = place

        def update(self, data: dict[str, Any], **options: Any) -> None:
            outputs[self.place] = data

    def publish(data: dict[str, Any], **options: Any) -> Handle:
        outputs.append(data)
        return Handle(len(outputs) - 1)

    monkeypatch.setattr("IPython.display.display", publish)
    return outputs


@pytest.fixture
def show(here: dict[str, Any], published: list[Any]) -> Callable[..., DAGWidget]:
    """Show a workflow, a new one by default, as execution `number` of `cell`; gives its widget."""

    def show(cell: str | None, number: int, wf: LocalWorkflow | None = None) -> DAGWidget:
        if (here["cell"], here["number"]) != (cell, number):
            here.update(cell=cell, number=number)
            display.cell_begins(cell)
        wf = wf or LocalWorkflow(workflow(lambda: 1)())
        display.show_workflow(wf)
        return DAGWidget.of(wf)

    return show


def is_open(widget: DAGWidget) -> bool:
    return widget.comm is not None


def test_a_cell_that_runs_again_closes_what_it_showed_before(show: Callable[..., DAGWidget]) -> None:
    first, second = show("a", 1), show("a", 2)
    assert (is_open(first), is_open(second)) == (False, True)


def test_two_workflows_of_one_execution_stay(show: Callable[..., DAGWidget]) -> None:
    first, second = show("a", 1), show("a", 1)
    assert is_open(first)
    assert is_open(second)
    third = show("a", 2)
    assert (is_open(first), is_open(second), is_open(third)) == (False, False, True)


def test_a_workflow_that_another_cell_shows_as_well_stays(show: Callable[..., DAGWidget]) -> None:
    first = show("a", 1)
    wf = first.workflow
    assert show("b", 2, wf) is first  # type: ignore[arg-type]
    show("a", 3)
    assert is_open(first)


def test_the_same_workflow_shown_again_by_its_cell_stays(show: Callable[..., DAGWidget]) -> None:
    first = show("a", 1)
    wf = first.workflow
    assert show("a", 2, wf) is first  # type: ignore[arg-type]
    assert is_open(first)


def test_without_a_cell_nothing_is_closed(show: Callable[..., DAGWidget]) -> None:
    first, second = show(None, 1), show(None, 2)
    assert is_open(first)
    assert is_open(second)


def test_a_widget_at_the_end_of_a_cell_is_closed_with_it(here: dict[str, Any], published: Any) -> None:
    first = DAGWidget(LocalWorkflow(workflow(lambda: 1)()))
    display.show(first)
    here["number"] = 2
    display.show(DAGWidget(LocalWorkflow(workflow(lambda: 1)())))
    assert not is_open(first)


class Big:
    """A value whose end can be seen."""


def big() -> Big:
    return Big()


def run_one(value: Any) -> LocalWorkflow:
    wf = LocalWorkflow(workflow(lambda big, array: big)(workflow(big)(), value).set_name("fit"))
    wf.run()
    return wf


def alive(*refs: weakref.ref[Any]) -> list[bool]:
    assert bridge.wait_idle()
    gc.collect()
    return [ref() is not None for ref in refs]


@pytest.mark.parametrize("parts", [False, True])
def test_a_cell_that_runs_again_lets_go_of_workflow_results_and_inputs(
    parts: bool, here: dict[str, Any], published: Any
) -> None:
    value = np.ones(10)
    wf = run_one(value)
    refs = weakref.ref(wf), weakref.ref(wf.last_run.results["fit"]), weakref.ref(value)
    if parts:  # in a box, say
        widgets = [GraphView(wf, selected=["fit"]), NodeTable(wf)]
        widgets[0].query = "f.*"
    else:
        display.show_workflow(wf)
        widgets = [DAGWidget.of(wf)]
    del wf, value
    assert alive(*refs) == [True, True, True]
    here["number"] = 2
    display.cell_begins("a")
    assert alive(*refs) == [False, False, False]
    for widget in widgets:  # what is drawn stays
        assert is_open(widget)
        assert widget.states["fit"] == "done"
        assert "fit" in widget.bundle()[0]["text/html"]
        assert "no longer in memory" in repr(widget)
        sent: list[dict[str, Any]] = []
        widget.send = lambda content, buffers=None, sent=sent: sent.append(content)  # type: ignore[method-assign]
        for number, name in enumerate(("run", "stop", "step", "preview", "show"), 1):
            message = {"kind": "command", "id": number, "name": name, "args": {"node": 0, "version": 1}}
            widget._handle_custom_msg(message, [])
        widget.selected = []
        widget.query = "x"
        widget.direction = "TB"
        assert bridge.wait_idle()
        replies = [m for m in sent if m["kind"] == "reply" and m["id"]]
        assert [m["ok"] for m in replies] == [False] * 5
        texts = {m["text"] for m in replies}
        assert all("no longer in memory" in text for text in texts), texts
        with pytest.raises(FuseError, match="no longer in memory"):
            _ = widget.workflow
    dag.live.cell_ended()
    display.show(DAGWidget(LocalWorkflow(workflow(lambda: 1)())))
    assert [is_open(widget) for widget in widgets] == [parts] * len(widgets)


def test_a_workflow_that_is_kept_elsewhere_stays_live(here: dict[str, Any], published: Any) -> None:
    wf = run_one(1)
    widget = GraphView(wf)
    display.cell_begins("a")
    assert alive(weakref.ref(wf)) == [True]
    wf.run()
    assert widget.progress["state"] == "done"
    assert widget._status.run == 2
    widget.close()


def test_an_output_that_is_cleared_closes_what_it_showed(here: dict[str, Any], published: Any) -> None:
    """What `interact` does with each move of its slider."""
    out = Output()
    other = DAGWidget(LocalWorkflow(workflow(lambda: 1)()))
    display.show(other)
    made: list[DAGWidget] = []
    for number in range(50):
        here.update(cell=None, message=f"m{number}")
        out.msg_id = f"m{number}"
        display.cleared(wait=True)
        assert [is_open(widget) for widget in made].count(True) == bool(made)
        made.append(DAGWidget(LocalWorkflow(workflow(lambda: 1)())))
        display.show(made[-1])
        out.msg_id = ""
    assert [is_open(widget) for widget in made].count(True) == 1
    assert is_open(made[-1])
    assert is_open(other)
    here["message"] = out.msg_id = "last"
    display.cleared(wait=False)
    assert not is_open(made[-1])
    assert is_open(other)


def test_what_an_output_shows_beside_others_or_elsewhere_stays(here: dict[str, Any], published: Any) -> None:
    out = Output()
    out.msg_id = "m2"
    here["message"] = "m2"
    first, second = (DAGWidget(LocalWorkflow(workflow(lambda: 1)())) for _ in range(2))
    display.show(first)
    here["message"] = out.msg_id = "m3"  # another click, and nothing is cleared
    display.show(second)
    assert is_open(first)
    here["message"], out.msg_id = "m4", ""
    display.show(first)  # in the cell as well
    here["message"] = out.msg_id = "m5"
    display.cleared(wait=False)
    assert (is_open(first), is_open(second)) == (True, False)


def test_outputs_show_the_end_of_the_last_run(show: Callable[..., DAGWidget], published: Any) -> None:
    widget = show("a", 1)
    wf = widget.workflow
    show("b", 2, wf)  # type: ignore[arg-type]
    assert [("1 pending" in data["text/html"]) for data in published] == [True, True]
    wf.run()
    for data in published:
        assert "1 done" in data["text/html"]
        assert ("1 done" in data["text/plain"]) or "1 of 1 done" in data["text/plain"]
    wf.find_nodes()[0].func = lambda: 1 / 0
    with pytest.raises(NodeExecutionError):
        wf.run()
    dag.live.cell_ended()  # runs follow each other: the rest comes with the end of the cell
    assert all("1 failed" in data["text/html"] for data in published)


def test_an_output_stays_a_widget_for_a_person_only(
    show: Callable[..., DAGWidget], published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = show("a", 1)
    monkeypatch.setattr(display, "somebody_watches", lambda: False)
    show("b", 2, widget.workflow)  # type: ignore[arg-type]
    widget.workflow.run()
    assert [display.VIEW in data for data in published] == [True, False]


def test_many_runs_in_one_cell_renew_the_output_twice(
    show: Callable[..., DAGWidget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "RENEW", 1000.0)
    widget = show("a", 1)
    bundles: list[Any] = []
    bundle = widget.bundle
    widget.bundle = lambda **kwargs: bundles.append(1) or bundle(**kwargs)  # type: ignore[method-assign,func-returns-value]
    for _ in range(20):
        widget.workflow.run()
    dag.live.cell_ended()
    dag.live.cell_ended()
    assert len(bundles) == 2
