"""What the events of a run on Ray are made of, without Ray."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray")

from fuse_widgets import LocalWorkflow, NodeState, Run, workflow
from fuse_widgets.backends._ray.events import Teller
from fuse_widgets.backends._ray.live import Live, Who
from fuse_widgets.backends._ray.task import Report
from tests.backends.conftest import check_log
from tests.backends.waiting import notices

WHO = Who("vm", 7, "there")


@pytest.fixture
def run() -> Run:
    wf = LocalWorkflow(workflow(lambda: None)().set_name("n"))
    run = Run(wf, 1, wf._order())
    run.emit(None, NodeState.RUNNING)
    return run


@pytest.fixture
def teller(run: Run) -> Teller:
    stored = SimpleNamespace(saves=lambda node: None, why=lambda node: {}, gone=None)
    teller = Teller(run, stored)  # type: ignore[arg-type]
    teller.queued(0, run.nodes[0], None)
    return teller


def running(attempt: int) -> Live:
    return Live(0, 1, attempt, "running", WHO, 0.0, "")


def end(run: Run, teller: Teller, attempt: int = 1) -> dict[int, Any]:
    teller.done(0, run.nodes[0], Report("done", attempt, WHO, began=1.0, seconds=0.1))
    return {0: NodeState.DONE}


def test_that_a_node_ran_heard_after_its_end_is_no_second_run(run: Run, teller: Teller) -> None:
    over = end(run, teller)
    before = len(run.events)
    teller.live(running(1), {}, over)
    assert len(run.events) == before


def test_a_node_that_ray_runs_again_for_its_result_is_told_once(run: Run, teller: Teller) -> None:
    over = end(run, teller, attempt=2)
    for attempt in (1, 2, 3, 3, 4):
        teller.live(running(attempt), {}, over)
    assert notices(run) == ["node 'n' runs again: its result was lost with its machine"] * 2
    run.emit(None, NodeState.DONE)
    check_log(run)
