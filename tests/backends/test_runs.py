"""Runs of LocalWorkflow: results, failures, retries and legal logs, on random DAGs and on chosen ones."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets import FuseError, LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.engine.states import TRANSITIONS, NodeState

shapes = st.integers(1, 10).flatmap(
    lambda n: st.tuples(
        *(st.lists(st.integers(0, i - 1), max_size=3) if i else st.just([]) for i in range(n))
    )
)


class Trouble(Exception):
    pass


def evaluate(shape: Any, faults: dict[int, int], retries: dict[int, int]) -> tuple[dict[int, int], set[int]]:
    """Values and failed nodes, by the plainest way there is."""
    values: dict[int, int] = {}
    failed: set[int] = set()
    for i, parents in enumerate(shape):
        if all(p in values for p in parents):
            if faults.get(i, 0) > retries.get(i, 0):
                failed.add(i)
            else:
                values[i] = i + 7 * sum(values[p] for p in parents)
    return values, failed


@settings(max_examples=60)
@given(shapes, st.data(), st.sampled_from(["inline", "thread", "mixed"]), st.integers(1, 4))
def test_results_states_and_logs_are_those_of_a_plain_evaluation(
    check_log: Any, shape: Any, data: Any, executor: str, max_workers: int
) -> None:
    few = st.dictionaries(st.integers(0, len(shape) - 1), st.integers(1, 2), max_size=3)
    faults, retries = data.draw(few), data.draw(few)
    tries = [0] * len(shape)

    @workflow
    def combine(i: int, *inputs: int) -> int:
        tries[i] += 1
        if tries[i] <= faults.get(i, 0):
            raise Trouble(f"fault {tries[i]} of {i}")
        return i + 7 * sum(inputs)

    nodes: list[Any] = []
    for i, parents in enumerate(shape):
        nodes.append(combine(i, *[nodes[p] for p in parents]).set_name(f"n{i}"))
        if i in retries:
            nodes[i].backend_info["retries"] = retries[i]
        if executor == "mixed" and i % 2:
            nodes[i].backend_info["executor"] = "inline"
    wf = LocalWorkflow(
        *nodes,
        executor="thread" if executor == "mixed" else executor,  # type: ignore[arg-type]
        max_workers=1 if executor == "inline" else max_workers,
    )
    values, failed = evaluate(shape, faults, retries)
    if failed:
        with pytest.raises(NodeExecutionError) as caught:
            wf.run()
        error = caught.value
        assert {int(failure.node.name[1:]) for failure in error.failures} == failed
        assert error.failures[0] is error
        assert all(type(failure.__cause__) is Trouble for failure in error.failures)
    else:
        assert wf.run() == (list(values.values()) if len(shape) > 1 else values[0])
    run = wf.last_run
    check_log(run)
    assert run.results == {f"n{i}": value for i, value in values.items()}
    expected = {
        i: "done" if i in values else "failed" if i in failed else "skipped" for i in range(len(shape))
    }
    assert {name: str(state) for name, state in run.states.items()} == {
        f"n{i}": s for i, s in expected.items()
    }
    attempts = {row["node"]: row["attempt"] for row in run.report()}
    for i in values:
        assert attempts[f"n{i}"] == faults.get(i, 0) + 1 == tries[i]
    if executor == "inline":
        started = [e.node for e in run.events if e.node and e.state is NodeState.RUNNING and e.attempt == 1]
        assert started == sorted(started, key=lambda name: int(name[1:]))


def test_every_state_has_its_transitions_and_finished_ones_are_final_but_cached() -> None:
    assert set(TRANSITIONS) == set(NodeState)
    assert {state for state in NodeState if not TRANSITIONS[state]} == {
        state for state in NodeState if state.finished and state != "cached"
    }


@workflow
def plus(x: int = 0) -> int:
    return x + 1


@workflow
def divide(a: int, b: int) -> float:
    return a / b


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_failure_carries_cause_traceback_and_inputs_for_a_replay(executor: Any) -> None:
    bad = divide(plus(), b=0).set_name("bad")
    with pytest.raises(NodeExecutionError) as caught:
        LocalWorkflow(bad, executor=executor).run()
    error = caught.value
    assert str(error) == "node 'bad' failed with ZeroDivisionError: division by zero"
    assert error.node is bad
    assert error.inputs == ((1,), {"b": 0})
    assert type(error.__cause__) is ZeroDivisionError
    assert error.__cause__.__traceback__.tb_frame.f_code.co_name == "divide"
    with pytest.raises(ZeroDivisionError):
        error.replay()


def test_the_event_of_a_failure_tells_it_in_plain_data() -> None:
    wf = LocalWorkflow(divide(1, 0).set_name("bad"))
    with pytest.raises(NodeExecutionError):
        wf.run()
    (event,) = [e for e in wf.last_run.events if e.state is NodeState.FAILED and e.node]
    assert {key: event.detail["error"][key] for key in ("type", "message")} == {
        "type": "ZeroDivisionError",
        "message": "division by zero",
    }
    assert event.detail["error"]["traceback"].startswith("Traceback")
    assert wf.last_run.events[-1].detail["error"]["node"] == "bad"


def test_other_failures_are_counted_and_kept() -> None:
    wf = LocalWorkflow(*[divide(i, 0).set_name(f"bad{i}") for i in range(3)], plus())
    with pytest.raises(
        NodeExecutionError, match=r"'bad0' failed .* \(2 more nodes failed: see \.failures\)"
    ) as caught:
        wf.run()
    assert [failure.node.name for failure in caught.value.failures] == ["bad0", "bad1", "bad2"]


def test_branches_that_do_not_need_the_failed_node_go_on_unless_fail_fast(
    states: Any, check_log: Any
) -> None:
    bad = divide(1, 0).set_name("bad")
    lost = plus(bad).set_name("lost")
    fine = plus(plus(5).set_name("f1")).set_name("f2")
    wf = LocalWorkflow(lost, fine)
    with pytest.raises(NodeExecutionError):
        wf.run()
    assert states(wf.last_run) == {"bad": "failed", "lost": "skipped", "f1": "done", "f2": "done"}
    with pytest.raises(NodeExecutionError):
        wf.run(fail_fast=True)
    assert states(wf.last_run) == {"bad": "failed", "lost": "skipped", "f1": "pending", "f2": "pending"}
    check_log(wf.last_run)


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_what_ends_a_program_fails_the_node_and_not_the_run(executor: Any) -> None:
    def leave(how: type[BaseException]) -> None:
        raise how("bye")

    bad = [workflow(leave)(how).set_name(how.__name__) for how in (SystemExit, GeneratorExit)]
    wf = LocalWorkflow(*bad, plus().set_name("fine"), executor=executor)
    with pytest.raises(NodeExecutionError, match="node 'SystemExit' failed with SystemExit: bye"):
        wf.run()
    assert wf.last_run.results == {"fine": 1}


def test_a_keyboard_interrupt_that_a_thread_node_raises_is_a_failure(states: Any) -> None:
    def press() -> None:
        raise KeyboardInterrupt

    bad = workflow(press)().set_name("bad")
    wf = LocalWorkflow(plus(bad).set_name("after"), executor="thread")
    with pytest.raises(NodeExecutionError, match="node 'bad' failed with KeyboardInterrupt"):
        wf.run()
    assert states(wf.last_run) == {"bad": "failed", "after": "skipped"}


def test_an_exception_that_cannot_be_shown_is_no_obstacle() -> None:
    class Shy(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not telling")

    def hide() -> None:
        raise Shy

    with pytest.raises(NodeExecutionError, match=r"Shy: .its message cannot be shown: RuntimeError"):
        LocalWorkflow(workflow(hide)()).run()


def test_values_that_cannot_be_shown_or_compared_pass_through() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("not telling")

        __str__ = __repr__

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not comparing")

        __hash__ = None  # type: ignore[assignment]

        def __bool__(self) -> bool:
            raise RuntimeError("not saying")

    wf = LocalWorkflow(workflow(lambda shy: [shy])(workflow(lambda: Shy())()))
    assert type(wf.run()[0]) is Shy
    assert "2 of 2 done" in repr(wf)

    def break_on(shy: Any) -> None:
        raise ValueError("broken")

    with pytest.raises(NodeExecutionError, match="broken") as caught:
        LocalWorkflow(workflow(break_on)(workflow(lambda: Shy())())).run()
    assert type(caught.value.inputs[0][0]) is Shy


def test_a_large_result_is_handed_on_and_not_copied() -> None:
    def large() -> bytes:
        return bytes(200_000_000)

    made = workflow(large)()
    wf = LocalWorkflow(made, workflow(lambda data: data)(made))
    first, second = wf.run()
    assert first is second
    assert len(first) == 200_000_000


def test_a_result_inside_a_set_that_cannot_be_hashed_fails_its_node(states: Any, check_log: Any) -> None:
    made = workflow(lambda: [1])().set_name("made")
    wf = LocalWorkflow(workflow(lambda values: values)({made}).set_name("takes"))
    with pytest.raises(NodeExecutionError, match="node 'takes' failed with TypeError: unhashable") as caught:
        wf.run()
    assert states(wf.last_run) == {"made": "done", "takes": "failed"}
    check_log(wf.last_run)
    with pytest.raises(FuseError, match="failed before its function was called"):
        caught.value.replay()


def test_threads_run_at_one_time_up_to_max_workers() -> None:
    meeting = threading.Barrier(3, timeout=10)
    nodes = [workflow(lambda i: (meeting.wait(), i)[1])(i) for i in range(3)]
    wf = LocalWorkflow(*nodes, executor="thread", max_workers=3)
    assert wf.run() == [0, 1, 2]
    assert {row["worker"] for row in wf.last_run.report()} == {"thread 1", "thread 2", "thread 3"}
    alone: list[int] = []

    def one_at_a_time(i: int) -> int:
        alone.append(i)
        assert len(alone) == 1
        alone.pop()
        return i

    assert LocalWorkflow(*[workflow(one_at_a_time)(i) for i in range(20)], executor="thread").run() == list(
        range(20)
    )


def test_worker_threads_stay_from_run_to_run_and_end_with_close() -> None:
    wf = LocalWorkflow(workflow(threading.current_thread)(), executor="thread")
    thread = wf.run()
    assert wf.run() is thread
    assert thread.name == "fuse thread 1"
    wf.close()
    thread.join(5)
    assert not thread.is_alive()
    assert wf.run() is not thread


def test_worker_threads_end_when_the_workflow_is_gone() -> None:
    import gc

    wf = LocalWorkflow(workflow(threading.current_thread)(), executor="thread")
    thread = wf.run()
    wf.runs.clear()
    del wf
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_a_workflow_may_run_inside_a_node_of_another() -> None:
    inner = LocalWorkflow(plus(plus()))
    outer = LocalWorkflow(plus(workflow(inner.run)()))
    assert outer.run() == 3
    assert LocalWorkflow(plus(workflow(inner.run)()), executor="thread").run() == 3


def test_a_node_that_runs_its_own_workflow_fails_in_words() -> None:
    def again() -> Any:
        return wf.run()

    wf = LocalWorkflow(workflow(again)())
    with pytest.raises(NodeExecutionError, match="is under way"):
        wf.run()


def test_no_outputs_give_an_empty_list() -> None:
    wf = LocalWorkflow()
    assert wf.run() == []
    assert wf.last_run.state == "done"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "gpu"}, "executor must be 'inline', 'thread' or 'process', got 'gpu'"),
        ({"max_workers": 0}, "max_workers must be a positive integer, got 0"),
        ({"max_workers": True}, "got True"),
        ({"max_workers": 1.5}, "got 1.5"),
        (
            {"max_workers": 2, "executor": "inline"},
            "runs one node at a time, got max_workers=2: use executor='thread'",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LocalWorkflow(plus(), **options)


def test_several_workers_mean_threads_unless_an_executor_says_otherwise() -> None:
    meet = threading.Barrier(2)
    wf = LocalWorkflow(
        *[workflow(lambda i: meet.wait(10) is not None and i)(i) for i in (1, 2)], max_workers=2
    )
    assert wf.executor == "thread"
    assert wf.run() == [1, 2]
    wf.max_workers = 1
    assert wf.executor == "inline"
    with pytest.raises(ValueError, match="positive integer, got 0"):
        wf.max_workers = 0
    wf.executor = "inline"
    with pytest.raises(ValueError, match="runs one node at a time"):
        wf.max_workers = 2
    wf.executor = "process"
    wf.max_workers = 3
    assert (wf.executor, wf.max_workers) == ("process", 3)


def test_a_run_may_be_released_before_its_thread_has_ended(monkeypatch: Any) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    go = threading.Event()

    def fail() -> None:
        assert go.wait(10)
        raise ValueError("no luck")

    run = LocalWorkflow(workflow(fail)()).start()
    outcome = run._outcome

    def outcome_and_release() -> Any:
        try:
            return outcome()
        finally:
            run.release()  # as where the next run begins meanwhile

    monkeypatch.setattr(run, "_outcome", outcome_and_release)
    go.set()
    assert run._over.wait(10)
    for thread in threading.enumerate():
        if thread.name.startswith("fuse run"):
            thread.join(10)
    assert raised == []


def test_a_mistyped_argument_is_no_run() -> None:
    wf = LocalWorkflow(plus())
    wf.run()
    run = wf.last_run
    for call in (wf.run, wf.start):
        with pytest.raises(TypeError, match="fail_fats"):
            call(fail_fats=True)
    assert wf.last_run is run
