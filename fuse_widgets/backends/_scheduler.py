"""The scheduler of `LocalWorkflow`: one loop, in the thread that called `run()`, that owns the whole run.

What may start, and what follows from an end, the ledger decides (`engine/ledger.py`); the loop starts attempts and reports how they
end. Workers and controls only put messages into its inbox. Nodes are known here by their place in the traversal.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from time import time as now
from typing import TYPE_CHECKING, Any, NamedTuple

from ..engine import output
from ..engine.errors import FuseError, InputChangedError, NodeExecutionError, WorkerCrashedError
from ..engine.interrupts import GRACE, CtrlC, LeftBehind
from ..engine.nodes import LEAVES, MethodNode, Node, checked
from ..engine.run import OWN_THREAD, Run, describe_error
from ..engine.states import NodeState
from ..plugins import prepare
from ._digest import CONSTANTS, is_constant
from ._inbox import Inbox
from ._inputs import Guard, refusal, told
from ._kernel_state import KernelState
from ._prints import Incoming, Piece
from ._worker import Job, Outcome, own_traceback
from .info import DEFAULTS

if TYPE_CHECKING:
    from ._stored import Stored
    from .local import LocalWorkflow

log = logging.getLogger("fuse_widgets")

#: How many notices the log tells of in one run; the events tell of all.
WARNINGS = 3
Inputs = tuple[tuple[Any, ...], dict[str, Any]]
#: Seconds after which a loop that waits feels an interrupt that has not ended its wait: one of another thread (a node may run a
#: workflow), or a signal that came just before the wait.
FEEL = 0.2
#: Of a node whose worker process is not up yet, which takes seconds where it imports much.
STARTING = {"why": "its worker process is starting", "waits": True}


class _Running(NamedTuple):
    kind: str
    slot: int
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
        self.nodes, self.functions, self.ledger = run.nodes, run.functions, run.ledger
        self.values, self.infos = run.values, workflow.infos
        self.lookup, self.storing = run.values.__getitem__, stored.storage is not None
        self.running: dict[int, _Running] = {}
        self.killed: set[int] = set()
        self.failures: list[NodeExecutionError] = []
        self.inbox = Inbox()
        self.inline = run.guard
        self.printer = run.printer()
        self.looping = self.waiting = False
        self.presses = self.interrupts = 0
        self.give_up_at = math.inf
        self.kernel: KernelState | None = None
        self.executor = workflow.executor
        self.guard = Guard(workflow, run, stored)
        self.changed: dict[int, list[str]] = {}
        self.noticed = 0

    # --- the loop ------------------------------------------------------------------------------------------

    def execute(self) -> Any:
        """Run everything; return what `run()` returns."""
        self.run.on_control, self.run.on_left = self._controlled, self._left_behind
        if self.workflow.uses_processes():
            with contextlib.suppress(FuseError):  # it is raised again for each node that needs a process
                self._state_of_kernel()
        try:
            with CtrlC(self.inline, self._on_ctrl_c):
                self._prepare()
                printing = output.printer.set(self.printer)
                try:
                    self.looping = True
                    try:
                        self._loop()
                    except KeyboardInterrupt:
                        if self.presses:
                            raise
                        self._interrupted()  # the run that this one is a part of was interrupted
                        self._loop()
                finally:
                    output.printer.reset(printing)
        except LeftBehind:
            raise
        except KeyboardInterrupt:
            self._settle_open()
            self.run.raise_if_incomplete(
                self.failures, interrupted=self.presses > 0 or not self.run.cancelled
            )
        except BaseException:
            self._settle_open()
            raise
        self._settle_open()
        self._finish_inputs()
        self.run.raise_if_incomplete(self.failures, interrupted=self.interrupts > 0)
        return self.workflow.result(self.run)

    def _prepare(self) -> None:
        cached = self.inline.call(self.stored.look_up)
        if self.storing:
            self.functions = list(map(self.stored.checked, self.nodes, self.functions))
        self.values.update(self.stored.values)
        places = self.run.order.place
        self.ledger.open([(places[node], detail) for node, detail in cached.items()], now())
        self.run.wake()
        for node, value in self.stored.values.items():
            if not is_constant(value):
                self.guard.made(self.run.order.place[node], node, value, saved=True)
        self.guard.look_at_arguments({places[node] for node in cached})

    def _loop(self) -> None:
        run, ledger, running, hub = self.run, self.ledger, self.running, self.run.hub
        messages, most = self.inbox.messages, self.workflow.max_workers
        while True:
            if hub.idle:
                hub.wake()
            while messages:
                self._wait()
            if run.cancelled or (self.failures and self.fail_fast):
                if run.cancelled > 1:
                    self._interrupt_running()
                if not running or self.interrupts > 1 or time.monotonic() >= self.give_up_at:
                    return
                self._wait(self.give_up_at)
            elif ledger.ready and len(running) < most:
                place = run.next() if ledger.paused else ledger.pop()
                if place is None:
                    run.wake()
                    self._wait()
                else:
                    self._start(place)
            elif running:
                self._wait()
            else:
                return

    def _wait(self, until: float = math.inf) -> None:
        """Do what the next message says, if one comes in time."""
        message = None
        self.waiting = True
        try:
            while message is None and (left := until - time.monotonic()) > 0:
                message = self.inbox.get(left if left < FEEL else FEEL)
        finally:
            self.waiting = False
        if message is not None:
            action, *args = message
            action(*args)

    # --- one node ------------------------------------------------------------------------------------------

    def _start(self, place: int) -> None:
        node = self.nodes[place]
        executor, initialize, timeout = self.executor, None, None
        inputs: Inputs | None = None
        try:
            if node.backend_info or self.infos:
                info = self.workflow.info_now(node) or DEFAULTS
                executor, timeout = info.executor or executor, info.timeout
                if info.plugin is not None:
                    initialize = prepare(info.plugin, node._name)
            if self.guard.any:
                inputs = self.guard.begin(place, node, shares=executor != "process")
            else:
                inputs = node.resolve(self.lookup)
            if executor != "inline":
                self._submit(place, node, Job(self.functions[place], *inputs, initialize), executor, timeout)
                return
        except Exception as error:
            self.guard.forget(place, node)
            self.ledger.started(place, now())
            self._missed(place, node, Outcome(error=error), inputs)
            return
        self._run_inline(place, node, inputs, initialize)

    def _submit(self, place: int, node: Node, job: Job, executor: str, timeout: float | None) -> None:
        if executor == "process" and isinstance(node, MethodNode):
            job = job._replace(changes_object=True)
        printer, incoming = self.run.printer(node._name), Incoming()

        def began(worker: str, when: float) -> None:
            self.inbox.put((self._began, place, worker, when))

        def ended(outcome: Outcome) -> None:
            self.inbox.put((self._ended, place, outcome))

        def printed(piece: Piece) -> None:
            if incoming.add(piece):
                self.inbox.put((self._show, printer, incoming))

        if executor == "process" and self.guard.mode != "off":
            job = job._replace(checked=self.guard.shown(place, node))
        starts = False
        if executor == "thread":
            slot = self.workflow.threads.submit(job, printer, began, ended)
        else:
            slot, starts = self.workflow.processes.submit(
                job, self._state_of_kernel(), printed, began, ended, timeout
            )
            self.guard.handed_over(place, node)
        self.running[place] = _Running(executor, slot, job, incoming)
        self.ledger.queued(place, now(), dict(STARTING) if starts else None)

    def _state_of_kernel(self) -> KernelState:
        """What worker processes have to have in common with this one, as it was when the run began.

        Raises:
            FuseError: They cannot.
        """
        if self.kernel is None:
            self.kernel = KernelState.take(self.workflow.max_workers)
        return self.kernel

    def _run_inline(self, place: int, node: Node, inputs: Inputs, initialize: Any) -> None:
        self.ledger.started(place, now())
        if self.run.hub.idle:
            self.run.hub.wake()
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
            if guard.left:
                raise LeftBehind from None
            error = raised
        seconds = time.perf_counter() - began
        if output.after_node is not None:
            output.end_node()
        if error is None and not self.guard.any:
            self._succeeded(place, node, value, seconds, inputs)
        else:
            self._ended_inline(place, node, Outcome(value, error, seconds), inputs)

    def _ended_inline(self, place: int, node: Node, outcome: Outcome, inputs: Inputs) -> None:
        if self.guard.any:
            looked = self._look_at_inputs(place, node, outcome, shares=True)
            if looked is None:
                return
            outcome = looked
        if outcome.error is None:
            self._succeeded(place, node, outcome.value, outcome.seconds, inputs)
            return
        interrupted = isinstance(outcome.error, KeyboardInterrupt)
        if interrupted and not self.inline.refuse:  # the node raised it; else the loop knows already
            self._interrupted()
        outcome = outcome._replace(error=own_traceback(outcome.error))
        self._missed(place, node, outcome, inputs, interrupted)

    def _look_at_inputs(self, place: int, node: Node, outcome: Outcome, *, shares: bool) -> Outcome | None:
        """Tell what a node changed of its inputs.

        Returns:
            What came of the node; None where it runs again, since others changed its inputs while it ran.
        """
        try:
            changed, again = self.guard.end(place, node, shares=shares)
        except InputChangedError as error:
            return Outcome(error=error, seconds=outcome.seconds)
        changed += outcome.changed
        if changed:
            self.changed[place] = changed
            if self.guard.mode == "raise":
                return (
                    outcome
                    if outcome.error
                    else Outcome(error=refusal(node._name, changed), seconds=outcome.seconds)
                )
            self._notice(told(node._name, changed, self.guard.is_lost(place, node)))
        if not again or isinstance(outcome.error, KeyboardInterrupt):
            return outcome
        why = {"seconds": outcome.seconds, "why": "another node changed its inputs in place while it ran"}
        if self.run.cancelled:
            self.ledger.stopped(place, now(), why)
        else:
            self.ledger.lost(place, now(), why)
        return None

    def _finish_inputs(self) -> None:
        """Give back the inputs of the run as they were.

        Raises:
            InputChangedError: A result that is returned was changed, and cannot be had any more.
        """
        if self.guard.any and not self.running:
            for text in self.guard.finish():
                self._notice(text)

    def _notice(self, text: str) -> None:
        """Tell something of the run as a whole; the first few times in the log as well."""
        self.noticed += 1
        if self.noticed <= WARNINGS:
            log.warning("%s", text)
        with self.run._control:
            if not self.run.state.finished:
                self.run.emit(None, self.run.state, detail={"notice": text})

    def _began(self, place: int, worker: str, when: float) -> None:
        if place in self.running:
            self.ledger.started(place, when, worker)

    def _ended(self, place: int, outcome: Outcome) -> None:
        running, node = self.running.pop(place), self.nodes[place]
        inputs = (running.job.args, running.job.kwargs)
        self._show(self.run.printer(node._name), running.printed)
        if self.guard.any or outcome.changed:
            shares = running.kind == "thread"
            looked = self._look_at_inputs(place, node, outcome, shares=shares)
            if looked is None:
                return
            outcome = looked
        if outcome.error is None:
            if running.job.changes_object:
                assert isinstance(node, MethodNode)
                self.values[node.object] = outcome.object
            self._succeeded(place, node, outcome.value, outcome.seconds, inputs)
            return
        interrupted = place in self.killed and isinstance(
            outcome.error, WorkerCrashedError | KeyboardInterrupt
        )
        self._missed(place, node, outcome, inputs, interrupted)

    def _show(self, printer: output.Printer, printed: Incoming) -> None:
        for piece in printed.take():
            output.show(printer, piece)

    def _succeeded(self, place: int, node: Node, value: Any, seconds: float, inputs: Inputs) -> None:
        self.values[node] = value
        detail: dict[str, Any] | float = seconds
        if self.storing:
            detail = {"seconds": seconds, **self.stored.why(node), **self._save(node, value, seconds)}
        if type(value) not in CONSTANTS and not is_constant(value):
            self.guard.made(place, node, value, saved=isinstance(detail, dict) and detail.get("saved", False))
        if self.changed and place in self.changed:
            detail = {
                **(detail if isinstance(detail, dict) else {"seconds": seconds}),
                "changed": self.changed[place],
            }
        self.ledger.succeeded(place, now(), detail)
        if self.run.outputs:
            self.run.settle_output(node._name)

    def _save(self, node: Node, value: Any, seconds: float) -> dict[str, Any]:
        if self.inline.left:
            return {"saved": False, "why_not_saved": "the run had ended"}
        try:
            return self.inline.call(self.stored.save, node, value, seconds, anyway=True)
        except KeyboardInterrupt:
            if not self.inline.refuse:
                self._interrupted()
            return {"saved": False, "why_not_saved": "the run was interrupted while it was saved"}

    def _missed(
        self, place: int, node: Node, outcome: Outcome, inputs: Inputs | None, interrupted: bool = False
    ) -> None:
        """An attempt has ended without a result."""
        assert outcome.error is not None
        if interrupted:
            self.ledger.stopped(place, now(), {"seconds": outcome.seconds})
        else:
            detail = {
                "seconds": outcome.seconds,
                "error": describe_error(outcome.error),
                **self.stored.why(node),
            }
            retries = self.infos.get(node, DEFAULTS).retries
            if self.ledger.failed(place, now(), detail, retries=retries):
                return
            self.failures.append(NodeExecutionError(node, outcome.error, inputs))
        self.run.settle_output(node._name)

    def _settle_open(self) -> None:
        """What still runs is waited for no longer; what was queued or held when the run stopped is pending again."""
        for place, running in list(self.running.items()):
            if running.kind == "thread":
                self._leave_thread(place, running)
            elif place not in self.killed:
                self.workflow.processes.kill(running.slot)
        self.ledger.settle(now())
        self.run.wake()

    def _leave_thread(self, place: int, running: _Running) -> None:
        """Leave a thread behind, unless its job has just ended: then what came of it counts."""
        name, run = self.nodes[place]._name, self.run
        run.left_running(name, f"thread {running.slot}")
        if not self.workflow.threads.leave(running.slot, lambda: run.ended_late([name])):
            run.not_left(name)
            while place in self.running:
                self._wait()

    def _left_behind(self) -> None:
        """The run's own thread does not come back from a node or from storage; called on another thread."""
        name, self.printer.shown = self.printer.name, False
        if name and self.run.states[name] is NodeState.RUNNING:
            self.run.left_running(name, OWN_THREAD)
        self._settle_open()

    # --- stopping ------------------------------------------------------------------------------------------

    def _controlled(self) -> None:
        """A control of the run was used, on any thread."""
        self.inbox.put((self._look_at_controls,))

    def _look_at_controls(self) -> None:
        self.ledger.release_held(now())

    def _on_ctrl_c(self) -> None:
        """Ctrl-C in the main thread; what runs inline, or storage, is interrupted as well."""
        self.presses += 1
        self.inbox.put((self._interrupted,))
        # The first one is for the loop to see. Where that does not come back, the second one ends it.
        if not self.inline.active and not (self.looping and (self.waiting or self.presses < 2)):
            raise KeyboardInterrupt

    def _interrupted(self) -> None:
        """Ctrl-C: interrupt what can be; a second time, do not wait for the rest."""
        self.interrupts += 1
        self.run.interrupt()

    def _interrupt_running(self) -> None:
        """Interrupt threads and kill processes, once."""
        if self.give_up_at == math.inf:
            self.give_up_at = time.monotonic() + GRACE
        for place, running in self.running.items():
            if place not in self.killed:
                self.killed.add(place)
                if running.kind == "process":
                    self.workflow.processes.kill(running.slot)
                else:
                    self.workflow.threads.interrupt(running.slot)
