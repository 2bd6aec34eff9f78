"""The ledger: random DAGs with random stimuli break none of its rules."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fuse_widgets import workflow
from fuse_widgets.engine.ledger import IllegalTransitionError, Ledger, States
from fuse_widgets.engine.order import Order
from fuse_widgets.engine.states import TRANSITIONS, NodeState

PENDING, QUEUED, RUNNING, PAUSED, DONE, CACHED, FAILED, SKIPPED, CANCELLED = NodeState
SHAPES = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *(st.lists(st.integers(0, i - 1), max_size=3) if i else st.just([]) for i in range(n))
    )
)


@workflow
def takes(*inputs: Any) -> None:
    pass


def order_of(shape: Any) -> Order:
    """The order of a DAG that is given as the parents of each node."""
    made: list[Any] = []
    for place, parents in enumerate(shape):
        made.append(takes(*[made[parent] for parent in parents]).set_name(f"n{place}"))
    return Order(dict.fromkeys(made))


class Model(RuleBasedStateMachine):
    """Stands for a scheduler with workers that do anything, and a person who presses anything."""

    @initialize(shape=SHAPES, data=st.data(), retries=st.integers(0, 2))
    def begin(self, shape: Any, data: Any, retries: int) -> None:
        self.order, self.retries, self.time = order_of(shape), retries, 0.0
        self.events: list[tuple[Any, ...]] = []
        self.ledger = Ledger(self.order, self.record)
        # A node whose stored result is used has ancestors of which nothing is known; any subset may be cached.
        cached = data.draw(st.sets(st.integers(0, len(shape) - 1), max_size=3))
        self.ledger.open([(place, {"why": "stored"}) for place in sorted(cached)], self.now())
        self.running: list[int] = []
        self.failures: Counter[int] = Counter()
        self.settled = False

    def now(self) -> float:
        self.time += 1.0
        return self.time

    def record(self, event: tuple[Any, ...]) -> None:
        """The log: each event follows from the one before it, and none comes after a node's end."""
        _, name, state, *_ = event
        before = next((e[2] for e in reversed(self.events) if e[1] == name), PENDING)
        assert state in TRANSITIONS[before]
        if state is RUNNING:
            ended = {e[1] for e in self.events if e[2] in (DONE, CACHED)}
            place = int(name[1:])
            assert {self.order.nodes[p]._name for p in self.order.parents(place)} <= ended
        self.events.append(event)

    # --- a scheduler ---------------------------------------------------------------------------------------

    @precondition(lambda self: not self.settled)
    @rule(queue=st.booleans())
    def start(self, queue: bool) -> None:
        held_back = self.ledger.paused and not self.steps
        place = self.ledger.next(self.now())
        if held_back or self.ledger.cancelled:
            assert place is None
        if place is None:
            return
        self.steps -= self.ledger.paused
        assert place not in self.running
        if queue:
            self.ledger.queued(place, self.now())
        self.ledger.started(place, self.now(), "worker 1")
        self.running.append(place)

    @precondition(lambda self: self.running and not self.settled)
    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "lost", "stopped"]))
    def end(self, data: Any, how: str) -> None:
        place = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if how == "failed":
            again = self.ledger.failed(place, self.now(), {"error": "x"}, retries=self.retries)
            self.failures[place] += 1
            assert again == (self.failures[place] <= self.retries and not self.ledger.cancelled)
        else:
            getattr(self.ledger, how)(place, self.now())

    @precondition(lambda self: not self.settled and not self.ledger.paused)
    @rule()
    def see_the_resume(self) -> None:
        self.ledger.release_held(self.now())
        assert PAUSED not in self.ledger.states

    @rule()
    def settle(self) -> None:
        self.ledger.settle(self.now())
        self.settled, self.running = True, []
        assert {QUEUED, RUNNING, PAUSED}.isdisjoint(self.ledger.states)
        count = len(self.events)
        self.ledger.settle(self.now())
        assert len(self.events) == count

    # --- a person ------------------------------------------------------------------------------------------

    steps = 0

    @precondition(lambda self: not self.settled)
    @rule(control=st.sampled_from(["pause", "resume", "step", "step", "cancel"]))
    def control(self, control: str) -> None:
        getattr(self.ledger, control)()
        if control != "cancel":
            self.steps = self.steps + 1 if control == "step" else 0

    # --- what always holds ---------------------------------------------------------------------------------

    @invariant()
    def states_are_the_fold_of_the_events(self) -> None:
        fold = dict.fromkeys(self.ledger.names, PENDING)
        for event in self.events:
            fold[event[1]] = event[2]
        assert dict(States(self.ledger)) == fold

    @invariant()
    def nothing_is_lost(self) -> None:
        """A node that may start is ready, running or over; so a run without either has nothing left to do."""
        if self.settled or self.ledger.cancelled:
            return
        states = self.ledger.states
        assert len(set(self.ledger.ready)) == len(self.ledger.ready)
        for place, state in enumerate(states):
            parents = {states[parent] for parent in self.order.parents(place)}
            if not state.finished and parents <= {DONE, CACHED}:
                assert (place in self.ledger.ready) != (place in self.running), state
            if parents & {FAILED, SKIPPED} and state is not CACHED:
                assert state is SKIPPED


TestModel = Model.TestCase


def test_a_report_in_the_wrong_order_is_refused_and_changes_nothing() -> None:
    events: list[tuple[Any, ...]] = []
    ledger = Ledger(order_of([[], [0]]), events.append)
    ledger.open([], 0.0)
    with pytest.raises(IllegalTransitionError, match="node 'n0' cannot become done while it is pending"):
        ledger.succeeded(0, 1.0)
    assert ledger.pop() == 0
    ledger.started(0, 1.0)
    ledger.succeeded(0, 2.0)
    for late in (ledger.started, ledger.succeeded, ledger.failed, ledger.lost, ledger.stopped):
        with pytest.raises(IllegalTransitionError, match="while it is done"):
            late(0, 3.0)
    assert [event[2] for event in events] == [RUNNING, DONE]
    assert ledger.states == [DONE, PENDING]
    assert ledger.ready == [1]


def test_a_backend_without_a_scheduler_may_call_a_node_again() -> None:
    events: list[tuple[Any, ...]] = []
    ledger = Ledger(order_of([[]]), events.append, repeats=True)
    for attempt in (1, 2):
        ledger.attempts[0] = attempt
        ledger.started(0, 1.0)
        ledger.set(0, FAILED if attempt == 1 else DONE, 2.0)
    assert [(event[2], event[3]) for event in events] == [(RUNNING, 1), (FAILED, 1), (RUNNING, 2), (DONE, 2)]


def test_states_read_like_a_dict() -> None:
    ledger = Ledger(order_of([[], [0]]), lambda event: None)
    states = States(ledger)
    assert states == {"n0": "pending", "n1": "pending"}
    ledger.started(0, 1.0)
    assert (states["n0"], list(states), len(states), states.get("n9")) == (RUNNING, ["n0", "n1"], 2, None)
    assert repr(states) == "{'n0': <NodeState.RUNNING: 'running'>, 'n1': <NodeState.PENDING: 'pending'>}"
