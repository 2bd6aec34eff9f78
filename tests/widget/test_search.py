"""Search: what a pattern matches is there in Python, and goes to the browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ipywidgets import Widget

from fuse_widgets import DAGWidget, LocalWorkflow, workflow
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.search import LIMIT


@workflow
def step(*inputs: Any) -> None: ...


@pytest.fixture
def widget() -> Iterator[DAGWidget]:
    load = step().set_name("moons-load")
    for name in ("Linear SVM", "RBF SVM", "Naive Bayes"):
        step(load).set_name(f"moons, {name}-model")
    yield DAGWidget(LocalWorkflow(load))
    Widget.close_all()


def sent(widget: DAGWidget) -> tuple[str, list[int], str]:
    """What the browser has: the pattern, the places of its matches, what is wrong with the present one."""
    wire = widget.get_state("_matches")["_matches"]
    return wire["query"], np.frombuffer(wire["index"], "<u4").tolist(), wire["error"]


def test_a_query_set_in_python_has_its_matches_at_once(widget: DAGWidget) -> None:
    widget.query = ".*SVM.*"
    assert widget.matches == ["moons, Linear SVM-model", "moons, RBF SVM-model"]
    assert widget.matches == [node.name for node in widget.workflow.query(widget.query)]
    assert sent(widget) == (".*SVM.*", [1, 2], "")


def test_a_query_typed_in_the_browser_is_there_in_python(widget: DAGWidget) -> None:
    widget.set_state({"query": "moons-.*"})
    assert bridge.wait_idle()
    assert widget._search.wait()
    assert bridge.wait_idle()
    assert (widget.query, widget.matches) == ("moons-.*", ["moons-load"])


def test_a_pattern_matches_whole_names(widget: DAGWidget) -> None:
    widget.query = "SVM"
    assert widget.matches == []
    assert sent(widget) == ("SVM", [], "")


def test_a_broken_pattern_is_told_in_words_and_keeps_the_last_good_matches(widget: DAGWidget) -> None:
    widget.query = ".*Bayes.*"
    widget.query = ".*Bayes.*("
    assert widget.matches == ["moons, Naive Bayes-model"]
    pattern, index, error = sent(widget)
    assert (pattern, index) == (".*Bayes.*", [3])
    assert "is not a regular expression" in error


def test_a_pattern_that_runs_for_ever_is_stopped_and_the_next_one_works() -> None:
    name = "a" * 60 + "!"
    widget = DAGWidget(LocalWorkflow(step().set_name(name)))
    begin = time.monotonic()
    widget.query = "(a+)+b"
    assert time.monotonic() - begin < 10 * LIMIT
    assert sent(widget) == ("", [], f"'(a+)+b' was stopped: it takes longer than {LIMIT:g} s")
    widget.query = "a+!"
    assert widget.matches == [name]
    widget.close()


def test_an_empty_query_ends_the_search(widget: DAGWidget) -> None:
    widget.query = ".*"
    assert len(widget.matches) == 4
    widget.query = ""
    assert widget.matches == []
    assert sent(widget) == ("", [], "")


def test_new_nodes_that_match_are_found_when_the_graph_is_drawn_again(widget: DAGWidget) -> None:
    widget.query = ".*SVM.*"
    step(widget.workflow.find_nodes("moons-load")[0]).set_name("moons, Poly SVM-model")
    widget.refresh()
    assert widget._search.wait()
    assert bridge.wait_idle()
    assert widget.matches[-1] == "moons, Poly SVM-model"
    assert sent(widget)[1] == [1, 2, 4]
    assert widget.get_state("_matches")["_matches"]["version"] == widget._graph["version"] == 2


def test_matches_cannot_be_set(widget: DAGWidget) -> None:
    with pytest.raises(Exception, match="read-only"):
        widget.matches = ["moons-load"]
