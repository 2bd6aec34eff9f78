"""A project in miniature: modules of a person's own, and a notebook that uses them."""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets.storage.fingerprint import Fingerprint

from .notebook import fingerprint_all, node_of, notebook


class Project:
    """Modules in a folder that is on `sys.path`; none is left behind in `sys.modules`."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.tops = folder, {"loose", "lib", "helpers"}
        patch.syspath_prepend(str(folder))
        patch.setattr(sys, "dont_write_bytecode", True)

    def write(self, **files: str) -> Project:
        """Write modules by their path without `.py`, such as `pkg/sub`, with the packages above them."""
        for name, source in files.items():
            path = self.folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
            for folder in path.relative_to(self.folder).parents[:-1]:
                (self.folder / folder / "__init__.py").touch()
        importlib.invalidate_caches()
        return self

    def forget(self) -> Project:
        """As a new session: what was imported from the folder is not any more."""
        tops = {path.name.partition(".")[0] for path in self.folder.iterdir()} | self.tops
        for name in list(sys.modules):
            if name.partition(".")[0] in tops:
                del sys.modules[name]
        importlib.invalidate_caches()
        return self

    def fingerprint(self, cell: str, name: str = "f", **names: Any) -> Fingerprint:
        """The fingerprint of a call of `f` of a notebook with this cell."""
        made = fingerprint_all(node_of(notebook(cell, **names)[name]))
        return Fingerprint.from_json(made.to_json())
