"""Which nodes may be handed to Ray next."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from ...engine.order import Order

__all__ = ["Frontier"]


class Frontier:
    """The nodes whose turn it is: whom they need, and whom they follow, has been handed in or is over.

    A node that makes an object comes while there is room for one; until then the others pass it.

    Args:
        order: The nodes of the run.
        makes: Whether the node at a place would make a new object; asked when its turn comes.
        room: Whether one more object may live; `room(alone)`, with whether it is no other node's turn.

    Attributes:
        outdated: Whether `restart` is due, since a node was taken back.
    """

    def __init__(
        self,
        order: Order,
        makes: Callable[[int], bool] = lambda place: False,
        room: Callable[[bool], bool] = lambda alone: True,
    ) -> None:
        self._order, self._makes, self._room = order, makes, room
        self._waits: list[int] = []
        self._ready: list[int] = []
        self._makers: list[int] = []  # those that are ready, and need room
        self._left: set[int] = set()
        self.outdated = False

    @property
    def crowded(self) -> bool:
        """Whether nodes may wait for room."""
        return bool(self._makers)

    def restart(self, left: Iterable[int]) -> None:
        """Work everything out anew.

        Args:
            left: The nodes for which nobody waits: they were handed in, or are over.
        """
        self._left = set(left)
        self._waits = list(self._order.waits)
        for place in self._left:
            for waiting in self._waiting_for(place):
                self._waits[waiting] -= 1
        self._ready, self._makers = [], []
        for place, count in enumerate(self._waits):
            if not count and place not in self._left:
                self.add(place)
        self.outdated = False

    def leave(self, place: int) -> None:
        """A node was handed in, or will never be: those that waited for that may come."""
        if place not in self._left:
            self._left.add(place)
            for waiting in self._waiting_for(place):
                self._waits[waiting] -= 1
                if not self._waits[waiting] and waiting not in self._left:
                    self.add(waiting)

    def add(self, place: int) -> None:
        """It is the turn of a node, or again of one that was set aside."""
        heapq.heappush(self._makers if self._makes(place) else self._ready, place)

    def first(self, wanted: Callable[[int], bool] | None = None) -> int | None:
        """The node whose turn it is, the first of the traversal; None where there is none now.

        Args:
            wanted: Look at these only.
        """
        heaps = [self._cleared(self._ready)]
        if self._cleared(self._makers) and self._room(not self._ready):
            heaps.append(self._makers)
        if wanted is None:
            return min((heap[0] for heap in heaps if heap), default=None)
        places = (place for heap in heaps for place in heap if place not in self._left and wanted(place))
        return min(places, default=None)

    def remove(self, place: int) -> None:
        """Take one, which costs little where it is the first."""
        for heap in (self._ready, self._makers):
            if heap and heap[0] == place:
                heapq.heappop(heap)
                return
        heap = self._ready if place in self._ready else self._makers
        heap.remove(place)
        heapq.heapify(heap)

    def _cleared(self, heap: list[int]) -> list[int]:
        """A heap whose first has not left."""
        while heap and heap[0] in self._left:
            heapq.heappop(heap)
        return heap

    def _waiting_for(self, place: int) -> Iterable[int]:
        followers = self._order.followers.get(place)
        children = self._order.children[place]
        return children if followers is None else (*children, *followers)
