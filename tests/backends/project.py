"""Modules of a user that tests write, load, edit and load again."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

__all__ = ["Project"]


class Project:
    """Modules of a user in a folder on `sys.path`. `edit` writes one, `reload` imports it again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._later = folder, 0

    def edit(self, name: str, source: str) -> None:
        path = self.folder / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source))
        self._later += 10
        os.utime(path, (time.time() + self._later,) * 2)
        importlib.invalidate_caches()

    def reload(self, name: str) -> Any:
        return importlib.reload(sys.modules[name])

    def load(self, name: str) -> Any:
        return importlib.import_module(name)

    def remake(self, name: str, source: str) -> Any:
        self.edit(name, source)
        return self.reload(name)
