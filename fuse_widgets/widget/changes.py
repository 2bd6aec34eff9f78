"""What was changed in `backend_info`: steps to take back, and what has come of all of them. Pure bookkeeping."""

from __future__ import annotations

import copy
import json
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..engine.nodes import Node

__all__ = ["UNSET", "Change", "Ledger", "Step", "canonical", "put", "same", "take", "value_of"]


class _Unset:
    def __repr__(self) -> str:
        return "not set"


#: Stands for a key that is not there.
UNSET: Final = _Unset()
_PLAIN = (str, int, float, bool, type(None))


def canonical(value: Any) -> str | None:
    """A JSON value as text, equal for equal values; None for what is no JSON. 2.0 is 2, as in the browser."""
    try:
        return json.dumps(_as_json(value), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _as_json(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _as_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is no JSON")


def same(first: Any, second: Any) -> bool:
    """Whether two values of `backend_info` are one: the same object, or equal as JSON."""
    if first is second:
        return True
    if type(first) is type(second) and isinstance(first, _PLAIN):
        return bool(first == second)
    if first is UNSET or second is UNSET:
        return False
    text = canonical(first)
    return text is not None and text == canonical(second)


def value_of(node: Node, key: str) -> Any:
    """What stands there, `UNSET` where nothing does."""
    return node.backend_info.get(key, UNSET)


def put(node: Node, key: str, value: Any) -> None:
    """Set a key to a value of its own, or take it away."""
    if value is UNSET:
        node.backend_info.pop(key, None)
    else:
        node.backend_info[key] = copy.deepcopy(value) if isinstance(value, list | dict) else value


class Change(NamedTuple):
    """One key of one node, before and after."""

    node: Node
    key: str
    before: Any
    after: Any

    def reversed(self) -> Change:
        """The way back."""
        return Change(self.node, self.key, self.after, self.before)


#: What one edit changed.
Step = list[Change]


def take(step: Step, *, back: bool) -> tuple[Step, list[Node]]:
    """Do a step again, or take it back.

    Returns:
        What was changed, as a step forwards; and the nodes that were changed since, which are left as they are.
    """
    done: Step = []
    left: dict[Node, None] = {}
    for change in step:
        way = change.reversed() if back else change
        if same(value_of(way.node, way.key), way.before):
            put(way.node, way.key, way.after)
            done.append(change)
        else:
            left[way.node] = None
    return done, list(left)


class _Net(NamedTuple):
    before: Any
    after: Any


@dataclass
class Ledger:
    """The net changes: for each node and key, what it was before the first edit, and what it was made.

    What is back to what it was, or was changed elsewhere since, is not in it.
    """

    _net: dict[Node, dict[str, _Net]] = field(default_factory=dict)

    def note(self, changes: Iterable[Change]) -> None:
        """Changes were made."""
        for change in changes:
            keys = self._net.setdefault(change.node, {})
            known = keys.pop(change.key, None)
            first = known.before if known is not None and same(known.after, change.before) else change.before
            if not same(first, change.after):
                keys[change.key] = _Net(first, change.after)
            if not keys:
                del self._net[change.node]

    def look_again(self, members: Container[Node]) -> bool:
        """Drop what no longer holds; whether there was such."""
        gone = [
            (node, key)
            for node, keys in self._net.items()
            for key, net in keys.items()
            if node not in members or not same(value_of(node, key), net.after)
        ]
        for node, key in gone:
            del self._net[node][key]
            if not self._net[node]:
                del self._net[node]
        return bool(gone)

    def __iter__(self) -> Iterator[tuple[Node, str, Any]]:
        """Node, key, and what it was made."""
        for node, keys in self._net.items():
            for key, net in keys.items():
                yield node, key, net.after

    @property
    def nodes(self) -> Iterable[Node]:
        """The nodes that are not as they were."""
        return self._net.keys()
