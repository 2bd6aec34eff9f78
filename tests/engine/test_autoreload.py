"""`%autoreload 2` of IPython: the present text of a module is what runs."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

#: Modification times of the modules that are written, each later than the one before.
_times = itertools.count(1_700_000_000, 10)

MODULE = """
from fuse_widgets import workflow

def helper(x):
    return x * {0}

@workflow
def clean(x):
    return x * {0}

@workflow
def through(x):
    return helper(x)

def plain(x):
    return x * {0}

@workflow
class Model:
    def __init__(self, start):
        self.value = start

    def get(self):
        return self.value * {0}

class Plain:
    def get(self):
        return 10 * {0}
"""
BUILD = """
box = workflow(steps.Plain)()
wf = LocalWorkflow(clean(10), through(10), workflow(steps.plain)(10), Model(10).get(), box.get())
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    shell = interactiveshell.InteractiveShell.instance()
    shell.reset()
    run(shell, "from fuse_widgets import LocalWorkflow, workflow\n%load_ext autoreload\n%autoreload 2")
    yield shell
    run(shell, "%autoreload 0")
    interactiveshell.InteractiveShell.clear_instance()


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Writes the module, and gives its name."""
    name = f"fuse_autoreload_{tmp_path.name.replace('-', '_')}"

    def to_file(text: str) -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        when = next(_times)
        os.utime(path, (when, when))
        return name

    yield to_file
    sys.modules.pop(name, None)


def run(shell: Any, code: str) -> Any:
    result = shell.run_cell(code)
    result.raise_error()
    return result.result


def start(shell: Any, name: str) -> None:
    run(shell, f"import {name} as steps\nfrom {name} import *\n")
    run(shell, BUILD)


def test_nodes_use_what_was_saved_last(shell: Any, write: Callable[[str], str]) -> None:
    start(shell, write(MODULE.format(2)))
    assert run(shell, "wf.run()") == [20] * 5
    for factor in (3, 4):
        write(MODULE.format(factor))
        assert run(shell, "wf.run()") == [10 * factor] * 5
    assert run(shell, "LocalWorkflow(clean(10), Model(10).get()).run()") == [40, 40]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    return x * 2", "    y = x * 3\n    return y"),
        ("return self.value * 2", "return self.value * 3"),
        ("def helper(x):\n    return x * 2", "def helper(x):\n    return x * 3"),
        ("@workflow\ndef clean", "OTHER = 5\n@workflow\ndef clean"),
        ("def get(self):\n        return self", "def get(self, more=0):\n        return more + self"),
    ],
)
def test_a_change_of_one_thing_counts(
    shell: Any, write: Callable[[str], str], old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write(MODULE.format(2))
    start(shell, name)
    run(shell, "wf.run()")
    text = MODULE.format(2).replace(old, new)
    write(text)
    result = run(shell, "wf.run()")
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    assert result == [
        namespace["clean"].func(10),
        namespace["helper"](10),
        namespace["plain"](10),
        namespace["Model"].func(10).get(),
        namespace["Plain"]().get(),
    ]


def test_a_module_with_an_error_keeps_what_it_had(
    shell: Any, write: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    start(shell, write(MODULE.format(2)))
    run(shell, "wf.run()")
    write(MODULE.format(3) + "\n1/0")
    assert run(shell, "wf.run()") == [20] * 5
    write(MODULE.format(4))
    assert run(shell, "wf.run()") == [40] * 5
    assert "ZeroDivisionError" in capsys.readouterr().err
