"""Picklers that keep classes the same classes: those of decorated ones, and in files those of the notebook."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import cloudpickle

from ..engine._by_name import by_value, plain_reference
from ..engine._definitions import Decorated
from ._cloudpickle import with_slots

__all__ = ["FilePickler", "Pickler"]


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """A cloudpickle pickler that refers to the plain class of a decorated one by name, as to other classes."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and not by_value(
            obj.__module__, cloudpickle.list_registry_pickle_by_value()
        ):
            reference = plain_reference(obj)
            if reference is not None:
                return reference
        reduced = super().reducer_override(obj)
        return with_slots(obj, reduced) if isinstance(obj, type) else reduced


class FilePickler(Pickler):
    """A pickler for files that are read in another session.

    A class that a notebook or a script defines is pickled by value. Where it is read, the session's own class of that name
    is used instead, so that the result is an instance of it; if the session has none, it is made from the file.
    """

    def reducer_override(self, obj: Any) -> Any:
        reduced = super().reducer_override(obj)
        if (
            isinstance(obj, type)
            and obj.__module__ == "__main__"
            and "<" not in obj.__qualname__
            and isinstance(reduced, tuple)
            and len(reduced) == 6
        ):
            make, args, state, items, pairs, fill = reduced
            name = obj.__qualname__
            return _own_class, (name, make, args), state, items, pairs, functools.partial(_fill, name, fill)
        return reduced


def _of_this_session(name: str) -> type | None:
    """The class of this name that this session's notebook or script defines."""
    found: Any = sys.modules.get("__main__")
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Decorated):
        found = found.func
    return found if isinstance(found, type) and found.__module__ == "__main__" else None


def _own_class(name: str, make: Callable[..., type], args: tuple[Any, ...]) -> type:
    return _of_this_session(name) or make(*args)


def _fill(name: str, fill: Callable[[type, Any], Any], cls: type, state: Any) -> None:
    if cls is not _of_this_session(name):
        fill(cls, state)
