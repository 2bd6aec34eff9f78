"""The inspector and the form of `backend_info` in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Dag, Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

WORKFLOW = '''
import time
from pathlib import Path
import numpy as np
from fuse_widgets import DAGWidget, LocalWorkflow, workflow

go = Path("GATE")

@workflow
def load(name: str):
    """Load <b>samples</b>."""
    print("loading", name)
    return np.arange(300.0).reshape(100, 3)

@workflow
def train(data, kernel="rbf", *, C=1.0):
    print(f"\\x1b[32m{kernel}\\x1b[0m <img src=x onerror='document.title=1'>")
    while kernel == "wait" and not go.exists():
        time.sleep(0.01)
    if kernel == "poly":
        raise ValueError(f"kernel {kernel!r} <i>is not known</i>")
    return {"kernel": kernel}

class Page:
    def _repr_html_(self):
        return """<b>whole</b><script>parent.document.title = "1"</script><img src=x onerror="parent.document.title = '1'">"""

@workflow
def table(*scores):
    return Page()

data = load("moons").set_name("samples")
models = [train(data, kernel, C=10.0).set_name(f"{kernel} SVM") for kernel in ("linear", "rbf", KERNEL)]
wf = LocalWorkflow(table(*models[:2]).set_name("scores"), table(models[2]).set_name("after"), max_workers=2)
widget = DAGWidget(wf, height=520)
widget.panels = ["inspector"]
widget
'''
RUN = """
try:
    wf.run()
except Exception as error:
    print(type(error).__name__)
"""
INFOS = "print([model.backend_info for model in models])"


class Panel:
    """The inspector of a widget on the page."""

    def __init__(self, book: Notebook, dag: Dag) -> None:
        self.page, self.dag = book.page, dag
        self.root = dag.root.locator(".fuse-inspector")
        self.head = self.root.locator(".fuse-head")
        self.area = self.root.get_by_role("tabpanel")

    def about(self, name: str) -> None:
        """Click a node and wait until all of it is there."""
        self.dag.click(name)
        expect(self.head.locator("h3")).to_have_text(name)
        expect(self.area).to_have_attribute("aria-busy", "false")

    def tab(self, name: str) -> None:
        self.dag.button(f"tab-{name}").click()

    def field(self, path: str) -> Locator:
        return self.root.locator(f"[data-fuse-field='{path}']")

    def enter(self, path: str, text: str) -> None:
        self.field(path).fill(text)
        self.field(path).press("Enter")

    def wrong(self, path: str) -> Locator:
        return self.root.locator(f".fuse-setting:has([data-fuse-field='{path}']) .fuse-wrong-text")


def shown(notebook: Open, tmp_path: Path, *cells: str, kernel: str = "poly") -> tuple[Notebook, Panel]:
    source = WORKFLOW.replace("GATE", str(tmp_path / "gate")).replace("KERNEL", repr(kernel))
    book = notebook([source, *cells], width=1400)
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fusePainted > 0")
    dag.root.scroll_into_view_if_needed()
    return book, Panel(book, dag)


def select_the_models(panel: Panel) -> None:
    panel.dag.button("search").fill(".* SVM")
    panel.dag.wait("+d.fuseMatches === 3")
    panel.dag.button("select-matches").click()
    expect(panel.head.locator("h3")).to_have_text("3 nodes")
    panel.tab("backend_info")
    expect(panel.root.locator(".fuse-form-about")).to_have_text("Editing 3 nodes that match .* SVM")


def test_a_click_tells_what_a_node_is_takes_printed_and_gave(notebook: Open, tmp_path: Path) -> None:
    book, panel = shown(notebook, tmp_path, RUN)
    book.run(1)
    panel.about("rbf SVM")
    expect(panel.head).to_contain_text("done in")
    for text in ("train(data, kernel='rbf', *, C=1.0)", "made at", "In[1], line 3", "'rbf'", "10.0"):
        expect(panel.area).to_contain_text(text)
    panel.tab("Output")
    expect(panel.dag.button("printed")).to_have_text("rbf <img src=x onerror='document.title=1'>")
    panel.tab("Source")
    expect(panel.dag.button("source")).to_contain_text('def train(data, kernel="rbf", *, C=1.0):')
    panel.tab("Overview")
    panel.area.get_by_role("button", name="samples").click()
    expect(panel.head.locator("h3")).to_have_text("samples")
    expect(panel.area.locator(".fuse-doc")).to_have_text("Load <b>samples</b>.")
    panel.tab("Result")
    expect(panel.area).to_contain_text("100 x 3")
    panel.dag.button("show-result").click()
    expect(panel.area.locator(".fuse-preview")).to_contain_text("0.   1.   2.")


def test_html_of_a_result_is_drawn_and_runs_nothing(notebook: Open, tmp_path: Path) -> None:
    book, panel = shown(notebook, tmp_path, RUN)
    book.run(1)
    panel.about("scores")
    panel.tab("Result")
    panel.dag.button("show-result").click()
    frame = panel.area.locator("iframe")
    expect(frame).to_have_attribute("sandbox", "")
    expect(frame.content_frame.locator("b")).to_have_text("whole")
    assert book.page.title() != "1"
    panel.about("rbf SVM")
    expect(panel.area.locator("iframe")).to_have_count(0)


def test_an_error_shows_its_frames_and_a_skipped_node_leads_to_it(notebook: Open, tmp_path: Path) -> None:
    book, panel = shown(notebook, tmp_path, RUN)
    book.run(1)
    panel.about("after")
    expect(panel.area.locator(".fuse-error")).to_contain_text("Skipped, because this failed first")
    panel.area.locator(".fuse-error").get_by_role("button", name="poly SVM").click()
    expect(panel.head.locator("h3")).to_have_text("poly SVM")
    first = panel.area.locator(".fuse-frames > li").first
    expect(first).to_contain_text("train")
    expect(first).to_contain_text("raise ValueError")
    panel.area.get_by_text("Full traceback").click()
    expect(panel.area.locator("details pre").last).to_contain_text("Traceback (most recent call last)")
    expect(panel.area.locator("i")).to_have_count(0)


def test_what_a_node_prints_is_there_while_it_runs(notebook: Open, tmp_path: Path) -> None:
    book, panel = shown(notebook, tmp_path, RUN, kernel="wait")
    panel.about("wait SVM")
    panel.tab("Output")
    book.start(1)
    expect(panel.dag.button("printed")).to_contain_text("wait <img")
    expect(panel.head).to_contain_text("running")
    (tmp_path / "gate").touch()
    book.finished(1)
    expect(panel.head).to_contain_text("done in")


def test_a_field_edits_all_selected_nodes_and_python_has_it(notebook: Open, tmp_path: Path) -> None:
    book, panel = shown(
        notebook, tmp_path, INFOS, "models[0].backend_info['retries'] = 9; widget.refresh()", INFOS
    )
    select_the_models(panel)
    panel.enter("retries", "2")
    panel.field("executor").select_option(label="thread")
    expect(panel.dag.button("undo")).to_be_enabled()
    book.run(1)
    assert book.output(1) == str([{"retries": 2, "executor": "thread"}] * 3)
    book.run(2)
    expect(panel.field("retries")).to_have_attribute("placeholder", "(mixed) 9, 2")
    panel.root.get_by_title("Unset retries").click()
    expect(panel.field("retries")).to_have_attribute("placeholder", "0 (default), 0 to 1000")
    panel.dag.button("undo").click()
    expect(panel.field("retries")).to_have_attribute("placeholder", "(mixed) 9, 2")
    panel.dag.button("undo").press("Control+Shift+Z")
    expect(panel.field("retries")).to_have_attribute("placeholder", "0 (default), 0 to 1000")
    book.run(3)
    assert book.output(3) == str([{"executor": "thread"}] * 3)


def test_what_is_refused_is_told_at_the_field_and_stays(notebook: Open, tmp_path: Path) -> None:
    book, panel = shown(notebook, tmp_path, INFOS)
    select_the_models(panel)
    panel.enter("timeout", "-5")
    expect(panel.wrong("timeout")).to_contain_text("more than 0")
    expect(panel.field("timeout")).to_have_value("-5")
    panel.enter("retries", "many")
    expect(panel.wrong("retries")).to_have_text("this is not a number")
    panel.dag.button("raw-json").click()
    panel.dag.button("raw-text").fill('{"retries": 1,\n "team": }')
    panel.dag.button("apply").click()
    expect(panel.root.locator(".fuse-raw .fuse-wrong-text")).to_contain_text("line 2")
    panel.dag.button("raw-text").fill('{"retries": 1, "team": "vision"}')
    panel.dag.button("apply").click()
    panel.dag.button("raw-json").click()
    expect(panel.field("team")).to_have_value('"vision"')
    expect(panel.field("timeout")).to_have_value("-5")
    panel.field("timeout").press("Escape")
    expect(panel.wrong("timeout")).to_have_count(0)
    book.run(1)
    assert book.output(1) == str([{"retries": 1, "team": "vision"}] * 3)


def test_edits_can_be_copied_as_code_that_does_the_same(notebook: Open, tmp_path: Path) -> None:
    again = "for model in models: model.backend_info.clear()\nexec(CODE)\n" + INFOS
    book, panel = shown(notebook, tmp_path, "CODE = '''", again)
    select_the_models(panel)
    panel.enter("retries", "2")
    expect(panel.dag.button("undo")).to_be_enabled()
    panel.dag.button("copy-code").click()
    code = panel.dag.button("code").inner_text()
    assert '.set_backend_info("retries", 2)' in code
    book.cell(1).locator(".cm-content").click()
    book.page.keyboard.press("Control+End")
    book.page.keyboard.insert_text(code + "\n'''")
    book.run(1, 2)
    assert book.output(2) == str([{"retries": 2}] * 3)
