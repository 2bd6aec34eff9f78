"""Events of runs, and their delivery to subscribers from a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .states import NodeState

__all__ = ["EventHub", "RunEvent", "Subscriber"]

Subscriber = Callable[[list["RunEvent"]], object]

log = logging.getLogger("fuse_widgets")

#: Seconds the delivery thread lets events gather between two batches.
GATHER = 0.005
#: Seconds after which an idle delivery thread ends; the next event starts another.
IDLE = 2.0


class RunEvent(NamedTuple):
    """One change of a node's state, or of the run itself where `node` is None.

    Attributes:
        seq: Sequence number in the run, from 0.
        time: Seconds since the epoch.
        node: Name of the node, or None for the run itself.
        state: The state that begins.
        attempt: 1 for the first try of the node.
        worker: Where the node runs, for example `"thread 2"`.
        detail: More about it, see `docs/architecture.md`; None where there is nothing more.
        run: Number of the run among those of its workflow, from 1.
    """

    seq: int
    time: float
    node: str | None
    state: NodeState
    attempt: int = 1
    worker: str | None = None
    detail: dict[str, Any] | None = None
    run: int = 1


class _Subscription:
    def __init__(self, callback: Subscriber, run: int | None, replay: Iterable[RunEvent]) -> None:
        self.callback, self.run = callback, run
        self.pending: deque[RunEvent] = deque(replay)  # appended to and popped from without a lock
        self.busy = False
        self.complained: set[str] = set()


class EventHub:
    """Hands the events of a workflow's runs to its subscribers.

    Publishing appends to a list for each subscriber and never waits for one. One daemon thread, started when
    there is something to deliver, calls the callbacks; a callback that raises is logged and called again with
    the next batch.

    State: `_subscriptions`, `_thread` and `_waiting` change under `_changed`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._thread: threading.Thread | None = None
        self._waiting = False

    def publish(self, event: RunEvent) -> None:
        """Queue an event for every subscriber it concerns."""
        if not self._subscriptions:
            return
        for subscription in self._subscriptions:
            if subscription.run is None or subscription.run == event.run:
                subscription.pending.append(event)
        if self._waiting or self._thread is None:
            self._wake()

    def subscribe(
        self, callback: Subscriber, *, run: int | None = None, replay: Iterable[RunEvent] = ()
    ) -> Callable[[], None]:
        """Call `callback` with lists of events, in order.

        Args:
            callback: Called from the delivery thread.
            run: Only events of this run.
            replay: Events that are delivered first.

        Returns:
            A function that ends the subscription; calling it again does nothing.
        """
        subscription = _Subscription(callback, run, replay)
        with self._changed:
            self._subscriptions = (*self._subscriptions, subscription)
        if subscription.pending:
            self._wake()

        def unsubscribe() -> None:
            with self._changed:
                self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
                self._changed.notify_all()

        return unsubscribe

    def flush(self, timeout: float) -> bool:
        """Wait until all events published so far were handed over.

        Returns:
            False where a subscriber was still busy after `timeout` seconds.
        """
        if threading.current_thread() is self._thread:
            return False
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(s.pending or s.busy for s in self._subscriptions), timeout
            )

    def _wake(self) -> None:
        with self._changed:
            self._waiting = False
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._deliver, name=f"fuse events of {self._name}", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def _deliver(self) -> None:
        while True:
            for subscription in self._subscriptions:
                self._hand_over(subscription)
            with self._changed:
                self._changed.notify_all()
                self._waiting = True
                # Whoever publishes from here on sees that we wait, and wakes us; what came before is seen here.
                if any(s.pending for s in self._subscriptions):
                    self._waiting = False
                elif not self._changed.wait_for(lambda: not self._waiting, IDLE):
                    self._thread = None
                    return
            time.sleep(GATHER)

    def _hand_over(self, subscription: _Subscription) -> None:
        subscription.busy = True
        try:
            batch = [subscription.pending.popleft() for _ in range(len(subscription.pending))]
            if batch:
                subscription.callback(batch)
        except Exception as error:
            kind = f"{type(error).__name__}: {error}"
            if kind not in subscription.complained:
                subscription.complained.add(kind)
                log.exception("a subscriber to the events of %s raised; the run goes on", self._name)
        finally:
            subscription.busy = False
