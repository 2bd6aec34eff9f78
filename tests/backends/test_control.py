"""Cancel, Ctrl-C, pause, resume and step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets import FuseError, LocalWorkflow, NodeExecutionError, NodeState, RunCancelledError, workflow


@workflow
def plus(x: int = 0) -> int:
    return x + 1


class Gate:
    """A function for a node that says when it has begun, and waits until it may end."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, *_: Any) -> str:
        self.begun.set()
        assert self.go.wait(20)
        return "through"


def busy(begun: threading.Event) -> None:
    """Runs until it is interrupted, in bytecode of its own."""
    begun.set()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_cancelled_once_the_running_node_may_finish_and_the_rest_stays_pending(
    executor: Any, states: Any, check_log: Any
) -> None:
    gate = Gate()
    first = workflow(gate)().set_name("first")
    wf = LocalWorkflow(
        plus(workflow(lambda _: 1)(first).set_name("second")).set_name("third"), executor=executor
    )
    run = wf.start()
    assert gate.begun.wait(5)
    run.cancel()
    gate.go.set()
    with pytest.raises(RunCancelledError, match="was cancelled"):
        run.wait(5)
    assert states(run) == {"first": "done", "second": "pending", "third": "pending"}
    assert run.state is NodeState.CANCELLED
    details = [event.detail for event in run.events if event.node is None]
    notice = "Stopping: waiting for 'first'. Press Interrupt to interrupt it."
    assert {"stopping": 1, "notice": notice} in details
    check_log(run)
    gate.go.set()
    assert wf.run() == 2  # and it can be run again


def test_cancelled_twice_an_inline_node_in_a_background_thread_is_interrupted(
    states: Any, check_log: Any
) -> None:
    begun = threading.Event()
    node = workflow(busy)(begun).set_name("busy")
    wf = LocalWorkflow(workflow(lambda _: 1)(node).set_name("after"))
    run = wf.start()
    assert begun.wait(5)
    run.cancel()
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(10)
    assert states(run) == {"busy": "cancelled", "after": "pending"}
    check_log(run)


def test_cancelled_twice_an_inline_node_in_the_main_thread_is_interrupted_out_of_a_sleep(states: Any) -> None:
    begun = threading.Event()

    def sleep() -> None:
        begun.set()
        time.sleep(20)

    wf = LocalWorkflow(workflow(sleep)().set_name("sleep"), plus().set_name("other"))

    def stop() -> None:
        assert begun.wait(5)
        wf.active_run.cancel()
        wf.active_run.cancel()

    stopper = threading.Thread(target=stop)
    stopper.start()
    handler = signal.getsignal(signal.SIGINT)
    began = time.monotonic()
    with pytest.raises(RunCancelledError):
        wf.run()
    stopper.join()
    assert time.monotonic() - began < 10
    assert states(wf.last_run) == {"sleep": "cancelled", "other": "pending"}
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_node_that_swallows_the_interrupt_is_interrupted_when_asked_again() -> None:
    begun, caught = threading.Event(), threading.Event()

    def stubborn() -> None:
        try:
            busy(begun)
        except KeyboardInterrupt:
            caught.set()
        busy(begun)

    wf = LocalWorkflow(workflow(stubborn)())
    run = wf.start()
    assert begun.wait(5)
    run.cancel()
    run.cancel()
    assert caught.wait(5)
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(5)


def test_interrupts_hit_nodes_and_never_the_scheduler() -> None:
    """A second cancel at any moment of a run of short nodes leaves a run that ended in order."""
    for delay in range(40):
        wf = LocalWorkflow(*[plus(i).set_name(f"n{i}") for i in range(400)])
        run = wf.start()
        wait_until(lambda run=run, delay=delay: len(run.events) > delay * 10)
        run.cancel()
        run.cancel()
        with (
            pytest.raises((RunCancelledError, KeyboardInterrupt))
            if run._over.wait(5) and run.error
            else _nothing()
        ):
            run.wait(5)
        assert isinstance(run.error, RunCancelledError | None), run.error
        assert set(run.counts) <= {NodeState.DONE, NodeState.CANCELLED, NodeState.PENDING}


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()


def test_cancelling_an_ended_run_changes_nothing() -> None:
    wf = LocalWorkflow(plus())
    wf.run()
    run = wf.last_run
    count = len(run.events)
    for control in (run.cancel, run.pause, run.resume, run.step):
        control()
    assert (len(run.events), str(run.state), run.wait()) == (count, "done", 1)


def test_start_gives_the_result_or_the_error_to_who_waits() -> None:
    assert LocalWorkflow(plus(1)).start().wait(5) == 2
    run = LocalWorkflow(workflow(lambda: 1 / 0)()).start()
    with pytest.raises(NodeExecutionError, match="division by zero"):
        run.wait(5)
    with pytest.raises(NodeExecutionError):
        run.wait()
    with pytest.raises(TypeError, match="fail_slow"):
        LocalWorkflow(plus()).start(fail_slow=True).wait(5)


def test_a_second_start_is_refused_while_the_first_is_under_way() -> None:
    gate = Gate()
    wf = LocalWorkflow(workflow(gate)())
    run = wf.start()
    with pytest.raises(FuseError, match="under way"):
        wf.start()
    gate.go.set()
    assert run.wait(5) == "through"
    assert wf.start().wait(5) == "through"


# --- pause ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_step_starts_one_node_and_pauses_after_it(executor: Any, check_log: Any) -> None:
    node = plus().set_name("n0")
    for i in range(1, 4):
        node = plus(node).set_name(f"n{i}")
    wf = LocalWorkflow(node, executor=executor)
    run = wf.start(paused=True)
    wait_until(lambda: run.states["n0"] == "paused")
    assert run.counts == {"paused": 1, "pending": 3}
    for done in (1, 2):
        run.step()
        wait_until(lambda done=done: run.states[f"n{done}"] == "paused")
        assert run.counts == {"done": done, "paused": 1, "pending": 3 - done}
    run.resume()
    assert run.wait(5) == 4
    assert [str(e.state) for e in run.events if e.node is None] == ["paused", "running", "done"]
    check_log(run)


def test_a_paused_run_lets_running_nodes_finish_and_can_be_cancelled(states: Any, check_log: Any) -> None:
    gate = Gate()
    first = workflow(gate)().set_name("first")
    run = LocalWorkflow(workflow(lambda _: 1)(first).set_name("second"), executor="thread").start()
    assert gate.begun.wait(5)
    run.pause()
    gate.go.set()
    wait_until(lambda: run.states["second"] == "paused")
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(5)
    assert states(run) == {"first": "done", "second": "pending"}
    check_log(run)


@pytest.mark.parametrize("between", ["pause", "resume"])
def test_steps_that_were_not_taken_are_forgotten(between: str) -> None:
    gate = Gate()
    wf = LocalWorkflow(workflow(gate)().set_name("gate"), plus().set_name("a"), plus().set_name("b"))
    run = wf.start()
    assert gate.begun.wait(5)
    run.step()
    run.step()
    getattr(run, between)()
    run.pause()
    gate.go.set()
    wait_until(lambda: run.states["a"] == "paused")
    assert run.counts == {"done": 1, "paused": 1, "pending": 1}
    run.resume()
    assert run.wait(5) == ["through", 1, 1]


def test_a_cancelled_run_can_no_longer_be_paused() -> None:
    gate = Gate()
    run = LocalWorkflow(workflow(gate)()).start()
    assert gate.begun.wait(5)
    run.cancel()
    for control in (run.pause, run.resume, run.step):
        control()
    assert (run.state, run.paused) == (NodeState.RUNNING, False)
    gate.go.set()
    with pytest.raises(RunCancelledError):
        run.wait(5)
    assert "paused" not in [event.state for event in run.events]


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(["pause", "resume", "step"]), max_size=8), st.sampled_from(["inline", "thread"])
)
def test_controls_in_any_order_lose_no_node(check_log: Any, controls: list[str], executor: Any) -> None:
    nodes = [plus(i) for i in range(6)]
    workers = 1 if executor == "inline" else 2
    run = LocalWorkflow(*nodes, executor=executor, max_workers=workers).start(paused=True)
    for control in controls:
        getattr(run, control)()
    run.resume()
    assert run.wait(5) == [1, 2, 3, 4, 5, 6]
    check_log(run)


# --- Ctrl-C --------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, threading, time
from fuse_widgets import LocalWorkflow, workflow

def slow():
    print("begun", flush=True)
    time.sleep(30)

def stubborn():
    end = time.monotonic() + 30
    print("begun", flush=True)
    while time.monotonic() < end:
        time.sleep(0.01)

if __name__ == "__main__":
    executor, name, presses = sys.argv[1:]
    first = workflow(globals()[name])().set_name("first")
    wf = LocalWorkflow(workflow(lambda x: x)(first).set_name("second"), executor=executor)
    # Output of a process comes with its end: what tells that the node runs is its event.
    wf.subscribe(lambda events: [print("running", flush=True) for e in events if e.node and e.state == "running"])
    try:
        wf.run()
    except KeyboardInterrupt:
        run = wf.last_run
        print("interrupted", *run.states.values(), flush=True)
        print("again", wf.active_run, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("executor", "name", "presses", "expected"),
    [
        ("inline", "slow", 1, "cancelled pending"),
        ("process", "slow", 1, "cancelled pending"),
        ("thread", "stubborn", 1, "cancelled pending"),
    ],
)
def test_ctrl_c_ends_a_run_of_a_program(
    executor: str, name: str, presses: int, expected: str, tmp_path: Any
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, "-u", program, executor, name, str(presses)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = iter(process.stdout.readline, "")
    assert any("running" in line for line in lines)
    if executor == "inline":
        pass
    for press in range(presses):
        # As a terminal does: everybody in the group gets it.
        os.killpg(process.pid, signal.SIGINT)
        if press + 1 < presses:
            time.sleep(0.3)
    out, err = process.communicate(timeout=20)
    assert f"interrupted {expected}" in out
    assert "again None" in out
    assert (process.returncode, err) == (0, "")


def test_an_interrupt_leaves_an_interpreter_that_can_be_traced(root: Any) -> None:
    """A debugger traces lines. CPython 3.11 gets stuck in one where it looks for an interrupt that never comes."""
    program = """
import threading
from fuse_widgets import LocalWorkflow, RunCancelledError, workflow
begun = threading.Event()

@workflow
def busy():
    begun.set()
    try:
        while True:
            pass
    except KeyboardInterrupt:
        pass

run = LocalWorkflow(busy()).start()
begun.wait()
run.cancel()
run.cancel()
try:
    run.wait(20)
except RunCancelledError:
    pass
from tests.lines import lines_run
print(lines_run(lambda: [n for n in range(1000)]) > 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=root, check=False
    )
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_subscriber_hears_at_once_which_node_a_pause_holds_back(executor: Any) -> None:
    wf = LocalWorkflow(*[workflow(lambda: 1)().set_name(name) for name in "ab"], executor=executor)
    heard = threading.Semaphore(0)
    wf.subscribe(
        lambda events: [heard.release() for event in events if event.node and event.state == "paused"]
    )
    run = wf.start(paused=True)
    for _ in range(2):
        assert heard.acquire(timeout=10)
        assert wf.drain_events(10)
        run.step()
    assert run.wait(10) == [1, 1]
