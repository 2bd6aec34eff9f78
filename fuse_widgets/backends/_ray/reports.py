"""Waiting for what Ray owes the driver: a report for each node."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from typing import Any

import ray

from .cluster import is_cut

__all__ = ["Reports"]

#: References that are waited for at a time, the oldest first; whether others are there is looked at in between. As many as
#: twice what came the last time, since Ray looks at each of them.
FEWEST, MOST = 64, 1024
#: Seconds between two looks at the others.
LOOK = 0.2
#: Seconds to wait, at most: where few are on their way, and where many are.
WAIT, WAIT_MANY = 0.05, 0.06


class Reports:
    """The references that are on their way, each with the place of its node."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}
        self._new: list[
            tuple[Any, int]
        ] = []  # not in `_places` yet: to hash a reference asks the server of a Ray client
        self._look_at = 0.0
        self._window = FEWEST

    def __len__(self) -> int:
        return len(self._places) + len(self._new)

    def expect(self, ref: Any, place: int) -> None:
        """A node's report, or what follows it, will come as `ref`."""
        self._new.append((ref, place))

    def forget(self, ref: Any) -> None:
        """Nobody is interested any more."""
        self._settle()
        self._places.pop(ref, None)

    def _settle(self) -> None:
        self._places.update(self._new)
        self._new.clear()

    def take(self, *, wait: bool, first: bool) -> Iterable[tuple[int, Any]]:
        """What has come, parents first: places, with what came or the exception in its place.

        Args:
            wait: Wait a moment for more, instead of only looking.
            first: Let the wait end with the first that comes, since that lets another node start.
        """
        self._settle()
        if not self._places:
            if wait:
                time.sleep(WAIT)
            return
        seconds = 0.0 if not wait else WAIT_MANY if len(self._places) > FEWEST else WAIT
        oldest = list(itertools.islice(self._places, self._window))
        arrived = _there(oldest, seconds, 1 if first else len(oldest))
        if first and arrived:
            arrived = _there(oldest, 0, len(oldest))
        self._window = min(max(FEWEST, 2 * len(arrived)), MOST)
        if len(self._places) > len(oldest) and time.monotonic() > self._look_at:
            others = list(itertools.islice(self._places, len(oldest), None))
            arrived += _there(others, 0, len(others))
            self._look_at = time.monotonic() + LOOK
        arrived.sort(key=self._places.__getitem__)
        for ref, content in zip(arrived, _contents(arrived), strict=True):
            place = self._places.pop(ref, None)
            if place is not None:  # else it was forgotten, on account of one before it
                yield place, content


def _there(refs: list[Any], seconds: float, enough: int) -> list[Any]:
    found: list[Any] = ray.wait(refs, num_returns=enough, timeout=seconds, fetch_local=False)[0]
    return found


def _contents(refs: list[Any]) -> list[Any]:
    if not refs:
        return []
    try:
        return list(ray.get(refs))
    except Exception as error:
        if is_cut(error):
            raise
        return [_content(ref) for ref in refs]


def _content(ref: Any) -> Any:
    try:
        return ray.get(ref)
    except Exception as error:
        if is_cut(error):
            raise
        return error
