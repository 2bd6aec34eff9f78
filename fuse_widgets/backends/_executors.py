"""Where jobs run beside the scheduler's own thread: numbered threads and numbered processes.

Each worker process is a loky pool of its own with one process, so that a crash or a kill concerns the one node
that ran in it and nobody else.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import pickle
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from ..engine import output
from ..engine._context import copied_context
from ..engine.errors import FuseError, NodeTimeoutError, WorkerCrashedError, message_of, shorten
from ..engine.interrupts import Interruptible, LeftBehind
from ._compat import call_before_threads_end
from ._kernel_state import NOTHING, KernelState, Sent
from ._parent import Lifeline
from ._prints import Piece, Pipe
from ._references import Reached, dumps_reached
from ._worker import Job, Outcome, perform, perform_pickled, set_up, start

__all__ = ["ProcessWorkers", "ThreadWorkers"]

#: Gets the worker's name, and when it began.
Began = Callable[[str, float], None]
Done = Callable[[Outcome], None]
#: Gets what a job prints and displays in another process, piece by piece.
Printed = Callable[[Piece], object]
#: Seconds that an idle worker process stays.
IDLE = 300


class _Slots:
    """Numbers from 1 up; the lowest free one is taken first. A worker gives its own back when its job has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[int] = []
        self._made = 0

    def take(self) -> tuple[int, bool]:
        """A number, and whether it is a new one."""
        with self._lock:
            if self._free:
                return heapq.heappop(self._free), False
            self._made += 1
            return self._made, True

    def give_back(self, number: int) -> None:
        with self._lock:
            heapq.heappush(self._free, number)


class _Thread:
    """One worker thread, and what it does.

    Attributes:
        queue: Its jobs; None ends it.
        guard: Knows whether it runs one.
        printer: Of the node that it runs.
        on_end: Called when a job has ended that nobody has waited for; the thread ends then.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.queue: SimpleQueue[Any] = SimpleQueue()
        self.guard = Interruptible()
        self.printer: output.Printer | None = None
        self.on_end: Callable[[], object] = list


class ThreadWorkers:
    """Worker threads, made when they are first needed."""

    def __init__(self) -> None:
        self._slots = _Slots()
        self._threads: dict[int, _Thread] = {}

    def submit(self, job: Job, printer: output.Printer, began: Began, done: Done) -> int:
        """Run a job in a free thread; `began` gets the worker's name at once, `done` the outcome."""
        number, _ = self._slots.take()
        thread = self._threads.get(number)
        if thread is None:
            thread = _Thread(number)
            worker = threading.Thread(
                target=self._work, args=(thread, self._slots), name=f"fuse thread {number}", daemon=True
            )
            try:
                _start(worker, "the node's worker")
            except FuseError:
                self._slots.give_back(number)
                raise
            self._threads[number] = thread
        began(f"thread {number}", time.time())
        # The context of the cell that runs the workflow now: IPython sends output to the cell that it names.
        thread.guard, thread.printer = Interruptible(), printer
        thread.queue.put((copied_context(), job, printer, done))
        return number

    def interrupt(self, number: int) -> None:
        """Raise KeyboardInterrupt in the job of a thread; it arrives once the job is back in Python."""
        self._threads[number].guard.interrupt()

    def leave(self, number: int, on_end: Callable[[], object]) -> bool:
        """Wait no longer for the job of a thread; its outcome goes nowhere, and the thread ends with it.

        Args:
            number: Of the thread.
            on_end: Called when the job has ended after all.

        Returns:
            False if the job has ended: its outcome is on its way.
        """
        thread = self._threads[number]
        stack = contextlib.ExitStack()
        stack.enter_context(output.redirected())  # what it prints goes to its node, and to no later cell

        def ended() -> None:
            stack.close()
            on_end()

        thread.on_end = ended
        if not thread.guard.leave_behind():
            stack.close()
            return False
        if thread.printer is not None:
            thread.printer.shown = False
        del self._threads[number]
        return True

    def close(self) -> None:
        """Let all threads end once their job is done."""
        threads, self._threads, self._slots = self._threads, {}, _Slots()
        for thread in threads.values():
            thread.queue.put(None)

    @staticmethod
    def _work(thread: _Thread, slots: _Slots) -> None:
        while (item := thread.queue.get()) is not None:
            context, job, printer, done = item
            guard = thread.guard
            guard.thread = threading.get_ident()
            begin = time.perf_counter()
            try:
                outcome = context.run(_perform_for, printer, job, guard)
            except KeyboardInterrupt as error:
                outcome = Outcome(error=error, seconds=time.perf_counter() - begin)
            except LeftBehind:
                thread.on_end()
                slots.give_back(thread.number)
                return
            slots.give_back(thread.number)
            done(outcome)
            del item, context, job, printer, done, outcome, guard


def _perform_for(printer: output.Printer, job: Job, guard: Interruptible) -> Outcome:
    output.printer.set(printer)
    outcome = guard.call(perform, job)
    output.end_node()
    return outcome


class _Process:
    """One worker process, and the pool that holds it. A pool is used until its process is killed or dies."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"process {number}"
        self.pool: Any = None
        self.prints: Pipe | None = None
        self.lifeline: Lifeline | None = None
        self.has: Sent = NOTHING
        self.last = 0  # the number of its last job
        self.used = 0.0


class ProcessWorkers:
    """Worker processes, started when they are first needed."""

    def __init__(self) -> None:
        self._slots = _Slots()
        self._processes: dict[int, _Process] = {}

    def submit(
        self,
        job: Job,
        kernel: KernelState,
        printed: Printed,
        began: Began,
        done: Done,
        timeout: float | None = None,
    ) -> tuple[int, bool]:
        """Run a job in a free process; `began` gets the worker's name when the process is up and takes it.

        The process has the surroundings in `kernel`. If it has not done its job `timeout` seconds after that, it is killed.

        Returns:
            The process's number, and whether it has to start first.

        Raises:
            FuseError: The function or an argument cannot be pickled. Names what.
        """
        payload, reached = _pickled(job)
        kernel.modules.reach(reached)
        number, new = self._slots.take()
        process = self._processes[number] = _Process(number) if new else self._processes[number]
        ended = partial(self._done, self._slots, process, done)
        task = _Task(process, payload, kernel, printed, began, ended, timeout)
        if process.pool is not None and time.monotonic() - process.used < IDLE / 2:
            task.give()
            return number, False
        try:
            self._renew(process, kernel.limits)
            up = process.pool.submit(start)
        except Exception as error:  # no more threads, processes or files
            _kill(process)
            self._slots.give_back(number)
            raise FuseError(f"{process.name} cannot be started: {message_of(error)}") from error
        up.add_done_callback(task.up)
        _end_with_the_program(process)
        return number, True

    def kill(self, number: int) -> None:
        """Kill a worker process; its job ends with `WorkerCrashedError`, and another process takes its place."""
        _kill(self._processes[number])

    def close(self) -> None:
        """End all processes."""
        processes, self._processes, self._slots = self._processes, {}, _Slots()
        for process in processes.values():
            _kill(process)

    @staticmethod
    def _renew(process: _Process, environment: dict[str, str]) -> None:
        from loky import ProcessPoolExecutor

        _kill(process)
        process.has, process.last = NOTHING, 0
        process.prints, process.lifeline = Pipe(process.name), Lifeline()
        process.pool = ProcessPoolExecutor(
            max_workers=1,
            timeout=IDLE,
            initializer=set_up,
            initargs=(process.prints.writer, output.can_publish(), process.lifeline.reader, os.getpid()),
            env=environment,
        )

    @staticmethod
    def _done(slots: _Slots, process: _Process, done: Done, outcome: Outcome) -> None:
        if isinstance(outcome.error, WorkerCrashedError):
            process.pool = None
            _hang_up(process)
        process.used = time.monotonic()
        slots.give_back(process.number)
        done(outcome)


class _Task:
    """A job on its way to a process, its methods called from threads of loky, and from a timer.

    State: `_ended` and `_expired` change under `_lock`, so that a process that has done its job is not killed.
    """

    def __init__(
        self,
        process: _Process,
        payload: bytes,
        kernel: KernelState,
        printed: Printed,
        began: Began,
        done: Done,
        timeout: float | None,
    ) -> None:
        self.process, self.payload, self.printed, self.kernel = process, payload, printed, kernel
        self.began, self._done = began, done
        self.timeout = timeout
        self.prints: Pipe | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._ended = self._expired = False

    def done(self, outcome: Outcome) -> None:
        """The job has ended, in whatever way."""
        with self._lock:
            self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._expired and isinstance(outcome.error, WorkerCrashedError):
            seconds = self.timeout or 0.0
            outcome = Outcome(
                error=NodeTimeoutError(
                    f"it ran longer than its timeout of {seconds:g} s, and its process was killed"
                ),
                seconds=seconds,
            )
        self._done(outcome)

    def expire(self) -> None:
        """The time is up."""
        with self._lock:
            if not self._ended:
                self._expired = True
                _kill(self.process)

    def up(self, future: Any) -> None:
        """The process is up, or could not start."""
        error = _error_of(future)
        if error is not None:
            self.done(Outcome(error=self._crash(error)))
            return
        self._in_thread(self.give)

    def _in_thread(self, target: Callable[[], None]) -> None:
        """Hand in a job from within a callback of the pool, which could deadlock that."""
        try:
            _start(threading.Thread(target=target, daemon=True), self.process.name)
        except FuseError as no_thread:
            self.done(Outcome(error=no_thread))

    def give(self) -> None:
        """Hand the job to the process."""
        self.began(self.process.name, time.time())
        if self.timeout is not None:
            self._timer = threading.Timer(self.timeout, self.expire)
            self._timer.daemon = True
            try:
                _start(self._timer, "its timeout")
            except FuseError as no_thread:
                self.done(Outcome(error=no_thread))
                return
        self._hand_over()

    def _hand_over(self) -> None:
        number, process = next(_numbers), self.process
        try:
            self.prints = self.process.prints
            self.prints.expect(number, self.printed)  # type: ignore[union-attr]
            state, process.has = self.kernel.since(process.has)
            future = process.pool.submit(perform_pickled, self.payload, number, process.last, state)
            process.last = number
        except Exception as error:  # killed meanwhile
            self.done(Outcome(error=self._crash(error)))
        else:
            future.add_done_callback(self.finished)

    def finished(self, future: Any) -> None:
        """The job has ended, or its process."""
        error = _error_of(future)
        if self.prints is not None:
            self.prints.end()
        if error is not None:
            outcome = Outcome(error=self._crash(error))
        elif future.result() == b"":  # a fresh process, which loky has started by itself
            self.process.has, self.process.last = NOTHING, 0
            self._in_thread(self._hand_over)
            return
        else:
            try:
                outcome = pickle.loads(future.result())
            except Exception as unreadable:
                outcome = Outcome(
                    error=FuseError(
                        f"what came back from {self.process.name} cannot be read: "
                        f"{type(unreadable).__name__}: {message_of(unreadable)}"
                    )
                )
        self.done(outcome)

    def _crash(self, error: BaseException) -> WorkerCrashedError:
        crash = WorkerCrashedError(
            f"{self.process.name} died while it ran this node; that happens when it is killed, runs out of "
            "memory, or when compiled code crashes"
        )
        crash.__cause__ = error
        return crash


def _start(thread: threading.Thread, what: str) -> None:
    """Start a thread.

    Raises:
        FuseError: This process cannot start another one.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise FuseError(f"{what} needs a thread and this process cannot start one ({error})") from error


#: Numbers of jobs, by which prints are told apart.
_numbers = itertools.count(1)
_processes: weakref.WeakSet[_Process] = weakref.WeakSet()
_registered: list[object] = []
#: Pools on their way out: what they hold is put away by their own threads or, where the program ends first, at
#: its end, and never half by one that is cut off (loky's resource tracker would complain of it).
_killed: deque[Any] = deque(maxlen=4)


def _end_with_the_program(process: _Process) -> None:
    """Kill the process, whatever it does, when the program ends; loky would wait for its job.

    The newest is called first, and so this is asked for after the first pool has started.
    """
    _processes.add(process)
    if not _registered:
        _registered.append(_kill_all)
        call_before_threads_end(_kill_all)


def _kill_all() -> None:
    for process in list(_processes):
        _kill(process)


def _kill(process: _Process) -> None:
    pool, process.pool = process.pool, None
    if pool is not None:
        _killed.append(pool)
        pool.shutdown(wait=False, kill_workers=True)
    _hang_up(process)


def _hang_up(process: _Process) -> None:
    """Stop listening to what the process prints, and end what is left of it."""
    prints, process.prints = process.prints, None
    if prints is not None:
        prints.close()
    lifeline, process.lifeline = process.lifeline, None
    if lifeline is not None:
        lifeline.close()


def _error_of(future: Any) -> BaseException | None:
    if future.cancelled():
        return RuntimeError("the process was ended before it took the job")
    error: BaseException | None = future.exception()
    return error


def _pickled(job: Job) -> tuple[bytes, Reached]:
    try:
        return dumps_reached(job)
    except Exception as whole:
        parts = {"its function": job.func, "its plugin": job.initialize}
        parts |= {f"argument {place}": value for place, value in enumerate(job.args)}
        parts |= {f"argument {key}": value for key, value in job.kwargs.items()}
        for part, value in parts.items():
            try:
                dumps_reached(value)
            except Exception as error:
                raise FuseError(
                    f"{part}, {_shown(value)}, cannot be pickled for a worker process "
                    f"({type(error).__name__}: {message_of(error)}); run this node with executor 'thread' or 'inline'"
                ) from error
        raise FuseError(f"the node cannot be pickled for a worker process: {message_of(whole)}") from whole


def _shown(value: Any) -> str:
    try:
        return shorten(repr(value))
    except Exception:
        return f"a {type(value).__name__}"
