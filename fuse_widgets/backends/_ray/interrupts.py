"""Interrupting a node on a Ray worker."""

from __future__ import annotations

import signal
import threading
from _signal import getsignal  # type: ignore[import-not-found]  # without the search for an enum, for each node
from typing import Any

__all__ = ["interrupts"]

_SIGINT = int(signal.SIGINT)


class _Interrupts:
    """`ray.cancel` interrupts a task: asked once, a node that runs may finish; asked again, it is interrupted.

    So `ray.cancel` can be called on all tasks that have not ended, without knowing which of them have begun.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._running = False
        self._mine = self._on_signal
        self._previous: Any = None

    @property
    def stopping(self) -> bool:
        return self.asked > 1

    def __enter__(self) -> None:
        self.asked = 0
        if threading.get_ident() == threading.main_thread().ident:
            handler = getsignal(_SIGINT)
            if handler is not self._mine:  # the first time, or a node has put its own there
                signal.signal(signal.SIGINT, self._mine)
                if self._previous is None:
                    self._previous = handler
        self._running = True

    def __exit__(self, *_: object) -> None:
        self._running = False

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._running:
            self.asked += 1
            if self.asked > 1:
                raise KeyboardInterrupt
        elif callable(self._previous):
            self._previous(number, frame)


interrupts = _Interrupts()
