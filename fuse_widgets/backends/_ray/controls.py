"""What a person asks of a run under way on Ray: pause, step, cancel, and Ctrl-C in the cell."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ...engine.errors import NodeExecutionError
from ...engine.interrupts import CtrlC
from ...engine.run import Run
from ...engine.states import NodeState
from .frontier import Frontier
from .recall import Recall
from .submit import Submitter

if TYPE_CHECKING:
    from .channel import Channel

__all__ = ["Controls"]


class Controls:
    """Carries out the controls of one run. Lives in the scheduler's thread, but for `_used`.

    Args:
        run, channel, frontier, recall: The run, how workers hear of a pause, and who hands in and takes back.
        over: The nodes whose fate is settled; the scheduler's own, only read here.
        failures: Those that failed; likewise.
        submitter: Knows whether an object takes a call now.
        fail_fast: Stop once there are any.

    Attributes:
        interrupts: How often Ctrl-C was pressed.
    """

    def __init__(
        self,
        run: Run,
        channel: Channel,
        frontier: Frontier,
        recall: Recall,
        over: Collection[int],
        failures: Collection[NodeExecutionError],
        submitter: Submitter,
        *,
        fail_fast: bool,
    ) -> None:
        self.run, self.channel, self.frontier, self.recall = run, channel, frontier, recall
        self.over, self.failures, self.fail_fast = over, failures, fail_fast
        self.submitter = submitter
        self.interrupts = 0
        self._shown: set[int] = set()  # the nodes that are shown as paused
        self._candidate: int | None = None  # the one of them that `step()` starts
        self._level = 0  # what workers hold back for: 1 for a pause, 2 for the end
        self._thread = threading.get_ident()
        self._listening = False

    @property
    def stopped(self) -> bool:
        """Whether no further node is to begin."""
        return bool(self.run.cancelled) or (self.fail_fast and bool(self.failures))

    @contextlib.contextmanager
    def ctrl_c(self) -> Iterator[None]:
        """While entered, Ctrl-C cancels the run once `listen` was called; before that it is an exception."""
        with CtrlC(self.run.guard, self._on_ctrl_c):
            yield

    def listen(self) -> None:
        """The run is ready to be controlled."""
        self.run.on_control = self._used
        self._listening = True

    def look(self) -> None:
        """Carry out what was asked for; called in each round."""
        self._hold_back(wait=False)
        if self.stopped:
            self.recall.what_waits()
            if self.run.cancelled > 1:
                self.recall.what_runs()
        elif not self.run.paused and self._shown:
            for place in sorted(self._shown):
                self.run.emit(self.run.nodes[place], NodeState.QUEUED, attempt=0)
            self._shown.clear()
            self._candidate = None

    def next(self) -> int | None:
        """Take the node that may be handed in now; None where there is none."""
        place = self._stepped() if self.run.paused else self.frontier.first()
        if place is not None:
            self.frontier.remove(place)
            self._shown.discard(place)
        return place

    def _stepped(self) -> int | None:
        """While paused: show which node is the next; it is this one's turn where `step()` was called."""
        if self._candidate is None:
            self._candidate = self.frontier.first(self._can_start)
            if self._candidate is not None and self._candidate not in self._shown:
                self._shown.add(self._candidate)
                self.run.emit(self.run.nodes[self._candidate], NodeState.PAUSED, attempt=0)
        if self._candidate is None or not self.run.take_turn():
            return None
        place, self._candidate = self._candidate, None
        return place

    def restarted(self) -> None:
        """The frontier was worked out anew: another node may be the next."""
        self._candidate = None

    def _can_start(self, place: int) -> bool:
        parents = self.run.order.parents(place)
        return all(parent in self.over for parent in parents) and self.submitter.may_call(place)

    def _used(self) -> None:
        """A control of the run was used on another thread: what has not begun is held back at once.

        In this thread it is Ctrl-C, in the middle of anything: a question to Ray could wait for ever for a lock that a
        Ray client holds here. The next round looks at the controls.
        """
        if threading.get_ident() != self._thread:
            self._hold_back(wait=True)

    def _hold_back(self, *, wait: bool) -> None:
        before, self._level = self._level, 2 if self.stopped else 1 if self.run.paused else 0
        if self._level > before:
            self.channel.hold_back(wait=wait)

    def _on_ctrl_c(self) -> None:
        """Ctrl-C in the main thread: cancel and interrupt; a second time, do not wait for the rest."""
        if not self._listening or self.interrupts > 1:
            raise KeyboardInterrupt
        self.interrupts += 1
        self.run.interrupt()
        if self.interrupts > 1:
            self.recall.hurry()
