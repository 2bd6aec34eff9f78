"""What nodes print and display, in the inspector of a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Notebook

pytestmark = pytest.mark.browser

WORKFLOW = """
from IPython.display import display
from fuse_widgets import DAGWidget, LocalWorkflow, workflow

@workflow
def draw(title):
    import matplotlib.pyplot as plt
    import pandas as pd
    print("drawing", title)
    plt.figure(figsize=(3, 2))
    plt.plot([1, 3, 2])
    plt.title(title)
    plt.show()
    display(pd.DataFrame({"node": [title, title], "score": [0.5, 0.75]}))
    print("drawn")

nodes = [draw(name).set_name(name) for name in ("inline", "process", "thread")]
wf = LocalWorkflow(*nodes)
for name in ("inline", "process", "thread"):
    wf.query(name).set_backend_info("executor", name)
widget = DAGWidget(wf, height=560)
widget.panels = ["inspector"]
widget
"""


def test_a_click_on_run_shows_figures_and_tables_in_the_inspector_and_nothing_in_a_cell(
    notebook: Callable[..., Notebook],
) -> None:
    book = notebook([WORKFLOW, "import time\nfor _ in range(20): time.sleep(0.2)\nprint('own')"])
    book.run(0)
    dag = book.dag()
    dag.button("run").click()
    book.start(1)
    dag.wait("+d.fuseDone === 3")
    for name in ("inline", "process", "thread"):
        dag.click(name)
        dag.root.get_by_role("tab", name="Output").click()
        printed = dag.button("printed")
        expect(printed).to_contain_text(f"drawing {name}")
        expect(printed.locator("> *")).to_have_count(4)
        picture = printed.locator("img")
        expect(picture).to_be_visible()
        assert printed.evaluate("area => area.scrollTop") == 0
        assert picture.evaluate("picture => picture.complete && picture.naturalWidth > 100")
        table = printed.frame_locator("iframe").locator("table")
        expect(table).to_contain_text("0.75")
    book.finished(1)
    assert book.output(1) == "own"
    expect(book.cell(0).locator(".jp-OutputArea-output")).to_have_count(1)  # the widget alone
