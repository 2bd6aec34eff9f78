"""Imports run along the arrows of docs/architecture.md, in Python and in TypeScript."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "fuse_widgets"
FRONT_END = ROOT / "js" / "src"

# Each room, and the rooms it may import from besides itself.
ROOMS: dict[str, set[str]] = {
    "engine": set(),
    "plugins": {"engine"},
    "storage": {"engine"},
    "backends": {"engine", "plugins", "storage"},
    "view": {"engine"},
    "widget": {"engine", "view"},
    "testing": {"engine", "plugins", "storage", "backends"},
    "_ipython": {"_compat", "engine", "widget"},
    "_compat": set(),
}
# The packages of others that a room may import; the rest of its imports are standard library.
PACKAGES: dict[str, set[str]] = {
    "engine": set(),
    "plugins": {"numpy"},
    "storage": {"cloudpickle", "fsspec", "grpc", "numpy", "ray"},
    "backends": {"IPython", "cloudpickle", "loky", "pydantic", "pydantic_core", "ray"},
    "view": {"numpy"},
    "widget": {"IPython", "anywidget", "ipycytoscape", "ipywidgets", "numpy", "traitlets"},
    "testing": {"pytest"},
    "_ipython": {"IPython"},
    "_compat": set(),
}
# Files that may import ray, and grpc that comes with it: they are an extra.
RAY_FILE = re.compile(r"(backends|storage)/_?ray(/\w+)?\.py|storage/_compat\.py")
# js/src: `lab` and `widget.ts` see everything below them, `view` and `sync` see `core`; `cytoscape.ts` stands alone.
FRONT_END_ROOMS: dict[str, set[str]] = {
    "core": set(),
    "sync": {"core"},
    "view": {"core"},
    "widget": {"core", "sync", "view"},
    "cytoscape": set(),
    "lab": {"core", "sync", "view", "widget"},
}


def room_of(path: Path, top: Path) -> str:
    """The room a file is in: its folder under `top`, or for a file that lies there its own name."""
    parts = path.relative_to(top).parts
    return parts[0] if len(parts) > 1 else path.name.split(".")[0]


def python_imports(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Yield `(line, absolute module)` for every import in a file, those inside functions included."""
    package = ["fuse_widgets", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def python_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def against_the_arrows(path: Path, text: str) -> list[str]:
    """What a file imports that its room must not know."""
    room, found = room_of(path, PACKAGE), []
    where = path.relative_to(PACKAGE).as_posix()
    for line, module in python_imports(path, text):
        top, *rest = module.split(".")
        if top == "fuse_widgets":
            other = rest[0] if rest else ""
            if other in ROOMS and other != room and other not in ROOMS[room]:
                found.append(f"{where}:{line}: {room} must not import {module}")
        elif top not in sys.stdlib_module_names and top not in PACKAGES[room]:
            found.append(f"{where}:{line}: {room} must not import {module}")
        elif top in ("ray", "grpc") and not RAY_FILE.fullmatch(where):
            found.append(f"{where}:{line}: {top} is imported in files of its own only")
    return found


def test_every_python_file_is_in_a_room() -> None:
    assert {room_of(path, PACKAGE) for path in python_files()} <= set(ROOMS)


@pytest.mark.parametrize("path", python_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_python_imports_run_along_the_arrows(path: Path) -> None:
    assert against_the_arrows(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("engine/run.py", "import numpy"),
        ("engine/run.py", "from ..view import state"),
        ("engine/deep.py", "def f():\n    from fuse_widgets.widget.dag import DAGWidget"),
        ("plugins.py", "from .backends import local"),
        ("storage/file.py", "from .. import backends"),
        ("backends/local.py", "import ipywidgets.widgets"),
        ("backends/local.py", "import ray"),
        ("backends/info.py", "def f():\n    from ray import exceptions"),
        ("view/layout.py", "from ..backends.local import LocalWorkflow"),
    ],
)
def test_a_python_import_against_an_arrow_is_found(where: str, code: str) -> None:
    assert len(against_the_arrows(PACKAGE / where, code)) == 1


IMPORT = re.compile(
    r"""(?:^|\s)(?:import|export)\s[^'";]*?from\s*["']([^"']+)["']|import\s*\(?\s*["']([^"']+)["']"""
)


#: What the panels are made with; everything else in `view` is our own.
PANELS = {"preact", "preact/hooks", "@preact/signals"}


def front_end_files() -> list[Path]:
    return sorted([*FRONT_END.rglob("*.ts"), *FRONT_END.rglob("*.tsx")])


def front_end_against_the_arrows(path: Path, text: str) -> list[str]:
    """What a TypeScript file imports that its room must not know."""
    room, found = room_of(path, FRONT_END), []
    for match in IMPORT.finditer(text):
        target = match[1] or match[2]
        if not target.startswith("."):
            if room == "core" or (room == "view" and target not in PANELS):
                found.append(f"{path.relative_to(FRONT_END)}: {room} must not import {target}")
            continue
        other = room_of((path.parent / target).resolve(), FRONT_END)
        if other != room and other not in FRONT_END_ROOMS[room]:
            found.append(f"{path.relative_to(FRONT_END)}: {room} must not import {target}")
    return found


def test_every_front_end_file_is_in_a_room() -> None:
    assert {room_of(path, FRONT_END) for path in front_end_files()} <= set(FRONT_END_ROOMS)


@pytest.mark.parametrize("path", front_end_files(), ids=lambda path: path.relative_to(FRONT_END).as_posix())
def test_front_end_imports_run_along_the_arrows(path: Path) -> None:
    assert front_end_against_the_arrows(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("room", "text"),
    [
        ("core", 'import { Store } from "../view/canvas";'),
        ("core", 'import type { A,\n  B } from "../sync/model.js";'),
        ("core", 'export * from "../widget";'),
        ("sync", 'const view = await import("../view/canvas");'),
        ("view", 'import "../lab/plugin";'),
        ("view", 'import { Widget } from "@lumino/widgets";'),
    ],
)
def test_a_front_end_import_against_an_arrow_is_found(room: str, text: str) -> None:
    assert len(front_end_against_the_arrows(FRONT_END / room / "file.ts", text)) == 1
