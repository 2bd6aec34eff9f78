"""The scheduler of `LocalWorkflow`: one loop, in the thread that called `run()`, that owns the whole run.

Workers and controls only put messages into its inbox. The loop alone changes what is ready, running and settled.
Nodes are known here by their place in the traversal.
"""

from __future__ import annotations

import contextlib
import heapq
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from ..engine import output
from ..engine.errors import FuseError, NodeExecutionError
from ..engine.nodes import LEAVES, MethodNode, Node, checked
from ..engine.run import Run, describe_error
from ..engine.states import NodeState
from ..plugins import prepare
from ._interrupt import CtrlC, InlineGuard
from ._kernel_state import KernelState
from ._prints import Incoming, Piece
from ._worker import Job, Outcome, own_traceback
from .info import DEFAULTS

if TYPE_CHECKING:
    from ._stored import Stored
    from .local import LocalWorkflow

PENDING, QUEUED, RUNNING, DONE = NodeState.PENDING, NodeState.QUEUED, NodeState.RUNNING, NodeState.DONE
Inputs = tuple[tuple[Any, ...], dict[str, Any]]


class _Running(NamedTuple):
    kind: str
    slot: int
    attempt: int
    job: Job
    printed: Incoming


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
        self.nodes, self.children, self.followers = run.order.nodes, run.order.children, run.order.followers
        self.functions = run.functions
        self.waits = list(run.order.waits)
        self.values, self.infos = run.values, workflow.infos
        self.emit, self.lookup, self.storing = run.emit, run.values.__getitem__, stored.storage is not None
        self.ready: list[int] = []
        self.held: set[int] = set()
        self.settled: set[int] = set()  # cached or skipped
        self.running: dict[int, _Running] = {}
        self.attempts: dict[int, int] = {}
        self.killed: set[int] = set()
        self.failures: list[NodeExecutionError] = []
        self.inbox: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.inline = InlineGuard()
        self.printer = run.printer()
        self.looping = False
        self.interrupts = 0
        self.told: set[str] = set()
        self.kernel: KernelState | None = None

    # --- the loop ------------------------------------------------------------------------------------------

    def execute(self) -> Any:
        """Run everything; return what `run()` returns."""
        self.run.on_control = self._controlled
        if self.workflow.uses_processes():
            with contextlib.suppress(FuseError):  # it is raised again for each node that needs a process
                self._state_of_kernel()
        with CtrlC(self.inline, self._on_ctrl_c):
            self._prepare()
            printing = output.printer.set(self.printer)
            try:
                self.looping = True
                self._loop()
            finally:
                output.printer.reset(printing)
        self._settle_open()
        self.run.raise_if_incomplete(self.failures, interrupted=self.interrupts > 0)
        return self.workflow.result(self.run)

    def _prepare(self) -> None:
        cached = self.stored.look_up()
        self.values.update(self.stored.values)
        self.settled.update(self.run.order.place[node] for node in cached)
        for node, detail in cached.items():
            self.emit(node, NodeState.CACHED, attempt=0, detail=detail)
            for waiting in self._waiting_for(self.run.order.place[node]):
                self.waits[waiting] -= 1
        self.ready = [p for p, count in enumerate(self.waits) if not count and p not in self.settled]

    def _waiting_for(self, place: int) -> list[int]:
        return [*self.children[place], *self.followers.get(place, ())]

    def _loop(self) -> None:
        run, ready, running = self.run, self.ready, self.running
        nothing_new, most, pop = self.inbox.empty, self.workflow.max_workers, heapq.heappop
        while True:
            while not nothing_new():
                self._wait()
            if run.cancelled or (self.failures and self.fail_fast):
                if run.cancelled > 1:
                    self._interrupt_running()
                if not running or self.interrupts > 1:
                    return
                self._wait()
            elif ready and len(running) < most:
                if not run.paused or run.take_turn():
                    self._start(pop(ready))
                else:
                    self._hold(ready[0])
                    self._wait()
            elif running:
                self._wait()
            else:
                return

    def _wait(self) -> None:
        """Do what the next message says."""
        action, *args = self.inbox.get()
        action(*args)

    # --- one node ------------------------------------------------------------------------------------------

    def _start(self, place: int) -> None:
        node = self.nodes[place]
        if self.held:
            self.held.discard(place)
        attempt = self.attempts.get(place, 1)
        inputs: Inputs | None = None
        try:
            info = self.workflow.info_now(node) or DEFAULTS
            executor = info.executor or self.workflow.executor
            inputs = node.resolve(self.lookup)
            initialize = None if info.plugin is None else prepare(info.plugin, node._name)
            if executor != "inline":
                self._submit(
                    place,
                    node,
                    attempt,
                    Job(self.functions[place], *inputs, initialize),
                    executor,
                    info.timeout,
                )
                return
        except Exception as error:
            self.emit(node, RUNNING, attempt=attempt)
            self._missed(place, node, attempt, Outcome(error=error), inputs)
            return
        self._run_inline(place, node, attempt, inputs, initialize)

    def _submit(
        self, place: int, node: Node, attempt: int, job: Job, executor: str, timeout: float | None
    ) -> None:
        if executor == "process" and isinstance(node, MethodNode):
            job = job._replace(changes_object=True)
        printer, incoming = self.run.printer(node._name), Incoming()

        def began(worker: str, when: float) -> None:
            self.inbox.put((self._began, place, attempt, worker, when))

        def ended(outcome: Outcome) -> None:
            self.inbox.put((self._ended, place, outcome))

        def printed(piece: Piece) -> None:
            if incoming.add(piece):
                self.inbox.put((self._show, printer, incoming))

        if executor == "thread":
            slot = self.workflow.threads.submit(job, printer, began, ended)
        else:
            slot = self.workflow.processes.submit(
                job, self._state_of_kernel(), printed, began, ended, timeout
            )
        self.running[place] = _Running(executor, slot, attempt, job, incoming)
        if self.run.states[node._name] is not QUEUED:  # as it is for another attempt, and after a pause
            self.emit(node, QUEUED, attempt=attempt)

    def _state_of_kernel(self) -> KernelState:
        """What worker processes have to have in common with this one, as it was when the run began.

        Raises:
            FuseError: They cannot.
        """
        if self.kernel is None:
            self.kernel = KernelState.take(self.workflow.max_workers)
        return self.kernel

    def _run_inline(self, place: int, node: Node, attempt: int, inputs: Inputs, initialize: Any) -> None:
        self.emit(node, RUNNING, attempt)
        self.printer.name = node._name
        guard = self.inline
        error: BaseException | None = None
        value = None
        began = time.perf_counter()
        try:
            try:
                guard.active = True
                if guard.refuse:
                    raise KeyboardInterrupt
                if initialize is not None:
                    initialize()
                args, kwargs = inputs
                func = self.functions[place]
                value = func(*args, **kwargs) if kwargs else func(*args)
                if type(value) not in LEAVES:
                    value = checked(func, value)
                guard.active = False
            except BaseException as raised:
                guard.active = False
                error = raised
            if guard.sent:
                guard.leave()
        except KeyboardInterrupt as raised:  # it came between two instructions of ours
            guard.active = False
            error = raised
        seconds = time.perf_counter() - began
        if error is None:
            self._succeeded(place, node, attempt, value, seconds, inputs)
            return
        interrupted = isinstance(error, KeyboardInterrupt)
        if interrupted and not guard.refuse:  # else the loop knows already
            self._interrupted()
        outcome = Outcome(error=own_traceback(error), seconds=seconds)
        self._missed(place, node, attempt, outcome, inputs, interrupted)

    def _began(self, place: int, attempt: int, worker: str, when: float) -> None:
        if place in self.running:
            self.emit(self.nodes[place], RUNNING, attempt, worker, when=when)

    def _ended(self, place: int, outcome: Outcome) -> None:
        running, node = self.running.pop(place), self.nodes[place]
        inputs = (running.job.args, running.job.kwargs)
        self._show(self.run.printer(node._name), running.printed)
        if outcome.error is None:
            if running.job.changes_object:
                assert isinstance(node, MethodNode)
                self.values[node.object] = outcome.object
            self._succeeded(place, node, running.attempt, outcome.value, outcome.seconds, inputs)
            return
        self._missed(place, node, running.attempt, outcome, inputs, place in self.killed)

    def _show(self, printer: output.Printer, printed: Incoming) -> None:
        for piece in printed.take():
            output.show(printer, piece)

    def _succeeded(
        self, place: int, node: Node, attempt: int, value: Any, seconds: float, inputs: Inputs
    ) -> None:
        self.values[node] = value
        detail: dict[str, Any] | float = seconds
        if self.storing:
            saved = self.stored.save(node, value, seconds)
            detail = {"seconds": seconds, **self.stored.why(node), **saved}
        self.emit(node, DONE, attempt, None, detail)
        waits = self.waits
        for child in self.children[place]:
            waits[child] -= 1
            if not waits[child] and child not in self.settled:
                heapq.heappush(self.ready, child)
        if self.followers:
            self._release_followers(place)

    def _missed(
        self,
        place: int,
        node: Node,
        attempt: int,
        outcome: Outcome,
        inputs: Inputs | None,
        interrupted: bool = False,
    ) -> None:
        """An attempt has ended without a result."""
        assert outcome.error is not None
        if interrupted:
            self.emit(node, NodeState.CANCELLED, attempt=attempt, detail={"seconds": outcome.seconds})
            return
        detail = {"seconds": outcome.seconds, "error": describe_error(outcome.error), **self.stored.why(node)}
        if attempt <= self.infos.get(node, DEFAULTS).retries and not self.run.cancelled:
            self.attempts[place] = attempt + 1
            self.emit(node, QUEUED, attempt=attempt, detail=detail)
            heapq.heappush(self.ready, place)
            return
        self.emit(node, NodeState.FAILED, attempt=attempt, detail=detail)
        self.failures.append(NodeExecutionError(node, outcome.error, inputs))
        self._release_followers(place)
        stack = self.children[place][::-1]
        while stack:
            lost = stack.pop()
            if lost not in self.settled:
                self.settled.add(lost)
                self.emit(self.nodes[lost], NodeState.SKIPPED, attempt=0, detail={"root": node._name})
                self._release_followers(lost)
                stack += self.children[lost][::-1]

    def _release_followers(self, place: int) -> None:
        for follower in self.followers.get(place, ()):
            self.waits[follower] -= 1
            if not self.waits[follower] and follower not in self.settled:
                heapq.heappush(self.ready, follower)

    def _hold(self, place: int) -> None:
        if place not in self.held:
            self.held.add(place)
            self.emit(self.nodes[place], NodeState.PAUSED, attempt=self.attempts.get(place, 0))

    def _settle_open(self) -> None:
        """What still runs was given up; what was queued or held when the run stopped is pending again."""
        for place, running in self.running.items():
            self.emit(self.nodes[place], NodeState.CANCELLED, attempt=running.attempt)
        for place in self.ready:
            if self.run.states[self.nodes[place]._name] is not PENDING:
                self.emit(self.nodes[place], PENDING, attempt=self.attempts.get(place, 0))

    # --- stopping ------------------------------------------------------------------------------------------

    def _controlled(self) -> None:
        """A control of the run was used, on any thread."""
        self._say_what_ends()
        if self.run.cancelled > 1 and self.inline.interrupt():
            self._tell("inline", "waiting for a node that cannot be interrupted before it returns to Python")
        self.inbox.put((self._look_at_controls,))

    def _look_at_controls(self) -> None:
        if not self.run.paused:
            for place in sorted(self.held):
                self.emit(self.nodes[place], QUEUED, attempt=self.attempts.get(place, 0))
            self.held.clear()

    def _on_ctrl_c(self) -> None:
        """Ctrl-C in the main thread, outside of an inline node."""
        if self.looping and self.interrupts < 2:
            self.inbox.put((self._interrupted,))
        else:  # storage is being read, or something in the loop does not come back
            raise KeyboardInterrupt

    def _interrupted(self) -> None:
        """Ctrl-C: interrupt what can be; a second time, do not wait for the rest."""
        self.interrupts += 1
        self.told.add("first")  # the second follows at once
        self.run.cancel()
        self.run.cancel()

    def _say_what_ends(self) -> None:
        """What the run waits for once no further node starts; once more, that it is interrupted."""
        count = len(self.running) + self.inline.active
        if not self.run.cancelled or not count:
            return
        who, them = ("the node that runs", "it") if count == 1 else (f"{count} nodes that run", "them")
        if self.run.cancelled == 1:
            self._tell("first", f"waiting for {who}; stop again to interrupt {them}")
        else:
            self._tell("second", f"interrupting {who}")

    def _interrupt_running(self) -> None:
        """Kill the processes and cancel coroutines; say once that other threads go on."""
        for place, running in self.running.items():
            if running.kind == "process" and place not in self.killed:
                self.killed.add(place)
                self.workflow.processes.kill(running.slot)
            elif (
                running.kind == "thread"
                and place not in self.killed
                and self.workflow.threads.cancel(running.slot)
            ):
                self.killed.add(place)
        threads = sum(
            running.kind == "thread" and place not in self.killed for place, running in self.running.items()
        )
        if threads:
            who = "a node that runs" if threads == 1 else f"{threads} nodes that run"
            self._tell("thread", f"waiting for {who} in a thread: threads cannot be interrupted")

    def _tell(self, kind: str, notice: str) -> None:
        """Say once in a run what it waits for."""
        with self.run._control:
            if kind not in self.told and not self.run.state.finished:
                self.told.add(kind)
                self.emit(None, RUNNING, detail={"stopping": self.run.cancelled, "notice": notice})
