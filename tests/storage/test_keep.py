"""What a storage keeps: the bound, what goes first, and what runs under way need."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fuse_widgets import (
    FileStorage,
    LocalWorkflow,
    StorageError,
    TaskNotFoundError,
    storage_factory,
    workflow,
)
from fuse_widgets.storage import Fingerprint, Keep, leases
from fuse_widgets.storage.naming import safe_name


def print_of(code: object) -> Fingerprint:
    return Fingerprint(str(code))


def fill(storage: FileStorage, versions: int, task: str = "t", size: int = 10) -> None:
    for n in range(versions):
        storage.save("w", task, bytes([n]) * size, fingerprint=print_of(n))


def kept(storage: FileStorage, versions: int, task: str = "t") -> list[int]:
    return [n for n in range(versions) if storage.lookup("w", task, fingerprint=print_of(n))]


def set_used(storage: FileStorage, n: int, when: float, task: str = "t") -> None:
    path = Path(storage.lookup("w", task, fingerprint=print_of(n)).path)
    os.utime(path, (when, when))


def test_prune_removes_the_versions_beyond_the_bound_and_returns_them(
    open_storage: Callable[..., FileStorage],
) -> None:
    storage = open_storage(keep=None)
    fill(storage, 4)
    fill(storage, 1, "other")
    bounded = open_storage(keep=2)
    removed = bounded.prune()
    assert len(kept(bounded, 4)) == 2
    if not storage.path.startswith("s3"):  # which tells whole seconds
        assert kept(bounded, 4) == [2, 3]
    assert sorted((r.workflow, r.task, r.why) for r in removed) == [("w", "t", "more than 2 versions")] * 2
    assert {r.fingerprint for r in removed} <= {print_of(n).digest for n in range(4)}
    assert all(r.path.startswith(storage.path) and r.size > 0 for r in removed)
    assert kept(bounded, 1, "other") == [0]
    assert bounded.prune() == []


def test_the_versions_used_last_are_kept(local: FileStorage) -> None:
    fill(local, 4)
    for n in range(4):
        set_used(local, n, 1_000_000 + n)
    assert local.read_task("w", "t", fingerprint=print_of(0)) == bytes(10)
    assert FileStorage(local.path, keep=2).prune()
    assert kept(local, 4) == [0, 3]
    assert local.read_task("w", "t") == bytes([3]) * 10  # the newest is what was saved last


def test_the_total_is_bounded_and_old_versions_go_first(local: FileStorage) -> None:
    fill(local, 3, "a", 10_000)
    fill(local, 2, "b", 10_000)
    for task, n, when in (("a", 0, 1), ("a", 1, 4), ("a", 2, 5), ("b", 0, 2), ("b", 1, 3)):
        set_used(local, n, 1_000_000 + when, task)

    def prune(count: float) -> tuple[list[int], list[int]]:
        storage = FileStorage(local.path, keep={"versions": None, "bytes": count})
        removed = storage.prune()
        assert storage.usage().bytes <= count
        assert all(r.why.endswith("in total") for r in removed)
        return kept(local, 3, "a"), kept(local, 2, "b")

    assert prune(60_000) == ([0, 1, 2], [0, 1])
    assert prune(45_000) == ([1, 2], [0, 1])
    assert prune(34_000) == ([1, 2], [1])
    assert prune(23_000) == ([2], [1])
    assert prune(12_000) == ([2], [])  # the last version of a task goes when nothing else is left
    assert prune(1) == ([], [])


def test_age_counts_from_the_last_use(local: FileStorage) -> None:
    fill(local, 3)
    for n in range(3):
        set_used(local, n, 1_000_000)
    local.read_task("w", "t", fingerprint=print_of(1))
    removed = FileStorage(local.path, keep=Keep(age=timedelta(days=1))).prune()
    assert [r.why for r in removed] == ["not used for 86,400 s"] * 2
    assert kept(local, 3) == [1]


def test_damaged_files_go_before_anything_else(local: FileStorage) -> None:
    fill(local, 2, size=10_000)
    path = Path(local.lookup("w", "t", fingerprint=print_of(1)).path)
    path.write_bytes(bytes(20_000))
    with pytest.raises(StorageError):
        local.read_task("w", "t", fingerprint=print_of(1))
    (removed,) = FileStorage(local.path, keep={"bytes": 15_000}).prune()
    assert removed.path == f"{path}.damaged-1"
    assert (removed.workflow, removed.task) == (None, None) or removed.workflow == "w"
    assert kept(local, 2) == [0]


def test_without_a_bound_everything_stays(local: FileStorage) -> None:
    storage = FileStorage(local.path, keep=None)
    fill(storage, 30)
    assert storage.prune() == []
    assert kept(storage, 30) == list(range(30))


@pytest.mark.parametrize(
    ("keep", "parsed"),
    [
        (3, Keep(versions=3)),
        ({"versions": None, "bytes": 1e6}, Keep(None, 1e6)),
        ({"age": 3600}, Keep(age=3600)),
        (None, Keep(None, None, None)),
        (Keep(7), Keep(7)),
    ],
)
def test_how_a_bound_is_given(tmp_path: Path, keep: Any, parsed: Keep) -> None:
    storage = FileStorage(tmp_path, keep=keep)
    assert storage.keep == parsed
    assert pickle.loads(pickle.dumps(storage)).keep == parsed
    assert repr(storage) == f"FileStorage({str(tmp_path)!r}, keep={parsed!r})"
    if not isinstance(keep, Keep):
        made = storage_factory(
            json.loads(json.dumps({"kind": "file", "options": {"path": "x", "keep": keep}}))
        )
        assert made.keep == parsed


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (0, "keep: versions must be a positive integer or None, got 0."),
        (True, "keep must be a Keep, a number of versions, a dict or None, got True."),
        (2.5, "keep must be a Keep, a number of versions, a dict or None, got 2.5."),
        ("5 GB", "keep must be a Keep, a number of versions, a dict or None, got '5 GB'."),
        ({"versions": 1.5}, "keep: versions must be a positive integer or None, got 1.5."),
        ({"bytes": -1}, "keep: bytes must be a positive number or None, got -1."),
        (
            {"age": "a day"},
            "keep: age must be a positive number of seconds, a timedelta or None, got 'a day'.",
        ),
        ({"age": timedelta(0)}, "keep: age must be a positive number of seconds, a timedelta or None, got "),
        ({"size": 1}, "keep has no 'size': it has 'versions', 'bytes' and 'age'."),
    ],
)
def test_what_is_no_bound_is_refused(tmp_path: Path, keep: Any, message: str) -> None:
    with pytest.raises(StorageError) as caught:
        FileStorage(tmp_path, keep=keep)
    assert str(caught.value).startswith(message)


def test_usage_tells_sizes_as_data_and_as_a_table(storage: FileStorage) -> None:
    assert storage.usage().bytes == 0
    fill(storage, 3, "a", 10_000)
    fill(storage, 1, "b", 10_000)
    storage.save("other", "x", b"1")
    usage = storage.usage()
    assert {name: (part.tasks, part.versions) for name, part in usage.workflows.items()} == {
        "other": (1, 1),
        "w": (2, 4),
    }
    assert 40_000 < usage.workflows["w"].bytes < 45_000
    assert usage.bytes == sum(part.bytes for part in usage.workflows.values())
    assert (usage.tasks, usage.versions, usage.damaged) == (3, 5, 0)
    lines = repr(usage).splitlines()
    assert lines[0] == f"Usage of {storage.path}"
    assert lines[1].split() == ["workflow", "tasks", "versions", "size", "damaged"]
    assert lines[2].split()[:4] == ["w", "2", "4", f"{usage.workflows['w'].bytes / 1000:.1f}"]
    assert lines[-1].split()[0] == "total"
    assert len({len(line) for line in lines[1:]}) == 1


# --- when the bound is enforced ------------------------------------------------------------------------------


@workflow
def same(x: Any) -> Any:
    return x


def pipeline(storage: Any, x: Any, task: str = "t", function: Any = same) -> LocalWorkflow:
    wf = LocalWorkflow(function(x).set_name(task), workflow_name="w")
    wf.set_storage(storage)
    return wf


def test_a_run_that_saved_something_enforces_the_bound_at_its_end(open_storage: Any) -> None:
    storage = open_storage(keep=2)
    for x in range(5):
        assert pipeline(storage, x).run() == x
        assert storage.usage().versions == min(x + 1, 2)
    pipeline(open_storage(keep=None), 9).run()
    assert pipeline(storage, 9).run() == 9  # stored: nothing is looked at
    assert storage.usage().versions == 3


def test_the_total_of_a_folder_is_enforced_by_runs_over_all_workflows(local: FileStorage) -> None:
    fill(local, 1, "large", 50_000)
    storage = FileStorage(local.path, keep={"versions": 3, "bytes": 30_000})
    for x in range(5):
        wf = LocalWorkflow(same(bytes([x]) * 9_000), workflow_name="v")
        wf.set_storage(storage)
        wf.run()
        assert storage.usage().bytes <= 30_000


def test_saves_enforce_the_bound_now_and_then(local: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []
    storage = FileStorage(local.path, keep=3)
    real = type(storage._disk).entries
    monkeypatch.setattr(
        type(storage._disk), "entries", lambda self, folder: (listed.append(folder), real(self, folder))[1]
    )
    fill(storage, 250)
    assert storage.usage().versions < 110
    assert len(listed) < 30  # not at every save


def test_a_bound_that_cannot_be_enforced_costs_no_result(local: FileStorage, monkeypatch: Any) -> None:
    real = type(local._disk).remove

    def refuse(self: Any, folder: str, name: str) -> None:
        if folder != leases.FOLDER:
            raise OSError(30, "Read-only file system")
        real(self, folder, name)

    monkeypatch.setattr(type(local._disk), "remove", refuse)
    for x in range(8):
        assert pipeline(FileStorage(local.path, keep=1), x).run() == x
    with pytest.raises(StorageError, match="could not be pruned"):
        FileStorage(local.path, keep=1).prune()


# --- what runs under way need --------------------------------------------------------------------------------


def test_what_a_run_under_way_needs_stays(open_storage: Callable[..., FileStorage]) -> None:
    plain = open_storage(keep=None)
    for x in range(3):
        pipeline(plain, x).run()
    pruned: list[Any] = []

    @workflow
    def prune(x: Any) -> Any:
        pruned.append(open_storage(keep={"versions": 1, "bytes": 1}).prune())
        return x

    values = [same(x).set_name("t") for x in (0,)]
    wf = LocalWorkflow(prune(values[0]).set_name("p"), values[0], workflow_name="w")
    wf.set_storage(plain)
    assert wf.run() == [0, 0]
    assert len(pruned[0]) == 2
    assert plain.read_task("w", "t") == 0
    assert plain.usage().versions == 2  # with the one that the run saved
    assert len(open_storage(keep={"versions": 1, "bytes": 1}).prune()) == 2  # the run is over


def test_a_run_by_names_needs_every_version_of_its_tasks(local: FileStorage) -> None:
    storage = FileStorage(local.path, match="name", keep=None)
    storage.save("w", "t", "old", fingerprint=print_of(1))
    lease = storage.lease("w", {"t": None})
    assert FileStorage(local.path, keep={"bytes": 1}).prune() == []
    lease.release()
    assert len(FileStorage(local.path, keep={"bytes": 1}).prune()) == 1


KERNEL = """
import sys
from fuse_widgets import FileStorage
from fuse_widgets.storage import Fingerprint
storage = FileStorage(sys.argv[1])
lease = storage.lease("w", {"t": Fingerprint("0")})
print("leased", flush=True)
sys.stdin.read()
"""


def start_kernel(path: str) -> subprocess.Popen[str]:
    kernel = subprocess.Popen(
        [sys.executable, "-c", KERNEL, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert kernel.stdout is not None
    assert kernel.stdout.readline() == "leased\n"
    return kernel


def test_the_lease_of_a_killed_kernel_ends_with_it_and_that_of_a_stopped_one_stays(
    local: FileStorage,
) -> None:
    fill(local, 2)
    storage = FileStorage(local.path, keep={"bytes": 1})
    kernel = start_kernel(local.path)
    try:
        kernel.send_signal(signal.SIGSTOP)
        for lease in Path(local.path, leases.FOLDER).iterdir():
            os.utime(lease, (0, 0))  # it was not renewed for years
        assert [r.fingerprint for r in storage.prune()] == [print_of(1).digest]
        kernel.send_signal(signal.SIGKILL)
        kernel.wait()
        assert [r.fingerprint for r in storage.prune()] == [print_of(0).digest]
        assert list(Path(local.path, leases.FOLDER).iterdir()) == []
    finally:
        kernel.kill()
        kernel.communicate()


def test_a_lease_of_another_machine_ends_when_it_is_not_renewed(local: FileStorage) -> None:
    fill(local, 1)
    storage = FileStorage(local.path, keep={"bytes": 1})
    content = {"folder": safe_name("w"), "needs": [leases.mark(safe_name("t"), print_of(0).digest)]}
    path = Path(local.path, leases.FOLDER, "x.lease")
    path.parent.mkdir()
    path.write_text(
        json.dumps({**content, "expires": 100.0, "machine": "elsewhere", "pid": 1, "started": "1"})
    )
    assert storage.prune() == []
    old = path.stat().st_mtime - 101
    os.utime(path, (old, old))
    assert len(storage.prune()) == 1
    assert not path.exists()


def test_the_lease_of_an_earlier_process_with_the_same_number_has_ended(local: FileStorage) -> None:
    fill(local, 1)
    name, content = leases.new_lease(safe_name("w"), [leases.mark(safe_name("t"), None)], 100.0, here=True)
    changed = {**json.loads(content), "started": "1"}
    path = Path(local.path, leases.FOLDER, name)
    path.parent.mkdir()
    path.write_text(json.dumps(changed))
    assert len(FileStorage(local.path, keep={"bytes": 1}).prune()) == 1


def test_a_lease_is_renewed(local: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWED", 0.0)
    renewed = threading.Event()
    lease = leases.Lease(renewed.set, lambda saved: None)
    assert renewed.wait(30)
    lease.release()


def test_a_lease_that_was_removed_by_hand_comes_back_when_it_is_renewed(local: FileStorage) -> None:
    lease = local.lease("w", {"t": print_of(0)})
    (path,) = Path(local.path, leases.FOLDER).iterdir()
    path.unlink()
    assert lease._renew is not None
    lease._renew()
    assert path.exists()
    lease.release()
    lease.release()
    assert not path.exists()


def test_where_no_lease_can_be_written_a_run_goes_on(local: FileStorage) -> None:
    Path(local.path).mkdir()
    Path(local.path, leases.FOLDER).write_text("in the way")
    for _ in range(2):
        wf = pipeline(local, 3)
        assert wf.run() == 3
    assert wf.last_run.report()[0]["source"] == "stored"


def test_threads_save_read_and_prune_at_once(local: FileStorage) -> None:
    errors: list[BaseException] = []
    storage = FileStorage(local.path, keep={"versions": 2, "bytes": 3_000})

    def work(seed: int) -> None:
        try:
            for n in range(40):
                code = (seed * 7 + n) % 5
                storage.save("w", f"t{n % 2}", code, fingerprint=print_of(code))
                if n % 8 == seed:
                    storage.prune()
                found = storage.lookup("w", f"t{n % 2}", fingerprint=print_of(code))
                if found is not None:
                    with contextlib.suppress(TaskNotFoundError):  # pruned
                        assert storage.read_task("w", f"t{n % 2}", fingerprint=print_of(code)) == code
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert errors == []


# --- cost ----------------------------------------------------------------------------------------------------


def test_memory_is_not_searched_once_for_each_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ls`, `info` and `find` of fsspec's memory go through everything in it: a few for a run, however many nodes."""
    calls: list[str] = []
    for name in ("ls", "info", "find", "rm", "glob", "walk"):
        real = getattr(MemoryFileSystem, name)

        def count(*args: Any, name: str = name, real: Any = real, **kwargs: Any) -> Any:
            calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(MemoryFileSystem, name, count)

    def cost(nodes: int) -> list[int]:
        storage = FileStorage(f"memory://cost{nodes}")
        counts = []
        for _ in range(2):
            calls.clear()
            wf = LocalWorkflow(*[same(i).set_name(f"n{i}") for i in range(nodes)], workflow_name="w")
            wf.set_storage(storage)
            assert wf.run() == list(range(nodes))
            counts.append(len(calls))
        return counts

    try:
        few, many = cost(20), cost(90)
        assert few == many
        assert max(many) < 10
        storage = FileStorage("memory://direct")
        calls.clear()
        for i in range(50):
            storage.save("w", f"n{i}", i, fingerprint=print_of(i))
            assert storage.lookup("w", f"n{i}", fingerprint=print_of(i))
            assert storage.file_exists("w", f"n{i}", fingerprint=print_of(i))
            assert storage.read_task("w", f"n{i}", fingerprint=print_of(i)) == i
        assert calls == []
    finally:
        fsspec.filesystem("memory").store.clear()
