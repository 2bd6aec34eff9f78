"""What a function consists of: its code, what it captured, and what it refers to by name.

`reach` notes that at one moment, for the cost of some dictionary lookups and without calling code of others; comparing
two notes says what has changed since. Lists, dicts and sets of plain values count by what they contain. Other objects
count by identity, so that one that was made again counts as changed.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
import types
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

from ._arguments import Promise
from ._definitions import Decorated, captured, code_key, inner_function
from ._objects import MethodCall

__all__ = ["Reach", "changes", "reach", "same_value"]

#: By name, with "" for the code of the function itself.
Reach = dict[str, Any]

_PACKAGE = f"{__name__.partition('.')[0]}."
#: Items of a container that are compared; one with more counts by identity.
ITEMS = 1_000
#: What is looked into; of other objects, only their class.
_WRITTEN = (types.FunctionType, functools.partial, functools._lru_cache_wrapper, type)
_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def reach(func: Any, nodes: dict[str, tuple[str, Promise]] | None = None) -> Reach:
    """Note what `func` consists of now.

    Args:
        func: What a node calls.
        nodes: Gets the nodes that it reads by a global name, or by an attribute of what has one: by that name, whether it "is"
            the node or "holds" it, and the node.
    """
    found: Reach = {}
    if isinstance(func, MethodCall):
        func = func.cls
    walk = _Walk(found)
    walk.add("", func)
    if nodes is not None and walk.nodes:
        nodes.update(walk.nodes_read())
    return found


def changes(old: Reach, new: Reach) -> list[str]:
    """What has changed between two notes: "" for the function itself, else names."""
    names = [name for name in new if name not in old or not _same(old[name], new[name])]
    names += [name for name in old if name not in new]
    own = [name for name in names if not name or name.startswith(".")]
    return [""] if own else list(dict.fromkeys(name.partition(".")[0] for name in names))


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are one object, or equal as far as that is compared here."""
    return _same(_note(one), _note(other))


class _Seen(NamedTuple):
    """A node on the way.

    Attributes:
        name: What leads to it.
        attribute: What code must name to read it; "" if it is read in any case.
        methods: The methods that the code which reads it belongs to.
        verb: Whether that "is" the node, or "holds" it.
        node: The node.
    """

    name: str
    attribute: str
    methods: tuple[str, ...]
    verb: str
    node: Promise


class _Walk:
    """One walk. `nodes`: the nodes on the way."""

    def __init__(self, found: Reach) -> None:
        self._found = found
        self._seen: set[int] = set()
        self.nodes: list[_Seen] = []
        self._names: list[tuple[tuple[str, ...], set[str]]] = []
        self._methods: tuple[str, ...] = ()

    def nodes_read(self) -> dict[str, tuple[str, Promise]]:
        """The nodes that code reads; methods that no code names, and that Python does not call itself, are left out."""
        names: set[str] = set()
        while True:
            more = [found for methods, found in self._names if _are_called(methods, names)]
            more = [found for found in more if not found <= names]
            if not more:
                break
            names.update(*more)
        return {
            seen.name: (seen.verb, seen.node)
            for seen in self.nodes
            if (not seen.attribute or seen.attribute in names) and _are_called(seen.methods, names)
        }

    def add(self, name: str, value: Any) -> None:
        """Note a value that a function refers to as `name`, and what that refers to."""
        if isinstance(value, Decorated):
            value = value._definition.func
        if isinstance(value, _WRITTEN):
            inner = inner_function(value)
            code = getattr(inner, "__code__", None)
            if isinstance(code, types.CodeType) and not _is_installed(code.co_filename):
                self._function(name, value, inner, code)
                return
            if isinstance(inner, type) and not _is_installed_module(inner.__module__):
                self._class(name, inner)
                return
        self._found[name] = _note(value)
        if type(value) not in _PLAIN:
            for attribute, item in _attributes_of(value):
                self._note_node(f"{name}.{attribute}", attribute, item)
        if not isinstance(value, type) and not _is_installed_module(type(value).__module__):
            self._class(f"{name}.class", type(value))

    def _function(self, name: str, value: Any, inner: Any, code: types.CodeType) -> None:
        self._found[name] = code
        if id(inner) in self._seen:
            return
        self._seen.add(id(inner))
        for number, item in enumerate(captured(value)):
            self.add(f"{name}.{number}", item)
        namespace = getattr(inner, "__globals__", {})
        names = dict.fromkeys(_names_of(code))
        self._names.append((self._methods, set(names)))
        for one in names:
            if one not in namespace:
                continue
            item = namespace[one]
            key = f"{name}.{one}" if name else one
            node = None if type(item) in _PLAIN else _node_in(item)
            if node is not None and one not in _NOTEBOOK and _reads_global(code, one):
                self.nodes.append(_Seen(one, "", self._methods, "is" if node is item else "holds", node))
            if isinstance(item, types.ModuleType):
                if not _is_installed_module(item.__name__):
                    self._module(one, item, names)
            elif id(item) not in self._seen or not callable(item):
                self.add(key, item)

    def _module(self, name: str, module: types.ModuleType, names: dict[str, None]) -> None:
        """Of a module of the person's, what is taken by the names that stand in the code."""
        for attribute in names:
            item = vars(module).get(attribute)
            self._note_node(f"{name}.{attribute}", attribute, item)
            if item is not None and id(item) not in self._seen and not isinstance(item, types.ModuleType):
                self.add(f"{name}.{attribute}", item)

    def _class(self, name: str, cls: type) -> None:
        is_root = name == "" or name.startswith(".base")  # whose methods nodes call
        self._found[name] = cls.__qualname__
        if id(cls) in self._seen:
            return
        self._seen.add(id(cls))
        for attribute, item in vars(cls).items():
            ours = isinstance(item, types.FunctionType) and item.__module__.startswith(_PACKAGE)
            if attribute not in _OF_EACH_CLASS and not ours:
                self._note_node(f"{cls.__qualname__}.{attribute}", attribute, item)
                item = getattr(item, "fget", None) or getattr(item, "__func__", item)
                methods = self._methods
                if not is_root:
                    self._methods = (*methods, attribute)
                self.add(f"{name}.{attribute}", item)
                self._methods = methods
        for number, base in enumerate(cls.__bases__):
            if base is not object:
                self.add(f"{name}.base{number}", base)

    def _note_node(self, name: str, attribute: str, value: Any) -> None:
        node = None if type(value) in _PLAIN else _node_in(value)
        if node is not None:
            self.nodes.append(_Seen(name, attribute, self._methods, "is" if node is value else "holds", node))


def _are_called(methods: tuple[str, ...], names: set[str]) -> bool:
    return all(name in names or name[:2] == "__" for name in methods)


#: What IPython has of earlier cells.
_NOTEBOOK = frozenset({"Out", "_oh"})


def _node_in(value: Any, room: int = ITEMS) -> Promise | None:
    """A node that is a value or stands in its containers."""
    if isinstance(value, Promise):
        return value
    if type(value) is types.SimpleNamespace:
        value = vars(value)
    if type(value) not in (tuple, list, dict, set, frozenset) or len(value) > room:
        return None
    items = [item for pair in value.items() for item in pair] if type(value) is dict else list(value)
    for item in items:
        if type(item) not in _PLAIN and (node := _node_in(item, room // len(items))) is not None:
            return node
    return None


def _attributes_of(value: Any) -> list[tuple[str, Any]]:
    """The attributes of an object, without calling code of its class."""
    if isinstance(value, types.ModuleType | Promise):
        return []
    try:
        return [(str(name), item) for name, item in object.__getattribute__(value, "__dict__").items()]
    except (AttributeError, RuntimeError):
        return []


def _reads_global(code: types.CodeType, name: str) -> bool:
    """Whether code reads a global name, and not an attribute that is called the same."""
    if any(
        step.argval == name and step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        for step in dis.get_instructions(code)
    ):
        return True
    return any(_reads_global(const, name) for const in code.co_consts if isinstance(const, types.CodeType))


_OF_EACH_CLASS = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__module__",
        "__doc__",
        "__firstlineno__",
        "__static_attributes__",
        "__qualname__",
    }
)


def _names_of(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_of(constant)


def _is_installed(file: str) -> bool:
    return file.startswith(_INSTALLED) or file.startswith("<frozen")


def _is_installed_module(name: str | None) -> bool:
    module = sys.modules.get(name or "")
    file = getattr(module, "__file__", None)
    return _is_installed(file) if isinstance(file, str) else getattr(module, "__spec__", None) is not None


def _note(value: Any) -> Any:
    """What stands for a value in a note: equal for the same value, and holding no large ones."""
    key = _key(value, ITEMS)
    if key is not None:
        return key
    try:
        return weakref.ref(value)
    except TypeError:
        return (type(value), id(value))


def _key(value: Any, room: int) -> Any:
    """A tuple that is equal for containers of equal plain values; None for other values."""
    kind = type(value)
    if kind in _PLAIN:
        return (kind, value)
    if kind not in (tuple, list, dict, set, frozenset) or len(value) > room:
        return None
    items = [item for pair in value.items() for item in pair] if kind is dict else value
    keys = [_key(item, room // (len(items) or 1)) for item in items]
    if any(key is None for key in keys):
        return None
    return (kind, frozenset(keys) if kind in (set, frozenset) else tuple(keys))


def _same(old: Any, new: Any) -> bool:
    if old is new:
        return True
    if isinstance(old, types.CodeType) and isinstance(new, types.CodeType):
        return code_key(old) == code_key(new)
    if isinstance(old, weakref.ref) or isinstance(new, weakref.ref):
        return isinstance(old, weakref.ref) and isinstance(new, weakref.ref) and old() is new() is not None
    return type(old) is type(new) and bool(old == new)
