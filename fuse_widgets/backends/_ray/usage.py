"""What a node uses of its worker: CPU seconds of the process, and the peak of its memory."""

from __future__ import annotations

import os
import sys
import time

__all__ = ["begin", "used"]


def begin() -> float:
    """Begin to measure; returns what `used` needs."""
    _reset_peak()
    return _usage()[0]


def used(before: float) -> tuple[float, int]:
    """CPU seconds since `begin`, and bytes of memory at most since then; since the process began where not on Linux."""
    seconds, peak = _usage()
    return max(0.0, seconds - before), peak


if sys.platform == "win32":

    def _usage() -> tuple[float, int]:
        return time.process_time(), 0

else:
    import resource

    def _usage() -> tuple[float, int]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        size = usage.ru_maxrss
        return usage.ru_utime + usage.ru_stime, size if sys.platform == "darwin" else size * 1024


def _reset_peak() -> None:
    """Let the peak of the process's memory begin anew, where the system can (Linux)."""
    try:
        if not _clear:
            _clear.append(os.open("/proc/self/clear_refs", os.O_WRONLY))
        os.write(_clear[0], b"5")
    except OSError:
        pass


_clear: list[int] = []
