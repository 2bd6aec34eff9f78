"""Runs that end, in JupyterLab: Stop and the kernel's own interrupt, the timeline, and what a saved notebook shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.lab import Notebook

Open = Callable[..., Notebook]

LOOPS = """
import time
from fuse_widgets import LocalWorkflow, workflow
def fit():
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
wf = LocalWorkflow(workflow(fit)().set_name("fit"), executor="thread")
wf
"""
LISTENS = """
def listens():
    while True:
        pass
wf.find_nodes()[0].func = listens
"""


def interrupt(notebook: Notebook) -> None:
    notebook.page.locator(
        "jp-button[data-command='notebook:interrupt-kernel'], [data-command='notebook:interrupt-kernel']"
    ).first.click()


def test_stop_and_the_kernel_s_interrupt_free_the_cell(notebook: Open) -> None:
    book = notebook([LOOPS, "wf.run()", "print('free')", LISTENS])
    book.run(0)
    dag = book.dag()
    book.start(1)
    dag.wait("+d.fuseRunning === 1")
    dag.button("stop").click()
    expect(dag.button("notice")).to_have_text("Stopping: waiting for 'fit'. Press Interrupt to interrupt it.")
    expect(dag.button("stop")).to_have_text("Interrupt")
    expect(dag.button("stop")).to_have_attribute("title", re.compile("goes on in its thread"))
    interrupt(book)
    expect(book.cell(1).locator(".jp-OutputArea-output").last).to_contain_text("KeyboardInterrupt")
    expect(dag.button("notice")).to_have_text("'fit' still runs in thread 1")
    expect(dag.button("run")).to_be_enabled()
    book.run(2, 3)
    assert book.output(2) == "free"
    # A run that a click began has no cell; the kernel's interrupt reaches it as well.
    dag.button("run").click()
    dag.wait("+d.fuseRunning === 1")
    interrupt(book)
    dag.wait("d.fuseRunState === 'cancelled'")


WORK = """
import time
from fuse_widgets import FileStorage, LocalWorkflow, workflow
@workflow
def step(*inputs, seconds=0.2):
    time.sleep(seconds)
    return 1
load = step(seconds=0.4).set_name("load")
fits = [step(load).set_name(f"fit {i}") for i in range(3)]
wf = LocalWorkflow(step(*fits, seconds=0.3).set_name("report"))
wf.set_storage(FileStorage("results"))
wf
"""


def test_the_timeline_of_the_inline_executor_and_of_cached_results(notebook: Open) -> None:
    book = notebook([WORK, "wf.run()", "wf.run()"])
    book.run(0, 1)
    dag = book.dag()
    dag.wait("+d.fuseDone === 5")
    dag.button("timeline").click()
    told = dag.told_by_bars()
    assert {"load", "fit 0", "report"} <= {text.split(",")[0] for text in told}
    book.run(2)
    empty = dag.root.locator(".fuse-lanes-empty")
    expect(empty).to_contain_text("All results were cached. Computing them took ")
    expect(empty).to_contain_text("load 0.")


def test_a_saved_notebook_shows_the_end_of_the_run_and_the_view_stays(notebook: Open) -> None:
    book = notebook([WORK.replace("wf.set_storage", "# "), "wf.run()"])
    book.run(0)
    dag = book.dag()
    dag.root.locator(".fuse-stage").click(position={"x": 10, "y": 10})
    book.page.keyboard.press("+")
    dag.wait("true")
    before = dag.root.evaluate("root => { root.marked = true; return root.fuse.zoom(); }")
    book.run(1)
    dag.wait("+d.fuseDone === 5")
    again = book.dag()
    assert again.root.evaluate("root => [root.marked, root.fuse.zoom()]") == [True, before]
    expect(book.page.locator("[data-fuse-view='dag']")).to_have_count(1)
    book.page.keyboard.press("Escape")
    book.page.keyboard.press("Control+s")
    path = book.lab.notebooks / book.name

    def saved() -> str:
        try:
            outputs = json.loads(path.read_text())["cells"][0]["outputs"]
        except json.JSONDecodeError:  # it is being written
            return ""
        return "".join("".join(output["data"].get("text/html", "")) for output in outputs if "data" in output)

    for _ in range(600):
        if "5 done" in saved():
            break
        book.page.wait_for_timeout(100)
    assert "5 done" in saved()
