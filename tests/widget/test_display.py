"""Showing workflows again and again leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ipywidgets import Widget

from fuse_widgets import DAGWidget, LocalWorkflow, workflow
from fuse_widgets.widget import display


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., DAGWidget]]:
    """Show a workflow, a new one by default, as execution `number` of `cell`; gives its widget."""
    monkeypatch.setattr(display, "_shown", {})
    monkeypatch.setattr(display, "show", lambda widget: None)

    def show(cell: str | None, number: int, wf: LocalWorkflow | None = None) -> DAGWidget:
        monkeypatch.setattr(display, "_cell", lambda: (cell, number))
        wf = wf or LocalWorkflow(workflow(lambda: 1)())
        display.show_workflow(wf)
        return DAGWidget.of(wf)

    yield show
    Widget.close_all()


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
    assert show("b", 2, first.workflow) is first  # type: ignore[arg-type]
    show("a", 3)
    assert is_open(first)


def test_the_same_workflow_shown_again_by_its_cell_stays(show: Callable[..., DAGWidget]) -> None:
    first = show("a", 1)
    assert show("a", 2, first.workflow) is first  # type: ignore[arg-type]
    assert is_open(first)


def test_without_a_cell_nothing_is_closed(show: Callable[..., DAGWidget]) -> None:
    first, second = show(None, 1), show(None, 2)
    assert is_open(first)
    assert is_open(second)
