"""Events of runs: the log of each run, and its delivery to subscribers from a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, overload

from .errors import message_of
from .states import NodeState

__all__ = ["EventHub", "EventLog", "RunEvent", "Subscriber"]

Subscriber = Callable[[list["RunEvent"]], object]
#: Waits until what a subscriber started with its last batch is done; gets the seconds it may take.
Settle = Callable[[float], object]

log = logging.getLogger("fuse_widgets")

#: Seconds the delivery thread lets events gather between two batches.
GATHER = 0.02
#: Events in a batch, unless the subscriber is slow: few enough to be gone before the garbage collector looks at them.
BATCH = 500
#: Batches for one subscriber before it is the turn of the next.
BATCHES = 100
#: Seconds after which an idle delivery thread ends; the next event starts another.
IDLE = 2.0
#: Seconds of a flush after which the other subscribers no longer wait for one whose callback does not return.
STUCK = 0.3


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


class EventLog(Sequence[RunEvent]):
    """The events of one run, append-only.

    The fields lie flat in one list, and an event is made where somebody reads it: a run that nobody watches
    does not pay for them. Appending is one call of `list.extend`, which other threads see as a whole or not at all.

    Attributes:
        run: Number of the run.
        add: Appends `(time, node, state, attempt, worker, detail)`; a number as detail stands for `{"seconds": ...}`.
    """

    __slots__ = ("_flat", "add", "run")

    def __init__(self, run: int) -> None:
        self.run = run
        self._flat: list[Any] = []
        self.add = self._flat.extend

    def __len__(self) -> int:
        return len(self._flat) // _WIDTH

    @overload
    def __getitem__(self, index: int) -> RunEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunEvent]: ...
    def __getitem__(self, index: int | slice) -> RunEvent | list[RunEvent]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return self.between(start, max(start, stop))[::step] if step > 0 else list(self)[index]
        place = range(len(self))[index]
        return self.between(place, place + 1)[0]

    def between(self, start: int, stop: int) -> list[RunEvent]:
        """The events from sequence number `start` up to `stop`."""
        flat = self._flat[start * _WIDTH : stop * _WIDTH]
        columns = [flat[column::_WIDTH] for column in range(_WIDTH)]
        columns[-1] = [{"seconds": d} if d.__class__ is float else d for d in columns[-1]]
        return list(map(_make, zip(range(start, stop), *columns, repeat(self.run), strict=False)))

    def of(self, node: str, start: int = 0) -> list[RunEvent]:
        """The events of one node, from sequence number `start` on; quick, since only names are looked at."""
        names = self._flat[start * _WIDTH + 1 :: _WIDTH]
        found: list[RunEvent] = []
        place = -1
        with contextlib.suppress(ValueError):
            while True:
                place = names.index(node, place + 1)
                found.append(self[start + place])
        return found

    def __repr__(self) -> str:
        return f"<log of run {self.run}: {len(self):,} events>"


_WIDTH = 6
#: `RunEvent._make` at a third of its price.
_make: Callable[[tuple[Any, ...]], RunEvent] = partial(tuple.__new__, RunEvent)


class _Subscription:
    """Where one subscriber has got to; used by the delivery thread.

    Attributes:
        stuck: Whether its callback keeps a delivery thread to itself, and nobody waits for it.
    """

    def __init__(self, callback: Subscriber, run: int | None, settle: Settle | None) -> None:
        self.callback, self.run, self.settle = callback, run, settle
        self.logs: deque[EventLog] = deque()  # the one being read, and those of later runs
        self.position = 0
        self.size = BATCH
        self.active = True
        self.busy = self.stuck = False
        self.complained: set[str] = set()

    def behind(self) -> bool:
        return len(self.logs) > 1 or (bool(self.logs) and self.position < len(self.logs[0]))

    def take(self) -> list[RunEvent]:
        """The next events to hand over, all of one run; none where it has got all there are."""
        while self.logs:
            more = len(self.logs) > 1  # asked first: a log that has a follower does not grow
            events = self.logs[0]
            start, self.position = self.position, min(self.position + self.size, len(events))
            if start < self.position:
                return events.between(start, self.position)
            if not more:
                break
            self.logs.popleft()
            self.position = 0
        return []


class EventHub:
    """Hands the events of a workflow's runs to its subscribers.

    Whoever adds to a log never waits for a subscriber: it wakes the delivery thread where that waits. This one
    daemon thread, started when there is something to deliver, calls the callbacks; a callback that raises is
    logged and called again with the next batch. If a callback does not return while somebody waits for all events
    to be delivered, another thread takes over the other subscribers.

    Attributes:
        idle: Whether somebody who has added to a log has to call `wake`.

    State: everything changes under `_changed`; subscriptions are read and advanced by the delivery thread.
    """

    def __init__(self, name: str) -> None:
        self.idle = False
        self._name = name
        self._changed = threading.Condition()
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._thread: threading.Thread | None = None
        self._flushing = 0
        self._left_behind: tuple[threading.Thread, ...] = ()

    def open(self, events: EventLog) -> None:
        """A run begins, and this is its log."""
        with self._changed:
            for subscription in self._subscriptions:
                if subscription.run in (None, events.run):
                    subscription.logs.append(events)

    def subscribe(
        self,
        callback: Subscriber,
        *,
        run: int | None = None,
        replay: EventLog | None = None,
        settle: Settle | None = None,
    ) -> Callable[[], None]:
        """Call `callback` with lists of events, in order.

        Args:
            callback: Called from the delivery thread.
            run: Only events of this run.
            replay: The log to begin with, from its first event.
            settle: Called by `flush` after the events were delivered, with the seconds that are left.

        Returns:
            A function that ends the subscription; calling it again does nothing.
        """
        subscription = _Subscription(callback, run, settle)
        with self._changed:
            if replay is not None:
                subscription.logs.append(replay)
            self._subscriptions = (*self._subscriptions, subscription)
            self.idle = self.idle or self._thread is None
        if subscription.behind():
            self.wake()

        def unsubscribe() -> None:
            subscription.active = False
            with self._changed:
                self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
                self.idle = self.idle and bool(self._subscriptions)
                self._changed.notify_all()

        return unsubscribe

    def flush(self, timeout: float, *, patient: bool = True) -> bool:
        """Wait until all events added so far were delivered, and subscribers are done with what these started.

        Args:
            timeout: Seconds.
            patient: Wait also for a subscriber that an earlier flush has waited for in vain.

        Returns:
            False if a subscriber was still busy after `timeout` seconds.
        """
        if threading.current_thread() in (self._thread, *self._left_behind):
            return False
        end = time.monotonic() + timeout
        with self._changed:
            before = () if patient else tuple(s for s in self._subscriptions if s.stuck)
            self._flushing += 1
            self._changed.notify_all()
            try:
                if not self._changed.wait_for(self._others_have_all, min(STUCK, timeout)) and timeout > STUCK:
                    self._leave_stuck_behind()
                    self._changed.wait_for(self._others_have_all, end - time.monotonic())
            finally:
                self._flushing -= 1
            settles = dict.fromkeys(s.settle for s in self._subscriptions if s.settle and not s.stuck)
        for settle in settles:
            try:
                settle(max(0.0, end - time.monotonic()))
            except Exception:
                log.exception("a subscriber to the events of %s raised; the run goes on", self._name)
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(s.busy or s.behind() for s in self._subscriptions if s not in before),
                max(0.0, end - time.monotonic()),
            )

    def _others_have_all(self) -> bool:
        """Whether all events were delivered to all subscribers that are not stuck."""
        return not any((s.busy or s.behind()) and not s.stuck for s in self._subscriptions)

    def _leave_stuck_behind(self) -> None:
        """Let another thread serve the subscribers other than the one whose callback does not return."""
        stuck = [s for s in self._subscriptions if s.busy and not s.stuck]
        if stuck and self._thread is not None:
            for subscription in stuck:
                subscription.stuck = True
            self._left_behind = (*self._left_behind, self._thread)
            self._start()

    def wake(self) -> None:
        """Let the delivery thread look for events."""
        with self._changed:
            self.idle = False
            if self._thread is None or not self._thread.is_alive():
                self._start()
            self._changed.notify_all()

    def _start(self) -> None:
        self._thread = threading.Thread(
            target=self._deliver, name=f"fuse events of {self._name}", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:  # no more threads: whoever adds to a log next tries again
            self._thread, self.idle = None, bool(self._subscriptions)

    def _deliver(self) -> None:
        current = threading.current_thread()
        while True:
            for subscription in self._subscriptions:
                if self._take(subscription):
                    self._hand_over(subscription)
            with self._changed:
                self._changed.notify_all()
                if self._thread is not current:  # a callback has returned after all
                    self._left_behind = tuple(t for t in self._left_behind if t is not current)
                    break
                if not self._subscriptions:
                    self._thread = None
                    return
                self.idle = True
                # Whoever adds to a log from here on sees that we are idle, and wakes us; what came before is seen here.
                if any(s.behind() and not s.stuck for s in self._subscriptions):
                    self.idle = False
                elif not self._changed.wait_for(lambda: not self.idle, IDLE):
                    self._thread = None
                    return
                self._changed.wait_for(lambda: self._flushing, GATHER)
        self.wake()

    def _take(self, subscription: _Subscription) -> bool:
        """Whether this thread may serve a subscription now; one thread does at a time."""
        with self._changed:
            if subscription.busy or self._thread is not threading.current_thread():
                return False
            subscription.busy = True
            return True

    def _hand_over(self, subscription: _Subscription) -> None:
        try:
            for _ in range(BATCHES):
                batch = subscription.take()
                if not batch or not subscription.active:
                    break
                began = time.monotonic()
                subscription.callback(batch)
                # Who takes long for a call gets more with each.
                subscription.size = BATCH if time.monotonic() - began < GATHER else 2 * subscription.size
        except BaseException as error:  # a subscriber must not end the delivery to the others
            kind = f"{type(error).__name__}: {message_of(error)}"
            if kind not in subscription.complained:
                subscription.complained.add(kind)
                log.exception("a subscriber to the events of %s raised; the run goes on", self._name)
        finally:
            with self._changed:
                subscription.busy = subscription.stuck = False
