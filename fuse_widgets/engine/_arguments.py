"""What stands for a node's result in arguments, and putting results in its place, at any depth of containers."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._node import Node

__all__ = ["CONTAINERS", "LEAVES", "Promise", "map_nodes", "nodes_inside", "parts_of"]

#: Containers in which nodes are replaced by their results.
CONTAINERS = (list, tuple, dict, set, frozenset, deque, slice)
#: Types of values that hold no other values, as most values are.
LEAVES = frozenset({int, float, str, bytes, bool, complex, type(None)})


class Promise:
    """Stands in arguments for a value that is not there yet."""

    __slots__ = ()

    def _source(self) -> Node:
        """The node that the value comes from."""
        raise NotImplementedError

    def _value(self, lookup: Callable[[Node], Any]) -> Any:
        """The value, where `lookup` gives the results of nodes."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} has no value yet, so it is neither true nor false: decide in a @workflow function that takes it"
        )

    def __str__(self) -> str:
        raise TypeError(
            f"{self!r} has no value yet, so it cannot become part of a string: do that in a @workflow function that "
            "takes it. repr(node) and node.name describe the node itself."
        )

    def __format__(self, spec: str) -> str:
        if spec:
            raise self._not_yet(f"the format {spec!r}")
        return str(self)

    def __copy__(self) -> Promise:
        return self

    def __deepcopy__(self, memo: Any) -> Promise:
        return self

    def _not_yet(self, what: str) -> TypeError:
        return TypeError(
            f"{self!r} has no value yet, so {what} does not work on it: do that in a @workflow function that takes it"
        )

    #: numpy leaves `array + node` to the node.
    __array_ufunc__ = None


def _refuse(special: str, what: str) -> None:
    text = what if what.endswith(")") or " " in what else repr(what)

    def refused(self: Promise, *_: Any, **__: Any) -> Any:
        raise self._not_yet(text)

    refused.__name__ = special
    setattr(Promise, special, refused)


#: What people write as if the value were there already. `==`, hash and `[]` have a meaning of their own.
_BINARY = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "matmul": "@",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "and": "&",
    "or": "|",
    "xor": "^",
    "lshift": "<<",
    "rshift": ">>",
    "divmod": "divmod()",
}
_OTHERS = {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "neg": "-",
    "pos": "+",
    "invert": "~",
    "abs": "abs()",
    "len": "len()",
    "contains": "in",
    "int": "int()",
    "float": "float()",
    "complex": "complex()",
    "index": "an index",
    "round": "round()",
    "call": "a call",
}
for _name, _what in (_BINARY | _OTHERS).items():
    _refuse(f"__{_name}__", _what)
for _name, _what in _BINARY.items():
    _refuse(f"__r{_name}__", _what)


def map_nodes(value: Any, lookup: Callable[[Node], Any]) -> Any:
    """Replace each node in `value`, at any depth of containers, by `lookup(node)`.

    Items take their path from what `lookup` gives for their node. What holds no nodes is returned as it is,
    the same object.
    """
    if type(value) in LEAVES:
        return value
    if isinstance(value, Promise):
        return value._value(lookup)
    if not isinstance(value, CONTAINERS):
        return value
    if isinstance(value, dict):
        if LEAVES.issuperset(map(type, value.keys())) and LEAVES.issuperset(map(type, value.values())):
            return value
        pairs = [(map_nodes(k, lookup), map_nodes(v, lookup)) for k, v in value.items()]
        same = all(k is a and v is b for (k, v), (a, b) in zip(value.items(), pairs, strict=True))
        return value if same else _filled(value, pairs)
    parts = parts_of(value)
    if LEAVES.issuperset(map(type, parts)):
        return value
    items = [map_nodes(item, lookup) for item in parts]
    same = all(new is old for new, old in zip(items, parts, strict=True))
    return value if same else _filled(value, items)


def _filled(value: Any, items: list[Any]) -> Any:
    """A container like `value` that holds `items`; what a subclass keeps besides its items is kept."""
    kind = type(value)
    if kind is slice:
        return slice(*items)
    if kind in CONTAINERS and kind is not deque:
        return kind(items)
    if isinstance(value, tuple):
        return kind._make(items) if hasattr(kind, "_make") else kind(items)
    if isinstance(value, frozenset):
        return kind(items)
    new = copy.copy(value)
    new.clear()
    if isinstance(new, dict):
        for key, item in items:  # `update` of a Counter would count
            new[key] = item
    else:
        (new.extend if isinstance(new, list | deque) else new.update)(items)
    return new


def parts_of(container: Any) -> Iterable[Any]:
    """The values in one of `CONTAINERS`; of a dict the keys and the values."""
    if isinstance(container, dict):
        return [part for pair in container.items() for part in pair]
    if type(container) is slice:
        return container.start, container.stop, container.step
    return container  # type: ignore[no-any-return]


def nodes_inside(value: Any) -> list[Node]:
    """Return the nodes that `value` and the containers in it hold, in order; for arguments that were searched."""
    if isinstance(value, Promise):
        return [value._source()]
    if not isinstance(value, CONTAINERS):
        return []
    return [node for part in parts_of(value) if type(part) not in LEAVES for node in nodes_inside(part)]
