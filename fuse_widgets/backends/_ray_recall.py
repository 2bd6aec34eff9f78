"""Taking nodes back from Ray: what has not begun at a pause or a cancel, and what runs at a second cancel."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from typing import Any

import ray

from ..engine.run import Run
from ..engine.states import NodeState
from ._ray_submit import Sent, Submitter

__all__ = ["Recall"]

#: Seconds that an interrupted node has to end, before its worker is killed.
PATIENCE = 2.0


class Recall:
    """Asks Ray to give nodes back.

    All of it belongs to the scheduler's thread, but that `what_waits` may be called on any, under a lock: a control
    of the run is used there, and nothing more is to start from then on.

    Args:
        run, submitter: The run, and who submits its nodes.
        sent: The nodes that Ray has; the scheduler's own, only read here.
        saving: Those of them whose result is being saved, which are left alone; likewise.
    """

    def __init__(
        self, run: Run, submitter: Submitter, sent: Mapping[int, Sent], saving: Mapping[int, Any]
    ) -> None:
        self.run, self.submitter, self.sent, self.saving = run, submitter, sent, saving
        self._asked: set[int] = set()
        self._fresh: set[int] = set()
        self._lock = threading.RLock()  # Ctrl-C may come while it is held
        self._kill_at = self._give_up_at = math.inf
        self.interrupting = False

    def settled(self, place: int) -> None:
        """A node is over, or back."""
        self._asked.discard(place)
        self._fresh.add(place)

    def look(self) -> None:
        """Called in each round, before reports are looked at."""
        self._fresh.clear()

    def what_waits(self) -> None:
        """Take back what has not begun; what runs is asked once, and may finish.

        Ray ends this whole process where a task is cancelled at the moment at which what it needs arrives. So a task
        is cancelled before those that it needs, and one that waits for what may just end is left for the next time.
        """
        with self._lock:
            for place in reversed(self._to_take_back()):
                sent = self.sent.get(place)
                if sent is not None:
                    self._asked.add(place)
                    ray.cancel(sent.report)

    def _to_take_back(self) -> list[int]:
        found: list[int] = []
        taken: set[int] = set()
        for place in sorted(self.sent):
            if self.submitter.object_of(self.run.order.nodes[place]) is not None or place in self.saving:
                continue
            needed = self.run.order.parents(place)
            open_parents = [parent for parent in needed if parent in self.sent]
            if (
                place in self._asked
                or taken.intersection(open_parents)
                or (self._fresh.isdisjoint(needed) and all(map(self._runs, open_parents)))
            ):
                taken.add(place)
            if place in taken and place not in self._asked:
                found.append(place)
        return found

    def what_runs(self) -> None:
        """Interrupt what runs, once; what does not listen is killed a little later."""
        if not self.interrupting:
            self.interrupting = True
            self._kill_at = min(self._kill_at, time.monotonic() + PATIENCE)
            time.sleep(0.05)  # what `what_waits` asked just now has been heard: this is the second time
            self._ask_again(force=False)
            for obj in self.submitter.objects.values():
                if obj.actor is not None and obj.flying:
                    ray.kill(obj.actor)
        if time.monotonic() > self._kill_at:
            self._kill_at = time.monotonic() + PATIENCE
            self._ask_again(force=True)

    def hurry(self) -> None:
        """Kill at once, and wait for a little longer only."""
        self._kill_at = 0.0
        self._give_up_at = time.monotonic() + PATIENCE

    @property
    def given_up(self) -> bool:
        """Whether what still runs is not waited for."""
        return time.monotonic() > self._give_up_at

    def _runs(self, place: int) -> bool:
        return self.run.states[self.run.order.nodes[place]._name] is NodeState.RUNNING

    def _ask_again(self, *, force: bool) -> None:
        with self._lock:
            for place in sorted(self._asked & self.sent.keys(), reverse=True):
                needed = self.run.order.parents(place)
                if place not in self.saving and not any(parent in self.sent for parent in needed):
                    ray.cancel(self.sent[place].report, force=force)
