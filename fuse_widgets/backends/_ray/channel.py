"""The driver's end of the live channel; see `live` for the other one."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .live import NAMESPACE, Collector, Live

__all__ = ["Channel"]

#: How many failed questions to a collector a run takes before it does without.
DEATHS = 50


class Channel:
    """What workers tell while nodes run. Nothing depends on it but how soon a person sees it.

    Attributes:
        name, run: What the collector, and this run, are called there.
        epoch: How often workers were told to begin nothing of what they had.
    """

    #: By connection: the name and the actor. It stays from run to run, and Ray starts it again where it dies.
    _collectors: dict[str, tuple[str, Any]] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.run = uuid.uuid4().hex
        here = ray.get_runtime_context().get_node_id()
        self._job = (
            f"{here} {ray.get_runtime_context().get_job_id()}"  # another cluster counts its jobs from 1, too
        )
        found = self._found()
        if found is None:
            name = f"fuse status {uuid.uuid4().hex}"
            near = NodeAffinitySchedulingStrategy(here, soft=True)
            actor = Collector.options(name=name, namespace=NAMESPACE, scheduling_strategy=near).remote()
            found = name, actor
            Channel._collectors = {self._job: found}  # at once: runs in other threads look there
        self.name, self._collector = found
        self._asked: Any = self._collector.ask.remote(self.run, False)
        self._left = DEATHS
        self.epoch = 0
        self._lock = threading.Lock()

    def hold_back(self, *, wait: bool) -> None:
        """Let workers begin nothing of what was handed in so far. May be called on any thread.

        Args:
            wait: Return when they have heard of it; a moment later where one does not listen.
        """
        with self._lock:
            self.epoch += 1
            heard = self._collector.close.remote(self.run, self.epoch - 1)
        if wait:
            ray.wait([heard], timeout=1)

    def _found(self) -> tuple[str, Any] | None:
        """The collector that is there; one that is only starting, or busy, is."""
        found = self._collectors.get(self._job)
        if found is not None:
            try:
                ray.get(found[1].ask.remote(self.run, False), timeout=1)
            except ray.exceptions.ActorDiedError:
                return None
            except ray.exceptions.RayError:
                pass
        return found

    def news(self) -> list[Live]:
        """What has come since the last call; never waits."""
        if self._asked is None or not ray.wait([self._asked], timeout=0)[0]:
            return []
        try:
            records = ray.get(self._asked)
        except Exception as error:  # it died: what was told is lost, and the nodes' ends tell the same, later
            self._left -= 1
            if isinstance(error, ray.exceptions.ActorDiedError) or not self._left:
                self._collectors.pop(self._job, None)
                self._asked = None
                return []
            records = []
            self._collector.close.remote(self.run, self.epoch - 1)
        self._asked = self._collector.ask.remote(self.run)
        return [Live(*record) for record in records]

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self._asked = None
        if ray.is_initialized():
            self._collector.forget.remote(self.run)
