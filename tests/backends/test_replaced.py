"""What a notebook puts into modules and classes of Python and of packages is there in workers, and is taken away again."""

from __future__ import annotations

import builtins
import decimal
import functools
import json
import math
import statistics
import string
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy as np
import pandas as pd
import pytest

from fuse_widgets import FileStorage, LocalWorkflow, NodeExecutionError, workflow

from .project import Project

ROOT, SUM, MEAN, DECIMAL = math.sqrt, np.sum, pd.DataFrame.mean, decimal.Decimal


def root() -> float:
    return math.sqrt(4)


def roots() -> tuple[float, float]:
    return math.sqrt(4), ROOT(4)


@pytest.fixture
def same(processes: Any) -> Callable[[Any], Any]:
    """Runs a function inline and in a process that other tests have used, checks that both give the same, and returns it."""

    def run(func: Any) -> Any:
        node = workflow(func)()
        here = func()
        there = processes(node).run()
        assert there == here
        assert repr(there) == repr(here)
        return there

    return run


def plus(original: Any, more: Any) -> Any:
    return lambda *args, **options: original(*args, **options) + more


def test_a_replacement_reaches_every_executor_and_is_taken_away_again(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make(workflow(roots)()).run() == (2, 2)
    with monkeypatch.context() as patch:
        patch.setattr(math, "sqrt", plus(ROOT, 1))
        patch.setattr(pd.DataFrame, "mean", plus(MEAN, 100))
        assert make(workflow(roots)()).run() == (3, 2)
        patch.setattr(math, "sqrt", plus(ROOT, 2))
        assert make(workflow(roots)()).run() == (4, 2)
        frame = workflow(lambda: float(pd.DataFrame({"a": [1, 2]}).mean()["a"]))()
        assert make(frame).run() == 101.5
    assert make(workflow(roots)()).run() == (2, 2)
    assert make(frame).run() == 1.5


class Exact(decimal.Decimal):
    def __repr__(self) -> str:
        return "exact"


class Doubling:
    def __call__(self, x: float) -> float:
        return 2 * x


@functools.lru_cache
def cached_by_name(x: float) -> float:
    return x


REPLACED: dict[str, tuple[Any, str, Any, Callable[[], Any]]] = {
    "a lambda": (math, "sqrt", lambda x: x, roots),
    "one that takes the name of the original": (math, "sqrt", functools.wraps(ROOT)(lambda x: x), roots),
    "a partial": (math, "sqrt", functools.partial(lambda more, x: more + x, 5), roots),
    "one with a cache": (math, "sqrt", functools.lru_cache(lambda x: x), roots),
    "what a decorator of a package made": (np, "sum", np.vectorize(lambda x: -x), lambda: np.sum([1]).tolist()),
    "a cached one with a name": (math, "sqrt", cached_by_name, roots),
    "a callable object": (math, "sqrt", Doubling(), roots),
    "a bound method": (math, "sqrt", Doubling().__call__, roots),
    "a mock": (json, "dumps", Mock(return_value="mock"), lambda: json.dumps({})),
    "a mock with magic": (json, "dumps", MagicMock(**{"return_value.__len__.return_value": 7}), lambda: len(json.dumps(1))),
    "a mock that raises": (json, "dumps", Mock(side_effect=ValueError("mine")), lambda: _raised(json.dumps)),
    "a builtin": (builtins, "abs", lambda x: "abs", lambda: abs(-1)),
    "one that a class of C calls": (np, "sum", lambda *args: SUM(*args) * 10, lambda: (int(np.sum([1, 2])), int(SUM([1, 2])))),
    "another function of Python": (math, "sqrt", math.exp, roots),
    "another function of the package": (np, "sum", np.max, lambda: int(np.sum([1, 2]))),
    "a partial of the original": (np, "sum", functools.partial(SUM, axis=0), lambda: np.sum([[1, 2], [3, 4]]).tolist()),
    "a number": (math, "pi", 3, lambda: math.pi),
    "a string": (string, "digits", "01", lambda: string.digits),
    "another builtin": (builtins, "min", max, lambda: min([1, 2])),
    "a class": (decimal, "Decimal", Exact, lambda: [decimal.Decimal(3), DECIMAL(4)]),
    "a property": (pd.DataFrame, "empty", property(lambda self: "?"), lambda: pd.DataFrame().empty),
    "a class method": (
        pd.DataFrame, "from_dict", classmethod(lambda cls, data: (cls.__name__, data)), lambda: pd.DataFrame.from_dict({}),
    ),
    "a static method": (pd.DataFrame, "from_records", staticmethod(lambda data: data), lambda: pd.DataFrame.from_records(3)),
    "an added method": (pd.DataFrame, "rows_added", lambda self: len(self), lambda: pd.DataFrame({"a": [1]}).rows_added()),
    "an operator": (pd.DataFrame, "__matmul__", lambda self, other: "@", lambda: pd.DataFrame() @ 3),
    "what a package calls": (json.JSONEncoder, "default", lambda self, value: "?", lambda: json.dumps(object())),
    "what a module of Python calls": (statistics, "mean", lambda data: 5, lambda: statistics.mean([1])),
}  # fmt: skip


def _raised(func: Any) -> str:
    try:
        return str(func(1))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("kind", REPLACED)
def test_whatever_replaces_it(kind: str, same: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place, name, value, func = REPLACED[kind]
    monkeypatch.setattr(place, name, value, raising=False)
    same(func)
    monkeypatch.undo()
    if kind not in (
        "an added method",
        "a static method",
        "an operator",
        "what a package calls",
        "a class method",
    ):
        same(func)


def test_what_the_user_has_in_a_module_replaces_and_refers_to_the_module(
    project: Project, same: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit(
        "patches",
        """
        import math
        MORE = 1
        original = math.sqrt
        def mine(x): return original(x) + MORE
        """,
    )
    patches = project.load("patches")
    monkeypatch.setattr(math, "sqrt", patches.mine)
    assert same(roots) == (3, 2)
    patches.MORE = 7
    assert same(roots) == (9, 2)
    assert same(patches.mine.__globals__["original"].__call__.__self__ and (lambda: patches.original(4))) == 2


def test_a_module_that_is_imported_later_has_the_original_as_in_the_kernel(
    project: Project, same: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit("takes", "from math import sqrt")
    takes = project.load("takes")
    monkeypatch.setattr(math, "sqrt", plus(ROOT, 1))

    def both() -> Any:
        from fractions import math as same_module

        return same_module.sqrt(4), takes.sqrt(4)

    assert same(both) == (3, 2)


def test_what_cannot_be_pickled_raises_where_it_is_used_and_says_why(
    processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = threading.Lock()

    def locked(x: float) -> float:
        with lock:
            return x

    monkeypatch.setattr(math, "sqrt", locked)
    assert processes(workflow(lambda: math.cos(0))()).run() == 1
    with pytest.raises(
        NodeExecutionError,
        match=r"cannot get 'sqrt' of module 'math' .*cannot pickle '_thread.lock'.*'thread'",
    ):
        processes(workflow(root)()).run()
    assert LocalWorkflow(workflow(root)(), executor="thread").run() == 4
    monkeypatch.undo()
    assert processes(workflow(root)()).run() == 2


def test_an_original_that_a_node_returns_is_the_original(
    processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(math, "sqrt", plus(ROOT, 1))
    assert processes(workflow(lambda: ROOT)()).run() is ROOT


def test_a_stored_result_counts_for_the_replacement_it_was_computed_with(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = workflow(root)()

    def run() -> Any:
        wf = make(node)
        wf.set_storage(FileStorage(tmp_path))
        return wf.run(), str(wf.last_run.states[node.name])

    assert run() == (2, "done")
    monkeypatch.setattr(math, "sqrt", plus(ROOT, 1))
    assert run() == (3, "done")
    assert run() == (3, "cached")
    monkeypatch.undo()
    assert run()[0] == 2
