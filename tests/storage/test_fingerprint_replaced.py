"""What a notebook puts into modules and classes of Python and of packages counts where code uses it."""

from __future__ import annotations

import builtins
import decimal
import functools
import json
import math
import sys
import types
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from fuse_widgets.engine.nodes import workflow

from .notebook import fingerprint_all, node_of, notebook


class Mine:
    """A class in the place of another one."""


#: Its module is another one in pandas before 3.0.
FRAME = f"{pd.DataFrame.__module__}.DataFrame"
CASES: dict[str, tuple[str, Any, str, Any, str]] = {
    "a function": ("return math.sqrt(4)", math, "sqrt", lambda x: 3, "math.sqrt"),
    "by another name": ("return m.sqrt(4)", math, "sqrt", lambda x: 3, "math.sqrt"),
    "imported in the function": ("from math import sqrt; return sqrt(4)", math, "sqrt", lambda x: 3, "math.sqrt"),
    "a mock": ("return math.sqrt(4)", math, "sqrt", Mock(return_value=3), "math.sqrt"),
    "another function of Python": ("return math.sqrt(4)", math, "sqrt", math.sin, "math.sqrt"),
    "a partial of one": ("return math.sqrt(4)", math, "sqrt", functools.partial(math.pow, 4), "math.sqrt"),
    "a number": ("return math.pi", math, "pi", 3, "math.pi"),
    "another function of the package": ("return np.sum([1])", np, "sum", np.nansum, "numpy.sum"),
    "of a module in a package": ("return np.linalg.norm([1])", np.linalg, "norm", lambda x: 3, "numpy.linalg.norm"),
    "a class": ("return decimal.Decimal(1)", decimal, "Decimal", Mine, "decimal.Decimal"),
    "a method of an argument": ("return x.mean()", pd.DataFrame, "mean", lambda x: 3, f"{FRAME}.mean"),
    "a method of a class": ("return pd.DataFrame.mean(x)", pd.DataFrame, "mean", lambda x: 3, f"{FRAME}.mean"),
    "a property of an argument": ("return x.empty", pd.DataFrame, "empty", property(lambda x: 3), f"{FRAME}.empty"),
    "an operator": ("return x + 1", pd.DataFrame, "__add__", lambda x, y: 3, f"{FRAME}.__add__"),
    "what the package calls": (
        "return json.dumps(x)", json.JSONEncoder, "default", lambda s, x: 3, "json.encoder.JSONEncoder.default",
    ),
    "a builtin": ("return abs(-1)", builtins, "abs", lambda x: 3, "builtins.abs"),
    "a builtin that is another one": ("return min([1, 2])", builtins, "min", max, "builtins.min"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_replacement_counts_and_its_end_does(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body, place, name, value, shown = CASES[case]
    head = "import decimal, json, math, math as m\nimport numpy as np, pandas as pd\n"
    func = workflow(notebook(f"{head}def f(x):\n {body}")["f"])
    before = fingerprint_all(func(0))
    monkeypatch.setattr(place, name, value)
    replaced = fingerprint_all(func(0))
    assert replaced.difference(before) == f"{shown} changed"
    assert fingerprint_all(func(0)).difference(replaced) is None
    monkeypatch.undo()
    assert fingerprint_all(func(0)).difference(before) is None


@pytest.mark.parametrize(
    ("place", "name"), [(np, "sum"), (pd.DataFrame, "mean"), (json, "loads"), (builtins, "abs")]
)
def test_what_the_code_does_not_use_does_not_count(
    place: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    func = workflow(notebook("import math\ndef f(x): return math.sqrt(x.size)")["f"])
    before = fingerprint_all(func(0))
    monkeypatch.setattr(place, name, lambda *args: 3)
    assert fingerprint_all(func(0)).difference(before) is None


def test_another_replacement_counts_and_calls_of_a_mock_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    func = notebook("import math\ndef f(): return math.sqrt(4)")["f"]
    found = []
    for number in (1, 2, 1):
        monkeypatch.setattr(math, "sqrt", notebook(f"def mine(x): return {number}")["mine"])
        found.append(fingerprint_all(node_of(func)))
    assert found[1].difference(found[0]) == "math.sqrt changed"
    assert found[2].difference(found[0]) is None
    monkeypatch.setattr(math, "sqrt", Mock(return_value=5))
    before = fingerprint_all(node_of(func))
    assert math.sqrt(4) == 5
    assert fingerprint_all(node_of(func)).difference(before) is None


def test_a_helper_that_uses_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    func = notebook("import math\ndef helper(): return math.sqrt(4)\ndef f(): return helper()")["f"]
    before = fingerprint_all(node_of(func))
    monkeypatch.setattr(math, "sqrt", lambda x: 3)
    assert fingerprint_all(node_of(func)).difference(before) == "math.sqrt changed"


def test_what_only_says_that_it_is_a_module_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        """As those of cffi: it passes for a module, and no weak reference can be made to it."""

        __slots__ = ("__dict__",)
        __class__ = types.ModuleType  # type: ignore[assignment]

    monkeypatch.setitem(sys.modules, "math.lib", Library())  # type: ignore[arg-type]
    func = notebook("import math\ndef f(): return math.sqrt(4)")["f"]
    assert fingerprint_all(node_of(func)).difference(fingerprint_all(node_of(func))) is None
