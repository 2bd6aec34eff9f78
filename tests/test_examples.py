"""Every notebook in examples/ runs from top to bottom, and shows what its text says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))

# One process runs them all, so that each notebook is executed once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("examples")]


Execute = Callable[[Path], tuple[Path, str]]


@pytest.fixture(scope="module")
def execute(tmp_path_factory: pytest.TempPathFactory) -> Execute:
    """Executes a notebook once; gives its copy with outputs, beside what it has left, and what was printed meanwhile."""

    @cache
    def execute_once(path: Path) -> tuple[Path, str]:
        folder = tmp_path_factory.mktemp("demo")
        script = [sys.executable, EXAMPLES / "headless.py", path, folder]
        done = subprocess.run(script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return folder / path.name, done.stdout

    return execute_once


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request: pytest.FixtureRequest, execute: Execute) -> Path:
    """Each notebook, executed."""
    return execute(request.param)[0]


@pytest.fixture
def first(execute: Execute) -> Any:
    """The executed first workflow."""
    return nbformat.read(execute(EXAMPLES / "01_first_workflow.ipynb")[0], as_version=4)


@pytest.fixture
def session(execute: Execute) -> Any:
    """The executed session with search, inspector and editing."""
    return nbformat.read(execute(EXAMPLES / "04_search_and_edit.ipynb")[0], as_version=4)


def outputs(notebook: Any, cell_id: str) -> dict[str, str]:
    """What a cell of an executed notebook shows, by mimetype."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    return {kind: data for output in cell.outputs for kind, data in output.get("data", {}).items()}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_a_notebook_runs_and_prints_no_warning(executed: Path) -> None:
    notebook = nbformat.read(executed, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = {"display_data", "execute_result", "stdout"}
    assert [output for output in outputs if output.get("name", output.output_type) not in shown] == []


def test_the_finished_run_is_left_as_a_page_and_a_picture(executed: Path) -> None:
    path = executed
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


def test_the_session_finds_edits_and_mends(session: Any) -> None:
    assert outputs(session, "search")["text/plain"].count("東京") == 8
    assert "8 nodes" in outputs(session, "query")["text/html"]
    (failed,) = (cell for cell in session.cells if cell.id == "run")
    printed = "".join(output.text for output in failed.outputs if output.output_type == "stream")
    assert "21 of 365 days are missing (2 more nodes failed" in printed
    assert outputs(session, "mend")["text/plain"].startswith("{'Wien': ")
    assert "Reykjavík, best" in outputs(session, "build")["text/html"]


def counts(shown: dict[str, str]) -> dict[str, int]:
    """Read what `sources(wf)` shows."""
    lines = [line.split() for line in shown["text/plain"].splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}
