"""What a job prints and displays in a worker process, its child processes and compiled code included, live.

While a job runs, file descriptors 1 and 2 of its process are a pipe of its own, whose other end the process of the scheduler
holds: so what was written before a crash is there after it, and what a child process prints once its job is over goes to
nobody. Displays go through another pipe, and a mark in the first one says where each belongs.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import pickle
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from ..engine.output import LIMIT, Clear, Display, NoInput
from ._compat import flush_c_stdout
from ._displays import install

__all__ = ["Incoming", "Piece", "Pipe", "connect", "recorded"]

#: What a job printed, displayed, or that it cleared its output.
Piece = str | Display | Clear
#: Seconds that the reader waits for more after a piece that was small.
INTERVAL = 0.02
#: Bytes read at a time, and how many a pipe should hold.
CHUNK, CAPACITY = 1 << 18, 1 << 20
#: Displays that wait to be shown.
WAITING = 64

# --- in the worker process -----------------------------------------------------------------------------------


class _Worker:
    """What this process sends through.

    Attributes:
        connection: To the process of the scheduler; None in one that was not started by it.
        owner: The process that `connection` belongs to: one that a job has forked has a copy.
        streams: Standard output and error of every job.
        before: Copies of file descriptors 1 and 2, as they are between jobs.
    """

    def __init__(self) -> None:
        self.connection: Any = None
        self.owner = 0
        self.streams: tuple[io.TextIOWrapper, io.TextIOWrapper] | None = None
        self.before: list[int] = []
        self.pipe = self.displays = -1
        self.mark = b""
        self.sending = threading.Lock()


_worker = _Worker()


def connect(connection: Any, displays: bool = False) -> None:
    """Send what the jobs of this process print through `connection`, and with `displays` what they display as well."""
    sys.stdin = NoInput(
        sys.stdin,
        "input() cannot ask anybody from a worker process: run this node with executor 'inline', from a cell or a terminal",
    )
    if os.name == "nt":  # pipes cannot be handed over, and what is printed goes where the process prints to
        return
    _worker.connection, _worker.owner = connection, os.getpid()
    _worker.before = [_copy(1), _copy(2)]
    # One pair for all jobs: a handler of `logging` that keeps `sys.stderr` prints for the job that runs then.
    _worker.streams = (_stream(1), _stream(2))
    if displays:
        install(send)


def _copy(descriptor: int) -> int:
    try:
        return os.dup(descriptor)
    except OSError:  # it is closed
        return os.open(os.devnull, os.O_WRONLY)


def _stream(descriptor: int) -> io.TextIOWrapper:
    """A stream to a file descriptor, whatever that is at the time of writing, that keeps nothing back."""
    raw: Any = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        raw, encoding="utf-8", errors="surrogatepass", newline="\n", line_buffering=True, write_through=True
    )


@contextlib.contextmanager
def recorded(job: int) -> Iterator[None]:
    """Let all that this process and its children print in here belong to a job."""
    worker = _worker
    if worker.connection is None or worker.streams is None:
        yield
        return
    reader, pipe = os.pipe()
    _enlarge(pipe)
    mark = b"\0fuse " + os.urandom(16).hex().encode() + b"\0"
    with worker.sending, contextlib.suppress(OSError):  # nobody listens any more
        worker.connection.send((job, mark))
        send_handle(worker.connection, reader, 0)
    os.close(reader)
    stdout, stderr = sys.stdout, sys.stderr
    worker.pipe, worker.mark = pipe, mark
    os.dup2(pipe, 1)
    os.dup2(pipe, 2)
    sys.stdout, sys.stderr = worker.streams
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr, *worker.streams):
            with contextlib.suppress(Exception):  # the job may have put anything there
                stream.flush()
        flush_c_stdout()
        sys.stdout, sys.stderr = stdout, stderr
        for number, before in enumerate(worker.before, 1):
            os.dup2(before, number)
        os.close(pipe)
        if worker.displays >= 0:
            os.close(worker.displays)
        worker.pipe = worker.displays = -1


def _enlarge(pipe: int) -> None:
    """Let a pipe hold more, so that a job seldom waits for the reader."""
    with contextlib.suppress(
        ImportError, AttributeError, OSError
    ):  # Linux alone has it, and has a limit for each user
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, CAPACITY)


def send(piece: Display | Clear) -> bool:
    """Send what the job of this process displays; whether that can be done."""
    worker = _worker
    if worker.pipe < 0 or worker.owner != os.getpid():
        return False
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    flush_c_stdout()
    content = memoryview(pickle.dumps(piece, protocol=5))
    with worker.sending, contextlib.suppress(OSError):
        if worker.displays < 0:
            reader, worker.displays = os.pipe()
            _enlarge(worker.displays)
            worker.connection.send(None)
            send_handle(worker.connection, reader, 0)
            os.close(reader)
        os.write(worker.pipe, worker.mark)  # less than a pipe takes at once, and so in one piece
        for part in (memoryview(_LENGTH.pack(len(content))), content):
            while part:
                part = part[os.write(worker.displays, part) :]
    return True


_LENGTH = struct.Struct("<Q")


# --- in the process of the scheduler -------------------------------------------------------------------------


class Incoming:
    """What a job has printed and is yet to be shown; one thread adds, another takes. Text and displays are bounded.

    State: everything changes under `_lock`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: deque[Piece] = deque()
        self._characters = self._displays = 0
        self._lost = self._lost_displays = 0

    def add(self, piece: Piece) -> bool:
        """Add a piece; whether there was nothing to take before, and is now."""
        with self._lock:
            was_empty = not self._pieces
            if not isinstance(piece, str):
                self._pieces.append(piece)
                self._displays += 1
                while self._displays > WAITING:
                    self._drop_display()
                return was_empty
            if not piece:
                return False
            if was_empty or not isinstance(self._pieces[-1], str):
                self._pieces.append(piece)
            else:
                self._pieces[-1] += piece
            self._characters += len(piece)
            if self._characters > LIMIT:
                self._drop_text(self._characters - LIMIT)
            return was_empty

    def _drop_text(self, count: int) -> None:
        self._characters -= count
        self._lost += count
        kept: deque[Piece] = deque()
        for piece in self._pieces:
            if isinstance(piece, str) and count:
                cut = min(count, len(piece))
                count -= cut
                piece = piece[cut:]
            if piece != "":
                kept.append(piece)
        self._pieces = kept

    def _drop_display(self) -> None:
        place = next(i for i, piece in enumerate(self._pieces) if not isinstance(piece, str))
        del self._pieces[place]
        self._displays -= 1
        self._lost_displays += 1

    def take(self) -> list[Piece]:
        """The pieces since the last call; where something is missing before them, that is said."""
        with self._lock:
            pieces, self._pieces = list(self._pieces), deque()
            lost, displays = self._lost, self._lost_displays
            self._characters = self._displays = self._lost = self._lost_displays = 0
        said = [f"{lost:,} characters that were printed"] if lost else []
        said += [f"{displays:,} displays"] if displays else []
        return [f"… {' and '.join(said)} before this were not kept\n", *pieces] if said else pieces


def _lenient(error: UnicodeError) -> tuple[str | bytes, int]:
    """Half a surrogate pair as Python's own prints have it, and a replacement for what is no text."""
    try:
        return codecs.lookup_error("surrogatepass")(error)
    except UnicodeError:
        return codecs.replace_errors(error)


codecs.register_error("fuse-lenient", _lenient)


class _Recording:
    """What one job prints and displays, read from its pipes without ever waiting.

    Where text reaches a mark whose display has not come as a whole, what follows waits for it.

    Attributes:
        over: Nothing more of it counts: its job has ended.
    """

    def __init__(self, pipe: int, mark: bytes, printed: Callable[[Piece], object] | None) -> None:
        self.pipes = [_received(pipe)]
        self.over = False
        self._mark, self._printed = mark, printed
        self._text, self._displays = bytearray(), bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")("fuse-lenient")

    def add_pipe(self, pipe: int) -> None:
        """The job displays through another pipe."""
        self.pipes.append(_received(pipe))

    def read(self, pipe: int) -> int:
        """Take in what is in one of the pipes, up to a bound; how many bytes, or -1 if nothing more will ever come."""
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            return -1
        if not self.over:
            if pipe == self.pipes[0]:
                self._text += data
            else:
                self._displays += data
            self._sort()
        return len(data)

    def end(self) -> None:
        """Its job has ended: take in what it has left, and no more of what children of it may print later."""
        for pipe in self.pipes:
            left = CAPACITY
            while left > 0 and (count := self.read(pipe)) > 0:
                left -= count
        self._tell(self._decoder.decode(self._text.replace(self._mark, b""), True))
        self.over, self._printed = True, None

    def _sort(self) -> None:
        while (place := self._text.find(self._mark)) >= 0:
            self._tell(self._decoder.decode(self._text[:place]))
            del self._text[:place]
            display = self._next_display()
            if display is None:
                return
            self._tell(display)
            del self._text[: len(self._mark)]
        # the beginning of a mark waits for its end
        text, mark = self._text, self._mark
        end = len(text) - next((n for n in range(len(mark) - 1, 0, -1) if text.endswith(mark[:n])), 0)
        self._tell(self._decoder.decode(text[:end]))
        del text[:end]

    def _next_display(self) -> Display | Clear | None:
        if len(self._displays) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._displays)
        end = _LENGTH.size + length
        if len(self._displays) < end:
            return None
        display: Display | Clear = pickle.loads(self._displays[_LENGTH.size : end])
        del self._displays[:end]
        return display

    def _tell(self, piece: Piece) -> None:
        if piece and self._printed is not None:
            self._printed(piece)


def _received(pipe: int) -> int:
    os.set_inheritable(pipe, False)
    os.set_blocking(pipe, False)
    return pipe


#: The job whose prints are wanted, and what is called with them: none.
NOTHING: tuple[int, Callable[[Piece], object]] = (0, lambda piece: None)


class Pipe:
    """Takes in what the jobs of one worker process print and display, on a thread of its own.

    State: the recordings change under `_lock`. Only the thread closes their pipes.

    Args:
        name: Of the process.
    """

    def __init__(self, name: str) -> None:
        from loky.backend.context import get_context

        self._connection, self.writer = get_context("loky").Pipe(duplex=True)
        self._wanted = NOTHING
        self._lock = threading.Lock()
        self._recording: _Recording | None = None
        self._open: dict[int, _Recording] = {}  # by pipe: a child may hold one after its job
        self._closed = False
        threading.Thread(target=self._read, name=f"fuse prints of {name}", daemon=True).start()

    def expect(self, job: int, printed: Callable[[Piece], object]) -> None:
        """From now on hand over what this job prints and displays, piece by piece."""
        self._wanted = (job, printed)

    def end(self) -> None:
        """The job has ended, or its process has: hand over all that came of it."""
        with self._lock:
            self._receive()
            if self._recording is not None:
                self._recording.end()
                self._recording = None
            self._wanted = NOTHING  # what would be called holds the run

    def close(self) -> None:
        """Stop reading once the worker process, and what it has started, are gone."""
        self.writer.close()

    def _receive(self) -> None:
        """Take in the pipes that came: that of a new job, or the one that it displays through."""
        try:
            while not self._closed and self._connection.poll():
                message = self._connection.recv()
                pipe = recv_handle(self._connection)
                if message is not None:
                    job, mark = message
                    wanted, printed = self._wanted
                    self._recording = _Recording(pipe, mark, printed if job == wanted else None)
                elif self._recording is not None:
                    self._recording.add_pipe(pipe)
                if self._recording is None:
                    os.close(pipe)
                else:
                    self._open[pipe] = self._recording
        except (EOFError, OSError):
            self._closed = True

    def _read(self) -> None:
        with self._connection:
            while self._open or not self._closed:
                ready = wait([*self._open] if self._closed else [*self._open, self._connection])
                most = 0
                with self._lock:
                    self._receive()
                    for pipe in ready:
                        if isinstance(pipe, int):
                            count = self._open[pipe].read(pipe)
                            most = max(most, count)
                            if count < 0:
                                del self._open[pipe]
                                os.close(pipe)
                if most < CHUNK:
                    time.sleep(INTERVAL)  # for more to come, so that many small writes cost little
