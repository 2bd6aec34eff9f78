"""What every storage owes, on a local folder, in memory, in an object store, on a plain remote file system."""

from __future__ import annotations

import json
import os
import pickle
import re
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fuse_widgets import storage as storage_room
from fuse_widgets.engine.errors import FuseError, PatternError
from fuse_widgets.storage import (
    FileStorage,
    Fingerprint,
    StorageError,
    TaskNotFoundError,
    UnloadableResultError,
    UnsaveableResultError,
    storage_factory,
)
from fuse_widgets.storage.base import Storage, register_kind
from fuse_widgets.storage.naming import safe_name

NAMES = [
    *(
        "plain",
        "moons, RBF SVM-model",
        "a/b",
        "../../etc/passwd",
        "..",
        ".",
        "",
        " ",
        "/",
        "\\",
        "C:\\x",
        "~",
    ),
    *(
        "A",
        "a",
        "é",
        "e\u0301",
        "con",
        "NUL.txt",
        "x.task",
        "x.part",
        "workflow.json",
        "*?<>|:\"'",
        "line\nbreak\0",
    ),
    *(
        "🌋 emoji",
        "<script>alert(1)</script>",
        "%2e%2e%2f",
        "\ud800 lone",
        "x" * 10_000,
        "x" * 9_999 + "y",
        "-rf",
    ),
]


def test_a_result_comes_back(storage):
    result = {"a": [1, (2, {3})], "b": np.arange(5), "f": lambda x: x + 1}
    storage.save("wf", "task", result)
    back = storage.read_task("wf", "task")
    assert back["a"] == [1, (2, {3})]
    assert back["b"].tolist() == [0, 1, 2, 3, 4]
    assert back["f"](1) == 2


@pytest.mark.parametrize("result", [None, False, 0, "", float("inf"), b"\0" * 300_000], ids=repr)
def test_plain_results_come_back(local, result):
    local.save("wf", "task", result)
    assert local.read_task("wf", "task") == result


def test_arrays_come_back_as_they_were(storage):
    frozen = np.arange(100_000.0)
    frozen.flags.writeable = False
    arrays = [np.arange(100_000.0), frozen, np.asfortranarray(np.ones((300, 400))), np.arange(200_000)[::2]]
    storage.save("wf", "arrays", arrays)
    back = storage.read_task("wf", "arrays")
    assert [a.tobytes() for a in back] == [a.tobytes() for a in arrays]
    assert [a.flags.writeable for a in back] == [True, False, True, True]
    assert back[2].flags.f_contiguous


def test_saving_again_replaces(open_storage):
    open_storage().save("wf", "task", 1)
    open_storage().save("wf", "task", 2)
    assert open_storage().read_task("wf", "task") == 2
    assert open_storage().list_tasks("wf") == ["task"]


def test_what_is_not_there(storage):
    assert storage.lookup("wf", "task") is None
    assert storage.file_exists("wf", "task") is False
    assert storage.list_tasks("wf") == []
    assert storage.list_workflows() == []
    storage.remove_task("wf", "task")
    storage.remove_workflow("wf")
    with pytest.raises(TaskNotFoundError, match="no task 'task' of workflow 'wf' in ") as caught:
        storage.read_task("wf", "task")
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, FuseError)
    assert (caught.value.workflow, caught.value.task) == ("wf", "task")


def test_lookup_tells_what_was_saved_without_the_result(storage):
    made = Fingerprint("c0de", {"x": "1"}, {"p": "2"}, {"g": "3"})
    storage.save("wf", "task", np.zeros(100_000), fingerprint=made, meta={"seconds": 1.5, "note": "é"})
    record = storage.lookup("wf", "task")
    assert (record.workflow_name, record.task_name) == ("wf", "task")
    assert record.fingerprint == made
    assert record.meta == {"seconds": 1.5, "note": "é"}
    assert 800_000 < record.size < 801_000
    assert record.path.startswith(storage.path)
    assert re.fullmatch(
        r"<task 'task' of 'wf': 800,\d{3} bytes, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d>", repr(record)
    )
    storage.save("wf", "other", 1)
    assert storage.lookup("wf", "other").fingerprint is None
    assert storage.lookup("wf", "other").saved_at >= record.saved_at


def test_a_header_longer_than_one_read(storage):
    storage.save("wf", "n" * 10_000, 1, meta={"log": "x" * 50_000})
    assert len(storage.lookup("wf", "n" * 10_000).meta["log"]) == 50_000
    assert storage.read_task("wf", "n" * 10_000) == 1


def test_lists(storage):
    for task in ("load", "fit b", "fit a"):
        storage.save("wf", task, 0)
    storage.save("other", "x", 0)
    storage.new_workflow("empty")
    storage.new_workflow("empty")
    assert storage.list_tasks("wf") == ["fit a", "fit b", "load"]
    assert storage.list_tasks("wf", "fit .") == ["fit a", "fit b"]
    assert storage.list_tasks("wf", "fit") == []
    assert storage.list_tasks("empty") == []
    assert storage.list_workflows() == ["empty", "other", "wf"]
    with pytest.raises(PatternError, match="is not a regular expression"):
        storage.list_tasks("wf", "(")


def test_removing(storage):
    for task in ("a", "b"):
        storage.save("wf", task, 0)
    storage.save("other", "a", 1)
    storage.remove_task("wf", "a")
    assert storage.list_tasks("wf") == ["b"]
    storage.remove_workflow("wf")
    assert storage.list_tasks("wf") == []
    assert storage.list_workflows() == ["other"]
    assert storage.read_task("other", "a") == 1


def test_names_of_any_characters_are_kept_apart(storage):
    for i, name in enumerate(NAMES):
        storage.save("wf", name, i)
    assert storage.list_tasks("wf") == sorted(NAMES)
    assert [storage.read_task("wf", name) for name in NAMES[:12]] == list(range(12))


def test_workflow_names_of_any_characters_are_kept_apart(local):
    for i, name in enumerate(NAMES):
        local.new_workflow(name)
        local.save(name, "task", i)
    assert [local.read_task(name, "task") for name in NAMES] == list(range(len(NAMES)))
    assert local.list_workflows() == sorted(NAMES)
    local.remove_workflow("..")
    assert local.list_workflows() == sorted(set(NAMES) - {".."})


any_text = st.text(st.characters(), max_size=40) | st.sampled_from(NAMES)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(workflow=any_text, task=any_text)
@example("..", "../x")
@example("", "")
def test_no_name_leaves_its_folder(tmp_path, workflow, task):
    storage = FileStorage(tmp_path / "root" / "store")
    storage.save(workflow, task, [workflow, task])
    assert storage.read_task(workflow, task) == [workflow, task]
    assert task in storage.list_tasks(workflow)
    path = Path(storage.lookup(workflow, task).path)
    assert path.resolve().parent.parent == tmp_path / "root" / "store"
    assert {entry.name for entry in tmp_path.iterdir()} == {"root"}
    assert {entry.name for entry in (tmp_path / "root").iterdir()} == {"store"}


@given(st.lists(any_text, unique=True, min_size=2, max_size=20))
def test_file_names_are_safe_everywhere_and_never_shared(names):
    files = [safe_name(name) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,47}-[0-9a-f]{32}", file) for file in files)


def test_file_names_are_readable():
    assert safe_name("moons, RBF SVM-model").startswith("moons_RBF_SVM-model-")
    assert safe_name("Crème brûlée").startswith("Creme_brulee-")


def test_names_are_texts(local):
    with pytest.raises(TypeError, match="names in storage must be strings, got int"):
        local.save("wf", 1, 1)


def test_why_not_says_whether_a_task_may_be_used(open_storage):
    old, new = Fingerprint("a"), Fingerprint("b")
    storage = open_storage()
    storage.save("wf", "t", 1, fingerprint=old)
    record = storage.lookup("wf", "t")
    assert storage.why_not(None, new) == "it was not stored yet"
    assert storage.why_not(record, new) == "code changed"
    assert storage.why_not(record, old) is None
    assert storage.why_not(record, None) == "there is no fingerprint to compare with"
    assert open_storage(match="name").why_not(record, new) is None


def test_it_pickles_and_goes_on(open_storage):
    storage = open_storage(match="name")
    storage.save("wf", "a", 1)
    copy = pickle.loads(pickle.dumps(storage))
    assert copy.read_task("wf", "a") == 1
    assert (copy.match, copy.path, repr(copy)) == ("name", storage.path, repr(storage))


def test_an_unsaveable_result_is_named_and_leaves_what_was_there(open_storage):
    storage = open_storage()
    storage.save("wf", "task", "old")
    with pytest.raises(UnsaveableResultError) as caught:
        storage.save("wf", "task", [np.zeros(200_000), threading.Lock()])
    assert str(caught.value) == (
        "the result of 'task' cannot be saved: its type list cannot be pickled (TypeError: cannot pickle "
        "'_thread.lock' object). Return what can be pickled, or leave this node unsaved."
    )
    assert (caught.value.type_name, caught.value.task) == ("list", "task")
    assert storage.read_task("wf", "task") == "old"
    assert storage.list_tasks("wf") == ["task"]


class Hostile:
    """A result that raises wherever it can."""

    def __init__(self, error):
        self.error = error

    def __repr__(self):
        raise RuntimeError("no repr")

    def __reduce__(self):
        raise self.error


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error", [OSError(28, "full"), Mute(), MemoryError()], ids=lambda e: type(e).__name__
)
def test_a_result_whose_pickling_raises_anything_is_unsaveable(local, error):
    with pytest.raises(
        UnsaveableResultError, match=f"Hostile cannot be pickled .{type(error).__name__}"
    ) as caught:
        local.save("wf", "task", Hostile(error))
    assert caught.value.__cause__ is error
    assert _files(local) == []


def test_a_result_nested_deeper_than_the_stack_is_unsaveable(local):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(
        UnsaveableResultError, match=r"its type list cannot be pickled .PicklingError: .* recursion"
    ):
        local.save("wf", "task", deep)
    while deep:
        deep = deep.pop()


def test_an_interrupted_save_leaves_nothing(local):
    with pytest.raises(KeyboardInterrupt):
        local.save("wf", "task", Hostile(KeyboardInterrupt()))
    assert _files(local) == []


class Gone:
    def __setstate__(self, state):
        raise ModuleNotFoundError("No module named 'gone'")


def test_a_whole_result_that_cannot_be_loaded_stays_where_it_is(storage):
    gone = Gone()
    gone.x = 1
    storage.save("wf", "task", gone)
    with pytest.raises(UnloadableResultError, match="ModuleNotFoundError: No module named 'gone'"):
        storage.read_task("wf", "task")
    assert storage.file_exists("wf", "task")


def test_meta_is_json(local):
    with pytest.raises(StorageError, match="meta of task 't' is not JSON"):
        local.save("wf", "t", 1, meta={"a": object()})
    assert _files(local) == []


def test_a_large_array_is_written_and_read_without_a_copy(local):
    size = 64 << 20
    array = np.ones(size, dtype="u1")
    tracemalloc.start()
    local.save("wf", "large", array)
    saving = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    back = local.read_task("wf", "large")
    reading = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert saving < size / 8
    assert reading < size * 9 / 8
    assert back.nbytes == size
    assert back.min() == 1


def test_a_large_result_reaches_an_object_store_in_parts(s3, monkeypatch):
    from fuse_widgets.storage import remote

    monkeypatch.setattr(remote, "IN_MEMORY", 1 << 20)
    storage = FileStorage("s3://bucket/large", storage_options=s3)
    array = np.arange(3_000_000)
    storage.save("wf", "task", array)
    assert (storage.read_task("wf", "task") == array).all()


def test_many_threads_save_and_read_one_task(open_storage):
    storage, seen, errors = open_storage(), set(), []
    storage.save("wf", "task", (0, bytes(100_000)))

    def write(i):
        try:
            for _ in range(5):
                storage.save("wf", "task", (i, bytes([i]) * 100_000))
                number, body = storage.read_task("wf", "task")
                seen.add(number)
                assert body == bytes([number]) * 100_000
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(1, 5)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert errors == []
    assert seen <= {0, 1, 2, 3, 4}
    assert storage.read_task("wf", "task")[0] in seen


def test_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "s", str(tmp_path / "s"), "~/s", "s", f"file://{tmp_path}/s"):
        storage = FileStorage(path)
        assert storage.path == str(tmp_path / "s")
        assert repr(storage) == f"FileStorage({str(tmp_path / 's')!r})"
    monkeypatch.chdir("/")
    assert storage.path == str(tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": ""}, "the path of a storage must be a folder or an address, got ''"),
        ({"path": 3}, "the path of a storage must be a folder or an address, got 3"),
        ({"path": "nope://x"}, "the address 'nope://x' cannot be used: Protocol not known: nope"),
        ({"path": "x", "match": "often"}, 'match=\'often\' is unknown: use "fingerprint" or "name".'),
        (
            {"path": "x", "storage_options": {"a": 1}},
            "storage_options are for remote addresses; 'x' is a folder",
        ),
    ],
)
def test_what_cannot_be_a_storage_is_refused_at_once(arguments, message):
    with pytest.raises(StorageError) as caught:
        FileStorage(**arguments)
    assert str(caught.value).startswith(message)


def test_the_factory_makes_what_is_described(tmp_path):
    options = {"path": str(tmp_path), "match": "name"}
    storage = storage_factory(json.loads(json.dumps({"kind": "file", "options": options})))
    assert isinstance(storage, FileStorage)
    assert (storage.path, storage.match) == (str(tmp_path), "name")


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"kind": "tape"}, "storage kind 'tape' is unknown: use 'file' or 'ray'."),
        ({}, "storage kind None is unknown: use 'file' or 'ray'."),
        ({"kind": "file"}, "storage kind 'file' needs the option 'path'."),
        (
            {"kind": "file", "options": {"path": "x", "pth": 1}},
            "storage kind 'file' has no option 'pth': it has ",
        ),
        ({"kind": "file", "options": 3}, "options of storage kind 'file' must be a dict, got int."),
        ({"kind": "file", "option": {}}, 'a storage has "kind" and "options", and no \'option\'.'),
        ("file", 'a storage must be described by {"kind": "file", "options": {"path": ...}}, got str.'),
    ],
)
def test_the_factory_says_what_is_wrong(description, message):
    with pytest.raises(StorageError) as caught:
        storage_factory(description)
    assert str(caught.value).startswith(message)


def test_a_kind_that_is_not_installed_is_named(monkeypatch):
    register_kind("later", "fuse_widgets.storage.no_such_room:Storage")
    with pytest.raises(StorageError, match=r"storage kind 'later' is not available here .No module named"):
        storage_factory({"kind": "later"})


def test_the_room_shows_its_names_lazily():
    assert all(getattr(storage_room, name) for name in storage_room.__all__)
    assert set(storage_room.__all__) <= set(dir(storage_room))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = storage_room.nothing
    assert issubclass(FileStorage, Storage)


def test_errors_survive_pickling():
    error = UnsaveableResultError("text", type_name="T", workflow="w", task="t", path="p")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.type_name, copy.workflow, copy.task, copy.path) == ("text", "T", "w", "t", "p")


def _files(storage):
    return [file for _, _, files in os.walk(storage.path) for file in files]


@pytest.mark.parametrize(
    "pattern", ["(", "a{99999999999}", "(" * 5000 + ")" * 5000], ids=["open", "long", "deep"]
)
def test_what_is_no_pattern_is_refused_as_the_engine_does(local, pattern):
    with pytest.raises(PatternError):
        local.list_tasks("wf", pattern)
