"""`InputFile`: the content of a file is part of a node's fingerprint."""

from __future__ import annotations

import dataclasses
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import FileStorage, InputFile, InputFileError, LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.storage import input_file
from fuse_widgets.storage.input_file import digest_of
from tests.lines import lines_run

from .notebook import fingerprint_all, node_of, notebook


@workflow
def read(path: Any) -> str:
    return Path(path).read_text()


@workflow
def upper(text: str) -> str:
    return text.upper()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("a")
    return path


def stored(tmp_path: Path, *nodes: Any, **options: Any) -> LocalWorkflow:
    made = LocalWorkflow(*nodes, workflow_name="w", **options)
    made.set_storage(FileStorage(tmp_path / "store"))
    return made


def test_the_function_gets_a_path_that_opens_the_file(data: Path) -> None:
    import pandas as pd

    file = InputFile(data.parent, "data.csv")
    assert (file, file.read_text(), file.name) == (data, "a", "data.csv")
    assert list(pd.read_csv(file).columns) == ["a"]
    with open(file) as content:
        assert content.read() == "a"
    again = pickle.loads(pickle.dumps(file))
    assert (type(again), again, repr(again)) == (InputFile, file, f"InputFile({str(data)!r})")


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_a_change_of_the_content_makes_the_node_run_again(executor: str, data: Path, tmp_path: Path) -> None:
    wf = stored(tmp_path, upper(read(InputFile(data)).set_name("read")).set_name("upper"), executor=executor)
    assert wf.run() == "A"
    os.utime(data, (1, 1))
    assert wf.run() == "A"
    assert [row["source"] for row in wf.last_run.report()] == ["stored", "stored"]
    data.write_text("b")
    os.utime(data, (1, 1))  # the time and the size are those of before
    assert wf.run() == "B"
    assert [row["why"] for row in wf.last_run.report()] == [f"file {data} changed", "parent read changed"]
    data.write_text("a")
    assert wf.run() == "A"
    assert [row["source"] for row in wf.last_run.report()] == ["stored", "stored"]


@dataclasses.dataclass
class Given:
    file: Any


@pytest.mark.parametrize(
    "wrap",
    [
        lambda file: [file],
        lambda file: {"k": (1, file)},
        lambda file: {file},
        lambda file: Given(file),
        lambda file: {"deep": [[Given([file])]]},
    ],
)
def test_files_count_wherever_they_stand_in_the_arguments(wrap: Any, data: Path) -> None:
    def now() -> Any:
        return fingerprint_all(node_of(notebook("def f(x): return x")["f"], wrap(InputFile(data))))

    before = now()
    assert now().difference(before) is None
    data.write_text("b")
    assert now().difference(before) == f"file {data} changed"


@pytest.mark.parametrize(
    "cell",
    [
        "def f(): return DATA.read_text()",
        "def f(path=DATA): return path.read_text()",
        "def make(path):\n def f(): return path.read_text()\n return f\nf = make(DATA)",
        "import functools\ndef g(path): return path.read_text()\nf = functools.partial(g, DATA)",
    ],
)
def test_files_count_in_code_as_well(cell: str, data: Path) -> None:
    def now() -> Any:
        return fingerprint_all(node_of(notebook(cell, DATA=InputFile(data))["f"]))

    before = now()
    assert now().difference(before) is None
    data.write_text("b")
    assert now().difference(before) == f"file {data} changed"


def test_another_path_is_another_argument_and_a_relative_one_is_the_same_everywhere(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "data.csv").write_text("a")
    one, two = (fingerprint_all(read(InputFile(path))) for path in (data, copy / "data.csv"))
    assert two.difference(one) is not None
    found = []
    for folder in (tmp_path, copy):
        monkeypatch.chdir(folder)
        found.append(fingerprint_all(read(InputFile("data.csv"))))
    assert found[1].difference(found[0]) is None


def test_what_is_no_file_is_an_error_of_its_node_and_names_the_path(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, text in (
        ("missing", "does not exist"),
        ("folder", r"is a folder: pass its files"),
        ("pipe", "must be a regular file"),
    ):
        path = tmp_path / name
        wf = stored(tmp_path, read(InputFile(path)).set_name(f"read_{name}"), upper("a").set_name("other"))
        with pytest.raises(NodeExecutionError, match=f"read_{name}.*{text}") as caught:
            wf.run()
        assert isinstance(caught.value.__cause__, InputFileError)
        assert repr(str(path)) in str(caught.value)
        assert wf.last_run.states["other"] in ("done", "cached")


def test_a_missing_file_is_named_without_storage_too(tmp_path: Path) -> None:
    with pytest.raises(NodeExecutionError, match=r"reads.*missing\.csv"):
        LocalWorkflow(read(InputFile(tmp_path / "missing.csv")).set_name("reads")).run()


def test_a_file_that_appears_during_the_run_is_read_and_its_result_not_used_again(tmp_path: Path) -> None:
    @workflow
    def write(text: str) -> str:
        (tmp_path / "made.txt").write_text(text)
        return text

    @workflow
    def read_after(_: str, path: Any) -> str:
        return Path(path).read_text()

    first = write("one").set_name("write")
    wf = stored(tmp_path, read_after(first, InputFile(tmp_path / "made.txt")).set_name("read"))
    assert wf.run() == "one"
    (tmp_path / "made.txt").write_text("two")
    assert wf.run() == "two"
    assert wf.run() == "two"
    assert [row["source"] for row in wf.last_run.report()] == ["stored", "stored"]


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_file_that_changes_while_its_node_runs_is_an_error_and_nothing_is_stored(
    executor: str, data: Path, tmp_path: Path
) -> None:
    @workflow
    def spoil(path: Any) -> str:
        text = Path(path).read_text()
        Path(path).write_text(text + "!")
        return text

    wf = stored(
        tmp_path, upper(spoil(InputFile(data)).set_name("spoil")).set_name("upper"), executor=executor
    )
    with pytest.raises(NodeExecutionError, match=r"spoil.*changed while the node ran: run again"):
        wf.run()
    assert wf.last_run.states["upper"] == "skipped"
    assert wf.storage.list_tasks("w") == []


def test_a_file_that_changes_before_its_node_begins_is_an_error_before_the_function_is_called(
    data: Path, tmp_path: Path
) -> None:
    called = []

    @workflow
    def change(path: str) -> str:
        Path(path).write_text("changed")
        return path

    @workflow
    def use(_: str, path: Any) -> None:
        called.append(path)

    wf = stored(tmp_path, use(change(str(data)), InputFile(data)).set_name("use"))
    with pytest.raises(NodeExecutionError, match=r"use.*changed after the run began"):
        wf.run()
    assert called == []


def test_a_plain_path_is_said_once_not_to_be_tracked(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "not there"
    wf = stored(
        tmp_path, read(data).set_name("reads"), upper(str(data)).set_name("text"), node_of(str, other)
    )
    with caplog.at_level(logging.WARNING, "fuse_widgets"):
        wf.run()
        wf.run()
        stored(tmp_path, read(Path(data)).set_name("reads too")).run()
    said = [record.getMessage() for record in caplog.records if "not tracked" in record.getMessage()]
    assert len(said) == 1
    assert "node 'reads'" in said[0]
    assert str(data) in said[0]
    assert "InputFile" in said[0]
    rows = {row["node"]: row["not_tracked"] for row in wf.last_run.report()}
    assert rows["reads"] == [f"the content of {data}"]
    assert rows["text"] == []


def test_what_is_no_path_on_this_machine_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a path on this machine, got 's3://bucket/a\.csv'"):
        InputFile("s3://bucket/a.csv")
    with pytest.raises(TypeError, match="needs the path of a file"):
        InputFile()


def test_a_large_file_is_read_once_while_it_does_not_change(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    real = input_file._read
    monkeypatch.setattr(input_file, "_read", lambda path: reads.append(path) or real(path))
    monkeypatch.setattr(input_file, "_RACY", 0)
    first = digest_of(data)
    assert digest_of(data) == digest_of(str(data)) == first
    assert len(reads) == 1
    data.write_text("b")
    assert digest_of(data) != first
    nodes = [read(InputFile(data)) for _ in range(100)]
    from fuse_widgets.storage.fingerprint import FingerprintCache, fingerprint

    cache = FingerprintCache()
    fingerprint(nodes[0], {}, cache=cache)
    reads.clear()
    assert lines_run(lambda: [fingerprint(node, {}, cache=cache) for node in nodes]) / len(nodes) < 300
    assert reads == []


def test_a_file_that_was_just_changed_is_read_again_since_its_time_may_be_the_same(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_file, "_stamp", lambda _: (0, 0, 1, 0, 2**62))
    before = digest_of(data)
    data.write_text("b")
    assert digest_of(data) != before


@pytest.mark.usefixtures("ray_cluster")
def test_files_count_on_ray_and_are_checked_where_the_node_runs(data: Path, tmp_path: Path) -> None:
    from fuse_widgets import RayWorkflow

    @workflow
    def text_of(path: Any) -> str:
        return Path(path).read_text()

    @workflow
    def spoil(path: Any) -> str:
        text = Path(path).read_text()
        Path(path).write_text(text + "!")
        return text

    def made(node: Any) -> RayWorkflow:
        wf = RayWorkflow(node.set_name("node"), workflow_name="w")
        wf.set_storage(FileStorage(tmp_path / "store"))
        return wf

    wf = made(text_of(InputFile(data)))
    assert wf.run() == "a"
    assert wf.run() == "a"
    assert wf.last_run.report()[0]["source"] == "stored"
    data.write_text("b")
    assert wf.run() == "b"
    assert wf.last_run.report()[0]["why"] == f"file {data} changed"
    with pytest.raises(NodeExecutionError, match=r"changed while the node ran.*\(on machine "):
        made(spoil(InputFile(data))).run()
