"""Run: one execution of a workflow, its events, and its controls."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import nodes as _nodes
from . import output
from .errors import NodeExecutionError, RunCancelledError, shorten
from .events import RunEvent, Subscriber
from .states import FINISHED, NodeState

if TYPE_CHECKING:
    from .nodes import Node
    from .workflow import BaseWorkflow

__all__ = ["Run"]

#: Seconds that the end of a run waits for subscribers to take the last batch.
LAST_BATCH = 1.0


class Run:
    """One execution of a workflow.

    Backends report with `emit`; for those that do not, `Node.exec` does. Everybody else reads, and controls.

    Attributes:
        workflow: The workflow that is run.
        number: 1 for the workflow's first run.
        nodes: The nodes of this run, parents first.
        events: The log, append-only.
        results: Values of the nodes that are in memory, by name.
        outputs: What each node printed and displayed, by name.
        thread: Identifier of the thread that executes the run.

    State: `events`, `_states` change under `_lock`; the control fields under `_control`.
    """

    def __init__(self, workflow: BaseWorkflow, number: int, nodes: list[Node]) -> None:
        self.workflow, self.number, self.nodes = workflow, number, nodes
        self.events: list[RunEvent] = []
        self.results: dict[str, Any] = {}
        self.outputs: dict[str, output.Tail] = {}
        self.thread: int | None = None
        self.state = NodeState.PENDING
        self.started: float | None = None
        self.ended: float | None = None
        self.error: BaseException | None = None
        self.result: Any = None
        self._members = frozenset(nodes)
        self._states: dict[str, NodeState] = dict.fromkeys((node.name for node in nodes), NodeState.PENDING)
        self._lock = threading.Lock()
        self._control = threading.Condition()
        self._over = threading.Event()
        self._cancel_level = 0
        self._paused = False
        self._steps = 0
        self._failed: tuple[Node, BaseException] | None = None
        #: Called after every change of the controls, on the thread that made it; a backend's scheduler sets it.
        self.on_control: Callable[[], None] = _nothing

    # --- reading -------------------------------------------------------------------------------------------

    def __contains__(self, node: object) -> bool:
        return node in self._members

    @property
    def states(self) -> Mapping[str, NodeState]:
        """The state of every node, by name, in traversal order. Live."""
        return MappingProxyType(self._states)

    @property
    def counts(self) -> Counter[NodeState]:
        """How many nodes are in each state."""
        return Counter(list(self._states.values()))

    def report(self) -> list[dict[str, Any]]:
        """A row for each node: `node, state, seconds, attempt, source, why, worker`.

        `source` is `"computed"`, `"stored"` or None where the node has no result; `seconds` is None where the
        node did not run.
        """
        rows = {
            name: dict(node=name, state=str(state), seconds=None, attempt=0, source=None, why=None, worker=None)
            for name, state in self._states.items()
        }
        sources = {NodeState.DONE: "computed", NodeState.CACHED: "stored"}
        for event in list(self.events):
            if event.node is None:
                continue
            row, detail = rows[event.node], event.detail or {}
            row["attempt"] = event.attempt if event.state in _RAN else row["attempt"]
            row["seconds"] = detail.get("seconds", row["seconds"])
            row["why"] = detail.get("why", row["why"])
            row["worker"] = event.worker or row["worker"]
            row["source"] = sources.get(event.state)
        return list(rows.values())

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with batches of this run's events, from its first one on.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            return self.workflow._hub.subscribe(callback, run=self.number, replay=self.events)

    # --- control -------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the end of the run.

        Args:
            timeout: Seconds; None waits for ever.

        Returns:
            What `run()` returns: the result of one output, or a list.

        Raises:
            TimeoutError: The run is still under way.
            Exception: What `run()` raises.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"{self!r} is still under way after {timeout} s")
        if self.error is not None:
            raise self.error
        return self.result

    def cancel(self) -> None:
        """Start no further node; asked again, interrupt those that run, where that is possible."""
        with self._control:
            if self.state.finished:
                return
            self._cancel_level = min(self._cancel_level + 1, 2)
            self._control.notify_all()
            self.emit(None, NodeState.RUNNING, detail={"stopping": self._cancel_level})
        self.on_control()

    def pause(self) -> None:
        """Start no further node until `resume()` or `step()`."""
        self._set_paused(True)

    def resume(self) -> None:
        """Go on after `pause()`."""
        self._set_paused(False)

    def step(self) -> None:
        """Start one node, and pause after it."""
        with self._control:
            if self.state.finished:
                return
            self._steps += 1
        self._set_paused(True)

    @property
    def cancelled(self) -> int:
        """0; 1 once cancelling was asked for, 2 once it was asked for again."""
        return self._cancel_level

    @property
    def paused(self) -> bool:
        return self._paused

    def take_turn(self) -> bool:
        """Whether a backend may start a node now; uses up a step. For backends with a scheduler."""
        with self._control:
            return self._take_turn()

    def _take_turn(self) -> bool:
        if not self._paused:
            return True
        if self._steps:
            self._steps -= 1
            return True
        return False

    def gate(self) -> None:
        """Wait while the run is paused; called between two nodes for backends without a scheduler.

        Raises:
            RunCancelledError: Cancelling was asked for.
        """
        with self._control:
            self._control.wait_for(lambda: self._cancel_level or self._take_turn())
        if self._cancel_level:
            raise RunCancelledError(f"run {self.number} of {self.workflow.workflow_name!r} was cancelled")

    def _set_paused(self, paused: bool) -> None:
        with self._control:
            if self.state.finished:
                return
            changed, self._paused = self._paused is not paused, paused
            self._control.notify_all()
            if changed:
                self.emit(None, NodeState.PAUSED if paused else NodeState.RUNNING)
        self.on_control()

    # --- reporting -----------------------------------------------------------------------------------------

    def emit(
        self,
        node: Node | None,
        state: NodeState,
        *,
        attempt: int = 1,
        worker: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Record one change of a node's state, or of the run itself, and hand it to the subscribers."""
        name = None if node is None else node._name
        with self._lock:
            event = RunEvent(
                len(self.events), time.time(), name, state, attempt, worker, detail, self.number
            )
            if name is None:
                self.state = state
            else:
                self._states[name] = state
            self.events.append(event)
            self.workflow._hub.publish(event)

    def observe(
        self, node: Node, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call `func` for `node` and report that it runs, and how it ended."""
        attempt = 1 + sum(e.node == node.name and e.state is NodeState.RUNNING for e in self.events)
        tail = self.outputs.setdefault(node.name, output.Tail())
        self.emit(node, NodeState.RUNNING, attempt=attempt)
        begin = time.perf_counter()
        try:
            with output.capture(tail):
                result = func(*args, **kwargs)
        except Exception as error:
            self._failed = self._failed or (node, error)
            detail = {"seconds": time.perf_counter() - begin, "error": describe_error(error)}
            self.emit(node, NodeState.FAILED, attempt=attempt, detail=detail)
            raise
        except BaseException:
            self.emit(node, NodeState.CANCELLED, attempt=attempt)
            raise
        self.results[node.name] = result
        self.emit(node, NodeState.DONE, attempt=attempt, detail={"seconds": time.perf_counter() - begin})
        return result

    def drive(self, execute: Callable[[], Any]) -> Any:
        """Execute the run in this thread, from its first event to its last, and keep what comes of it.

        Returns:
            What `execute` returns.

        Raises:
            NodeExecutionError: A node failed.
            BaseException: Whatever else `execute` raises.
        """
        self.thread = threading.get_ident()
        self.started = time.time()
        self.emit(None, NodeState.PAUSED if self._paused else NodeState.RUNNING, detail={"total": len(self.nodes)})
        end = NodeState.DONE
        _nodes.observed_runs = (*_nodes.observed_runs, self)
        try:
            with output.redirected():
                self.result = execute()
        except (RunCancelledError, KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            end, self.error = NodeState.CANCELLED, error
        except BaseException as error:
            end, self.error = NodeState.FAILED, error
            if self._failed is not None and error is self._failed[1]:
                self.error = NodeExecutionError(self._failed[0], error, None)
        finally:
            _nodes.observed_runs = tuple(run for run in _nodes.observed_runs if run is not self)
            self._skip_descendants_of_failed()
            self.ended = time.time()
            with self._control:
                detail = None if self.error is None else {"error": describe_error(self.error)}
                self.emit(None, end, detail=detail)
            self.workflow._hub.flush(LAST_BATCH)
            self._over.set()
        if self.error is not None:
            raise self.error
        return self.result

    def _skip_descendants_of_failed(self) -> None:
        """Settle what a backend without events leaves open after a failure."""
        lost: dict[Node, Node] = {}
        for node in self.nodes:
            state = self._states[node.name]
            root = next((lost[parent] for parent in node.parents if parent in lost), None)
            if state is NodeState.FAILED:
                lost[node] = node
            elif state is NodeState.SKIPPED and root is not None:
                lost[node] = root
            elif root is not None and state not in FINISHED:
                lost[node] = root
                self.emit(node, NodeState.SKIPPED, detail={"root": root.name})

    def __repr__(self) -> str:
        counts = self.counts
        parts = [f"{counts[NodeState.DONE] + counts[NodeState.CACHED]} of {len(self.nodes)} done"]
        parts += [f"{counts[s]} {s}" for s in (NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELLED) if counts[s]]
        name = shorten(self.workflow.workflow_name)
        return f"<Run {self.number} of {name!r}: {self.state}, {', '.join(parts)}>"


def describe_error(error: BaseException) -> dict[str, Any]:
    """An error as plain data for an event: `type, message, traceback`; never raises."""
    try:
        message = str(error)
    except Exception as broken:
        message = f"(its message cannot be shown: {type(broken).__name__})"
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
        "traceback": text[-100_000:],
    }


def _nothing() -> None:
    pass


_RAN = (NodeState.RUNNING, NodeState.DONE, NodeState.FAILED, NodeState.CANCELLED)
