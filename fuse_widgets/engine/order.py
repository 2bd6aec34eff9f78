"""The nodes of a workflow in the order of a traversal, with what waits for what; worked out once for each graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

from ._node import Node
from .errors import DuplicateNodeNameError, shorten

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
        left_out: The descendants that are not in `nodes`, each with the reason.
        unfit: The nodes whose functions, as they are defined now, do not take the nodes' arguments.

    Raises:
        DuplicateNodeNameError: Two nodes have one name.
    """

    def __init__(self, needed: Mapping[Node, None], others: Iterable[Node] = ()) -> None:
        self.nodes: list[Node] = []
        self.place: dict[Node, int] = {}
        self.waits: list[int] = []
        self.children: list[list[int]] = []
        self.followers: dict[int, list[int]] = {}
        self.left_out: dict[Node, str] = {}
        self.unfit: list[Node] = []
        made = attrgetter("_serial")
        others = list(others)
        everything = sorted((*needed, *others), key=made)
        for node in everything:
            if node._made_by is not None:
                node._follow()
        first: dict[str, Node] = {}  # of each name: the node that keeps it
        for node in everything if not others else sorted(needed, key=made):
            other = first.setdefault(node._name, node)
            if other is not node:
                raise DuplicateNodeNameError(other, node)
        for node in sorted(others, key=made, reverse=True):
            if not node._misfit:
                first.setdefault(node._name, node)
        for node in everything:
            if node in needed:
                if node._misfit:
                    self.unfit.append(node)
            elif why := self._why_left_out(node, first.get(node._name, node)):
                self.left_out[node] = why
                continue
            self._add(node)

    def parents(self, place: int) -> list[int]:
        """The places of the nodes that the one at `place` needs."""
        return [self.place[parent] for parent in self.nodes[place].parents]

    def _why_left_out(self, node: Node, first: Node) -> str:
        """Why a descendant is left out; "" if it is not.

        Args:
            node: A node that no output needs.
            first: The node that comes first among those of this name: one that an output needs, else the newest.
        """
        for parent in node.parents:
            if parent in self.left_out:
                return f"it needs {shorten(parent._name)!r}, which is left out"
            if parent not in self.place:
                return (
                    f"it needs {shorten(parent._name)!r}, which does not come from the roots of this workflow"
                )
        if node._misfit:
            return node._misfit
        if first is node:
            return ""
        if not (first.replaced or first._in_cell or node._in_cell):
            raise DuplicateNodeNameError(*sorted((first, node), key=attrgetter("_serial")))
        return f"the node made at {first.made_at} has its name"

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
