"""Raising an exception in another thread."""

from __future__ import annotations

import ctypes
import threading

__all__ = ["interrupted", "raise_in", "take_back"]

#: Threads in which something was raised that they have not taken back since.
_sent: set[int] = set()


def raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise `error` in a thread at its next jump or call."""
    _sent.add(thread)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


class _TakenBack(BaseException):
    """Takes the place of what was to be raised."""


def take_back() -> None:
    """Take back what is to be raised in this thread and has not been yet.

    Something else is raised in its place, and caught. Where it is only taken away, CPython (seen in 3.11) looks for it at
    each bytecode from then on, and whoever traces lines, as a debugger does, never gets past one.
    """
    try:
        raise_in(threading.get_ident(), _TakenBack)
        for _ in range(1_000_000):
            pass
    except _TakenBack:
        pass
    _sent.discard(threading.get_ident())


def interrupted(thread: int | None) -> bool:
    """Return whether something was raised in a thread by another one, and not taken back since."""
    return thread in _sent
