"""The states of a node in a run, and which may follow which."""

from __future__ import annotations

from enum import Enum

__all__ = ["FINISHED", "NodeState"]


class NodeState(str, Enum):
    """State of a node in one run. Compares equal to its name in lower case: `state == "done"`."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    __str__ = str.__str__
    __hash__ = str.__hash__  # equal to its name, so with the same hash; and that of an Enum is slow

    @property
    def code(self) -> int:
        """The number that stands for this state in binary columns (its place in the list of states)."""
        return CODES[self]

    @property
    def finished(self) -> bool:
        """Whether a node's fate in the run is settled with this state."""
        return self in FINISHED


CODES: dict[NodeState, int] = {state: code for code, state in enumerate(NodeState)}

#: States in which a node's fate in this run is settled.
FINISHED = frozenset(
    {NodeState.DONE, NodeState.CACHED, NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELLED}
)

_P, _Q, _R, _H, _D, _C, _F, _S, _X = NodeState
#: The legal transitions. `running -> queued` is a retry; `cached -> ...` a stored result found damaged.
TRANSITIONS: dict[NodeState, frozenset[NodeState]] = {
    _P: frozenset({_Q, _R, _H, _C, _F, _S, _X}),
    _Q: frozenset({_Q, _R, _H, _P, _F, _X, _S}),
    _R: frozenset({_D, _F, _X, _Q, _R}),
    _H: frozenset({_P, _Q, _R, _X, _S, _C}),
    _D: frozenset(),
    _C: frozenset({_Q, _R, _P, _S}),
    _F: frozenset(),
    _S: frozenset(),
    _X: frozenset(),
}
