"""Backends written from the seed's text alone: run() over graph_traversal(), and nothing about events."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fuse_widgets import (
    BaseWorkflow,
    FuseError,
    NodeExecutionError,
    NodeState,
    RunCancelledError,
    RunEvent,
    workflow,
)


class CallsExec(BaseWorkflow):
    def run(self):
        results = {}
        for name, node in self.graph_traversal():
            args = [results[a.name] if a in node.parents else a for a in node.args]
            results[name] = node.exec(args, node.kwargs)
        return results


class CallsFunc(BaseWorkflow):
    def run(self):
        results = {}
        for name, node in self.graph_traversal():
            args = [results[a.name] if a in node.parents else a for a in node.args]
            results[name] = node.func(*args, **node.kwargs)
        return results


class CallsInThreads(BaseWorkflow):
    def run(self):
        with ThreadPoolExecutor(3) as pool:
            futures = {}
            for name, node in self.graph_traversal():
                args = [futures[a.name].result() if a in node.parents else a for a in node.args]
                futures[name] = pool.submit(node.func, *args)
            return {name: future.result() for name, future in futures.items()}


@workflow
def plus(x: int = 0) -> int:
    print("plus", x)
    return x + 1


@workflow
def fail(x: int) -> int:
    raise ValueError(f"no {x}")


SEED = [CallsExec, CallsFunc]


def states(run: Any) -> dict[str, str]:
    return {name: str(state) for name, state in run.states.items()}


@pytest.mark.parametrize("backend", [*SEED, CallsInThreads])
def test_states_stream_while_it_runs(backend: Any) -> None:
    a = plus().set_name("a")
    b = plus(a).set_name("b")
    wf = backend(b)
    seen: list[RunEvent] = []
    wf.subscribe(seen.extend)
    assert wf.run() == {"a": 1, "b": 2}
    assert [(e.node, str(e.state)) for e in seen] == [
        (None, "running"),
        ("a", "running"),
        ("a", "done"),
        ("b", "running"),
        ("b", "done"),
        (None, "done"),
    ]
    assert wf.last_run.outputs["b"].text == "plus 1\n"
    assert wf.last_run.results == {"a": 1, "b": 2}


@pytest.mark.parametrize("backend", SEED)
def test_a_failure_is_named_and_its_descendants_are_skipped(backend: Any) -> None:
    a = plus().set_name("a")
    bad = fail(a).set_name("bad")
    plus(plus(bad).set_name("c")).set_name("d")
    wf = backend(a)
    with pytest.raises(NodeExecutionError, match="node 'bad' failed with ValueError: no 1") as caught:
        wf.run()
    assert type(caught.value.__cause__) is ValueError
    assert states(wf.last_run) == {"a": "done", "bad": "failed", "c": "skipped", "d": "skipped"}
    details = {e.node: e.detail for e in wf.last_run.events if e.state is NodeState.SKIPPED}
    assert details == {"c": {"root": "bad"}, "d": {"root": "bad"}}
    assert wf.last_run.state is NodeState.FAILED


@pytest.mark.parametrize("backend", SEED)
def test_it_can_be_paused_stepped_and_cancelled(backend: Any) -> None:
    begun = [threading.Event() for _ in range(3)]
    wf = backend(*[workflow(begun[i].set)().set_name(f"n{i}") for i in range(3)])
    run = wf.start(paused=True)
    assert run.state in ("pending", "paused")
    run.step()
    assert begun[0].wait(5)
    assert not begun[1].is_set()
    run.step()
    assert begun[1].wait(5)
    run.cancel()
    with pytest.raises(RunCancelledError, match="was cancelled"):
        run.wait(5)
    assert states(run) == {"n0": "done", "n1": "done", "n2": "pending"}
    assert run.state is NodeState.CANCELLED


@pytest.mark.parametrize("backend", SEED)
def test_it_goes_on_after_a_pause(backend: Any) -> None:
    wf = backend(plus(plus()))
    run = wf.start(paused=True)
    run.resume()
    assert sorted(run.wait(5).values()) == [1, 2]


def test_nodes_made_and_renamed_during_a_run_are_not_part_of_it() -> None:
    class Growing(BaseWorkflow):
        def run(self):
            plus(self.roots[0]).set_name("new")
            return [name for name, node in self.graph_traversal() if node.exec()]

    a = plus().set_name("a")
    wf = Growing(a)
    assert wf.run() == ["a"]
    assert states(wf.last_run) == {"a": "done"}
    assert [name for name, _ in wf.graph_traversal()] == ["a", "new"]


def test_an_error_of_the_backend_itself_is_raised_as_it_is() -> None:
    class Broken(BaseWorkflow):
        def run(self):
            raise OSError("the cluster is gone")

    wf = Broken(plus())
    with pytest.raises(OSError, match="the cluster is gone"):
        wf.run()
    assert wf.last_run.state is NodeState.FAILED
    assert wf.active_run is None


def test_a_backend_without_run_says_so() -> None:
    with pytest.raises(NotImplementedError, match="BaseWorkflow does not define run"):
        BaseWorkflow(plus()).run()


def test_a_run_that_comes_from_a_mixin_is_a_run() -> None:
    class Mixin:
        def run(self):
            return {name: node.exec() for name, node in self.graph_traversal()}

    class Mixed(Mixin, BaseWorkflow):
        pass

    class Same(Mixed):
        pass

    for backend in (Mixed, Same):
        wf = backend(plus().set_name("a"))
        assert wf.run() == {"a": 1}
        assert states(wf.last_run) == {"a": "done"}
    assert Same.run is Mixed.run


@pytest.mark.parametrize("backend", SEED)
def test_a_failure_keeps_its_inputs(backend: Any) -> None:
    wf = backend(fail(plus()))
    with pytest.raises(NodeExecutionError) as caught:
        wf.run()
    assert caught.value.inputs == ((1,), {})
    with pytest.raises(ValueError, match="no 1"):
        caught.value.replay()


def test_a_backend_may_call_the_run_of_another() -> None:
    class Louder(CallsExec):
        def run(self):
            return {name: -value for name, value in super().run().items()}

    wf = Louder(plus().set_name("a"))
    assert wf.run() == {"a": -1}
    assert len(wf.runs) == 1


def test_nodes_called_outside_of_a_run_report_to_nobody() -> None:
    node = plus(1)
    wf = CallsExec(node)
    assert node.exec([1]) == 2
    assert node.func(1) == 2
    assert wf.runs == []


def test_attempts_are_counted_where_a_backend_tries_again() -> None:
    class Stubborn(BaseWorkflow):
        def run(self):
            for _, node in self.graph_traversal():
                try:
                    node.exec()
                except ValueError:
                    node.exec()

    tries: list[int] = []

    @workflow
    def second_time() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    wf = Stubborn(second_time().set_name("n"))
    wf.run()
    assert [(e.attempt, str(e.state)) for e in wf.last_run.events if e.node] == [
        (1, "running"),
        (1, "failed"),
        (2, "running"),
        (2, "done"),
    ]
    assert wf.last_run.state is NodeState.DONE


def test_a_second_run_while_one_is_under_way_is_refused_with_the_way_out() -> None:
    go = threading.Event()
    wf = CallsExec(workflow(go.wait)(10))
    run = wf.start()
    try:
        with pytest.raises(
            FuseError, match=r"under way: wait for it, or cancel it with workflow.active_run.cancel\(\)"
        ):
            wf.start()
        with pytest.raises(FuseError, match="under way"):
            wf.run()
        with pytest.raises(TimeoutError, match=r"still under way after 0\.001 s"):
            run.wait(0.001)
        assert wf.active_run is run
    finally:
        go.set()
    run.wait(5)
    assert wf.active_run is None
