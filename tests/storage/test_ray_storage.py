"""RayFileStorage: results on the machine of a cluster that `remoteArgs` picks, and runs that use it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import (
    DamagedTaskError,
    FileStorage,
    PatternError,
    RayFileStorage,
    RayWorkflow,
    StorageError,
    TaskNotFoundError,
    storage_factory,
    workflow,
)
from tests.backends.conftest import check_log
from tests.backends.waiting import gate, until

pytestmark = pytest.mark.usefixtures("ray_cluster")
THERE = {"num_cpus": 0.1, "resources": {"disk": 0.01}}


@pytest.fixture
def disk(tmp_path: Path) -> Any:
    return storage_factory(
        {"kind": "ray", "options": {"path": str(tmp_path / "store"), "remoteArgs": THERE, "rayInitArgs": {}}}
    )


def test_what_is_saved_there_is_listed_read_and_removed_from_here(disk: Any, tmp_path: Path) -> None:
    assert disk.list_workflows() == []
    disk.new_workflow("w")
    disk.save("w", "a", [1, 2], meta={"seconds": 1.5})
    disk.save("w", "b", {"x": 3})
    assert disk.list_workflows() == ["w"]
    assert disk.list_tasks("w") == ["a", "b"]
    assert disk.list_tasks("w", "b|c") == ["b"]
    assert disk.read_task("w", "a") == [1, 2]
    assert (disk.file_exists("w", "a"), disk.file_exists("w", "c")) == (True, False)
    record = disk.lookup("w", "a")
    assert (record.task_name, record.meta, disk.lookup("w", "c")) == ("a", {"seconds": 1.5}, None)
    assert FileStorage(tmp_path / "store").read_task("w", "b") == {"x": 3}
    disk.remove_task("w", "a")
    assert disk.list_tasks("w") == ["b"]
    disk.remove_workflow("w")
    assert disk.list_workflows() == []


def test_errors_are_those_of_file_storage_and_name_the_machine(disk: Any, tmp_path: Path) -> None:
    with pytest.raises(TaskNotFoundError, match=r"no task 'a' of workflow 'w'.*\(on machine "):
        disk.read_task("w", "a")
    with pytest.raises(PatternError):
        disk.list_tasks("w", "(")
    disk.save("w", "a", 1)
    Path(disk.lookup("w", "a").path).write_bytes(b"what is this")
    with pytest.raises(DamagedTaskError, match="on machine"):
        disk.read_task("w", "a")
    with pytest.raises(Exception, match="pickle"):
        disk.save("w", "lock", threading.Lock())


def test_a_path_that_is_not_writable_there_says_where(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(StorageError, match=rf"{tmp_path / 'store'}.*on machine"):
        RayFileStorage(tmp_path / "store", THERE).save("w", "a", 1)


def test_wrong_options_are_refused_when_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no options of a Ray task: .*num_cpu"):
        RayFileStorage(tmp_path, {"num_cpu": 1})
    with pytest.raises(StorageError, match="has no option 'remote_args'"):
        storage_factory({"kind": "ray", "options": {"path": "x", "remote_args": {}}})
    with pytest.raises(StorageError, match="folder or an address"):
        RayFileStorage("", THERE)
    for name in ("name", "num_returns"):
        with pytest.raises(StorageError, match=f"remoteArgs cannot have '{name}'"):
            RayFileStorage(tmp_path, {name: 1})


def test_a_machine_that_is_not_there_is_told_at_once_and_nothing_is_left_to_be_done_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fuse_widgets.storage import ray as module

    nowhere = RayFileStorage(tmp_path, {"resources": {"nodisk": 1}})
    monkeypatch.setattr(module, "call_there", None)  # nothing is handed to Ray
    for ask in (nowhere.list_workflows, lambda: nowhere.remove_workflow("w")):
        with pytest.raises(StorageError, match=r"it needs nodisk: 1, the cluster has none.*remoteArgs"):
            ask()


def build(disk: Any, factor: int = 1) -> Any:
    values = workflow(lambda n: list(range(n)))(4).set_name("values")
    total = workflow(lambda values, factor: factor * sum(values))(values, factor).set_name("sum")
    wf = RayWorkflow(workflow(lambda value: f"<{value}>")(total).set_name("text"), workflow_name="pipeline")
    wf.set_storage(disk)
    return wf


def sources(wf: Any) -> dict[str, Any]:
    return {row["node"]: row["source"] for row in wf.last_run.report()}


def test_a_run_saves_there_before_it_is_over_and_the_next_takes_it_from_there(disk: Any) -> None:
    wf = build(disk)
    assert wf.run() == "<6>"
    assert disk.list_tasks("pipeline") == ["sum", "text", "values"]
    saved = {e.node: e.detail["saved"] for e in wf.last_run.events if e.node and e.state == "done"}
    assert saved == {"values": True, "sum": True, "text": True}
    assert disk.lookup("pipeline", "sum").meta["seconds"] >= 0
    again = build(disk)
    assert again.run() == "<6>"
    assert set(sources(again).values()) == {"stored"}
    changed = build(disk, factor=2)
    assert changed.run() == "<12>"
    assert sources(changed) == {"values": "stored", "sum": "computed", "text": "computed"}


def test_going_back_to_an_earlier_argument_computes_nothing_whatever_others_save_meanwhile(
    disk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for factor, text in ((1, "<6>"), (2, "<12>")):
        assert build(disk, factor).run() == text
    real = RayFileStorage.lookup_many

    def meanwhile(self: Any, *args: Any) -> Any:
        found = real(self, *args)
        FileStorage(tmp_path / "store").save("pipeline", "text", "of other arguments")
        return found

    monkeypatch.setattr(RayFileStorage, "lookup_many", meanwhile)
    again = build(disk, factor=1)
    assert again.run() == "<6>"
    assert set(sources(again).values()) == {"stored"}
    node = again.find_nodes("text")[0]
    assert again.last_run.read_stored(node) == "<6>"
    assert disk.read_task("pipeline", "text") == "of other arguments"
    record = disk.lookup("pipeline", "text", fingerprint=disk.lookup("pipeline", "sum").fingerprint)
    assert record is None


def test_the_bound_is_kept_there_and_what_a_run_needs_stays(disk: Any, tmp_path: Path) -> None:
    bounded = RayFileStorage(tmp_path / "store", THERE, keep=2)
    for factor in range(4):
        build(bounded, factor).run()
        until(lambda: not list((tmp_path / "store" / "leases").glob("*.lease")))
    until(lambda: bounded.usage().workflows["pipeline"].versions <= 5)
    lease = disk.lease("pipeline", {"values": disk.lookup("pipeline", "values").fingerprint})
    everything = RayFileStorage(tmp_path / "store", THERE, keep={"bytes": 1})
    assert {removed.task for removed in everything.prune()} == {"sum", "text"}
    lease.release()
    until(lambda: not list((tmp_path / "store" / "leases").glob("*.lease")))
    assert [removed.task for removed in everything.prune()] == ["values"]
    assert disk.usage().bytes == 0


def test_files_are_signed_there_and_the_key_shows_itself_nowhere(tmp_path: Path) -> None:
    signed = RayFileStorage(tmp_path / "store", THERE, key="open sesame")
    wf = build(signed)
    assert wf.run() == "<6>"
    assert signed.list_tasks("pipeline") == ["sum", "text", "values"]
    assert FileStorage(tmp_path / "store", key="open sesame").read_task("pipeline", "text") == "<6>"
    plain = RayFileStorage(tmp_path / "store", THERE)
    with pytest.raises(DamagedTaskError, match="it is signed, and this storage has no key") as caught:
        plain.read_task("pipeline", "text")
    assert build(plain).run() == "<6>"
    with pytest.raises(DamagedTaskError, match="it is not signed") as caught:
        signed.read_task("pipeline", "text")
    assert "sesame" not in f"{signed!r} {caught.value} {caught.value.__cause__} {vars(caught.value)}"
    assert "sesame" not in str(vars(signed))
    assert [damaged.reason for damaged in signed.damaged("pipeline")] == [
        "it is not signed, and this storage has a key"
    ] * 3


def test_a_damaged_file_there_is_logged_here_and_computed_again(
    disk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    build(disk).run()
    path = Path(disk.lookup("pipeline", "text").path)
    path.unlink()
    os.mkfifo(path)
    wf = build(disk)
    assert wf.run() == "<6>"
    assert sources(wf) == {"values": "stored", "sum": "stored", "text": "computed"}
    (logged,) = [message for message in caplog.messages if str(path) in message]
    assert "it is a FIFO, not a file" in logged
    (damaged,) = disk.damaged()
    assert damaged.path == f"{path}.damaged-1"


def test_what_cannot_be_saved_there_is_told_and_the_run_goes_on(disk: Any, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    wf = build(disk)
    assert wf.run() == "<6>"
    details = [e.detail for e in wf.last_run.events if e.node and e.state == "done"]
    assert all(d["saved"] is False and "on machine" in d["why_not_saved"] for d in details)


def test_a_worker_that_dies_while_it_saves_is_told_as_that_and_the_result_is_there(tmp_path: Path) -> None:
    class Fatal:
        """Ends the first process that it comes to."""

        def __reduce__(self) -> Any:
            def arrive(mark: Path) -> str:
                if not mark.exists():
                    mark.touch()
                    os._exit(1)
                return "arrived"

            return arrive, (tmp_path / "mark",)

    wf = RayWorkflow(workflow(lambda: Fatal())().set_name("n"))
    wf.set_storage(RayFileStorage(tmp_path / "store", {**THERE, "max_retries": 0}))
    assert wf.run() == "arrived"
    (done,) = [e for e in wf.last_run.events if e.node and e.state == "done"]
    assert done.detail["saved"] is False
    assert done.detail["why_not_saved"] == (
        "the worker process that was saving it died, which happens when it is killed or runs out of memory; the result "
        "itself is not lost. remoteArgs={'max_retries': n} of the storage lets Ray try again"
    )


def test_why_a_save_came_to_no_end_is_told_in_words() -> None:
    from ray import exceptions

    from fuse_widgets.backends._ray.errors import why_not_saved

    not_lost = "; the result itself is not lost"
    lost = "the result was lost before it was saved, and could not be made again"
    cancelled = exceptions.TaskCancelledError()
    for error, said in (
        (exceptions.NodeDiedError("gone"), "the machine that was saving it was lost" + not_lost),
        (exceptions.OutOfMemoryError("much"), "the machine that was saving it ran out of memory" + not_lost),
        (exceptions.RuntimeEnvSetupError("no pip"), "Ray could not run the task that saves it: RuntimeEnvS"),
        (exceptions.ObjectLostError("ab", "", ""), lost),
        (exceptions.RayTaskError("save n", "", exceptions.WorkerCrashedError()), lost),
        (exceptions.RayTaskError("save n", "", cancelled), "the run was cancelled before it was saved"),
        (exceptions.RayTaskError("save n", "No module named 'x'", ImportError("x")), "a module is missing"),
        (cancelled, "the run was cancelled before it was saved"),
    ):
        assert why_not_saved(error).startswith(said)


def test_it_can_be_used_inside_a_node(disk: Any) -> None:
    disk.save("w", "a", 5)
    read: Callable[..., Any] = workflow(lambda disk: disk.read_task("w", "a"))
    assert RayWorkflow(read(disk)).run() == 5


@pytest.mark.parametrize(
    "said",
    ["psutil.ZombieProcess: it is a zombie", "RuntimeError: Proxy failed to Connect to backend! Check"],
)
def test_a_ray_that_does_not_start_in_time_is_started_again(said: str, monkeypatch: Any) -> None:
    import ray

    from fuse_widgets.storage._ray import connect

    tried: list[Any] = []

    def init(**args: Any) -> None:
        tried.append(args)
        if len(tried) < 3:
            raise ConnectionAbortedError(f"Initialization failure from server:\n{said}")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", init)
    connect({"address": "local"})
    assert tried == [{"address": "local"}] * 3


def test_a_node_whose_result_is_being_saved_says_so_and_those_that_need_it_run(
    disk: Any, tmp_path: Path
) -> None:
    import ray

    first = workflow(gate)(str(tmp_path), "first").set_name("first")
    wf = RayWorkflow(workflow(lambda name: f"<{name}>")(first).set_name("second"), workflow_name="w")
    wf.set_storage(disk)
    run = wf.start()
    until((tmp_path / "first").exists)
    there = tmp_path / "there"
    there.mkdir()
    held = ray.remote(num_cpus=0, resources={"disk": 1})(gate).remote(str(there), "held")
    until((there / "held").exists)
    (tmp_path / "go").touch()
    until(lambda: len([e for e in run.events[:] if "saving" in (e.detail or {})]) == 2)
    assert {str(state) for state in run.states.values()} == {"running"}
    assert FileStorage(tmp_path / "store").list_tasks("w") == []
    (there / "go").touch()
    assert run.wait(120) == "<first>"
    ray.get(held)
    check_log(run)
    for name in ("first", "second"):
        begins, saving, done = [e for e in run.events.of(name) if e.state in ("running", "done")]
        assert (saving.state, saving.detail["saving"], done.detail["saved"]) == ("running", True, True)
        assert saving.detail["seconds"] == done.detail["seconds"]
        assert saving.time == pytest.approx(begins.time + saving.detail["seconds"], abs=0.05)
        assert done.time >= saving.time
