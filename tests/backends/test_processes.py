"""The process executor: results, crashes, timeouts, what cannot be pickled, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from typing import Any

import numpy as np
import pytest

from fuse_widgets import (
    LocalWorkflow,
    NodeExecutionError,
    NodeTimeoutError,
    RunCancelledError,
    WorkerCrashedError,
    workflow,
)
from fuse_widgets.engine.run import Run
from fuse_widgets.view.state import StatusColumns


@pytest.fixture
def local() -> Any:
    """Functions that are pickled by value, so that a worker needs none of the tests' modules."""

    class Functions:
        @workflow
        def pid(*_: Any) -> int:
            return os.getpid()

        @workflow
        def plus(x: int = 0) -> int:
            return x + 1

        @workflow
        def leave() -> None:
            os._exit(3)

        @workflow
        def kill() -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        @workflow
        def sleep(seconds: float) -> None:
            time.sleep(seconds)

    return Functions


def test_nodes_run_in_another_process_and_give_their_results(
    processes: Any, local: Any, check_log: Any
) -> None:
    wf = processes(local.plus(local.plus(1)), local.pid())
    value, pid = wf.run()
    assert value == 3
    assert pid != os.getpid()
    assert {row["worker"] for row in wf.last_run.report()} == {"process 1"}
    assert wf.run() == [3, pid]
    check_log(wf.last_run)


def test_arrays_come_back_whole(processes: Any) -> None:
    array = workflow(lambda n: np.arange(n, dtype="f4"))(1_000_000)
    total = workflow(lambda a: float(a[-1]))(array)
    result, last = processes(array, total).run()
    assert (result.shape, result.dtype, last) == ((1_000_000,), np.float32, 999_999.0)


def test_a_node_chooses_another_executor(processes: Any, local: Any) -> None:
    inline, thread = local.pid(), local.pid()
    inline.backend_info["executor"] = "inline"
    thread.backend_info["executor"] = "thread"
    wf = processes(inline, thread, local.pid(inline, thread))
    here, also_here, elsewhere = wf.run()
    assert here == also_here == os.getpid() != elsewhere


@pytest.mark.parametrize("how", ["leave", "kill"])
def test_a_crashed_worker_fails_its_node_and_the_next_gets_a_new_process(
    processes: Any, local: Any, states: Any, check_log: Any, how: str
) -> None:
    before = local.pid().set_name("before")
    crash = getattr(local, how)().set_name("crash")
    lost = local.plus(crash).set_name("lost")
    after = local.pid().set_name("after")
    wf = processes(before, crash, lost, after)
    with pytest.raises(
        NodeExecutionError, match="node 'crash' failed with WorkerCrashedError: process 1 died"
    ) as caught:
        wf.run()
    assert type(caught.value.__cause__) is WorkerCrashedError
    assert states(wf.last_run) == {"before": "done", "crash": "failed", "lost": "skipped", "after": "done"}
    assert wf.last_run.results["before"] != wf.last_run.results["after"]
    check_log(wf.last_run)


def test_a_crash_can_be_tried_again(processes: Any, tmp_path: Any) -> None:
    mark = str(tmp_path / "mark")

    def crash_once() -> str:
        if not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(1)
        return "second time"

    node = workflow(crash_once)()
    node.backend_info["retries"] = 1
    wf = processes(node)
    assert wf.run() == "second time"
    assert wf.last_run.report()[0]["attempt"] == 2


def test_a_timeout_kills_the_process_and_names_the_time(processes: Any, local: Any, states: Any) -> None:
    slow = local.sleep(30).set_name("slow")
    slow.backend_info["timeout"] = 0.2
    quick = local.plus().set_name("quick")
    quick.backend_info["timeout"] = 60
    wf = processes(slow, quick)
    began = time.monotonic()
    with pytest.raises(
        NodeExecutionError, match=r"'slow' failed with NodeTimeoutError: .* its timeout of 0\.2 s"
    ) as caught:
        wf.run()
    assert time.monotonic() - began < 15
    assert type(caught.value.__cause__) is NodeTimeoutError
    assert states(wf.last_run) == {"slow": "failed", "quick": "done"}


def test_a_timeout_is_kept_while_an_inline_node_holds_the_scheduler(
    processes: Any, local: Any, check_log: Any
) -> None:
    wf = processes(local.plus().set_name("warm up"))
    wf.run()
    (row,) = wf.last_run.report()
    assert row["worker"] == "process 1"

    def until_killed() -> float:
        end = time.monotonic() + 20
        while (process := wf.processes._processes[1]).pool is not None:
            assert time.monotonic() < end, process
        return time.time()

    slow = local.sleep(30).set_name("slow")
    slow.backend_info["timeout"] = 0.1
    inline = workflow(until_killed)().set_name("inline")
    inline.backend_info["executor"] = "inline"
    wf = processes(slow, inline, max_workers=2)
    with pytest.raises(NodeExecutionError, match="'slow' failed with NodeTimeoutError"):
        wf.run()
    check_log(wf.last_run)
    times = {(e.node, str(e.state)): e.time for e in wf.last_run.events}
    assert wf.last_run.results["inline"] < times["inline", "done"]
    # It is logged once the loop has got to it, and says when it was.
    assert times["slow", "running"] < wf.last_run.results["inline"]


def test_cancelled_twice_processes_are_killed(
    processes: Any, local: Any, states: Any, check_log: Any
) -> None:
    running = threading.Event()
    wf = processes(local.sleep(30).set_name("slow"), local.plus().set_name("other"))
    wf.subscribe(lambda events: [running.set() for e in events if e.node == "slow" and e.state == "running"])
    run = wf.start()
    assert running.wait(20)
    run.cancel()
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(10)
    assert states(run) == {"slow": "cancelled", "other": "pending"}
    check_log(run)


def test_cancelled_twice_before_the_process_is_up_ends_as_well(local: Any, check_log: Any) -> None:
    wf = LocalWorkflow(local.sleep(30).set_name("slow"), executor="process")
    run = wf.start()
    run.cancel()
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(20)
    assert str(run.states["slow"]) in ("cancelled", "pending")
    check_log(run)
    wf.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda lock: workflow(lambda: lock)(),
            "its function, .* cannot be pickled for a worker process .*'thread' or 'inline'",
        ),
        (lambda lock: workflow(lambda a, b: 1)(1, lock), "argument 1, .*lock.*, cannot be pickled"),
        (lambda lock: workflow(lambda a, b: 1)(1, b=[lock]), "argument b, .* cannot be pickled"),
    ],
)
def test_what_cannot_be_pickled_is_named(processes: Any, states: Any, make: Any, message: str) -> None:
    node = make(threading.Lock()).set_name("bad")
    fine = workflow(lambda: 1)().set_name("fine")
    wf = processes(node, fine)
    with pytest.raises(NodeExecutionError, match=f"node 'bad' failed with FuseError: {message}"):
        wf.run()
    assert states(wf.last_run) == {"bad": "failed", "fine": "done"}


def test_a_result_that_cannot_be_pickled_is_named(processes: Any) -> None:
    def make_lock() -> Any:
        import threading

        return threading.Lock()

    with pytest.raises(
        NodeExecutionError, match=r"TypeError: the result, a lock.* cannot be pickled to leave its worker"
    ):
        processes(workflow(make_lock)()).run()


def told_of_waiting(run: Run) -> list[tuple[str | None, str, str | None]]:
    """What each event of a node says that it waits for."""
    return [
        (e.node, str(e.state), e.detail["why"] if e.detail and e.detail.get("waits") else None)
        for e in run.events
        if e.node
    ]


def test_a_node_says_that_its_worker_process_is_starting_until_it_is_up(local: Any) -> None:
    one = local.plus().set_name("one")
    wf = LocalWorkflow(local.plus(one).set_name("two"), executor="process", max_workers=1)
    starting = "its worker process is starting"
    try:
        wf.run()
        run = wf.last_run
        assert told_of_waiting(run) == [
            ("one", "queued", starting), ("one", "running", None), ("one", "done", None),
            ("two", "queued", None), ("two", "running", None), ("two", "done", None),
        ]  # fmt: skip
        assert {row["why"] for row in run.report()} == {None}
        columns = StatusColumns(["one", "two"])
        columns.apply(run.events[:2])
        assert columns.notes == {0: f"waits: {starting}"}
        columns.apply(run.events[2:3])
        assert columns.notes == {}
        lost = LocalWorkflow(local.leave().set_name("lost"), executor="process", max_workers=1)
        lost.processes = wf.processes
        lost.query("lost").set_backend_info("retries", 1)
        with pytest.raises(NodeExecutionError):
            lost.run()
        assert told_of_waiting(lost.last_run) == [
            ("lost", "queued", None), ("lost", "running", None), ("lost", "queued", None),
            ("lost", "queued", starting), ("lost", "running", None), ("lost", "failed", None),
        ]  # fmt: skip
    finally:
        wf.close()


def test_exceptions_come_back_with_their_traceback(processes: Any) -> None:
    def divide(a: int, b: int) -> float:
        return a / b

    with pytest.raises(NodeExecutionError) as caught:
        processes(workflow(divide)(1, 0)).run()
    assert type(caught.value.__cause__) is ZeroDivisionError
    assert [frame.name for frame in traceback.extract_tb(caught.value.__cause__.__traceback__)] == ["divide"]
    assert caught.value.inputs == ((1, 0), {})


def test_objects_change_in_processes_as_they_do_here(processes: Any) -> None:
    class Plain:
        def __init__(self, start: int) -> None:
            self.total = start

        def put(self, amount: int) -> int:
            self.total += amount
            return self.total

    account = workflow(Plain)(10)
    first = account.put(1)
    between = workflow(lambda a: a.total)(account)
    second = account.put(first)
    after = workflow(lambda a: a.total)(account)
    assert processes(first, between, second, after, max_workers=2).run() == [11, 11, 22, 22]


def test_printing_comes_back_with_the_end_of_the_node(
    processes: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk() -> None:
        print("to stdout")
        print("to stderr", file=sys.stderr)

    def flood() -> None:
        print("first")
        for _ in range(100):
            print("x" * 1_000_000)
        print("last")

    wf = processes(workflow(talk)().set_name("talk"), workflow(flood)().set_name("flood"))
    wf.run()
    assert wf.last_run.outputs["talk"].text == "to stdout\nto stderr\n"
    kept = wf.last_run.outputs["flood"].text
    assert len(kept) <= 1_000_000
    assert kept.endswith("x\nlast\n")
    shown = capsys.readouterr().out
    assert "to stdout\n" in shown
    assert "more was printed" in shown
    assert len(shown) < 1_100_000


def test_a_process_that_was_idle_for_long_is_replaced(processes: Any, local: Any) -> None:
    wf = processes(local.pid())
    first = wf.run()
    assert wf.run() == first
    wf.processes._processes[1].used -= 1_000
    assert wf.run() != first


def test_a_process_that_was_killed_between_two_runs_is_noticed(processes: Any, local: Any) -> None:
    wf = processes(local.pid())
    os.kill(wf.run(), signal.SIGKILL)
    try:
        wf.run()
    except NodeExecutionError as error:  # it died before anybody could see
        assert type(error.__cause__) is WorkerCrashedError  # noqa: PT017
    assert isinstance(wf.run(), int)


def test_work_is_shared_by_several_processes(processes: Any, tmp_path: Any) -> None:
    def meet(mine: str, other: str) -> int:
        open(mine, "w").close()
        end = time.monotonic() + 20
        while not os.path.exists(other):
            assert time.monotonic() < end
            time.sleep(0.005)
        return os.getpid()

    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    wf = processes(workflow(meet)(one, two), workflow(meet)(two, one), max_workers=2)
    assert len(set(wf.run())) == 2


PROGRAM = """
import sys, time
from fuse_widgets import LocalWorkflow, workflow

@workflow
def work(seconds):
    import time
    time.sleep(seconds)
    return "value"

if __name__ == "__main__":
    wf = LocalWorkflow(work(float(sys.argv[1])), executor="process")
    if sys.argv[2] == "run":
        print(wf.run())
    else:
        wf.subscribe(lambda events: [print(e.state, flush=True) for e in events if e.node])
        run = wf.start()
        while run.states[wf.find_nodes()[0].name] != "running":
            time.sleep(0.01)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "how"), [("0", "run"), ("60", "start")])
def test_a_program_ends_at_once_and_in_silence(tmp_path: Any, seconds: str, how: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, program, seconds, how], capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 20
    if how == "run":
        assert done.stdout == "value\n"


def test_without_the_private_hook_of_threading_workers_are_ended_as_python_exits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python then waits for their jobs first."""
    from fuse_widgets.backends import _compat

    asked: list[Any] = []
    monkeypatch.setattr(_compat.atexit, "register", asked.append)
    monkeypatch.setattr(_compat, "threading", object())
    _compat.call_before_threads_end(len)
    assert asked == [len]
