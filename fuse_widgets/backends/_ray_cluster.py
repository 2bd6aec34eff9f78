"""The cluster: noticing that a machine, or all of it, is gone."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray
import ray.util.client

__all__ = ["Watch", "disconnect", "is_cut"]

#: Seconds between two looks at the cluster.
LOOK = 2.0
#: Seconds without an answer after which a cluster counts as lost.
LOST = 15.0


class Watch:
    """Looks at the cluster from a thread of its own, since a question to a lost one may never come back.

    Attributes:
        machines: What `ray.nodes()` said last.
    """

    def __init__(self) -> None:
        self.machines: list[dict[str, Any]] = ray.nodes()
        self._answered = time.monotonic()
        self._over = threading.Event()
        threading.Thread(target=self._look, name="fuse watches Ray", daemon=True).start()
        if ray.util.client.ray.is_connected():
            threading.Thread(target=self._cut, name="fuse watches the Ray client", daemon=True).start()

    @property
    def lost(self) -> bool:
        """Whether the cluster has not answered for a while, or has no machine any more."""
        return time.monotonic() - self._answered > LOST

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            if not ray.is_initialized():  # a question now would end the process
                return
            try:
                self.machines = ray.nodes()
            except Exception:  # lost, or shut down: the age of the last answer tells
                continue
            if any(machine["Alive"] for machine in self.machines):
                self._answered = time.monotonic()

    def _cut(self) -> None:
        """End the connection of a Ray client to a lost cluster: all that waits for an answer there would wait on."""
        while not self._over.wait(LOOK):
            if self.lost:
                disconnect()
                return


def is_cut(error: BaseException) -> bool:
    """Whether a question to Ray failed because the connection of a Ray client (`ray://`) is gone."""
    is_ours = isinstance(error, ConnectionError) or type(error).__module__.partition(".")[0] == "grpc"
    return is_ours and not isinstance(error, ray.exceptions.RayError)


def disconnect() -> None:
    """Let go of a lost cluster, so that the next run can connect again; never waits long."""
    thread = threading.Thread(target=ray.shutdown, daemon=True)
    thread.start()
    thread.join(5)
