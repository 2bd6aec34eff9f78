"""The cluster: noticing that a machine, or all of it, is gone."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import ray

from ...engine.errors import ClusterError
from ._compat import is_client
from .events import tell

if TYPE_CHECKING:
    from ...engine.run import Run

__all__ = ["Stop", "Watch", "is_cut"]

#: Seconds between two looks at the cluster.
LOOK = 2.0
#: Seconds that a question may stay without an answer; after that a cluster counts as lost.
LOST = 15.0
#: Seconds between two looks whether it has one.
BEAT = 0.5
#: Seconds between two looks at what is waited for.
POLL = 0.2
#: Seconds that a run waits without saying for what.
QUIET = 5.0


class Stop(BaseException):
    """Carries what ends a run through code that takes every `Exception` for one of its own.

    Attributes:
        error: What is to be raised.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error


class Watch:
    """Looks at the cluster from a thread of its own, since a question to a lost one may never come back.

    Args:
        run: The run that needs the cluster.

    Attributes:
        machines: What `ray.nodes()` said last.
        lost: Whether a question has no answer for a while, or the cluster has no machine any more.

    Raises:
        ClusterError: Nothing answers; raised on entering.
        RunCancelledError: The run was cancelled meanwhile.

    State: `machines`, `_open` (whether a question has no answer yet) and `_answers` are written by the thread that asks,
    `lost` by the one that counts. In `_groups` the run's thread adds, and the one that asks replaces; `_regrouped` is set after.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.machines: list[dict[str, Any]] = []
        self.lost = False
        self._open, self._answers = False, 0
        self._groups: dict[str, tuple[Any, Mapping[str, Any] | None]] = {}
        self._regrouped = False
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        threading.Thread(target=self._look, name="fuse watches Ray", daemon=True).start()
        threading.Thread(target=self._count, name="fuse counts for Ray", daemon=True).start()
        try:
            while not self._answers:
                time.sleep(0.005)
                self._end()
        except BaseException:
            self._over.set()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def check(self) -> None:
        """Nothing, while the cluster is there.

        Raises:
            ClusterError: It is gone.
        """
        if self.lost:
            raise self.gone()
        if not ray.is_initialized():  # a question now would end the process
            if self._open:
                raise self.gone()
            raise ClusterError("ray.shutdown() was called while this run was under way; run() connects anew")

    def table_of(self, group: Any) -> Mapping[str, Any] | None:
        """What Ray said last of a placement group; from now on it is asked at each look."""
        return self._groups.setdefault(group.id.hex(), (group, None))[1]

    def regrouped(self) -> bool:
        """Whether a placement group that was asked for is in another state than the last time."""
        changed, self._regrouped = self._regrouped, False
        return changed

    def gone(self) -> ClusterError:
        """Let go of the lost cluster; the error that says so."""
        disconnect()
        return ClusterError(
            "the Ray cluster does not answer any more: it was stopped, or the network is cut. Start it again; "
            "run() connects anew" + (" and goes on from storage" if self.run.workflow.storage else "")
        )

    def waiting(self, what: str) -> Callable[[], None]:
        """What is called again and again while the run waits outside its loop; says once what it waits for.

        Returns:
            A function that raises `Stop` where it is not to wait any longer.
        """
        tell_at = time.monotonic() + QUIET

        def look() -> None:
            nonlocal tell_at
            try:
                self._end()
            except Exception as error:
                raise Stop(error) from None
            if time.monotonic() > tell_at:
                tell_at = math.inf
                tell(self.run, {"notice": f"the run waits for {what}"})

        return look

    def ready(self, refs: list[Any], what: str) -> Iterator[list[Any]]:
        """The references, some at a time, as soon as what they refer to is on this machine; none at times meanwhile.

        Args:
            refs: The references, no two the same.
            what: What they refer to, in words.

        Raises:
            RunCancelledError: The run was cancelled.
            ClusterError: The cluster is gone.
        """
        look = self.waiting(what)
        while refs:
            there, refs = ray.wait(refs, num_returns=len(refs), timeout=POLL)
            yield there
            try:
                look()
            except Stop as stop:
                raise stop.error from None

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Where a question inside fails because the connection of a Ray client is gone, ClusterError is raised."""
        try:
            yield
        except Exception as error:
            if is_cut(error):
                raise self.gone() from error
            raise

    def _end(self) -> None:
        self.check()
        if self.run.cancelled:
            self.run.raise_if_incomplete((), interrupted=False)

    def _look(self) -> None:
        while ray.is_initialized():  # a question would end the process otherwise
            self._open = True
            with contextlib.suppress(Exception):  # lost, or shut down: the missing answer tells
                machines = ray.nodes()
                if any(machine["Alive"] for machine in machines):
                    self.machines = machines
                    self._look_at_groups()
                    self._answers += 1
                    self._open = False
            if self._over.wait(LOOK):
                return

    def _look_at_groups(self) -> None:
        with contextlib.suppress(Exception):  # the next question for the machines tells
            for name, (group, before) in list(self._groups.items()):
                table = ray.util.placement_group_table(group)
                if before is None or table.get("state") != before.get("state"):
                    self._groups[name] = group, table
                    self._regrouped = True

    def _count(self) -> None:
        """Find out whether a question is open for too long.

        In beats and not by a clock: a process that was stopped, or had no time for its threads, has not listened.
        """
        heard, waited = 0, 0.0
        while not self._over.wait(BEAT):
            if heard != self._answers:
                heard, waited = self._answers, 0.0
            elif self._open:
                waited += BEAT
            self.lost = waited > LOST
            if self.lost and is_client():  # all that waits for an answer would wait on
                disconnect()
                return


def is_cut(error: BaseException) -> bool:
    """Whether a question to Ray failed because the connection of a Ray client (`ray://`) is gone."""
    is_ours = isinstance(error, ConnectionError) or type(error).__module__.partition(".")[0] == "grpc"
    return is_ours and not isinstance(error, ray.exceptions.RayError)


def disconnect() -> None:
    """Let go of a lost cluster, so that the next run can connect again; never waits long."""
    thread = threading.Thread(target=ray.shutdown, daemon=True)
    thread.start()
    thread.join(5)
