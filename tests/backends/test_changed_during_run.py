"""`backend_info` that is changed while a run is under way counts for the nodes that have not begun."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import BackendInfoError, FileStorage, LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.engine.nodes import Node


def held() -> tuple[Node, Callable[[Callable[[], object], LocalWorkflow], Any]]:
    """A node, and a function that starts a run, acts while that node runs, and waits for the end."""
    begun, go = threading.Event(), threading.Event()

    def hold() -> int:
        begun.set()
        assert go.wait(20)
        return 1

    def during(act: Callable[[], object], wf: LocalWorkflow) -> Any:
        run = wf.start()
        assert begun.wait(10)
        act()
        go.set()
        return run.wait(10)

    return workflow(hold)().set_name("hold"), during


def lucky_at(attempt: int) -> Callable[..., int]:
    """A function that raises until it was called so often."""
    calls: list[int] = []

    def lucky(*_: Any) -> int:
        calls.append(1)
        if len(calls) < attempt:
            raise ValueError("no luck")
        return len(calls)

    return lucky


@pytest.mark.parametrize("executor", ["inline", "thread"])
@pytest.mark.parametrize("info", [{}, {"retries": 0}])
def test_what_is_set_counts_for_a_node_that_has_not_begun(executor: Any, info: dict[str, Any]) -> None:
    first, during = held()
    node = workflow(lucky_at(3))(first)
    node.backend_info.update(info)
    wf = LocalWorkflow(node, executor=executor)
    assert during(lambda: wf.query().set_backend_info("retries", 2), wf) == 3


def test_what_is_taken_away_no_longer_counts() -> None:
    first, during = held()
    node = workflow(lucky_at(3))(first)
    node.backend_info["retries"] = 2
    with pytest.raises(NodeExecutionError, match="no luck"):
        during(node.backend_info.clear, LocalWorkflow(node))


def test_a_node_that_runs_keeps_what_it_began_with() -> None:
    begun, go = threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        assert go.wait(20)
        raise ValueError("no luck")

    node = workflow(fail)()
    run = LocalWorkflow(node).start()
    assert begun.wait(10)
    node.backend_info["retries"] = 5
    go.set()
    with pytest.raises(NodeExecutionError):
        run.wait(10)
    assert run.report()[0]["attempt"] == 1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("retries", -1, "has to be 0 or more"), ("timeout", 5, "only a process can be stopped")],
)
def test_a_wrong_value_fails_the_node_and_not_the_others(
    key: str, value: Any, words: str, states: Any
) -> None:
    first, during = held()
    wrong = workflow(lambda _: 1)(first).set_name("wrong")
    wrong.backend_info["retries"] = 3
    right = workflow(lambda _: 2)(first).set_name("right")
    wf = LocalWorkflow(wrong, right)
    with pytest.raises(NodeExecutionError, match=words) as caught:
        during(lambda: wrong.backend_info.update({key: value}), wf)
    assert isinstance(caught.value.__cause__, BackendInfoError)
    assert states(wf.last_run) == {"hold": "done", "wrong": "failed", "right": "done"}
    assert wf.last_run is not None
    assert [row["attempt"] for row in wf.last_run.report() if row["node"] == "wrong"] == [1]


class Loud:
    """A plugin as the seed has them."""

    def local_initialize(self) -> None: ...

    def remote_initialize(self) -> None: ...


def test_with_storage_the_plugin_is_the_one_that_the_fingerprint_was_made_with(tmp_path: Path) -> None:
    heard: list[str] = []

    class Heard(Loud):
        def local_initialize(self) -> None:
            heard.append("new")

    first, during = held()
    node = workflow(lambda _: 1)(first).set_name("node")
    wf = LocalWorkflow(node)
    wf.set_storage(FileStorage(tmp_path))
    during(lambda: wf.set_plugin("node", Heard()), wf)
    assert heard == []
    wf.run()
    assert heard == ["new"]
