"""Programs of their own for tests that would take the session's connection to Ray with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["run_program", "without_ray"]

#: Seconds for a program; it starts up to a dozen processes.
LIMIT = 600

START = """
import os, sys, time
from pathlib import Path
import fuse_widgets
from fuse_widgets import *
from fuse_widgets import ClusterError, NodeExecutionError, RunCancelledError, StorageError

folder = Path(sys.argv[1])

def until(condition, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
"""


def without_ray() -> dict[str, str]:
    """This process's environment, without what it says of a cluster."""
    keep = "RAY_worker_niceness"
    return {key: value for key, value in os.environ.items() if key == keep or not key.startswith("RAY_")}


def run_program(program: str, folder: Path, *args: str, environment: dict[str, str] | None = None) -> str:
    """Run a program that finds `folder` and `until`, and `args` in `sys.argv`; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", START + program, str(folder), *args],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=without_ray() if environment is None else environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    return done.stdout
