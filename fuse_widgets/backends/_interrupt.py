"""Interrupting: Ctrl-C in the main thread, and a second `cancel()` from another one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from ..engine._interrupt import raise_in, take_back

__all__ = ["CtrlC", "InlineGuard"]


class InlineGuard:
    """Knows whether an inline node is running, so that it alone is interrupted, and not the scheduler between two.

    The thread that runs nodes sets `active`, calls the node, clears `active`, and calls `leave` where it then
    finds `sent` set; whoever interrupts sets `sent` before looking at `active`. So one of the two always sees
    the other, and nodes that nobody interrupts pay for no lock.

    Attributes:
        active: Whether a node is running.
        sent: Whether somebody has called `interrupt`.
        refuse: Whether an interrupt has come, so that a node that is about to start must not.
        felt: Set by the signal handler.
    """

    def __init__(self) -> None:
        self.active = False
        self.sent = False
        self.refuse = False
        self.felt = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.get_ident()

    def leave(self) -> None:
        """Take back an interrupt that has not arrived."""
        with self._lock:
            take_back()

    def interrupt(self) -> bool:
        """Raise KeyboardInterrupt in the node that runs inline in another thread, if one does.

        Returns:
            Whether it arrives only once the node is back in Python: without a signal nothing ends what blocks in C.
        """
        if self._thread == threading.get_ident():
            return False
        with self._lock:
            self.sent = self.refuse = True
            if not self.active:
                return False
            if self._thread == threading.main_thread().ident and hasattr(signal, "pthread_kill"):
                self.felt.clear()
                threading.Thread(target=self._signal, daemon=True).start()
                return False
            raise_in(self._thread, KeyboardInterrupt)
            return True

    def _signal(self) -> None:
        """Send SIGINT, see CtrlC: it ends a sleep as well, unless it comes just before, and so is sent again."""
        while True:
            with self._lock:
                if not self.active:
                    return
                signal.pthread_kill(self._thread, signal.SIGINT)
            if self.felt.wait(0.1):
                return


class CtrlC:
    """While entered in the main thread, SIGINT raises KeyboardInterrupt in an inline node, and is else reported.

    Where SIGINT was ignored before, it still is, except for what `InlineGuard.interrupt` sends.

    Args:
        guard: Knows of inline nodes.
        report: Called in the main thread, between two bytecodes, for a SIGINT while no inline node runs.
    """

    def __init__(self, guard: InlineGuard, report: Callable[[], None]) -> None:
        self._guard, self._report = guard, report
        self._previous: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._on_signal)

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _on_signal(self, *_: object) -> None:
        self._guard.felt.set()
        if self._previous is signal.SIG_IGN and not self._guard.sent:
            return
        if self._guard.active:
            raise KeyboardInterrupt
        self._guard.refuse = True
        if not self._guard.sent:  # else an interrupt of ours has come too late
            self._report()
