"""Run: one execution of a workflow, its events, and its controls."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from time import time as now
from typing import TYPE_CHECKING, Any

from . import _node, output
from ._stale import Written
from .errors import FuseError, NodeExecutionError, RunCancelledError, message_of, shorten
from .events import EventLog, Subscriber
from .interrupts import GRACE, CtrlC, Interruptible, LeftBehind, start_thread
from .ledger import Ledger, States
from .order import Order
from .states import FINISHED, NodeState

if TYPE_CHECKING:
    from ._node import Node
    from .workflow import BaseWorkflow

__all__ = ["Run"]

#: Seconds that the end of a run waits for subscribers to take the last batch.
LAST_BATCH = 1.0
#: How many nodes a sentence names.
NAMED = 3
log = logging.getLogger("fuse_widgets")


class Run:
    """One execution of a workflow.

    Backends report with `emit`; for those that do not, `Node.exec` does. Everybody else reads, and controls.

    Attributes:
        workflow: The workflow that is run.
        number: 1 for the workflow's first run.
        nodes: The nodes of this run, parents first.
        functions: What each of them calls in this run, whatever is defined meanwhile.
        written: What these functions consisted of when the run began.
        fingerprints: Of the nodes, where the run has made them.
        events: The log, append-only; reads like a list.
        ledger: The state of each node, and which starts next.
        states: The state of every node, by name, in traversal order. Live.
        values: Results that are in memory, by node; gone once a newer run has begun.
        outputs: What nodes printed and displayed, by name; only those that did.
        background: Whether it goes on in a thread of its own.
        has_cell: Whether what nodes print reaches a cell or a terminal as well; not after a click on Run.
        thread: Identifier of the thread that executes the run.

    State: the controls of the ledger change under `_control`. One thread at a time writes the states of nodes.
    """

    def __init__(self, workflow: BaseWorkflow, number: int, order: Order) -> None:
        self.workflow, self.number, self.order, self.nodes = workflow, number, order, order.nodes
        self.functions = [node._func for node in order.nodes]
        self.written = Written(self.functions)
        self.fingerprints: Mapping[Node, Any] = {}
        self.events = EventLog(number)
        self.values: dict[Node, Any] = {}
        self.outputs: dict[str, output.Tail] = {}
        self.has_cell = output.has_cell()
        self.background = False
        self._prefixed = workflow.prefixes_prints(order.nodes)
        self.thread: int | None = None
        self.state = NodeState.PENDING
        self.started: float | None = None
        self.ended: float | None = None
        self.error: BaseException | None = None
        self.result: Any = None
        self.hub = workflow._hub
        self.ledger = Ledger(order, self.events.add, repeats=workflow.observed)
        self.states: Mapping[str, NodeState] = States(self.ledger)
        self._released = False
        self._control = threading.Condition()
        self._over = threading.Event()
        self._waiting: list[Callable[[], None]] = []  # called when it is over
        self._failed: NodeExecutionError | None = None
        #: Reads the stored result of a node that this run used or saved; set by a backend that uses storage.
        self.read_stored: Callable[[Node], Any] | None = None
        #: The code of others that runs in the run's own thread: the node of an inline executor, storage, a seed backend.
        self.guard = Interruptible()
        self._watched = False
        self._printing: output.Printer | None = None  # of the node that a seed backend runs
        #: Called after every change of the controls, on the thread that made it; a backend's scheduler sets it.
        self.on_control: Callable[[], None] = _nothing
        #: Called on another thread to settle the nodes if nobody waits for the run's own thread any more; likewise.
        self.on_left: Callable[[], None] = self._settle_left

    # --- reading -------------------------------------------------------------------------------------------

    def __contains__(self, node: object) -> bool:
        return node in self.order.place

    def function(self, node: Node) -> Callable[..., Any]:
        """What a node calls in this run."""
        return self.functions[self.order.place[node]]

    @property
    def cancelled(self) -> int:
        """0; 1 once the run was cancelled, 2 once it was cancelled again."""
        return self.ledger.cancelled

    @property
    def paused(self) -> bool:
        """Whether no further node starts for now."""
        return self.ledger.paused

    @property
    def results(self) -> dict[str, Any]:
        """The results that are in memory, by name."""
        return {node.name: value for node, value in self.values.items()}

    @property
    def counts(self) -> Counter[NodeState]:
        """How many nodes are in each state."""
        return Counter(list(self.ledger.states))

    def report(self) -> list[dict[str, Any]]:
        """A row for each node: `node, state, seconds, attempt, source, why, worker, not_tracked`.

        `source` is `"computed"`, `"stored"` or None where the node has no result; `seconds` is None where the
        node did not run; `not_tracked` lists what storage cannot compare, such as the target of `eval()`.
        """
        rows = {
            name: {"node": name, "state": str(state), **_NOTHING_YET} for name, state in self.states.items()
        }
        sources = {NodeState.DONE: "computed", NodeState.CACHED: "stored"}
        waiting: set[str] = set()
        for event in self.events[:]:
            if event.node is None:
                continue
            row, detail = rows[event.node], event.detail or {}
            row["attempt"] = event.attempt if event.state in _RAN else row["attempt"]
            row["seconds"] = detail.get("seconds", row["seconds"])
            if event.node in waiting:  # what it waited for is no reason why it ran
                waiting.discard(event.node)
                row["why"] = None
            if detail.get("waits"):
                waiting.add(event.node)
            row["why"] = detail.get("why", row["why"])
            row["worker"] = event.worker or row["worker"]
            row["not_tracked"] = detail.get("not_tracked", row["not_tracked"])
            row["source"] = sources.get(event.state)
        return list(rows.values())

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with batches of this run's events, from its first one on.

        Returns:
            A function that ends the subscription.
        """
        return self.hub.subscribe(callback, run=self.number, replay=self.events)

    def release(self) -> None:
        """Let go of results, inputs and errors; states, events and outputs stay."""
        self._released = True
        self.values, self.result, self.error, self._failed = {}, None, None, None
        self.functions, self.written, self.fingerprints = [], Written(()), {}

    def printer(self, name: str = "") -> output.Printer:
        """Who prints for a node of this run, for a backend to set as `output.printer` while the node runs."""
        return output.Printer(
            self.outputs, name, shown=self.has_cell, prefixed=self._prefixed, background=self.background
        )

    # --- control -------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the end of the run.

        Args:
            timeout: Seconds; None waits for ever.

        Returns:
            What `run()` returns: the result of one output, or a list.

        Raises:
            TimeoutError: The run is still under way.
            FuseError: A newer run has begun since, and the results of this one were let go.
            Exception: What `run()` raises.
        """
        __tracebackhide__ = True
        if not self._over.wait(timeout):
            raise TimeoutError(f"{self!r} is still under way after {timeout} s")
        if self._released:
            raise FuseError(f"what {self!r} gave is no longer in memory: a newer run has begun")
        return self._outcome()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait as `wait` does, while the event loop goes on; cancelling the task that waits cancels the run."""
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()
        over = loop.create_future()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(lambda: None if over.done() else over.set_result(None))

        self._waiting.append(wake)
        if self._over.is_set():
            wake()
        try:
            await over
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self.wait()

    def cancel(self) -> None:
        """Start no further node; called again, interrupt those that run, and wait for them a second at most."""
        with self._control:
            if self.state.finished:
                return
            self.ledger.cancel()
            self._control.notify_all()
            self.emit(None, NodeState.RUNNING, detail={"stopping": self.cancelled, **self._what_ends()})
            watch = self.cancelled > 1 and not self._watched
            self._watched = self._watched or watch
        self.on_control()
        if self.cancelled > 1:
            self.guard.interrupt()
        if watch:
            start_thread(self._see_to_the_end)

    def interrupt(self) -> None:
        """Start no further node, and interrupt those that run: what Ctrl-C does."""
        if not self.cancelled:
            self.cancel()
        self.cancel()

    def _running(self) -> list[str]:
        names = self.ledger.names
        return [names[p] for p, state in enumerate(self.ledger.states) if state is NodeState.RUNNING]

    def _what_ends(self) -> dict[str, str]:
        """What the run waits for once no further node starts; once more, that it is interrupted."""
        names = self._running()
        if not names:
            return {}
        if self.cancelled > 1:
            return {"notice": f"Interrupting {listed(names)}."}
        them = "it" if len(names) == 1 else "them"
        return {"notice": f"Stopping: waiting for {listed(names)}. Press Interrupt to interrupt {them}."}

    def _see_to_the_end(self) -> None:
        """End an interrupted run whose own thread does not listen, unless that is the main thread."""
        guard, told = self.guard, False
        calls = guard.calls
        while not self._over.wait(GRACE):
            if guard.calls != calls:  # a result has begun to be saved since, and has its time as well
                calls = guard.calls
            elif guard.leave_behind():
                self._end_without_its_thread()
                return
            elif guard.active and guard.must_be_done:
                guard.interrupt()
            elif guard.active and not told:
                told = True
                self._say_that_nothing_ends_it()

    def _say_that_nothing_ends_it(self) -> None:
        names = self._running()
        what = listed(names) if names else "the backend"
        notice = (
            f"{what} does not react to the interrupt. It runs in the main thread, where nothing else can end it but "
            "restarting the kernel."
        )
        with self._control:
            if not self.state.finished:
                self.emit(None, NodeState.RUNNING, detail={"stopping": self.cancelled, "notice": notice})

    def _end_without_its_thread(self) -> None:
        """Nobody waits for the run's own thread any more; from now on it changes nothing here."""
        self.on_left()
        try:
            self.raise_if_incomplete((), interrupted=False)
        except RunCancelledError as error:
            self.error = error
        try:
            self._close(NodeState.CANCELLED)
        finally:
            self._over.set()

    def _settle_left(self) -> None:
        """Say of the nodes that run that nobody waits for them."""
        for place, state in enumerate(self.ledger.states):
            if state is NodeState.RUNNING:
                self.ledger.stopped(place, now())
                self.left_running(self.ledger.names[place], OWN_THREAD)
        self.wake()
        if self._printing is not None:
            self._printing.shown = False

    def left_running(self, node: str, where: str) -> None:
        """A node goes on although the run is about to end, and nobody waits for it.

        Args:
            node: Its name.
            where: For example `"thread 1"`.
        """
        self.workflow._left[self.number, node] = where

    def not_left(self, node: str) -> None:
        """Take back what `left_running` has said of a node."""
        self.workflow._left.pop((self.number, node), None)

    def ended_late(self, nodes: Sequence[str]) -> None:
        """Nodes that were left running have ended."""
        left = self.workflow._left
        found = [left.pop((self.number, node), None) for node in nodes]
        run = self.workflow.last_run
        if not any(found) or run is None:
            return
        with run._control:
            stopping = {"stopping": run.cancelled} if run.cancelled and not run.state.finished else {}
            run.emit(None, run.state, detail={"notice": run.still_running(), **stopping})

    def still_running(self) -> str:
        """Which nodes of this and earlier runs go on although nobody waits for them, as a sentence; "" if none does."""
        parts = []
        for (number, node), where in list(self.workflow._left.items()):
            of = "" if number == self.number else f" of run {number}"
            parts.append(f"{shorten(repr(node))}{of} still runs in {where}")
        return f"{'; '.join(parts[:NAMED])}{f'; and {len(parts) - NAMED} more' if parts[NAMED:] else ''}"

    def pause(self) -> None:
        """Start no further node until `resume()` or `step()`."""
        self._control_by(self.ledger.pause)

    def resume(self) -> None:
        """Go on after `pause()`."""
        self._control_by(self.ledger.resume)

    def step(self) -> None:
        """Start one node, and pause after it."""
        self._control_by(self.ledger.step)

    def next(self) -> int | None:
        """The place of the node that starts now; None if none may. For backends whose scheduler starts nodes by the ledger."""
        with self._control:
            return self.ledger.next(now())

    def take_turn(self) -> bool:
        """Whether a backend may start a node now; uses up a step. For backends with a scheduler."""
        with self._control:
            return self.ledger.take_turn()

    def gate(self) -> None:
        """Wait while the run is paused; called between two nodes for backends without a scheduler.

        Raises:
            RunCancelledError: Cancelling was asked for.
        """
        with self._control:
            self._control.wait_for(lambda: self.cancelled or self.ledger.take_turn())
        if self.cancelled:
            raise RunCancelledError(f"run {self.number} of {self.workflow.workflow_name!r} was cancelled")

    def _control_by(self, control: Callable[[], bool]) -> None:
        with self._control:
            if self.state.finished or self.cancelled:
                return
            changed = control()
            self._control.notify_all()
            if changed:
                self.emit(None, NodeState.PAUSED if self.paused else NodeState.RUNNING)
        self.on_control()

    # --- reporting -----------------------------------------------------------------------------------------

    def emit(
        self,
        node: Node | None,
        state: NodeState,
        attempt: int = 1,
        worker: str | None = None,
        detail: dict[str, Any] | float | None = None,
        when: float | None = None,
    ) -> None:
        """Record one change of a node's state, or of the run itself, and hand it to the subscribers.

        Args:
            node: The node; None for the run itself.
            state, attempt, worker, detail: See `RunEvent`; a number as detail stands for `{"seconds": number}`.
            when: When it was, in seconds since the epoch; None for now.
        """
        at = now() if when is None else when
        if node is not None:
            place = self.order.place[node]
            self.ledger.set(place, state, at, attempt=attempt, worker=worker, detail=detail)
            if self.outputs and state in FINISHED:
                self.settle_output(node._name)
        else:
            self.state = state
            self.events.add((at, None, state, attempt, worker, detail))
        self.wake()

    def wake(self) -> None:
        """Events were recorded: let subscribers have them."""
        if self.hub.idle:
            self.hub.wake()

    def settle_output(self, node: str) -> None:
        """Show what is held back of a node's last line, since no more of it will come."""
        tail = self.outputs.get(node)
        if tail is not None:
            tail.settle()

    def observe(
        self, node: Node, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call `func` for `node` and report that it runs, and how it ended."""
        ledger, place = self.ledger, self.order.place[node]
        ledger.attempts[place] += 1
        ledger.started(place, now())
        self.wake()
        self._printing = self.printer(node._name)
        token = output.printer.set(self._printing)
        began = time.perf_counter()
        try:
            result = func(*args, **kwargs)
            self._raise_if_left()
        except LeftBehind:
            raise
        except Exception as error:
            self._raise_if_left()
            self._failed = self._failed or NodeExecutionError(node, error, (args, kwargs))
            detail = {"seconds": time.perf_counter() - began, "error": describe_error(error)}
            self._ended(node, NodeState.FAILED, detail)
            raise
        except BaseException:
            self._raise_if_left()
            self._ended(node, NodeState.CANCELLED)
            raise
        finally:
            output.end_node()
            output.printer.reset(token)
        self.values[node] = result
        self._ended(node, NodeState.DONE, {"seconds": time.perf_counter() - began})
        return result

    def _ended(self, node: Node, state: NodeState, detail: dict[str, Any] | None = None) -> None:
        """A node that a backend without a scheduler has called has come to its end; what follows is the backend's own."""
        self.emit(node, state, self.ledger.attempts[self.order.place[node]], detail=detail)

    def _raise_if_left(self) -> None:
        if self.guard.left:
            raise LeftBehind

    def raise_if_incomplete(self, failures: Sequence[NodeExecutionError], *, interrupted: bool) -> None:
        """Raise what kept the run from its end, once a backend has nothing more to do.

        Args:
            failures: The nodes that failed, the first one first.
            interrupted: Whether Ctrl-C was pressed.

        Raises:
            NodeExecutionError: The first failure, which knows all of them.
            KeyboardInterrupt: It was interrupted.
            RunCancelledError: `cancel()` was called.
        """
        __tracebackhide__ = True
        still = self.still_running()
        if failures:
            first = failures[0]
            first.failures = tuple(failures)
            raise first
        if interrupted:
            if still:
                log.warning("%s", still)
            raise KeyboardInterrupt
        if self.cancelled:
            kept = "; run() goes on from what is in storage" if self.workflow.storage is not None else ""
            kept += f"; {still}" if still else ""
            raise RunCancelledError(
                f"run {self.number} of {self.workflow.workflow_name!r} was cancelled{kept}"
            )

    def drive(self, execute: Callable[[], Any]) -> Any:
        """Execute the run in this thread, from its first event to its last, and keep what comes of it.

        Returns:
            What `execute` returns.

        Raises:
            NodeExecutionError: A node failed.
            BaseException: Whatever else `execute` raises.
        """
        __tracebackhide__ = True
        self.carry_out(execute)
        return self._outcome()

    def carry_out(self, execute: Callable[[], Any]) -> None:
        """Like `drive`, for a thread in which nobody hears: what comes of the run is kept in it, and not raised."""
        self.thread = self.guard.thread = threading.get_ident()
        self.started = time.time()
        _under_way[id(self)] = self
        end = NodeState.DONE
        if self.workflow.observed:
            _node.observed_runs = (*_node.observed_runs, self)
        try:
            still = self.still_running()
            self.emit(
                None,
                NodeState.PAUSED if self.paused else NodeState.RUNNING,
                detail={"total": len(self.nodes), **({"notice": still} if still else {})},
            )
            with output.redirected():
                self.result = self._observed(execute) if self.workflow.observed else execute()
        except LeftBehind:
            self.ended_late([node._name for node in self.nodes])
            return
        except (RunCancelledError, KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            end, self.error = NodeState.CANCELLED, error
        except BaseException as error:
            end, self.error = NodeState.FAILED, error
            if self._failed is not None and error is self._failed.__cause__:
                self.error = self._failed
        try:
            self._close(end)
        finally:  # another Ctrl-C must not leave the run open
            self._over.set()
            for wake in self._waiting:
                wake()
            self._waiting = []

    def _observed(self, execute: Callable[[], Any]) -> Any:
        """Execute the run of a backend that knows nothing of controls: all of it is code that may be interrupted."""
        try:
            with CtrlC(self.guard):
                return self.guard.call(execute)
        except KeyboardInterrupt:
            if self.cancelled:  # `cancel()` has sent it
                self.raise_if_incomplete((), interrupted=False)
            raise

    def _outcome(self) -> Any:
        """Return the result or raise the error; what we raise ourselves comes without our own frames."""
        __tracebackhide__ = True
        ours = FuseError if self.workflow.observed else FuseError | KeyboardInterrupt
        if isinstance(self.error, ours):
            raise self.error.with_traceback(None)
        if self.error is not None:
            raise self.error
        return self.result

    def _close(self, end: NodeState) -> None:
        _node.observed_runs = tuple(run for run in _node.observed_runs if run is not self)
        _under_way.pop(id(self), None)
        if end is NodeState.FAILED or self._failed is not None:
            self.ledger.skip_unreached(now())
        self.ended = time.time()
        self.on_control = self.on_left = _nothing  # lets the scheduler go, and what it holds
        with self._control:
            detail: dict[str, Any] = {} if self.error is None else {"error": describe_error(self.error)}
            if still := self.still_running():
                detail["notice"] = still
            self.emit(None, end, detail=detail or None)
        self.hub.flush(LAST_BATCH, patient=False)

    def __repr__(self) -> str:
        counts = self.counts
        parts = [f"{counts[NodeState.DONE] + counts[NodeState.CACHED]} of {len(self.nodes)} done"]
        parts += [
            f"{counts[s]} {s}"
            for s in (NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELLED)
            if counts[s]
        ]
        name = shorten(self.workflow.workflow_name)
        return f"<Run {self.number} of {name!r}: {self.state}, {', '.join(parts)}>"


def in_background() -> list[Run]:
    """The runs under way that no cell or program waits for in the main thread."""
    main = threading.main_thread().ident
    return [run for run in list(_under_way.values()) if run.thread != main]


#: The runs under way, by identity. Single operations on a dict need no lock.
_under_way: dict[int, Run] = {}


def describe_error(error: BaseException) -> dict[str, Any]:
    """An error as plain data for an event: `type, message, traceback`; never raises."""
    message = message_of(error)
    if isinstance(error, NodeExecutionError) and error.__cause__ is not None:
        described = describe_error(error.__cause__)
        return {**described, "node": error.node.name}
    try:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        text = f"{type(error).__name__}: {message}"
    return {
        "type": type(error).__name__,
        "message": shorten(message, 4000),
        "traceback": _without_middle(text, 60_000),
    }


def _without_middle(text: str, limit: int) -> str:
    """A traceback within a limit: its frames stand before a message that may be huge, a later traceback after it."""
    return text if len(text) <= limit else f"{text[: limit // 2]}\n…\n{text[-(limit // 2) :]}"


def listed(names: Sequence[str]) -> str:
    """The names of some nodes, the first few of them: `'a', 'b' and 7 more`."""
    shown = [shorten(repr(name)) for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _nothing() -> None:
    pass


#: Where a node goes on whose run has ended without its own thread.
OWN_THREAD = "the background thread of the run"


_NOTHING_YET: dict[str, Any] = {
    "seconds": None,
    "attempt": 0,
    "source": None,
    "why": None,
    "worker": None,
    "not_tracked": [],
}
_RAN = (NodeState.RUNNING, NodeState.DONE, NodeState.FAILED, NodeState.CANCELLED)
