"""A query that is the last expression of a cell, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.lab import Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

MODELS = """
from fuse_widgets import LocalWorkflow, workflow

@workflow
def train(c):
    return c

nodes = [train(c).set_name(f"{kind} {c}") for kind in ("SVM", "tree") for c in range(3)]
wf = LocalWorkflow(*nodes, workflow_name="models")
"""
QUERY = "wf.query('SVM.*')"
LINE = "Query SVM.* · 3 nodes: SVM 0 · SVM 1 · SVM 2"


def test_a_click_shows_the_nodes_in_the_graph_that_is_on_the_page(notebook: Open) -> None:
    book = notebook([MODELS + "wf", QUERY])
    book.run(0, 1)
    graph, query = book.dag(0), book.dag(1)
    line = query.root.locator(".fuse-query-line")
    line.get_by_text("SVM 0").wait_for()
    assert " ".join(line.inner_text().split()) == LINE
    query.button("show-query").click()
    graph.wait("+d.fuseMatches === 3 && +d.fuseSelected === 3")
    graph.root.locator(".fuse-stage:focus").wait_for()
    assert not query.root.locator(".fuse-stage").is_visible()


def test_without_a_graph_on_the_page_it_opens_its_own(notebook: Open) -> None:
    book = notebook([MODELS, QUERY])
    book.run(0, 1)
    query = book.dag()
    stage = query.root.locator(".fuse-stage")
    assert not stage.is_visible()
    query.button("show-query").click()
    query.wait("+d.fuseNodes === 6 && +d.fuseMatches === 3 && +d.fusePainted > 0")
    assert stage.is_visible()
    query.button("show-query").click()
    stage.wait_for(state="hidden")
