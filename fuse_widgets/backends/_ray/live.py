"""Live status: a thread in each worker tells a collector what runs there, and the driver asks the collector.

Only what lasts is told this way: that a node runs, and what it prints meanwhile. How a node ended comes to the driver
with the reference that Ray owes it, so that nothing is lost where the collector or a worker is.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import threading
import time
from collections import deque
from typing import Any, ClassVar, NamedTuple

import ray

from ...engine.output import Tail

__all__ = ["Collector", "Current", "Live", "Printed", "Who", "collector_named", "reporter", "who"]

#: Seconds between two looks of a worker's thread at what runs; a node that is over by then is told with its end.
TICK = 0.04
#: Seconds that the collector keeps a question open.
ASKED = 20.0
#: Seconds that workers have, at most, to hear that nothing more is to begin.
HEARD = 0.3
NAMESPACE = "fuse_widgets"


class Who(NamedTuple):
    """A worker process."""

    host: str
    pid: int
    node_id: str


class Live(NamedTuple):
    """What a worker tells of a node: that it runs, that it failed and is tried again, or what it printed.

    Attributes:
        place, turn, attempt: Which node, which submission of it, and which attempt.
        kind: `"running"`, `"missed"` or `"printed"`.
        when: Seconds since the epoch, by the worker's clock.
        content: For one that runs, why the attempt before it was lost; the text printed with how much came before; or
            the pickled error with the seconds it took.
    """

    place: int
    turn: int
    attempt: int
    kind: str
    who: Who
    when: float
    content: Any = None


class _Collector:
    """Keeps what workers tell until the driver asks, and what the driver tells until workers ask."""

    def __init__(self) -> None:
        self._told: dict[str, list[Live]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._closed: dict[str, int] = {}
        self._listening: dict[str, dict[str, asyncio.Future[bool]]] = {}
        self._unheard: dict[str, int] = {}
        self._heard: dict[str, asyncio.Event] = {}

    async def tell(self, run: str, records: list[Live]) -> bool:
        """Called by workers; False, and dropped, where nobody has asked for the run (yet)."""
        if run in self._told:
            self._told[run] += records
            self._news[run].set()
            return True
        return False

    async def ask(self, run: str, wait: bool = True) -> list[Live]:
        """What was told of a run since the last time; waits until there is something."""
        self._told.setdefault(run, [])
        news = self._news.setdefault(run, asyncio.Event())
        if wait and not self._told[run]:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), ASKED)
        records, self._told[run] = self._told.get(run, []), []
        news.clear()
        return records

    async def close(self, run: str, epoch: int) -> None:
        """Nodes that were handed in up to this epoch may not begin any more; returns when workers have heard."""
        self._closed[run] = max(epoch, self._closed.get(run, -1))
        listening = self._listening.pop(run, {})
        self._unheard[run], self._heard[run] = len(listening), asyncio.Event()
        for answer in listening.values():
            answer.set_result(True)
        if listening:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._heard[run].wait(), HEARD)

    async def closed(self, run: str, known: int | None, worker: str) -> int | None:
        """Up to which epoch nodes may not begin: -1 for none, None where nobody has asked for the run (any more).

        Args:
            run: The run.
            known: What the worker knows already: then the answer comes when it changes. None to have it at once.
            worker: Who asks.
        """
        if known is not None and self._unheard.get(run) and known == self._closed.get(run):
            self._unheard[run] -= 1
            if not self._unheard[run]:
                self._heard[run].set()
        while run in self._told:
            closed = self._closed.get(run, -1)
            if closed != known:
                return closed
            answer = asyncio.get_running_loop().create_future()
            self._listening.setdefault(run, {})[worker] = answer
            if not await answer:
                return None
        return None

    async def dismiss(self, run: str, worker: str) -> None:
        """A worker does not listen any more."""
        answer = self._listening.get(run, {}).pop(worker, None)
        if answer is not None:
            answer.set_result(False)

    async def forget(self, run: str) -> None:
        """The run is over."""
        self._told.pop(run, None)
        for kept in (self._closed, self._unheard, self._heard):
            kept.pop(run, None)
        for answer in self._listening.pop(run, {}).values():
            answer.set_result(False)
        news = self._news.pop(run, None)
        if news is not None:
            news.set()


#: Each worker has a question open, besides what it tells.
Collector = ray.remote(num_cpus=0, max_restarts=-1, max_concurrency=10_000)(_Collector)


@functools.lru_cache(maxsize=2)
def collector_named(name: str) -> Any:
    """The collector that a worker tells, looked for once; `cache_clear()` where it does not answer."""
    return ray.get_actor(name, NAMESPACE)


class Printed:
    """What a node prints."""

    def __init__(self) -> None:
        self.tail = Tail()
        self._fresh: deque[str] = deque()  # one thread adds while another takes
        self._told = 0

    @classmethod
    def next(cls) -> Printed:
        """One for the next node; where nothing was printed, the one of the node before."""
        unused = cls._unused
        if unused is None or unused.tail.written:
            unused = cls._unused = cls()
        return unused

    _unused: ClassVar[Printed | None] = None

    def write(self, text: str) -> None:
        self.tail.write(text)
        self._fresh.append(text)

    def fresh(self) -> tuple[int, str] | None:
        """What was printed since the last call, with how much came before; None where nothing was."""
        text, before = "".join([self._fresh.popleft() for _ in range(len(self._fresh))]), self._told
        if not text:
            return None
        self._told += len(text)
        return before, text


class Current(NamedTuple):
    """What runs in this process."""

    collector: str
    run: str
    place: int
    turn: int
    attempt: int
    began: float
    printed: Printed
    lost: str = ""


class _Reporter:
    """The thread of a worker that tells the collector.

    State: `current` is set by the thread that runs nodes; `_told` and `_answer` change under `_telling`, since
    that thread tells, too; everything else belongs to the reporter's own.
    """

    def __init__(self) -> None:
        self.current: Current | None = None
        self._told: Current | None = None
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None
        self._answer: Any = None
        self._telling = threading.Lock()

    def begin(self, current: Current) -> None:
        """A node begins."""
        self.current = current
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="fuse status", daemon=True)
            self._thread.start()
        if not self._busy.is_set():
            self._busy.set()

    def end(self) -> None:
        """It has ended."""
        self.current = None

    def running(self, current: Current) -> None:
        """A node runs: told at once."""
        with self._telling:
            if self._tell(current, [self._running(current)]):
                self._told = current

    def missed(self, current: Current, content: Any) -> None:
        """An attempt failed, and Ray will try again: told at once, since this may be the worker's last chance."""
        with self._telling:
            missed = self._record(current, "missed", time.time(), content)
            self._tell(current, [*self._untold(current), missed])

    def _work(self) -> None:
        idle = 0
        before: Current | None = None
        while True:
            self._busy.wait()
            time.sleep(TICK)
            current = self.current
            idle = 0 if current is not None else idle + 1
            if idle > 5:
                self._busy.clear()
                if self.current is not None:
                    self._busy.set()
            if current is not None and current is before:
                with self._telling:
                    self._check_answer()
                    self._look(current)
            before = current

    def _look(self, current: Current) -> None:
        records = self._untold(current)
        if records and self._tell(current, records):
            self._told = current

    def _untold(self, current: Current) -> list[Live]:
        """That a node runs, unless it was told, and what it has printed since."""
        records = [] if self._told is current else [self._running(current)]
        text = current.printed.fresh()
        if text is not None:
            records.append(self._record(current, "printed", time.time(), text))
        return records

    def _running(self, current: Current) -> Live:
        return self._record(current, "running", current.began, current.lost)

    @staticmethod
    def _record(current: Current, kind: str, when: float, content: Any = None) -> Live:
        return Live(current.place, current.turn, current.attempt, kind, who(), when, content)

    def _tell(self, current: Current, records: list[Live]) -> bool:
        """Hand records to the collector; without one the node's end will tell."""
        try:
            tell = collector_named(current.collector).tell
            self._answer = tell.remote(current.run, [tuple(record) for record in records])
        except Exception:
            collector_named.cache_clear()
            return False
        return True

    def _check_answer(self) -> None:
        """Where nobody has heard, since the collector died and was started again, tell anew what runs."""
        if self._answer is not None and ray.wait([self._answer], timeout=0)[0]:
            answer, self._answer = self._answer, None
            try:
                heard = ray.get(answer)
            except Exception:
                collector_named.cache_clear()
                heard = False
            if not heard:
                self._told = None


reporter = _Reporter()


@functools.cache
def who() -> Who:
    """This worker process."""
    return Who(socket.gethostname(), os.getpid(), ray.get_runtime_context().get_node_id())


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=who.cache_clear)
