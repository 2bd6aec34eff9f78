"""Signed files: nothing is unpickled that does not verify, and the key shows itself nowhere."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import DamagedTaskError, FileStorage, LocalWorkflow, StorageError, storage_factory, workflow
from fuse_widgets.storage import Fingerprint, taskfile
from tests.storage.test_one_bad_file import reseal
from tests.storage.test_versions import save_as_format_1

SECRET = "correct horse battery staple"
A, B = Fingerprint("a"), Fingerprint("b")
opened: list[str] = []


def note(text: str) -> str:
    opened.append(text)
    return text


class Evil:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> Any:
        return note, ("evil",)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    opened.clear()


@pytest.fixture
def signed(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "store", key=SECRET)


def test_what_was_signed_with_the_key_is_read(open_storage: Callable[..., FileStorage]) -> None:
    open_storage(key=SECRET).save("w", "t", [1, 2], fingerprint=A, meta={"seconds": 1})
    for key in (SECRET, SECRET.encode(), bytearray(SECRET, "ascii")):
        storage = open_storage(key=key)
        assert storage.read_task("w", "t", fingerprint=A) == [1, 2]
        assert storage.lookup("w", "t").meta == {"seconds": 1}
        assert storage.list_tasks("w") == ["t"]


UNTRUSTED: dict[str, tuple[Callable[[Path, FileStorage], Any], str]] = {
    "not signed": (
        lambda path, plain: plain.save("w", "t", Evil(), fingerprint=A),
        "it is not signed, and this storage has a key",
    ),
    "signed with another key": (
        lambda path, plain: FileStorage(plain.path, key="x").save("w", "t", Evil(), fingerprint=A),
        "its signature is wrong",
    ),
    "header changed": (
        lambda path, plain: path.write_bytes(path.read_bytes().replace(b'"saved_at": 1', b'"saved_at": 2')),
        "its signature is wrong",
    ),
    "header sealed without a key": (
        lambda path, plain: path.write_bytes(reseal(path.read_bytes(), lambda header: header)),
        "it is not signed",
    ),
    "header sealed with a checksum for a signature": (
        lambda path, plain: path.write_bytes(
            reseal(path.read_bytes(), lambda header: header)[:-8] + taskfile.SIGNED
        ),
        "its signature is wrong",
    ),
    "mark changed": (
        lambda path, plain: path.write_bytes(path.read_bytes()[:-8] + taskfile.MARK),
        "the checksum of its header is wrong",
    ),
    "payload of another file": (
        lambda path, plain: path.write_bytes(swap(path, plain)),
        "the checksum of its payload is wrong",
    ),
    "another version": (
        lambda path, plain: shutil.copy(
            FileStorage(plain.path, key=SECRET).lookup("w", "t", fingerprint=B).path, path
        ),
        "it was saved under another fingerprint",
    ),
    "another task": (
        lambda path, plain: shutil.copy(
            FileStorage(plain.path, key=SECRET).lookup("w", "other", fingerprint=A).path, path
        ),
        "it holds 'other' of workflow 'w'",
    ),
    "another workflow": (
        lambda path, plain: shutil.copy(
            FileStorage(plain.path, key=SECRET).lookup("v", "t", fingerprint=A).path, path
        ),
        "it holds 't' of workflow 'v'",
    ),
}


def swap(path: Path, plain: FileStorage) -> bytes:
    """The signed header of one file behind the payload of another one of the same size."""
    good = path.read_bytes()
    place = good.rindex(b"{", 0, good.rindex(b'"workflow"'))
    plain.save("evil", "t", Evil(), fingerprint=A)
    other = Path(plain.lookup("evil", "t").path).read_bytes()
    return (other[: other.rindex(b'{"workflow"')] + bytes(place))[:place] + good[place:]


@pytest.mark.parametrize("case", UNTRUSTED)
def test_nothing_is_unpickled_that_does_not_verify(signed: FileStorage, case: str) -> None:
    spoil, reason = UNTRUSTED[case]
    good = "good" * 30
    for place in (("w", "t", A), ("w", "t", B), ("w", "other", A), ("v", "t", A)):
        signed.save(*place[:2], good, fingerprint=place[2])
    path = Path(signed.lookup("w", "t", fingerprint=A).path)
    spoil(path, FileStorage(signed.path))
    with pytest.raises(DamagedTaskError) as caught:
        signed.read_task("w", "t", fingerprint=A)
    assert caught.value.reason.startswith(reason)
    assert opened == []
    assert signed.read_task("w", "t", fingerprint=B) == good
    stays = "signed" in case or "sealed" in case or "header changed" in case
    assert path.exists() == stays  # it may be good for somebody else
    assert (caught.value.set_aside is None) == stays
    signed.save("w", "t", "again", fingerprint=A)
    assert signed.read_task("w", "t", fingerprint=A) == "again"


def test_a_file_of_format_1_is_not_signed(signed: FileStorage) -> None:
    path = save_as_format_1(signed, "w", "t", Evil(), A)
    for ask in (
        lambda: signed.read_task("w", "t"),
        lambda: signed.read_task("w", "t", fingerprint=A),
        lambda: signed.lookup("w", "t"),
    ):
        with pytest.raises(DamagedTaskError, match="it is not signed"):
            ask()
    assert signed.list_tasks("w") == []
    assert [damaged.reason for damaged in signed.damaged()] == [
        "it is not signed, and this storage has a key"
    ]
    assert path.exists()
    assert opened == []


def test_a_signed_file_says_to_a_storage_without_a_key_what_is_missing(signed: FileStorage) -> None:
    signed.save("w", "t", 1, fingerprint=A)
    plain = FileStorage(signed.path)
    with pytest.raises(DamagedTaskError, match="it is signed, and this storage has no key"):
        plain.read_task("w", "t", fingerprint=A)
    assert plain.list_tasks("w") == []
    assert signed.read_task("w", "t", fingerprint=A) == 1


@workflow
def double(x: int) -> int:
    opened.append("ran")
    return 2 * x


def test_a_run_computes_again_what_does_not_verify(signed: FileStorage, caplog: Any) -> None:
    def run(storage: FileStorage) -> Any:
        wf = LocalWorkflow(double(4).set_name("d"), workflow_name="w")
        wf.set_storage(storage)
        assert wf.run() == 8
        return wf.last_run.report()[0]

    run(FileStorage(signed.path))
    row = run(signed)
    assert row["source"] == "computed"
    assert "it is not signed, and this storage has a key" in row["why"]
    assert run(signed)["source"] == "stored"
    assert run(FileStorage(signed.path, key="other"))["source"] == "computed"
    assert run(signed)["source"] == "computed"
    assert opened == ["ran"] * 4
    assert SECRET not in caplog.text


def test_the_key_shows_itself_nowhere(signed: FileStorage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = [repr(signed), str(signed), f"{signed}", repr(vars(signed)), repr(signed._key)]
    FileStorage(signed.path).save("w", "t", Evil())
    for fail in (
        lambda: signed.read_task("w", "t"),
        lambda: signed.read_task("w", "nothing"),
        lambda: signed.save("w", "t", (n for n in ())),
        lambda: signed.save("w", "t", 1, meta={"x": object()}),
        lambda: FileStorage("nope://x", key=SECRET),
        lambda: storage_factory({"kind": "file", "options": {"path": "x", "key": SECRET, "pth": 1}}),
        lambda: storage_factory({"kind": "file", "options": [("key", SECRET)]}),
        lambda: storage_factory([("kind", "file"), ("key", SECRET)]),  # type: ignore[arg-type]
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any
            fail()
        said.append(str(caught.value))
        frames = [*traceback.walk_tb(caught.value.__traceback__)]
        ours = [
            frame.f_locals for frame, _ in frames if "fuse_widgets/storage/file" in frame.f_code.co_filename
        ]
        said.append(repr([{name: value for name, value in each.items() if name != "self"} for each in ours]))
        said.append(repr(pickle.dumps(caught.value)))
    assert [text for text in said if SECRET in text] == []
    assert SECRET not in caplog.text
    assert repr(signed).endswith(", key=<key>)")


@pytest.mark.parametrize("key", ["", b"", 3, ["a"]])
def test_what_is_no_key_is_refused(tmp_path: Path, key: Any) -> None:
    with pytest.raises(StorageError, match="key must be bytes or a string, and not empty"):
        FileStorage(tmp_path, key=key)


def test_other_processes_sign_and_verify_with_the_same_storage(signed: FileStorage) -> None:
    script = (
        "import pickle, sys; storage = pickle.load(sys.stdin.buffer)\n"
        "storage.save('w', 'there', storage.read_task('w', 'here') + 1)"
    )
    signed.save("w", "here", 1)
    subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        input=pickle.dumps(signed),
        check=True,
    )
    assert signed.read_task("w", "there") == 2
