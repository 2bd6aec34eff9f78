"""What the user's modules are in the kernel: each name of theirs as a digest and as bytes, for the workers.

What the kernel has counts, not what is in the files: a module may have been edited and not reloaded, reloaded, changed from
outside, or made without a file.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
import threading
import types
from typing import Any, NamedTuple

from ..engine.nodes import Promise, WorkflowClass, WorkflowFunction
from ..storage._code import join
from ..storage._functions import Functions
from ..storage._values import _SCALARS, Unstable
from ._originals import REPLACED, Place
from ._references import ModulePickler, Reached, Reference, is_own, reference
from ._replaced import Replacements

__all__ = ["SYSTEM", "ModuleState", "OwnModules", "is_code", "tokens_of"]

#: Names that the import system sets.
SYSTEM = frozenset(
    {
        *("__builtins__", "__cached__", "__doc__", "__file__", "__loader__"),
        *("__name__", "__package__", "__path__", "__spec__"),
    }
)
#: Parts of a value that are compared; what has more is compared, and sent, as a pickle.
MOST = 20_000
#: Of a class: what follows from the rest, or differs from process to process.
_OF_CLASS = frozenset(
    {
        *("__annotations__", "__annotations_cache__", "__dataclass_fields__", "__dataclass_params__"),
        *("__dict__", "__doc__", "__firstlineno__", "__module__", "__slotnames__", "__static_attributes__"),
        *("__weakref__", "_abc_impl", "_value2member_map_"),
        *("__pydantic_core_schema__", "__pydantic_serializer__", "__pydantic_validator__"),
    }
)


class ModuleState(NamedTuple):
    """A module as it is in the kernel.

    Attributes:
        name, file: The module's; None for one without a file.
        folders: Where its submodules are; None if it is no package.
        executable: Whether its file may be executed in a worker: not while the kernel itself is at it.
        digest: Of all its names.
        tokens: By name, a digest of the value; None for one that cannot be compared.
        values: By name, the pickled value; None for one that cannot be pickled.
        code: The names of functions, classes, and what decorators have made of them.
    """

    name: str
    file: str | None
    folders: list[str] | None
    executable: bool
    digest: bytes
    tokens: dict[str, bytes | None]
    values: dict[str, bytes | None]
    code: frozenset[str]


class _Contents(Functions):
    """Digests of what stands in modules: by name where that leads to it, else by all that it consists of.

    Line numbers count, so that tracebacks are right.
    """

    def __init__(self, home: tuple[str, str]) -> None:
        super().__init__()
        self._home = home
        self._in_code = True
        self._left = MOST

    def token(self, value: Any) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise Unstable("it has too many parts")
        return super().token(value)

    def _code(self, value: Any) -> bytes | None:
        if isinstance(value, types.CodeType):
            return self._code_object(value)
        if isinstance(value, types.FunctionType | type):
            found = reference(value)
            if found is not None and (found.module, found.path[0]) != self._home:
                return join((b"name", repr(found).encode("utf-8", "backslashreplace")))
            return self._func(value) if isinstance(value, types.FunctionType) else self._cls(value)
        if isinstance(value, WorkflowFunction | WorkflowClass):
            return join((b"workflow", self.token(value.func)))
        if isinstance(value, Promise):
            raise Unstable("a node")
        return super()._code(value)

    def _code_object(self, code: types.CodeType) -> bytes:
        numbers = (
            code.co_argcount,
            code.co_posonlyargcount,
            code.co_kwonlyargcount,
            code.co_flags,
            code.co_firstlineno,
        )
        names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        lines = repr(list(code.co_lines())).encode()
        exceptions = getattr(code, "co_exceptiontable", b"")
        text = repr((numbers, names)).encode("utf-8", "backslashreplace")
        return join((b"code", code.co_code, text, lines, exceptions, self.token(code.co_consts)))

    def _func(self, func: types.FunctionType) -> bytes:
        space = str(func.__globals__.get("__name__"))
        parts = [b"function", space.encode(), func.__qualname__.encode(), self._code_object(func.__code__)]
        parts += map(self._leaf, (func.__defaults__, func.__kwdefaults__, func.__dict__))
        for cell in func.__closure__ or ():
            try:
                parts.append(self._leaf(cell.cell_contents))
            except ValueError:
                parts.append(b"empty")
        return join(parts)

    def _cls(self, cls: type) -> bytes:
        parts = [b"class", cls.__qualname__.encode(), self.token(cls.__bases__), self.token(type(cls))]
        for name, value in sorted(vars(cls).items(), key=lambda item: str(item[0])):
            if name not in _OF_CLASS:
                parts += [str(name).encode("utf-8", "backslashreplace"), self._leaf(value)]
        return join(parts)

    def _leaf(self, value: Any) -> bytes:
        """A part of something that is compared in any case."""
        try:
            return self.token(value)
        except Exception:
            return f"a {type(value).__qualname__}".encode()


def is_code(value: Any) -> bool:
    """Whether a value is a function, a class, or what a decorator has made of one."""
    return isinstance(value, types.FunctionType | type) or (
        callable(value) and any(hasattr(value, link) for link in ("__wrapped__", "func"))
    )


def _names(module: types.ModuleType) -> dict[str, Any]:
    while True:
        try:
            return {
                name: value
                for name, value in vars(module).items()
                if name not in SYSTEM
                # a submodule is there once it is imported
                and not (type(value) is types.ModuleType and value.__name__ == f"{module.__name__}.{name}")
            }
        except RuntimeError:  # another thread has added a name
            continue


def _token(module: str, name: str, value: Any) -> bytes | None:
    contents = _Contents((module, name))
    try:
        return contents.token(value)
    except Exception:  # whatever a user's object may raise
        return contents._cls(type(value)) if is_code(value) else None


def tokens_of(module: types.ModuleType) -> dict[str, bytes | None]:
    """By name, a digest of what a module has; None for what cannot be compared."""
    return {name: _token(module.__name__, name, value) for name, value in _names(module).items()}


# --- in the kernel -------------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    stamp: tuple[Any, ...] | None
    token: bytes | None
    value: bytes | None
    reached: Reached


class _Known:
    """What was found out about a module, while it stays the same object."""

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module
        self.entries: dict[str, _Entry] = {}
        self.state: ModuleState | None = None
        self.pickled = b""
        self.reached = Reached(set(), set(), set())

    def look(self) -> ModuleState:
        """The state now; the same object as before if nothing has changed."""
        module, before = self.module, self.entries
        values = _names(module)
        self.entries = {name: self._entry(name, value, before.get(name)) for name, value in values.items()}
        executable = not getattr(getattr(module, "__spec__", None), "_initializing", False)
        same = self.state is not None and self.state.executable == executable
        if (
            not same
            or len(before) != len(self.entries)
            or any(before.get(n) is not e for n, e in self.entries.items())
        ):
            self._make(values, executable)
        assert self.state is not None
        return self.state

    def _entry(self, name: str, value: Any, before: _Entry | None) -> _Entry:
        stamp = _stamp(self.module.__name__, value)
        if before is not None and stamp is not None and _same(stamp, before.stamp):
            return before
        token = _token(self.module.__name__, name, value)
        if before is not None and token is not None and token == before.token:
            return before if stamp is None else before._replace(stamp=stamp)
        out = io.BytesIO()
        pickler = ModulePickler(out, 5, (self.module.__name__, name))
        pickled: bytes | None = None
        with contextlib.suppress(Exception):  # as for a lock, or a connection
            pickler.dump(value)
            pickled = out.getvalue()
        if before is not None and token is None and before[1:3] == (None, pickled):
            return before
        pickler.reached.modules.update(filter(is_own, (type(value).__module__,)))
        return _Entry(stamp, token, pickled, pickler.reached)

    def _make(self, values: dict[str, Any], executable: bool) -> None:
        module, entries = self.module, self.entries
        file = getattr(module, "__file__", None)
        folders = getattr(module, "__path__", None)
        parts = [
            part
            for name, entry in entries.items()
            for part in (name.encode(), entry.token or b"?", entry.value or b"")
        ]
        self.state = ModuleState(
            module.__name__,
            file if isinstance(file, str) else None,
            None if folders is None else [str(folder) for folder in folders],
            executable and isinstance(file, str),
            join((*parts, b"%d" % executable)),
            {name: entry.token for name, entry in entries.items()},
            {name: entry.value for name, entry in entries.items()},
            frozenset(name for name, value in values.items() if is_code(value)),
        )
        self.pickled = pickle.dumps(tuple(self.state), protocol=5)
        self.reached = Reached(
            set().union(*(entry.reached.modules for entry in entries.values())),
            set().union(*(entry.reached.names for entry in entries.values())),
            set().union(*(entry.reached.places for entry in entries.values())),
        )


def _same(stamp: tuple[Any, ...], before: tuple[Any, ...] | None) -> bool:
    return (
        before is not None
        and len(stamp) == len(before)
        and all(
            one is other or (type(one) is Reference and one == other)
            for one, other in zip(stamp, before, strict=True)
        )
    )


_FIXED = (
    types.BuiltinFunctionType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.WrapperDescriptorType,
)


def _stamp(module: str, value: Any, depth: int = 0) -> tuple[Any, ...] | None:
    """Objects that are the same ones as long as a value has not changed; None for what may change in place."""
    kind = type(value)
    if kind in _SCALARS or kind is types.ModuleType or isinstance(value, _FIXED):
        return (value,)
    if kind is tuple or kind is frozenset:
        return (value,) if all(type(item) in _SCALARS for item in value) else None
    if depth > 3:
        return None
    if kind is types.FunctionType:
        return _stamp_of_function(module, value, depth)
    if kind is staticmethod or kind is classmethod:
        return _stamp_of_parts(module, value, [value.__func__], depth)
    if kind is property:
        return _stamp_of_parts(module, value, [value.fget, value.fset, value.fdel], depth)
    if isinstance(value, type):
        found = reference(value)
        if depth or value.__module__ != module:
            return (value, found) if found is not None else None
        return _stamp_of_parts(
            module, value, [part for name, part in vars(value).items() if name not in _OF_CLASS], depth
        )
    return None


def _stamp_of_function(module: str, func: types.FunctionType, depth: int) -> tuple[Any, ...] | None:
    parts = [*(func.__defaults__ or ()), *(func.__kwdefaults__ or {}).values(), *func.__dict__.values()]
    for cell in func.__closure__ or ():
        try:
            parts.append(cell.cell_contents)
        except ValueError:
            return None
    found = _stamp_of_parts(module, func, parts, depth)
    return None if found is None else (*found, func.__code__, reference(func))


def _stamp_of_parts(module: str, value: Any, parts: list[Any], depth: int) -> tuple[Any, ...] | None:
    stamp: list[Any] = [value]
    for part in parts:
        inner = _stamp(module, part, depth + 1)
        if inner is None:
            return None
        stamp += inner
    return tuple(stamp)


_known: dict[str, _Known] = {}
_looking = threading.Lock()
#: Code with one of these names may import whatever it likes.
_DYNAMIC = frozenset(
    {
        *("__import__", "cloudpickle", "dill", "eval", "exec", "find_spec", "import_module"),
        *("joblib", "modules", "pickle", "reload", "run_module", "run_path"),
    }
)


class OwnModules:
    """The user's modules as they are where a run begins, as far as its nodes reach them.

    Each is looked at once in a run. The cost grows with what is reached, and not with what is imported.

    Attributes:
        states: By name, the pickled state; the same object as in the run before if the module has not changed. Under `REPLACED`
            what the user has put into other modules.

    Args:
        texts: See `Replacements`.
    """

    def __init__(self, texts: bool = True) -> None:
        self.states: dict[str, bytes] = {}
        self._count = 0
        self._index: dict[str, set[str]] = {}
        self._replaced = Replacements(texts)
        if self._replaced.state is not None:
            self.states[REPLACED] = self._replaced.state
            self.reach(self._replaced.reached)

    def reach(self, reached: Reached) -> None:
        """Add the modules that something refers to, and those that they refer to."""
        if self._replaced.add(reached.places):
            self._replaced_more()
        waiting = self._named(reached)
        if waiting <= self.states.keys():
            return
        places: set[Place] = set()
        states = dict(self.states)
        with _looking:
            while waiting:
                name = waiting.pop()
                known = None if name in states else _look_at(name)
                if known is not None:
                    states[name] = known.pickled
                    places |= known.reached.places
                    waiting |= self._named(known.reached) - states.keys()
        self.states = states
        if self._replaced.add(places):
            self._replaced_more()

    def _replaced_more(self) -> None:
        assert self._replaced.state is not None
        self.states = {**self.states, REPLACED: self._replaced.state}
        self.reach(self._replaced.reached._replace(places=set()))

    def closure(self, reached: Reached) -> dict[str, bytes]:
        """The states of the modules that something refers to, and of those that they refer to."""
        self.reach(reached)
        waiting, found = self._named(reached), {}
        if REPLACED in self.states:
            found[REPLACED] = self.states[REPLACED]
            waiting |= self._named(self._replaced.reached)
        while waiting:
            name = waiting.pop()
            if name in self.states:
                found[name] = self.states[name]
                waiting |= self._named(_known[name].reached) - found.keys()
        return dict(sorted(found.items()))

    def _named(self, reached: Reached) -> set[str]:
        """The names of the modules that are meant, with the packages that they are in."""
        if len(sys.modules) != self._count:
            self._count = len(sys.modules)
            self._index = {}
            for name, module in list(sys.modules.items()):
                if isinstance(module, types.ModuleType) and is_own(name):
                    last = name.rpartition(".")[2]
                    self._index.setdefault(last, set()).add(name)
        index = self._index
        found = set(reached.modules)
        for name in reached.names:
            found |= index.get(name.rpartition(".")[2], set())
        if not reached.names.isdisjoint(_DYNAMIC):
            found |= {name for names in index.values() for name in names if not _is_test(name)}
        for name in list(found):
            while name := name.rpartition(".")[0]:
                found.add(name)
        return found


def _is_test(module: str) -> bool:
    """Whether pytest collects a module of this name, which no other code imports."""
    last = module.rpartition(".")[2]
    return last.startswith("test_") or last.endswith("_test") or last == "conftest"


def _look_at(name: str) -> _Known | None:
    """What a module is now; None if there is no such module of the user's."""
    module = sys.modules.get(name)
    if not isinstance(module, types.ModuleType) or not is_own(name):
        _known.pop(name, None)
        return None
    if getattr(module, "__name__", None) != name:  # another name of it
        return None
    known = _known.get(name)
    if known is None or known.module is not module:
        known = _known[name] = _Known(module)
    known.look()
    return known
