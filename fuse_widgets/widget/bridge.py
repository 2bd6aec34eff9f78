"""The bridge: one thread for all widgets, which alone writes their traits from inside and sends their messages.

Subscribers and message handlers run on any thread and only post here. Posted actions run at once; what they change goes
out together, at most 30 times a second where states are among it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

__all__ = ["FLUSHES_PER_SECOND", "Bridge", "bridge"]

FLUSHES_PER_SECOND = 30
log = logging.getLogger("fuse_widgets")


class Flushable(Protocol):
    """What the bridge serves."""

    def flush(self) -> bool:
        """Send what has gathered, on the bridge thread after the posted actions; whether states went out."""


class Bridge:
    """Runs posted actions, in order, on one daemon thread, and flushes the widgets they concern.

    State: `_posted` is appended to by any thread, popped by the bridge; the rest changes under `_wake`.
    """

    def __init__(self) -> None:
        self._posted: deque[tuple[weakref.ref[Flushable], Callable[[], object]]] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._due: list[tuple[float, int, weakref.ref[Flushable]]] = []
        self._numbers = itertools.count()

    def post(self, widget: Flushable, action: Callable[[], object]) -> None:
        """Let the bridge thread call `action`, then, when it is time for it, `widget.flush()`."""
        self._posted.append((weakref.ref(widget), action))
        with self._wake:
            self._start()

    def flush_in(self, widget: Flushable, seconds: float) -> None:
        """Let the bridge thread call `widget.flush()` in so many seconds, whatever is posted meanwhile."""
        with self._wake:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), weakref.ref(widget)))
            self._start()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._serve, name="fuse bridge", daemon=True)
            self._thread.start()
        self._wake.notify_all()

    @property
    def is_current(self) -> bool:
        """Whether the caller is on the bridge thread."""
        return threading.current_thread() is self._thread

    def wait_idle(self, timeout: float = 5.0) -> bool:
        """Wait until everything posted so far was done, and what that posted in turn; for tests and snapshots."""
        if self.is_current:
            return True
        end = time.monotonic() + timeout
        for _ in range(2):
            anchor = _Anchor(self._posted)
            self.post(anchor, anchor.touch)
            if not anchor.flushed.wait(end - time.monotonic()):
                return False
            if anchor.last:
                break
        return True

    def wait_done(self, timeout: float = 5.0) -> bool:
        """Wait until everything posted so far was done; what it changed may still have to be sent."""
        if self.is_current:
            return True
        anchor = _Anchor(self._posted)
        self.post(anchor, anchor.touch)
        return anchor.touched.wait(timeout)

    def _serve(self) -> None:
        touched: dict[int, Flushable] = {}
        free_at = 0.0  # when the next flush is allowed
        while True:
            self._wait(touched, free_at)
            for _ in range(len(self._posted)):
                ref, action = self._posted.popleft()
                widget = ref()
                if widget is not None:
                    self._do(action)
                    touched[id(widget)] = widget
                del widget
            begin = time.monotonic()
            if begin < free_at:
                continue
            sent = [self._do(widget.flush) for widget in touched.values()]
            if any(sent):
                free_at = begin + 1 / FLUSHES_PER_SECOND
            touched.clear()

    def _wait(self, touched: dict[int, Flushable], free_at: float) -> None:
        """Wait until there is something to do; adds the widgets to `touched` whose time to be flushed has come."""
        with self._wake:
            while not self._posted:
                now = time.monotonic()
                if (touched and free_at <= now) or (self._due and self._due[0][0] <= now):
                    break
                times = ([free_at] if touched else []) + ([self._due[0][0]] if self._due else [])
                self._wake.wait(min(times) - now if times else None)
            while self._due and self._due[0][0] <= time.monotonic():
                widget = heapq.heappop(self._due)[2]()
                if widget is not None:
                    touched[id(widget)] = widget

    @staticmethod
    def _do(action: Callable[[], object]) -> object:
        try:
            return action()
        except Exception:
            log.exception("the widget could not do what it was asked to")
            return None


class _Anchor:
    """Something to wait for: it is flushed after all that was posted before it."""

    def __init__(self, posted: Collection[object]) -> None:
        self.touched, self.flushed = threading.Event(), threading.Event()
        self.last = False
        self._posted = posted

    def touch(self) -> None:
        self.touched.set()

    def flush(self) -> bool:
        self.last = not self._posted
        self.flushed.set()
        return False


#: The bridge of this process.
bridge = Bridge()
