"""The objects of class nodes: each is kept by an actor, which can be lost and made again."""

from __future__ import annotations

import bisect
from collections import Counter, deque
from typing import Any

from ...engine.nodes import MethodNode, Node, ObjectNode
from ...engine.order import Order

__all__ = ["KeptObject", "kept_objects"]

#: Calls to one object that may be on their way at a time, where they are quick.
AHEAD = 16
#: Seconds up to which a call counts as quick.
QUICK = 0.05


class KeptObject:
    """The object of a class node in one run.

    Args:
        members: The places of its constructor and methods, in the order of the traversal, in which they are called.
        users: The places of the other nodes that need the object, or what a method returned.

    Attributes:
        actor: The handle of its actor; Ray ends the actor when nobody holds it any more.
        calls: Members that were called on this actor, without those that came back.
        flying: Members that Ray has.
        parked: Members that are to come when others have ended.
        left: How many members are not over.
        needed: How many members and users are not over: until then the object may have to be made again.
        losses: How often it was lost.
        made_at: When it was made last, in submissions of the run.
    """

    def __init__(self, members: list[int], users: set[int]) -> None:
        self.members, self.users = members, users
        self.actor: Any = None
        self.calls: list[int] = []
        self.flying: set[int] = set()
        self.parked: deque[int] = deque()
        self.left = len(members)
        self.needed = len(members) + len(users)
        self.losses = 0
        self.made_at = -1
        self._quick = False
        self._copies: dict[int, Any] = {}  # by the call that they follow
        self._readers: dict[int, int] = {}  # the copy that a reader has
        self._read_by: Counter[int] = Counter()  # how many readers a copy has

    def may_call(self, place: int) -> bool:
        """Whether the call of a member may be sent now; not while later ones are still to come back."""
        return len(self.flying) < (AHEAD if self._quick else 1) and all(p < place for p in self.flying)

    def ended(self, place: int, seconds: float | None) -> None:
        """A call has come back; `seconds` is how long it took, where it ran."""
        self.flying.discard(place)
        if seconds is not None:
            self._quick = seconds < QUICK

    def call_before(self, place: int) -> int | None:
        """The last member that was called before the turn of `place`."""
        at = bisect.bisect_left(self.calls, place)
        return self.calls[at - 1] if at else None

    def called(self, place: int) -> None:
        """A member was sent to the actor."""
        bisect.insort(self.calls, place)
        self.flying.add(place)

    def took_back(self, place: int) -> None:
        """A member that was sent did not run: copies that were to follow it are none."""
        if place in self.calls:
            self.calls.remove(place)
        for follows in [follows for follows in self._copies if follows >= place]:
            del self._copies[follows]

    def copy_for(self, reader: int) -> Any:
        """The reference to a copy of the object as it is when it is the turn of a node; None where it is lost.

        The calls before that turn have been sent, and those after it have not, unless the reader had its copy then.
        """
        follows = self.call_before(reader)
        if follows is None:
            return None
        if follows not in self._copies:
            if self.actor is None or follows != self.calls[-1]:
                return None
            options = self.actor.snapshot.options(name="copy of the object")
            self._copies[follows] = options.remote(follows)
        if self._readers.get(reader) != follows:
            self.forget_reader(reader)
            self._readers[reader] = follows
            self._read_by[follows] += 1
        return self._copies[follows]

    def forget_reader(self, reader: int) -> None:
        """A reader is over: its copy goes with the last that has it."""
        follows = self._readers.pop(reader, None)
        if follows is not None:
            self._read_by[follows] -= 1
            if not self._read_by[follows]:
                self._copies.pop(follows, None)

    def renew(self, now: int) -> None:
        """It was lost, and is to be made on another actor."""
        self.actor, self.made_at = None, now
        self.calls.clear()
        self._copies.clear()
        self._readers.clear()
        self._read_by.clear()


def kept_objects(order: Order) -> dict[Node, KeptObject]:
    """The objects of a run, by their constructors."""
    members: dict[Node, list[int]] = {}
    for place, node in enumerate(order.nodes):
        if isinstance(node, ObjectNode):
            members[node] = [place]
        elif isinstance(node, MethodNode) and node.object in members:
            members[node.object].append(place)
    return {
        constructor: KeptObject(places, {c for p in places for c in order.children[p]}.difference(places))
        for constructor, places in members.items()
    }
