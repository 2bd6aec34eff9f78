"""What happens in a worker process. Imported there, so it imports little."""

from __future__ import annotations

import linecache
import os
import pickle
import re
import signal
import threading
import time
import traceback
from typing import Any, NamedTuple

from ..engine.errors import message_of
from ._parent import end_with_parent
from ._prints import connect, recorded


class Job(NamedTuple):
    """One attempt of a node: what to call. `changes_object` asks for the first argument back as well."""

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    initialize: Any = None
    changes_object: bool = False

    def call(self) -> Any:
        """Run the plugin, then the node's function."""
        if self.initialize is not None:
            self.initialize()
        return self.func(*self.args, **self.kwargs)


class Outcome(NamedTuple):
    """What came of a job: a value or an error, and seconds."""

    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    object: Any = None


def perform(job: Job) -> Outcome:
    """Do a job in this process."""
    begin = time.perf_counter()
    try:
        value = job.call()
    except BaseException as error:
        return Outcome(error=own_traceback(error), seconds=time.perf_counter() - begin)
    return Outcome(value, seconds=time.perf_counter() - begin)


def own_traceback(error: BaseException) -> BaseException:
    """`error` with a traceback that begins in the node's function."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)


def set_up(prints: Any, lifeline: Any, parent: int) -> None:
    """Prepare a fresh worker process: it ends with its parent, and sends what its jobs print.

    Args:
        prints: `Pipe.writer`.
        lifeline: `Lifeline.reader`.
        parent: The process that started it.
    """
    end_with_parent(lifeline, parent)
    connect(prints)


def start() -> int:
    """Prepare a fresh worker: Ctrl-C in the terminal is the scheduler's business."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return os.getpid()


def perform_pickled(payload: bytes, number: int) -> bytes:
    """Do a pickled job, the `number`th, and return its pickled outcome."""
    with recorded(number):
        return _perform_pickled(payload)


def _perform_pickled(payload: bytes) -> bytes:
    import cloudpickle

    try:
        job: Job = pickle.loads(payload)
        outcome = perform(job)
    except BaseException as error:
        job, outcome = None, Outcome(error=error)  # type: ignore[assignment]
    if outcome.error is not None:
        outcome = outcome._replace(error=_portable(outcome.error))
    elif job is not None and job.changes_object:
        outcome = outcome._replace(object=job.args[0])
    try:
        return bytes(cloudpickle.dumps(outcome, protocol=5))
    except Exception as error:
        what = type(outcome.value).__name__
        if outcome.object is not None:
            what += f", or the object, a {type(outcome.object).__name__},"
        failure = TypeError(
            f"the result, a {what} cannot be pickled to leave its worker process ({type(error).__name__}: "
            f"{message_of(error)}); run this node with executor 'thread' or 'inline'"
        )
        return bytes(cloudpickle.dumps(outcome._replace(value=None, object=None, error=failure)))


class _RemoteTraceback(Exception):
    """Carries the text of a traceback from another process, as concurrent.futures does."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.traceback_text = text  # `_ipython` shows it

    def __str__(self) -> str:
        return f"\n{self.traceback_text}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _RemoteTraceback, (self.traceback_text,)


def _portable(error: BaseException) -> BaseException:
    """What can be pickled and read again, as `error` or in its place, with the text of its traceback as cause."""
    import cloudpickle

    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        pickle.loads(cloudpickle.dumps(error))
    except Exception:  # exceptions whose arguments are not those of their constructor, among others
        error = RuntimeError(f"{type(error).__name__}: {message_of(error)}")
    return _Carried(error.with_traceback(None), text)


class _Carried(BaseException):
    """An exception on its way to another process; unpickles as the exception, with its traceback as cause."""

    def __init__(self, error: BaseException, text: str) -> None:
        self.error, self.text = error, text

    def __str__(self) -> str:
        return str(self.error)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (self.error, self.text)


def _unpack(error: BaseException, text: str) -> BaseException:
    error.__cause__ = _RemoteTraceback(_with_source(text))
    return error


#: A frame in the text of a traceback; what stands before it belongs to a group of exceptions.
_FRAME = re.compile(r'([ |+-]*)  File "(.+)", line (\d+), in ')


def _with_source(text: str) -> str:
    """A traceback with the source lines that the worker did not have: those of notebook cells, which are known here."""
    lines: list[str] = []
    frame: re.Match[str] | None = None
    for line in [*text.split("\n"), ""]:
        if frame is not None and not line.startswith(f"{frame[1]}    "):
            source = linecache.getline(frame[2], int(frame[3])).strip()
            if source:
                lines.append(f"{frame[1]}    {source}")
        frame = _FRAME.match(line)
        lines.append(line)
    return "\n".join(lines[:-1])
