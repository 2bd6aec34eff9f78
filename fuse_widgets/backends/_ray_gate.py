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

from ._ray_live import NAMESPACE

__all__ = ["gate"]

#: Seconds that the first node of a run in this process waits for the collector, which may be starting.
PATIENCE = 2.0


class _Gate:
    """Whether the nodes of the present run may begin in this process.

    State: `_run`, `_collector` and `_closed` are set by the thread that runs nodes and by the listener, under the lock;
    `_closed` is only raised within a run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run: str | None = None
        self._collector: Any = None
        self._closed = -1
        self._me = uuid.uuid4().hex

    def refuses(self, collector: str, run: str, epoch: int) -> bool:
        """Whether a node may not begin, since the run was paused or cancelled after it was handed in.

        Args:
            collector, run: Whom to ask, and of which run.
            epoch: How often the run had been paused or cancelled when the node was handed in.
        """
        if run != self._run:
            self._join(collector, run)
        return epoch <= self._closed

    def leave(self) -> None:
        """No further node runs in this process: Ray would wait for the answer before it ends the process."""
        with self._lock:
            run, self._run = self._run, None
            if run is not None:
                self._collector.dismiss.remote(run, self._me)

    def _join(self, collector: str, run: str) -> None:
        self._closed = -1
        try:
            actor = ray.get_actor(collector, NAMESPACE)
            closed = ray.get(actor.closed.remote(run, None, self._me), timeout=PATIENCE)
        except Exception:  # without a collector nothing is refused
            closed = None
        with self._lock:
            self._run = None if closed is None else run  # None: the next node asks again
            if closed is None:
                return
            self._closed, self._collector = closed, actor
        threading.Thread(target=self._listen, args=(run,), name="fuse gate", daemon=True).start()

    def _listen(self, run: str) -> None:
        while True:
            with self._lock:
                if self._run != run:
                    return
                asked = self._collector.closed.remote(run, self._closed, self._me)
            try:
                closed = ray.get(asked)
            except Exception:
                closed = None
            with self._lock:
                if self._run != run:
                    return
                if closed is None:  # the run is over, or the collector is gone; the next node asks again
                    self._run = None
                    return
                self._closed = closed


gate = _Gate()
