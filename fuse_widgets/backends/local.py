"""LocalWorkflow: runs a DAG on this machine, inline, in threads or in processes."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Mapping
from typing import Any, Literal

from ..engine.errors import BackendInfoError
from ..engine.nodes import Node, NodeItem
from ._executors import ProcessWorkers, ThreadWorkers
from ._inputs import CheckInputs, check_mode
from ._scheduler import Scheduler
from ._stored import Stored
from .info import LocalInfo
from .scheduled import ScheduledWorkflow

__all__ = ["LocalWorkflow"]

Executor = Literal["inline", "thread", "process"]


class LocalWorkflow(ScheduledWorkflow):
    """Runs a DAG on this machine.

    Args:
        *nodes: The outputs; see `BaseWorkflow`.
        workflow_name: Names the workflow in storage and on screen.
        max_workers: How many nodes run at one time, 1 by default.
        executor: Where nodes run unless their `backend_info` says otherwise. `"inline"`: one after another in
            the thread that calls `run()`, always in the same order, so that a debugger works. `"thread"`: in
            worker threads, for work that waits or releases the GIL. `"process"`: in worker processes, which
            can be killed; functions, arguments and results are pickled. None: `"thread"` if `max_workers` is
            more than 1, else `"inline"`.
        targets_only: Leave out descendants that the outputs do not need.
        prefix_prints: Whether lines that nodes print begin with `[name of the node]` in the cell; see `BaseWorkflow`.
        check_inputs: What happens when a node changes an input in place: the result of another node, an argument or a
            default. `"notice"`: it is told, and others get the value as it was. `"raise"`: the node fails. `"off"`: nothing is
            compared. None, the default, is `"notice"` with storage on or for what several nodes read.

    Raises:
        ValueError: `executor` or `max_workers` is none of these, or `executor="inline"` has several workers.

    Example:
        >>> from fuse_widgets import LocalWorkflow, workflow
        >>> @workflow
        ... def double(x):
        ...     return 2 * x
        >>> LocalWorkflow(double(double(1))).run()
        4
    """

    backend_info_model = LocalInfo
    _not_pickled = ScheduledWorkflow._not_pickled | {"threads", "processes"}

    def __init__(
        self,
        *nodes: Node | NodeItem,
        workflow_name: str = "workflow",
        max_workers: int = 1,
        executor: Executor | None = None,
        targets_only: bool = False,
        prefix_prints: bool | None = None,
        check_inputs: CheckInputs | None = None,
    ) -> None:
        self._check_workers(executor, max_workers)
        check_mode(check_inputs)
        self.check_inputs = check_inputs
        super().__init__(
            *nodes, workflow_name=workflow_name, targets_only=targets_only, prefix_prints=prefix_prints
        )
        self._max_workers, self._executor = max_workers, executor

    def _set_up(self) -> None:
        super()._set_up()
        #: The workers stay from run to run.
        self.threads = ThreadWorkers()
        self.processes = ProcessWorkers()
        weakref.finalize(self, _close, self.threads, self.processes)

    def run(self, *, fail_fast: bool = False) -> Any:
        """Run all nodes.

        Args:
            fail_fast: Start no further node once one has failed. By default branches that do not need the
                failed node go on.

        Returns:
            The result of one output, or the list for several.

        Raises:
            NodeExecutionError: A node failed; raised at the end, from the original exception.
            BackendInfoError: A node's `backend_info` holds what this backend cannot work with; nothing ran.
            RunCancelledError: `cancel()` was called.
        """
        with self.scheduled() as run, contextlib.closing(Stored(self, run)) as stored:
            return Scheduler(self, run, stored, fail_fast=fail_fast).execute()

    @property
    def max_workers(self) -> int:
        """How many nodes run at one time."""
        return self._max_workers

    @max_workers.setter
    def max_workers(self, count: int) -> None:
        self._check_workers(self._executor, count)
        self._max_workers = count

    @property
    def executor(self) -> Executor:
        """Where nodes run unless their `backend_info` says otherwise."""
        return self._executor or ("thread" if self._max_workers > 1 else "inline")

    @executor.setter
    def executor(self, executor: Executor | None) -> None:
        self._check_workers(executor, self._max_workers)
        self._executor = executor

    @staticmethod
    def _check_workers(executor: Any, max_workers: Any) -> None:
        if executor not in (None, "inline", "thread", "process"):
            raise ValueError(f"executor must be 'inline', 'thread' or 'process', got {executor!r}")
        if isinstance(max_workers, bool) or not isinstance(max_workers, int) or max_workers < 1:
            raise ValueError(f"max_workers must be a positive integer, got {max_workers!r}")
        if executor == "inline" and max_workers > 1:
            raise ValueError(
                f"executor='inline' runs one node at a time, got max_workers={max_workers}: use executor='thread' "
                "or 'process', and set backend_info['executor'] to 'inline' for the nodes that need it"
            )

    def parsed(self, name: str, info: Mapping[str, Any]) -> LocalInfo:
        parsed: LocalInfo = super().parsed(name, info)
        executor = parsed.executor or self.executor
        if parsed.timeout is not None and executor != "process":
            raise BackendInfoError(
                name,
                "timeout",
                parsed.timeout,
                f"only a process can be stopped after a time, and this node runs with executor {executor!r}: "
                "set backend_info['executor'] to 'process', or leave the timeout out",
            )
        return parsed

    @property
    def runs_several_at_a_time(self) -> bool:
        return self.max_workers > 1

    def uses_processes(self) -> bool:
        """Whether a node of the run that begins now is to run in a worker process."""
        return self.executor == "process" or any(info.executor == "process" for info in self.infos.values())

    def close(self) -> None:
        """End the worker threads and processes; the next run starts new ones."""
        _close(self.threads, self.processes)


def _close(threads: ThreadWorkers, processes: ProcessWorkers) -> None:
    threads.close()
    processes.close()
