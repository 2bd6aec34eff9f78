"""Running coroutines from code that is not async, also in a thread whose event loop is running."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Awaitable
from typing import Any

__all__ = ["run_awaitable"]

#: Seconds between two looks whether an exception was raised in the waiting thread from outside.
_POLL = 0.05
#: Seconds that a cancelled coroutine has for its clean-up.
_GRACE = 1.0


class _Running:
    """An awaitable that runs in a thread and an event loop of its own.

    A thread whose event loop is running, as that of a notebook, cannot run another one, and objects of asyncio belong to
    one loop. So each awaitable has its own, and nodes cannot share locks, sessions or tasks of asyncio.
    """

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self.over = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self._awaitable = awaitable
        self._lock = threading.Lock()
        self._task: Any = None
        self._loop: Any = None
        self._cancelled = False

    def run(self) -> None:
        import asyncio

        try:
            self.value = asyncio.run(self._main())
        except BaseException as error:
            self.error = _without_our_frames(error)
        finally:
            with self._lock:
                self._loop = None
            self.over.set()

    async def _main(self) -> Any:
        import asyncio

        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            if self._cancelled:
                self._task.cancel()
        return await self._awaitable

    def cancel(self) -> None:
        """Cancel the task, from another thread."""
        with self._lock:
            self._cancelled = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)


def run_awaitable(awaitable: Awaitable[Any]) -> Any:
    """Wait for an awaitable and return its value; context variables are those of the caller.

    An exception that is raised here meanwhile, such as KeyboardInterrupt, cancels it.
    """
    running = _Running(awaitable)
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(running.run,), name="fuse coroutine", daemon=True
    )
    try:
        try:
            thread.start()
            while not running.over.wait(_POLL):
                pass
        except BaseException:
            running.cancel()
            running.over.wait(_GRACE)
            raise
        if running.error is not None:
            raise running.error
        return running.value
    finally:
        running.error = None


def _without_our_frames(error: BaseException) -> BaseException:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code is not _Running._main.__code__:
        trace = trace.tb_next
    return error if trace is None or trace.tb_next is None else error.with_traceback(trace.tb_next)
