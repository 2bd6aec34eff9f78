"""How the user's own functions and classes travel between the kernel and its workers: by name, and where no name leads to
them by value, but with the globals of their module.

So functions of one module share its globals in a worker as they do in the kernel, and an instance comes back as one of the
kernel's class. `_module_state` and `_module_sync` see to it that the worker's modules are those of the kernel.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import io
import sys
import types
import typing
import weakref
from typing import Any, NamedTuple

from ..engine.sources import located
from ..storage._code import facts
from ..storage._functions import Functions
from ..storage._replaced import has_own_state, is_users, is_users_module, mock_parts
from ._compat import class_by_value, function_by_value
from ._originals import Place, by_place
from ._pickling import Pickler

__all__ = ["ModulePickler", "Reached", "Reference", "dumps", "dumps_reached", "is_own", "reference"]

#: What leads from a decorator's product to what it decorates.
_LINKS = ("func", "__wrapped__", "__func__")


def is_own(name: Any) -> bool:
    """Whether a module of this name is the user's: no part of Python, of an installed package, or of this one."""
    return name not in ("__main__", "__mp_main__") and is_users_module(name)


class Reference(NamedTuple):
    """Where something is found in a module.

    Attributes:
        module: The module's name.
        path: Names of attributes, from the module on.
    """

    module: str
    path: tuple[str, ...]

    def follow(self) -> Any:
        """What is found there; imports the module."""
        found: Any = importlib.import_module(self.module)
        for name in self.path:
            found = getattr(found, name)
        return found


def reference(value: Any) -> Reference | None:
    """Where a function or a class is found, also under what a decorator has made of it; None if its name leads elsewhere."""
    name, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or not isinstance(qualname, str) or "<" in qualname:
        return None
    path = tuple(qualname.split("."))
    found: Any = module
    try:
        for part in path:
            found = getattr(found, part)
        for _ in range(8):
            if found is value:
                return Reference(name, path)  # type: ignore[arg-type]
            link = next((link for link in _LINKS if hasattr(found, link)), None)
            if link is None:
                return None
            found, path = getattr(found, link), (*path, link)
    except Exception:  # not there, or an attribute that is computed
        return None
    return None


class Reached(NamedTuple):
    """What something that was pickled refers to, for whoever unpickles and runs it.

    Attributes:
        modules: Names of the user's modules.
        names: The global names, attributes and imports in its code, some of which may be modules.
        places: The names in modules of others that its code reads.
    """

    modules: set[str]
    names: set[str]
    places: set[Place] = set()  # noqa: RUF012


class ModulePickler(Pickler):
    """Pickles what is in the user's modules by name, and functions that no name leads to with the globals of their module.

    Args:
        out, protocol: As of `pickle.Pickler`.
        home: The module and the name in it that is to be pickled by value.
        apart: Names of modules that cloudpickle is to pickle by value.

    Attributes:
        reached: What was met on the way.
    """

    def __init__(
        self,
        out: io.BytesIO,
        protocol: int | None = None,
        home: tuple[str, str] | None = None,
        apart: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(out, protocol)
        self._home, self._apart = home, apart
        self.reached = Reached(set(), set(), set())

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is types.FunctionType:
            home = obj.__globals__.get("__name__")
            if home == "__main__" or self._is_own(home):
                self.reached.places.update(_places_read(obj))
            if self._is_own(home) or self._is_own(obj.__module__):
                return self._function(obj)
            if home == "__main__" and obj.__module__ not in ("__main__", None):
                # `functools.wraps(math.sqrt)` gives it a name that is not its own
                return function_by_value(self, obj) or super().reducer_override(obj)
        elif isinstance(obj, type):
            if self._is_own(obj.__module__):
                self._reach(obj.__module__)
                return self._by_name(obj) or class_by_value(obj) or super().reducer_override(obj)
        elif kind is types.ModuleType:
            if self._is_own(obj.__name__) and sys.modules[obj.__name__] is obj:
                self._reach(obj.__name__)
                return _follow, (obj.__name__, ())
        elif kind is types.CodeType:
            self.reached.names.update(obj.co_names)
            reduced = super().reducer_override(obj)
            if self._home is None or reduced[0] is not located:
                return reduced
            # without the text of its file, which each function of the module would bring along
            return located, (*reduced[1][:2], (obj.co_filename, 1, ""))
        return self._other(obj, kind) or super().reducer_override(obj)

    def _other(self, obj: Any, kind: type) -> Any:
        """How to pickle what `pickle` would look up by name where that name leads to nothing, or to something else."""
        found = None if self._home is None else _by_value(obj, kind, self._home)
        if found is None and kind is functools._lru_cache_wrapper and is_users(obj):
            place = reference(obj)
            if place is None or not self._is_own(place.module):
                return _cached(obj)
        return found or _mock(obj) or by_place(obj)

    def _function(self, func: types.FunctionType) -> Any:
        module: Any = func.__globals__.get("__name__")
        self._reach(module, func.__module__)
        if found := self._by_name(func):
            return found
        if getattr(sys.modules.get(module), "__dict__", None) is func.__globals__:
            return _function(func, module)
        return function_by_value(self, func) or super().reducer_override(func)

    def _reach(self, *modules: Any) -> None:
        self.reached.modules.update(filter(self._is_own, modules))

    def _is_own(self, name: Any) -> bool:
        return is_own(name) and name not in self._apart

    def _by_name(self, obj: Any) -> tuple[Any, ...] | None:
        found = reference(obj)
        # A decorator in a module of the user's makes functions that say they are of the notebook, which a worker lacks.
        if found is None or not self._is_own(found.module) or (found.module, found.path[0]) == self._home:
            return None
        return _follow, tuple(found)


def _places_read(func: types.FunctionType) -> list[Place]:
    """The names in modules of others that a function of the user's reads: `("math", "pi")`."""
    found = []
    for root, path, _ in facts(func.__code__, _tokens.token).reads:
        if root.kind == "import":
            value = None if root.level else sys.modules.get(root.name)
        elif root.name in func.__globals__:
            value = func.__globals__[root.name]
        else:
            value, path = builtins, (root.name, *path)
        for name in path:
            if type(value) is not types.ModuleType:
                break
            place, value = value, vars(value).get(name)
            if (
                not isinstance(value, types.ModuleType) and name[:1] != "_"
            ):  # which is the state of its process
                found.append(Place(place.__name__, (name,)))
    return [place for place in found if not is_users_module(place.module) and not has_own_state(place.module)]


_tokens = Functions()  # of constants


def dumps(value: Any) -> bytes:
    """A value as bytes for a worker, or from there; `pickle.loads` reads them. See `ModulePickler`."""
    return dumps_reached(value)[0]


def dumps_reached(value: Any, apart: frozenset[str] = frozenset()) -> tuple[bytes, Reached]:
    """Like `dumps`, with what the value refers to. For `apart` see `ModulePickler`."""
    out = io.BytesIO()
    pickler = ModulePickler(out, 5, apart=apart)
    pickler.dump(value)
    return out.getvalue(), pickler.reached


def _follow(module: str, path: tuple[str, ...]) -> Any:
    return Reference(module, tuple(path)).follow()


# --- functions -----------------------------------------------------------------------------------------------


def _function(func: types.FunctionType, module: str) -> tuple[Any, ...]:
    state = {
        "defaults": func.__defaults__,
        "kwdefaults": func.__kwdefaults__,
        "annotations": func.__annotations__,
        "doc": func.__doc__,
        "module": func.__module__,
        "qualname": func.__qualname__,
        "attributes": func.__dict__,
        "closure": [_content(cell) for cell in func.__closure__ or ()],
    }
    made = (module, func.__code__, func.__name__, len(func.__closure__ or ()))
    return _make_function, made, state, None, None, _fill_function


def _content(cell: Any) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # it is empty
        return ()


def _make_function(module: str, code: types.CodeType, name: str, cells: int) -> types.FunctionType:
    """A function without what may refer back to it."""
    space = importlib.import_module(module).__dict__
    return types.FunctionType(code, space, name, None, tuple(types.CellType() for _ in range(cells)))


def _fill_function(func: types.FunctionType, state: dict[str, Any]) -> None:
    func.__defaults__, func.__kwdefaults__ = state["defaults"], state["kwdefaults"]
    func.__annotations__, func.__doc__ = state["annotations"], state["doc"]
    func.__module__, func.__qualname__ = state["module"], state["qualname"]
    func.__dict__.update(state["attributes"])
    for cell, content in zip(func.__closure__ or (), state["closure"], strict=True):
        if content:
            cell.cell_contents = content[0]


def _by_value(obj: Any, kind: type, home: tuple[str, str]) -> tuple[Any, ...] | None:
    """What `pickle` would look up by name, or cannot pickle, in the definition of something."""
    if kind is functools._lru_cache_wrapper and (obj.__module__, obj.__qualname__.partition(".")[0]) == home:
        return _cached(obj)
    if kind is typing.TypeVar and (obj.__module__, obj.__name__) == home:
        options = {
            "bound": obj.__bound__,
            "covariant": obj.__covariant__,
            "contravariant": obj.__contravariant__,
        }
        return _make_type_variable, (obj.__name__, obj.__constraints__, obj.__module__, options)
    if kind is weakref.WeakKeyDictionary:
        return weakref.WeakKeyDictionary, (dict(obj),)
    if kind is types.MappingProxyType:
        return types.MappingProxyType, (dict(obj),)
    return None


def _cached(obj: Any) -> tuple[Any, ...]:
    options = obj.cache_parameters()
    return _make_cached, (obj.__wrapped__, options["maxsize"], options["typed"])


def _make_cached(func: Any, maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize, typed)(func)


def _make_type_variable(name: str, constraints: tuple[Any, ...], module: str, options: dict[str, Any]) -> Any:
    made = typing.TypeVar(name, *constraints, **options)  # type: ignore[misc]
    made.__module__ = module
    return made


# --- objects of unittest.mock --------------------------------------------------------------------------------


def _mock(value: Any) -> tuple[Any, ...] | None:
    parts = mock_parts(value)
    if parts is None:
        return None
    base, attributes, magic = parts
    return _make_mock, (base,), (attributes, magic), None, None, _fill_mock


def _make_mock(base: Any) -> Any:
    return base()


def _fill_mock(mock: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    attributes, magic = state
    vars(mock).update(attributes)
    for name, method in magic.items():
        setattr(type(mock), name, method)
