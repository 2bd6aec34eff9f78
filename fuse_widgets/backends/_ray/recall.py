"""Stopping what Ray has: what has not begun at a cancel, and what runs at a second one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import ray

from ...engine.run import Run
from ...engine.states import NodeState
from .submit import Sent, Submitter

__all__ = ["Recall"]

#: Seconds that an interrupted node has to end before its worker is killed, and after which nobody waits for it any more.
PATIENCE, GIVE_UP = 0.8, 1.8
#: Seconds that the actor of an object has to begin, before it counts as one that waits for room.
BEGIN = 1.0


class Recall:
    """Asks Ray to cancel. Lives in the scheduler's thread.

    Ray ends this whole process where a task is cancelled at the moment at which what it needs arrives. So only tasks are
    cancelled whose inputs have been there for a while; the others follow from theirs, or refuse to begin (`gate`).

    Args:
        run, submitter: The run, and who submits its nodes.
        sent: The nodes that Ray has; the scheduler's own, only read here.
        saves: What saves results, by place; likewise.
    """

    def __init__(
        self, run: Run, submitter: Submitter, sent: Mapping[int, Sent], saves: Mapping[int, Any]
    ) -> None:
        self.run, self.submitter, self.sent, self.saves = run, submitter, sent, saves
        self._asked: set[int] = set()
        self._fresh: set[int] = set()  # over since the last round: their results may just be on their way
        self._since = self._kill_at = self._give_up_at = math.inf
        self.interrupting = False

    def settled(self, place: int) -> None:
        """A node is over, or back."""
        self._asked.discard(place)
        self._fresh.add(place)

    def look(self) -> None:
        """A round begins: what was over before it has reached those that need it."""
        self._fresh.clear()

    def what_waits(self) -> None:
        """Cancel what has not begun; what runs is asked once, and may finish."""
        self._since = min(self._since, time.monotonic())
        for place in list(self.sent):
            if place not in self._asked and self._has_inputs(place) and not self._is_call(place):
                self._asked.add(place)
                ray.cancel(self.sent[place].report, recursive=False)
        if time.monotonic() > self._since + BEGIN:
            for constructor, obj in self.submitter.objects.items():
                if obj.flying and self.run.states[constructor._name] is NodeState.QUEUED:
                    ray.kill(obj.actor)

    def what_runs(self) -> None:
        """Interrupt what runs, once; what does not listen is killed a little later."""
        if not self.interrupting:
            self.interrupting = True
            self._kill_at = min(self._kill_at, time.monotonic() + PATIENCE)
            self._give_up_at = min(self._give_up_at, time.monotonic() + GIVE_UP)
            time.sleep(0.05)  # what `what_waits` asked just now has been heard: this is the second time
            self._ask_again(force=False)
            for obj in self.submitter.objects.values():
                if obj.actor is not None and obj.flying:
                    ray.kill(obj.actor)
        if time.monotonic() > self._kill_at:
            self._kill_at = time.monotonic() + PATIENCE
            self._ask_again(force=True)
            for save in self.saves.values():
                ray.cancel(save, force=True)

    def hurry(self) -> None:
        """Kill at once, and wait for a little longer only."""
        self._kill_at = 0.0
        self._give_up_at = min(self._give_up_at, time.monotonic() + PATIENCE)

    @property
    def given_up(self) -> bool:
        """Whether what still runs is not waited for."""
        return time.monotonic() > self._give_up_at

    def _has_inputs(self, place: int) -> bool:
        needed = self.run.order.parents(place)
        return self._fresh.isdisjoint(needed) and not any(parent in self.sent for parent in needed)

    def _is_call(self, place: int) -> bool:
        return self.submitter.object_of(self.run.order.nodes[place]) is not None

    def _ask_again(self, *, force: bool) -> None:
        for place in self._asked & self.sent.keys():
            if self._has_inputs(place):
                ray.cancel(self.sent[place].report, force=force)
