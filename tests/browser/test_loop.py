"""The loop of work in a real JupyterLab: change a function in its cell, run that cell, press Run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.lab import Dag, Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

IMPORT = "from fuse_widgets import LocalWorkflow, workflow"
CLEAN = "@workflow\ndef clean(x):\n    return x * 2"
BUILD = """
@workflow
def load(k): return 10 * k
@workflow
def total(*parts): return sum(parts)
parts = [clean(load(k).set_name(f"load {k}")).set_name(f"clean {k}") for k in (1, 2, 3)]
wf = LocalWorkflow(total(*parts).set_name("total"), workflow_name="loop")
wf
"""
RESULT = "wf.last_run.result"
AGAIN = CLEAN.replace("x * 2", "x + 1")


def edit(book: Notebook, cell: int, text: str) -> None:
    """Type another text into a cell."""
    book.cell(cell).locator(".cm-content").click()
    book.page.keyboard.press("Control+A")
    book.page.keyboard.insert_text(text)


def keep(dag: Dag, name: str) -> None:
    """Take a picture, if somebody wants to look at it."""
    folder = os.environ.get("FUSE_LOOP_PICTURES")
    if folder:
        dag.page.mouse.move(2, 2)
        dag.root.screenshot(path=Path(folder) / f"{name}.png")


def test_a_function_that_is_mended_in_its_cell_marks_what_is_out_of_date_and_run_uses_it(
    notebook: Open,
) -> None:
    book = notebook([IMPORT, CLEAN, BUILD, RESULT], width=1700, height=1400)
    book.run(0, 1, 2)
    dag = book.dag()
    dag.wait("+d.fusePainted > 0 && d.fuseStale === '0'")
    dag.button("run").click()
    dag.wait("+d.fuseDone === 7")
    dag.button("outline").click()
    dag.button("inspector").click()
    dag.click("clean 2")
    dag.button("search").fill("clean.*")
    dag.wait("+d.fuseMatches === 3")
    dag.root.get_by_role("tab", name="Source").click()
    dag.root.get_by_text("return x * 2").wait_for()
    zoom = dag.root.evaluate(
        "root => { root.querySelector('.fuse-stage').focus(); return root.fuse.zoom(); }"
    )

    edit(book, 1, CLEAN.replace("2", "5"))
    book.run(1)
    dag.wait("d.fuseStale === '4'")
    dag.root.get_by_text("return x * 5").wait_for()
    assert dag.number("done") == 7
    assert dag.number("selected") == 1
    assert dag.number("matches") == 3
    assert dag.root.evaluate("root => root.fuse.zoom()") == zoom
    assert dag.root.locator(".fuse-row.fuse-stale").count() == 4
    assert dag.button("stale").inner_text() == "Out of date: code changed"
    assert "4 nodes are out of date" in dag.button("notice").inner_text()
    keep(dag, "stale")

    dag.button("run").click()
    dag.wait("d.fuseStale === '0' && +d.fuseDone === 7 && d.fuseRunState === 'done'")
    book.run(3)
    assert book.output(3) == "300"
    assert dag.number("selected") == 1


def test_a_function_that_another_cell_defines_is_offered_and_used_after_a_press(notebook: Open) -> None:
    book = notebook([IMPORT, CLEAN, BUILD, AGAIN, RESULT], height=1400)
    book.run(0, 1, 2)
    dag = book.dag()
    dag.wait("+d.fusePainted > 0")
    dag.button("run").click()
    dag.wait("+d.fuseDone === 7")
    book.run(3)
    use = dag.button("update-functions")
    use.wait_for()
    number = book.prompt(3).strip("[]: ")
    assert dag.button("notice").inner_text() == f"clean was defined again in In[{number}]"
    assert dag.number("stale") == 0
    keep(dag, "newer")
    use.click()
    dag.wait("d.fuseStale === '4'")
    use.wait_for(state="hidden")
    dag.button("run").click()
    dag.wait("d.fuseStale === '0' && d.fuseRunState === 'done'")
    book.run(4)
    assert book.output(4) == "63"
