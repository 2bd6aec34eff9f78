"""What a worker process has to have in common with the kernel before it does a job."""

from __future__ import annotations

import pickle
from typing import NamedTuple

from ._module_state import OwnModules
from ._module_sync import follow_modules
from ._surroundings import Surroundings, put_in_place, take, thread_limits

__all__ = ["NOTHING", "KernelState", "Sent", "follow_kernel"]


class Sent(NamedTuple):
    """What a worker process has been sent: surroundings, and the states of modules by name."""

    surroundings: Surroundings | None
    modules: dict[str, bytes]


#: What a fresh worker process has.
NOTHING = Sent(None, {})


class KernelState:
    """The state of this process where a run begins: its surroundings, and the user's modules.

    Attributes:
        limits: Environment variables that a worker process needs as it starts.
        modules: Those that the jobs of the run have reached.
    """

    def __init__(self, surroundings: Surroundings, limits: dict[str, str]) -> None:
        self.limits, self._surroundings = limits, surroundings
        self.modules = OwnModules()

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

    def since(self, before: Sent) -> tuple[bytes | None, Sent]:
        """What a worker process is sent, None if it has all of this; and what it has been sent then."""
        surroundings, modules = self._surroundings, self.modules.states
        if before.surroundings is surroundings and before.modules is modules:
            return None, before
        known = before.modules
        changed = {name: state for name, state in modules.items() if known.get(name) is not state}
        after = Sent(surroundings, {**known, **modules} if known.keys() - modules.keys() else modules)
        if before.surroundings is surroundings and not changed:
            return None, after
        return pickle.dumps((surroundings, changed), protocol=5), after


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
