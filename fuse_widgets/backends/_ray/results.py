"""What the driver holds of a run: references to results and objects, as long as somebody may need them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...engine.order import Order
from ...engine.states import NodeState
from .objects import KeptObject
from .submit import Submitter

__all__ = ["Results"]


class Results:
    """The references to the results of a run.

    Args:
        order, submitter: The nodes of the run, and who submits them.
        over: The nodes whose fate is settled; the scheduler's own, only read here.
        keep: The outputs, whose references stay.

    Attributes:
        refs: The references, by place.
    """

    def __init__(
        self, order: Order, submitter: Submitter, over: Mapping[int, NodeState], keep: Collection[int]
    ) -> None:
        self.order, self.submitter, self.over, self.keep = order, submitter, over, keep
        self.refs: dict[int, Any] = {}
        self._uses = [len(children) for children in order.children]

    def settled(self, place: int) -> None:
        """A node is over: let go of what only it needed."""
        node = self.order.nodes[place]
        self.submitter.packer.literals.release(node)
        obj = self.submitter.object_of(node)
        if obj is None:
            self._let_go_of_parents(place)
        else:
            obj.left -= 1
            if not obj.left:
                self.release(obj)
        for kept in {obj, *map(self.submitter.object_of, node.parents)}:
            if kept is not None:
                kept.forget_reader(place)
                kept.needed -= 1
                if not kept.needed:
                    for member in kept.members:
                        self._let_go_of_parents(member)
        self.let_go_if_unused(place)

    def let_go_if_unused(self, place: int) -> None:
        """Let go of a result that nobody needs."""
        if not self._uses[place] and place not in self.keep:
            self.refs.pop(place, None)

    def release(self, obj: KeptObject) -> None:
        """The last call has ended: Ray ends the actor when nobody holds it, after the copies that are needed."""
        place = obj.members[0]
        if obj.actor is not None and self.over[place] is NodeState.DONE:
            if place in self.keep:
                self.refs[place] = obj.copy_for(len(self.order.nodes))
            for reader in obj.users.intersection(self.order.children[place]):
                if reader not in self.over:
                    obj.copy_for(reader)
        if obj.actor is not None:
            obj.actor.leave.remote()
            self.submitter.let_go(obj)

    def _let_go_of_parents(self, place: int) -> None:
        for parent in self.order.parents(place):
            self._uses[parent] -= 1
            if parent in self.over:
                self.let_go_if_unused(parent)
