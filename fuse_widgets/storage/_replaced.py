"""What the user has put into modules and classes of others, such as `math.sqrt = mine` or `DataFrame.mean = mine`.

Neither Python nor a package says what it had there first, so a replacement is known by what it is: a function, class or callable
of the user's in a place that is not the user's. What was only added there counts as well.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import sys
import types
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from ._origins import origin_of

__all__ = [
    "PLAIN",
    "has_own_state",
    "in_classes",
    "in_modules",
    "is_other",
    "is_users",
    "is_users_module",
    "mock_parts",
]

_MAIN = ("__main__", "__mp_main__")
_NO_PLACES = frozenset({*_MAIN, "sys"})
_OURS = __name__.partition(".")[0]
#: Hooks of this process, which belong to it alone.
_HOOKS = frozenset({"formatwarning", "showwarning", "_showwarnmsg", "_showwarnmsg_impl"})
#: Types of most of what modules have, which never stand for a function of the user's.
_NEVER = frozenset(
    {
        *(bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple, type(None)),
        *(
            types.BuiltinFunctionType,
            types.ModuleType,
            types.GetSetDescriptorType,
            types.MemberDescriptorType,
        ),
        *(types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType),
    }
)
_WRAPPERS: dict[type, tuple[str, ...]] = {
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    types.MethodType: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.partial: ("func",),
    functools.partialmethod: ("func",),
    functools.cached_property: ("func",),
    functools._lru_cache_wrapper: ("__wrapped__",),
}


def is_users(value: Any) -> bool:
    """Return whether a value is a function, class or callable of the user's, or an object of `unittest.mock`.

    What a decorator has made of a function of the user's is the user's as well. No code of the value is called.
    """
    return _Search().is_users(value)


#: What a mock object notes of its calls.
_CALLS = frozenset(
    {
        *("_mock_call_args", "_mock_call_args_list", "_mock_call_count", "_mock_called", "_mock_mock_calls"),
        *("_mock_await_args", "_mock_await_args_list", "_mock_await_count", "method_calls"),
    }
)


def mock_parts(value: Any) -> tuple[type, dict[str, Any], dict[str, Any]] | None:
    """Return the class, the attributes and the magic methods of an object of `unittest.mock`, without what it notes of calls.

    None for anything else.
    """
    mock = getattr(sys.modules.get("unittest.mock"), "NonCallableMock", None)
    if mock is None or not issubclass(type(value), mock):
        return None
    kind = type(value)  # each mock object has a class of its own
    attributes = {name: part for name, part in vars(value).items() if name not in _CALLS}
    magic = {name: part for name, part in vars(kind).items() if issubclass(type(part), mock)}
    return kind.__mro__[1], attributes, magic


def in_modules(top: str = "") -> list[tuple[types.ModuleType, str, Any]]:
    """Return the modules that are not the user's and have something of the user's, its name there, and what it is.

    Args:
        top: Look only into this module and what is beneath it.
    """
    found: list[tuple[types.ModuleType, str, Any]] = []
    seen = set()
    search = _Search()
    for name, module in list(sys.modules.items()):
        if top and name != top and not name.startswith(f"{top}."):
            continue
        # some say that they are modules and are none, such as the libraries of cffi
        if not issubclass(type(module), types.ModuleType) or id(module) in seen or not _is_place(name):
            continue
        seen.add(id(module))
        space = vars(module)
        ids = _ids(space)
        known = _clean.get(id(module))
        if known and known[1] == ids and known[0]() is module:
            continue
        before = len(found)
        for key, value in list(space.items()):
            kind = type(value)
            if kind in _NEVER or (kind is types.FunctionType and value.__globals__ is space):
                continue
            if search.is_users(value) and not search.modules[name] and not _is_hook(name, key):
                found.append((module, key, value))
        if len(found) == before:
            _remember(module, ids)
    return found


def is_other(value: Any, name: str) -> bool:
    """Return whether a module that is not the user's has something under a name that may not be what it had there at first.

    What is the user's, a function or class of another name, or a number or string, of which nobody can tell.
    """
    kind = type(value)
    if kind in PLAIN or kind is functools.partial:
        return True
    known = getattr(value, "__name__", None) if _is_function(kind) else None
    return known not in (None, name) or is_users(value)


#: Types of numbers and strings.
PLAIN = (bool, int, float, complex, str, bytes)


def _is_function(kind: type) -> bool:
    return issubclass(kind, (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)) or (
        kind.__name__ in ("ufunc", "_ArrayFunctionDispatcher", "cython_function_or_method")
    )


def has_own_state(module: str) -> bool:
    """Return whether the numbers and strings of a module belong to the process."""
    return module == "sys"


def in_classes() -> list[tuple[type, str, Any]]:
    """Return the classes that are not the user's and have something of the user's, its name there, and what it is.

    Only those that a name leads to: others may have been made of what is the user's.
    """
    found: list[tuple[type, str, Any]] = []
    search = _Search()
    for group, classes in _all_classes().items():
        state = _state_of(classes)
        if state is not None and state == _clean_groups.get(group):
            continue
        before = len(found)
        for cls in classes:
            found += [(cls, name, vars(cls)[name]) for name in _names_in_class(cls, search)]
        _clean_groups[group] = None if len(found) > before else state
    return found


#: The states of groups of classes that had nothing of the user's when they were looked at.
_clean_groups: dict[int, int | None] = {}


def _all_classes() -> dict[int, list[type]]:
    """All classes in groups of neighbours in memory, about a hundred each, so that a new class changes only its own group."""
    found: dict[int, type] = {}  # by `id`: some cannot be hashed
    level: list[type] = [object]
    while level:
        subclasses: Iterable[type] = itertools.chain.from_iterable(map(type.__subclasses__, level))
        below = {id(cls): cls for cls in subclasses}
        level = [cls for number, cls in below.items() if number not in found]
        found.update(below)
    groups: dict[int, list[type]] = collections.defaultdict(list)
    for number, cls in found.items():
        groups[number >> 17].append(cls)
    return groups


def _state_of(classes: list[type]) -> int | None:
    """Tell whether a name has been set in any of them since, much faster than a look at each; None if one changes now."""
    values = itertools.chain.from_iterable(map(types.MappingProxyType.values, map(vars, classes)))
    try:
        return hash((*map(id, classes), *map(id, values)))
    except RuntimeError:
        return None


def _names_in_class(cls: type, search: _Search) -> list[str]:
    """The names in a class that is not the user's of what is the user's."""
    home = cls.__module__
    if not _is_place(home) or search.modules[home]:
        return []
    found = []
    for name, value in list(vars(cls).items()):
        kind = type(value)
        if kind in _NEVER or (kind is types.FunctionType and value.__globals__.get("__name__") == home):
            continue
        if search.is_users(value):
            found.append(name)
    return found if found and _has_name(cls) else []


def _has_name(cls: type) -> bool:
    """Whether its module and qualified name lead to a class, and not to none or another one, as for those made for one object."""
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


#: By `id`, the modules and classes that had nothing of the user's when they were looked at, and what they had then.
_clean: dict[int, tuple[weakref.ref[Any], int]] = {}


def _ids(space: Mapping[str, Any]) -> int:
    """Tell whether names have been set since; a look at a kernel's 3,000 modules and 8,000 classes takes 20 ms so, not 150."""
    return hash(tuple(map(id, list(space.values()))))


def _remember(container: Any, ids: int) -> None:
    with contextlib.suppress(TypeError):  # no weak reference can be made to it: it is looked at each time
        _clean[id(container)] = (weakref.ref(container), ids)


class _Search:
    """One look at many values. `modules`: whether a module is the user's, by its name."""

    def __init__(self) -> None:
        self.modules = _Modules()
        self._kinds = _Kinds()
        self._objects: dict[int, bool] = {}
        self._mock = getattr(sys.modules.get("unittest.mock"), "NonCallableMock", ())

    def is_users(self, value: Any, depth: int = 0) -> bool:
        kind = type(value)
        if kind in _NEVER or depth > 4:
            return False
        if kind is types.FunctionType:
            if self.modules[value.__globals__.get("__name__")]:
                return True
            inner = getattr(value, "__wrapped__", None)
            return inner is not None and self.is_users(inner, depth + 1)
        if issubclass(kind, type):
            return self.modules[value.__module__]
        found = self._kinds[kind]
        if type(found) is tuple:
            return any(self.is_users(getattr(value, link), depth + 1) for link in found)
        return found and self._is_users_object(value, kind, depth)

    def _is_users_object(self, value: Any, kind: type, depth: int) -> bool:
        if self.modules[kind.__module__] or issubclass(kind, self._mock):
            return True
        if depth > 1:
            return False
        known = self._objects.get(id(value))
        if known is None:
            try:  # what decorators of installed packages have made of it, such as `numpy.vectorize`
                parts = list(object.__getattribute__(value, "__dict__").values())
            except (AttributeError, RuntimeError):
                parts = []
            known = any(self.is_users(part, 4) for part in parts if type(part) in (types.FunctionType, type))
            self._objects[id(value)] = known
        return known


class _Modules(dict[Any, bool]):
    def __missing__(self, name: Any) -> bool:
        found = self[name] = is_users_module(name)
        return found


class _Kinds(dict[type, Any]):
    """By type: the attributes that lead to a function, or whether its objects can stand for one themselves."""

    def __missing__(self, kind: type) -> Any:
        can = hasattr(kind, "__call__") or hasattr(kind, "__get__")  # noqa: B004
        plain = issubclass(kind, types.ModuleType) or kind.__module__ in ("typing", "typing_extensions")
        found = self[kind] = _WRAPPERS.get(kind, can and not plain)
        return found


def _is_place(name: Any) -> bool:
    """Whether something may be replaced in the module of this name."""
    return isinstance(name, str) and name not in _NO_PLACES and name.partition(".")[0] != _OURS


def _is_hook(module: str, name: str) -> bool:
    return name.endswith("hook") or name in _HOOKS or (module == "builtins" and name == "_")


def is_users_module(name: Any) -> bool:
    """Return whether a module of this name is the notebook, or another one of the user's."""
    if name in _MAIN:
        return True
    return isinstance(name, str) and name in sys.modules and origin_of(name).first_party
