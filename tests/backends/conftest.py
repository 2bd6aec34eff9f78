"""What the tests of backends share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import BaseWorkflow, LocalWorkflow, Run
from fuse_widgets.engine.states import TRANSITIONS, NodeState


def check_log(run: Run) -> None:
    """The log is legal, its fold is `run.states`, and the run's own events frame it."""
    states = dict.fromkeys(run.states, NodeState.PENDING)
    for place, event in enumerate(run.events):
        assert event.seq == place
        if event.node is not None:
            before = states[event.node]
            assert event.state in TRANSITIONS[before], (event.node, before, event.state)
            states[event.node] = event.state
    assert states == run.states
    assert [run.events[0].node, run.events[-1].node] == [None, None]
    assert run.events[-1].state is run.state


@pytest.fixture(name="check_log", scope="session")
def _check_log() -> Callable[[Run], None]:
    return check_log


@pytest.fixture(scope="session")
def states() -> Callable[[Any], dict[str, str]]:
    """States of a run as plain texts."""
    return lambda run: {name: str(state) for name, state in run.states.items()}


@pytest.fixture(scope="package")
def processes() -> Iterator[Callable[..., LocalWorkflow]]:
    """Makes workflows of the process executor that share their worker processes, which take a while to start."""
    from fuse_widgets.backends._executors import ProcessWorkers

    shared = ProcessWorkers()

    def make(*nodes: Any, **options: Any) -> LocalWorkflow:
        wf = LocalWorkflow(*nodes, **{"executor": "process", **options})
        wf.processes = shared
        return wf

    yield make
    shared.close()


@pytest.fixture(params=["inline", "thread", "process", "ray"])
def make(request: pytest.FixtureRequest) -> Callable[..., BaseWorkflow]:
    """Makes workflows: on each executor of this machine, and on Ray."""
    if request.param == "process":
        return request.getfixturevalue("processes")
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
        from fuse_widgets import RayWorkflow

        return RayWorkflow
    executor = request.param

    def make(*nodes: Any, **options: Any) -> LocalWorkflow:
        return LocalWorkflow(*nodes, executor=executor, **options)

    return make


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Any]:
    from .project import Project

    before = set(sys.modules)
    sys.path.insert(0, str(tmp_path))
    yield Project(tmp_path)
    sys.path.remove(str(tmp_path))
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) is None or str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]
