"""What a person reads when a node fails: their own code, and hardly any of ours."""

from __future__ import annotations

import linecache
import os
import signal
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import BaseWorkflow, LocalWorkflow, NodeExecutionError, workflow
from tests.backends.waiting import gate, until


@workflow
def divide(x: int) -> float:
    return 1 / x


@pytest.mark.parametrize("options", [{}, {"executor": "thread"}])
def test_a_failure_shows_the_call_of_run_and_the_line_of_the_node(options: dict[str, str]) -> None:
    with pytest.raises(NodeExecutionError) as caught:
        LocalWorkflow(divide(0), **options).run()  # type: ignore[arg-type]
    ours = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:]
    assert ours == ["driven", "drive", "_outcome"]
    assert caught.value.__cause__ is not None
    own = traceback.extract_tb(caught.value.__cause__.__traceback__)
    assert [frame.line for frame in own] == ["return 1 / x"]


def test_asking_twice_for_the_outcome_of_a_run_does_not_grow_the_traceback() -> None:
    run = LocalWorkflow(divide(0)).start()
    lengths = []
    for _ in range(2):
        with pytest.raises(NodeExecutionError) as caught:
            run.wait(30)
        lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert lengths[0] == lengths[1]


CELL = """
def divide(x):
    return per(x)

def per(x):
    return 1 / x
"""


@pytest.fixture
def cell() -> Any:
    """The functions of a notebook cell: its source is known in this process only."""
    name = "<ipython-input-1-0123456789ab>"
    linecache.cache[name] = (len(CELL), None, CELL.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(CELL, name, "exec"), space)
    yield space
    del linecache.cache[name]


def test_a_failure_shows_the_lines_of_the_cell_wherever_its_node_ran(
    make: Callable[..., BaseWorkflow], cell: dict[str, Any]
) -> None:
    wf = make(workflow(cell["divide"])(0))
    with pytest.raises(NodeExecutionError) as caught:
        wf.run()
    assert type(caught.value.__cause__) is ZeroDivisionError
    for text in (
        "".join(traceback.format_exception(caught.value)),
        next(e.detail["error"]["traceback"] for e in wf.last_run.events if e.node and e.state == "failed"),
    ):
        frames = text[text.index('File "<ipython-input-1') :].splitlines()
        assert [line.strip() for line in frames if "^" not in line][:5] == [
            'File "<ipython-input-1-0123456789ab>", line 3, in divide',
            "return per(x)",
            'File "<ipython-input-1-0123456789ab>", line 6, in per',
            "return 1 / x",
            "ZeroDivisionError: division by zero",
        ]


def test_ctrl_c_shows_the_call_of_run_and_hardly_anything_of_ours(
    make: Callable[..., BaseWorkflow], tmp_path: Path
) -> None:
    wf = make(workflow(gate)(str(tmp_path), "first").set_name("first"))

    def press() -> None:
        until(lambda: wf.last_run is not None and (tmp_path / "first").exists())
        os.kill(os.getpid(), signal.SIGINT)
        until(lambda: wf.last_run.cancelled)  # type: ignore[union-attr]
        (tmp_path / "go").touch()  # a thread cannot be interrupted

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        wf.run()
    presser.join()
    ours = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:]
    assert ours == ["driven", "drive", "_outcome"]
