"""Worker processes and workflows end when nobody needs them: orphans, dropped workflows, threads that cannot start."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from fuse_widgets import FuseError, LocalWorkflow, NodeExecutionError, RunCancelledError, workflow


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# --- orphans -------------------------------------------------------------------------------------------------

PROGRAM = """
import os, sys, time
from fuse_widgets import LocalWorkflow, workflow

folder, how = sys.argv[1:]

def note(name):
    open(os.path.join(folder, name), "w").close()

@workflow
def loop():
    note("loop")
    while True:
        pass

@workflow
def hold_the_gil():
    import ctypes
    note("gil")
    ctypes.PyDLL(None).sleep(600)

@workflow
def wait_for_child():
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import subprocess, sys; subprocess.run(['sleep', '600'])"])
    note("child")
    child.wait()

@workflow
def ignore_signals():
    import signal
    for name in ("SIGTERM", "SIGHUP", "SIGIO"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    note("deaf")
    time.sleep(600)

@workflow
def nest():
    LocalWorkflow(workflow(sleep)(), executor="process").run()

def sleep():
    note("nested")
    time.sleep(600)

if __name__ == "__main__":
    if how == "kill":
        LocalWorkflow(
            loop(), hold_the_gil(), wait_for_child(), ignore_signals(), nest(), executor="process", max_workers=5
        ).run()
    run = LocalWorkflow(workflow(sleep)(), executor="process").start()  # in a thread that ends before its workers
    while not os.path.exists(os.path.join(folder, "nested")):
        time.sleep(0.02)
    if how == "_exit":
        os._exit(0)
    raise ValueError("no luck")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "begun"),
    [("kill", {"loop", "gil", "child", "deaf", "nested"}), ("_exit", {"nested"}), ("raise", {"nested"})],
)
def test_workers_and_their_children_end_with_their_parent(tmp_path: Path, how: str, begun: set[str]) -> None:
    program, folder = tmp_path / "program.py", tmp_path / "begun"
    folder.mkdir()
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(folder), how]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as parent:
        family: dict[int, psutil.Process] = {}
        until(lambda: {entry.name for entry in folder.iterdir()} == begun or parent.poll() is not None, 120)
        if parent.poll() is None and how == "kill":
            family = {p.pid: p for p in psutil.Process(parent.pid).children(recursive=True)}
            assert len(family) >= 8  # five workers, one of a worker, a child and its child
        if how == "kill":
            parent.send_signal(signal.SIGKILL)
        parent.wait(30)
    # The trackers of loky and multiprocessing are in the family as well.
    _, alive = psutil.wait_procs(list(family.values()), timeout=5)
    alive = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    left = [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or ())]
    for process in (*alive, *left):
        process.kill()
    assert (alive, left) == ([], [])


# --- dropped workflows ---------------------------------------------------------------------------------------


class Value:
    """A result that can be referred to weakly."""


def succeed() -> Any:
    return Value()


def fail() -> Any:
    raise ValueError("no luck")


def last(executor: str, how: str) -> tuple[weakref.ref[Any], ...]:
    """Run a workflow, drop it, and return weak references to it and to what it gave."""
    wf = LocalWorkflow(workflow(fail if how == "fails" else succeed)().set_name("node"), executor=executor)  # type: ignore[arg-type]
    seen: list[Any] = []
    wf.subscribe(seen.append)
    if how == "cancelled":
        run = wf.start(paused=True)
        run.cancel()
        with pytest.raises(RunCancelledError):
            run.wait(20)
    elif how == "fails":
        with pytest.raises(NodeExecutionError):
            wf.run()
    elif how == "started":
        wf.start().wait(60)
    else:
        wf.run()
    workers = [p.pool for p in wf.processes._processes.values()]
    assert bool(workers) == (executor == "process" and how != "cancelled")
    result = wf.last_run.result  # type: ignore[union-attr]
    kept = [wf, wf.last_run, *([] if result is None else [result])]
    return tuple(map(weakref.ref, kept))


def workers() -> set[psutil.Process]:
    """The worker processes of this process."""
    found = set()
    for process in psutil.Process().children():
        try:
            if "LokyProcess" in str(process.cmdline()):
                found.add(process)
        except psutil.Error:  # it has just ended
            continue
    return found


@pytest.mark.parametrize("how", ["succeeds", "fails", "cancelled", "started"])
@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_a_workflow_that_is_dropped_is_let_go_with_its_results_and_workers(executor: str, how: str) -> None:
    before = workers()
    refs = last(executor, how)

    def gone() -> bool:
        gc.collect()
        return all(ref() is None for ref in refs)

    until(gone)
    until(lambda: not workers() - before)


def test_a_node_that_timed_out_keeps_no_workflow_alive() -> None:
    def once() -> weakref.ref[Any]:
        node = workflow(time.sleep)(60)
        node.backend_info["timeout"] = 0.1
        wf = LocalWorkflow(node, executor="process")
        with pytest.raises(NodeExecutionError, match="NodeTimeoutError"):
            wf.run()
        return weakref.ref(wf)

    ref = once()
    until(lambda: gc.collect() >= 0 and ref() is None)


# --- threads that cannot start -------------------------------------------------------------------------------


def refuse(monkeypatch: Any, name: str = "") -> None:
    """Let threads whose names contain `name` not start."""
    start = threading.Thread.start

    def cannot(self: threading.Thread) -> None:
        if name in self.name:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", cannot)


def test_start_without_a_thread_raises_and_leaves_no_run_under_way(monkeypatch: Any) -> None:
    wf = LocalWorkflow(workflow(lambda: 1)())
    with monkeypatch.context() as patch:
        refuse(patch)
        with pytest.raises(
            FuseError, match=r"start\(\) needs a thread .*can't start new thread.* use run\(\)"
        ):
            wf.start()
        assert (wf.active_run, wf.last_run.state) == (None, "failed")  # type: ignore[union-attr]
    assert wf.start().wait(10) == 1


def test_a_run_goes_on_without_a_thread_for_its_subscribers(monkeypatch: Any) -> None:
    wf = LocalWorkflow(workflow(lambda: 1)())
    seen: list[Any] = []
    wf.subscribe(seen.extend)
    with monkeypatch.context() as patch:
        refuse(patch)
        assert wf.run() == 1
    assert wf.run() == 1
    assert wf.drain_events(10)
    assert [event.run for event in seen if event.node is None] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("executor", "name"),
    [
        ("thread", "fuse thread"),
        ("process", "fuse prints"),
        ("process", "ExecutorManager"),
        ("process", "(give)"),
    ],
)
def test_a_node_without_a_thread_for_its_worker_fails_in_words(
    monkeypatch: Any, executor: Any, name: str
) -> None:
    wf = LocalWorkflow(workflow(os.getpid)().set_name("node"), executor=executor)
    with monkeypatch.context() as patch:
        refuse(patch, name)
        with pytest.raises(
            NodeExecutionError, match=r"'node' failed with FuseError: .*can't start new thread"
        ):
            wf.run()
    assert isinstance(wf.run(), int)
    wf.close()
