"""What happens to saved tasks when files are damaged, writers die and disks are full."""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from fuse_widgets.storage import DamagedTaskError, FileStorage, StorageError, disks, remote, taskfile
from fuse_widgets.storage.base import TaskNotFoundError

ARRAY = np.arange(20_000.0)


@pytest.fixture
def task(local) -> Path:
    """The file of a saved task."""
    local.save("wf", "fit a", [ARRAY, "text"], meta={"seconds": 2})
    return Path(local.lookup("wf", "fit a").path)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def with_header(data: bytes, **changes) -> bytes:
    """A task file whose header says something else, sealed anew."""
    length = struct.unpack(">I", data[-taskfile.SEAL.size :][:4])[0]
    body, text = (
        data[: -taskfile.SEAL.size - length],
        data[-taskfile.SEAL.size - length : -taskfile.SEAL.size],
    )
    text = json.dumps({**json.loads(text), **changes}).encode()
    seal = taskfile.SEAL.pack(len(text), sha256(text).digest(), taskfile.MAGIC, taskfile.MARK)
    return body + text + seal


HEADER_DAMAGE = {
    "empty": (lambda data: b"", "it is empty"),
    "a few bytes": (lambda data: data[:40], "it has 40 bytes, fewer than any task"),
    "half": (lambda data: data[: len(data) // 2], "its end is missing, or it is not a task file"),
    "one byte short": (lambda data: data[:-1], "its end is missing, or it is not a task file"),
    "one byte more": (lambda data: data + b"\0", "its end is missing, or it is not a task file"),
    "begin missing": (lambda data: data[100:], "it has 160"),
    "a picture": (lambda data: b"\x89PNG" * 100, "its end is missing, or it is not a task file"),
    "another seal": (lambda data: data[:-10] + b"XX" + data[-8:], "it is not a task file"),
    "header length": (
        lambda data: data[:-52] + b"\xff" + data[-51:],
        "its header is longer than the file",
    ),
    "header": (lambda data: data[:-60] + b"\0" + data[-59:], "the checksum of its header is wrong"),
    "another task": (lambda data: with_header(data, task="fit b"), "it holds 'fit b' of workflow 'wf'"),
    "another workflow": (lambda data: with_header(data, workflow="v"), "it holds 'fit a' of workflow 'v'"),
}

PAYLOAD_DAMAGE = {
    "in the pickle": (lambda data: data[:20] + b"\xff" + data[21:], "the checksum of its payload is wrong"),
    "in an array": (
        lambda data: data[:9_000] + b"\xff" + data[9_001:],
        "the checksum of its payload is wrong",
    ),
    "at its begin": (lambda data: b"X" + data[1:], "it does not begin as a task file does"),
}


@pytest.mark.parametrize("case", [*HEADER_DAMAGE, *PAYLOAD_DAMAGE])
def test_reading_a_damaged_task_sets_it_aside_and_says_so(local, task, case):
    damage, reason = {**HEADER_DAMAGE, **PAYLOAD_DAMAGE}[case]
    data = damage(task.read_bytes())
    task.write_bytes(data)
    with pytest.raises(DamagedTaskError) as caught:
        local.read_task("wf", "fit a")
    error = caught.value
    assert error.reason.startswith(reason)
    assert error.set_aside == f"{task}.damaged-1"
    assert Path(error.set_aside).read_bytes() == data
    assert str(error) == (
        f"the file of task 'fit a' of workflow 'wf' is not used: {error.reason} ({task}). "
        f"It was set aside as {task}.damaged-1; the node has to run again."
    )
    with pytest.raises(TaskNotFoundError):
        local.read_task("wf", "fit a")
    assert local.list_tasks("wf") == []


@pytest.mark.parametrize("case", HEADER_DAMAGE)
def test_lookup_reports_what_it_can_see_without_the_result(local, task, case):
    damage, reason = HEADER_DAMAGE[case]
    task.write_bytes(damage(task.read_bytes()))
    assert local.list_tasks("wf") == []
    with pytest.raises(DamagedTaskError) as caught:
        local.lookup("wf", "fit a")
    assert caught.value.reason.startswith(reason)
    assert local.lookup("wf", "fit a") is None


def test_file_exists_is_false_for_a_damaged_task_which_is_logged_once(local, task, caplog):
    flip(task, -60)
    assert local.file_exists("wf", "fit a") is False
    assert local.file_exists("wf", "fit a") is False
    (logged,) = caplog.messages
    assert f"the checksum of its header is wrong ({task})" in logged


def test_each_damaged_file_is_kept(local, task):
    for n in (1, 2, 3):
        local.save("wf", "fit a", n)
        flip(task, 10)
        with pytest.raises(DamagedTaskError) as caught:
            local.read_task("wf", "fit a")
        assert caught.value.set_aside == f"{task}.damaged-{n}"
    local.save("wf", "fit a", "good")
    assert local.read_task("wf", "fit a") == "good"


def test_damage_everywhere_else(open_storage):
    storage = open_storage()
    storage.save("wf", "fit a", ARRAY)
    disk = storage._disk
    folder, name = storage.lookup("wf", "fit a").path.split("/")[-2:]
    disk.write(folder, name, lambda sink: sink.write(b"half a ta"))
    disk.write(folder, "notes.task", lambda sink: sink.write(b"foreign"))
    disk.write("a folder", "notes.txt", lambda sink: sink.write(b"foreign"))
    assert storage.list_tasks("wf") == []
    with pytest.raises(DamagedTaskError, match="it has 9 bytes, fewer than any task") as caught:
        storage.read_task("wf", "fit a")
    assert caught.value.set_aside.endswith(f"{name}.damaged-1")
    assert storage.lookup("wf", "fit a") is None
    storage.save("wf", "fit a", 1)
    assert storage.read_task("wf", "fit a") == 1
    assert storage.list_workflows() == ["wf"]


def test_a_task_copied_to_another_name_is_foreign(local, task):
    local.save("wf", "fit b", "b")
    other = Path(local.lookup("wf", "fit b").path)
    other.write_bytes(task.read_bytes())
    assert local.list_tasks("wf") == ["fit a"]
    with pytest.raises(DamagedTaskError, match="it holds 'fit a' of workflow 'wf'"):
        local.read_task("wf", "fit b")


def test_a_file_of_a_later_version_is_left_where_it_is(local, task):
    task.write_bytes(with_header(task.read_bytes(), format=3))
    for ask in (local.read_task, local.lookup):
        with pytest.raises(
            StorageError, match=r"saved by a later version of fuse_widgets \(format 3\)"
        ) as caught:
            ask("wf", "fit a")
        assert not isinstance(caught.value, DamagedTaskError)
    assert task.exists()
    assert local.list_tasks("wf") == []


def test_a_task_saved_anew_while_the_old_was_read_is_not_set_aside(local, task, monkeypatch):
    flip(task, 10)
    original = taskfile.read_result

    def read_and_replace(source, header):
        local.save("wf", "fit a", "new")
        return original(source, header)

    monkeypatch.setattr(taskfile, "read_result", read_and_replace)
    with pytest.raises(DamagedTaskError, match="It has been saved again meanwhile") as caught:
        local.read_task("wf", "fit a")
    assert caught.value.set_aside is None
    monkeypatch.undo()
    assert local.read_task("wf", "fit a") == "new"


def test_a_damaged_task_that_cannot_be_set_aside_is_still_not_used(local, task, monkeypatch):
    flip(task, 10)

    def refuse(*paths):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(disks.LocalDisk, "set_aside", refuse)
    with pytest.raises(DamagedTaskError, match=r"could not be set aside .Read-only file system") as caught:
        local.read_task("wf", "fit a")
    assert caught.value.set_aside is None


WRITER = """
import os, sys
from fuse_widgets.storage import FileStorage
class Slow:
    def __init__(self): self.before = b"x" * 3_000_000
    def __reduce__(self):
        return bytes, (self.before, Stop())
class Stop:
    def __reduce__(self):
        print("writing", flush=True)
        sys.stdin.read()
storage = FileStorage(sys.argv[1])
storage.save("wf", "fit a", Slow())
"""


def test_a_writer_killed_midway_leaves_the_earlier_task_and_its_leavings_go(local, task):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, local.path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    local.new_workflow("wf")
    parts = [path for path in task.parent.iterdir() if path.suffix == disks.PART]
    assert len(parts) == 1  # being written: it stays
    assert parts[0].stat().st_size > 2_000_000
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert local.list_tasks("wf") == ["fit a"]
    assert local.read_task("wf", "fit a")[1] == "text"
    assert parts[0].exists()
    local.new_workflow("wf")
    assert not parts[0].exists()
    assert local.read_task("wf", "fit a")[1] == "text"


def test_leavings_of_other_machines_go_after_a_day(local, task):
    old, new = (task.parent / f"0123456789ab-7-{n}{disks.PART}" for n in (1, 2))
    for path in (old, new):
        path.write_bytes(b"half")
    yesterday = old.stat().st_mtime - disks.STALE - 60
    os.utime(old, (yesterday, yesterday))
    local.new_workflow("wf")
    assert (old.exists(), new.exists()) == (False, True)
    assert local.list_tasks("wf") == ["fit a"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    where = tmp_path / "small"
    where.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(where)], capture_output=True)
    if made.returncode:
        pytest.skip("cannot mount a small tmpfs here")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_a_full_disk_is_named_and_earlier_tasks_stay(small_disk):
    storage = FileStorage(small_disk)
    storage.save("wf", "fit a", "old")
    with pytest.raises(StorageError) as caught:
        storage.save("wf", "fit a", os.urandom(3_000_000))
    path = storage.lookup("wf", "fit a").path
    assert str(caught.value) == (
        f"task 'fit a' of workflow 'wf' could not be saved in {path}: No space left on device. "
        "Free some space there, or give the storage another path. What was saved before is intact."
    )
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert storage.read_task("wf", "fit a") == "old"
    assert [entry.name for entry in Path(path).parent.iterdir()] == [Path(path).name]
    storage.save("wf", "fit b", os.urandom(500_000))
    assert storage.list_tasks("wf") == ["fit a", "fit b"]


def test_a_read_only_disk_is_named_and_still_read(small_disk):
    storage = FileStorage(small_disk)
    storage.save("wf", "fit a", "old")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for change in (
        lambda: storage.save("wf", "fit a", "new"),
        lambda: storage.new_workflow("other"),
        lambda: storage.remove_task("wf", "fit a"),
        lambda: storage.remove_workflow("wf"),
    ):
        with pytest.raises(
            StorageError, match=r"Read-only file system. Check that this user may write there"
        ) as caught:
            change()
        assert caught.value.workflow in ("wf", "other")
    storage.new_workflow("wf")
    assert storage.read_task("wf", "fit a") == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_at_the_last_moment_leaves_nothing(local, task, monkeypatch, number):
    def fail(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=os.strerror(number)):
        local.save("wf", "fit a", "new")
    assert [path.name for path in task.parent.iterdir()] == [task.name]
    assert local.read_task("wf", "fit a")[1] == "text"


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "store").write_text("a file")
    storage = FileStorage(tmp_path / "store")
    for ask in (
        lambda: storage.save("wf", "t", 1),
        lambda: storage.lookup("wf", "t"),
        lambda: storage.list_tasks("wf"),
    ):
        with pytest.raises(StorageError, match="Not a directory"):
            ask()


def test_an_object_store_that_is_gone_is_named(s3):
    storage = FileStorage("s3://no-such-bucket/tasks", storage_options=s3)
    with pytest.raises(
        StorageError, match=r"task 't' of workflow 'wf' could not be saved in s3://no-such-bucket/tasks/"
    ):
        storage.save("wf", "t", 1)
    assert storage.lookup("wf", "t") is None


def test_an_upload_that_breaks_puts_nothing(s3, monkeypatch):
    storage = FileStorage("s3://bucket/broken", storage_options=s3)
    storage.save("wf", "t", "old")
    monkeypatch.setattr(remote, "IN_MEMORY", 1000)
    monkeypatch.setattr(remote.shutil, "copyfileobj", _break)
    with pytest.raises(StorageError, match=r"could not be saved in s3://bucket/broken/.*connection lost"):
        storage.save("wf", "t", os.urandom(100_000))
    assert storage.read_task("wf", "t") == "old"


def _break(source, target, length):
    target.write(source.read(1000))
    raise ConnectionError("connection lost")


def test_other_processes_save_and_read_with_the_same_storage(local):
    script = textwrap.dedent(
        """
        import pickle, sys
        storage = pickle.load(sys.stdin.buffer)
        storage.save("wf", "from there", storage.read_task("wf", "from here") + 1)
        """
    )
    import pickle

    local.save("wf", "from here", 1)
    subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        input=pickle.dumps(local),
        check=True,
    )
    assert local.read_task("wf", "from there") == 2
