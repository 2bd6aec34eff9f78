"""Short previews of values that call nothing foreign: no `repr`, no `__eq__`, no properties of other people's classes.

They are made on the thread that serves all widgets, where a `repr` that hangs would stop them all.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import pathlib
import sys
import types
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from ..engine.nodes import Node, NodeItem
from ._text import one_line

__all__ = ["WRITTEN", "ResultFacts", "facts_of", "inside", "preview", "type_name"]

#: Characters of a preview, items of a container and levels in it that are shown.
LIMIT, ITEMS, DEPTH = 240, 8, 4
#: Bits of a whole number beyond which writing it out takes too long to be worth it.
_BITS = 1_000
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}
#: Types of the standard library whose `repr` is short, and which call nothing else when they are compared.
WRITTEN = frozenset(
    {
        *(bool, float, complex, type(None), type(Ellipsis), type(NotImplemented), range),
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
        *(decimal.Decimal, fractions.Fraction, uuid.UUID),
        *(pathlib.PurePosixPath, pathlib.PureWindowsPath, type(pathlib.Path())),
    }
)
_ROUTINES = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.MethodDescriptorType)
#: Packages whose attributes `shape` and `dtype` are quick to read.
_ARRAYS = frozenset({"cupy", "geopandas", "jaxlib", "numpy", "pandas", "polars", "scipy", "torch", "xarray"})

ResultFacts = dict[str, Any]


def type_name(value: Any) -> str:
    """The name of a value's type, also where its metaclass is in the way."""
    return one_line(str(type.__dict__["__name__"].__get__(type(value))), 80)


def preview(value: Any, limit: int = LIMIT) -> str:
    """What a value is, in one line of at most `limit` characters; nodes by their names."""
    return one_line(_text(value, DEPTH, limit), limit)


def _text(value: Any, depth: int, limit: int) -> str:
    kind = type(value)
    if kind is int:
        return str(value) if value.bit_length() <= _BITS else f"<int of {value.bit_length():,} bits>"
    if kind in (str, bytes, bytearray):
        return repr(value) if len(value) <= limit else f"{value[:limit]!r}…"
    try:
        if kind in WRITTEN:
            return repr(value)
        if kind in _BRACKETS:
            return _container(value, depth, limit)
        if issubclass(kind, Node):
            return one_line(value._name, 80)
        if issubclass(kind, NodeItem):
            keys = "".join(f"[{_text(key, 1, 40)}]" for key in value.path[:DEPTH])
            return f"{one_line(value.node._name, 80)}{keys}"
        return _other(value, kind, depth, limit)
    except Exception as error:  # being changed meanwhile, digits without end, attributes that are not there
        return f"<{type_name(value)}: {type(error).__name__}>"


def _container(value: Any, depth: int, limit: int) -> str:
    opening, closing = _BRACKETS[type(value)]
    if not value:
        return "set()" if type(value) is set else f"{opening}{closing}"
    if not depth:
        return f"{opening}…{closing}"
    parts: list[str] = []
    room = limit
    for item in islice(value.items() if type(value) is dict else value, ITEMS):
        if type(value) is dict:
            key, item = item
            parts.append(f"{_text(key, depth - 1, room)}: {_text(item, depth - 1, room)}")
        else:
            parts.append(_text(item, depth - 1, room))
        room -= len(parts[-1])
        if room <= 0:
            break
    more = len(value) - len(parts)
    if more:
        parts.append(f"… {more:,} more")
    comma = "," if type(value) is tuple and len(value) == 1 else ""
    return f"{opening}{', '.join(parts)}{comma}{closing}"


def _other(value: Any, kind: type, depth: int, limit: int) -> str:
    name = type_name(value)
    if issubclass(kind, enum.Enum):
        return f"{name}.{object.__getattribute__(value, '_name_')}"
    if issubclass(kind, type):
        return f"<class {one_line(str(type.__dict__['__name__'].__get__(value)), 80)}>"
    if kind is types.ModuleType:
        return f"<module {value.__dict__.get('__name__')}>"
    if kind in _ROUTINES:
        return f"<function {value.__qualname__}>"
    if (
        issubclass(kind, np.generic)
        and kind.__module__ == "numpy"
        and not issubclass(kind, np.void | np.object_)
    ):
        return repr(value)
    facts = facts_of(value)
    said = [facts[key] for key in ("shape", "detail") if facts[key]]
    if said:
        return f"<{name} {', '.join(said)}>"
    fields = kind.__dict__.get("__dataclass_fields__")
    if type(fields) is dict and depth:
        state = object.__getattribute__(value, "__dict__")
        shown = [
            f"{key}={_text(state[key], depth - 1, limit // 2)}"
            for key in islice(fields, ITEMS)
            if key in state
        ]
        return f"{name}({', '.join(shown)}{', …' if len(fields) > ITEMS else ''})"
    return f"<{name}>"


def facts_of(value: Any) -> ResultFacts:
    """`{type, shape, detail, bytes}` of a value, found without formatting it."""
    kind = type(value)
    facts: ResultFacts = {"type": type_name(value), "shape": "", "detail": "", "bytes": None}
    try:
        if kind in (str, bytes, bytearray):
            facts["detail"] = f"{len(value):,} {'characters' if kind is str else 'bytes'}"
            facts["bytes"] = sys.getsizeof(value)
        elif kind in _BRACKETS:
            facts["detail"] = "1 item" if len(value) == 1 else f"{len(value):,} items"
        elif str(kind.__module__).partition(".")[0] in _ARRAYS:
            facts.update(_array_facts(value))
    except Exception as error:  # half-made, or of a version that has these attributes no more
        facts["detail"] = f"what it holds cannot be told: {type(error).__name__}"
    return facts


def _array_facts(value: Any) -> ResultFacts:
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(size, int | np.integer) for size in shape):
        return {}
    dtype, columns = getattr(value, "dtype", None), getattr(value, "columns", None)
    detail = "" if dtype is None else one_line(str(dtype), 60)
    if dtype is None and columns is not None:
        detail = "1 column" if len(columns) == 1 else f"{len(columns):,} columns"
    return {"shape": " x ".join(map(str, shape)), "detail": detail, "bytes": _size(value)}


def _size(value: Any) -> int | None:
    if (size := getattr(value, "nbytes", None)) is not None:
        return int(size)
    if callable(
        usage := getattr(value, "memory_usage", None)
    ):  # pandas; the text of a column is not looked at
        used = usage(deep=False)
        return int(used.sum() if hasattr(used, "sum") else used)
    if callable(estimate := getattr(value, "estimated_size", None)):  # polars
        return int(estimate())
    return None


def inside(value: Any, most: int) -> Iterator[Any]:
    """The values in a value at any depth of plain containers and itself, in order; at most `most` are looked at."""
    stack: list[Iterator[Any]] = [iter((value,))]
    while stack and most > 0:
        for item in stack[-1]:
            most -= 1
            yield item
            kind = type(item)
            if issubclass(kind, dict):
                stack.append(iter(list(chain.from_iterable(islice(dict.items(item), most)))))
                break
            found = next((base for base in (list, tuple, set, frozenset) if issubclass(kind, base)), None)
            if found is not None:
                stack.append(iter(list(islice(_iterate(found)(item), most))))
                break
            if most <= 0:
                break
        else:
            stack.pop()


def _iterate(kind: Any) -> Callable[[Any], Iterable[Any]]:
    """How a container is walked through, whatever its own class makes of that."""
    iterate: Callable[[Any], Iterable[Any]] = kind.__iter__
    return iterate
