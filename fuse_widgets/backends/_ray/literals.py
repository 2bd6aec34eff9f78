"""Large values that nodes take as arguments: put into the object store once, and let go of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ray

if TYPE_CHECKING:
    from ...engine.nodes import Node

__all__ = ["Literals"]

#: Bytes of literals that are kept after the nodes that take them are over.
SPARE = 200_000_000


class Literals:
    """Large values in the object store, each as long as a node that takes it is not over.

    Those that no node needs any more stay while there are few: Ray makes a result anew from them where its machine is
    lost. Beyond `SPARE` the oldest go.

    Attributes:
        size: Bytes of all.
    """

    def __init__(self) -> None:
        self.size = 0
        self._put: dict[int, tuple[Any, Any, int]] = {}  # the value is kept, so that its id stays its own
        self._takers: dict[int, set[Node]] = {}
        self._taken: dict[Node, set[int]] = {}
        self._spare: dict[int, None] = {}
        self._spare_size = 0

    def __contains__(self, value: object) -> bool:
        return id(value) in self._put

    def put(self, value: Any, size: int) -> Any:
        """Store a value; its reference is returned. Nobody takes it yet."""
        ref = ray.put(value)
        self._put[id(value)] = value, ref, size
        self._spare[id(value)] = None
        self._spare_size += size
        self.size += size
        return ref

    def reference(self, value: Any) -> Any:
        """The reference to a value that was stored, else None."""
        found = self._put.get(id(value))
        return None if found is None else found[1]

    def take(self, node: Node, values: set[int]) -> None:
        """A node that is to run takes these values, named by their ids."""
        if values:
            self._taken[node] = values
            for value in values:
                self._takers.setdefault(value, set()).add(node)
                if value in self._spare:
                    del self._spare[value]
                    self._spare_size -= self._put[value][2]

    def release(self, node: Node) -> None:
        """A node is over."""
        for value in self._taken.pop(node, ()):
            takers = self._takers[value]
            takers.discard(node)
            if not takers:
                del self._takers[value]
                self._spare[value] = None
                self._spare_size += self._put[value][2]
        while self._spare_size > SPARE:
            oldest = next(iter(self._spare))
            del self._spare[oldest]
            *_, size = self._put.pop(oldest)
            self._spare_size -= size
            self.size -= size
