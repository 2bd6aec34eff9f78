"""A workflow in ipycytoscape, in a real JupyterLab: drawn, followed, searched, selected in both directions, changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.lab import Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

#: 50 nodes in ten chains, with a DAGWidget linked to the graph.
FIFTY = """
import ipywidgets as widgets
from fuse_widgets import DAGWidget, LocalWorkflow, workflow

@workflow
def load():
    return 1

@workflow
def step(x):
    return x + 1

data = load().set_name("data")
ends = [data]
for i in range(49):
    ends.append(step(ends[max(0, i - 9)]).set_name(f"step {i}"))
wf = LocalWorkflow(*ends, workflow_name="fifty")
cy = wf.cytoscape()
cy
"""
LINKED = "dag = DAGWidget(wf); link = widgets.link((dag, 'selected'), (cy, 'selected')); dag"
CY = "[...document.querySelectorAll('*')].map(e => e._cyreg && e._cyreg.cy).filter(Boolean)[0]"


class Graph:
    """The graph on the page, as cytoscape.js has it."""

    def __init__(self, book: Notebook, nodes: int) -> None:
        self.page = book.page
        self.wait(f"cy.nodes().length === {nodes} && new Set(cy.nodes().map(n => n.position('x'))).size > 3")

    def ask(self, what: str) -> Any:
        return self.page.evaluate(f"() => {{ const cy = {CY}; return {what}; }}")

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(f"() => {{ const cy = {CY}; return cy && {condition}; }}")

    def place(self, name: str) -> dict[str, float]:
        """Where a node is on the page."""
        box = self.box()
        at = self.ask(f"cy.nodes().filter(n => n.data('name') === {json.dumps(name)}).renderedPosition()")
        return {"x": box["x"] + at["x"], "y": box["y"] + at["y"]}

    def box(self) -> dict[str, float]:
        """Where the whole is on the page; scrolls there."""
        self.page.locator(".custom-widget").first.scroll_into_view_if_needed()
        return self.ask("cy.container().getBoundingClientRect().toJSON()")

    def click(self, name: str, *modifiers: str) -> None:
        place = self.place(name)
        for key in modifiers:
            self.page.keyboard.down(key)
        self.page.mouse.move(place["x"], place["y"])
        self.page.mouse.down()
        self.page.mouse.up()
        for key in modifiers:
            self.page.keyboard.up(key)

    def selected(self, *names: str) -> None:
        """Wait until just these nodes are selected."""
        wanted = json.dumps(sorted(names), separators=(",", ":"))
        self.wait(f"JSON.stringify(cy.$('node:selected').map(n => n.data('name')).sort()) === '{wanted}'")


def test_fifty_nodes_are_laid_out_and_follow_a_run(notebook: Open) -> None:
    book = notebook([FIFTY, "wf.run()", "cy.query = 'step 1.*'"])
    book.run(0)
    graph = Graph(book, 50)
    assert graph.ask("cy.edges().length") == 49
    assert graph.ask(
        "cy.edges().every(e => e.source().position('x') < e.target().position('x'))"
    )  # dagre, LR
    pending = graph.ask("cy.nodes()[0].style('border-color')")
    book.run(1)
    graph.wait("cy.nodes(\"[state = 'done']\").length === 50")
    assert graph.ask("cy.nodes()[0].style('border-color')") != pending
    book.run(2)
    graph.wait("cy.nodes('.match').length === 11 && cy.nodes('.dimmed').length === 39")


def test_selection_goes_both_ways_and_to_a_linked_widget(notebook: Open) -> None:
    asked = "print(cy.selected)"
    book = notebook(
        [FIFTY, LINKED, asked, "cy.selected = ['step 2', 'step 7']", asked, asked, asked], height=1400
    )
    book.run(0, 1)
    graph, dag = Graph(book, 50), book.dag()
    dag.wait("+d.fuseNodes === 50")

    graph.click("step 3")
    dag.wait("+d.fuseSelected === 1")
    book.run(2)
    assert book.output(2) == "['step 3']"

    book.run(3)  # from Python: shown as if it was clicked
    graph.selected("step 2", "step 7")
    dag.wait("+d.fuseSelected === 2")

    graph.click("step 5", "Control")  # and added to
    dag.wait("+d.fuseSelected === 3")
    book.run(4)
    assert book.output(4) == "['step 2', 'step 5', 'step 7']"

    graph.click("step 3")  # one that was selected and unselected before
    graph.selected("step 3")
    dag.wait("+d.fuseSelected === 1")

    dag.click("step 8")  # in the other widget
    graph.selected("step 8")

    box = graph.box()
    graph.page.mouse.click(box["x"] + 4, box["y"] + 4)  # beside all nodes
    graph.selected()
    dag.wait("+d.fuseSelected === 0")
    book.run(5)
    assert book.output(5) == "[]"

    box = graph.box()
    graph.page.keyboard.down("Shift")
    graph.page.mouse.move(box["x"] + 3, box["y"] + 3)
    graph.page.mouse.down()
    graph.page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] - 3, steps=4)
    graph.page.mouse.up()
    graph.page.keyboard.up("Shift")
    dag.wait("+d.fuseSelected === 50")
    book.run(6)
    assert book.output(6).count("step") == 49


def test_a_click_reaches_python_while_a_cell_blocks(notebook: Open) -> None:
    wait = "import time\nwhile not cy.selected:\n    time.sleep(0.02)\nprint(cy.selected)"
    book = notebook([FIFTY, wait], height=1400)
    book.run(0)
    graph = Graph(book, 50)
    book.start(1)
    book.page.locator(".jp-Notebook-ExecutionIndicator[data-status='busy']").wait_for()
    graph.click("step 3")
    book.finished(1)
    assert book.output(1) == "['step 3']"


def test_nodes_that_go_and_come_leave_the_rest_whole(notebook: Open) -> None:
    change = "wf.find_nodes('step 20')[0].set_name('renamed'); step(data).set_name('new'); cy.refresh()"
    back = "cy.selected = ['renamed']; wf.run(); cy"
    book = notebook([FIFTY, change, back], height=1400)
    book.run(0)
    graph = Graph(book, 50)
    graph.click("step 3")
    graph.selected("step 3")
    book.run(1)
    graph.wait("cy.nodes().length === 51 && cy.edges().length === 50")
    graph.wait("cy.nodes().filter(n => n.data('name') === 'renamed').outgoers('node').length === 1")
    graph.wait("cy.nodes().filter(n => n.data('name') === 'step 20').length === 0")
    graph.selected("step 3")
    book.run(2)
    graph.selected("renamed")
    graph.wait("cy.nodes(\"[state = 'done']\").length === 51")
    second = CY.replace("[0]", "[1]")  # a second view of the same model
    book.page.wait_for_function(
        f"() => {{ const cy = {second}; return cy && cy.nodes().length === 51 && cy.edges().length === 50"
        " && cy.$('node:selected').length === 1; }"
    )


def test_a_reloaded_page_shows_states_and_selection(notebook: Open) -> None:
    book = notebook([FIFTY, "wf.run(); cy.selected = ['step 4']", "print(cy.selected)"])
    book.run(0)
    Graph(book, 50)
    book.run(1)
    book.page.keyboard.press("Control+s")
    book.page.locator(".jp-mod-current.jp-mod-dirty, .lm-mod-current.jp-mod-dirty").wait_for(state="detached")
    book.load()
    graph = Graph(book, 50)
    graph.wait("cy.nodes(\"[state = 'done']\").length === 50")
    graph.selected("step 4")
    graph.click("step 5")
    graph.selected("step 5")
    book.run(2)
    assert book.output(2) == "['step 5']"


def test_names_full_of_html_are_shown_as_text(notebook: Open) -> None:
    name = '<img src=x onerror="window.harmed = 1"> and much more text, so that it has to be shortened'
    cell = f"""
from fuse_widgets import LocalWorkflow, workflow
node = workflow(lambda: 1)().set_name({name!r})
cy = LocalWorkflow(node, workflow(lambda x: x)(node), workflow(lambda x: x)(node)).cytoscape()
cy
"""
    book = notebook([cell])
    book.run(0)
    graph = Graph.__new__(Graph)
    graph.page = book.page
    graph.wait("cy.nodes().length === 3 && cy.nodes()[0].position('x') !== cy.nodes()[1].position('x')")
    graph.click(name)
    book.page.locator(".tippy-content").get_by_text("much more text").wait_for()
    assert book.page.evaluate("window.harmed") is None
