"""Parts of the widget among other ipywidgets, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.lab import Notebook

WORKFLOW = """
from fuse_widgets import *
import ipywidgets as widgets
@workflow
def step(*inputs):
    return 1
first = step().set_name("moons-load")
wf = LocalWorkflow(step(first).set_name("moons-fit"), step(first).set_name("report"))
"""
LINKED = """
graph, table, form = GraphView(wf), NodeTable(wf), BackendInfoForm(wf)
{link}((graph, "selected"), (table, "selected"))
{link}((graph, "selected"), (form, "selected"))
widgets.VBox([widgets.HBox([graph, table]), form, ProgressBar(wf)])
"""


@pytest.mark.parametrize("link", ["widgets.link", "widgets.jslink"])
def test_parts_in_a_box_share_a_selection(notebook: Callable[..., Notebook], link: str) -> None:
    book = notebook([WORKFLOW, LINKED.format(link=link), "graph.selected, table.selected, form.selected"])
    book.run(0, 1)
    graph, table = book.dag(0), book.dag(1)
    graph.wait("+d.fuseNodes === 3")
    graph.click("moons-fit")
    for nth in (0, 1, 2):
        book.dag(nth).wait("d.fuseSelected === '1'")
    book.run(2)
    assert book.output(2) == "(['moons-fit'], ['moons-fit'], ['moons-fit'])"
    assert table.root.get_attribute("data-fuse-parts") == "outline"
    for nth, (width, height) in enumerate([(300, 160), (300, 100), (600, 200), (600, 30)]):
        box = book.dag(nth).root.bounding_box()
        assert box is not None
        assert (box["width"] >= width, box["height"] >= height) == (True, True), nth
    assert book.problems == []


BESIDE = """
table, inspector = NodeTable(wf), Inspector(wf)
box = widgets.HBox([table, inspector])
box
"""


def test_table_and_inspector_side_by_side_show_their_borders_and_every_row(
    notebook: Callable[..., Notebook],
) -> None:
    book = notebook([WORKFLOW, BESIDE])
    book.run(0, 1)
    book.dag(1).wait("+d.fuseNodes === 3")
    table, inspector = (book.dag(nth).root for nth in (0, 1))
    for width in (1200, 900):
        book.page.set_viewport_size({"width": width, "height": 900})
        left, right = table.bounding_box(), inspector.bounding_box()
        assert left is not None
        assert right is not None
        assert min(left["width"], right["width"]) >= 318
        assert left["x"] + left["width"] <= right["x"]
        row = table.get_by_text("report").bounding_box()
        assert row is not None
        assert row["y"] + row["height"] <= left["y"] + left["height"]
        assert table.locator(".fuse-grid").evaluate("grid => grid.scrollHeight <= grid.clientHeight")
        edge = "box => box.getBoundingClientRect().left + box.scrollWidth"
        assert right["x"] + right["width"] <= book.page.locator(".widget-hbox").last.evaluate(edge)
