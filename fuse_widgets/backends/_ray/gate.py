"""Whether nodes may begin: a flag in each worker that the collector keeps up to date.

What waits in Ray's queue when a run is paused or cancelled would otherwise run as soon as there is room, and Ray ends the
whole process of the driver where a task is cancelled at the moment at which what it needs arrives. So tasks are left
where they are, and refuse to begin.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

import ray

from .live import collector_named

__all__ = ["gate"]

#: Seconds that the first node of a run in this process waits for the collector, which may be starting.
PATIENCE = 2.0


class _Gate:
    """Whether the nodes of a run may begin in this process; nodes of several runs may take turns in it.

    State: `_closed` (by run, up to which epoch nodes may not begin) and `_collectors` change under the lock; the thread that
    runs nodes and a listener for each run do that. An epoch is only raised within a run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed: dict[str, int] = {}
        self._collectors: dict[str, Any] = {}
        self._me = uuid.uuid4().hex

    def refuses(self, collector: str, run: str, epoch: int) -> bool:
        """Whether a node may not begin, since the run was paused or cancelled after it was handed in.

        Args:
            collector, run: Whom to ask, and of which run.
            epoch: How often the run had been paused or cancelled when the node was handed in.
        """
        closed = self._closed.get(run)
        if closed is None:
            closed = self._join(collector, run)
        return epoch <= closed

    def leave(self) -> None:
        """No further node runs in this process: Ray would wait for the answers before it ends the process."""
        with self._lock:
            for run, collector in self._collectors.items():
                collector.dismiss.remote(run, self._me)
            self._closed.clear()
            self._collectors.clear()

    def _join(self, collector: str, run: str) -> int:
        try:
            actor = collector_named(collector)
            closed = ray.get(actor.closed.remote(run, None, self._me), timeout=PATIENCE)
        except Exception:  # without a collector nothing is refused
            collector_named.cache_clear()
            closed = None
        if closed is None:  # the next node asks again
            return -1
        with self._lock:
            self._closed[run], self._collectors[run] = closed, actor
        threading.Thread(target=self._listen, args=(run,), name="fuse gate", daemon=True).start()
        return int(closed)

    def _listen(self, run: str) -> None:
        while True:
            with self._lock:
                if run not in self._closed:
                    return
                asked = self._collectors[run].closed.remote(run, self._closed[run], self._me)
            try:
                closed = ray.get(asked)
            except Exception:
                closed = None
            with self._lock:
                if run not in self._closed:
                    return
                if closed is None:  # the run is over, or the collector is gone; the next node asks again
                    del self._closed[run], self._collectors[run]
                    return
                self._closed[run] = closed


gate = _Gate()
