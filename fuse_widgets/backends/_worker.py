"""What happens in a worker process. Imported there, so it imports little."""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from typing import Any, NamedTuple


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
    """What came of a job: a value or an error, seconds, and for a process the printed text."""

    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    printed: str = ""
    object: Any = None


def perform(job: Job) -> Outcome:
    """Do a job in this process."""
    begin = time.perf_counter()
    try:
        value = job.call()
    except BaseException as error:
        return Outcome(error=error, seconds=time.perf_counter() - begin)
    return Outcome(value, seconds=time.perf_counter() - begin)


def start() -> int:
    """Prepare a fresh worker: Ctrl-C in the terminal is the scheduler's business."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return os.getpid()


def perform_pickled(payload: bytes, limit: int) -> bytes:
    """Do a pickled job and return its pickled outcome, with the last `limit` characters it printed."""
    import cloudpickle

    # `limit` is small against a result; a node that prints without end must not fill the worker's memory.
    from fuse_widgets.engine.output import Tail

    tail = Tail(limit)
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = _Printed(tail)  # type: ignore[assignment]
    try:
        job: Job = pickle.loads(payload)
        outcome = perform(job)
    except BaseException as error:
        job, outcome = None, Outcome(error=error)  # type: ignore[assignment]
    finally:
        sys.stdout, sys.stderr = stdout, stderr
    obj = job.args[0] if job is not None and job.changes_object else None
    if outcome.error is not None:
        outcome = outcome._replace(error=_with_traceback(outcome.error))
    outcome = outcome._replace(printed=tail.text, object=obj)
    try:
        return cloudpickle.dumps(outcome, protocol=5)
    except Exception as error:
        if outcome.error is not None:
            failure: Exception = RuntimeError(f"{type(outcome.error).__name__}: {outcome.error}")
            failure.__cause__ = _RemoteTraceback(_text(outcome.error))
        else:
            failure = TypeError(
                f"the result, a {type(outcome.value).__name__}, cannot be pickled to leave its worker process "
                f"({type(error).__name__}: {error}); run this node with executor 'thread' or 'inline'"
            )
        return cloudpickle.dumps(outcome._replace(value=None, error=failure, object=None), protocol=5)


class _Printed(io.TextIOBase):
    def __init__(self, tail: Any) -> None:
        self._tail = tail

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._tail.write(text)
        return len(text)


class _RemoteTraceback(Exception):
    """Carries the text of a traceback from another process, as concurrent.futures does."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _RemoteTraceback, (self.text,)


def _with_traceback(error: BaseException) -> BaseException:
    """Pickling loses `__traceback__` and `__cause__`; keep the text of both."""
    text = _text(error)
    error.__traceback__ = None
    return _Carried(error, text)


class _Carried(BaseException):
    """An exception on its way to another process; unpickles as the exception, with its traceback as cause."""

    def __init__(self, error: BaseException, text: str) -> None:
        self.error, self.text = error, text

    def __str__(self) -> str:
        return str(self.error)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (self.error, self.text)


def _unpack(error: BaseException, text: str) -> BaseException:
    error.__cause__ = _RemoteTraceback(text)
    return error


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
