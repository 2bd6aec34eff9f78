"""What a job prints in a worker process, live: sent through a pipe while it runs, and whole with its outcome.

Each piece says where it ends in all that the job has printed. So it does not matter which of the two ways is quicker:
what has come before is left out, and what never came comes with the outcome. Results do not go through this pipe.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from ..engine.output import LIMIT, Tail

__all__ = ["Incoming", "Outgoing", "Pipe", "connect"]

#: Seconds between two pieces of one job.
INTERVAL = 0.1

# --- in the worker process -----------------------------------------------------------------------------------

_connection: Any = None
_owner = 0
_sending = threading.Lock()


def connect(connection: Any) -> None:
    """Send what the jobs of this process print through `connection`."""
    global _connection, _owner
    _connection, _owner = connection, os.getpid()


class Outgoing:
    """What one job prints; begins to send when something is.

    Args:
        job: Number of the job.
    """

    def __init__(self, job: int) -> None:
        self.tail = Tail()
        self._job = job
        self._ended = threading.Event()
        self._begun = threading.Lock()

    def write(self, text: str) -> None:
        self.tail.write(text)
        # a process that the job has forked prints for itself
        if _owner == os.getpid() and self._begun.acquire(blocking=False):
            threading.Thread(target=self._send, name="fuse prints", daemon=True).start()

    def end(self) -> None:
        """The job has ended: the rest goes with its outcome."""
        self._ended.set()

    def _send(self) -> None:
        sent = 0
        while not self._ended.wait(INTERVAL):
            text, written = self.tail.since(sent)
            if written > sent:
                with _sending, contextlib.suppress(OSError, ValueError):  # nobody listens any more
                    _connection.send((self._job, written, text))
                sent = written


# --- in the process of the scheduler -------------------------------------------------------------------------


class Incoming:
    """What a job has printed and is yet to be shown; one thread adds, another takes.

    State: everything changes under `_lock`. `_end` is where the text that has come ends, `_shown` what was taken.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = ""
        self._end = self._shown = 0

    def add(self, written: int, text: str) -> bool:
        """Add what ends at `written`; whether there was nothing to take before, and is now."""
        with self._lock:
            fresh = text[len(text) - min(len(text), max(0, written - self._end)) :]
            if not fresh:
                return False
            was_empty, gap = not self._text, written - len(fresh) > self._end
            self._text = (fresh if gap else self._text + fresh)[-LIMIT:]
            self._end = written
            return was_empty

    def take(self) -> str:
        """The text since the last call; where something is missing before it, that is said."""
        with self._lock:
            text, self._text = self._text, ""
            missing = self._end - len(text) - self._shown
            self._shown = self._end
        return (
            f"… {missing:,} characters that were printed before this were not kept\n{text}"
            if missing
            else text
        )


class Pipe:
    """Takes in what the jobs of one worker process print.

    Args:
        name: Of the process.
    """

    def __init__(self, name: str) -> None:
        from loky.backend.context import get_context

        self._reader, self.writer = get_context("loky").Pipe(duplex=False)
        self._wanted: tuple[int, Callable[[int, str], object]] = (0, lambda written, text: None)
        threading.Thread(target=self._read, name=f"fuse prints of {name}", daemon=True).start()

    def expect(self, job: int, printed: Callable[[int, str], object]) -> None:
        """From now on hand over what this job prints: where it ends, and the text."""
        self._wanted = (job, printed)

    def close(self) -> None:
        """Stop reading once the worker process is gone."""
        self.writer.close()

    def _read(self) -> None:
        with self._reader, contextlib.suppress(EOFError, OSError):
            while True:
                job, written, text = self._reader.recv()
                wanted, printed = self._wanted
                if job == wanted:
                    printed(written, text)
