"""Interrupting code that is not ours: a node, a backend, storage.

Ctrl-C does it in the main thread, and a second `cancel()` from another thread in any. A thread that does not listen, since it is
in compiled code or sleeps, can be left behind: nobody waits for it, and it ends once its code returns.
"""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ._interrupt import raise_in, take_back

__all__ = ["GRACE", "CtrlC", "Interruptible", "LeftBehind", "start_thread"]

#: Seconds that interrupted code has to end before nobody waits for it any more.
GRACE = 1.0
Result = TypeVar("Result")


class LeftBehind(BaseException):
    """Raised in a thread whose code has returned after the run ended without it."""


class Interruptible:
    """Knows whether a thread runs code that is not ours, so that this code is interrupted and never the scheduler around it.

    The thread sets `active`, calls the code, clears `active`, and calls `leave` if it then finds `sent` set; whoever
    interrupts sets `sent` before looking at `active`. So one of the two always sees the other, and code that nobody
    interrupts pays for no lock.

    Attributes:
        thread: Identifier of the thread; None if there is none yet.
        active: Whether the code is running.
        sent: Whether somebody has called `interrupt` or `leave_behind`.
        refuse: Whether an interrupt has come, so that code that is about to start must not.
        left: Whether nobody waits for the code any more.
        calls: How often `call` was called.
        must_be_done: Whether the code was started although an interrupt had come, as saving a result is.
        expected: Whether the next SIGINT is one of ours.
        felt: Set by the signal handler.
    """

    __slots__ = (
        "_lock", "active", "calls", "expected", "felt", "left", "must_be_done", "refuse", "sent", "thread",
    )  # fmt: skip

    def __init__(self, thread: int | None = None) -> None:
        self.thread = thread
        self.active = self.sent = self.refuse = self.left = self.expected = False
        self.felt = self.must_be_done = False
        self.calls = 0
        self._lock = threading.Lock()

    def call(self, function: Callable[..., Result], *args: Any, anyway: bool = False) -> Result:
        """Call code that is not ours in this thread.

        Args:
            function: Called with `args`.
            anyway: Call it even if an interrupt has come already.

        Raises:
            KeyboardInterrupt: It was interrupted.
            LeftBehind: Nobody has waited for it.
        """
        try:
            try:
                self.calls += 1
                self.must_be_done = anyway
                self.active = True
                if self.refuse and not anyway:
                    raise KeyboardInterrupt
                return function(*args)
            finally:
                self.active = self.must_be_done = False
                if self.sent:
                    self.leave()
        except KeyboardInterrupt:  # it may have come between two instructions of ours
            self.active = False
            if self.left:
                raise LeftBehind from None
            raise

    def leave(self) -> None:
        """Take back an interrupt that has not arrived.

        Raises:
            LeftBehind: Nobody has waited for the code.
        """
        with self._lock:
            take_back()
        if self.left:
            raise LeftBehind

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code, from another thread.

        In the main thread that ends a sleep as well; in another one it arrives once the code is back in Python.
        """
        if self.thread == threading.get_ident():
            return
        with self._lock:
            self.sent = self.refuse = True
            if not self.active or self.left or self.thread is None:
                return
            if self.thread == threading.main_thread().ident and hasattr(signal, "pthread_kill"):
                self.felt = False
                threading.Thread(target=self._signal, name="fuse interrupt", daemon=True).start()
            else:
                raise_in(self.thread, KeyboardInterrupt)

    def leave_behind(self) -> bool:
        """Wait for the code no longer.

        Returns:
            False if it has ended, or runs in the main thread, for which everybody waits.
        """
        with self._lock:
            self.sent = self.refuse = True
            self.left = self.left or (self.active and self.thread != threading.main_thread().ident)
            return self.left

    def _signal(self) -> None:
        """Send SIGINT, see CtrlC: it ends a sleep as well, unless it comes just before, and so is sent again."""
        assert self.thread is not None
        pause = threading.Event()
        while True:
            with self._lock:
                if self.felt or not self.active:
                    return
                self.expected = True
                signal.pthread_kill(self.thread, signal.SIGINT)
            pause.wait(0.1)


def start_thread(target: Callable[[], object]) -> None:
    """Start a daemon thread, also in a signal handler.

    `threading.Thread.start` takes a lock that a handler may find taken by what it interrupts. Until a thread has begun, CPython
    takes it for the one that starts it, and what is to be raised in that one would be raised in the new one.
    """
    begun = _thread.allocate_lock()
    begun.acquire()

    def run() -> None:
        begun.release()
        target()

    _thread.start_new_thread(run, ())
    begun.acquire()


class CtrlC:
    """While entered in the main thread, SIGINT raises KeyboardInterrupt in code that is not ours.

    Where SIGINT was ignored before, it still is, except for what `Interruptible.interrupt` sends.

    Args:
        guard: Knows of such code.
        report: Called in the main thread, between two bytecodes, for each SIGINT that a person sends. None: what handled
            SIGINT before does so.
    """

    def __init__(self, guard: Interruptible, report: Callable[[], object] | None = None) -> None:
        self._guard, self._report = guard, report
        self._previous: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._on_signal)

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _on_signal(self, number: int, frame: Any) -> None:
        guard, previous = self._guard, self._previous
        guard.felt = True
        ours, guard.expected = guard.expected, False
        if not ours:
            if previous is signal.SIG_IGN:
                return
            if self._report is None and callable(previous):
                previous(number, frame)
                return
            guard.refuse = True
            if self._report is not None:
                self._report()
        if guard.active:  # else an interrupt of ours has come too late
            raise KeyboardInterrupt
