"""The code of README and docs runs, in order, as a reader would run it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROMISE = re.compile(r"^(?P<code>\S.*?) +# (?P<value>[\[\d].*)$", re.M)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the code of a page; returns its names, and how many of the values were looked at that it says it gives."""

    def run_page(page: str) -> tuple[dict[str, Any], int]:
        names: dict[str, Any] = {"__name__": "__main__"}
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
        looked_at = sum(_kept(block, page, names) for block in blocks)
        assert looked_at == sum(len(PROMISE.findall(block)) for block in blocks)
        return names, looked_at

    monkeypatch.chdir(tmp_path)
    return run_page


def _kept(block: str, page: str, names: dict[str, Any]) -> int:
    promised = {match["code"].strip(): ast.literal_eval(match["value"]) for match in PROMISE.finditer(block)}
    expected = {ast.unparse(ast.parse(code)): value for code, value in promised.items()}
    looked_at = 0
    for statement in ast.parse(block).body:
        source = ast.unparse(statement)
        if not isinstance(statement, ast.Expr):
            exec(compile(source, page, "exec"), names)
            continue
        value = eval(compile(source, page, "eval"), names)
        if source in expected:
            assert value == expected[source], source
            looked_at += 1
    return looked_at


def test_the_code_of_the_readme_runs_and_gives_what_it_says(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    names, looked_at = run("README.md")
    assert looked_at == 3
    assert {row["source"] for row in names["wf"].last_run.report() if "-model" in row["node"]} == {"stored"}
    assert "degree 1-score: done" in capsys.readouterr().out


def test_the_code_of_the_page_on_storage_runs_and_gives_what_it_says(run: Any) -> None:
    names, looked_at = run("docs/storage.md")
    assert looked_at == 8
    assert repr(names["storage"].usage()).startswith("Usage of ")


@pytest.mark.usefixtures("ray_cluster")
def test_the_code_of_the_page_on_ray_runs_and_gives_what_it_says(run: Any) -> None:
    names, looked_at = run("docs/ray.md")
    assert looked_at == 1
    assert names["wf"].last_run.counts == {"done": 10}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pictures_and_pages_that_a_page_links_are_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []
