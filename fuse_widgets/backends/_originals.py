"""In a worker: what the user has put into modules and classes of others stands there, and the originals are kept.

The originals are back while anything is imported, as other modules may take them over then (`from math import sqrt`): in the kernel
most of them were imported before the replacement. What the kernel's modules have got since is sent as a replacement of its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import pickle
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from typing import Any, NamedTuple

from ..engine.errors import FuseError, message_of
from ..storage._replaced import PLAIN, is_users
from ._unavailable import Unavailable

__all__ = ["REPLACED", "Place", "by_place", "follow_replaced", "note_places", "originals"]

#: The key of the replacements among the states of modules; no module has this name.
REPLACED = ""


class Place(NamedTuple):
    """Where something stands: the names of attributes that lead there, from a module on."""

    module: str
    path: tuple[str, ...]

    def container(self) -> Any:
        """The module or class that has it; None if there is none here."""
        found: Any = sys.modules.get(self.module)
        for name in self.path[:-1]:
            found = getattr(found, name, None)
        return found


_MISSING = object()
#: In a worker, what the kernel wants to stand there: pickled, or None with the reason why it cannot be.
_wanted: dict[Place, tuple[bytes | None, str]] = {}
#: What was loaded of these, with the pickle it was loaded from.
_loaded: dict[Place, tuple[tuple[bytes | None, str], Any]] = {}
#: What stood there before, with the module or class.
_originals: dict[Place, tuple[Any, Any]] = {}
#: In the kernel or in a worker: the places of replacements, by the module or class (its `id`; kept alive by it) and the name there.
_places: dict[tuple[int, str], tuple[Any, Place]] = {}
#: Originals that were pickled here.
_met: dict[Place, Any] = {}
_lock = threading.RLock()
_depth = 0
#: Whether something stands in a module that is not imported yet.
_pending = False


# --- in a worker ---------------------------------------------------------------------------------------------


def follow_replaced(pickled: bytes) -> None:
    """Have the kernel's replacements from the end of `originals()` on.

    Args:
        pickled: All that there are, see `Replacements`.
    """
    _wanted.clear()
    _wanted.update({Place(*place): value for place, value in pickle.loads(pickled).items()})
    for place in _loaded.keys() - _wanted.keys():
        del _loaded[place]
    for place in _originals.keys() - _wanted.keys():
        del _originals[place]
    if _wanted and _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


@contextlib.contextmanager
def originals() -> Iterator[None]:
    """While entered, the originals stand where the user has replaced them. In the kernel, nothing happens."""
    global _depth, _pending
    with _lock:
        if _depth == 0:
            for place, (container, original) in _originals.items():
                _put(container, place.path[-1], original)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            if _depth == 1:
                _pending = False
                for place in list(_wanted):
                    _replace(place)
                note_places({place: container for place, (container, _) in _originals.items()})
            _depth -= 1


def _replace(place: Place) -> None:
    global _pending
    container, name = place.container(), place.path[-1]
    if container is None:  # imported later, or not at all
        _pending = True
        return
    original = vars(container).get(name, _MISSING)
    known = _loaded.get(place)
    if known is None or known[0] != _wanted[place]:
        _originals[place] = (container, original)  # which the replacement may call
        known = _loaded[place] = (_wanted[place], _load(place, *_wanted[place]))
    if known[1] is original or (
        type(original) in PLAIN and type(original) is type(known[1]) and original == known[1]
    ):
        _originals.pop(place, None)
        return
    _originals[place] = (container, original)
    _put(container, name, known[1])


def _load(place: Place, pickled: bytes | None, why: str) -> Any:
    if pickled is not None:
        try:
            return pickle.loads(pickled)
        except Exception as error:
            why = f"{type(error).__name__}: {message_of(error)}"
    return Unavailable(place.module, ".".join(place.path), why, own=False)


def _put(container: Any, name: str, value: Any) -> None:
    with contextlib.suppress(AttributeError, TypeError):
        if value is _MISSING:
            delattr(container, name)
        else:
            setattr(container, name, value)


class _Finder:
    """Lets modules be imported with the originals in place; has its turn before all others."""

    def __init__(self) -> None:
        self._here = threading.local()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if not (_pending or _originals) or getattr(self._here, "busy", False):
            return None
        self._here.busy = True
        try:
            for finder in list(sys.meta_path):
                find = getattr(finder, "find_spec", None)
                spec: ModuleSpec | None = None if find is None else find(name, path, target)
                if spec is not None:
                    if hasattr(spec.loader, "exec_module"):
                        spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                    return spec
        finally:
            self._here.busy = False
        return None


_finder = _Finder()


class _Loader:
    """Executes a module with the originals in place, and leaves no trace in it."""

    def __init__(self, loader: Any) -> None:
        self._fuse_loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fuse_loader, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._fuse_loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__loader__ = self._fuse_loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._fuse_loader
        with originals():
            self._fuse_loader.exec_module(module)


# --- pickles of originals ------------------------------------------------------------------------------------


def note_places(found: dict[Place, Any]) -> None:
    """Note where replacements stand: the module or class, by place."""
    global _places
    _places = {(id(container), place.path[-1]): (container, place) for place, container in found.items()}


def by_place(value: Any) -> tuple[Any, ...] | None:
    """How to pickle what stood at a place before the user replaced it, and what its name does not lead to any more.

    None for anything else.
    """
    if not _places:
        return None
    try:
        module, qualname = value.__module__, getattr(value, "__qualname__", None) or value.__name__
        container = sys.modules[module]
        *path, name = qualname.split(".")
        for part in path:
            container = getattr(container, part)
        _, place = _places[id(container), name]
        if vars(container).get(name) is value or is_users(value):
            return None
    except Exception:  # it has no name, or none that leads somewhere
        return None
    _met[place] = value
    return _original, tuple(place)


def _original(module: str, path: tuple[str, ...]) -> Any:
    """What stands, or has stood, at a place.

    Raises:
        FuseError: It was replaced, and what stood there cannot be found.
    """
    place = Place(module, tuple(path))
    importlib.import_module(module)
    if place in _originals:
        return _originals[place][1]
    if place in _met:
        return _met[place]
    container = place.container()
    found = getattr(container, path[-1])
    if (id(container), path[-1]) not in _places or not is_users(found):
        return found
    for value in gc.get_objects():
        if (
            type(value) in (types.BuiltinFunctionType, types.FunctionType) or isinstance(value, type)
        ) and _stood_at(value, place):
            return value
    raise FuseError(
        f"{'.'.join(place.path)!r} of module {module!r} was replaced, and what stood there before cannot be found here"
    )


def _stood_at(value: Any, place: Place) -> bool:
    try:
        named = value.__module__ == place.module and value.__qualname__ == ".".join(place.path)
    except Exception:
        return False
    return named and not is_users(value)
