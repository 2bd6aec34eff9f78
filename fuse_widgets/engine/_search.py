"""Looking through values for nodes, and for iterators that can be read only once.

Nodes in lists, tuples, dicts, sets, deques and slices are replaced by their results. A node anywhere else in a value
would reach a function as a node, so the search finds those as well and refuses them. An iterator would give its items to
the first reader only, so it is refused wherever data is kept: in containers and in the fields of dataclasses and the like,
but not in the private state of other objects.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import dis
import enum
import fractions
import functools
import gc
import io
import pathlib
import types
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ._arguments import CONTAINERS, LEAVES, Promise, parts_of

if TYPE_CHECKING:
    from ._node import Node

__all__ = ["Refused", "Search"]

#: Types of the standard library that hold nothing of a person's.
_PLAIN = (
    *(bool, int, float, complex, type(None), type(Ellipsis), type(NotImplemented)),
    *(
        range,
        bytearray,
        memoryview,
        types.CodeType,
        types.FrameType,
        types.TracebackType,
        types.ModuleType,
        type,
    ),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, decimal.Decimal, fractions.Fraction),
    *(enum.Enum, pathlib.PurePath, uuid.UUID),
    *(types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType),
)
#: Packages whose objects lead to the whole program, and to whatever a notebook has defined.
_MACHINERY = frozenset(
    {
        *("IPython", "anywidget", "asyncio", "_asyncio", "comm", "concurrent", "contextvars", "_contextvars"),
        *("fuse_widgets", "ipykernel", "ipywidgets", "jupyter_client", "logging", "loky", "matplotlib"),
        *("multiprocessing", "ray", "selectors", "socket", "ssl", "subprocess", "threading", "_thread"),
        *("tornado", "traitlets", "zmq"),
    }
)
#: Containers of the standard library that are not rebuilt with results in place of nodes.
_KEPT_WHOLE: tuple[type, ...] = (
    collections.ChainMap,
    collections.UserDict,
    collections.UserList,
    types.MappingProxyType,
    types.SimpleNamespace,
    functools.partial,
    functools.partialmethod,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
    type(collections.OrderedDict().keys()),
    type(collections.OrderedDict().values()),
    type(collections.OrderedDict().items()),
)
#: Class attributes of dataclasses, attrs and pydantic models.
_WITH_FIELDS = (
    "__dataclass_fields__",
    "__attrs_attrs__",
    "__pydantic_fields__",
    "__pydantic_decorators__",
    "__fields__",
)
_COROUTINES = (types.CoroutineType, types.AsyncGeneratorType)
_STOPS = (types.GeneratorType, *_COROUTINES)


class Refused(Exception):
    """A value that no node may be called with or return; says what it is or holds.

    Attributes:
        text: What it is or holds.
        instead: For an iterator, what to pass or return instead; empty for a node.
        value: The node or iterator.
    """

    def __init__(self, text: str, value: Any, instead: str = "") -> None:
        super().__init__(text)
        self.text, self.value, self.instead = text, value, instead


class Search:
    """One search through some values.

    Attributes:
        nodes: The nodes that stand in containers, in order.
    """

    __slots__ = ("_objects", "_seen", "nodes")

    def __init__(self, nodes: dict[Node, None] | None = None) -> None:
        self.nodes: dict[Node, None] = {} if nodes is None else nodes
        self._objects: list[tuple[Any, str]] = []
        self._seen: set[int] = set()

    def look(self, value: Any) -> None:
        """Search one value.

        Raises:
            Refused: It holds a node where nodes are not replaced, or an iterator.
            ValueError: It contains itself.
        """
        try:
            self._look(value, None)
        except RecursionError:
            raise ValueError(
                "an argument contains itself, or is nested too deeply to look for nodes in it"
            ) from None
        self._look_at_objects()

    def look_everywhere(self, value: Any) -> None:
        """Search a value that may hold no node at all, and may contain itself.

        Raises:
            Refused: It is or holds a node or an iterator.
        """
        try:
            self._look(value, _name_of(value))
            self._look_at_objects()
        except RecursionError:
            try:
                self._follow([value])
            except _Found as found:
                raise _hidden(found.node, _name_of(value)) from None

    def _look_at_objects(self) -> None:
        if self._objects:
            objects, self._objects = self._objects, []
            try:
                self._follow([found for found, _ in objects])
            except _Found as found:
                self._name_the_holder(objects, found.node)

    def _look(self, value: Any, inside: str | None) -> None:
        kind = type(value)
        if kind not in LEAVES:
            (_builtin.get(kind) or _how(kind))(self, value, inside)

    # --- one method for each way to look at a value ----------------------------------------------------------

    def _nothing(self, value: Any, inside: str | None) -> None:
        """It holds no nodes."""

    def _promise(self, value: Promise, inside: str | None) -> None:
        if inside is not None:
            raise _hidden(value, inside)
        self.nodes[value._source()] = None

    def _container(self, value: Any, inside: str | None) -> None:
        if inside is not None:
            if id(value) in self._seen:
                return
            self._seen.add(id(value))
        if type(value) not in _builtin:
            if getattr(value, "__dict__", None):
                self._objects.append((value.__dict__, inside or _name_of(value)))
            if isinstance(value, collections.defaultdict):
                self._look(value.default_factory, inside or "a defaultdict")
        if isinstance(value, dict):
            if LEAVES.issuperset(map(type, value.keys())) and LEAVES.issuperset(map(type, value.values())):
                return
        elif LEAVES.issuperset(map(type, parts_of(value))):
            return
        for item in parts_of(value):
            if inside is None and isinstance(item, Promise):
                self.nodes[item._source()] = None
            elif type(item) not in LEAVES:
                self._look(item, inside)

    def _whole(self, value: Any, inside: str | None) -> None:
        self._each(value, gc.get_referents(value), inside)

    def _fields(self, value: Any, inside: str | None) -> None:
        if _is_iterator(type(value)):
            raise _once(value)
        names = getattr(value, "__dict__", None) or ()
        fields = [value.__dict__[name] for name in tuple(names) if str(name)[:1] != "_"]
        fields += [getattr(value, name, None) for name in _slots_of(type(value)) if name[:1] != "_"]  # type: ignore[arg-type]
        self._objects.append((value, inside or _name_of(value)))
        self._each(value, fields, inside)

    def _array(self, value: Any, inside: str | None) -> None:
        if value.dtype.hasobject:
            self._each(value, value.ravel().tolist(), inside)
        if getattr(value, "__dict__", None):
            self._objects.append((value.__dict__, inside or _name_of(value)))

    def _each(self, value: Any, items: Iterable[Any], inside: str | None) -> None:
        if id(value) not in self._seen:
            self._seen.add(id(value))
            inside = inside or _name_of(value)
            for item in items:
                self._look(item, inside)

    def _iterator(self, value: Any, inside: str | None) -> None:
        raise _once(value)

    def _file(self, value: Any, inside: str | None) -> None:
        try:
            readable = value.readable()
        except Exception:  # it is closed
            return
        if readable:
            raise _once(value)

    def _object(self, value: Any, inside: str | None) -> None:
        self._objects.append((value, inside or _name_of(value)))

    # --- the private state of objects --------------------------------------------------------------------------

    def _follow(self, values: Iterable[Any]) -> None:
        """Raise `_Found` if a node can be reached from one of these values."""
        seen: set[int] = set()
        while values:
            expand: list[Any] = []
            further: list[Any] = []
            for value in values:
                kind = type(value)
                if kind in LEAVES or id(value) in seen:
                    continue
                how = _builtin.get(kind) or _how(kind)
                if how is Search._nothing:
                    continue
                seen.add(id(value))
                if how is Search._promise:
                    raise _Found(value)
                parts = _parts_of_special(value, kind)
                if parts is None:
                    expand.append(value)
                else:
                    further += parts
            found = gc.get_referents(*expand)
            values = further if LEAVES.issuperset(map(type, found)) else found + further

    def _name_the_holder(self, objects: list[tuple[Any, str]], node: Promise) -> None:
        for value, inside in objects:
            try:
                self._follow([value])
            except _Found as found:
                raise _hidden(found.node, inside) from None
        raise _hidden(node, objects[0][1])


_PROXIES = (weakref.ProxyType, weakref.CallableProxyType)
How = Callable[[Search, Any, "str | None"], None]
#: How values of a type are looked at; the built-in containers have a plain dict, which is much faster.
_builtin: dict[type, How] = dict.fromkeys(CONTAINERS, Search._container)
_hows: weakref.WeakKeyDictionary[type, How] = weakref.WeakKeyDictionary()


class _Found(Exception):
    def __init__(self, node: Promise) -> None:
        self.node = node


def _how(kind: type) -> How:
    how = _builtin.get(kind) or _hows.get(kind)
    if how is None:
        how = _hows[kind] = _way_to_look(kind)
    return how


def _way_to_look(kind: type) -> How:
    if issubclass(kind, Promise):
        return Search._promise
    if issubclass(kind, CONTAINERS):
        return Search._container
    if any(_is_numpy_array(base) for base in kind.__mro__):
        return Search._array
    if issubclass(kind, io.IOBase):
        return Search._file
    if any(name in vars(base) for base in kind.__mro__ for name in _WITH_FIELDS):
        return Search._fields
    if _is_iterator(kind):
        return Search._iterator
    if issubclass(kind, _PLAIN):
        return Search._nothing
    if issubclass(kind, _KEPT_WHOLE) or str(kind.__module__).partition(".")[0] in ("tempfile", "tqdm"):
        return Search._whole
    if any(str(base.__module__).partition(".")[0] == "fuse_widgets" for base in kind.__mro__):
        return Search._nothing
    if str(kind.__module__).partition(".")[0] in _MACHINERY:
        return Search._nothing
    return Search._object


def _is_iterator(kind: type) -> bool:
    if kind in _PROXIES:
        return False
    return (hasattr(kind, "__next__") and hasattr(kind, "__iter__")) or (
        hasattr(kind, "__anext__") or issubclass(kind, _COROUTINES)
    )


def _is_numpy_array(kind: type) -> bool:
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy"


@functools.lru_cache(maxsize=1000)
def _slots_of(kind: Any) -> tuple[str, ...]:
    names: list[str] = []
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        names += [slots] if isinstance(slots, str) else [str(slot) for slot in slots]
    return tuple(name for name in names if name not in ("__weakref__", "__dict__"))


def _parts_of_special(value: Any, kind: type) -> Iterable[Any] | None:
    """What to follow from a value that the garbage collector sees in another way; None for all other values."""
    if kind is types.FunctionType:
        return _of_function(value)
    if kind is dict:
        return () if "__builtins__" in value else None  # the names of a module lead to the whole program
    if kind in _STOPS:
        return ()
    if issubclass(kind, weakref.ref):
        target = value()
        return (target,) if isinstance(target, Promise) else ()
    if kind in _PROXIES:
        return (value.__repr__.__self__,) if issubclass(value.__class__, Promise) else ()
    if _how(kind) is Search._array:
        return [getattr(value, "__dict__", None), *(value.ravel().tolist() if value.dtype.hasobject else ())]
    return None


def _of_function(func: types.FunctionType) -> Iterator[Any]:
    """What a function keeps, and the nodes that it refers to by a global name."""
    yield from func.__closure__ or ()
    yield func.__defaults__
    yield func.__kwdefaults__
    yield func.__dict__
    codes = [func.__code__]
    while codes:
        code = codes.pop()
        codes += [const for const in code.co_consts if isinstance(const, types.CodeType)]
        if any(isinstance(func.__globals__.get(name), Promise) for name in code.co_names):
            for step in dis.get_instructions(code):
                if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    value = func.__globals__.get(step.argval)
                    if isinstance(value, Promise):
                        yield value


def _name_of(value: Any) -> str:
    kind = type(value)
    if kind is types.FunctionType:
        return f"function {value.__qualname__}"
    return _with_article(kind.__qualname__)


def _with_article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _hidden(node: Promise, inside: str) -> Refused:
    return Refused(f"{node!r} inside {inside}", node)


def _once(value: Any) -> Refused:
    name, instead = type(value).__qualname__, "a list"
    if isinstance(value, _COROUTINES):
        return Refused(f"{_with_article(name)}, which can be used only once", value, "what it gives")
    if isinstance(value, io.StringIO | io.BytesIO):
        instead = "its content, .getvalue(),"
    elif isinstance(value, io.IOBase):
        name, instead = f"open file ({name})", "its path or content"
    return Refused(f"{_with_article(name)}, which can be read only once", value, instead)
