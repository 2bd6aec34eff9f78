"""How nodes are pickled: all that a pickle needs in one table, so that the depth of a graph does not matter.

A node is pickled as a place in a table of itself and its ancestors. Nodes that are pickled one after another in one pickle
share their tables: the pickler keeps each table alive until it is done, and nobody else does, so that a table which is
still alive belongs to the pickle under way.
"""

from __future__ import annotations

import itertools
import sys
import types
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import _by_name, _node

if TYPE_CHECKING:
    from ._node import Node

__all__ = ["NodeTable", "by_name", "reduce_node"]

#: Slots that are not pickled, or restored in another way.
_RESTORED = frozenset({"__weakref__", "_made_by", "_serial", "after", "children", "parents", "_readers"})
#: The tables of pickles under way, by the identity of each node in them.
_tables: weakref.WeakValueDictionary[int, NodeTable] = weakref.WeakValueDictionary()


class NodeTable:
    """Nodes of one pickle, parents first."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = sorted(nodes, key=lambda node: node._serial)
        self.place = {id(node): place for place, node in enumerate(self.nodes)}
        for key in self.place:
            _tables[key] = self

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            _blank_table,
            ([type(node) for node in self.nodes],),
            [self._state(node) for node in self.nodes],
        )

    def __deepcopy__(self, memo: Any) -> NodeTable:
        return self

    def _state(self, node: Node) -> dict[str, Any]:
        slots = {slot for cls in type(node).__mro__ for slot in getattr(cls, "__slots__", ())}
        state = {slot: getattr(node, slot) for slot in slots - _RESTORED}
        state["_func"] = by_name(node._func)
        if "cls" in state:
            state["cls"] = by_name(state["cls"])
        state["parents"] = tuple(node.parents)
        state["after"] = tuple(other for other in node.after if id(other) in self.place)
        state["_readers"] = tuple(other for other in getattr(node, "_readers", ()) if id(other) in self.place)
        return state

    def __setstate__(self, states: list[dict[str, Any]]) -> None:
        for node, state in zip(self.nodes, states, strict=True):
            parents, readers = state.pop("parents"), state.pop("_readers")
            for slot, value in state.items():
                setattr(node, slot, value)
            if hasattr(type(node), "_readers"):
                node._readers = dict.fromkeys(readers)  # type: ignore[attr-defined]
            for parent in parents:
                node._need(parent)
        _node.graph_changed()


def _blank_table(kinds: list[type[Node]]) -> NodeTable:
    table = NodeTable.__new__(NodeTable)
    table.nodes = [kind.__new__(kind) for kind in kinds]
    for node in table.nodes:
        node._serial = next(_node._serials)
        node._made_by = None
        node.parents, node.children = _node.NodeSet(), _node.NodeSet()
    return table


def reduce_node(node: Node) -> tuple[Any, ...]:
    """Return what `Node.__reduce_ex__` returns."""
    table = _tables.get(id(node))
    if table is None:
        table = NodeTable(_with_ancestors(node))
    return _node_at, (table, table.place[id(node)])


def _node_at(table: NodeTable, place: int) -> Node:
    return table.nodes[place]


def _with_ancestors(node: Node) -> Iterable[Node]:
    """The node and all that it needs, without those that are in a table; with an object all calls of its methods."""
    found: dict[Node, None] = {node: None}
    stack = [node]
    while stack:
        here = stack.pop()
        others = (
            getattr(here, slot) for slot in ("object", "_previous", "_last") if hasattr(type(here), slot)
        )
        for other in itertools.chain(here.parents, others):
            if other is not None and other not in found and id(other) not in _tables:
                found[other] = None
                stack.append(other)
    return found


def by_name(func: Any) -> Any:
    """Return what unpickles as a plain function or class, and is pickled by name if the decorated one stands there."""
    decorated = _by_name.decorated_of(func)
    return func if decorated is None else _Named(func, decorated)


class _Named:
    """A plain function or class, pickled as `.func` of the decorated one."""

    def __init__(self, func: Any, decorated: Any) -> None:
        self.func, self.decorated = func, decorated

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        caller = sys._getframe(1)
        by_value = _by_name.pickled_by_value(self.func.__module__, caller)
        if by_value or (_by_name.is_cloudpickle(caller) and isinstance(self.func, types.FunctionType)):
            return _itself, (self.func,)
        return getattr, (self.decorated, "func")


def _itself(value: Any) -> Any:
    return value
