"""What a worker process has to have in common with the kernel before it does a job."""

from __future__ import annotations

import functools
import pickle
from typing import NamedTuple

from ._surroundings import Surroundings, put_in_place, take, thread_limits

__all__ = ["KernelState", "follow_kernel"]


class _Parts(NamedTuple):
    """What is sent to a worker process."""

    surroundings: Surroundings


class KernelState:
    """The state of this process where a run begins.

    Attributes:
        limits: Environment variables that a worker process needs as it starts.
    """

    def __init__(self, surroundings: Surroundings, limits: dict[str, str]) -> None:
        self.limits = limits
        self._parts = _Parts(surroundings)

    @classmethod
    def take(cls, workers: int) -> KernelState:
        """The state now.

        Args:
            workers: How many worker processes share this machine's CPUs.

        Raises:
            FuseError: The working directory is gone.
        """
        limits = thread_limits(workers)
        return cls(take(limits), limits)

    @functools.cached_property
    def pickled(self) -> bytes:
        """What a worker process is sent."""
        return pickle.dumps(self._parts, protocol=5)


_parts: _Parts | None = None


def follow_kernel(state: bytes | None) -> None:
    """In a worker process: have what the kernel has.

    Args:
        state: `KernelState.pickled`; None for the one that came last.

    Raises:
        FuseError: It cannot.
    """
    global _parts
    if state is not None:
        _parts = pickle.loads(state)
    if _parts is not None:
        put_in_place(_parts.surroundings)
