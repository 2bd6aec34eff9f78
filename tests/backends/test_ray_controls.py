"""What the controls of a run ask of the scheduler on Ray, without Ray."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray")

from fuse_widgets import LocalWorkflow, workflow
from fuse_widgets.backends._ray.controls import Controls
from fuse_widgets.backends._ray.frontier import Frontier
from fuse_widgets.engine.order import Order


class FakeRun:
    """The part of a run that the controls use."""

    def __init__(self, order: Order) -> None:
        self.order, self.nodes = order, order.nodes
        self.paused, self.cancelled, self.steps = False, 0, 0
        self.told: list[tuple[str, str]] = []

    def emit(self, node: Any, state: Any, *, attempt: int) -> None:
        self.told.append((node.name, str(state)))

    def take_turn(self) -> bool:
        self.steps -= 1
        return self.steps >= 0


@workflow
def nothing() -> None: ...


@pytest.fixture
def run() -> FakeRun:
    nodes = [nothing() for _ in range(3)]
    for node, name in zip(nodes, "abc", strict=True):
        node.set_name(name)
    return FakeRun(LocalWorkflow(*nodes)._order())


@pytest.fixture
def controls(run: FakeRun) -> Controls:
    frontier = Frontier(run.order)
    frontier.restart(())
    asked: list[str] = []
    recall = SimpleNamespace(
        what_waits=lambda: asked.append("waits"), what_runs=lambda: asked.append("runs"), asked=asked
    )
    channel = SimpleNamespace(held=0)
    channel.hold_back = lambda *, wait: setattr(channel, "held", channel.held + 1)
    submitter = SimpleNamespace(may_call=lambda place: True)
    return Controls(run, channel, frontier, recall, set(), [], submitter, fail_fast=False)  # type: ignore[arg-type]


def test_while_paused_the_next_node_is_shown_and_a_step_takes_it(run: FakeRun, controls: Controls) -> None:
    run.paused = True
    assert controls.next() is None
    assert controls.next() is None
    run.steps = 1
    assert controls.next() == 0
    assert controls.next() is None
    assert run.told == [("a", "paused"), ("b", "paused")]


def test_a_step_is_kept_while_an_object_is_busy_with_an_earlier_call(
    run: FakeRun, controls: Controls
) -> None:
    controls.submitter.may_call = lambda place: False  # type: ignore[method-assign]
    run.paused, run.steps = True, 1
    assert controls.next() is None
    assert run.steps == 1
    assert run.told == []
    controls.submitter.may_call = lambda place: True  # type: ignore[method-assign]
    assert controls.next() == 0


def test_after_a_pause_what_was_shown_is_queued_once(run: FakeRun, controls: Controls) -> None:
    run.paused = True
    controls.next()
    run.paused = False
    controls.look()
    controls.look()
    assert run.told == [("a", "paused"), ("a", "queued")]
    assert [controls.next() for _ in range(4)] == [0, 1, 2, None]


def test_what_was_taken_just_after_a_pause_is_not_queued_a_second_time(
    run: FakeRun, controls: Controls
) -> None:
    run.paused = True
    controls.next()
    run.paused = False
    assert controls.next() == 0  # before the next look
    controls.look()
    assert run.told == [("a", "paused")]


def test_workers_are_told_to_hold_back_once_for_a_pause_and_once_for_the_end(
    run: FakeRun, controls: Controls
) -> None:
    held = []
    for run.paused, run.cancelled in ((False, 0), (True, 0), (True, 0), (True, 1), (True, 2), (False, 2)):
        controls.look()
        held.append(controls.channel.held)  # type: ignore[attr-defined]
    assert held == [0, 1, 1, 2, 2, 2]
    assert controls.recall.asked == ["waits", "waits", "runs", "waits", "runs"]  # type: ignore[attr-defined]
