"""Worker processes end when the process that started them does, however that ends and whatever they run.

The parent holds the writing end of a pipe, and the kernel closes it when the parent is gone. On Linux the worker asks
for SIGKILL as soon as its end is closed (`O_ASYNC` with `F_SETSIG`): that needs no thread and no GIL, so compiled code
that never returns is ended as well. Elsewhere, or if a forked child keeps the pipe open, a thread of the worker finds out.
`PR_SET_PDEATHSIG` would be simpler, but it fires when the *thread* that started the worker ends, as that of `start()`.

On POSIX a worker leads a process group of its own, so that the processes which its nodes started end with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from multiprocessing.connection import wait
from typing import Any

__all__ = ["Lifeline", "end_with_parent"]

#: Seconds between two looks for the parent.
INTERVAL = 1.0


class Lifeline:
    """The parent's end of the pipe; the workers that hold `reader` end if `close()` is called or the parent ends."""

    def __init__(self) -> None:
        from loky.backend.context import get_context

        self.reader, self._writer = get_context("loky").Pipe(duplex=False)

    def close(self) -> None:
        """End the workers."""
        self._writer.close()
        self.reader.close()


def end_with_parent(reader: Any, parent: int) -> None:
    """In a worker process: end when `reader` is closed at its other end, or `parent` is no longer the parent.

    Args:
        reader: `Lifeline.reader`.
        parent: The process that started this one.
    """
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        # A process group in the background is stopped if it reads from the terminal.
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
    if sys.platform == "linux":
        _ask_for_signal(reader.fileno())
    threading.Thread(target=_watch, args=(reader, parent), name="fuse parent", daemon=True).start()


def _ask_for_signal(reader: int) -> None:
    import fcntl

    with contextlib.suppress(OSError, AttributeError):  # an emulated Linux may not have it
        group = -os.getpgrp() if os.getpgrp() == os.getpid() else os.getpid()
        fcntl.fcntl(reader, fcntl.F_SETOWN, group)
        fcntl.fcntl(reader, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)


def _watch(reader: Any, parent: int) -> None:
    while not wait([reader], INTERVAL):
        if os.name == "posix" and os.getppid() != parent:
            break
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
