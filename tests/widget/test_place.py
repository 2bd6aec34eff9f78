"""A cell that runs again shows its workflow as the person had it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fuse_widgets import DAGWidget, LocalWorkflow, workflow
from fuse_widgets.widget import display
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.parts import QueryView


@workflow
def step(*inputs: Any) -> int:
    return len(inputs)


@workflow
def root() -> int:
    return 0


def build(*names: str, title: str = "one") -> LocalWorkflow:
    return LocalWorkflow(*[step(root()).set_name(name) for name in names], workflow_name=title)


class Cell:
    """Stands for the cell that is running."""

    execution = 0

    def show(self, *widgets: DAGWidget) -> tuple[DAGWidget, ...]:
        type(self).execution += 1
        for widget in widgets:
            display.close_earlier(widget)
        bridge.wait_idle()
        return widgets


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    monkeypatch.setattr(display, "_places", {})
    monkeypatch.setattr(display, "_cell", lambda: ("a cell", Cell.execution))
    return Cell()


def test_what_a_person_has_set_stays_where_it_was(cell: Cell) -> None:
    (old,) = cell.show(DAGWidget(build("a", "b")))
    old.selected, old.query, old.panels, old.direction, old.height = ["b"], "a", ["outline"], "TB", 333
    old.collapsed = ["function:step"]
    bridge.wait_idle()
    (new,) = cell.show(DAGWidget(build("a", "b", "c")))
    assert (new.selected, new.query, new.panels) == (["b"], "a", ["outline"])
    assert (new.direction, new.height, new.collapsed) == ("TB", 333, ["function:step"])
    assert old.comm is None
    assert new._place == old._place != ""


def test_a_node_that_is_gone_is_no_longer_selected_and_the_natural_height_follows_the_graph(
    cell: Cell,
) -> None:
    (old,) = cell.show(DAGWidget(build("a", "b")))
    old.selected = ["a", "b"]
    natural = old.height
    (new,) = cell.show(DAGWidget(build("b", *map(str, range(9)))))
    assert new.selected == ["b"]
    assert new.height > natural


def test_each_place_of_a_cell_has_its_own(cell: Cell) -> None:
    one, two = cell.show(DAGWidget(build("a")), DAGWidget(build("a")))
    one.query, two.query = "one", "two"
    three, four, five = cell.show(*[DAGWidget(build("a")) for _ in range(3)])
    assert (three.query, four.query, five.query) == ("one", "two", "")
    assert len({three._place, four._place, five._place}) == 3


def test_another_workflow_starts_afresh(cell: Cell) -> None:
    (old,) = cell.show(DAGWidget(build("a")))
    old.query = "a"
    (new,) = cell.show(DAGWidget(build("a", title="other")))
    assert new.query == ""


def test_a_query_shows_what_it_is_about(cell: Cell) -> None:
    cell.show(QueryView(build("a", "b").query("a")))
    (new,) = cell.show(QueryView(build("a", "b").query("b")))
    assert (new.selected, new.query) == (["b"], "b")


def test_one_widget_that_is_shown_again_keeps_what_was_set(cell: Cell) -> None:
    widget = DAGWidget(build("a"))
    cell.show(widget)
    widget.query = "a"
    cell.show(widget)
    assert widget.query == "a"
    assert widget.comm is not None
