"""What happens in a worker process. Imported there, so it imports little."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from typing import Any, NamedTuple

from ..engine.errors import message_of
from ..engine.nodes import LEAVES, checked
from ._compat import keep_large_workers
from ._displays import show_figures
from ._kernel_state import follow_kernel
from ._parent import end_with_parent
from ._prints import connect, recorded


class Job(NamedTuple):
    """One attempt of a node: what to call. `changes_object` asks for the first argument back as well.

    `checked` are the inputs to compare before and after, by what a person calls them; None to compare nothing.
    """

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    initialize: Any = None
    changes_object: bool = False
    checked: tuple[tuple[str, Any], ...] | None = None

    def call(self) -> Any:
        """Run the plugin, then the node's function."""
        if self.initialize is not None:
            self.initialize()
        value = self.func(*self.args, **self.kwargs)
        return value if type(value) in LEAVES else checked(self.func, value)


class Outcome(NamedTuple):
    """What came of a job: a value or an error, seconds, and which inputs it changed in place."""

    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    object: Any = None
    changed: tuple[str, ...] = ()


def perform(job: Job) -> Outcome:
    """Do a job in this process."""
    if job.checked is None:
        return _perform(job)
    from ._inputs import Compared

    with Compared(job.func, job.checked) as compared:
        outcome = _perform(job)
    return outcome._replace(changed=compared.changed) if compared.changed else outcome


def _perform(job: Job) -> Outcome:
    begin = time.perf_counter()
    try:
        value = job.call()
    except BaseException as error:
        return Outcome(error=own_traceback(error), seconds=time.perf_counter() - begin)
    return Outcome(value, seconds=time.perf_counter() - begin)


_OURS = f"{__package__}."


def own_traceback(error: BaseException) -> BaseException:
    """`error` with a traceback that begins in the node's function."""
    trace = error.__traceback__
    while trace is not None and f"{trace.tb_frame.f_globals.get('__package__')}.".startswith(_OURS):
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)


def set_up(prints: Any, displays: bool, lifeline: Any, parent: int) -> None:
    """Prepare a fresh worker process: it ends with its parent, and sends what its jobs print and display.

    Args:
        prints: `Pipe.writer`.
        displays: Whether the parent can show displays.
        lifeline: `Lifeline.reader`.
        parent: The process that started it.
    """
    end_with_parent(lifeline, parent)
    keep_large_workers()
    connect(prints, displays)


def start() -> int:
    """Prepare a fresh worker: Ctrl-C in the terminal is the scheduler's business."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return os.getpid()


#: The job that this process did last.
_last = 0


def perform_pickled(payload: bytes, number: int, after: int, state: bytes | None) -> bytes:
    """Do a pickled job, and return its pickled outcome; b"" if this process has not done what came before.

    Args:
        payload: A `Job`.
        number: Tells the job from others.
        after: The job that the process did last; 0 for none.
        state: What has changed in the kernel since then, see `KernelState`; None if nothing has.
    """
    global _last
    if after != _last:  # loky has put another process in its place
        return b""
    _last = number
    with recorded(number):
        return _perform_pickled(payload, state)


def _perform_pickled(payload: bytes, state: bytes | None) -> bytes:
    from ._pickling import portable
    from ._references import dumps

    try:
        follow_kernel(state)
        job: Job = pickle.loads(payload)
        outcome = perform(job)
        show_figures()  # before the result is pickled, which may be a figure
    except BaseException as error:
        job, outcome = None, Outcome(error=error)  # type: ignore[assignment]
    if outcome.error is not None:
        outcome = outcome._replace(error=portable(outcome.error))
    elif job is not None and job.changes_object:
        outcome = outcome._replace(object=job.args[0])
    try:
        return dumps(outcome)
    except Exception as error:
        what = type(outcome.value).__name__
        if outcome.object is not None:
            what += f", or the object, a {type(outcome.object).__name__},"
        failure = TypeError(
            f"the result, a {what} cannot be pickled to leave its worker process ({type(error).__name__}: "
            f"{message_of(error)}); run this node with executor 'thread' or 'inline'"
        )
        return dumps(outcome._replace(value=None, object=None, error=failure))
