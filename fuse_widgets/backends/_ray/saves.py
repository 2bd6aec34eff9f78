"""Results that tasks of their own save, where storage is on another machine than the nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import why_not_saved
from .reports import Reports
from .stored import RayStored, not_saved
from .task import Report

__all__ = ["Saves"]


class Saves:
    """The nodes that are done, but for the saving.

    Args:
        stored: Knows whether storage is still there.

    Attributes:
        refs: What Ray owes for the saving, by place of the node.
    """

    def __init__(self, stored: RayStored) -> None:
        self.refs: dict[int, Any] = {}
        self._stored = stored
        self._done: dict[int, Report] = {}
        self._reports = Reports()

    def expect(self, place: int, ref: Any, report: Report) -> None:
        """A node has come to its end as `report` says, and what saves its result will report as `ref`."""
        self.refs[place], self._done[place] = ref, report
        self._reports.expect(ref, place)

    def take(self, *, wait: bool) -> Iterable[tuple[int, Report]]:
        """The nodes whose saving has ended, or is in vain since storage is gone: places, with what is to be told.

        Args:
            wait: Wait a moment for the first, instead of only looking.
        """
        gone = self._stored.gone
        if gone is not None:
            for place, ref in list(self.refs.items()):
                self._reports.forget(ref)
                yield place, self._ended(place, not_saved(gone))
            return
        for place, content in self._reports.take(wait=wait and bool(self.refs), first=True):
            bad = isinstance(content, Exception)
            yield place, self._ended(place, not_saved(why_not_saved(content)) if bad else content)

    def _ended(self, place: int, saved: dict[str, Any]) -> Report:
        del self.refs[place]
        return self._done.pop(place)._replace(saved=saved)
