"""Notebooks that are executed with nobody at the screen keep a picture, with the states of the finished run."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

BUILD = """
from fuse_widgets import LocalWorkflow, workflow
@workflow
def step(*inputs):
    if len(inputs) == 2:
        raise ValueError("two <b>is</b> too many")
first = step().set_name("first")
wf = LocalWorkflow(step(step(first, 2).set_name("broken")).set_name("after"), workflow_name="demo")
wf
"""
RUN = """
try:
    wf.run()
except Exception as error:
    print(error)
"""
CHANGED_IN_PYTHON = """
first.backend_info["retries"] = 3
late = step(first).set_name("late")
"""
LOOK = """
from fuse_widgets.widget.bridge import bridge
assert bridge.wait_idle()
print(w._details["settings"]["values"], list(w.states)[-1])
"""
VIEW = "application/vnd.jupyter.widget-view+json"


def execute(*cells: str) -> Any:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    options = ["--IPKernelApp.log_level=ERROR"]
    return NotebookClient(notebook, kernel_name="python3", extra_arguments=options).execute()


@pytest.fixture(scope="module")
def executed() -> Any:
    return execute(BUILD, RUN, "wf")


def test_the_picture_shown_before_the_run_has_the_states_after_it(executed: Any) -> None:
    first, _, last = executed.cells
    for cell in (first, last):
        (output,) = cell.outputs
        assert VIEW not in output.data
        html = output.data["text/html"]
        assert "1 failed" in html
        assert "1 skipped" in html
        assert "two &lt;b&gt;is&lt;/b&gt; too many" in html
        assert output.data["text/plain"].startswith("DAGWidget(")


def test_nbconvert_shows_it(executed: Any) -> None:
    page, _ = HTMLExporter().from_notebook_node(executed)
    assert page.count("<svg") >= 2
    assert "broken" in page
    assert "two <b>is</b>" not in page


def test_a_query_is_a_list_and_widgets_see_at_the_end_of_a_cell_what_it_has_changed() -> None:
    make = "from fuse_widgets import DAGWidget\nw = DAGWidget(wf, selected=['first'])"
    cells = execute(BUILD, "wf.query('.*r.*')", make, CHANGED_IN_PYTHON, LOOK).cells
    (query,) = cells[1].outputs
    assert sorted(query.data) == ["text/html", "text/plain"]
    assert query.data["text/plain"] == "<Query '.*r.*': 3 nodes: 'first', 'broken', 'after'>"
    (printed,) = cells[4].outputs
    assert printed.text == "{'retries': 3} late\n"
