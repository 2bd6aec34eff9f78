"""Versions: a result is returned only under the fingerprint it was saved under, whatever other kernels do."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import FileStorage, LocalWorkflow, workflow
from fuse_widgets.storage import Fingerprint, Storage, StorageError, TaskNotFoundError, taskfile
from fuse_widgets.storage.naming import safe_name

A, B, C = (Fingerprint(code, {"x": code}) for code in ("a", "b", "c"))


def test_each_fingerprint_has_its_own_version(open_storage: Callable[..., FileStorage]) -> None:
    storage = open_storage()
    for value, fingerprint in ((1, A), (2, B), (3, None)):
        storage.save("wf", "t", value, fingerprint=fingerprint, meta={"value": value})
    assert [storage.read_task("wf", "t", fingerprint=f) for f in (A, B, A.digest)] == [1, 2, 1]
    assert storage.read_task("wf", "t") == 3
    assert [storage.lookup("wf", "t", fingerprint=f).meta["value"] for f in (A, B)] == [1, 2]
    assert storage.lookup("wf", "t", fingerprint=A).fingerprint == A
    assert storage.lookup("wf", "t").fingerprint is None
    assert storage.list_tasks("wf") == ["t"]
    assert storage.file_exists("wf", "t", fingerprint=A)
    assert not storage.file_exists("wf", "t", fingerprint=C)
    assert storage.lookup("wf", "t", fingerprint=C) is None
    with pytest.raises(TaskNotFoundError, match=f"under the fingerprint {C.digest}"):
        storage.read_task("wf", "t", fingerprint=C)
    storage.save("wf", "t", 11, fingerprint=A)
    assert open_storage().read_task("wf", "t") == 11  # saved last
    assert open_storage().read_task("wf", "t", fingerprint=B) == 2
    storage.remove_task("wf", "t")
    assert storage.list_tasks("wf") == []
    assert storage.lookup("wf", "t", fingerprint=A) is None


def test_the_newest_version_is_the_one_saved_last_however_fast(storage: FileStorage) -> None:
    for value, fingerprint in enumerate((A, B, C, B, A, C, B)):
        storage.save("wf", "t", value, fingerprint=fingerprint)
        assert storage.read_task("wf", "t") == value
        assert storage.lookup("wf", "t").fingerprint == fingerprint


def test_the_record_has_the_digest_of_the_result(storage: FileStorage) -> None:
    storage.save("wf", "a", [1, 2], fingerprint=A)
    storage.save("wf", "a", [1, 2], fingerprint=B)
    storage.save("wf", "a", [1, 3], fingerprint=C)
    same, also, other = (storage.lookup("wf", "a", fingerprint=f).result_digest for f in (A, B, C))
    assert same == also != other
    assert len(same) == 64


def test_many_are_looked_up_at_once(storage: FileStorage) -> None:
    storage.save("wf", "a", 1, fingerprint=A)
    storage.save("wf", "b", 2, fingerprint=A)
    storage.save("wf", "b", 2, fingerprint=B)
    found = storage.lookup_many("wf", {"a": C, "b": C})
    assert [record.fingerprint for record in found] == [A, B]  # the newest, which says what has changed
    found = storage.lookup_many("wf", {"a": A, "b": A, "c": A})
    assert [record and record.fingerprint for record in found] == [A, A, None]
    assert [record.task_name for record in storage.lookup_many("wf", ["b", "a"])] == ["b", "a"]
    assert storage.lookup_many("nothing", {"a": A}) == [None]


def test_a_file_under_the_name_of_another_fingerprint_is_not_used(local: FileStorage) -> None:
    local.save("wf", "t", "of a", fingerprint=A)
    local.save("wf", "t", "of b", fingerprint=B)
    paths = [Path(local.lookup("wf", "t", fingerprint=f).path) for f in (A, B)]
    shutil.copy(paths[0], paths[1])
    with pytest.raises(StorageError, match="it was saved under another fingerprint"):
        local.read_task("wf", "t", fingerprint=B)
    assert local.read_task("wf", "t", fingerprint=A) == "of a"
    bare = paths[0].with_name(safe_name("t") + ".task")
    shutil.copy(paths[0], bare)
    assert local.read_task("wf", "t", fingerprint=A) == "of a"
    bare.rename(paths[0].with_name(safe_name("other") + ".task"))
    assert local.list_tasks("wf") == ["t"]


@pytest.mark.parametrize("digest", ["", "../x", "a/b", "x" * 200, "a.b", "é", "\0", 3])
def test_what_is_no_digest_is_refused(local: FileStorage, digest: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):
        local.read_task("wf", "t", fingerprint=digest)


# --- format 1 ------------------------------------------------------------------------------------------------


def save_as_format_1(storage: FileStorage, workflow: str, task: str, value: Any, fingerprint: Any) -> Path:
    """Write the file that fuse_widgets wrote before there were versions."""
    payload = pickle.dumps(value, protocol=5)
    header = {
        "workflow": workflow,
        "task": task,
        "fingerprint": None if fingerprint is None else fingerprint.to_json(),
        "saved_at": 1_700_000_000.5,
        "meta": {"seconds": 2},
        "format": 1,
        "parts": [len(payload)],
        "sha256": sha256(taskfile.MAGIC + payload).hexdigest(),
    }
    text = json.dumps(header).encode()
    seal = struct.pack(">I32s8s8s", len(text), sha256(text).digest(), b"FUSETSK1", b"TASKEND1")
    folder = Path(storage.path, safe_name(workflow))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{safe_name(task)}.task"
    path.write_bytes(taskfile.MAGIC + payload + text + seal)
    return path


def test_a_file_of_format_1_is_the_version_of_the_fingerprint_it_holds(local: FileStorage) -> None:
    save_as_format_1(local, "wf", "t", "old", A)
    save_as_format_1(local, "wf", "bare", "old", None)
    assert local.list_tasks("wf") == ["bare", "t"]
    assert local.list_workflows() == ["wf"]
    assert local.read_task("wf", "t") == "old"
    assert local.read_task("wf", "t", fingerprint=A) == "old"
    assert local.lookup("wf", "t", fingerprint=A).meta == {"seconds": 2}
    assert local.lookup("wf", "t", fingerprint=B) is None
    assert local.lookup("wf", "bare", fingerprint=A) is None
    assert local.read_task("wf", "bare") == "old"
    assert [r.fingerprint for r in local.lookup_many("wf", {"t": A})] == [A]
    assert [r.fingerprint for r in local.lookup_many("wf", {"t": B})] == [A]
    local.save("wf", "t", "new", fingerprint=B)
    assert local.read_task("wf", "t") == "new"
    assert local.read_task("wf", "t", fingerprint=A) == "old"
    local.remove_task("wf", "t")
    assert local.list_tasks("wf") == ["bare"]


# --- runs ----------------------------------------------------------------------------------------------------

ran: list[Any] = []


@workflow
def square(x: int) -> int:
    ran.append(x)
    return x * x


@workflow
def plus(value: int, more: int = 1) -> int:
    ran.append(("plus", value))
    return value + more


def pipeline(x: int, storage: Any) -> LocalWorkflow:
    wf = LocalWorkflow(plus(square(x).set_name("s")).set_name("p"), workflow_name="w")
    wf.set_storage(storage)
    return wf


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()


def test_going_back_to_an_earlier_argument_computes_nothing(storage: FileStorage) -> None:
    for x in (3, 10, 3, 10, 3):
        wf = pipeline(x, storage)
        assert wf.run() == x * x + 1
    assert ran == [3, ("plus", 9), 10, ("plus", 100)]
    assert [row["why"] for row in wf.last_run.report()] == ["stored", "stored"]


def test_why_a_node_runs_is_told_by_its_newest_version(storage: FileStorage) -> None:
    for x in (3, 10, 4):
        wf = pipeline(x, storage)
        wf.run()
    assert [row["why"] for row in wf.last_run.report()] == ["argument x changed", "parent s changed"]


def test_why_a_node_runs_is_told_by_the_version_that_was_used_last(local: FileStorage) -> None:
    for x in (3, 10):
        pipeline(x, local).run()
    for number, file in enumerate(
        sorted(Path(local.path).rglob("*.task"), key=lambda path: path.stat().st_mtime)
    ):
        os.utime(file, (number, number))  # all long ago
    pipeline(3, local).run()

    @workflow
    def square(x: int) -> int:
        return x * x * 2

    wf = LocalWorkflow(plus(square(3).set_name("s")).set_name("p"), workflow_name="w")
    wf.set_storage(local)
    wf.run()
    assert [row["why"] for row in wf.last_run.report()] == ["code changed", "parent s changed"]


def test_the_result_that_is_looked_at_after_a_run_is_the_one_of_that_run(storage: FileStorage) -> None:
    wf = pipeline(3, storage)
    wf.run()
    pipeline(10, storage).run()
    node = wf.find_nodes("s")[0]
    assert wf.last_run.read_stored(node) == 9


class Meanwhile(FileStorage):
    """Runs something at the moment between two calls of a run."""

    at = "read_task"
    between: Any = None

    def read_task(self, *args: Any, **kwargs: Any) -> Any:
        self.happen("read_task")
        return super().read_task(*args, **kwargs)

    def lookup_many(self, *args: Any, **kwargs: Any) -> Any:
        self.happen("lookup_many")
        return super().lookup_many(*args, **kwargs)

    def happen(self, name: str) -> None:
        if name == self.at:
            self.between()


@pytest.mark.parametrize("at", ["read_task", "lookup_many"])
@pytest.mark.parametrize(
    "between",
    [
        lambda storage: pipeline(10, storage).run(),
        lambda storage: storage.save("w", "p", 99),
        lambda storage: storage.save("w", "p", 99, fingerprint=A),
        lambda storage: storage.remove_task("w", "p"),
        lambda storage: storage.remove_workflow("w"),
        lambda storage: FileStorage(storage.path, keep={"bytes": 1}).prune(),
        lambda storage: (storage.remove_workflow("w"), pipeline(10, storage).run()),
        lambda storage: save_as_format_1(storage, "w", "p", 99, None),
        lambda storage: save_as_format_1(storage, "w", "p", 99, B),
    ],
)
def test_what_another_kernel_does_between_two_calls_changes_no_value(
    tmp_path: Path, at: str, between: Any
) -> None:
    plain = FileStorage(tmp_path)
    pipeline(3, plain).run()
    storage = Meanwhile(tmp_path)
    storage.at, storage.between = at, lambda: between(plain)
    assert pipeline(3, storage).run() == 10


class OldLookup(FileStorage):
    def lookup(self, workflow_name: str, task_name: str) -> Any:  # type: ignore[override]
        return super().lookup(workflow_name, task_name)


class OldRead(FileStorage):
    def read_task(self, workflow_name: str, task_name: str) -> Any:  # type: ignore[override]
        return super().read_task(workflow_name, task_name)


@pytest.mark.parametrize("kind", [OldLookup, OldRead])
def test_a_storage_that_cannot_be_asked_for_a_fingerprint_gives_no_result_and_says_so(
    tmp_path: Path, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    storage = kind(tmp_path)
    for x in (3, 10, 3):
        wf = pipeline(x, storage)
        assert wf.run() == x * x + 1
    assert len(ran) == 6
    method = "lookup" if kind is OldLookup else "read_task"
    said = f"{kind.__name__}.{method} takes no fingerprint, so what it returns may belong to other arguments"
    assert [said in message for message in caplog.messages] == [True] * 3
    notices = [e.detail["notice"] for e in wf.last_run.events if "notice" in (e.detail or {})]
    assert len(notices) == 1
    assert all(said in row["why"] for row in wf.last_run.report())
    with pytest.raises(StorageError, match="takes no fingerprint"):
        wf.last_run.read_stored(wf.find_nodes("s")[0])


def test_a_storage_without_fingerprints_can_be_used_by_name(tmp_path: Path) -> None:
    for x in (3, 10):
        assert pipeline(x, OldRead(tmp_path, match="name")).run() == 10
    assert len(ran) == 2


class Dictionary:
    """The least that a storage is, written by somebody else."""

    match = "fingerprint"

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}

    def new_workflow(self, workflow_name: str) -> None: ...

    def save(self, workflow_name: str, task_name: str, result: Any, *, fingerprint: Any, meta: Any) -> None:
        self.kept[task_name, fingerprint.digest] = result, fingerprint

    def read_task(self, workflow_name: str, task_name: str, fingerprint: Any = None) -> Any:
        return self.kept[task_name, fingerprint.digest][0]

    def lookup(self, workflow_name: str, task_name: str, fingerprint: Any = None) -> Any:
        from fuse_widgets.storage import TaskRecord

        found = self.kept.get((task_name, fingerprint and fingerprint.digest))
        return found and TaskRecord(workflow_name, task_name, found[1], 1, 0.0)


def test_a_storage_of_another_kind_keeps_versions_too() -> None:
    storage = Dictionary()
    for x in (3, 10, 3):
        assert pipeline(x, storage).run() == x * x + 1
    assert len(ran) == 4


def test_the_storage_that_only_has_the_abstract_methods_keeps_versions_too() -> None:
    class Least(Dictionary, Storage):
        file_exists = list_tasks = list_workflows = remove_task = remove_workflow = None  # type: ignore[assignment]

    storage = Least()
    for x in (3, 10, 3):
        assert pipeline(x, storage).run() == x * x + 1
    assert len(ran) == 4


@pytest.mark.parametrize(
    "meta", [{"seconds": "long"}, {"seconds": [1]}, {"seconds": -1}, {}, {"seconds": True}]
)
def test_odd_meta_does_not_reach_the_log_of_a_run(tmp_path: Path, meta: Any) -> None:
    class Odd(FileStorage):
        def save(self, *args: Any, **kwargs: Any) -> None:
            super().save(*args, **{**kwargs, "meta": meta})

    pipeline(3, Odd(tmp_path)).run()
    wf = pipeline(3, FileStorage(tmp_path))
    assert wf.run() == 10
    details = [e.detail for e in wf.last_run.events if e.node and e.state == "cached"]
    assert [detail["stored_seconds"] for detail in details] == [None, None]
