"""Pictures of the widget in JupyterLab, light and dark, from the first example.

Run with `python -m tests.browser.screenshots FOLDER`; `make screenshots` renews those of the README.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.lab import ROOT, Lab, Notebook, chromium

EXAMPLE = "01_first_workflow.ipynb"
SIZE = {"width": 1400, "height": 860}
#: The pictures show a part of the example whose names can be read at the size of a README.
WHOLE = "wf = compare(datasets, classifiers)"
PART = (
    "wf = compare({name: datasets[name] for name in ('moons', 'circles')}, "
    "{name: classifiers[name] for name in ('Nearest neighbours', 'Linear SVM', 'RBF SVM', 'Decision tree', "
    "'Random forest', 'Neural net')})"
)


def take(browser: Browser, folder: Path, *, dark: bool) -> None:
    """Run the example and keep pictures of it under way and at its end."""
    name = "dark" if dark else "light"
    with tempfile.TemporaryDirectory() as place:
        lab = Lab(Path(place), dark=dark)
        try:
            text = (ROOT / "examples" / EXAMPLE).read_text()
            assert WHOLE in text
            (lab.notebooks / EXAMPLE).write_text(text.replace(WHOLE, PART, 1))
            lab.start_kernel(EXAMPLE)
            context = browser.new_context(viewport=SIZE, device_scale_factor=2)
            book = Notebook(lab, context.new_page(), name=EXAMPLE)
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
            dag.root.screenshot(path=folder / f"done-{name}.png")
            context.close()
        finally:
            lab.stop_kernels()
            lab.stop()


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for dark in (False, True):
            take(browser, folder, dark=dark)
            print(f"{folder}: {'dark' if dark else 'light'}", flush=True)


if __name__ == "__main__":
    main()
