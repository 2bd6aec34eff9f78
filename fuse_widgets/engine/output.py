"""What nodes print and display, kept per node while it still reaches the cell, where lines of several do not mix.

One proxy stands in for `sys.stdout` and `sys.stderr` while runs are under way; a context variable says which
node is printing, so that nodes in several threads do not mix.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

__all__ = ["LIMIT", "Printer", "Tail", "current", "printer", "redirected", "show"]

#: How much of a node's output is kept, and how much of it reaches the cell, in characters (1 MB).
LIMIT = 1_000_000


class Tail:
    """The last `limit` characters written, and the last displays.

    Attributes:
        displays: MIME bundles that the node displayed, the newest last.
        written: How many characters were written in all.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.written = 0
        self.displays: deque[dict[str, Any]] = deque(maxlen=16)
        self._parts: deque[str] = deque()
        self._kept = 0
        self._lock = threading.Lock()
        self._open: list[str] = []  # the line that is yet to end, for the cell
        self._stream: Any = None  # and where it goes

    def write(self, text: str) -> str:
        """Keep `text`; return the part of it that should reach the cell."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            room = self.limit - self.written
            self.written += len(text)
            part = text if len(text) <= self.limit else text[-self.limit :]
            self._parts.append(part)
            self._kept += len(part)
            while self._kept - len(self._parts[0]) >= self.limit:
                self._kept -= len(self._parts.popleft())
        if room >= len(text):
            return text
        if room >= 0:
            return f"{text[:room]}\n… more was printed: its last {self.limit:,} characters are kept with the node\n"
        return ""

    def show(self, text: str, stream: Any) -> None:
        """Write whole lines to `stream`; what is left is held back until its line ends, or `settle()`.

        What follows a carriage return is held back as well, until it is about to be overwritten.
        """
        with self._lock:
            before, line = self._stream, ""
            if before is not stream:
                line, self._open = "".join(self._open), []
                self._stream = stream
            end = max(text.rfind("\n") + 1 or -1, text.rfind("\r"))
            ready = ""
            if end >= 0:
                ready = "".join(self._open) + text[:end]
                self._open = []
            self._open.append(text[end:] if end > 0 else text)
        if line:
            before.write(line)
        if ready:
            stream.write(ready)

    def settle(self) -> None:
        """Write what is held back of a line: no more of it will come, or the node asks for it."""
        with self._lock:
            line, self._open = "".join(self._open), []
        if line:
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more, or it was closed
                self._stream.write(line)

    def display(self, bundle: dict[str, Any]) -> None:
        """Keep what was displayed: MIME types and data, unless it is larger than the limit."""
        if sum(len(data) for data in bundle.values() if isinstance(data, str | bytes)) <= self.limit:
            self.displays.append(dict(bundle))

    @property
    def text(self) -> str:
        """The last `limit` characters that were written."""
        with self._lock:
            return "".join(self._parts)[-self.limit :]

    def end(self, count: int) -> tuple[str, int]:
        """The last `count` characters, or what of them is kept, and how many were written in all."""
        with self._lock:
            return self._last(count), self.written

    def since(self, position: int) -> tuple[str, int]:
        """What was written after the first `position` characters, as far as it is kept, and how many there are in all."""
        with self._lock:
            return self._last(self.written - position), self.written

    def _last(self, count: int) -> str:
        parts: list[str] = []
        missing = min(count, self.limit)
        for part in reversed(self._parts):
            if missing <= 0:
                break
            parts.append(part[-missing:])
            missing -= len(part)
        return "".join(reversed(parts))

    def __repr__(self) -> str:
        return f"<Tail of {self.written:,} characters, {len(self.displays)} displays>"


class Printer:
    """Who prints: a node of a run. Its `Tail` is made when it first does.

    Attributes:
        outputs: The outputs of the run, by name of the node.
        name: The node; a loop that runs one node after another changes it.
    """

    __slots__ = ("name", "outputs")

    def __init__(self, outputs: dict[str, Tail], name: str = "") -> None:
        self.outputs, self.name = outputs, name

    def tail(self) -> Tail:
        """Where the node's output is kept."""
        tail = self.outputs.get(self.name)
        return self.outputs.setdefault(self.name, Tail()) if tail is None else tail


#: Whom this context prints for.
printer: ContextVar[Printer | None] = ContextVar("fuse_printer", default=None)


def current() -> Tail | None:
    """Where the node that runs in this context prints to; None outside of nodes."""
    found = printer.get()
    return None if found is None else found.tail()


def show(who: Printer, text: str) -> None:
    """Write what a node printed elsewhere to this context's standard output, and keep it with the node."""
    token = printer.set(who)
    try:
        stream = sys.stdout
        stream.write(text)
        getattr(stream, "_fuse_stream", stream).flush()  # not what is held back of a line
    except (OSError, ValueError):  # nobody reads standard output any more, or it was closed
        pass
    finally:
        printer.reset(token)


class _Tee:
    """A stream that gives a copy of what is written to the node that writes it."""

    def __init__(self, stream: Any) -> None:
        self._fuse_stream = stream

    def write(self, text: str) -> int:
        tail = current()
        shown = text if tail is None else tail.write(text)
        if tail is not None and not shown.isascii():
            # With half a surrogate pair in it, Jupyter would lose it and all that other nodes printed meanwhile.
            shown = shown.encode("utf-8", "replace").decode()
        if tail is None:
            self._fuse_stream.write(shown)
        elif shown:
            tail.show(shown, self._fuse_stream)
        return len(text)

    def flush(self) -> None:
        who = printer.get()
        tail = None if who is None else who.outputs.get(who.name)
        if tail is not None:
            tail.settle()
        self._fuse_stream.flush()

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fuse_stream, name)


_lock = threading.Lock()
_users = 0
_tees: dict[str, _Tee] = {}
#: `print` in another thread may be at work with one: CPython before 3.13.3 keeps no reference to `sys.stdout` meanwhile, and
#: crashes where it is gone.
_retired: deque[_Tee] = deque(maxlen=32)


@contextlib.contextmanager
def redirected() -> Iterator[None]:
    """Let `sys.stdout` and `sys.stderr` pass through to the node that prints, as long as anyone is in here."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for name in ("stdout", "stderr"):
                _tees[name] = _Tee(getattr(sys, name))
                setattr(sys, name, _tees[name])
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for name, tee in _tees.items():
                    if getattr(sys, name) is tee:
                        setattr(sys, name, tee._fuse_stream)
                _retired.extend(_tees.values())
                _tees.clear()
