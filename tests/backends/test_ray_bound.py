"""`max_pending_tasks` bounds the objects that live, too, whose actors are processes of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import LocalWorkflow, NodeExecutionError, NodeState, RayWorkflow, Run, workflow
from fuse_widgets.engine.nodes import MethodNode, ObjectNode
from tests.backends.waiting import gate, notices, until

pytestmark = pytest.mark.usefixtures("ray_cluster")


class Counter:
    def __init__(self, start: int = 0) -> None:
        if start < 0:
            raise ValueError("below zero")
        self.value = start

    def add(self, n: int) -> int:
        self.value += n
        return self.value

    def wait(self, folder: str) -> int:
        gate(folder, f"counter {self.value}")
        return self.value

    def die_once(self, folder: str) -> int:
        mark = Path(folder, "died")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.value


counter = workflow(Counter)


@workflow
def total(*values: int) -> int:
    return sum(values)


@workflow
def value(of: Counter) -> int:
    return of.value


def live(run: Run) -> Iterator[int]:
    """How many objects live after each event: from when a constructor was handed in until the last method is over."""
    left: dict[Any, set[str]] = {}
    for node in run.nodes:
        if isinstance(node, ObjectNode | MethodNode):
            left.setdefault(getattr(node, "object", node), set()).add(node.name)
    names = {node.name: (node, getattr(node, "object", node)) for node in run.nodes}
    now: set[Any] = set()
    for event in run.events:
        if event.node is None or names[event.node][1] not in left:
            continue
        node, obj = names[event.node]
        if node is obj and event.state is NodeState.QUEUED:
            now.add(obj)
        elif event.state.finished:
            left[obj].discard(node.name)
            if not left[obj]:
                now.discard(obj)
        yield len(now)


@pytest.mark.parametrize(("most", "lived"), [(1, 1), (2, 2), (0, 5)])
def test_no_more_objects_live_than_nodes_may_be_pending(most: int, lived: int, check_log: Any) -> None:
    counters = [counter(n) for n in range(5)]
    firsts = [one.add(1) for one in counters]
    before = [value(one) for one in counters]
    lasts = [one.add(total(first, first)) for one, first in zip(counters, firsts, strict=True)]
    outputs = [*lasts, total(*before), total(*lasts), *(value(one) for one in counters)]
    wf = RayWorkflow(*outputs)
    assert wf.run(max_pending_tasks=most) == LocalWorkflow(*outputs).run()
    assert max(live(wf.last_run)) == lived
    check_log(wf.last_run)


def test_objects_whose_methods_need_each_other_come_beyond_the_bound(check_log: Any) -> None:
    left, other, right = counter(1), counter(100), counter(10)
    first = left.add(right.add(1))
    outputs = [right.add(first), left.add(right.add(first)), other.add(1)]
    wf = RayWorkflow(*outputs)
    assert wf.run(max_pending_tasks=1) == LocalWorkflow(*outputs).run() == [23, 47, 101]
    assert max(live(wf.last_run)) == 2
    check_log(wf.last_run)


def test_an_object_that_is_lost_is_made_again_within_the_bound(tmp_path: Path, check_log: Any) -> None:
    counters = [counter(n) for n in range(3)]
    firsts = [one.add(1) for one in counters]
    lasts = []
    for number, one in enumerate(counters):
        (tmp_path / str(number)).mkdir()
        lasts.append(one.die_once(str(tmp_path / str(number))))
    wf = RayWorkflow(*firsts, *lasts, *(value(one) for one in counters))
    assert wf.run(max_pending_tasks=1) == [1, 2, 3] * 3
    assert sum("the object is made again" in text for text in notices(wf.last_run)) == 3
    assert max(live(wf.last_run)) == 1
    check_log(wf.last_run)


def test_an_object_that_fails_makes_room(check_log: Any) -> None:
    counters = [counter(start) for start in (-1, 1, -2, 2)]
    adds = [one.add(1) for one in counters]
    wf = RayWorkflow(*adds)
    with pytest.raises(NodeExecutionError, match="below zero"):
        wf.run(max_pending_tasks=1)
    assert [wf.last_run.states[add.name] for add in adds] == ["skipped", "done"] * 2
    assert max(live(wf.last_run)) == 1
    check_log(wf.last_run)


def test_a_step_is_not_spent_on_an_object_that_has_no_room(check_log: Any) -> None:
    counters = [counter(n).set_name(f"counter {n}") for n in range(3)]
    adds = [one.add(1).set_name(f"add {n}") for n, one in enumerate(counters)]
    run = RayWorkflow(*adds).start(paused=True, max_pending_tasks=1)
    for number in range(6):
        until(lambda: run.counts.get("paused"))
        run.step()
        until(lambda n=number: run.counts.get("done") == n + 1)
    assert run.wait(120) == [1, 2, 3]
    done = [event.node for event in run.events if event.node and event.state is NodeState.DONE]
    assert done == ["counter 0", "add 0", "counter 1", "add 1", "counter 2", "add 2"]
    check_log(run)


def test_what_a_pause_held_back_comes_with_its_actor_again(tmp_path: Path, check_log: Any) -> None:
    counters = [counter(n) for n in range(4)]
    waits = [one.wait(str(tmp_path)) for one in counters]
    lasts = [one.add(1) for one in counters]
    run = RayWorkflow(*waits, *lasts).start(max_pending_tasks=2)
    until(lambda: (tmp_path / "counter 0").exists())
    run.pause()
    (tmp_path / "go").touch()
    until(lambda: run.counts.get("paused"))
    run.resume()
    assert run.wait(120) == [0, 1, 2, 3, 1, 2, 3, 4]
    assert max(live(run)) <= 2
    check_log(run)


def test_objects_that_hold_all_cpus_at_once_leave_room_where_fewer_live() -> None:
    counters = [counter(n) for n in range(3)]
    lasts = [one.add(total(one.add(1), 1)) for one in counters]  # `total` needs one of the two CPUs
    for one in counters:
        one.backend_info["remote_args"] = {"num_cpus": 1}
    assert RayWorkflow(*lasts).run(max_pending_tasks=1) == [3, 5, 7]
