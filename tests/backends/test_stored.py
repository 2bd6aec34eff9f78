"""Runs with storage: what is taken from it, what runs again and why, and what goes wrong without harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets import FileStorage, LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.backends import _stored as stored_part

ran: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()


@workflow
def load(n: int) -> list[int]:
    ran.append("load")
    return list(range(n))


@workflow
def total(values: list[int], factor: int = 1) -> int:
    ran.append("total")
    return factor * sum(values)


@workflow
def show(value: int) -> str:
    ran.append("show")
    return f"<{value}>"


def pipeline(storage: Any, n: int = 4, factor: int = 1) -> LocalWorkflow:
    values = load(n).set_name("values")
    wf = LocalWorkflow(show(total(values, factor).set_name("sum")).set_name("text"), workflow_name="pipeline")
    wf.set_storage(storage)
    return wf


def sources(wf: LocalWorkflow) -> dict[str, Any]:
    return {row["node"]: row["source"] for row in wf.last_run.report()}


def reasons(wf: LocalWorkflow) -> dict[str, Any]:
    return {row["node"]: row["why"] for row in wf.last_run.report()}


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "store")


def test_a_second_run_comes_from_storage(storage: Any, check_log: Any) -> None:
    assert pipeline(storage).run() == "<6>"
    assert ran == ["load", "total", "show"]
    wf = pipeline(storage)
    assert wf.run() == "<6>"
    assert ran == ["load", "total", "show"]
    assert sources(wf) == {"values": "stored", "sum": "stored", "text": "stored"}
    assert wf.last_run.results == {"text": "<6>"}  # what nobody needs is not loaded
    check_log(wf.last_run)


def test_the_first_run_says_what_was_saved(storage: Any) -> None:
    wf = pipeline(storage)
    wf.run()
    saved = {e.node: e.detail["saved"] for e in wf.last_run.events if e.node and e.state == "done"}
    assert saved == {"values": True, "sum": True, "text": True}
    assert set(reasons(wf).values()) == {"it was not stored yet"}
    assert storage.list_tasks("pipeline") == ["sum", "text", "values"]


def test_a_changed_argument_runs_the_node_and_what_depends_on_it(storage: Any) -> None:
    pipeline(storage).run()
    ran.clear()
    wf = pipeline(storage, factor=2)
    assert wf.run() == "<12>"
    assert ran == ["total", "show"]
    assert reasons(wf) == {"values": "stored", "sum": "argument factor changed", "text": "parent sum changed"}


def test_a_changed_function_runs_the_node_and_what_depends_on_it(storage: Any) -> None:
    wf = pipeline(storage)
    wf.run()
    wf.replace_func(wf.find_nodes("sum")[0], lambda values, factor: -sum(values))
    ran.clear()
    assert wf.run() == "<-6>"
    assert ran == ["show"]
    assert "code changed" in reasons(wf)["sum"]
    assert sources(wf) == {"values": "stored", "sum": "computed", "text": "computed"}


def test_match_name_uses_whatever_has_the_name(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path, match="name")
    pipeline(storage).run()
    assert pipeline(storage, n=100, factor=2).run() == "<6>"
    assert ran == ["load", "total", "show"]


def test_cache_off_runs_the_node_each_time_and_saves_nothing(storage: Any) -> None:
    for _ in range(2):
        wf = pipeline(storage)
        wf.query("sum").set_backend_info("cache", False)
        assert wf.run() == "<6>"
    assert ran == ["load", "total", "show", "total"]
    assert reasons(wf) == {"values": "stored", "sum": "its cache is off", "text": "stored"}
    assert storage.list_tasks("pipeline") == ["text", "values"]


def test_a_failed_run_goes_on_from_what_it_has(storage: Any) -> None:
    wf = pipeline(storage)
    text = wf.find_nodes("text")[0]
    func = text.func
    wf.replace_func(text, lambda value: 1 // 0)
    with pytest.raises(NodeExecutionError):
        wf.run()
    wf.replace_func(text, func)
    assert wf.run() == "<6>"
    assert ran == ["load", "total", "show"]


def test_a_result_that_cannot_be_pickled_is_done_and_says_that_it_is_not_saved(storage: Any) -> None:
    made = workflow(threading.Lock)().set_name("made")
    wf = LocalWorkflow(workflow(lambda made: made.locked())(made).set_name("listed"), workflow_name="w")
    wf.set_storage(storage)
    assert wf.run() is False
    details = {e.node: e.detail for e in wf.last_run.events if e.node and e.state == "done"}
    assert details["made"]["saved"] is False
    assert "cannot be pickled" in details["made"]["why_not_saved"]
    assert "lock" in details["made"]["why_not_saved"]
    assert details["listed"]["saved"] is True


def files_of(storage: FileStorage, task: str, name: str = "pipeline") -> Path:
    return Path(storage.lookup(name, task).path)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"foreign", lambda data: b""])
def test_a_damaged_file_is_computed_again_and_said(storage: Any, damage: Any) -> None:
    pipeline(storage).run()
    file = files_of(storage, "text")
    file.write_bytes(damage(file.read_bytes()))
    ran.clear()
    wf = pipeline(storage)
    assert wf.run() == "<6>"
    assert ran == ["show"]
    assert reasons(wf)["text"].startswith("its stored result cannot be used: ")
    notices = [e.detail["notice"] for e in wf.last_run.events if "notice" in (e.detail or {})]
    assert len(notices) == 1
    assert "'text'" in notices[0]
    assert pipeline(storage).run() == "<6>"
    assert ran == ["show"]


def test_a_damaged_parent_is_computed_again_and_its_descendants_still_come_from_storage(storage: Any) -> None:
    pipeline(storage).run()
    file = files_of(storage, "values")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    ran.clear()
    wf = pipeline(storage, factor=3)
    assert wf.run() == "<18>"
    assert ran == ["load", "total", "show"]
    assert reasons(wf)["values"].startswith("its stored result cannot be used: ")
    files_of(storage, "values").unlink()
    ran.clear()
    assert pipeline(storage, factor=3).run() == "<18>"
    assert ran == ["load"]


# --- objects -------------------------------------------------------------------------------------------------


@workflow
class Box:
    def __init__(self, start: int) -> None:
        ran.append("box")
        self.items = [start]

    def put(self, item: int) -> int:
        ran.append(f"put {item}")
        self.items.append(item)
        return len(self.items)


@workflow
def items(box: Any) -> list[int]:
    ran.append("items")
    return list(box.items)


def boxes(storage: Any, last: int = 3) -> LocalWorkflow:
    box = Box(1)
    first = box.put(2).set_name("first")
    inside = items(box).set_name("inside")
    second = box.put(last).set_name("second")
    wf = LocalWorkflow(first, inside, second, items(box).set_name("end"), workflow_name="boxes")
    wf.set_storage(storage)
    box.set_name("box")
    return wf


def test_an_object_that_nothing_needs_is_not_made_again(storage: Any) -> None:
    assert boxes(storage).run() == [2, [1, 2], 3, [1, 2, 3]]
    ran.clear()
    wf = boxes(storage)
    assert wf.run() == [2, [1, 2], 3, [1, 2, 3]]
    assert ran == []
    assert reasons(wf)["box"] == "not needed: what its methods gave is stored"


def test_where_something_needs_an_object_all_its_methods_run_again(storage: Any) -> None:
    boxes(storage).run()
    ran.clear()
    wf = boxes(storage, last=4)
    assert wf.run() == [2, [1, 2], 3, [1, 2, 4]]
    assert ran == ["box", "put 2", "put 4", "items"]
    assert reasons(wf)["first"] == "its object is needed again"
    assert reasons(wf)["box"] == "it is needed, and objects are not stored"
    assert sources(wf)["inside"] == "stored"


def test_what_is_needed_again_is_found_in_one_pass_over_the_methods(storage: Any) -> None:
    """Each method makes its object run again, and so all its methods: looked at once, not once for each."""
    looked = 0

    class Stored(dict[Any, Any]):
        def pop(self, *args: Any) -> Any:
            nonlocal looked
            looked += 1
            return super().pop(*args)

    box = Box(1)
    wf = LocalWorkflow(*(box.put(i) for i in range(100)), workflow_name="boxes")
    wf.set_storage(storage)
    wf.run()
    stored = stored_part.Stored(wf, wf.last_run)
    stored._run_objects_as_a_whole(Stored())
    assert looked <= 101


def test_an_object_as_an_output_is_made_again(storage: Any) -> None:
    def build() -> LocalWorkflow:
        box = Box(1).set_name("box")
        box.put(2).set_name("put")
        wf = LocalWorkflow(box, workflow_name="boxes")
        wf.set_storage(storage)
        return wf

    assert build().run().items == [1, 2]
    assert build().run().items == [1, 2]


# --- trouble -------------------------------------------------------------------------------------------------


class Broken:
    """A storage that refuses everything, as a full, read-only or unreachable one does."""

    match = "fingerprint"

    def __init__(self, error: Exception, *fails: str) -> None:
        self.error, self.fails = error, fails

    def __getattr__(self, name: str) -> Any:
        def method(*args: Any, **kwargs: Any) -> Any:
            if name in self.fails:
                raise self.error

        return method


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("odd")])
@pytest.mark.parametrize(
    "fails", [("save",), ("new_workflow", "save"), ("new_workflow", "lookup", "save", "why_not", "read_task")]
)
def test_a_storage_that_refuses_does_not_stop_the_run_and_it_says_so(
    fails: Any, error: Any, check_log: Any
) -> None:
    wf = pipeline(Broken(error, *fails))
    assert wf.run() == "<6>"
    details = [e.detail for e in wf.last_run.events if e.node and e.state == "done"]
    assert [(d["saved"], str(error) in d["why_not_saved"]) for d in details] == [(False, True)] * 3
    if "new_workflow" in fails:
        notices = [e.detail["notice"] for e in wf.last_run.events if "notice" in (e.detail or {})]
        assert len(notices) == 1
        assert str(error) in notices[0]
    check_log(wf.last_run)


def test_a_folder_that_is_a_file_does_not_stop_the_run(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    wf = pipeline(FileStorage(tmp_path / "store"))
    assert wf.run() == "<6>"
    assert all(e.detail["saved"] is False for e in wf.last_run.events if e.node and e.state == "done")


PROGRAM = """
import os, sys, time
from pathlib import Path
from fuse_widgets import FileStorage, LocalWorkflow, workflow

folder, last = Path(sys.argv[1]), sys.argv[2]

@workflow
def step(i, before):
    with open(folder / "ran", "a") as file:
        file.write(f"{i}\\n")
    if i == 3 and last == "hang":
        print("hanging", flush=True)
        time.sleep(60)
    return (i, before)

node = None
for i in range(5):
    node = step(i, node).set_name(f"step {i}")
step.func.__globals__["last"] = last
wf = LocalWorkflow(node, workflow_name="resumed")
wf.query().set_backend_info("retries", 0)
wf.set_storage(FileStorage(folder / "store", match="name"))
print(wf.run())
print(sum(row["source"] == "stored" for row in wf.last_run.report()))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_kernel_loses_only_what_was_running(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, program, tmp_path, "hang"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "hanging\n"
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(
        [sys.executable, program, tmp_path, "go"], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines() == ["(4, (3, (2, (1, (0, None)))))", "3"]
    assert (tmp_path / "ran").read_text().split() == ["0", "1", "2", "3", "3", "4"]


# --- at random -----------------------------------------------------------------------------------------------

shapes = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        *(st.lists(st.integers(0, i - 1), max_size=3) if i else st.just([]) for i in range(n))
    )
)


@pytest.mark.slow
@settings(max_examples=25)
@given(shapes, st.data())
def test_with_storage_results_are_those_without_and_only_changes_run(
    tmp_path_factory: pytest.TempPathFactory, check_log: Any, shape: Any, data: Any
) -> None:
    storage = FileStorage(tmp_path_factory.mktemp("store"))
    runs: list[int] = []

    @workflow
    def combine(i: int, constant: int, *inputs: int) -> int:
        runs.append(i)
        return constant + 3 * sum(inputs)

    def go(constants: list[int], stored: Any) -> list[int]:
        runs.clear()
        nodes: list[Any] = []
        for i, parents in enumerate(shape):
            nodes.append(combine(i, constants[i], *[nodes[p] for p in parents]).set_name(f"n{i}"))
        wf = LocalWorkflow(*nodes)
        wf.set_storage(stored)
        wf.run()
        check_log(wf.last_run)
        return [wf.last_run.results[f"n{i}"] for i in range(len(shape))]

    n = len(shape)
    constants = list(range(n))
    assert go(constants, storage) == go(constants, None)
    changed = data.draw(st.sets(st.integers(0, n - 1)))
    constants = [c + 100 * (i in changed) for i, c in enumerate(constants)]
    expected = go(constants, None)
    assert go(constants, storage) == expected
    affected: set[int] = set()
    for i, parents in enumerate(shape):
        if i in changed or affected & set(parents):
            affected.add(i)
    assert runs == sorted(affected)
    began = time.monotonic()
    assert go(constants, storage) == expected
    assert (runs, time.monotonic() - began < 5) == ([], True)
