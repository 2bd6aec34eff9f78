"""Groups in a real JupyterLab: a large graph starts with boxes, they fill, expand and collapse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.lab import Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

#: 1,000 nodes of five functions in several layers; two of them fail.
LARGE = """
from fuse_widgets import LocalWorkflow, workflow

@workflow
def load(i):
    return i

@workflow
def clean(data, level):
    return data

@workflow
def train(data, kind):
    if data in (7, 70) and kind == "tree":
        raise ValueError(f"no tree for {data}")
    return data

@workflow
def score(*models):
    return sum(models)

@workflow
def report(*scores):
    return len(scores)

scores = []
for i in range(166):
    data = load(i).set_name(f"set {i:03d}, load")
    data = clean(clean(data, 1).set_name(f"set {i:03d}, clean 1"), 2).set_name(f"set {i:03d}, clean 2")
    models = [train(data, kind).set_name(f"set {i:03d}, {kind}-model") for kind in ("tree", "svm")]
    scores.append(score(*models).set_name(f"set {i:03d}, score"))
reports = [report(*scores[k::4]).set_name(f"report {k}") for k in range(4)]
wf = LocalWorkflow(*reports, workflow_name="large")
wf
"""


def test_a_large_graph_starts_with_boxes_that_fill_expand_and_collapse(notebook: Open) -> None:
    book = notebook([LARGE, "print(len(wf._dag_widget.collapsed), wf._dag_widget.selected[:2])"])
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fuseNodes === 1000 && +d.fuseBoxes === 8 && +d.fusePainted > 0")
    assert dag.centre("set 000, load") == dag.centre("set 165, load")

    dag.button("run").click()
    dag.wait("d.fuseRunState === 'failed'")
    assert dag.number("failed") == 2
    dag.hover("set 000, tree-model")
    card = dag.root.locator(".fuse-card")
    card.wait_for()
    assert card.get_attribute("data-fuse-state") == "failed"
    assert card.inner_text().split("\n")[0] == "train"
    assert "332" in card.inner_text()

    dag.click("set 000, load")
    dag.wait("+d.fuseSelected === 166")
    book.run(1)
    assert book.output(1) == "4 ['set 000, load', 'set 001, load']"

    dag.click("set 000, load", click_count=2)
    dag.wait("+d.fuseBoxes === 173")
    assert dag.centre("set 000, load") != dag.centre("set 165, load")
    dag.button("selection").click()
    dag.button("menu-collapse").filter(has_text="Collapse load").click()
    dag.wait("+d.fuseBoxes === 8 && +d.fuseNodes === 1000")
    assert not book.problems


def test_what_python_collapses_is_drawn_and_an_id_that_means_nothing_is_harmless(notebook: Open) -> None:
    book = notebook(
        [
            f"{LARGE[: LARGE.rindex('wf')]}\nfrom fuse_widgets import DAGWidget\nwidget = DAGWidget(wf, collapsed=[])\nwidget",
            "widget.collapsed = ['prefix:set 003, ', 'function:nothing']",
        ]
    )
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fuseNodes === 1000 && +d.fuseBoxes === 1000")
    book.run(1)
    dag.wait("+d.fuseNodes === 1000 && +d.fuseBoxes === 995")
    assert dag.centre("set 003, load") == dag.centre("set 003, score")


def test_the_view_keeps_its_place_where_a_node_is_added(notebook: Open) -> None:
    add = "reports.append(report(scores[23]).set_name('one more'))\nwf._dag_widget.refresh()"
    book = notebook([LARGE.replace("range(166)", "range(40)"), add])
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fuseNodes === 244 && +d.fuseBoxes === 244")
    dag.click("set 020, score", click_count=2)  # centres it, large enough to be read
    dag.page.wait_for_function("root => root.fuse.zoom() >= 0.8", arg=dag.root.element_handle())

    def place(name: str) -> dict[str, float]:
        """Where a node is in the view, however the notebook is scrolled."""
        centre, root = dag.centre(name), dag.root.bounding_box()
        assert root is not None
        return {side: centre[side] - root[side] for side in ("x", "y")}

    names = ("set 020, score", "set 021, score")
    before = [place(name) for name in names]
    book.run(1)
    dag.wait("+d.fuseNodes === 245")
    after = [place(name) for name in names]
    assert after[0] == pytest.approx(before[0], abs=1)
    assert (after[1]["y"] > after[0]["y"]) == (before[1]["y"] > before[0]["y"])
