"""How tests of backends wait: for a condition, and nodes for the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuse_widgets import Run

__all__ = ["gate", "notices", "until"]


def gate(folder: str, name: str) -> str:
    """For a node: says by a file that it has begun, and waits for the file `go` until it may end."""
    Path(folder, name).touch()
    while not Path(folder, "go").exists():
        time.sleep(0.01)
    return name


def until(condition: Callable[[], Any], seconds: float = 120) -> None:
    """Wait until something is so."""
    pause = threading.Event()
    for _ in range(int(seconds * 100)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to that")


def notices(run: Run) -> list[str]:
    """What a run has said as a whole."""
    return [e.detail["notice"] for e in run.events[:] if e.detail and "notice" in e.detail]
