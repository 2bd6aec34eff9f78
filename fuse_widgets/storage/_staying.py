"""A thread that stays as long as the process, for what would end with the thread that started it.

Ray has its daemons killed with their parent (`PR_SET_PDEATHSIG`), and to Linux the parent is the thread. Started by a run in
the background, they would be gone at the end of that run, and Ray would end this process a minute later.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

__all__ = ["run_on_thread_that_stays"]


def run_on_thread_that_stays(call: Callable[[], Any]) -> Any:
    """Call it where what it starts lives on: on the main thread at once, else on a thread that never ends.

    Args:
        call: What to call.

    Returns:
        What it returns.

    Raises:
        BaseException: What it raises.
    """
    if threading.current_thread() is threading.main_thread():
        return call()
    done: Future[Any] = Future()
    _calls().put((call, done))
    return done.result()


@functools.cache
def _calls() -> SimpleQueue[tuple[Callable[[], Any], Future[Any]]]:
    calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
    threading.Thread(target=_serve, args=(calls,), name="fuse starts Ray", daemon=True).start()
    return calls


def _serve(calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]]]) -> None:
    while True:
        call, done = calls.get()
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)
