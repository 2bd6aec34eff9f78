"""Code that runs elsewhere knows its file and its lines, whatever the pickler keeps of them."""

from __future__ import annotations

import inspect
import linecache
import pickle
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import pytest

from fuse_widgets import LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.backends._pickling import dumps
from fuse_widgets.engine import _tracebacks
from fuse_widgets.engine.sources import WHOLE

CELL = """
import functools, traceback

def helper(x):
    return 1 / x

def by_helper(x):
    return helper(x)

def closure(y):
    def inner(x):
        return x / y
    return inner

class Machine:
    def method(self, x):
        return helper(x)

    @staticmethod
    def static(x):
        return helper(
            x
        )

    @property
    def broken(self):
        raise ZeroDivisionError("property")

def by_method(x):
    return Machine().method(x)

def by_static(x):
    return Machine.static(x)

def by_property(x):
    return Machine().broken

def by_lambda(x):
    return (lambda y: helper(y))(x)

def by_comprehension(x):
    return [helper(y) for y in [x]]

def by_generator(x):
    return list(helper(y) for y in [x])

def decorated(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x)
    return wrapper

@decorated
def by_decorator(x):
    return helper(x)

def prints(x):
    try:
        helper(x)
    except ZeroDivisionError:
        return traceback.format_exc()
"""
WAYS = [
    *("helper", "by_helper", "by_method", "by_static", "by_property", "by_lambda", "by_comprehension"),
    *("by_generator", "by_decorator"),
]


@pytest.fixture(params=["kept", "dropped", "emptied"])
def habit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pickler may do with the file name of code: cloudpickle 3.0 keeps it, 3.1.3 does not."""
    reduce = cloudpickle.Pickler.dispatch_table[types.CodeType]

    def other(code: types.CodeType) -> Any:
        make, args = reduce(code)
        names = {"kept": code.co_filename, "dropped": "<dynamic-code>", "emptied": ""}
        place = 10  # of the file name among the arguments of `types.CodeType`
        assert args[place] in (code.co_filename, "<dynamic-code>")
        return make, (*args[:place], names[request.param], *args[place + 1 :])

    monkeypatch.setitem(cloudpickle.Pickler.dispatch_table, types.CodeType, other)


@pytest.fixture
def cell() -> Iterator[dict[str, Any]]:
    """The functions of a notebook cell: its source is known in this process only."""
    name = "<ipython-input-7-0123456789ab>"
    linecache.cache[name] = (len(CELL), None, CELL.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "__main__", "file": name}
    exec(compile(CELL, name, "exec"), space)
    yield space
    linecache.cache.pop(name, None)


def frames(function: Callable[[Any], Any]) -> list[tuple[str, int | None, str, str | None]]:
    with pytest.raises(ZeroDivisionError) as caught:
        function(0)
    found = traceback.extract_tb(caught.value.__traceback__)[1:]
    return [(frame.filename, frame.lineno, frame.name, frame.line) for frame in found]


@pytest.mark.parametrize("way", WAYS)
def test_frames_of_unpickled_code_have_the_file_and_the_lines_of_the_cell(
    cell: dict[str, Any], habit: None, way: str
) -> None:
    here, packed = frames(cell[way]), dumps(cell[way])
    text = linecache.cache.pop(cell["file"])  # as in another process
    there = frames(pickle.loads(packed))
    assert there == here
    assert all(file == cell["file"] and line for file, _, _, line in there)
    assert "".join(linecache.getlines(cell["file"])) == "".join(text[2])  # type: ignore[misc]


def test_closures_partials_and_methods_bring_their_source(cell: dict[str, Any], habit: None) -> None:
    values = (cell["closure"](0), cell["Machine"]().method)
    first, second = pickle.loads(dumps(values))
    assert frames(lambda x: first(1))[-1][:3] == (cell["file"], 12, "inner")
    assert frames(second)[-1][:3] == (cell["file"], 5, "helper")
    assert inspect.getsource(first) == "    def inner(x):\n        return x / y\n"


def test_failures_in_processes_show_the_lines_of_the_cell(
    cell: dict[str, Any], habit: None, processes: Callable[..., LocalWorkflow]
) -> None:
    ways = ["by_method", "by_lambda", "by_decorator"]
    nodes = [workflow(cell[way])(0).set_name(way) for way in ways]
    wf = processes(*nodes)
    with pytest.raises(NodeExecutionError) as caught:
        wf.run()
    for failure in caught.value.failures:
        found = traceback.extract_tb(failure.__cause__.__traceback__)  # type: ignore[union-attr]
        here = frames(cell[failure.node.name])
        assert [(f.filename, f.lineno, f.name, f.line) for f in found] == here
        # IPython asks the frames of a notebook cell, which stand at the same lines as those of the traceback.
        trace = failure.__cause__.__traceback__  # type: ignore[union-attr]
        assert [frame.f_lineno for frame, _ in traceback.walk_tb(trace)] == [line for _, line, _, _ in here]


def test_a_worker_prints_the_lines_of_the_cell(
    cell: dict[str, Any], habit: None, make: Callable[..., Any]
) -> None:
    text = make(workflow(cell["prints"])(0)).run()
    assert f'File "{cell["file"]}", line 5, in helper\n    return 1 / x\n' in text


def test_of_a_long_file_only_the_lines_of_the_code_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"DATA = '{'x' * WHOLE}'\n\ndef late(x):\n    return (\n        1 / x\n    )\n"
    name = "<ipython-input-8-0123456789ab>"
    monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(keepends=True), name))
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    packed = dumps(space["late"])
    assert len(packed) < 5_000
    monkeypatch.delitem(linecache.cache, name)
    assert frames(pickle.loads(packed)) == [(name, 5, "late", "1 / x")]
    monkeypatch.delitem(linecache.cache, name)


def test_code_whose_lines_nobody_knows_keeps_its_file_name(habit: None) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("def f(x):\n    return 1 / x\n", "<made by hand>", "exec"), space)
    assert frames(pickle.loads(dumps(space["f"]))) == [("<made by hand>", 2, "f", "")]


def test_lines_of_a_file_that_is_another_one_here_are_those_of_the_worker(tmp_path: Any) -> None:
    path = tmp_path / "module.py"
    path.write_text("def f(x):\n    return 1 / x\n")
    space: dict[str, Any] = {"__name__": "module"}
    exec(compile(path.read_text(), str(path), "exec"), space)
    with pytest.raises(ZeroDivisionError) as caught:
        space["f"](0)
    found = _tracebacks.frames_of(caught.value.__traceback__)[1:]
    lines = _tracebacks.lines_of(found)
    path.write_text("def g(x):\n    return 'another version'\n")
    linecache.checkcache(str(path))
    (frame,) = traceback.extract_tb(_tracebacks.traceback_of(found, lines))
    assert (frame.lineno, frame.name, frame.line) == (2, "f", "return 1 / x")
    assert frame.filename == f"{path} (as in the worker)"
    path.unlink()
    linecache.checkcache(str(path))
    (frame,) = traceback.extract_tb(_tracebacks.traceback_of(found, lines))
    assert (frame.filename, frame.line) == (str(path), "return 1 / x")


def test_a_traceback_too_long_keeps_both_ends() -> None:
    def f(n: int) -> int:
        return 1 // n + f(n - 1)

    with pytest.raises((ZeroDivisionError, RecursionError)) as caught:
        f(300)
    found = _tracebacks.frames_of(caught.value.__traceback__)
    trace = _tracebacks.traceback_of(found, _tracebacks.lines_of(found))
    assert traceback.format_tb(trace) == traceback.format_tb(caught.value.__traceback__)
