"""Stable bytes for functions and classes; what they read of other names is collected for `_reached`."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import inspect
import re
import sys
import types
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ..engine.nodes import MethodCall, Node, NodeItem, ObservedFunction, WorkflowClass, WorkflowFunction
from ._code import facts, join
from ._origins import origin_of, origin_of_globals
from ._reads import OWN, Root
from ._replaced import mock_parts
from ._values import Mark, Ref, Unstable, Values

#: Begins the entry of something that matches nothing, not even itself.
NEVER = "!"
FILLABLE = (list, set, dict, collections.deque)
#: Of `cls.__flags__`: the class was made while Python runs, and not by the compiler of C.
_HEAP = 1 << 9
#: What `CodeFacts.notes` mean, for a person.
_NOTES = {
    "getattr()": "getattr() with a computed name",
    "import_module()": "import_module() with a computed name",
    "__import__()": "__import__() with a computed name",
}
#: Of a class: what says where it stands, what its other attributes say already, what depends on the session (pydantic's
#: schemas hold the `id` of the class).
_CLASS_PLACE = frozenset(
    {
        *("__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__"),
        *(
            "__conditional_annotations__",
            "__dataclass_fields__",
            "__dataclass_params__",
            "__dict__",
            "__doc__",
        ),
        *("__firstlineno__", "__module__", "__qualname__", "__slotnames__", "__static_attributes__"),
        *("__weakref__", "_abc_impl", "_value2member_map_"),
        *("__pydantic_core_schema__", "__pydantic_serializer__", "__pydantic_validator__"),
    }
)
_DESCRIPTORS = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.MethodWrapperType,
)


class Functions(Values):
    """Tokens of functions and classes.

    A first-party one counts by its code; one of Python or of an installed package by its name. What an installed
    package made and has no name for, such as the wrapper of a decorator, counts by its own bytecode and closure.
    """

    def _code(self, value: Any) -> bytes | None:
        if isinstance(value, types.FunctionType):
            return self._once(value, self._function)
        if isinstance(value, type):
            return self._once(value, self._class)
        if isinstance(value, WorkflowFunction | WorkflowClass):
            return self.token(value.func)
        if isinstance(value, ObservedFunction):
            return self.token(value._func)
        if isinstance(value, MethodCall):
            method = inspect.getattr_static(value.cls, value.name)
            return join((b"call", value.name.encode(), self.token(method)))
        if isinstance(value, types.CodeType):
            return facts(value, self.token).digest
        if isinstance(value, Node):
            return join((b"node", value.name.encode("utf-8", "surrogatepass")))
        if isinstance(value, NodeItem):
            return join((b"item", self.token(value.node), self.token(value.path)))
        return self._wrapper(value)

    def _wrapper(self, value: Any) -> bytes | None:
        """The token of what holds a function without being one; None for other values."""
        if isinstance(value, staticmethod | classmethod):
            return join((type(value).__name__.encode(), self.token(value.__func__)))
        if isinstance(value, property):
            return join((b"property", *map(self.token, (value.fget, value.fset, value.fdel))))
        if isinstance(value, functools.cached_property):
            return join((b"cached", self.token(value.func)))
        if isinstance(value, functools._lru_cache_wrapper):
            return join((b"lru", self.token(value.__wrapped__)))
        if isinstance(value, types.MethodType | types.BuiltinMethodType):
            # random.seed and the like: functions of a module, whose hidden state is not theirs to compare
            home, name = type(value.__self__).__module__, getattr(value, "__name__", "")
            if getattr(sys.modules.get(home), name, None) is value and not origin_of(home).first_party:
                return join((b"builtin", f"{home}.{name}".encode()))
        if isinstance(value, _DESCRIPTORS):
            owner = getattr(value, "__self__", getattr(value, "__objclass__", None))
            if owner is None or isinstance(owner, types.ModuleType):
                return self._compiled(value)
            return join((b"bound", self.token(owner), value.__name__.encode()))
        mock = mock_parts(value)
        if mock is not None:
            base, attributes, magic = mock
            return join((b"mock", self.token(base), self.token(attributes), self.token(magic)))
        return None

    def _once(self, value: Any, make: Callable[[Any], bytes]) -> bytes:
        """`make(value)`, kept for the run, with the names it refers to."""
        key = (id(value), "code")
        found = self._kept.get(key)
        if found is None:
            outer, before = self._refs, self._in_code
            self._refs, self._in_code = [], True
            try:
                found = (value, make(value), self._refs)
            finally:
                outer.extend(self._refs)
                self._refs, self._in_code = outer, before
            if self._lowest >= len(self._stack) - 1:  # else it depends on where a cycle was entered
                self._kept[key] = found
            return found[1]
        self._refs.extend(found[2])
        return found[1]

    def _named(self, value: Any) -> bytes:
        """The token of what counts by its name."""
        self._refs.append(Mark("package", value.__module__))
        return join((b"named", f"{value.__module__}.{value.__qualname__}".encode()))

    def _compiled(self, value: Any) -> bytes:
        """The token of a function written in C."""
        home = value.__module__
        if isinstance(home, str):
            self._refs.append(Mark("compiled" if origin_of(home).first_party else "package", home))
        return join((b"builtin", f"{home}.{value.__qualname__}".encode()))

    def _function(self, func: types.FunctionType) -> bytes:
        code, space = func.__code__, func.__globals__
        home = space.get("__name__")
        first_party = origin_of_globals(space).first_party
        if not first_party and _has_name(func) and not origin_of(func.__module__).first_party:
            return self._named(func)
        known, outer = facts(code, self.token), len(self._refs)
        reader = func.__qualname__ if home in (None, "__main__") else f"{home}.{func.__qualname__}"
        parts = [b"function", known.digest]
        for name, cell in zip(code.co_freevars, func.__closure__ or (), strict=True):
            if name in known.state or name == "__class__":
                continue
            try:
                content = cell.cell_contents
            except ValueError:
                parts += [name.encode(), b"empty"]
                continue
            if name in known.fills and type(content) in FILLABLE:
                continue
            paths = known.cells.get(name)
            if isinstance(content, types.ModuleType) and paths:
                root = Root("module", name)
                self._refs += [Ref(content, root, path, reader=reader) for path in sorted(paths)]
                parts += [name.encode(), b"module"]
                continue
            parts += [name.encode(), self._part(content, f"closure value {name}")]
        parts.append(self._part(func.__defaults__, "a default"))
        parts.append(self._part(func.__kwdefaults__, "a default"))
        if first_party:
            self._refs += [Mark("note", _in_words(note, reader)) for note in known.notes]
            self._refs += [Ref(space, *read, reader) for read in known.reads]
            self._refs.append(Mark("names", "", known.names))
            parts += self._attributes(func, known.assigned)
        else:
            self._refs[outer:] = [
                ref for ref in self._refs[outer:] if not isinstance(ref, Mark) or ref.kind != "note"
            ]
            self._refs.append(Mark("package", str(home)))
        return join(parts)

    def _attributes(self, func: types.FunctionType, assigned: frozenset[str]) -> list[bytes]:
        """What a function has as attributes, without those that its code assigns and what it wraps."""
        parts = []
        for name, value in sorted(func.__dict__.items()) if func.__dict__ else ():
            if name not in assigned and name != "__wrapped__":
                try:
                    parts += [name.encode("utf-8", "surrogatepass"), self.token(value)]
                except Unstable:
                    self._refs.append(Mark("note", f"the attribute {name} of {func.__qualname__}"))
        return parts

    def _part(self, value: Any, what: str) -> bytes:
        try:
            return self.token(value)
        except Unstable as why:
            raise Unstable(f"{what}: {why}") from None

    def _class(self, cls: type) -> bytes:
        origin = origin_of(cls.__module__)
        if not origin.first_party and (
            origin.kind != "standard" or not cls.__flags__ & _HEAP or _has_name(cls)
        ):
            return self._named(cls)
        parts = [b"class", cls.__name__.encode(), self.token(cls.__bases__)]
        if type(cls) is not type:
            parts.append(self.token(type(cls)))
        attributes: Mapping[str, Any] = vars(cls)
        if issubclass(cls, enum.Enum):
            parts += [self.token((name, member._value_)) for name, member in cls.__members__.items()]
            attributes = {
                name: value
                for name, value in attributes.items()
                if name not in cls.__members__ and (name[:1] != "_" or isinstance(value, types.FunctionType))
            }
        for name in sorted(set(attributes) - _CLASS_PLACE):
            if name == "__reduce_ex__" and attributes[name].__module__ == "fuse_widgets.engine._by_name":
                continue  # of the decorator
            try:
                value = attributes[name]
                if (
                    name == "__pydantic_decorators__"
                ):  # what validators are for; it holds the `id` of the class as well
                    value = _settings_of_decorators(value)
                parts += [name.encode(), self.token(value)]
            except Unstable as why:
                if not name.startswith("__"):
                    raise Unstable(f"attribute {name} of class {cls.__qualname__}: {why}") from None
                parts.append(type(attributes[name]).__qualname__.encode())
        parts.append(self.token(_annotations(cls)))
        fields = vars(cls).get("__dataclass_fields__")
        if isinstance(fields, dict):
            parts += [self._field(field) for field in fields.values()]
        return join(parts)

    def _field(self, field: Any) -> bytes:
        """What a field of a data class says beside its name and default, which are in `__init__`."""
        if not isinstance(field, dataclasses.Field):
            return b""
        plain = (
            field.name,
            field.init,
            field.repr,
            field.compare,
            field.hash,
            getattr(field, "kw_only", None),
        )
        try:
            return self.token((*plain[:5], bool(plain[5]), field.metadata))
        except Unstable:
            return field.name.encode()


def _in_words(note: str, reader: str) -> str:
    if note.startswith(OWN):
        return f"the value of {note.removeprefix(OWN)} at the start, which {reader} assigns itself"
    return f"{_NOTES.get(note, note)} in {reader}"


def _settings_of_decorators(decorators: Any) -> list[Any]:
    groups = vars(decorators).values() if hasattr(decorators, "__dict__") else ()
    return [
        [(name, getattr(one, "info", None)) for name, one in group.items()]
        for group in groups
        if isinstance(group, dict)
    ]


def _has_name(value: Any) -> bool:
    """Whether its module and qualified name lead to a function or class."""
    found: Any = sys.modules.get(value.__module__) if isinstance(value.__module__, str) else None
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None) if name != "<locals>" else None
    return found is value


def _annotations(cls: type) -> dict[str, str]:
    try:
        found = inspect.get_annotations(cls)
    except Exception:  # a name in an annotation that is not defined yet
        return {}
    return {name: re.sub(r" at 0x[0-9a-fA-F]+", "", str(kind)) for name, kind in found.items()}


def never(why: Unstable) -> str:
    """An entry that matches nothing, with the reason."""
    return f"{NEVER}{uuid.uuid4().hex} {why}"
