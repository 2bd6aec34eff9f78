"""What nodes print and display, kept per node while it still reaches the cell, where lines of several do not mix.

One proxy stands in for `sys.stdout` and `sys.stderr` while runs are under way; a context variable says which
node is printing, so that nodes in several threads do not mix.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import traceback
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

    def display(self, display: Display) -> None:
        """Keep what was displayed."""
        new = self._bounded(display)
        with self._lock:
            self.changes += 1
            if self._clear:
                self._forget()
            self._shown += 1
            new.at, new.number = self.written, self._shown
            self._displays.append(new)
            if len(self._displays) > DISPLAYS:
                self._displays.popleft()
                self.dropped += 1

    def update(self, display: Display) -> None:
        """Replace what was displayed under the same id, if it is kept here."""
        new = self._bounded(display)
        with self._lock:
            for old in self._displays:
                if old.display_id == new.display_id:
                    old.data, old.metadata, old.note = new.data, new.metadata, new.note
                    old.edition += 1
                    self.changes += 1

    def _bounded(self, display: Display) -> Display:
        data, metadata, note = dict(display.data), dict(display.metadata), ""
        if display.size > self.limit:
            note = f"A display of {display.size / 1e6:,.1f} MB was not kept: at most {self.limit / 1e6:g} MB of each are."
            data, metadata = {}, {}
        return Display(data, metadata, display.display_id, note=note)

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

    def find_display(self, number: object) -> Display | None:
        """The display with this number; None if it is not kept."""
        return next((display for display in list(self._displays) if display.number == number), None)

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
        background: Whether the run goes on in a thread of its own, and no cell waits for it.
    """

    __slots__ = ("background", "name", "outputs", "prefixed", "shown")

    def __init__(
        self,
        outputs: dict[str, Tail],
        name: str = "",
        *,
        shown: bool = True,
        prefixed: bool = False,
        background: bool = False,
    ) -> None:
        self.outputs, self.name = outputs, name
        self.shown, self.prefixed, self.background = shown, prefixed, background

    def tail(self) -> Tail:
        """Where the node's output is kept."""
        tail = self.outputs.get(self.name)
        return self.outputs.setdefault(self.name, Tail()) if tail is None else tail

    def display(self, display: Display) -> None:
        """Keep what the node displayed; an update also if another node of the run did, since ids belong to all."""
        if not display.update:
            self.tail().display(display)
            return
        for tail in list(self.outputs.values()):
            tail.update(display)

    @property
    def prefix(self) -> str:
        """What a line begins with in the cell."""
        return f"[{shorten(' '.join(self.name.split()))}] " if self.prefixed and self.name else ""


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


#: Called in the context of a node when its function has ended; None if there is nothing to do.
after_node: Callable[[], object] | None = None


def set_after_node(act: Callable[[], object] | None) -> None:
    """Let `act` be called in the context of each node that ran in this process, when its function has ended."""
    global after_node
    after_node = act


def end_node() -> None:
    """A node's function has ended in this context. Whatever goes wrong here is printed, and not the node's."""
    if after_node is not None:
        try:
            after_node()
        except Exception:
            traceback.print_exc()


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


#: Whether only a cell that waits for its run can answer `input()`, as in a notebook; a terminal can always.
_cells_answer = False


def set_cells_answer(yes: bool) -> None:
    """Say whether only a cell that waits for its run can answer `input()`."""
    global _cells_answer
    _cells_answer = yes


def refuse_input() -> None:
    """Raise if the node that runs in this context asks for input that nobody can give.

    Raises:
        EOFError: Names the node, and says what to do.
    """
    who = printer.get()
    if who is not None and (not who.shown or (who.background and _cells_answer)):
        raise EOFError(
            f"node {shorten(who.name)!r} asks for input, and no cell waits for its run: call workflow.run() in a cell"
        )


class NoInput:
    """Stands in for standard input: reading from it raises if nobody could answer.

    Args:
        stream: What it stands in for.
        why: Why nobody can ever answer; empty if only some nodes must not ask, see `refuse_input`.
    """

    def __init__(self, stream: Any, why: str = "") -> None:
        self._fuse_stream, self._why = stream, why

    def _checked(self) -> Any:
        refuse_input()
        if self._why:
            raise EOFError(self._why)
        return self._fuse_stream

    def read(self, *size: int) -> Any:
        return self._checked().read(*size)

    def readline(self, *size: int) -> Any:
        return self._checked().readline(*size)

    def readlines(self, *hint: int) -> Any:
        return self._checked().readlines(*hint)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._checked())

    def fileno(self) -> int:
        return int(self._checked().fileno())

    def close(self) -> None:
        if (
            self._fuse_stream is not None
        ):  # a process may have no standard input, and a child that it forks closes it
            self._fuse_stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fuse_stream, name)


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
_tees: dict[str, _Tee | NoInput] = {}
#: `print` in another thread may be at work with one: CPython before 3.13.3 keeps no reference to `sys.stdout` meanwhile, and
#: crashes where it is gone.
_retired: deque[_Tee | NoInput] = deque(maxlen=32)


@contextlib.contextmanager
def redirected() -> Iterator[None]:
    """Let `sys.stdout` and `sys.stderr` pass through to the node that prints, as long as anyone is in here."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for name, stand_in in (("stdout", _Tee), ("stderr", _Tee), ("stdin", NoInput)):
                if getattr(sys, name) is not None:  # as in a process without a terminal
                    _tees[name] = stand_in(getattr(sys, name))
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
