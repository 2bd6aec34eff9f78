"""Where code comes from: Python itself, an installed distribution, or the user ("first-party").

First-party is everything else: files of a project, an editable install, `__main__`, modules in a zip file or without
a file, and a package in `site-packages` that belongs to no distribution.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import re
import sys
import sysconfig
import time
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

__all__ = [
    "FIRST_PARTY",
    "Origin",
    "find",
    "is_extension",
    "origin_of",
    "origin_of_globals",
    "origin_of_module",
]


class Origin(NamedTuple):
    """Where a module comes from.

    Attributes:
        kind: `"first-party"`, `"standard"` or `"installed"`.
        distribution, version: Of an installed module; empty if unknown.
    """

    kind: str
    distribution: str = ""
    version: str = ""

    @property
    def first_party(self) -> bool:
        return self.kind == "first-party"


FIRST_PARTY, STANDARD = Origin("first-party"), Origin("standard")
_SITE = ("site-packages", "dist-packages")
_OURS = __name__.partition(".")[0]


def origin_of(name: Any) -> Origin:
    """Return where the module of this name comes from; a name that no module has is first-party.

    Args:
        name: The `__module__` of something; that of a function without a module is None, and that of some classes of
            Cython is no string.
    """
    if name is None or name in ("__main__", "__mp_main__"):
        return FIRST_PARTY
    if not isinstance(name, str):
        return STANDARD
    module = sys.modules.get(name)
    if module is None:
        return STANDARD if name.partition(".")[0] in sys.stdlib_module_names else FIRST_PARTY
    return _origin(name, *_places(module))


def origin_of_module(module: ModuleType) -> Origin:
    """Return where a module comes from, which may have been replaced or never been in `sys.modules`."""
    name = str(getattr(module, "__name__", ""))
    if sys.modules.get(name) is module:
        return origin_of(name)
    file, folders = _places(module)
    return _origin(name, file, folders) if file or folders else FIRST_PARTY


def origin_of_globals(space: dict[str, Any]) -> Origin:
    """Return where the module with these global names comes from, which need not be in `sys.modules`."""
    name = space.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if getattr(module, "__dict__", None) is space:
        return origin_of(name)
    file = space.get("__file__")
    return _origin(str(name), file, ()) if isinstance(file, str) else FIRST_PARTY


def _places(module: ModuleType) -> tuple[str | None, tuple[str, ...]]:
    file = getattr(module, "__file__", None)
    return (file, ()) if isinstance(file, str) else (None, _folders(module))


def find(name: str) -> Origin | None:
    """Return where `import name` would take the module from, without importing first-party code; None if there is none."""
    top = name.partition(".")[0]
    for known in (name, top):
        if isinstance(sys.modules.get(known), ModuleType) and not (
            known == top != name and _is_namespace(top)
        ):
            return origin_of(known)
    try:
        spec = importlib.util.find_spec(top)
        if spec is not None and spec.origin is None and top != name:  # a namespace: its parts tell
            spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    if spec.origin in ("built-in", "frozen"):
        return STANDARD
    return _origin(
        spec.name, spec.origin, tuple(spec.submodule_search_locations or ()) if spec.origin is None else ()
    )


def _is_namespace(name: str) -> bool:
    module = sys.modules.get(name)
    return getattr(module, "__file__", None) is None and bool(_folders(module))  # type: ignore[arg-type]


def is_extension(module: ModuleType | None) -> bool:
    """Return whether the module is compiled code, so that its functions have no bytecode."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))


def _folders(module: ModuleType) -> tuple[str, ...]:
    try:
        return tuple(map(str, getattr(module, "__path__", ())))
    except Exception:  # a module that makes its attributes up
        return ()


@functools.lru_cache(maxsize=10_000)
def _origin(name: str, file: str | None, folders: tuple[str, ...]) -> Origin:
    top = name.partition(".")[0]
    if top == _OURS:  # also from a source tree: the machinery is not part of anybody's analysis
        return Origin("installed", top.replace("_", "-"), getattr(sys.modules.get(top), "__version__", ""))
    if file is None and not folders:
        return _without_file(name)
    found = {_of_file(name, place) for place in ([file] if file else folders)}
    if FIRST_PARTY in found:
        return FIRST_PARTY
    return sorted(found)[0]


def _without_file(name: str) -> Origin:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if getattr(spec, "origin", None) in ("built-in", "frozen") or name in sys.builtin_module_names:
        return STANDARD
    if name == "cython_runtime" or name.startswith("_cython_"):
        return STANDARD
    parent = name.rpartition(".")[0]
    return origin_of(parent) if parent in sys.modules else FIRST_PARTY


def _of_file(name: str, file: str) -> Origin:
    path = file.replace("\\", "/")
    parts = path.split("/")
    for i in reversed(range(len(parts) - 1)):
        if parts[i] in _SITE:
            root, inside = "/".join(parts[: i + 1]), parts[i + 1 :]
            return _installed(root, inside, name, sure=True) or FIRST_PARTY
    if any(path.startswith(folder) for folder in _standard_folders()):
        return STANDARD
    # `pip install --target`: the folder that the top-level name is in has a `.dist-info` that lists the file
    depth = name.count(".") + (parts[-1].rpartition(".")[0] == "__init__")
    root, inside = "/".join(parts[: len(parts) - 1 - depth]), parts[len(parts) - 1 - depth :]
    return _installed(root, inside, name, sure=False) or FIRST_PARTY


@functools.cache
def _standard_folders() -> tuple[str, ...]:
    found = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    found |= {os.path.realpath(folder) for folder in found}
    archive = f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
    found |= {entry for entry in sys.path if entry.endswith(archive)}
    return tuple(folder.replace("\\", "/").rstrip("/") + "/" for folder in found)


def _installed(root: str, inside: list[str], name: str, *, sure: bool) -> Origin | None:
    """Return the distribution in the folder `root` that the file `inside` it belongs to; None if there is none.

    Args:
        root: A folder that modules are imported from.
        inside: The path of the file from there.
        name: The name of the module.
        sure: Whether a distribution that lists no files may own the module because of its name.
    """
    if inside[0].endswith(".egg"):
        project, _, rest = inside[0].removesuffix(".egg").partition("-")
        return Origin("installed", project, rest.partition("-")[0])
    top = inside[0].partition(".")[0] if len(inside) == 1 else inside[0]
    if not os.path.isdir(root):  # a zip file, or gone
        return None
    changed = os.stat(root).st_mtime_ns
    found = _projects(root, changed).get(top.lower(), []) if sure else []
    found = found or _owners(root, sure, changed).get(top, [])
    if len(found) > 1:  # a namespace that several distributions share
        where = "/".join(inside)
        found = [folder for folder in found if where in _record(folder)] or found
    if not found:
        return None
    return _distribution(found[0], name)


def _distribution(folder: str, name: str) -> Origin:
    project, version, new = _described(folder)
    if new:  # after an upgrade the kernel goes on with the version that it has imported
        loaded = getattr(sys.modules.get(name.partition(".")[0]), "__version__", None)
        version = loaded if isinstance(loaded, str) else version
    return Origin("installed", project, version)


@functools.lru_cache(maxsize=10_000)
def _described(folder: str) -> tuple[str, str, bool]:
    """The name and version of a distribution, from its folder with metadata, and whether it may not be the one that was imported."""
    project, _, version = os.path.basename(folder).rpartition(".")[0].partition("-")
    try:
        found = importlib.metadata.Distribution.at(Path(folder)).metadata
        project, version = str(found["Name"] or project), str(found["Version"] or version)
        return project, version, os.stat(folder).st_ctime > _STARTED
    except Exception:  # removed since, or damaged
        return project, version, True


#: What is installed after this may not be what was imported.
_STARTED = time.time()


@functools.lru_cache(maxsize=1_000)
def _metadata(root: str, sure: bool, changed: int) -> tuple[str, ...]:  # noqa: ARG001
    """The folders with metadata of distributions in `root`, which was last `changed` then."""
    ends = (".dist-info", ".egg-info") if sure else (".dist-info",)
    return tuple(entry for entry in sorted(os.listdir(root)) if entry.endswith(ends))


@functools.lru_cache(maxsize=1_000)
def _projects(root: str, changed: int) -> dict[str, list[str]]:
    """The folders with metadata in `root`, by the names of their distributions."""
    projects: dict[str, list[str]] = {}
    for entry in _metadata(root, True, changed):
        projects.setdefault(_project(entry), []).append(f"{root}/{entry}")
    return projects


def _project(entry: str) -> str:
    return re.split(r"-|\.dist-info|\.egg-info", entry)[0].lower()


@functools.lru_cache(maxsize=1_000)
def _owners(root: str, sure: bool, changed: int) -> dict[str, list[str]]:
    """The folders with metadata in `root`, by the top-level names that their distributions have installed there."""
    owners: dict[str, list[str]] = {}
    for entry in _metadata(root, sure, changed):
        folder = f"{root}/{entry}"
        tops = {match[1].partition(".")[0] for match in _TOP.finditer(_record(folder))}
        if not tops and sure:
            listed = _read(f"{folder}/top_level.txt").split()
            tops = {*listed} if listed else {_project(entry)}
        for top in tops:
            owners.setdefault(top, []).append(folder)
    return owners


#: The first part of a path in RECORD, where a row is `path,hash,size`.
_TOP = re.compile(r'^"?([^/,"\n]+)[/,]', re.MULTILINE)


def _record(folder: str) -> str:
    return _read(f"{folder}/RECORD") or _read(f"{folder}/installed-files.txt").replace("../", "")


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as content:
            return content.read()
    except OSError:
        return ""
