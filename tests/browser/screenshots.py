"""Pictures of the widget in JupyterLab, light and dark, from the examples.

Run with `python -m tests.browser.screenshots FOLDER`; `make screenshots` renews those of the README.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.lab import ROOT, Lab, Notebook, chromium

EXAMPLE = "01_first_workflow.ipynb"
SESSION = "04_search_and_edit.ipynb"
SIZE = {"width": 1400, "height": 860}
#: The pictures show a part of the example whose names can be read at the size of a README.
WHOLE = "wf = compare(datasets, classifiers)"
PART = (
    "wf = compare({name: datasets[name] for name in ('moons', 'circles')}, "
    "{name: classifiers[name] for name in ('Nearest neighbours', 'Linear SVM', 'RBF SVM', 'Decision tree', "
    "'Random forest', 'Neural net')})"
)


@contextmanager
def opened(browser: Browser, example: str, *, dark: bool, text: str = "") -> Iterator[Notebook]:
    """An example in a JupyterLab of its own."""
    with tempfile.TemporaryDirectory() as place:
        lab = Lab(Path(place), dark=dark)
        try:
            (lab.notebooks / example).write_text(text or (ROOT / "examples" / example).read_text())
            lab.start_kernel(example)
            context = browser.new_context(viewport=SIZE, device_scale_factor=2)
            yield Notebook(lab, context.new_page(), name=example)
            context.close()
        finally:
            lab.stop_kernels()
            lab.stop()


def first(browser: Browser, folder: Path, name: str) -> None:
    """The first workflow under way and at its end."""
    text = (ROOT / "examples" / EXAMPLE).read_text()
    assert WHOLE in text
    with opened(browser, EXAMPLE, dark=name == "dark", text=text.replace(WHOLE, PART, 1)) as book:
        code = book.code_cells()
        run = next(number for number, source in code.items() if "= wf.run()" in source)
        book.run(*[number for number in code if number < run])
        dag = book.dag()
        book.start(run)
        dag.wait("+d.fuseDone >= 9 && +d.fuseRunning > 0")
        dag.root.screenshot(path=folder / f"running-{name}.png")
        book.finished(run)
        dag.wait("+d.fuseRunning === 0")
        dag.click("moons, RBF SVM-model")
        book.page.mouse.move(2, 2)
        dag.root.screenshot(path=folder / f"done-{name}.png")


def session(browser: Browser, folder: Path, name: str) -> None:
    """A session with search and panels: a failed node, an edit of several nodes, list and timeline."""
    with opened(browser, SESSION, dark=name == "dark") as book:
        code = book.code_cells()
        run = next(number for number, source in code.items() if "wf.run()" in source)
        book.run(*[number for number in code if number <= run and "query" not in code[number]])
        dag = book.dag()
        dag.root.scroll_into_view_if_needed()
        dag.click("Reykjavík, fit 4")
        settled = "root.querySelector('.fuse-tabarea')?.getAttribute('aria-busy') === 'false'"
        dag.wait(settled)
        book.page.mouse.move(2, 2)
        dag.root.screenshot(path=folder / f"inspector-{name}.png")
        dag.button("search").fill(".*, fit .*")
        dag.wait("+d.fuseMatches === 12")
        dag.button("select-matches").click()
        dag.root.get_by_role("tab", name="backend_info").click()
        dag.root.get_by_label("retries").fill("2")
        book.page.keyboard.press("Enter")
        dag.wait("+d.fuseChanged === 12")
        dag.root.get_by_role("button", name="Copy as code").click()
        dag.root.locator("pre[data-fuse-role='code']").wait_for()
        dag.root.locator(".fuse-hint.fuse-on").wait_for(state="hidden")
        dag.root.screenshot(path=folder / f"edit-{name}.png")
        dag.button("search").fill("")
        dag.button("inspector").click()
        dag.button("outline").click()
        dag.button("timeline").click()
        dag.click("東京, best")
        dag.wait("+d.fuseSelected === 1")
        book.page.mouse.move(2, 2)
        dag.root.screenshot(path=folder / f"list-{name}.png")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for name in ("light", "dark"):
            first(browser, folder, name)
            session(browser, folder, name)
            print(f"{folder}: {name}", flush=True)


if __name__ == "__main__":
    main()
