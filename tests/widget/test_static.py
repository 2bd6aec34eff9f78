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
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def executed() -> Any:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in (BUILD, RUN, "wf")]
    )
    client = NotebookClient(
        notebook, kernel_name="python3", extra_arguments=["--IPKernelApp.log_level=ERROR"]
    )
    return client.execute()


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
