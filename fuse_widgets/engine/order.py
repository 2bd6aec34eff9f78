"""The nodes of a workflow in the order of a traversal, with what waits for what; worked out once for each graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

from ._node import Node
from .errors import DuplicateNodeNameError

__all__ = ["Order"]


class Order:
    """Nodes, parents first, and by place in this list what each waits for; never changed once it is made.

    A node is made after everything it needs, so that the order in which nodes were made has parents first.

    Args:
        needed: The outputs and all that they need.
        others: Further descendants; those that need what is in neither are left out, with what needs them.

    Attributes:
        nodes: The nodes.
        place: The place of each node in `nodes`.
        waits: How many nodes have to end before the node at a place may start.
        children: For each place, the places of those that need the node's result.
        followers: For a place, the places of those that wait for the node's end alone.
        left_out: The descendants that are not in `nodes`.

    Raises:
        DuplicateNodeNameError: Two nodes have one name.
    """

    def __init__(self, needed: Mapping[Node, None], others: Iterable[Node] = ()) -> None:
        self.nodes: list[Node] = []
        self.place: dict[Node, int] = {}
        self.waits: list[int] = []
        self.children: list[list[int]] = []
        self.followers: dict[int, list[int]] = {}
        self.left_out: list[Node] = []
        names: dict[str, Node] = {}
        made = attrgetter("_serial")
        for node in sorted(needed, key=made):
            other = names.setdefault(node._name, node)
            if other is not node:
                raise DuplicateNodeNameError(other, node)
        for node in sorted((*needed, *others), key=made):
            if node not in needed and self._is_left_out(node, names):
                self.left_out.append(node)
            else:
                self._add(node)

    def parents(self, place: int) -> list[int]:
        """The places of the nodes that the one at `place` needs."""
        return [self.place[parent] for parent in self.nodes[place].parents]

    def _is_left_out(self, node: Node, names: dict[str, Node]) -> bool:
        if not all(parent in self.place for parent in node.parents):
            return True
        other = names.setdefault(node._name, node)
        if other is node:
            return False
        if other.replaced:  # an output still needs what an earlier execution of the node's cell made
            return True
        raise DuplicateNodeNameError(other, node)

    def _add(self, node: Node) -> None:
        place = self.place[node] = len(self.nodes)
        self.nodes.append(node)
        self.children.append([])
        for parent in node.parents:
            self.children[self.place[parent]].append(place)
        waits = len(node.parents)
        for earlier in node.after:
            if earlier in self.place:
                self.followers.setdefault(self.place[earlier], []).append(place)
                waits += 1
        self.waits.append(waits)
