"""The scheduler of `LocalWorkflow`: one loop, in the thread that called `run()`, that owns the whole run.

Workers and controls only put messages into its inbox. The loop alone changes what is ready, running and settled.
"""

from __future__ import annotations

import ctypes
import heapq
import signal
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from ..engine import output
from ..engine.errors import NodeExecutionError, NodeTimeoutError, RunCancelledError
from ..engine.nodes import MethodNode, Node, ObjectNode, check_result
from ..engine.run import Run, describe_error
from ..engine.states import NodeState
from ..plugins import prepare
from ._worker import Job, Outcome, perform

if TYPE_CHECKING:
    from ._stored import Stored
    from .local import LocalWorkflow

PENDING, QUEUED, RUNNING = NodeState.PENDING, NodeState.QUEUED, NodeState.RUNNING


class _Running(NamedTuple):
    kind: str
    slot: int
    attempt: int
    job: Job


class Scheduler:
    """Executes one run of a `LocalWorkflow`.

    Args:
        workflow: What to run.
        run: Where to report.
        stored: What storage has for this run.
        fail_fast: Start nothing more once a node has failed.
    """

    def __init__(self, workflow: LocalWorkflow, run: Run, stored: Stored, *, fail_fast: bool) -> None:
        self.workflow, self.run, self.stored, self.fail_fast = workflow, run, stored, fail_fast
        self.place = {node: place for place, node in enumerate(run.nodes)}
        self.children: dict[Node, list[Node]] = {}
        self.followers: dict[Node, list[Node]] = {}
        self.missing: dict[Node, int] = {}
        self.ready: list[tuple[int, Node]] = []
        self.held: set[Node] = set()
        self.running: dict[Node, _Running] = {}
        self.attempts: dict[Node, int] = {}
        self.deadlines: list[tuple[float, int, Node, int]] = []
        self.timed_out: set[Node] = set()
        self.lost: set[Node] = set()
        self.failures: list[NodeExecutionError] = []
        self.inbox: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.inline = _InlineGuard()
        self.interrupts = 0
        self.told = False
        self.killed: set[Node] = set()

    # --- the loop ------------------------------------------------------------------------------------------

    def execute(self) -> Any:
        """Run everything; return what `run()` returns."""
        self.run.on_control = self._controlled
        with _CtrlC(self):
            self._prepare()
            self._loop()
        self._settle_open()
        if self.failures:
            first = self.failures[0]
            first.failures = tuple(self.failures)
            raise first
        if self.interrupts:
            raise KeyboardInterrupt
        if self.run.cancelled:
            raise RunCancelledError(
                f"run {self.run.number} of {self.workflow.workflow_name!r} was cancelled; run() goes on from "
                "what is in storage"
            )
        return self.workflow.result(self.run)

    def _prepare(self) -> None:
        cached = self.stored.look_up()
        results = self.run.results
        for node in self.run.nodes:
            if node in cached:
                self.run.emit(node, NodeState.CACHED, attempt=0, detail=cached[node])
                continue
            count = 0
            for parent in node.parents:
                if parent not in cached:
                    count += 1
                    self.children.setdefault(parent, []).append(node)
            for earlier in node.after:
                if earlier in self.place and earlier not in cached:
                    count += 1
                    self.followers.setdefault(earlier, []).append(node)
            self.missing[node] = count
            if not count:
                self.ready.append((self.place[node], node))
        results.update(self.stored.values)

    def _loop(self) -> None:
        run = self.run
        while True:
            self._read_inbox()
            if run.cancelled or (self.fail_fast and self.failures):
                if run.cancelled > 1:
                    self._interrupt_running()
                if not self.running or self.interrupts > 1:
                    return
                self._wait()
            elif self.ready and len(self.running) < self.workflow.max_workers:
                if run.take_turn():
                    self._start(heapq.heappop(self.ready)[1])
                else:
                    self._hold(self.ready[0][1])
                    self._wait()
            elif self.running:
                self._wait()
            else:
                return

    def _read_inbox(self) -> None:
        while not self.inbox.empty():
            self._handle(self.inbox.get())
        while self.deadlines and self.deadlines[0][0] <= time.monotonic():
            self._time_out(heapq.heappop(self.deadlines))

    def _wait(self) -> None:
        timeout = max(0.0, self.deadlines[0][0] - time.monotonic()) if self.deadlines else None
        try:
            self._handle(self.inbox.get(timeout=timeout))
        except Empty:
            pass  # a deadline has come

    def _handle(self, message: tuple[Any, ...]) -> None:
        action, *args = message
        action(*args)

    # --- one node ------------------------------------------------------------------------------------------

    def _start(self, node: Node) -> None:
        self.held.discard(node)
        attempt = self.attempts[node] = self.attempts.get(node, 0) + 1
        tail = self.run.outputs.get(node._name)
        if tail is None:
            tail = self.run.outputs[node._name] = output.Tail()
        info = self.workflow.info_of(node)
        kind = info.executor or self.workflow.executor
        inputs = None
        try:
            args, kwargs = inputs = node.resolve(self._value)
            initialize = None if info.plugin is None else prepare(info.plugin, node._name)
            job = Job(node._func, args, kwargs, initialize, kind == "process" and isinstance(node, MethodNode))
            if kind == "inline":
                self._run_inline(node, attempt, tail, job)
                return
            workers = self.workflow.workers(kind)
            slot = workers.submit(
                job,
                tail,
                lambda worker: self.inbox.put((self._began, node, attempt, worker, info.timeout)),
                lambda outcome: self.inbox.put((self._ended, node, attempt, outcome)),
            )
        except Exception as error:
            self.run.emit(node, RUNNING, attempt=attempt)
            self._settle(node, attempt, Outcome(error=error), inputs)
            return
        self.running[node] = _Running(kind, slot, attempt, job)
        self.run.emit(node, QUEUED, attempt=attempt)

    def _run_inline(self, node: Node, attempt: int, tail: output.Tail, job: Job) -> None:
        self.run.emit(node, RUNNING, attempt=attempt)
        token = output.current.set(tail)
        try:
            with self.inline:
                outcome = perform(job)
        except KeyboardInterrupt as error:  # it came between the node's last instruction and ours
            outcome = Outcome(error=error)
        finally:
            output.current.reset(token)
        if isinstance(outcome.error, KeyboardInterrupt) and not self.inline.take_sent():
            self._interrupted()
        self._settle(node, attempt, outcome, (job.args, job.kwargs))

    def _began(self, node: Node, attempt: int, worker: str, timeout: float | None) -> None:
        if node in self.running:
            self.run.emit(node, RUNNING, attempt=attempt, worker=worker)
            if timeout is not None:
                heapq.heappush(
                    self.deadlines, (time.monotonic() + timeout, self.place[node], node, attempt)
                )

    def _ended(self, node: Node, attempt: int, outcome: Outcome) -> None:
        running = self.running.pop(node, None)
        if running is None:  # given up on after a second Ctrl-C
            return
        self.workflow.workers(running.kind).release(running.slot)
        if outcome.printed:
            with output.capture(self.run.outputs[node._name]):
                print(outcome.printed, end="", flush=True)
        if node in self.timed_out:
            self.timed_out.discard(node)
            seconds = self.workflow.info_of(node).timeout
            error = NodeTimeoutError(f"it ran longer than its timeout of {seconds:g} s, and its process was killed")
            outcome = Outcome(error=error, seconds=seconds or 0.0)
        if running.job.changes_object and outcome.error is None:
            assert isinstance(node, MethodNode)
            self.run.results[node.object._name] = outcome.object
        self._settle(node, attempt, outcome, (running.job.args, running.job.kwargs))

    def _settle(
        self, node: Node, attempt: int, outcome: Outcome, inputs: tuple[tuple[Any, ...], dict[str, Any]] | None
    ) -> None:
        error = outcome.error
        if error is None:
            try:
                check_result(node._name, outcome.value)
            except Exception as wrong:
                error = wrong
        if error is None:
            detail = {"seconds": outcome.seconds, **self.stored.why(node)}
            self.run.results[node._name] = outcome.value
            detail.update(self.stored.save(node, outcome.value, outcome.seconds))
            self.run.emit(node, NodeState.DONE, attempt=attempt, detail=detail)
            for child in self.children.get(node, ()):
                self._one_less(child)
            self._release_followers(node)
        elif isinstance(error, KeyboardInterrupt) or node in self.killed:
            self.run.emit(node, NodeState.CANCELLED, attempt=attempt)
            self._release_followers(node)
        elif attempt <= self.workflow.info_of(node).retries and not self.run.cancelled:
            detail = {"error": describe_error(error), "seconds": outcome.seconds}
            self.run.emit(node, QUEUED, attempt=attempt, detail=detail)
            heapq.heappush(self.ready, (self.place[node], node))
        else:
            self._fail(node, attempt, error, outcome, inputs)

    def _fail(self, node: Node, attempt: int, error: BaseException, outcome: Outcome, inputs: Any) -> None:
        detail = {"seconds": outcome.seconds, "error": describe_error(error), **self.stored.why(node)}
        self.run.emit(node, NodeState.FAILED, attempt=attempt, detail=detail)
        self.failures.append(NodeExecutionError(node, error, inputs))
        self._release_followers(node)
        stack = list(self.children.get(node, ()))
        while stack:
            lost = stack.pop()
            if lost not in self.lost:
                self.lost.add(lost)
                self.run.emit(lost, NodeState.SKIPPED, attempt=0, detail={"root": node._name})
                self._release_followers(lost)
                stack.extend(self.children.get(lost, ()))

    def _one_less(self, node: Node) -> None:
        self.missing[node] -= 1
        if not self.missing[node] and node not in self.lost:
            heapq.heappush(self.ready, (self.place[node], node))

    def _release_followers(self, node: Node) -> None:
        for follower in self.followers.get(node, ()):
            self._one_less(follower)

    def _value(self, node: Node) -> Any:
        return self.run.results[node._name]

    def _hold(self, node: Node) -> None:
        if node not in self.held:
            self.held.add(node)
            self.run.emit(node, NodeState.PAUSED, attempt=self.attempts.get(node, 0))

    def _settle_open(self) -> None:
        """What was queued or held when the run stopped is pending again."""
        for node in [*self.held, *self.running]:
            state = NodeState.CANCELLED if node in self.running else PENDING
            self.run.emit(node, state, attempt=self.attempts.get(node, 0))
        for _, node in self.ready:
            if self.run.states[node._name] is QUEUED:
                self.run.emit(node, PENDING, attempt=self.attempts.get(node, 0))

    # --- stopping ------------------------------------------------------------------------------------------

    def _time_out(self, deadline: tuple[float, int, Node, int]) -> None:
        _, _, node, attempt = deadline
        running = self.running.get(node)
        if running is not None and running.attempt == attempt:
            self.timed_out.add(node)
            self.workflow.workers(running.kind).kill(running.slot)

    def _controlled(self) -> None:
        """A control of the run was used, on any thread."""
        if self.run.cancelled > 1:
            self.inline.interrupt()
        self.inbox.put((self._look_at_controls,))

    def _look_at_controls(self) -> None:
        if not self.run.paused and self.held:
            for node in sorted(self.held, key=self.place.__getitem__):
                self.run.emit(node, QUEUED, attempt=self.attempts.get(node, 0))
            self.held.clear()

    def _interrupted(self) -> None:
        """Ctrl-C: interrupt what can be; a second time, do not wait for the rest."""
        self.interrupts += 1
        self.run.cancel()
        self.run.cancel()

    def _interrupt_running(self) -> None:
        """Kill the processes, and say it, once, where threads go on."""
        for node, running in self.running.items():
            if running.kind == "process" and node not in self.killed:
                self.killed.add(node)
                self.workflow.workers("process").kill(running.slot)
        threads = sum(running.kind == "thread" for running in self.running.values())
        if threads and not self.told:
            self.told = True
            who = "a node that runs" if threads == 1 else f"{threads} nodes that run"
            notice = f"waiting for {who} in a thread: threads cannot be interrupted"
            self.run.emit(None, RUNNING, detail={"stopping": 2, "notice": notice})


class _InlineGuard:
    """Knows whether an inline node is running, and in which thread, so that it alone is interrupted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._sent = False

    def __enter__(self) -> None:
        self._thread = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._thread = None
        with self._lock:  # whoever is about to interrupt has done so once we get the lock
            pass
        for _turn in (1, 2):  # an interrupt that was sent arrives in here at the latest
            pass

    @property
    def active(self) -> bool:
        return self._thread is not None

    def take_sent(self) -> bool:
        """Whether `interrupt` was called since this was last asked."""
        sent, self._sent = self._sent, False
        return sent

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the node that runs inline in another thread, if one does."""
        with self._lock:
            thread = self._thread
            if thread is None or thread == threading.get_ident():
                return
            self._sent = True
            if thread == threading.main_thread().ident and hasattr(signal, "pthread_kill"):
                signal.pthread_kill(thread, signal.SIGINT)  # ends a sleep as well
            else:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
                )


class _CtrlC:
    """While the loop runs in the main thread, Ctrl-C reaches an inline node as KeyboardInterrupt, else the loop."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._previous: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if previous not in (None, signal.SIG_IGN):
                self._previous = signal.signal(signal.SIGINT, self._on_signal)

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _on_signal(self, *_: object) -> None:
        scheduler = self._scheduler
        if scheduler.inline.active:
            raise KeyboardInterrupt
        if not scheduler.inline.take_sent():
            scheduler.inbox.put((scheduler._interrupted,))
