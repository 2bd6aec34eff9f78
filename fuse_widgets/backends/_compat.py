"""What the backends use of other packages that is not public there, each guarded. `tests/backends/test_compat.py` says what breaks."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["flush_c_stdout"]


@functools.cache
def _c_stdout() -> Callable[[], Any] | None:
    """What flushes the standard output of C in this process; None where it cannot be found."""
    try:
        library = ctypes.CDLL(None)
        stream = ctypes.c_void_p.in_dll(library, "__stdoutp" if sys.platform == "darwin" else "stdout")
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return lambda: library.fflush(stream)


def flush_c_stdout() -> None:
    """Write out what compiled code has printed by `printf`, which C holds back."""
    flush = _c_stdout()
    if flush is not None:
        flush()
