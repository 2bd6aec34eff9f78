"""Which results are out of date: the nodes that a run now would compute again because something has changed.

Derived, from what the last run had and what there is now; nothing of it is kept on nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ._arguments import Promise
from ._node import Node, NodeItem
from ._objects import MethodCall
from ._reach import Reach, changes, reach, same_value
from .errors import shorten
from .states import NodeState

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Written", "stale_nodes", "words"]

#: Longest list of names in a reason.
NAMES = 3


class Written:
    """What the functions of a run consist of when it begins, each looked at once.

    Args:
        functions: What the nodes of the run call.

    Attributes:
        nodes: Nodes that they read without taking them as arguments, by name, for each function that does so.
    """

    def __init__(self, functions: Iterable[Any]) -> None:
        self._reach: dict[int, tuple[Any, Reach]] = {}
        self.nodes: list[tuple[Any, dict[str, tuple[str, Promise]]]] = []
        for func in {id(func): func for func in functions}.values():
            self.of(func)

    def of(self, func: Any) -> Reach:
        """What a function consists of."""
        key = func.cls if isinstance(func, MethodCall) else func
        found = self._reach.get(id(key))
        if found is None:
            nodes: dict[str, tuple[str, Promise]] = {}
            found = self._reach[id(key)] = (key, reach(func, nodes))
            if nodes:
                self.nodes.append((key, nodes))
        return found[1]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Written)
            and self._reach.keys() == other._reach.keys()
            and not any(changes(self._reach[key][1], other._reach[key][1]) for key in self._reach)
        )

    __hash__ = None  # type: ignore[assignment]


def has_result(run: Run, name: str) -> bool:
    """Whether the run gave a result for the node of this name, or found one."""
    return run.states.get(name) in (NodeState.DONE, NodeState.CACHED)


def stale_nodes(nodes: Iterable[Node], run: Run | None, why: Callable[[Node, Node], str]) -> dict[Node, str]:
    """The nodes that have a result which is out of date, each with the reason.

    Args:
        nodes: The nodes of a workflow, parents first.
        run: Its last run, which has ended.
        why: Called with a node and the node of its name in the run; "" if that gave what this one would give.
    """
    before = {} if run is None else {node._name: node for node in run.nodes}
    stale: dict[Node, str] = {}
    for node in nodes:
        old = before.get(node._name)
        if node._misfit:
            stale[node] = node._misfit
        elif run is not None and old is not None and has_result(run, node._name):
            reason = why(node, old)
            if not reason:
                parent = next((parent for parent in node.parents if parent in stale), None)
                reason = "" if parent is None else f"{shorten(parent._name)} is out of date"
            if reason:
                stale[node] = reason
    return stale


def words(changed: list[str]) -> str:
    """In words, which parts of a function have changed; "" if none has."""
    if not changed:
        return ""
    if changed == [""]:
        return "code changed"
    more = len(changed) - NAMES
    return f"{', '.join(changed[:NAMES])}{f' and {more} more' if more > 0 else ''} changed"


def argument_changed(node: Node, old: Node) -> str:
    """Which argument of a node is another one than in the node that it replaced; "" if none is."""
    if node is old:
        return ""
    if len(node.args) != len(old.args) or node.kwargs.keys() != old.kwargs.keys():
        return "arguments changed"
    pairs = [
        *((str(place + 1), *values) for place, values in enumerate(zip(node.args, old.args, strict=True))),
        *((name, node.kwargs[name], old.kwargs[name]) for name in node.kwargs),
    ]
    for name, value, before in pairs:
        if not _same_argument(value, before):
            return f"argument {name} changed"
    return ""


def _same_argument(value: Any, before: Any) -> bool:
    if value is before:
        return True
    if type(value) is not type(before):
        return False
    if isinstance(value, NodeItem):
        return _same_argument(value.node, before.node) and _same_argument(value.path, before.path)
    if isinstance(value, Promise):
        return isinstance(value, Node) and bool(value._name == before._name)
    if isinstance(value, dict):
        return value.keys() == before.keys() and all(_same_argument(value[key], before[key]) for key in value)
    if type(value) in (list, tuple):
        return len(value) == len(before) and all(map(_same_argument, value, before))
    return same_value(value, before)
