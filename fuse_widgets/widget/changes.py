"""What was changed in `backend_info`: steps to take back, and what has come of all of them. Pure bookkeeping."""

from __future__ import annotations

import copy
import json
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..engine.nodes import Node

__all__ = [
    "PLAIN",
    "UNSET",
    "Change",
    "Ledger",
    "Path",
    "Step",
    "canonical",
    "change_of",
    "put",
    "same",
    "take",
    "value_of",
    "with_value",
]

#: The keys that lead to a value of `backend_info`, from the outermost inwards.
Path = tuple[str, ...]


class _Unset:
    def __repr__(self) -> str:
        return "not set"


#: Stands for a key that is not there.
UNSET: Final = _Unset()
#: What JSON has beside lists and objects.
PLAIN = (str, int, float, bool, type(None))


def canonical(value: Any) -> str | None:
    """A JSON value as text, equal for equal values; None for what is no JSON. 2.0 is 2, as in the browser."""
    try:
        return json.dumps(_as_json(value), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _as_json(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _as_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is no JSON")


def same(first: Any, second: Any) -> bool:
    """Whether two values of `backend_info` are one: equal as JSON; and what in them is no JSON is the same object."""
    if first is second:
        return True
    if type(first) is type(second) and isinstance(first, PLAIN):
        return bool(first == second)
    if first is UNSET or second is UNSET:
        return False
    text = canonical(first)
    if text is not None:
        return text == canonical(second)
    try:
        return _same_inside(first, second)
    except RecursionError:  # one contains itself
        return False


def _same_inside(first: Any, second: Any) -> bool:
    if type(first) is dict and type(second) is dict:
        return first.keys() == second.keys() and all(same(item, second[key]) for key, item in first.items())
    if type(first) in (list, tuple) and type(second) in (list, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return False


def value_of(node: Node, path: Path) -> Any:
    """What stands there, `UNSET` where nothing does."""
    value: Any = node.backend_info
    if len(path) == 1:
        return value.get(path[0], UNSET)
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return UNSET
        value = value[key]
    return value


def with_value(old: Any, path: Path, value: Any) -> Any:
    """A copy of a dict with another value at a path; `UNSET` where nothing is left of it. What it holds is not copied."""
    if not path:
        return value
    new = dict(old) if isinstance(old, dict) else {}
    inside = value if len(path) == 1 else with_value(new.get(path[0], UNSET), path[1:], value)
    if inside is UNSET:
        new.pop(path[0], None)
    else:
        new[path[0]] = inside
    return new or UNSET


class Change(NamedTuple):
    """One value of one node, before and after."""

    node: Node
    path: Path
    before: Any
    after: Any

    def reversed(self) -> Change:
        """The way back."""
        return Change(self.node, self.path, self.after, self.before)


#: What one edit changed, in its order.
Step = list[Change]


def change_of(node: Node, path: Path, before: Any, value: Any) -> Change:
    """The change that puts a value somewhere, so that its way back restores the node.

    Where there is an empty dict or None on the way, that is what is changed: it would not come back by unsetting.
    """
    for length in range(1, len(path)):
        outer = value_of(node, path[:length])
        if outer is not UNSET and not outer:
            return Change(node, path[:length], outer, with_value({}, path[length:], value))
    return Change(node, path, before, value)


def put(node: Node, path: Path, value: Any) -> Change:
    """Set a value of its own, or take it away; the dicts that lead there are replaced, since other nodes may share them.

    Returns:
        The change as one of the whole outermost key.
    """
    whole = path[:1]
    before = value_of(node, whole)
    own = copy.deepcopy(value) if isinstance(value, list | dict) and canonical(value) is not None else value
    after = own if len(path) == 1 else with_value(before, path[1:], own)
    if after is UNSET:
        node.backend_info.pop(path[0], None)
    else:
        node.backend_info[path[0]] = after
    return Change(node, whole, before, after)


def take(step: Step, *, back: bool) -> tuple[Step, list[Node], Step]:
    """Do a step again, or take it back.

    Returns:
        What was changed, as a step forwards; the nodes that were changed since, which are left as they are; and the
        changes of whole keys that were made.
    """
    done: Step = []
    wholes: Step = []
    left: dict[Node, None] = {}
    for change in reversed(step) if back else step:
        way = change.reversed() if back else change
        if same(value_of(way.node, way.path), way.before):
            wholes.append(put(way.node, way.path, way.after))
            done.append(change)
        else:
            left[way.node] = None
    return (done[::-1] if back else done), list(left), wholes


class _Net(NamedTuple):
    before: Any
    after: Any


@dataclass
class Ledger:
    """The net changes: for each node and outermost key, what it was before the first edit, and what it was made.

    What is back to what it was, or was changed elsewhere since, is not in it.
    """

    _net: dict[Node, dict[str, _Net]] = field(default_factory=dict)

    def note(self, changes: Iterable[Change]) -> None:
        """Changes of whole keys were made."""
        for change in changes:
            key = change.path[0]
            keys = self._net.setdefault(change.node, {})
            known = keys.pop(key, None)
            first = known.before if known is not None and same(known.after, change.before) else change.before
            if not same(first, change.after):
                keys[key] = _Net(first, change.after)
            if not keys:
                del self._net[change.node]

    def look_again(self, members: Container[Node]) -> bool:
        """Drop what no longer holds; whether there was such."""
        gone = [
            (node, key)
            for node, keys in self._net.items()
            for key, net in keys.items()
            if node not in members or not same(value_of(node, (key,)), net.after)
        ]
        for node, key in gone:
            del self._net[node][key]
            if not self._net[node]:
                del self._net[node]
        return bool(gone)

    def __iter__(self) -> Iterator[tuple[Node, str, Any, Any]]:
        """Node, key, what it was, and what it was made."""
        for node, keys in self._net.items():
            for key, net in keys.items():
                yield node, key, net.before, net.after

    @property
    def nodes(self) -> Iterable[Node]:
        """The nodes that are not as they were."""
        return self._net.keys()
