"""Whether nodes may begin: a flag in each worker that the collector keeps up to date.

What waits in Ray's queue when a run is paused or cancelled would otherwise run as soon as there is room, and Ray ends the
whole process of the driver where a task is cancelled at the moment at which what it needs arrives. So tasks are left
where they are, and refuse to begin.
"""

from __future__ import annotations

import threading
from typing import Any

import ray

from ._ray_live import NAMESPACE

__all__ = ["gate"]

#: Seconds that the first node of a run in this process waits for the collector, which may be starting.
PATIENCE = 2.0


class _Gate:
    """Whether the nodes of the present run may begin in this process.

    State: `_run` is set by the thread that runs nodes, and by the listener once it cannot go on; `_closed` by both, but
    never down within a run.
    """

    def __init__(self) -> None:
        self._run: str | None = None
        self._closed = -1

    def refuses(self, collector: str, run: str, epoch: int) -> bool:
        """Whether a node may not begin, since the run was paused or cancelled after it was handed in.

        Args:
            collector, run: Whom to ask, and of which run.
            epoch: How often the run had been paused or cancelled when the node was handed in.
        """
        if run != self._run:
            self._join(collector, run)
        return epoch <= self._closed

    def _join(self, collector: str, run: str) -> None:
        self._run, self._closed = run, -1
        try:
            actor = ray.get_actor(collector, NAMESPACE)
            closed = ray.get(actor.closed.remote(run, None), timeout=PATIENCE)
        except Exception:  # without a collector nothing is refused
            closed = None
        if closed is None:
            self._run = None  # the next node asks again
            return
        self._closed = closed
        threading.Thread(target=self._listen, args=(actor, run), name="fuse gate", daemon=True).start()

    def _listen(self, actor: Any, run: str) -> None:
        while self._run == run:
            try:
                closed = ray.get(actor.closed.remote(run, self._closed))
            except Exception:
                if self._run == run:
                    self._run = None
                return
            if closed is None:  # the run is over
                return
            if self._run == run:
                self._closed = closed


gate = _Gate()
