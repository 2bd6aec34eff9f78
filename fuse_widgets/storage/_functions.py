"""Stable bytes for functions and classes, and what they refer to by global name."""

from __future__ import annotations

import builtins
import collections
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
from ._values import Ref, Unstable, Values, is_installed

#: Begins the entry of something that matches nothing, not even itself.
NEVER = "!"
_FILLABLE = (list, set, dict, collections.deque)
#: What IPython puts into every notebook.
_NOTEBOOK = frozenset(
    {"In", "Out", "get_ipython", "exit", "quit", "open", "_", "__", "___", "_dh", "_ih", "_oh"}
)
#: Of a class: what says where it stands, what its other attributes say already, what depends on the session.
_CLASS_PLACE = frozenset(
    {
        *(
            "__annotate__",
            "__annotate_func__",
            "__annotations__",
            "__annotations_cache__",
            "__conditional_annotations__",
        ),
        *(
            "__dataclass_fields__",
            "__dataclass_params__",
            "__dict__",
            "__doc__",
            "__firstlineno__",
            "__module__",
        ),
        *(
            "__qualname__",
            "__slotnames__",
            "__static_attributes__",
            "__weakref__",
            "_abc_impl",
            "_value2member_map_",
        ),
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

    One in the notebook, or in the module that refers to it, counts by its code; one of another module by its
    name. So does one that cannot be had by name, as a lambda or what a factory returned.
    """

    def follow(self, refs: list[Ref]) -> dict[str, str]:
        """Entries of global names, and of those that the functions and classes under these names refer to."""
        home = self._module
        names: dict[str, str] = {}
        seen = set()
        waiting = list(refs)
        before = self._in_code
        self._in_code = True
        try:
            while waiting:
                space, name = waiting.pop()
                if (id(space), name) in seen:
                    continue
                seen.add((id(space), name))
                module = space.get("__name__")
                if name not in space:
                    if hasattr(builtins, name):
                        continue
                    entry = "undefined"
                elif module == "__main__" and name in _NOTEBOOK:
                    continue
                else:
                    self._module, self._refs = module, []
                    try:
                        entry = self.kept(space[name]).hex()
                    except Unstable as why:
                        entry = never(why)
                    waiting += self._refs
                shown = name if module == home else f"{module}.{name}"
                if names.get(shown, entry) != entry:
                    entry = join(part.encode() for part in sorted((entry, names[shown]))).hex()
                names[shown] = entry
        finally:
            self._module, self._in_code = home, before
        return {
            name: entry if len(entry) <= 32 or entry[0] == NEVER else join((entry.encode(),)).hex()
            for name, entry in sorted(names.items())
        }

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
            if getattr(sys.modules.get(home), name, None) is value and is_installed(home):
                return join((b"builtin", f"{home}.{name}".encode()))
        if isinstance(value, _DESCRIPTORS):
            owner = getattr(value, "__self__", getattr(value, "__objclass__", None))
            if owner is None or isinstance(owner, types.ModuleType):
                return join((b"builtin", f"{value.__module__}.{value.__qualname__}".encode()))
            return join((b"bound", self.token(owner), value.__name__.encode()))
        return None

    def _once(self, value: Any, make: Callable[[Any], bytes]) -> bytes:
        """`make(value)`, kept for the run, with the names it refers to."""
        key = (id(value), self._module, "code")
        found = self._kept.get(key)
        if found is None:
            outer, module, before = self._refs, self._module, self._in_code
            self._refs, self._in_code = [], True
            try:
                found = (value, make(value), self._refs)
            finally:
                outer.extend(self._refs)
                self._refs, self._module, self._in_code = outer, module, before
            if self._lowest >= len(self._stack) - 1:  # else it depends on where a cycle was entered
                self._kept[key] = found
            return found[1]
        self._refs.extend(found[2])
        return found[1]

    def _followed(self, value: Any) -> bool:
        """Whether a function or a class counts by its code: it is in the notebook, in the module that refers to
        it, or cannot be had by name."""
        module = value.__module__
        if module == "__main__":
            return True
        if isinstance(value, types.FunctionType) and (
            module in (None, "builtins") or "<" in value.__qualname__
        ):
            return True
        return module == self._module and not is_installed(module)

    def _function(self, func: types.FunctionType) -> bytes:
        if not self._followed(func):
            return join((b"named", f"{func.__module__}.{func.__qualname__}".encode()))
        code, space = func.__code__, func.__globals__
        known = facts(code, self.token)
        self._module = space.get("__name__")
        parts = [b"function", known.digest]
        for name, cell in zip(code.co_freevars, func.__closure__ or (), strict=True):
            if name in known.state or name == "__class__":
                continue
            try:
                content = cell.cell_contents
            except ValueError:
                parts += [name.encode(), b"empty"]
                continue
            if name in known.fills and type(content) in _FILLABLE:
                continue
            parts += [name.encode(), self._part(content, f"closure value {name}")]
        parts.append(self._part(func.__defaults__, "a default"))
        parts.append(self._part(func.__kwdefaults__, "a default"))
        if not is_installed(self._module):
            for name in known.names:
                if not (name in known.fills and type(space.get(name)) in _FILLABLE):
                    self._refs.append((space, name))
        return join(parts)

    def _part(self, value: Any, what: str) -> bytes:
        try:
            return self.token(value)
        except Unstable as why:
            raise Unstable(f"{what}: {why}") from None

    def _class(self, cls: type) -> bytes:
        if not self._followed(cls):
            return join((b"named", f"{cls.__module__}.{cls.__qualname__}".encode()))
        parts = [b"class", cls.__name__.encode(), self.token(cls.__bases__)]
        if type(cls) is not type:
            parts.append(self.token(type(cls)))
        self._module = cls.__module__
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
                parts += [name.encode(), self.token(attributes[name])]
            except Unstable as why:
                if not name.startswith("__"):
                    raise Unstable(f"attribute {name} of class {cls.__qualname__}: {why}") from None
                parts.append(type(attributes[name]).__qualname__.encode())
        parts.append(self.token(_annotations(cls)))
        return join(parts)


def _annotations(cls: type) -> dict[str, str]:
    try:
        found = inspect.get_annotations(cls)
    except Exception:  # a name in an annotation that is not defined yet
        return {}
    return {name: re.sub(r" at 0x[0-9a-fA-F]+", "", str(kind)) for name, kind in found.items()}


def never(why: Unstable) -> str:
    """An entry that matches nothing, with the reason."""
    return f"{NEVER}{uuid.uuid4().hex} {why}"
