"""Where jobs run beside the scheduler's own thread: numbered threads and numbered processes.

Each worker process is a loky pool of its own with one process, so that a crash or a kill concerns the one node
that ran in it and nobody else.

State: the free lists belong to the scheduler's thread; workers only call `done`.
"""

from __future__ import annotations

import contextvars
import heapq
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from ..engine import output
from ..engine.errors import FuseError, WorkerCrashedError, shorten
from ._worker import Job, Outcome, perform, perform_pickled, start

__all__ = ["ProcessWorkers", "ThreadWorkers"]

Done = Callable[[Outcome], None]
#: Seconds that an idle worker process stays.
IDLE = 300


class ThreadWorkers:
    """Worker threads, made when they are first needed."""

    kind = "thread"

    def __init__(self) -> None:
        self._free: list[int] = []
        self._queues: list[SimpleQueue[tuple[Job, output.Tail, Done] | None]] = []

    def submit(self, job: Job, tail: output.Tail, began: Callable[[str], None], done: Done) -> int:
        """Run a job in a free thread; `began` gets the worker's name at once, `done` the outcome."""
        if not self._free:
            queue: SimpleQueue[Any] = SimpleQueue()
            self._queues.append(queue)
            heapq.heappush(self._free, len(self._queues))
            thread = threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._work, queue),
                name=f"fuse thread {len(self._queues)}",
                daemon=True,
            )
            thread.start()
        number = heapq.heappop(self._free)
        began(f"thread {number}")
        self._queues[number - 1].put((job, tail, done))
        return number

    def release(self, number: int) -> None:
        """Say that the thread is free again."""
        heapq.heappush(self._free, number)

    def close(self) -> None:
        """Let all threads end once their job is done."""
        for queue in self._queues:
            queue.put(None)
        self._queues, self._free = [], []

    @staticmethod
    def _work(queue: SimpleQueue[tuple[Job, output.Tail, Done] | None]) -> None:
        while (item := queue.get()) is not None:
            job, tail, done = item
            with output.capture(tail):
                outcome = perform(job)
            done(outcome)
            del item, job, done, outcome


class _Process:
    def __init__(self) -> None:
        self.pool: Any = None
        self.pid: int | None = None
        self.used = 0.0
        self.future: Future[Any] | None = None


class ProcessWorkers:
    """Worker processes, started when they are first needed."""

    kind = "process"

    def __init__(self) -> None:
        self._free: list[int] = []
        self._processes: list[_Process] = []

    def submit(self, job: Job, tail: output.Tail, began: Callable[[str], None], done: Done) -> int:
        """Run a job in a free process; `began` gets the worker's name when the process is up and takes it.

        Raises:
            FuseError: The function or an argument cannot be pickled. Names what.
        """
        payload = _pickled(job)
        if not self._free:
            self._processes.append(_Process())
            heapq.heappush(self._free, len(self._processes))
        number = heapq.heappop(self._free)
        process = self._processes[number - 1]
        name = f"process {number}"
        if process.pool is not None and time.monotonic() - process.used < IDLE / 2:
            began(name)
            self._give(process, name, payload, done)
        else:
            self._renew(process)
            process.future = process.pool.submit(start)
            process.future.add_done_callback(partial(self._ready, process, name, payload, began, done))
        return number

    def kill(self, number: int) -> None:
        """Kill a worker process; its job ends with `WorkerCrashedError`, and another process takes its place."""
        process = self._processes[number - 1]
        pool, process.pool = process.pool, None
        if pool is not None:
            pool.shutdown(wait=False, kill_workers=True)

    def release(self, number: int) -> None:
        """Say that the process is free again."""
        self._processes[number - 1].used = time.monotonic()
        heapq.heappush(self._free, number)

    def close(self) -> None:
        """End all processes."""
        for number in range(1, len(self._processes) + 1):
            self.kill(number)
        self._processes, self._free = [], []

    def _renew(self, process: _Process) -> None:
        from loky import ProcessPoolExecutor

        if process.pool is not None:
            process.pool.shutdown(wait=False, kill_workers=True)
        process.pool = ProcessPoolExecutor(max_workers=1, timeout=IDLE)

    def _ready(
        self, process: _Process, name: str, payload: bytes, began: Callable[[str], None], done: Done, up: Any
    ) -> None:
        """On a thread of loky: the process is up, or could not start."""
        error = up.exception()
        if error is not None:
            process.pool = None
            done(Outcome(error=_crashed(name, error)))
            return
        process.pid = up.result()
        began(name)
        # Handing in the next job from within a callback of the pool could deadlock it.
        threading.Thread(target=self._give, args=(process, name, payload, done), daemon=True).start()

    def _give(self, process: _Process, name: str, payload: bytes, done: Done) -> None:
        try:
            process.future = process.pool.submit(perform_pickled, payload, output.LIMIT)
        except Exception as error:  # killed meanwhile
            process.pool = None
            done(Outcome(error=_crashed(name, error)))
            return
        process.future.add_done_callback(partial(self._finished, process, name, done))

    def _finished(self, process: _Process, name: str, done: Done, future: Any) -> None:
        """On a thread of loky: the job has ended, or its process."""
        if future.cancelled() or future.exception() is not None:
            process.pool = None
            error = None if future.cancelled() else future.exception()
            done(Outcome(error=_crashed(name, error)))
            return
        import pickle

        try:
            done(pickle.loads(future.result()))
        except Exception as error:
            done(Outcome(error=FuseError(f"what came back from {name} cannot be read: {type(error).__name__}: {error}")))


def _crashed(name: str, error: BaseException | None) -> WorkerCrashedError:
    crash = WorkerCrashedError(
        f"{name} died while it ran this node; that happens when it is killed, runs out of memory, or when "
        "compiled code crashes"
    )
    crash.__cause__ = error
    return crash


def _pickled(job: Job) -> bytes:
    import cloudpickle

    try:
        return cloudpickle.dumps(job, protocol=5)
    except Exception as whole:
        parts = {"its function": job.func, "its plugin": job.initialize}
        parts |= {f"argument {place}": value for place, value in enumerate(job.args)}
        parts |= {f"argument {key}": value for key, value in job.kwargs.items()}
        for part, value in parts.items():
            try:
                cloudpickle.dumps(value, protocol=5)
            except Exception as error:
                raise FuseError(
                    f"{part}, {shorten(repr(value))}, cannot be pickled for a worker process "
                    f"({type(error).__name__}: {error}); run this node with executor 'thread' or 'inline'"
                ) from error
        raise FuseError(f"the node cannot be pickled for a worker process: {whole}") from whole
