"""The tests of the front end, in TypeScript, pass: those in Node, and those in a real browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.locked
@pytest.mark.parametrize("script", ["test", pytest.param("test:browser", marks=pytest.mark.browser)])
def test_the_tests_in_typescript_pass(root: Path, script: str) -> None:
    command = [sys.executable, root / "js" / "hatch_build.py", "npm", "run", script]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    print(done.stdout[-20_000:])
    assert done.returncode == 0, done.stderr[-2_000:]
