"""Errors that Ray would log beside ours: it does so where it lets go of an error that nobody has read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ray

from ._compat import is_client

if TYPE_CHECKING:
    from .submit import Sent

__all__ = ["Unread"]

#: References that are looked at in one round.
MOST = 1000
#: Seconds that the end of a run waits, at most, for errors that are on their way.
END = 3.0


class Unread:
    """What Ray still owes for nodes that failed without a report, or were skipped on account of one; read, and let go of.

    A value is read only where the report is an error, as it is itself then: any other may be large.

    Through a Ray client nothing is to be done: there the server on the cluster would log it.
    """

    def __init__(self) -> None:
        self._refs: list[Any] = []
        self._values: dict[Any, Any] = {}  # by the report
        self._client = is_client()

    def add(self, sent: Sent) -> None:
        """Its error is told otherwise, or not at all."""
        if not self._client:
            self._values[sent.report] = sent.value
            self._refs += [ref for ref in (sent.report, sent.save) if ref is not None]

    def look(self, seconds: float = 0.0) -> None:
        """Read what has come.

        Args:
            seconds: How long to wait for it.
        """
        if not self._refs:
            return
        refs, rest = self._refs[:MOST], self._refs[MOST:]
        there, missing = ray.wait(refs, num_returns=len(refs), timeout=seconds, fetch_local=False)
        self._refs = rest + missing
        values = [(ref, self._values.pop(ref, None)) for ref in there]
        if there and not _read(there):
            self._refs += [value for ref, value in values if value is not None and not _read([ref])]

    def end(self) -> None:
        """The run is over."""
        until = time.monotonic() + END
        while self._refs and time.monotonic() < until:
            self.look(until - time.monotonic())


def _read(refs: list[Any]) -> bool:
    """Whether there is no error among them; to have asked is all it takes, for all of them."""
    try:
        ray.get(refs, timeout=END)
    except Exception:
        return False
    return True
