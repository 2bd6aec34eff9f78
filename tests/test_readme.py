"""The code of the README runs, in order, as a reader would run it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)
PROMISE = re.compile(r"^(?P<code>\S.*?) +# (?P<value>[\[\d].*)$", re.M)


def test_the_code_of_the_readme_runs_and_gives_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    kept = 0
    for block in BLOCKS:
        promised = {
            match["code"].strip(): ast.literal_eval(match["value"]) for match in PROMISE.finditer(block)
        }
        for statement in ast.parse(block).body:
            source = ast.unparse(statement)
            if not isinstance(statement, ast.Expr):
                exec(compile(source, "README.md", "exec"), names)
                continue
            value = eval(compile(source, "README.md", "eval"), names)
            for code, expected in promised.items():
                if ast.unparse(ast.parse(code)) == source:
                    assert value == expected, code
                    kept += 1
    assert kept == sum(len(PROMISE.findall(block)) for block in BLOCKS) == 3
    assert {row["source"] for row in names["wf"].last_run.report() if "-model" in row["node"]} == {"stored"}
    assert "degree 1-score: done" in capsys.readouterr().out


def test_the_pictures_and_pages_that_the_readme_links_are_there() -> None:
    root = Path(__file__).parents[1]
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if "://" not in link and not (root / link).exists()] == []
