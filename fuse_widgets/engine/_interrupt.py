"""Raising an exception in another thread."""

from __future__ import annotations

import ctypes

__all__ = ["raise_in"]


def raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise `error` in a thread at its next bytecode; None takes back what has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )
