"""Which nodes may be handed to Ray next."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from ..engine.order import Order

__all__ = ["Frontier"]


class Frontier:
    """The nodes whose turn it is: whom they need, and whom they follow, has been handed in or is over.

    Args:
        order: The nodes of the run.

    Attributes:
        outdated: Whether `restart` is due, since a node was taken back.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._waits: list[int] = []
        self._ready: list[int] = []
        self._left: set[int] = set()
        self.outdated = False

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
        self._ready = [p for p, count in enumerate(self._waits) if not count and p not in self._left]
        self.outdated = False

    def leave(self, place: int) -> None:
        """A node was handed in, or will never be: those that waited for that may come."""
        if place not in self._left:
            self._left.add(place)
            for waiting in self._waiting_for(place):
                self._waits[waiting] -= 1
                if not self._waits[waiting] and waiting not in self._left:
                    heapq.heappush(self._ready, waiting)

    def add(self, place: int) -> None:
        """It is the turn of a node that was set aside."""
        heapq.heappush(self._ready, place)

    def first(self, wanted: Callable[[int], bool] | None = None) -> int | None:
        """The node whose turn it is, the first of the traversal; None where there is none now.

        Args:
            wanted: Look at these only.
        """
        ready = self._ready
        while ready and ready[0] in self._left:
            heapq.heappop(ready)
        if wanted is not None:
            return min((place for place in ready if place not in self._left and wanted(place)), default=None)
        return ready[0] if ready else None

    def remove(self, place: int) -> None:
        """Take one, which costs little where it is the first."""
        if self._ready[0] == place:
            heapq.heappop(self._ready)
        else:
            self._ready.remove(place)
            heapq.heapify(self._ready)

    def _waiting_for(self, place: int) -> Iterable[int]:
        followers = self._order.followers.get(place)
        children = self._order.children[place]
        return children if followers is None else (*children, *followers)
