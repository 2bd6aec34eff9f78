"""One bad file spoils nothing else: it is logged once, listed, set aside, and its task is computed again."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import DamagedTaskError, FileStorage, LocalWorkflow, workflow
from fuse_widgets.storage import Fingerprint, StorageError, TaskNotFoundError, disks, taskfile
from fuse_widgets.storage.naming import safe_name

A = Fingerprint("a")


def reseal(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """Another header with a valid checksum."""
    size = taskfile.SEAL.size
    length = struct.unpack(">I", data[-size:][:4])[0]
    body, text = data[: -size - length], data[-size - length : -size]
    changed = change(json.loads(text))
    text = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    return body + text + taskfile.SEAL.pack(len(text), sha256(text).digest(), taskfile.MAGIC, taskfile.MARK)


def with_fields(**fields: Any) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        path.write_bytes(reseal(path.read_bytes(), lambda header: {**header, **fields}))

    return forge


def without(name: str) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        path.write_bytes(
            reseal(path.read_bytes(), lambda header: {k: v for k, v in header.items() if k != name})
        )

    return forge


def with_header(header: Any) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(reseal(path.read_bytes(), lambda _: header)) and None


def replaced(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)  # its address may have 107 bytes
        try:
            server.bind(f"/proc/self/fd/{here}/{path.name}"[-107:] if len(str(path)) > 100 else str(path))
        finally:
            os.close(here)


def make_sparse(path: Path) -> None:
    with open(path, "r+b") as file:
        file.truncate(1 << 40)


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, without an end
    except PermissionError:
        pytest.skip("only root can make a device")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[12] ^= 1
    path.write_bytes(data)


#: What one file can be, with whether a listing can see it without reading the result.
BAD: dict[str, tuple[Callable[[Path], None], bool]] = {
    "empty": (lambda path: path.write_bytes(b"") and None, True),
    "zeros": (lambda path: path.write_bytes(bytes(5000)) and None, True),
    "link to itself": (replaced(lambda path: path.symlink_to(path)), True),
    "link to nothing": (replaced(lambda path: path.symlink_to("/nonexistent/x")), True),
    "link to a device": (replaced(lambda path: path.symlink_to("/dev/zero")), True),
    "FIFO": (replaced(os.mkfifo), True),
    "folder": (replaced(lambda path: path.mkdir()), True),
    "full folder": (replaced(lambda path: (path / "a").mkdir(parents=True)), True),
    "socket": (replaced(make_socket), True),
    "device": (replaced(make_device), True),
    "a terabyte of nothing": (make_sparse, True),
    "payload": (flip, False),
    "no object": (with_header([1]), True),
    "a number": (with_header(3), True),
    "no JSON": (with_header(b"{"), True),
    "no UTF-8": (with_header(b"\xff\xfe{}"), True),
    "deep": (with_header(b"[" * 200_000), True),
    "no format": (without("format"), True),
    "format of words": (with_fields(format="new"), True),
    "format yes": (with_fields(format=True), True),
    "negative format": (with_fields(format=-1), True),
    "no workflow": (without("workflow"), True),
    "task is a number": (with_fields(task=3), True),
    "task is null": (with_fields(task=None), True),
    "another task": (with_fields(task="y"), True),
    "no key": (without("key"), True),
    "key is a list": (with_fields(key=["a"]), True),
    "another key": (with_fields(key="0" * 32), True),
    "no meta": (without("meta"), True),
    "meta is a list": (with_fields(meta=[1]), True),
    "meta is null": (with_fields(meta=None), True),
    "fingerprint is a string": (with_fields(fingerprint="code"), True),
    "fingerprint of numbers": (with_fields(fingerprint={"code": 1}), True),
    "fingerprint with odd groups": (with_fields(fingerprint={"code": "a", "names": [1]}), True),
    "no parts": (without("parts"), True),
    "empty parts": (with_fields(parts=[]), True),
    "negative parts": (with_fields(parts=[-1, 20]), True),
    "huge parts": (with_fields(parts=[10**30]), True),
    "parts of words": (with_fields(parts=["a"]), True),
    "parts are yes": (with_fields(parts=[True]), True),
    "time of words": (with_fields(saved_at="now"), True),
    "time without end": (with_header(b'{"saved_at": Infinity}'), True),
    "time beyond": (with_fields(saved_at=1e300), True),
    "no checksum": (without("sha256"), True),
    "checksum of words": (with_fields(sha256="right"), False),
}


@workflow
def tell(task: str) -> str:
    return f"value of {task}"


def run(storage: FileStorage) -> LocalWorkflow:
    wf = LocalWorkflow(*[tell(task).set_name(task) for task in "xyz"], workflow_name="w")
    wf.set_storage(storage)
    assert wf.run() == ["value of x", "value of y", "value of z"]
    return wf


def path_of(storage: FileStorage, task: str = "x") -> Path:
    return Path(storage.lookup("w", task).path)


@pytest.mark.parametrize("case", BAD)
def test_one_bad_file_spoils_nothing_else(
    local: FileStorage, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, seen = BAD[case]
    run(local)
    path = path_of(local)
    spoil(path)
    assert local.list_tasks("w") == (["y", "z"] if seen else ["x", "y", "z"])
    assert local.list_workflows() == ["w"]
    assert local.usage().versions == 3
    assert local.prune() == []
    assert local.file_exists("w", "y")
    if seen:
        (damaged,) = local.damaged("w")
        assert (damaged.path, damaged.set_aside, damaged.workflow) == (str(path), False, "w")
        assert len([message for message in caplog.messages if str(path) in message]) == 1
    caplog.clear()
    wf = run(local)
    sources = {row["node"]: row["source"] for row in wf.last_run.report()}
    assert sources == {"x": "computed", "y": "stored", "z": "stored"}
    (logged,) = caplog.messages
    assert str(path) in logged
    assert f"was set aside as {path}.damaged-1" in logged
    (notice,) = [e.detail["notice"] for e in wf.last_run.events if "notice" in (e.detail or {})]
    assert "'x'" in notice
    assert os.path.lexists(f"{path}.damaged-1")
    caplog.clear()
    wf = run(local)
    assert {row["source"] for row in wf.last_run.report()} == {"stored"}
    assert local.list_tasks("w") == ["x", "y", "z"]
    (damaged,) = local.damaged()
    assert (damaged.path, damaged.set_aside) == (f"{path}.damaged-1", True)
    assert damaged.reason
    assert caplog.messages == []
    assert local.usage().damaged == 1


@pytest.mark.parametrize("number", ["EACCES", "EIO", "EPERM"])
def test_a_file_that_cannot_be_opened_is_set_aside(
    local: FileStorage, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    """Root may open everything, so opening is made to fail."""
    import errno

    run(local)
    path, real = path_of(local), os.open

    def refuse(name: Any, *args: Any, **kwargs: Any) -> int:
        if os.fspath(name) == str(path):
            raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    assert local.list_tasks("w") == ["y", "z"]
    assert [damaged.path for damaged in local.damaged("w")] == [str(path)]
    wf = run(local)
    assert {row["node"]: row["source"] for row in wf.last_run.report()}["x"] == "computed"
    assert os.path.exists(f"{path}.damaged-1")


def test_a_file_that_cannot_be_read_to_its_end_is_set_aside(
    local: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.save("w", "x", 1)
    path = path_of(local)

    def fail(self: Any, *args: Any) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disks.LocalSource, "read", fail)
    with pytest.raises(
        DamagedTaskError, match=r"it cannot be read: Input/output error .*It was set aside as"
    ):
        local.read_task("w", "x")
    monkeypatch.undo()
    assert not path.exists()


class Raises:
    """A result whose pickle raises."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> Any:
        return exec, (self.code,)


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(3)",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "import sys; sys.exit()",
        "class Own(BaseException): pass\nraise Own",
    ],
)
@pytest.mark.parametrize("thread", [False, True])
def test_a_pickle_that_ends_programs_is_damage(local: FileStorage, code: str, thread: bool) -> None:
    local.save("w", "x", Raises(code), fingerprint=A)
    path, caught = path_of(local), []

    def read() -> None:
        try:
            local.read_task("w", "x", fingerprint=A)
        except BaseException as error:
            caught.append(error)

    if thread:
        reader = threading.Thread(target=read)
        reader.start()
        reader.join()
    else:
        read()
    assert isinstance(caught[0], DamagedTaskError)
    assert caught[0].reason.startswith("unpickling it raised ")
    assert caught[0].set_aside == f"{path}.damaged-1"
    assert local.damaged()[0].reason.startswith("it was set aside, and its checksums are right")
    with pytest.raises(TaskNotFoundError):
        local.read_task("w", "x", fingerprint=A)


def test_a_real_interrupt_while_a_result_is_unpickled_interrupts(local: FileStorage) -> None:
    local.save("w", "x", Raises("import signal; signal.raise_signal(signal.SIGINT)"))
    with pytest.raises(KeyboardInterrupt):
        local.read_task("w", "x")
    assert local.damaged() == []
    assert local.list_tasks("w") == ["x"]


def test_a_thread_that_is_interrupted_while_it_unpickles_is_interrupted(local: FileStorage) -> None:
    code = (
        "import threading; from fuse_widgets.engine._interrupt import raise_in\n"
        "raise_in(threading.get_ident(), KeyboardInterrupt)\nfor _ in range(1000000): pass"
    )
    local.save("w", "x", Raises(code))
    caught: list[BaseException] = []

    def read() -> None:
        try:
            local.read_task("w", "x")
        except BaseException as error:
            caught.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join()
    assert [type(error) for error in caught] == [KeyboardInterrupt]
    assert local.damaged() == []


@pytest.mark.parametrize("case", ["folder", "full folder", "FIFO", "link to itself", "socket"])
def test_a_result_is_saved_where_something_else_stands(local: FileStorage, case: str) -> None:
    local.save("w", "x", 1)
    path = Path(local.lookup("w", "x").path)
    BAD[case][0](path)
    local.save("w", "x", 2)
    assert local.read_task("w", "x") == 2
    if "folder" in case:
        assert [damaged.path for damaged in local.damaged()] == [f"{path}.damaged-1"]


# --- folders and other files ---------------------------------------------------------------------------------

ODD_WORKFLOW = {
    "empty": lambda path: path.write_bytes(b""),
    "no JSON": lambda path: path.write_bytes(b"{"),
    "a list": lambda path: path.write_text('["w"]'),
    "a number": lambda path: path.write_text("3"),
    "no name": lambda path: path.write_text('{"name": "w"}'),
    "another name": lambda path: path.write_text('{"workflow": "v"}'),
    "a number for a name": lambda path: path.write_text('{"workflow": 3}'),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "no UTF-8": lambda path: path.write_bytes(b"\xff\xff"),
    "FIFO": replaced(os.mkfifo),
    "folder": replaced(lambda path: path.mkdir()),
    "link to itself": replaced(lambda path: path.symlink_to(path)),
    "link to a device": replaced(lambda path: path.symlink_to("/dev/zero")),
    "socket": replaced(make_socket),
}


@pytest.mark.parametrize("case", ODD_WORKFLOW)
def test_an_odd_workflow_json_spoils_nothing(
    local: FileStorage, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(local)
    path = Path(local.path, safe_name("w"), "workflow.json")
    ODD_WORKFLOW[case](path)
    assert local.list_workflows() == ["w"]
    assert local.list_tasks("w") == ["x", "y", "z"]
    assert [damaged.path for damaged in local.damaged()] == [str(path)]
    assert len([message for message in caplog.messages if str(path) in message]) == 1
    assert list(local.usage().workflows) == ["w"]
    wf = run(local)
    assert {row["source"] for row in wf.last_run.report()} == {"stored"}
    assert [damaged.path for damaged in local.damaged()] == [f"{path}.damaged-1"]


def test_foreign_files_and_folders_of_any_name_are_passed_over(local: FileStorage) -> None:
    run(local)
    folder = Path(local.path, safe_name("w"))
    for where in (Path(local.path), folder):
        (where / "notes.txt").write_text("mine")
        (where / "x.task").write_text("mine")
        os.mkfifo(where / "pipe.task")
        (where / "loop").symlink_to("loop")
        with open(os.fsencode(where) + b"/\xff\xfe.task", "wb") as file:
            file.write(b"no UTF-8 in its name")
        os.mkdir(os.fsencode(where) + b"/\xff\xfe-" + b"0" * 32)
    loop = Path(local.path, safe_name("loop"))
    loop.symlink_to(loop)
    os.mkfifo(Path(local.path, safe_name("pipe")))
    Path(local.path, safe_name("foreign")).mkdir()
    assert local.list_workflows() == ["w"]
    assert local.list_tasks("w") == ["x", "y", "z"]
    assert local.list_tasks("foreign") == []
    assert local.usage().versions == 3
    assert local.prune() == []
    assert {Path(damaged.path) for damaged in local.damaged()} == {loop, Path(local.path, safe_name("pipe"))}
    wf = run(local)
    assert {row["source"] for row in wf.last_run.report()} == {"stored"}
    assert (folder / "notes.txt").exists()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("/nonexistent"),
        os.mkfifo,
        lambda path: path.write_text("a file"),
        make_socket,
    ],
)
def test_what_stands_in_the_place_of_a_workflow_is_set_aside(
    local: FileStorage, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    Path(local.path).mkdir()
    path = Path(local.path, safe_name("w"))
    make(path)
    assert local.list_workflows() == []
    assert local.list_tasks("w") == []
    assert local.lookup("w", "x") is None
    assert local.usage().bytes == 0
    assert local.prune() == []
    assert [(d.path, d.set_aside) for d in local.damaged("w")] == [(str(path), False)]
    assert len([message for message in caplog.messages if str(path) in message]) == 1
    wf = run(local)
    assert {row["source"] for row in wf.last_run.report()} == {"computed"}
    assert os.path.lexists(f"{path}.damaged-1")
    assert [(d.path, d.set_aside) for d in local.damaged()] == [(f"{path}.damaged-1", True)]
    assert {row["source"] for row in run(local).last_run.report()} == {"stored"}
    assert local.list_workflows() == ["w"]


def test_old_partial_files_are_deleted_only_inside_the_folder(local: FileStorage, tmp_path: Path) -> None:
    run(local)
    outside = tmp_path / "outside"
    outside.mkdir()
    name = f"0123456789ab-7-0{disks.PART}"
    for path in (outside / name, outside / "mine"):
        path.write_text("precious")
        os.utime(path, (0, 0))
    folder = Path(local.path, safe_name("w"))
    link = folder / f"0123456789ab-7-1{disks.PART}"
    link.symlink_to(outside / "mine")
    os.utime(link, (0, 0), follow_symlinks=False)
    inner = folder / f"0123456789ab-7-2{disks.PART}"
    inner.symlink_to(outside)
    os.utime(inner, (0, 0), follow_symlinks=False)
    (folder / f"0123456789ab-7-3{disks.PART}").mkdir()
    Path(local.path, safe_name("elsewhere")).symlink_to(outside)
    local.new_workflow("w")
    local.new_workflow("elsewhere")
    assert (outside / name).read_text() == "precious"
    assert (outside / "mine").read_text() == "precious"
    assert not os.path.lexists(link)
    assert not os.path.lexists(inner)


def test_removing_a_workflow_that_is_a_link_removes_the_link(local: FileStorage, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("precious")
    local.new_workflow("other")
    link = Path(local.path, safe_name("w"))
    link.symlink_to(outside)
    local.remove_workflow("w")
    assert not os.path.lexists(link)
    assert (outside / "mine").exists()


def test_removing_a_task_removes_whatever_stands_there(local: FileStorage) -> None:
    for spoil in (
        os.mkfifo,
        lambda path: (path / "a").mkdir(parents=True),
        lambda path: path.symlink_to(path),
    ):
        local.save("w", "x", 1)
        path = path_of(local)
        path.unlink()
        spoil(path)
        local.remove_task("w", "x")
        assert not os.path.lexists(path)


def test_a_result_that_does_not_fit_into_memory_is_not_damage(
    local: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.save("w", "x", 1)

    def too_large(*args: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(taskfile, "read_result", too_large)
    with pytest.raises(StorageError, match="does not fit into memory") as caught:
        local.read_task("w", "x")
    assert not isinstance(caught.value, DamagedTaskError)
    monkeypatch.undo()
    assert local.read_task("w", "x") == 1


def test_meta_larger_than_any_header_is_refused(local: FileStorage) -> None:
    with pytest.raises(StorageError, match=r"more than 8,388,608: save what is large as a result"):
        local.save("w", "x", 1, meta={"log": "x" * (1 << 23)})


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"half"), lambda path: path.unlink()])
def test_a_lease_that_cannot_be_read_spoils_nothing(local: FileStorage, spoil: Any) -> None:
    leases = Path(local.path, "leases")
    leases.mkdir(parents=True)
    os.mkfifo(leases / "a.lease")
    (leases / "b.lease").symlink_to("b.lease")
    (leases / "c.lease").mkdir()
    (leases / "d.lease").write_text('{"folder": 3}')
    (leases / "e.lease").write_bytes(b"[" * 100_000)
    for _ in range(2):
        run(local)
    assert local.prune() == []
    assert FileStorage(local.path, keep=1).prune() == []
