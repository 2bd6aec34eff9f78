"""What a worker process has to have in common with the kernel before it does a job."""

from __future__ import annotations

import pickle
from typing import NamedTuple

from ._module_state import own_modules
from ._module_sync import follow_modules
from ._surroundings import Surroundings, put_in_place, take, thread_limits

__all__ = ["KernelState", "follow_kernel"]


class _Parts(NamedTuple):
    """What is sent to a worker process."""

    surroundings: Surroundings
    modules: dict[str, bytes]


class KernelState:
    """The state of this process where a run begins: its surroundings, and the user's modules.

    Attributes:
        limits: Environment variables that a worker process needs as it starts.
    """

    def __init__(self, surroundings: Surroundings, limits: dict[str, str], modules: dict[str, bytes]) -> None:
        self.limits = limits
        self._surroundings, self._modules = surroundings, modules

    @classmethod
    def take(cls, workers: int) -> KernelState:
        """The state now.

        Args:
            workers: How many worker processes share this machine's CPUs.

        Raises:
            FuseError: The working directory is gone.
        """
        limits = thread_limits(workers)
        return cls(take(limits), limits, own_modules())

    def since(self, before: KernelState | None) -> bytes | None:
        """What a worker process is sent that has been sent the state `before`; None if it has all of this."""
        if before is self:
            return None
        known = {} if before is None else before._modules
        changed = {name: state for name, state in self._modules.items() if known.get(name) is not state}
        return pickle.dumps(tuple(_Parts(self._surroundings, changed)), protocol=5)


_surroundings: Surroundings | None = None


def follow_kernel(state: bytes | None) -> None:
    """In a worker process: have what the kernel has.

    Args:
        state: What `KernelState.since` returned.

    Raises:
        FuseError: It cannot.
    """
    global _surroundings
    changed: dict[str, bytes] = {}
    if state is not None:
        _surroundings, changed = pickle.loads(state)
    if _surroundings is not None:
        put_in_place(_surroundings)
    follow_modules(changed)
