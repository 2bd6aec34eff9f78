"""Everything for everyone in a real JupyterLab: axe-core finds nothing serious, and the keyboard reaches everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import ROOT, Dag, Lab, Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
#: A few nodes, one that fails and one that is skipped.
MODELS = """
from fuse_widgets import LocalWorkflow, workflow

@workflow
def load(n: int = 10):
    "The data."
    print("loading")
    return list(range(n))

@workflow
def train(data, c=1.0):
    if c < 0:
        raise ValueError("c is below 0")
    return c * sum(data)

@workflow
def compare(*scores):
    return max(scores)

data = load().set_name("data")
models = [train(data, c).set_name(f"SVM {c}") for c in (1.0, 2.0, -1.0)]
wf = LocalWorkflow(compare(*models).set_name("best"), workflow_name="models")
wf
"""


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    """JupyterLab has this theme, for pages that are opened from now on."""
    settings = lab.folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    before = settings.read_text()
    settings.write_text(json.dumps({"theme": f"JupyterLab {request.param.title()}"}))
    yield request.param
    settings.write_text(before)


def serious(dag: Dag) -> list[str]:
    """What axe-core finds serious or critical in the widget."""
    result: dict[str, Any] = dag.page.evaluate("axe.run('.fuse-widget')")
    return [
        f"{found['impact']} {found['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def add_axe(book: Notebook) -> None:
    assert AXE.exists(), f"{AXE} is missing: run npm ci in js/"
    # As text: JupyterLab's loader would take the script for a module of its own.
    book.page.evaluate(Path(AXE).read_text())


def test_axe_finds_nothing_serious_with_all_panels_open(notebook: Open, theme: str) -> None:
    book = notebook([MODELS], width=1500, alone=True)
    book.run(0)
    dag = book.dag()
    dag.wait(f"d.fuseTheme === '{theme}'")
    add_axe(book)
    assert serious(dag) == []
    dag.button("run").click()
    dag.wait("+d.fuseDone === 3 && +d.fuseFailed === 1 && d.fuseRunState === 'failed'")
    dag.button("search").fill("SVM.*")
    dag.wait("+d.fuseMatches === 3")
    dag.button("outline").click()
    dag.button("grid").wait_for()
    rows = dag.root.locator("[data-node]")
    for state in ("failed", "skipped", "done"):
        rows.locator(f"xpath=self::*[@data-fuse-state='{state}']").first.click()
        if dag.button("inspector").get_attribute("aria-pressed") == "false":
            dag.button("inspector").click()
        tabs = dag.root.get_by_role("tab")
        tabs.first.wait_for()
        for k in range(tabs.count()):
            tabs.nth(k).click()
            assert serious(dag) == [], f"{state}, {tabs.nth(k).inner_text()}"
    dag.button("search").fill("(")
    dag.root.locator(".fuse-problem").get_by_text("unterminated").wait_for()
    assert serious(dag) == []
    dag.button("help").click()
    dag.button("help-card").wait_for()
    assert serious(dag) == []


def test_the_keyboard_leads_from_the_search_to_a_node_to_the_inspector_to_an_edit(notebook: Open) -> None:
    book = notebook([MODELS, "sorted(n.name for n in models if n.backend_info.get('retries') == 3)"])
    book.run(0)
    dag, page = book.dag(), book.page
    dag.wait("+d.fuseNodes === 5")

    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    def reach(selector: str, key: str = "Tab") -> None:
        for _ in range(60):
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            press(key)
        raise AssertionError(f"{key} does not lead to {selector}")

    reach(".fuse-widget *")
    press("/")
    page.keyboard.type("SVM 2.*")
    dag.wait("+d.fuseMatches === 1")
    press("Enter", "ArrowDown")
    assert page.evaluate("document.activeElement.className").startswith("fuse-stage")
    dag.wait("+d.fuseSelected === 1")
    aloud = dag.root.locator(".fuse-aloud")
    press("ArrowRight")
    aloud.get_by_text("best, pending, 3 inputs, 0 outputs").wait_for()
    press("ArrowLeft")
    aloud.get_by_text("1 input, 1 output").wait_for()
    press("ArrowDown", "ArrowUp")  # along the layer, there and back
    press("Escape", "Escape")
    dag.wait("+d.fuseSelected === 0 && +d.fuseMatches === 0")

    press("o")
    dag.root.locator("[role=grid]:focus").wait_for()
    press("Home", "ArrowDown", "Shift+ArrowDown")
    dag.wait("+d.fuseSelected === 2")
    press("Enter")
    dag.root.locator("[data-fuse-panel=inspector] [role=tab]").first.wait_for()
    reach("[role=tab]")
    reach("[data-fuse-role=tab-backend_info]", "ArrowRight")
    reach("[data-fuse-field=retries]")
    page.keyboard.type("3")
    press("Enter")
    dag.root.locator("[data-fuse-role=undo]:enabled").wait_for()
    book.run(1)
    assert book.output(1) == "['SVM 1.0', 'SVM 2.0']"


def test_the_help_keeps_the_focus_inside_and_gives_it_back(notebook: Open) -> None:
    book = notebook([MODELS])
    book.run(0)
    dag, page = book.dag(), book.page
    dag.wait("+d.fuseNodes === 5")
    dag.root.locator(".fuse-stage").focus()
    page.keyboard.press("?")
    card = dag.button("help-card")
    card.wait_for()
    for _ in range(4):
        page.keyboard.press("Tab")
        # The browser's own controls may have their turn, the page behind may not.
        assert page.evaluate(
            "c => c.contains(document.activeElement) || document.activeElement === document.body",
            card.element_handle(),
        )
    page.keyboard.press("Escape")
    card.wait_for(state="detached")
    assert page.evaluate("document.activeElement.className").startswith("fuse-stage")
