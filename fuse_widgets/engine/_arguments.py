"""Looking through arguments for what stands for a node's result, at any depth of list, tuple, dict and set."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._node import Node

__all__ = ["Promise", "map_nodes", "nodes_inside"]

_CONTAINERS = (list, tuple, dict, set, frozenset)
#: What a long list usually holds, and nothing can be inside of.
_ATOMS = frozenset({int, float, str, bytes, bool, complex, type(None)})


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

    def __format__(self, spec: str) -> str:
        if spec:
            raise self._not_yet(f"the format {spec!r}")
        return str(self)

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
    """`value` with each node in it, at any depth of list, tuple, dict and set, replaced by `lookup(node)`.

    Items take their path from what `lookup` gives for their node. What holds no nodes is returned as it is,
    the same object.
    """
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Promise):
        return value._value(lookup)
    if not isinstance(value, _CONTAINERS):
        return value
    if isinstance(value, dict):
        pairs = [(map_nodes(k, lookup), map_nodes(v, lookup)) for k, v in value.items()]
        same = all(k is a and v is b for (k, v), (a, b) in zip(value.items(), pairs, strict=True))
        return value if same else _filled(value, pairs)
    items = [map_nodes(item, lookup) for item in value]
    same = all(new is old for new, old in zip(items, value, strict=True))
    return value if same else _filled(value, items)


def _filled(value: Any, items: list[Any]) -> Any:
    """A container like `value` that holds `items`; what a subclass keeps besides its items is kept."""
    kind = type(value)
    if kind in _CONTAINERS:
        return kind(items)
    if isinstance(value, tuple):
        return kind._make(items) if hasattr(kind, "_make") else kind(items)
    if isinstance(value, frozenset):
        return kind(items)
    new = copy.copy(value)
    new.clear()
    (new.extend if isinstance(new, list) else new.update)(items)
    return new


def nodes_inside(value: Any) -> list[Node]:
    """The nodes that `value` refers to, in order, at any depth.

    Raises:
        ValueError: `value` contains itself.
    """
    if not isinstance(value, _CONTAINERS):
        return [value._source()] if isinstance(value, Promise) else []
    try:
        return list(_inside(value))
    except RecursionError:
        raise ValueError(
            "an argument contains itself, or is nested too deeply to look for nodes in it"
        ) from None


def _inside(container: Any) -> Iterator[Node]:
    items: Iterable[Any] = container
    if isinstance(container, dict):
        items = (part for pair in container.items() for part in pair)
    for item in items:
        if type(item) in _ATOMS:
            continue
        if isinstance(item, Promise):
            yield item._source()
        elif isinstance(item, _CONTAINERS):
            yield from _inside(item)
