"""What nodes display is kept with them and shown in the cell, from every executor as the cell would have shown it."""

from __future__ import annotations

import base64
import builtins
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from fuse_widgets import LocalWorkflow, NodeExecutionError, _ipython, workflow
from fuse_widgets.engine import cells, output
from fuse_widgets.engine.output import Display, Tail, in_no_cell

EXECUTORS = ["inline", "thread", "process"]
PNG = base64.b64encode(b"\x89PNG").decode()


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    """The worker processes of all tests here, started by a kernel."""
    wf = LocalWorkflow(workflow(lambda: None)(), executor="process")
    yield wf.processes
    wf.close()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell that keeps what reaches its cell in `display_pub.outputs`, as in a notebook with inline figures."""
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    shell = InteractiveShell.instance(display_pub_class=CapturingDisplayPublisher)
    shell.builtin_trap.activate()  # as while a cell runs
    _ipython.register()
    yield shell
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
        sys.modules["matplotlib.pyplot"].switch_backend("agg")
    shell.builtin_trap.deactivate()
    cells.set_label(lambda file: None)
    output.set_publisher(None)
    output.set_after_node(None)
    InteractiveShell.clear_instance()


@pytest.fixture
def inline_figures(shell: Any) -> None:
    import matplotlib.pyplot as plt
    import matplotlib_inline.backend_inline as backend

    plt.switch_backend("module://matplotlib_inline.backend_inline")
    backend.configure_inline_support.current_backend = "unset"  # by an earlier shell
    backend.InlineBackend.clear_instance()
    backend.configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    _ipython._keep_figures()


def run(processes: Any, executor: str, *functions: Any, workers: int = 1) -> LocalWorkflow:
    """Run functions as nodes named after them."""
    nodes = [workflow(function)().set_name(function.__name__) for function in functions]
    wf = LocalWorkflow(*nodes, executor=executor, max_workers=workers)  # type: ignore[arg-type]
    wf.processes = processes
    wf.run()
    return wf


def pieces(wf: LocalWorkflow, name: str) -> list[Any]:
    """What a node printed, and the forms that it displayed, in order."""
    assert wf.last_run is not None
    tail = wf.last_run.outputs.get(name, Tail())
    return [piece if isinstance(piece, str) else sorted(piece.data) for piece in tail.pieces(10_000)[0]]


def shown(shell: Any) -> list[list[str]]:
    """The forms that reached the cell."""
    return [sorted(found["data"]) for found in shell.display_pub.outputs]


FIGURE, TABLE = ["image/png", "text/plain"], ["text/html", "text/plain"]


def plots() -> int:
    import matplotlib.pyplot as plt

    print("begin")
    plt.plot([1, 2])
    plt.show()
    print("between")
    plt.plot([2, 1])  # and left open
    return len(plt.get_fignums())


def tables() -> None:
    import pandas as pd

    display(pd.DataFrame({"a": [1]}))  # type: ignore[name-defined]  # noqa: F821
    print("after")


def updates() -> None:
    from IPython.display import HTML, display, update_display

    handle = display(HTML("<b>one</b>"), display_id=True)
    print("text")
    handle.update(HTML("<b>two</b>"))
    display(HTML("<i>1</i>"), display_id="mine")
    update_display(HTML("<i>2</i>"), display_id="mine")


def clears() -> None:
    from IPython.display import HTML, clear_output, display

    for step in range(3):
        print("step", step)
        display(HTML(f"<b>{step}</b>"))
        clear_output(wait=step < 2)
    print("end")


def returns_figure() -> Any:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    return figure


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.usefixtures("inline_figures")
def test_figures_are_kept_and_shown_in_order(shell: Any, processes: Any, executor: str) -> None:
    wf = run(processes, executor, plots, plots.__class__(plots.__code__, plots.__globals__, "again"))
    for name in ("plots", "again"):
        assert pieces(wf, name) == ["begin\n", FIGURE, "between\n", FIGURE]
    assert wf.last_run is not None
    assert wf.last_run.results == {"plots": 1, "again": 1}  # each has figures of its own
    assert shown(shell) == [FIGURE] * 4
    data = wf.last_run.outputs["plots"].displays[0]["image/png"]
    assert (data if isinstance(data, bytes) else base64.b64decode(data)).startswith(b"\x89PNG")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_frames_and_displays_with_and_without_import(shell: Any, processes: Any, executor: str) -> None:
    wf = run(processes, executor, tables)
    assert pieces(wf, "tables") == [TABLE, "after\n"]
    assert shown(shell) == [TABLE]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_updates_replace_what_is_kept_and_reach_the_cell(shell: Any, processes: Any, executor: str) -> None:
    wf = run(processes, executor, updates)
    assert wf.last_run is not None
    found = wf.last_run.outputs["updates"].pieces(100)[0]
    assert [piece if isinstance(piece, str) else piece.data["text/html"] for piece in found] == [
        "<b>two</b>",
        "text\n",
        "<i>2</i>",
    ]
    sent = [(one["data"]["text/html"], one["update"]) for one in shell.display_pub.outputs]
    assert sent == [("<b>one</b>", False), ("<b>two</b>", True), ("<i>1</i>", False), ("<i>2</i>", True)]
    ids = [one["transient"]["display_id"] for one in shell.display_pub.outputs]
    assert ids[0] == ids[1]
    assert ids[2:] == ["mine", "mine"]


def test_a_display_may_be_updated_by_another_node(shell: Any) -> None:
    from IPython.display import HTML, display

    @workflow
    def begins() -> Any:
        return display(HTML("begun"), display_id=True)

    @workflow
    def ends(handle: Any) -> None:
        handle.update(HTML("ended"))

    wf = LocalWorkflow(ends(begins().set_name("begins")).set_name("ends"))
    wf.run()
    assert wf.last_run is not None
    assert [bundle["text/html"] for bundle in wf.last_run.outputs["begins"].displays] == ["ended"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_clearing_forgets_what_the_node_printed(shell: Any, processes: Any, executor: str) -> None:
    wf = run(processes, executor, clears)
    assert pieces(wf, "clears") == ["end\n"]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.usefixtures("inline_figures")
def test_a_figure_that_is_returned_is_shown_once(shell: Any, processes: Any, executor: str) -> None:
    import matplotlib.pyplot as plt

    wf = run(processes, executor, returns_figure)
    assert pieces(wf, "returns_figure") == [FIGURE]
    assert shown(shell) == [FIGURE]
    assert type(wf.last_run.result).__name__ == "Figure"  # type: ignore[union-attr]
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("inline_figures")
def test_nodes_in_threads_have_figures_of_their_own_and_leave_those_of_the_cell(
    shell: Any, processes: Any
) -> None:
    import matplotlib.pyplot as plt

    meeting = threading.Barrier(2, timeout=30)
    seen: dict[str, list[Any]] = {}

    def draws(name: str) -> None:
        plt.figure()
        plt.title(name)
        meeting.wait()
        plt.plot([1, 2])
        meeting.wait()
        seen[name] = [plt.gcf().axes[0].get_title(), plt.get_fignums(), len(plt.gca().lines)]

    outside = plt.figure()
    nodes = [workflow(draws)(name).set_name(name) for name in "ab"]
    wf = LocalWorkflow(*nodes, executor="thread", max_workers=2)
    wf.run()
    assert seen == {"a": ["a", [1], 1], "b": ["b", [1], 1]}
    assert [pieces(wf, name) for name in "ab"] == [[FIGURE], [FIGURE]]
    assert plt.get_fignums() == [1]
    assert plt.gcf() is outside


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.usefixtures("inline_figures")
def test_a_node_that_fails_shows_the_figures_that_it_left_open(
    shell: Any, processes: Any, executor: str
) -> None:
    def fails() -> None:
        import matplotlib.pyplot as plt

        plt.plot([1, 2])
        raise ValueError("after the figure")

    with pytest.raises(NodeExecutionError, match="after the figure"):
        run(processes, executor, fails)
    assert shown(shell) == [FIGURE]


def test_what_cannot_be_shown_from_a_process_says_so(shell: Any, processes: Any) -> None:
    def widget() -> None:
        import ipywidgets

        display(ipywidgets.IntSlider(3))  # type: ignore[name-defined]  # noqa: F821

    def huge() -> None:
        from IPython.display import HTML, display

        display(HTML("x" * 30_000_000))

    def odd() -> None:
        from IPython.display import display

        class Odd:
            def __repr__(self) -> str:
                raise ValueError("no repr")

        display(Odd())
        print("goes on")

    wf = run(processes, "process", widget, huge, odd)
    assert pieces(wf, "widget") == [
        "IntSlider(value=3) cannot be shown: an ipywidget works only in the kernel, not in a worker process. "
        "Run this node with executor 'inline' or 'thread'.\n"
    ]
    assert pieces(wf, "huge") == ["A display of 30 MB is not shown: at most 20 MB of each are.\n"]
    assert pieces(wf, "odd")[0].startswith("Traceback")
    assert pieces(wf, "odd")[0].endswith("goes on\n")


def test_a_forked_child_of_a_node_prints_what_it_displays(shell: Any, processes: Any) -> None:
    def forks() -> None:
        import multiprocessing

        from IPython.display import HTML, display

        child = multiprocessing.get_context("fork").Process(target=display, args=(HTML("<b>x</b>"),))
        child.start()
        child.join()

    wf = run(processes, "process", forks)
    assert pieces(wf, "forks") == ["<IPython.core.display.HTML object>\n"]


def test_a_display_that_a_process_made_before_it_died_is_kept(shell: Any) -> None:
    def dies() -> None:
        import os
        import signal

        from IPython.display import HTML, display

        print("one")
        display(HTML("<b>two</b>"))
        print("three")
        os.kill(os.getpid(), signal.SIGKILL)

    wf = LocalWorkflow(workflow(dies)().set_name("dies"), executor="process")
    with pytest.raises(NodeExecutionError, match="died"):
        wf.run()
    assert pieces(wf, "dies") == ["one\n", TABLE, "three\n"]
    wf.close()


def test_without_a_notebook_a_process_prints_what_it_displays(capsys: pytest.CaptureFixture[str]) -> None:
    def shows() -> None:
        from IPython.display import HTML, display

        display(HTML("<b>x</b>"))

    wf = LocalWorkflow(workflow(shows)().set_name("shows"), executor="process")
    wf.run()
    assert pieces(wf, "shows") == ["<IPython.core.display.HTML object>\n"]
    wf.close()


# --- runs that have no cell ----------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.usefixtures("inline_figures")
def test_after_a_click_on_run_nothing_reaches_a_cell(
    shell: Any, processes: Any, executor: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    wf = LocalWorkflow(
        *[workflow(f)().set_name(f.__name__) for f in (plots, tables, updates, clears)], executor=executor
    )
    wf.processes = processes
    with in_no_cell():
        run = wf.start()
    run.wait(60)
    assert pieces(wf, "plots") == ["begin\n", FIGURE, "between\n", FIGURE]
    assert pieces(wf, "tables") == [TABLE, "after\n"]
    assert pieces(wf, "updates") == [TABLE, "text\n", TABLE]
    assert pieces(wf, "clears") == ["end\n"]
    assert capsys.readouterr() == ("", "")
    assert shown(shell) == []


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        (
            "inline",
            "node 'asks' asks for input, and no cell waits for its run: call workflow.run\\(\\) in a cell",
        ),
        (
            "thread",
            "node 'asks' asks for input, and no cell waits for its run: call workflow.run\\(\\) in a cell",
        ),
        (
            "process",
            "input\\(\\) cannot ask anybody from a worker process: run this node with executor 'inline'",
        ),
    ],
)
@pytest.mark.parametrize(
    "ask", [lambda: input("name? "), lambda: sys.stdin.readline(), lambda: list(sys.stdin)]
)
def test_asking_in_a_run_without_a_cell_says_what_to_do(
    processes: Any, executor: Any, words: str, ask: Any
) -> None:
    wf = LocalWorkflow(workflow(ask)().set_name("asks"), executor=executor)
    wf.processes = processes
    with in_no_cell():
        run = wf.start()
    with pytest.raises(NodeExecutionError, match=words):
        run.wait(60)


def test_a_background_run_of_a_notebook_asks_nobody_and_a_run_in_its_cell_does(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kernel:
        def raw_input(self, prompt: str = "") -> str:
            return f"answer to {prompt}"

        getpass = raw_input

    shell.kernel = Kernel()
    try:
        _ipython._refuse_input(shell)
        monkeypatch.setattr(builtins, "input", shell.kernel.raw_input)  # as ipykernel does while a cell runs
        wf = LocalWorkflow(workflow(lambda: input("what?"))().set_name("asks"))
        assert wf.run() == "answer to what?"
        with pytest.raises(NodeExecutionError, match="no cell waits for its run"):
            wf.start().wait(30)
        assert input("me?") == "answer to me?"
    finally:
        output.set_cells_answer(False)
        del shell.kernel


# --- the pieces ----------------------------------------------------------------------------------------------


def test_the_last_16_displays_are_kept_and_those_too_large_say_so() -> None:
    tail = Tail()
    for number in range(20):
        tail.display(Display({"text/plain": str(number)}))
    assert [bundle["text/plain"] for bundle in tail.displays] == [str(number) for number in range(4, 20)]
    assert tail.dropped == 4
    tail.display(Display({"text/plain": "x" * 1_000_001}))
    assert tail.displays[-1] == {}
