"""Every notebook in examples/ runs from top to bottom, and shows what its text says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a notebook left its results in, and what was printed meanwhile."""
    folder = tmp_path_factory.mktemp("demo")
    script = [sys.executable, EXAMPLES / "headless.py", request.param, folder]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / request.param.name, done.stdout


@pytest.fixture(scope="module")
def first(executed: tuple[Path, str]) -> Any:
    """The executed first workflow."""
    path, _ = executed
    if not path.stem.startswith("01_"):
        pytest.skip("another notebook")
    return nbformat.read(path, as_version=4)


def outputs(notebook: Any, cell_id: str) -> dict[str, str]:
    """What a cell of an executed notebook shows, by mimetype."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    return {kind: data for output in cell.outputs for kind, data in output.get("data", {}).items()}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_a_notebook_runs_and_prints_no_warning(executed: tuple[Path, str]) -> None:
    notebook = nbformat.read(executed[0], as_version=4)
    kinds = {output.output_type for cell in notebook.cells for output in cell.get("outputs", [])}
    assert kinds <= {"display_data", "execute_result"}, "something was printed, or an error was shown"


def test_the_finished_run_is_left_as_a_page_and_a_picture(executed: tuple[Path, str]) -> None:
    path, _ = executed
    assert path.with_suffix(".svg").read_text(encoding="utf-8").lstrip().startswith(("<svg", "<?xml"))
    assert "<svg" in path.with_suffix(".html").read_text(encoding="utf-8")


def test_the_first_workflow_shows_graph_table_and_figure(first: Any) -> None:
    picture = outputs(first, "build")["text/html"]
    assert "<svg" in picture
    assert "86 of 86" in picture, "the picture shows the graph as its last run left it"
    assert outputs(first, "table")["text/html"].count("<tr>") == 2 + 11
    assert "image/png" in outputs(first, "figure")


def test_the_first_workflow_computes_once_and_then_only_what_a_change_touches(first: Any) -> None:
    assert counts(outputs(first, "again")) == {"stored": 86}
    assert counts(outputs(first, "change-run")) == {"stored": 86 - 14, "computed": 14}


def test_the_first_workflow_finds_what_is_known_of_these_data(first: Any) -> None:
    html = outputs(first, "table")["text/html"]
    names = re.findall(r'class="row_heading[^>]*>([^<]+)<', html)
    values = iter(float(text) for text in re.findall(r"<td[^>]*>([\d.]+)</td>", html))
    datasets = ("moons", "circles", "iris", "wine", "breast cancer", "digits")
    score = {(data, name): next(values) for name in names for data in datasets}
    assert len(score) == 66
    assert next(values, None) is None
    # A straight line cannot part two circles; a radial kernel can, and reads digits well.
    assert score["circles", "Linear SVM"] < 0.6
    assert score["circles", "RBF SVM"] > 0.85
    assert score["digits", "RBF SVM"] > 0.97
    assert all(max(score[data, name] for name in names) > 0.87 for data in datasets)


def counts(shown: dict[str, str]) -> dict[str, int]:
    """Read what `sources(wf)` shows."""
    lines = [line.split() for line in shown["text/plain"].splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}
