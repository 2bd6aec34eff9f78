"""What can be read of a widget in the line after `run()` is the end of that run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fuse_widgets import BaseWorkflow, DAGWidget, LocalWorkflow, NodeExecutionError, RunEvent, workflow
from fuse_widgets.widget.bridge import bridge


@workflow
def one(x: int = 0) -> int:
    return x + 1


@workflow
def fail(x: int) -> int:
    raise ValueError("no luck")


class Seed(BaseWorkflow):
    """A backend that knows only Function Fuse's interface."""

    def run(self) -> Any:
        return [node.exec() for _, node in self.graph_traversal()][-1]


def threads(*nodes: Any) -> LocalWorkflow:
    return LocalWorkflow(*nodes, executor="thread", max_workers=2)


BACKENDS = [Seed, LocalWorkflow, threads]


@pytest.mark.parametrize("make", BACKENDS)
def test_a_run_that_returns_is_shown_as_done(make: Callable[..., BaseWorkflow]) -> None:
    for _ in range(10):
        wf = make(one(one().set_name("a")).set_name("b"))
        widgets = [DAGWidget(wf), DAGWidget(wf), wf.cytoscape()]
        for _ in range(3):
            wf.run()
            assert [dict(widget.states) for widget in widgets] == [{"a": "done", "b": "done"}] * 3
            assert [widget.progress["state"] for widget in widgets[:2]] == ["done"] * 2
        wf.start().wait(5)
        assert widgets[0].progress["finished"] == 2
        for widget in widgets:
            widget.close()


@pytest.mark.parametrize("make", BACKENDS)
def test_a_run_that_raises_is_shown_as_failed(make: Callable[..., BaseWorkflow]) -> None:
    wf = make(one(fail(one().set_name("a")).set_name("b")).set_name("c"))
    widget = DAGWidget(wf)
    for start in (wf.run, lambda: wf.start().wait(5)):
        with pytest.raises(NodeExecutionError):
            start()
        assert dict(widget.states) == {"a": "done", "b": "failed", "c": "skipped"}
        assert (widget.progress["state"], widget.progress["finished"]) == ("failed", 3)


def test_matches_are_those_of_the_nodes_that_ran() -> None:
    root = one().set_name("a1")
    wf = LocalWorkflow(root)
    widget = DAGWidget(wf)
    widget.query = "a.*"
    one(root).set_name("a2")
    wf.run()
    assert widget.matches == ["a1", "a2"]


def test_a_stuck_subscriber_keeps_no_widget_from_the_end_of_the_run() -> None:
    go = threading.Event()
    wf = LocalWorkflow(one().set_name("a"))
    wf.subscribe(lambda events: go.wait(20))
    widget = DAGWidget(wf)
    began = time.monotonic()
    wf.run()
    assert widget.states["a"] == "done"
    first = time.monotonic() - began
    widget.direction = "TB"
    wf.run()
    assert widget.progress["state"] == "done"
    assert widget._status.run == 2
    assert time.monotonic() - began < first + 1.5
    go.set()
    assert wf.drain_events(5)


def test_an_observer_may_run_the_workflow_again_and_a_busy_bridge_holds_it_up_for_a_second() -> None:
    wf = LocalWorkflow(one().set_name("a"))
    widget = DAGWidget(wf)
    other = LocalWorkflow(one().set_name("b"))
    shown = DAGWidget(other)
    results: list[Any] = []

    def again(change: Any) -> None:
        if not results:
            results.append(other.run())

    widget.observe(again, "states")
    wf.run()
    assert results == [1]
    assert bridge.wait_idle()
    assert shown.states["b"] == "done"
    go = threading.Event()
    bridge.post(widget, lambda: go.wait(20))
    began = time.monotonic()
    assert wf.run() == 1
    assert time.monotonic() - began < 5
    go.set()


def test_a_subscription_may_say_how_to_wait_for_what_it_started() -> None:
    wf = LocalWorkflow(one())
    seen: list[Any] = []

    def settle(seconds: float) -> None:
        seen.append(0 < seconds <= 1)

    def watch(events: list[RunEvent]) -> None:
        seen.append("events")

    unsubscribe = wf.subscribe(watch, settle=settle)
    wf.run()
    assert seen[-2:] == ["events", True]
    unsubscribe()
    wf.run()
    assert seen.count(True) == 1
    wf.subscribe(watch, settle=lambda seconds: 1 / 0)
    assert wf.run() == 1
