"""Pickling what belongs to decorated functions and classes by the name of the module's attribute.

The module's attribute `Model` is the decorated class, and the plain class is `Model.func`, so that pickle does not find
a plain class under its name. What is pickled here refers to the attribute, and takes `.func` of it.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from ._definitions import Decorated

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "by_value",
    "decorated_of",
    "is_cloudpickle",
    "pickle_instances_by_name",
    "pickled_by_value",
    "plain_reference",
]


def decorated_of(plain: Any) -> Decorated | None:
    """Return what stands under the name of a plain function or class, if it is made of just that; else None."""
    found: Any = sys.modules.get(getattr(plain, "__module__", None) or "")
    name = getattr(plain, "__qualname__", None)
    if found is None or not isinstance(name, str) or "<" in name:
        return None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, Decorated) and found.func is plain else None


def by_value(module: str | None, registered: Iterable[str]) -> bool:
    """Return whether cloudpickle pickles the code of a module by value.

    Args:
        module: Its name.
        registered: What cloudpickle's `list_registry_pickle_by_value` returns.
    """
    parts = (module or "__main__").split(".")
    if parts == ["__main__"]:
        return True
    return not {".".join(parts[:end]) for end in range(1, len(parts) + 1)}.isdisjoint(registered)


def pickled_by_value(module: str | None, caller: FrameType) -> bool:
    """Return whether the pickler that runs in the frame `caller` pickles the code of a module by value.

    The method `dump` of cloudpickle, and of Ray's copy of it, is written in Python, so that it is what calls `__reduce_ex__`.
    """
    return is_cloudpickle(caller) and by_value(module, caller.f_globals["list_registry_pickle_by_value"]())


def is_cloudpickle(caller: FrameType) -> bool:
    """Return whether the pickler that runs in the frame `caller` is one of cloudpickle."""
    return "list_registry_pickle_by_value" in caller.f_globals


def plain_reference(plain: Any) -> tuple[Any, ...] | None:
    """Return how to pickle a plain function or class as `.func` of the decorated one; None if it has its own name."""
    decorated = decorated_of(plain)
    return None if decorated is None else (getattr, (decorated, "func"))


def pickle_instances_by_name(cls: type) -> None:
    """Let instances of a plain class refer to their class by the name of the decorated one when they are pickled."""
    module = sys.modules.get(cls.__module__)
    found: Any = module
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is cls or "<" in cls.__qualname__ or "__reduce_ex__" in vars(cls):
        return
    try:
        cls.__reduce_ex__ = _reduce_ex  # type: ignore[method-assign, assignment]
    except (AttributeError, TypeError):  # of an extension
        return


def _reduce_ex(self: Any, protocol: Any) -> Any:
    cls = type(self)
    for base in cls.__mro__:
        inherited = vars(base).get("__reduce_ex__", _reduce_ex)
        if inherited is not _reduce_ex:
            break
    reduced = inherited(self, protocol)
    decorated = decorated_of(cls)
    if decorated is None or isinstance(reduced, str):
        return reduced
    called = [decorated if part is cls else part for part in (reduced[0], *reduced[1])]
    return (_rebuild, tuple(called), *reduced[2:])


def _rebuild(*called: Any) -> Any:
    make, *args = (part.func if isinstance(part, Decorated) else part for part in called)
    return make(*args)
