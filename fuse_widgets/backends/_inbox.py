"""A queue that any thread and any signal handler may put into, and that one thread reads."""

from __future__ import annotations

import _thread
import contextlib
import time
from collections import deque
from typing import Any

__all__ = ["Inbox"]


class Inbox:
    """Messages for one reader.

    `queue.SimpleQueue` does the same, but before Python 3.13 its `get(timeout=)` waits for ever if a signal handler runs until
    the time is up, and `queue.Queue` cannot be put into from a signal handler.

    Attributes:
        messages: What has been put and not read; empty is false.
    """

    def __init__(self) -> None:
        self.messages: deque[tuple[Any, ...]] = deque()
        self._bell = _thread.allocate_lock()
        self._bell.acquire()

    def put(self, message: tuple[Any, ...]) -> None:
        """Add a message and wake the reader."""
        self.messages.append(message)
        with contextlib.suppress(RuntimeError):  # it has been rung and not heard yet
            self._bell.release()

    def get(self, seconds: float) -> tuple[Any, ...] | None:
        """Return the next message, or None if there is none within so many seconds. A signal is handled meanwhile."""
        until = time.monotonic() + seconds
        while not self.messages:
            left = until - time.monotonic()
            # without `max`, which the notebook may have replaced
            if not self._bell.acquire(timeout=left if left > 0 else 0.0) and left <= 0:
                return None
        return self.messages.popleft()
