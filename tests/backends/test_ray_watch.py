"""How a run on Ray waits outside its loop: not past a cancel, not for a lost cluster, not in silence."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fuse_widgets import ClusterError, RayFileStorage, RayWorkflow, Run, RunCancelledError, workflow
from fuse_widgets.engine.order import Order

pytest.importorskip("ray")

from fuse_widgets.backends._ray import cluster
from fuse_widgets.backends._ray.cluster import Watch
from fuse_widgets.backends._ray.live import Printed
from tests.backends.waiting import notices, until

pytestmark = pytest.mark.usefixtures("ray_cluster")


def hold(folder: str) -> str:
    """Runs until it may end."""
    Path(folder, "holds").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.01)
    return "held"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Any]:
    """The reference of a task that has all of the resource `disk`, until the test is over."""
    import ray

    ref = ray.remote(num_cpus=0, resources={"disk": 1})(hold).remote(str(tmp_path))
    until((tmp_path / "holds").exists)
    yield ref
    (tmp_path / "go").touch()
    ray.get(ref)


@pytest.fixture
def run() -> Run:
    """A run that is under way, as far as anybody can see."""
    wf = RayWorkflow(workflow(lambda: 1)())
    return Run(wf, 1, Order({}))


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Once it is set, questions to the cluster stay without an answer."""
    import ray

    silent, over = threading.Event(), threading.Event()
    asked = threading.Event()

    def nodes(real: Any = ray.nodes) -> Any:
        if silent.is_set():
            asked.set()
            over.wait(60)
        return real()

    for name, seconds in (("LOOK", 0.01), ("BEAT", 0.1), ("LOST", 1.0)):
        monkeypatch.setattr(cluster, name, seconds)
    monkeypatch.setattr(cluster, "disconnect", lambda: None)
    monkeypatch.setattr(cluster, "ray", SimpleNamespace(**{**vars(ray), "nodes": nodes}))
    silent.asked = asked  # type: ignore[attr-defined]
    yield silent
    over.set()


def test_a_process_that_stood_still_does_not_take_its_cluster_for_lost(run: Run, silence: Any) -> None:
    with Watch(run) as watch:
        silence.set()
        assert silence.asked.wait(30)
        ctypes.PyDLL(None).usleep(3_000_000)  # as where it is stopped: no other thread has its turn
        assert not watch.lost
        watch.check()
        until(lambda: watch.lost)
        with pytest.raises(ClusterError, match="does not answer any more"):
            watch.check()


def test_an_answer_that_takes_its_time_is_an_answer(run: Run, silence: Any) -> None:
    with Watch(run) as watch:
        for _ in range(3):
            before = watch._answers
            until(lambda before=before: watch._answers > before)
        assert not watch.lost


def test_a_cluster_that_does_not_answer_at_the_beginning_ends_the_run(run: Run, silence: Any) -> None:
    silence.set()
    with pytest.raises(ClusterError, match="does not answer any more"), Watch(run):
        pass


def test_results_are_not_waited_for_past_a_cancel_or_the_loss_of_the_cluster(
    run: Run, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "disconnect", lambda: None)
    monkeypatch.setattr(cluster, "QUIET", 0.0)
    with Watch(run) as watch:
        threading.Timer(0.5, run.cancel).start()
        with pytest.raises(RunCancelledError):
            list(watch.ready([held], "the results of the outputs"))
        assert notices(run) == ["the run waits for the results of the outputs"]
        run.ledger.cancelled = 0
        watch._over.set()
        watch.lost = True
        with pytest.raises(ClusterError):
            list(watch.ready([held], "the results of the outputs"))


def test_a_run_whose_storage_does_not_answer_says_so_and_can_be_cancelled(
    held: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: Any
) -> None:
    monkeypatch.setattr(cluster, "QUIET", 0.5)
    wf = RayWorkflow(workflow(lambda: 1)().set_name("n"))
    wf.set_storage(RayFileStorage(tmp_path / "store", {"num_cpus": 0, "resources": {"disk": 1}}))
    run = wf.start()
    until(lambda: notices(run))
    assert notices(run) == [f"the run waits for what {wf.storage!r} has"]
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(120)
    assert states(run) == {"n": "pending"}
    (tmp_path / "go").touch()
    assert wf.run() == 1
    assert wf.storage.list_tasks("workflow") == ["n"]


def test_a_storage_that_no_machine_can_hold_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Any] = []
    real = RayFileStorage.lookup_many
    monkeypatch.setattr(RayFileStorage, "lookup_many", lambda *args: (looked.append(args), real(*args))[1])
    wf = RayWorkflow(*[workflow(lambda i: i)(i) for i in range(20)])
    wf.set_storage(RayFileStorage(tmp_path, {"resources": {"nodisk": 1}}))
    assert wf.run() == list(range(20))
    assert len(looked) == 1
    (notice,) = notices(wf.last_run)
    assert "the machine of the storage is not there: it needs nodisk: 1, the cluster has none" in notice


def test_what_a_node_without_options_and_a_method_need_is_known() -> None:
    class Holder:
        def ask(self) -> None: ...

    node, obj = workflow(lambda: 1)(), workflow(Holder)()
    method = obj.ask()
    wf = RayWorkflow(node, method)
    head = {"Alive": True, "Resources": {"memory": 2**33}}
    none = "needs CPU: 1, the cluster has none"
    wf.check([node, obj, method])
    assert [wf.lacking(n, [head]) for n in (node, obj, method)] == [none] * 3
    obj.backend_info["remote_args"] = {"num_cpus": 0}
    wf.check([node, obj, method])
    assert [wf.lacking(n, [head]) for n in (node, obj, method)] == [none, None, None]


def test_what_is_printed_while_it_is_looked_at_is_neither_lost_nor_repeated() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        printed = Printed()
        writer = threading.Thread(target=lambda: [printed.write(f"{i} ") for i in range(50_000)])
        writer.start()
        told = ""
        while writer.is_alive():
            fresh = printed.fresh()
            if fresh is not None:
                assert fresh[0] == len(told)
                told += fresh[1]
        told += (printed.fresh() or (0, ""))[1]
    finally:
        sys.setswitchinterval(interval)
    assert told == printed.tail.text
