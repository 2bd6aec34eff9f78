"""Pausing, stepping and cancelling on Ray: nothing begins that should not, and nothing is lost or changed by it."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import RayFileStorage, RayWorkflow, RunCancelledError, workflow
from tests.backends.waiting import gate, until

pytestmark = pytest.mark.usefixtures("ray_cluster")


class Counter:
    def __init__(self, n: int = 0) -> None:
        self.value = n

    def add(self, n: int) -> int:
        self.value += n
        return self.value


def value(counter: Counter) -> int:
    return counter.value


def test_a_reader_that_waits_through_a_pause_sees_the_object_of_its_turn(
    tmp_path: Path, check_log: Any
) -> None:
    blocks = [workflow(gate)(str(tmp_path), name) for name in "ab"]  # they have both CPUs
    counter = workflow(Counter)(0)
    reader = workflow(value)(counter).set_name("reader")
    total = counter.add(1).set_name("total")
    run = RayWorkflow(*blocks, reader, total).start()
    until(lambda: run.states["total"] == "done" and (tmp_path / "a").exists() and (tmp_path / "b").exists())
    run.pause()
    (tmp_path / "go").touch()
    until(lambda: run.states["reader"] == "paused")
    run.resume()
    assert run.wait(120) == ["a", "b", 0, 1]
    check_log(run)


def test_runs_at_one_time_listen_once_each_in_a_worker() -> None:
    def listeners(number: int) -> int:
        return sum(thread.name == "fuse gate" for thread in threading.enumerate())

    ask = workflow(listeners)
    runs = [RayWorkflow(*map(ask, range(40)), workflow_name=name).start(max_pending_tasks=2) for name in "ab"]
    assert max(max(run.wait(60)) for run in runs) <= 3  # the run before may just be ending


def test_a_pause_leaves_what_runs_alone_with_what_it_started(tmp_path: Path) -> None:
    def outer(folder: str) -> str:
        import ray

        inner = ray.remote(num_cpus=0)(gate)
        return ray.get(inner.remote(folder, "inner"))  # type: ignore[no-any-return]

    run = RayWorkflow(workflow(outer)(str(tmp_path))).start()
    until((tmp_path / "inner").exists)
    run.pause()
    (tmp_path / "go").touch()
    assert run.wait(120) == "inner"


def test_a_cancel_ends_a_run_whose_object_finds_no_machine(states: Any) -> None:
    counter = workflow(Counter)().set_name("counter")
    counter.backend_info["remote_args"] = {"num_gpus": 1}
    run = RayWorkflow(counter.add(1).set_name("total")).start()
    until(lambda: run.states["counter"] == "queued")
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(120)
    assert states(run) == {"counter": "pending", "total": "pending"}


def test_a_node_whose_saving_dies_is_done_and_says_that_it_was_not_saved(
    tmp_path: Path, check_log: Any
) -> None:
    class Kills:
        """Ends the second process that pickles it."""

        def __init__(self, fresh: bool = True) -> None:
            self.fresh = fresh

        def __reduce__(self) -> Any:
            if not self.fresh:
                os.kill(os.getpid(), 9)
            return Kills, (False,)

    wf = RayWorkflow(workflow(Kills)(True).set_name("object"), workflow(lambda: Kills())().set_name("node"))
    wf.set_storage(RayFileStorage(tmp_path / "store", {"num_cpus": 0, "max_retries": 0}))
    wf.query("object").set_backend_info("cache", False)
    wf.run(return_results=False)
    run = wf.last_run
    assert run is not None
    assert run.states["node"] == "done"
    (done,) = [e for e in run.events if e.node == "node" and e.state == "done"]
    assert done.detail["saved"] is False
    assert "died" in done.detail["why_not_saved"]
    check_log(run)


def test_what_is_being_saved_is_not_run_again_after_a_pause(tmp_path: Path, check_log: Any) -> None:
    class Slow:
        """Waits where it is pickled the second time, which is when it is saved."""

        def __init__(self, folder: str, fresh: bool = True) -> None:
            self.folder, self.fresh = folder, fresh

        def __reduce__(self) -> Any:
            if not self.fresh:
                gate(self.folder, "saving")
            return Slow, (self.folder, False)

    def slow(folder: str) -> Any:
        with Path(folder, "runs").open("a") as runs:
            runs.write("x")
        return Slow(folder)

    made = workflow(slow)(str(tmp_path)).set_name("made")
    first = workflow(gate)(str(tmp_path), "first")
    others = [workflow(gate)(str(tmp_path), f"other {n}").set_name(f"other {n}") for n in range(2)]
    wf = RayWorkflow(made, workflow(len)(first).set_name("last"), *others)
    wf.query("(?!made).*").set_backend_info("cache", False)
    wf.set_storage(RayFileStorage(tmp_path / "store", {"num_cpus": 0}))
    run = wf.start(return_results=False)
    until(lambda: (tmp_path / "saving").exists() and run.states["last"] == "queued")
    run.pause()
    (tmp_path / "go").touch()
    until(lambda: run.counts.get("paused"))
    run.resume()
    run.wait(120)
    assert (tmp_path / "runs").read_text() == "x"
    check_log(run)


def test_nobody_asks_again_and_again_for_what_waits_for_a_node_to_end(
    tmp_path: Path, monkeypatch: Any
) -> None:
    import ray

    first = workflow(gate)(str(tmp_path), "first")
    run = RayWorkflow(*[workflow(len)(first) for _ in range(5)]).start(max_pending_tasks=3)
    until((tmp_path / "first").exists)
    asked: list[int] = []
    wait = ray.wait
    monkeypatch.setattr(ray, "wait", lambda *args, **kwargs: asked.append(1) or wait(*args, **kwargs))
    run.cancel()
    threading.Event().wait(0.5)
    (tmp_path / "go").touch()
    with pytest.raises(RunCancelledError):
        run.wait(120)
    assert len(asked) < 100


def test_whatever_is_pressed_the_log_is_legal_and_results_are_right(check_log: Any) -> None:
    draw = random.Random(7)
    pause = threading.Event()
    finished = 0
    for _ in range(8):
        parents = [
            workflow(lambda s: (time.sleep(s), b"x" * 200_000)[1])(draw.uniform(0.005, 0.03))
            for _ in range(8)
        ]
        counter = workflow(Counter)(0)
        totals, readers = [], []
        for _ in range(5):
            totals.append(counter.add(1))
            readers.append(workflow(value)(counter))
        run = RayWorkflow(*[workflow(len)(parent) for parent in parents], *totals, *readers).start()
        pause.wait(draw.uniform(0.01, 0.3))
        for _ in range(draw.randrange(4)):
            getattr(run, draw.choice(["pause", "resume", "step"]))()
            pause.wait(draw.choice([0, 0.01, 0.05]))
        if draw.random() < 0.4:
            run.cancel()
        run.resume()
        try:
            assert run.wait(60) == [200_000] * 8 + [1, 2, 3, 4, 5] * 2
            finished += 1
        except RunCancelledError:
            pass
        check_log(run)
    assert finished
