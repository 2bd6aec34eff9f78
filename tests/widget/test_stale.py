"""The widget shows what is out of date before anything runs, and what other cells have made again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fuse_widgets import DAGWidget
from fuse_widgets.engine.errors import FuseError
from fuse_widgets.widget import live
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.commands import execute
from tests.engine.notebook import Notebook


class Book(Notebook):
    """Tells widgets of the end of a cell, as the package does in IPython."""

    def run(self, code: str, cell: str | None = None) -> None:
        try:
            super().run(code, cell)
        finally:
            live.cell_ended()
            bridge.wait_idle()


@pytest.fixture
def book() -> Book:
    book = Book()
    book.run("@workflow\ndef load(): return 10", "load")
    book.run("@workflow\ndef clean(x): return x * 2", "clean")
    book.run(
        "cleaned = clean(load().set_name('raw')).set_name('cleaned'); wf = LocalWorkflow(cleaned)", "build"
    )
    return book


def stale(widget: DAGWidget) -> dict[str, str]:
    bridge.wait_idle()
    wire = widget._stale
    assert wire["version"] == widget._graph["version"]
    places = np.frombuffer(wire["index"], "<u4").tolist()
    reasons = np.frombuffer(wire["reason"], "<u4").tolist()
    return {widget.graph.names[i]: wire["reasons"][k] for i, k in zip(places, reasons, strict=True)}


def ask(widget: DAGWidget, name: str) -> dict[str, Any]:
    replies: list[dict[str, Any]] = []
    bridge.post(widget, lambda: execute(widget, {"kind": "command", "id": "1", "name": name}, replies.append))
    bridge.wait_idle()
    return replies[0]


def test_a_mark_comes_with_the_cell_and_goes_with_the_run(book: Book) -> None:
    widget = DAGWidget(book["wf"])
    book["wf"].run()
    assert stale(widget) == {}
    book.run("@workflow\ndef clean(x): return x * 3", "clean")
    assert stale(widget) == {"cleaned": "code changed"}
    assert ask(widget, "run")["ok"]
    assert book["wf"].last_run.wait(20) == 30
    assert stale(widget) == {}


def test_a_widget_that_opens_later_has_the_marks(book: Book) -> None:
    book["wf"].run()
    book.run("@workflow\ndef load(): return 11", "load")
    assert set(stale(DAGWidget(book["wf"]))) == {"raw", "cleaned"}


def test_source_shows_the_new_code_and_the_selection_stays(book: Book) -> None:
    widget = DAGWidget(book["wf"], selected=["cleaned"])
    widget.query = "raw"
    bridge.wait_idle()
    version = widget._graph["version"]
    assert "x * 2" in widget._details["node"]["source"]
    book.run("@workflow\ndef clean(x): return x * 3", "clean")
    assert "x * 3" in widget._details["node"]["source"]
    assert (widget.selected, widget.query, widget._graph["version"]) == (["cleaned"], "raw", version)


def test_the_source_of_a_function_that_was_given_other_code_is_the_present_one(book: Book) -> None:
    widget = DAGWidget(book["wf"], selected=["cleaned"])
    bridge.wait_idle()
    book.run("def other(x): return x * 7\nclean.func.__code__ = other.__code__", "patch")
    assert "x * 7" in widget._details["node"]["source"]


def test_a_function_of_another_cell_is_offered_and_used_when_asked(book: Book) -> None:
    widget = DAGWidget(book["wf"])
    book["wf"].run()
    book.run("@workflow\ndef clean(x): return x * 5", "other")
    (newer,) = widget._stale["newer"]
    assert (newer["name"], newer["count"]) == ("clean", 1)
    assert newer["where"].startswith("<In[")
    assert stale(widget) == {}
    assert ask(widget, "update_functions")["data"] == {"updated": 1}
    assert widget._stale["newer"] == []
    assert stale(widget) == {"cleaned": "code changed"}
    assert book["wf"].run() == 50


def test_a_node_that_cannot_run_is_marked_and_run_says_why(book: Book) -> None:
    widget = DAGWidget(book["wf"])
    book.run("@workflow\ndef clean(x, factor): return x * factor", "clean")
    assert "'factor'" in stale(widget)["cleaned"]
    reply = ask(widget, "run")
    assert not reply["ok"]
    assert "'cleaned'" in reply["text"]
    assert "'factor'" in reply["text"]


def test_nodes_that_were_made_again_in_another_cell_are_told(book: Book) -> None:
    book.run("wf2 = LocalWorkflow(cleaned)", "show")
    widget = DAGWidget(book["wf2"])
    assert widget._stale["notices"] == []
    book.run("cleaned = clean(load().set_name('raw')).set_name('cleaned')", "build")
    (notice,) = widget._stale["notices"]
    assert "raw and 1 more node are from an earlier execution" in notice


def test_a_node_that_a_deleted_cell_left_behind_is_told_with_a_way_out(book: Book) -> None:
    book.run("old = clean(cleaned).set_name('twin')", "deleted")
    book.run("new = clean(cleaned).set_name('twin')", "kept")
    widget = DAGWidget(book["wf"])
    (notice,) = widget._stale["notices"]
    assert "twin, made at" in notice
    assert "workflow.discard_left_out()" in notice
    book.run("wf.discard_left_out()", "tidy")
    assert widget._stale["notices"] == []
    assert len(widget.graph) == 3


def test_a_graph_that_cannot_be_told_keeps_what_was_known(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = DAGWidget(book["wf"])
    before = widget._stale

    def refuse() -> Any:
        raise FuseError("no")

    monkeypatch.setattr(book["wf"], "stale", refuse)
    book.run("1", "any")
    assert widget._stale == before
