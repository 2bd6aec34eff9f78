"""`backend_info` of nodes taken together, as JSON: what they have in common, and where they differ."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..engine.nodes import Node
from ._preview import WRITTEN, preview
from .graph import displayable

__all__ = ["settings_of", "shown"]

#: Bytes of one value and of all together beyond which a value is shown by a preview; how deep one may be.
VALUE, ALL, DEPTH = 8_192, 65_536, 12
#: Different values of a key that are told, and how deep in objects they are told key by key.
DIFFERENT, INSIDE = 5, 3
_ATOMS = frozenset({*WRITTEN, str, int, bytes})
#: Whole numbers that JavaScript keeps as they are.
_EXACT = 2**53


def shown(value: Any) -> Any:
    """A value as JSON; what is none, or would not come back the same, as `{"$repr": text}`."""
    if type(value) in (str, bytes, list, tuple, dict) and len(value) > VALUE:
        return {"$repr": preview(value)}
    try:
        told = _json(value, DEPTH)
        size = len(json.dumps(told, ensure_ascii=False).encode())
    except (ValueError, RecursionError, RuntimeError):  # too deep, no Unicode, or being changed meanwhile
        return {"$repr": preview(value)}
    return told if size <= VALUE else {"$repr": preview(value)}


def _json(value: Any, depth: int) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        value.encode()  # raises for half a surrogate pair
        return value
    if kind is int and -_EXACT < value < _EXACT:
        return value
    if kind is float and math.isfinite(value):
        return value
    if not depth:
        raise ValueError("too deep")
    if kind is list or kind is tuple:
        return [_json(item, depth - 1) for item in value[:VALUE]]
    if kind is dict and all(type(key) is str for key in value) and "$repr" not in value:
        return {_json(key, 0): _json(item, depth - 1) for key, item in list(value.items())[:VALUE]}
    return {"$repr": preview(value)}


def settings_of(
    nodes: Sequence[Node], not_understood: Callable[[Iterable[str]], list[str]]
) -> dict[str, Any]:
    """What the inspector shows of the `backend_info` of some nodes.

    Args:
        nodes: The selected nodes.
        not_understood: Those of some keys that the backend keeps and does not understand.

    Returns:
        `{values, mixed, inside, unknown}`, see `Settings` in types.ts.
    """
    told, keys = _together([node.backend_info for node in nodes], INSIDE, [ALL])
    unknown = not_understood([key for key in keys if isinstance(key, str)])
    return {**told, "unknown": [displayable(key) for key in unknown]}


def _together(infos: Sequence[Any], depth: int, room: list[int]) -> tuple[dict[str, Any], Iterable[Any]]:
    """What dicts have in common and where they differ, and all their keys; `room` is what may still be told, in bytes."""
    columns: dict[Any, _Column] = {}
    for info in infos:
        for key, value in list(info.items()) if isinstance(info, Mapping) else ():
            column = columns.get(key)
            if column is None:
                column = columns[key] = _Column()
            column.add(value)
    values: dict[str, Any] = {}
    mixed: dict[str, list[Any]] = {}
    inside: dict[str, Any] = {}
    for key, column in columns.items():
        name = displayable(key) if isinstance(key, str) else preview(key)
        told = [shown(value) if room[0] > 0 else {"$repr": preview(value, 40)} for value in column.different]
        room[0] -= len(json.dumps([name, told]))
        if len(column.different) > 1 or column.count < len(infos):
            if column.count < len(infos) and None not in told:
                told = [*told[: DIFFERENT - 1], None]
            mixed[name] = told
            if depth and column.objects and room[0] > 0:
                parts = [info.get(key) if isinstance(info, Mapping) else None for info in infos]
                inside[name] = _together(parts, depth - 1, room)[0]
        else:
            values[name] = told[0]
    return {"values": values, "mixed": mixed, "inside": inside}, columns


class _Column:
    """The different values of one key, the first few of them.

    Attributes:
        count: How many nodes have the key.
        objects: Whether all of these have a dict of texts there, or None, which stands for an empty one.
    """

    def __init__(self) -> None:
        self.count = 0
        self.different: list[Any] = []
        self.objects = True

    def add(self, value: Any) -> None:
        self.count += 1
        if self.objects and value is not None:
            self.objects = type(value) is dict and all(type(key) is str for key in value)
        if len(self.different) == DIFFERENT:
            return
        try:
            known = any(_alike(value, other) for other in self.different)
        except (RuntimeError, LookupError):  # it contains itself, or is being changed
            known = False
        if not known:
            self.different.append(value)


def _alike(a: Any, b: Any) -> bool:
    """Whether two values are shown as the same; nothing foreign is asked whether it is equal."""
    kind = type(a)
    if a is b:
        return True
    if kind is not type(b):
        return False
    if kind in _ATOMS:
        return bool(a == b)
    if kind is dict:
        keys = a.keys() == b.keys() if all(type(key) is str for key in (*a, *b)) else False
        return keys and all(_alike(a[key], b.get(key)) for key in a)
    if kind is list or kind is tuple:
        return len(a) == len(b) and all(map(_alike, a, b))
    return False
