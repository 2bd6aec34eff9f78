"""Previews of results: the richest form that Jupyter's formatters give, made on a thread that may be abandoned.

Formatters are other people's code: they may raise, hang, or return far too much.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..engine._interrupt import raise_in, take_back
from ..engine.errors import FuseError, message_of, shorten
from ._forms import form_of
from .commands import CommandError

__all__ = ["start_preview"]

#: Seconds that the formatters of a value have, and that reading it from storage may take.
FORMATTING, READING = 2.0, 30.0


class _TooLong(BaseException):  # not an Exception, which a formatter might swallow
    """Raised in the thread of a preview whose time is up."""


def start_preview(load: Callable[[], Any]) -> Future[dict[str, Any]]:
    """Make the preview of a value on a daemon thread of its own.

    Args:
        load: Gives the value; called on that thread.

    Returns:
        What will be `Preview` of types.ts, or a `CommandError` that says what went wrong.
    """
    making = _Making(load)
    threading.Thread(target=making.work, name="fuse preview", daemon=True).start()
    return making.future


class _Making:
    """One preview on its way. State: `_ended` and `_sent` change under `_lock`."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self.future: Future[dict[str, Any]] = Future()
        self._load = load
        self._lock = threading.Lock()
        self._ended = self._sent = False
        self._thread = 0
        self._timer: threading.Timer | None = None

    def work(self) -> None:
        """Make it; the body of the thread."""
        self._thread = threading.get_ident()
        preview: dict[str, Any] | None = None
        failed: BaseException | None = None
        try:
            try:
                self._limit(READING, "reading the result from storage")
                value = self._load()
                self._limit(FORMATTING, "formatting the result")
                preview = form_of(value)
            except BaseException as error:  # SystemExit and the like, from a formatter
                failed = error
            self._end()
        except _TooLong:  # it came on the way out
            self._end()
        if not self._sent:
            if failed is not None or preview is None:
                self.future.set_exception(_in_words(failed))
            else:
                self.future.set_result(preview)

    def _limit(self, seconds: float, what: str) -> None:
        """Give up after so many seconds, unless there is another limit by then."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, self._give_up, (seconds, what))
        self._timer.daemon = True
        self._timer.start()

    def _give_up(self, seconds: float, what: str) -> None:
        with self._lock:
            if self._ended or self._sent or threading.current_thread() is not self._timer:
                return
            self._sent = True
            raise_in(self._thread, _TooLong)
        self.future.set_exception(CommandError(f"{what} takes longer than {seconds:g} s and was given up"))

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            if self._sent:
                take_back()
        if self._timer is not None:
            self._timer.cancel()


def _in_words(error: BaseException | None) -> CommandError:
    if isinstance(error, FuseError):
        return CommandError(shorten(message_of(error), 1000))
    said = "" if error is None else f": {shorten(message_of(error), 1000)}"
    return CommandError(f"the result cannot be shown: {type(error).__name__}{said}")
