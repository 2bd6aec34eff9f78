"""Running a notebook cell again replaces the nodes that it made before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from fuse_widgets import BaseWorkflow, DuplicateNodeNameError, LocalWorkflow, workflow
from fuse_widgets.engine import cells
from fuse_widgets.view._failure import failure


@workflow
def step(x: Any = 0) -> Any:
    return x + 1


@workflow
class Counter:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def note(self, what: str) -> list[str]:
        self.calls.append(what)
        return list(self.calls)


@workflow
def read(counter: Any) -> list[str]:
    return list(counter.calls)


@pytest.fixture
def cell() -> Callable[[str], Any]:
    """A context that stands for running a cell."""
    notebook = uuid4().hex

    @contextmanager
    def running(name: str) -> Iterator[None]:
        cells.begin(f"{notebook}-{name}")
        try:
            yield
        finally:
            cells.end()

    return running


def test_a_cell_run_again_gives_the_same_names_and_drops_the_old_nodes(cell: Any) -> None:
    root = step()
    with cell("a"):
        old = [step(root), step(root)]
    names = [node.name for node in old]
    with cell("a"):
        new = [step(root), step(root), step(root)]
    assert [node.name for node in new][:2] == names
    assert all(node.replaced for node in old)
    assert BaseWorkflow(root).find_nodes() == [root, *new]
    assert len({node.name for node in new}) == 3


def test_a_replaced_node_stays_where_an_output_needs_it(cell: Any) -> None:
    root = step()
    with cell("a"):
        old = step(root)
    wf = LocalWorkflow(step(old))
    with cell("a"):
        new = step(step(root))
    assert wf.run() == 3
    assert old in wf.find_nodes()
    # The new node has the name of the old one, which this workflow needs: it is left out, and what needs it.
    assert old.name in {node.name for node in wf.left_out}
    assert new in wf.left_out
    assert LocalWorkflow(new).run() == 3


def test_old_and_new_as_outputs_of_one_workflow_have_one_name_too_many(cell: Any) -> None:
    with cell("a"):
        old = step()
    with cell("a"):
        new = step()
    with pytest.raises(DuplicateNodeNameError):
        BaseWorkflow(old, new)


def test_nodes_made_outside_of_cells_and_in_other_cells_are_left_alone(cell: Any) -> None:
    root = step()
    with cell("a"):
        first = step(root)
    with cell("b"):
        second = step(root)
    with cell("b"):
        again = step(root)
    assert BaseWorkflow(root).find_nodes() == [root, first, again]
    assert (second.replaced, first.replaced, root.replaced) == (True, False, False)


def test_the_constructor_cell_run_again_gives_a_fresh_object(cell: Any) -> None:
    def run_cell() -> Any:
        with cell("a"):
            counter = Counter()
            counter.note("one")
            return counter.note("two")

    assert LocalWorkflow(run_cell()).run() == ["one", "two"]
    assert LocalWorkflow(run_cell()).run() == ["one", "two"]


def test_a_method_cell_run_again_takes_the_place_of_its_calls(cell: Any) -> None:
    counter = Counter()
    counter.note("first")
    reader = read(counter)
    for _ in range(3):
        with cell("a"):
            last = counter.note("second")
        assert last.after == (reader,)
        assert LocalWorkflow(last, reader, max_workers=2, executor="thread").run() == [
            ["first", "second"],
            ["first"],
        ]


def test_a_reader_cell_run_again_and_again_keeps_none_of_its_earlier_readers(cell: Any) -> None:
    counter = Counter()
    noted = counter.note("first")
    for _ in range(5):
        with cell("a"):
            readers = [read(counter), step(noted)]
    assert list(counter._readers) == readers


def test_method_cells_run_again_in_order_build_on_each_other(cell: Any) -> None:
    counter = Counter()
    for _ in range(2):
        with cell("a"):
            counter.note("a")
        with cell("b"):
            last = counter.note("b")
    assert LocalWorkflow(last).run() == ["a", "b"]
    assert all(not parent.replaced for parent in last.parents)


def test_an_earlier_method_cell_run_alone_leaves_out_what_was_built_on_it(cell: Any) -> None:
    counter = Counter()
    with cell("a"):
        counter.note("a")
    with cell("b"):
        stale = counter.note("b")
    with cell("a"):
        fresh = counter.note("A")
    wf = LocalWorkflow(fresh)
    assert wf.run() == ["A"]
    assert wf.left_out == [stale]
    assert LocalWorkflow(stale).run() == ["a", "b"]


def test_a_cell_within_a_cell_ends_alone(cell: Any) -> None:
    with cell("outer"):
        with cell("inner"):
            inner = step()
        cells.begin(None)
        free = step()
        cells.end()
        outer = step()
    with cell("outer"):
        pass
    assert [node.replaced for node in (inner, free, outer)] == [False, False, True]


# --- IPython -------------------------------------------------------------------------------------------------

SETUP = """
from fuse_widgets import LocalWorkflow, BaseWorkflow, DuplicateNodeNameError, workflow
@workflow
def plus(x=0): return x + 1
root = plus().set_name("root")
"""


@pytest.fixture
def shell() -> Iterator[Any]:
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell")
    from fuse_widgets import _ipython

    shell = interactiveshell.InteractiveShell.instance()
    _ipython.register()
    shell.reset()
    yield shell
    shell.run_cell("%reset -f")
    shell.display_pub.__dict__.pop("publish", None)
    cells.set_label(lambda file: None)
    interactiveshell.InteractiveShell.clear_instance()


def run(shell: Any, code: str, cell_id: str) -> Any:
    result = shell.run_cell(code, cell_id=cell_id, store_history=True)
    result.raise_error()
    return result.result


def test_cells_of_ipython_replace_their_nodes(shell: Any) -> None:
    run(shell, SETUP, "setup")
    names = [run(shell, "leaf = plus(root); leaf.name", "leaf") for _ in range(3)]
    assert len(set(names)) == 1
    assert run(shell, "[node.name for node in BaseWorkflow(root).find_nodes()]", "look") == ["root", names[0]]
    assert run(shell, "LocalWorkflow(leaf).run()", "go") == 2


@pytest.mark.parametrize("code", ["1 + 1", "", "1 +"])
def test_a_cell_that_runs_code_of_its_own_still_replaces_its_nodes(
    shell: Any, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, SETUP, "setup4")
    for _ in range(2):
        run(shell, f"get_ipython().run_cell({code!r}); late = plus(root)", "nesting")
    assert run(shell, "len(BaseWorkflow(root))", "look4") == 2
    capsys.readouterr()


def test_a_duplicate_name_says_in_which_cells(shell: Any) -> None:
    run(shell, SETUP, "setup2")
    run(shell, "%time one = plus(root).set_name('twin')", "one")
    number = shell.execution_count
    run(shell, "two = plus(root).set_name('twin')", "two")
    text = run(
        shell,
        "try: BaseWorkflow(one, two)\nexcept DuplicateNodeNameError as error: text = str(error)\ntext",
        "look2",
    )
    assert f"In[{number}], line 1" in text
    assert "'twin'" in text


def test_what_a_node_displays_is_kept_with_it(shell: Any) -> None:
    run(shell, SETUP, "setup3")
    code = """
from IPython.display import HTML, display
@workflow
def show(): display(HTML('<b>shown</b>')); return 1
wf = LocalWorkflow(show().set_name("show")); wf.run()
wf.last_run.outputs["show"].displays[0]["text/html"]
"""
    assert run(shell, code, "show") == "<b>shown</b>"


@pytest.mark.parametrize("go", ["wf.run()", "wf.start().wait(30)"])
def test_a_failure_shows_the_call_and_the_lines_of_the_node_and_none_of_ours(
    shell: Any, go: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, SETUP, "setup5")
    define = "@workflow\ndef divide(x):\n    return 1 / x\nwf = LocalWorkflow(divide(0).set_name('d'), executor='thread')"
    run(shell, define, "define")
    capsys.readouterr()
    shell.run_cell(go, store_history=True)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "return 1 / x" in shown
    assert f"----> 1 {go}" in shown
    assert "node 'd' failed with ZeroDivisionError: division by zero" in shown
    assert "fuse_widgets" not in shown
    assert "hidden" not in shown


def test_a_failure_in_another_process_names_its_cell_once(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, SETUP, "setup9")
    define = "@workflow\ndef divide(x):\n    return 1 / x\nwf = LocalWorkflow(divide(0).set_name('d'), executor='process')"
    run(shell, define, "define9")
    number = shell.execution_count - 1
    arrow = f"Cell In[{number}], line 3, in divide(x)\n      1 @workflow\n      2 def divide(x):\n----> 3     return 1 / x\n"
    line = f"Cell In[{number}], line 3 in divide\n    return 1 / x\n"
    for mode, raised in (("Context", arrow), ("Plain", line)):
        shell.run_line_magic("xmode", mode)
        capsys.readouterr()
        shell.run_cell("wf.run()", store_history=True)
        shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert raised in shown
        first, found, second = shown.partition("The above exception was the direct cause of the following")
        assert found
        assert ("ZeroDivisionError: division by zero" in first, "NodeExecutionError: node 'd'" in second) == (
            True,
            True,
        )
        assert "wf.run()" in second
        assert "fuse_widgets" not in shown
        assert "ipython-input" not in shown
    shell.run_line_magic("xmode", "Minimal")
    capsys.readouterr()
    shell.run_cell("wf.run()")
    assert "Traceback" not in capsys.readouterr().out
    shell.run_line_magic("xmode", "Context")
    run(shell, "wf.close()", "close9")


def test_an_error_with_causes_in_a_ring_is_shown(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, SETUP, "setup10")
    capsys.readouterr()
    shell.run_cell(
        "one, two = DuplicateNodeNameError('ring'), ValueError()\ntwo.__cause__ = one\nraise one from two"
    )
    assert "DuplicateNodeNameError" in capsys.readouterr().out


def test_ctrl_c_shows_the_call_and_none_of_ours(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, SETUP, "setup8")
    press = "import os, signal\n@workflow\ndef press(): os.kill(os.getpid(), signal.SIGINT)\nwf = LocalWorkflow(press())"
    run(shell, press, "press")
    capsys.readouterr()
    shell.run_cell("wf.run()", store_history=True)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "----> 1 wf.run()" in shown
    assert "KeyboardInterrupt" in shown
    assert "fuse_widgets" not in shown
    assert "hidden" not in shown


def test_a_refused_value_shows_the_line_that_gave_it(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, SETUP, "setup6")
    capsys.readouterr()
    shell.run_cell("LocalWorkflow(root).query().set_backend_info('retries', -1)")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "has to be 0 or more" in shown
    assert "fuse_widgets" not in shown


CALLS = """
import numpy as np
@workflow
def f(a, b=1): return a / b
@workflow
class Model:
    def go(self, x): return x
wf = LocalWorkflow(f(1).set_name("f1"), workflow_name="calls")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        ("f(1, bad=2)", "f(1, bad=2)", "f(a, b=1): got an unexpected keyword argument 'bad'"),
        ("f(map(str, [1]))", "f(map(str, [1]))", "can be read only once"),
        ("def deeper():\n    Model().go(1, y=2)\ndeeper()", "Model().go(1, y=2)", "unexpected keyword argument 'y'"),
        ("np.ones(3) * f(1)", "np.ones(3) * f(1)", "'*' does not work on it"),
        ("sorted(f(1))", "sorted(f(1))", "cannot be iterated"),
        ("f(1).nothing", "f(1).nothing", "has no attribute 'nothing'"),
        ("Model.nothing", "Model.nothing", "has no attribute 'nothing'"),
        ("@workflow\ndef g(a=f(1)): pass", "@workflow", "the default of 'a'"),
        ("LocalWorkflow(f(1), executor='no')", "LocalWorkflow(f(1), executor='no')", "executor must be"),
        ("wf.run(1, 2, 3)", "wf.run(1, 2, 3)", "run: too many positional arguments"),
        ("try: f(bad=2)\nexcept TypeError: raise ValueError('own')", "try: f(bad=2)", "ValueError: own"),
        ("try: f(bad=2)\nexcept TypeError as e: raise KeyError from e", "try: f(bad=2)", "direct cause"),
        ("import fuse_widgets\nfuse_widgets.nothing", "fuse_widgets.nothing", "no attribute 'nothing'"),
    ],
)  # fmt: skip
def test_an_error_of_a_call_shows_the_line_of_the_call_last(
    shell: Any, capsys: pytest.CaptureFixture[str], code: str, line: str, said: str
) -> None:
    run(shell, SETUP + CALLS, "calls")
    capsys.readouterr()
    shell.run_cell(code)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert re.search(rf"^-+> \d+ +{re.escape(line)}$", shown, re.MULTILINE), shown
    assert said in shown
    assert "/fuse_widgets/" not in shown
    assert "hidden" not in shown
    run(shell, "del wf", "calls")


def test_an_error_that_we_do_not_raise_shows_where_it_comes_from(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, SETUP + CALLS, "calls")
    capsys.readouterr()
    shell.run_cell(
        "from unittest.mock import patch\nwith patch('fuse_widgets.engine._decorator.Node', 3): f(1)"
    )
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "'int' object is not callable" in shown
    assert "_decorator.py" in shown


def test_the_text_of_a_traceback_names_cells(shell: Any) -> None:
    run(shell, SETUP, "setup7")
    code = "@workflow\ndef wrong(): raise ValueError('File \"x\", line 3, in y')\nrun = LocalWorkflow(wrong()).start()"
    run(shell, code, "wrong")
    number = shell.execution_count - 1
    shell.user_ns["run"]._over.wait(30)
    error = next(e.detail["error"] for e in shell.user_ns["run"].events if "error" in (e.detail or {}))
    text = failure(error, None)["text"]
    assert f"\n  In[{number}], line 2, in wrong\n" in text
    assert "ipython-input" not in text
