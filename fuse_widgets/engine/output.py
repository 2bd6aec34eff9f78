"""What nodes print and display, kept per node while it still reaches the cell, where lines of several do not mix.

One proxy stands in for `sys.stdout` and `sys.stderr` while runs are under way; a context variable says which
node is printing, so that nodes in several threads do not mix.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from .errors import shorten

__all__ = [
    "DISPLAYS",
    "LIMIT",
    "Clear",
    "Display",
    "Printer",
    "Tail",
    "current",
    "in_no_cell",
    "printer",
    "redirected",
    "set_publisher",
    "show",
]

#: How much of a node's output is kept, and how much of it reaches the cell, in characters (1 MB). A larger display is not kept.
LIMIT = 1_000_000
#: How many displays of a node are kept.
DISPLAYS = 16


@dataclass(eq=False)
class Display:
    """What a node displayed at one place.

    Attributes:
        data: MIME types and their content; empty if it was too large to keep.
        metadata: What belongs to it, by MIME type.
        display_id: Updates name it; None if it cannot be updated.
        update: Whether it replaces earlier displays of the same `display_id`.
        at: How many characters the node had printed before it.
        number: 1 for the node's first display.
        edition: How often it was updated.
        note: What was left out, empty if nothing was.
    """

    data: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    display_id: str | None = None
    update: bool = False
    at: int = 0
    number: int = 0
    edition: int = 0
    note: str = ""

    @property
    def size(self) -> int:
        """Its characters and bytes, as far as they can be counted without formatting anything."""
        return sum(len(data) for data in self.data.values() if isinstance(data, str | bytes))


@dataclass(frozen=True)
class Clear:
    """A node cleared its output, as `IPython.display.clear_output` does.

    Attributes:
        wait: Clear when something new comes, not at once.
    """

    wait: bool = False


class Tail:
    """The last `limit` characters written, and the last displays.

    Attributes:
        written: How many characters were written in all.
        changes: How often anything but text changed: displays, updates, clearing.
        dropped: How many displays were let go because there were too many.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.written = self.changes = self.dropped = 0
        self._displays: deque[Display] = deque()
        self._shown = 0  # displays so far
        self._parts: deque[str] = deque()
        self._kept = 0
        self._clear = False  # before the next piece comes
        self._cleared = 0  # characters that were written before it was last cleared
        self._lock = threading.Lock()
        self._open: list[str] = []  # the line that is yet to end, for the cell
        self._stream: Any = None  # and where it goes
        self._prefix = ""
        self._within = False  # the cell has the beginning of a line of this node

    def write(self, text: str) -> str:
        """Keep `text`; return the part of it that should reach the cell."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            if self._clear and text:
                self._forget()
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

    def show(self, text: str, stream: Any, prefix: str = "") -> None:
        """Write whole lines to `stream`; what is left is held back until its line ends, or `settle()`.

        What follows a carriage return is held back as well, until it is about to be overwritten.

        Args:
            text: What was written.
            stream: The cell's.
            prefix: Begins each line, and what overwrites one.
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
                line = self._prefixed(line)
            self._prefix = prefix
            if ready:
                ready = self._prefixed(ready)
        if line:
            before.write(line)
        if ready:
            stream.write(ready)

    def settle(self) -> None:
        """Write what is held back of a line: no more of it will come, or the node asks for it."""
        with self._lock:
            line, self._open = "".join(self._open), []
            if line:
                line = self._prefixed(line)
        if line:
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more, or it was closed
                self._stream.write(line)

    def _prefixed(self, text: str) -> str:
        within, self._within = self._within, text[-1] not in "\r\n"
        if not self._prefix:
            return text
        begin = "" if within or text[0] in "\r\n" else self._prefix
        return begin + _LINE_START.sub(lambda _: self._prefix, text)

    def display(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        display_id: str | None = None,
        update: bool = False,
    ) -> None:
        """Keep what was displayed, or replace what was displayed under the same id.

        Args:
            data: MIME types and their content.
            metadata: What belongs to it.
            display_id: What updates name it by.
            update: Replace the displays with this id; one that is not kept any more is passed over.
        """
        new = Display(dict(data), dict(metadata or {}), display_id)
        if new.size > self.limit:
            new.note = f"A display of {new.size / 1e6:,.1f} MB was not kept: at most {self.limit / 1e6:g} MB of each are."
            new.data, new.metadata = {}, {}
        with self._lock:
            self.changes += 1
            if update:
                for old in self._displays:
                    if old.display_id == display_id:
                        old.data, old.metadata, old.note = new.data, new.metadata, new.note
                        old.edition += 1
                return
            if self._clear:
                self._forget()
            self._shown += 1
            new.at, new.number = self.written, self._shown
            self._displays.append(new)
            if len(self._displays) > DISPLAYS:
                self._displays.popleft()
                self.dropped += 1

    def clear(self, wait: bool = False) -> None:
        """Forget what was printed and displayed: at once, or with `wait` when something new comes."""
        with self._lock:
            if wait:
                self._clear = True
            else:
                self._forget()

    def _forget(self) -> None:
        self._cleared = self.written
        self._parts.clear()
        self._displays.clear()
        self._kept = self.dropped = 0
        self._clear = False
        self.changes += 1

    @property
    def displays(self) -> list[dict[str, Any]]:
        """The MIME bundles of the last displays, the newest last; an empty one was too large to keep."""
        return [display.data for display in list(self._displays)]

    @property
    def text(self) -> str:
        """The last `limit` characters that were written."""
        with self._lock:
            return "".join(self._parts)[-self.limit :]

    def pieces(self, count: int) -> tuple[list[str | Display], int]:
        """The last `count` characters and the displays, in order, and how many characters were left out before them."""
        with self._lock:
            text = self._last(count)
            displays = list(self._displays)
            start, cleared = self.written - len(text), self._cleared
        pieces: list[str | Display] = []
        done = 0
        for display in displays:
            end = max(display.at - start, done)
            if end > done:
                pieces.append(text[done:end])
                done = end
            pieces.append(display)
        if done < len(text):
            pieces.append(text[done:])
        return pieces, start - cleared

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
        return f"<Tail of {self.written:,} characters, {len(self._displays)} displays>"


#: Where a line begins within a text, unless it is empty.
_LINE_START = re.compile(r"(?<=[\n\r])(?=[^\n\r])")


class Printer:
    """Who prints: a node of a run. Its `Tail` is made when it first does.

    Attributes:
        outputs: The outputs of the run, by name of the node.
        name: The node; a loop that runs one node after another changes it.
        shown: Whether it reaches the cell or the terminal as well.
        prefixed: Whether its lines begin with the name of the node there.
    """

    __slots__ = ("name", "outputs", "prefixed", "shown")

    def __init__(
        self, outputs: dict[str, Tail], name: str = "", *, shown: bool = True, prefixed: bool = False
    ) -> None:
        self.outputs, self.name, self.shown, self.prefixed = outputs, name, shown, prefixed

    def tail(self) -> Tail:
        """Where the node's output is kept."""
        tail = self.outputs.get(self.name)
        return self.outputs.setdefault(self.name, Tail()) if tail is None else tail

    @property
    def prefix(self) -> str:
        """What a line begins with in the cell."""
        return f"[{shorten(' '.join(self.name.split()))}] " if self.prefixed else ""


#: Whom this context prints for.
printer: ContextVar[Printer | None] = ContextVar("fuse_printer", default=None)
#: Whether runs that begin in this context belong to no cell: what their nodes print is kept with them, and shown nowhere else.
_no_cell: ContextVar[bool] = ContextVar("fuse_no_cell", default=False)


@contextlib.contextmanager
def in_no_cell() -> Iterator[None]:
    """Let the runs that begin in here belong to no cell."""
    token = _no_cell.set(True)
    try:
        yield
    finally:
        _no_cell.reset(token)


def has_cell() -> bool:
    """Whether a run that begins in this context has a cell, or a terminal, to print to."""
    return not _no_cell.get()


def current() -> Tail | None:
    """Where the node that runs in this context prints to; None outside of nodes."""
    found = printer.get()
    return None if found is None else found.tail()


#: Publishes a display, or clears the output, in the cell of this context, and keeps it with the node that displays.
_publish: Callable[[Display | Clear], object] | None = None


def set_publisher(publish: Callable[[Display | Clear], object] | None) -> None:
    """Let `publish` show what nodes display in other processes, and keep it; None if nothing here can show it."""
    global _publish
    _publish = publish


def can_publish() -> bool:
    """Whether displays can be shown here."""
    return _publish is not None


def show(who: Printer, piece: str | Display | Clear) -> None:
    """Show what a node printed or displayed elsewhere in this context's cell, and keep it with the node."""
    token = printer.set(who)
    try:
        if not isinstance(piece, str):
            if _publish is not None:
                _publish(piece)
            return
        stream = sys.stdout
        stream.write(piece)
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
        who = printer.get()
        if who is None:
            self._fuse_stream.write(text)
            return len(text)
        tail = who.tail()
        shown = tail.write(text)
        if shown and who.shown:
            if not shown.isascii():
                # With half a surrogate pair in it, Jupyter would lose it and all that other nodes printed meanwhile.
                shown = shown.encode("utf-8", "replace").decode()
            tail.show(shown, self._fuse_stream, who.prefix)
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
