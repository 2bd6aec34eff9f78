"""The ledger of one run: the state of every node, what waits for what, and which node starts next.

The ledger is pure. It has no threads, no clock and no I/O: stimuli come in as method calls with the time at which they
happened, and every change of a state goes out through `record` as the columns of one event. What is to be done next is what
`next` returns. A scheduler calls it from one thread; controls (`pause`, `resume`, `step`, `cancel`) are called under a lock of
their own, and change only what `next` and `failed` look at.

The idea of a pure core with a thin shell that does I/O is that of the worker state machine of `distributed`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .errors import FuseError, shorten
from .order import Order
from .states import FINISHED, TRANSITIONS, NodeState

__all__ = ["IllegalTransitionError", "Ledger", "States"]

PENDING, QUEUED, RUNNING, PAUSED = NodeState.PENDING, NodeState.QUEUED, NodeState.RUNNING, NodeState.PAUSED
DONE, CACHED, FAILED = NodeState.DONE, NodeState.CACHED, NodeState.FAILED
SKIPPED, CANCELLED = NodeState.SKIPPED, NodeState.CANCELLED

#: `(time, node, state, attempt, worker, detail)`, as `EventLog.add` takes it.
Record = Callable[[tuple[Any, ...]], object]
Detail = dict[str, Any] | float | None


class IllegalTransitionError(FuseError):
    """A node was to enter a state that cannot follow its present one: a backend reports a node in the wrong order."""

    def __init__(self, node: str, before: NodeState, after: NodeState) -> None:
        super().__init__(
            f"node {shorten(node)!r} cannot become {after} while it is {before}: the backend must report each attempt once, "
            "in order"
        )


class Ledger:
    """The state machine of one run. Nodes are known by their place in the traversal.

    Args:
        order: The nodes, with what each waits for.
        record: Called with the columns of each event.
        repeats: Whether a node that has ended may start again, as backends without a scheduler may call it.

    Attributes:
        states: The state of each node; only the ledger changes it.
        attempts: The number of each node's present attempt; 0 before the first one starts.
        waits: For each node, how many nodes have to end before it may start.
        ready: A heap of the nodes that may start.
        paused: Whether no node starts.
        cancelled: 1 after a cancel, 2 after a second one, which interrupts what runs.
    """

    def __init__(self, order: Order, record: Record, *, repeats: bool = False) -> None:
        self.names = [node._name for node in order.nodes]
        self.states = [PENDING] * len(self.names)
        self.attempts = [0] * len(self.names)
        self.waits = list(order.waits)
        self.ready: list[int] = []
        self.paused = False
        self.cancelled = 0
        self._order, self._record, self._repeats = order, record, repeats
        self._children, self._followers = order.children, order.followers
        self._steps = 0
        self._held: set[int] = set()
        self._uncounted: dict[int, int] = {}  # attempts that do not count as retries

    # --- controls ------------------------------------------------------------------------------------------

    def pause(self) -> bool:
        """Start no further node. Return whether this changes anything."""
        return self._set_paused(True, 0)

    def resume(self) -> bool:
        """Start nodes again after a pause. Return whether this changes anything."""
        return self._set_paused(False, 0)

    def step(self) -> bool:
        """Start one node, and pause after it. Return whether the run was not paused before."""
        return self._set_paused(True, self._steps + 1)

    def _set_paused(self, paused: bool, steps: int) -> bool:
        changed, self.paused, self._steps = self.paused is not paused, paused, steps
        return changed

    def cancel(self) -> None:
        """Start no further node; called again, what runs is to be interrupted."""
        self.cancelled = 2 if self.cancelled else 1

    def take_turn(self) -> bool:
        """Return whether a node may start now; uses up a step."""
        if not self.paused:
            return True
        if self._steps:
            self._steps -= 1
            return True
        return False

    # --- what starts next ----------------------------------------------------------------------------------

    def open(self, cached: Iterable[tuple[int, dict[str, Any]]], when: float) -> None:
        """Begin: some nodes are cached, and those that wait for nothing else are ready.

        Args:
            cached: The places of the nodes whose stored results are used, each with the detail of its event.
            when: Seconds since the epoch, here and in all other methods.
        """
        for place, detail in cached:
            self.set(place, CACHED, when, attempt=0, detail=detail)
            for waiting in (*self._children[place], *self._followers.get(place, ())):
                self.waits[waiting] -= 1
        states = self.states
        self.ready = [p for p, waits in enumerate(self.waits) if not waits and states[p] is not CACHED]

    def next(self, when: float) -> int | None:
        """Return the node that starts now; None if none may. While paused, the next one is shown as paused."""
        if self.cancelled or not self.ready:
            return None
        if not self.take_turn():
            self._hold(self.ready[0], when)
            return None
        return self.pop()

    def pop(self) -> int:
        """Return the first node that is ready, whatever the controls say; see `next`."""
        place = heapq.heappop(self.ready)
        if self._held:
            self._held.discard(place)
        return place

    def _hold(self, place: int, when: float) -> None:
        if place not in self._held:
            self._held.add(place)
            self.set(place, PAUSED, when)

    def release_held(self, when: float) -> None:
        """The run may have been resumed: nodes that were shown as paused are queued again."""
        if not self.paused:
            for place in sorted(self._held):
                self.set(place, QUEUED, when)
            self._held.clear()

    # --- attempts ------------------------------------------------------------------------------------------

    def queued(self, place: int, when: float, detail: Detail = None) -> None:
        """An attempt was handed to a worker and has not started. A node that is queued already is recorded only with a detail."""
        if detail is not None or self.states[place] is not QUEUED:
            self.set(place, QUEUED, when, attempt=self.attempts[place] or 1, detail=detail)

    def started(self, place: int, when: float, worker: str | None = None) -> None:
        """An attempt has started."""
        before = self.states[place]
        if before is not PENDING:
            self._check(place, before, RUNNING)
        self.states[place] = RUNNING
        self._record((when, self.names[place], RUNNING, self.attempts[place] or 1, worker, None))

    def succeeded(self, place: int, when: float, detail: Detail = None) -> None:
        """An attempt has given a result: nodes that waited for it alone are ready."""
        states, waits = self.states, self.waits
        if states[place] is not RUNNING:
            self._check(place, states[place], DONE)
        states[place] = DONE
        self._record((when, self.names[place], DONE, self.attempts[place] or 1, None, detail))
        for child in self._children[place]:
            waits[child] -= 1
            if not waits[child] and states[child] is PENDING:
                heapq.heappush(self.ready, child)
        if self._followers:
            self._release_followers(place)

    def failed(self, place: int, when: float, detail: Detail = None, *, retries: int = 0) -> bool:
        """An attempt has failed. The node runs again while it has retries left; else its descendants are skipped.

        Args:
            place, when, detail: See `open`; the detail of the event.
            retries: How many further attempts the node may have in all.

        Returns:
            Whether the node runs again.
        """
        tries = (self.attempts[place] or 1) - self._uncounted.get(place, 0)
        if tries <= retries and not self.cancelled:
            self._again(place, when, detail)
            return True
        self.set(place, FAILED, when, attempt=self.attempts[place] or 1, detail=detail)
        self._release_followers(place)
        root = {"root": self.names[place]}
        stack = self._children[place][::-1]
        while stack:
            lost = stack.pop()
            if self.states[lost] not in FINISHED:
                self.set(lost, SKIPPED, when, attempt=0, detail=dict(root))
                self._release_followers(lost)
                stack += self._children[lost][::-1]
        return False

    def lost(self, place: int, when: float, detail: Detail = None) -> None:
        """An attempt came to nothing through no fault of the node: it runs again, and this does not count as a retry."""
        self._again(place, when, detail)
        self._uncounted[place] = self._uncounted.get(place, 0) + 1

    def stopped(self, place: int, when: float, detail: Detail = None) -> None:
        """An attempt was interrupted, and the node does not run again."""
        self.set(place, CANCELLED, when, attempt=self.attempts[place] or 1, detail=detail)

    def _again(self, place: int, when: float, detail: Detail) -> None:
        attempt = self.attempts[place] or 1
        self.set(place, QUEUED, when, attempt=attempt, detail=detail)
        self.attempts[place] = attempt + 1
        heapq.heappush(self.ready, place)

    def _release_followers(self, place: int) -> None:
        for follower in self._followers.get(place, ()):
            self.waits[follower] -= 1
            if not self.waits[follower] and self.states[follower] is PENDING:
                heapq.heappush(self.ready, follower)

    # --- the end -------------------------------------------------------------------------------------------

    def settle(self, when: float) -> None:
        """The run is over: what was queued or held is pending again, and what still runs is cancelled."""
        states = self.states
        if states.count(DONE) == len(states):
            return
        for place, state in enumerate(states):
            if state is QUEUED or state is PAUSED:
                self.set(place, PENDING, when)
            elif state is RUNNING:
                self.stopped(place, when)

    def skip_unreached(self, when: float) -> None:
        """A backend without a scheduler has ended: what needs a failed node and was not called is skipped."""
        roots: dict[int, int] = {}
        for place, state in enumerate(self.states):
            root = next((roots[parent] for parent in self._order.parents(place) if parent in roots), None)
            if state is FAILED:
                roots[place] = place
            elif root is not None and (state is SKIPPED or state not in FINISHED):
                roots[place] = root
                if state is not SKIPPED:
                    self.set(place, SKIPPED, when, attempt=0, detail={"root": self.names[root]})

    # --- any change ----------------------------------------------------------------------------------------

    def set(
        self,
        place: int,
        state: NodeState,
        when: float,
        *,
        attempt: int | None = None,
        worker: str | None = None,
        detail: Detail = None,
    ) -> None:
        """Record one change of a node's state, whatever it is, and nothing that follows from it.

        Args:
            place, state, when: The node, its new state, and the time.
            attempt: None for the present one.
            worker, detail: See `RunEvent`; a number as detail stands for `{"seconds": number}`.

        Raises:
            IllegalTransitionError: The state cannot follow the present one.
        """
        self._check(place, self.states[place], state)
        self.states[place] = state
        self._record(
            (
                when,
                self.names[place],
                state,
                self.attempts[place] if attempt is None else attempt,
                worker,
                detail,
            )
        )

    def _check(self, place: int, before: NodeState, after: NodeState) -> None:
        if after not in TRANSITIONS[before] and not (self._repeats and before.finished):
            raise IllegalTransitionError(self.names[place], before, after)


class States(Mapping[str, NodeState]):
    """The states of a ledger by name, in traversal order. Live and read-only."""

    __slots__ = ("_ledger", "_places")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._places: dict[str, int] = {}

    def __getitem__(self, name: str) -> NodeState:
        if not self._places:
            self._places = {name: place for place, name in enumerate(self._ledger.names)}
        return self._ledger.states[self._places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ledger.names)

    def __len__(self) -> int:
        return len(self._ledger.names)

    def __repr__(self) -> str:
        return repr(dict(self))
