"""LocalWorkflow: runs a DAG on this machine, inline, in threads or in processes."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from ..engine.errors import BackendInfoError, FuseError
from ..engine.nodes import Node, NodeItem
from ..engine.workflow import BaseWorkflow
from ._executors import ProcessWorkers, ThreadWorkers
from ._scheduler import Scheduler
from ._stored import Stored
from .info import DEFAULTS, OF_OTHERS, LocalInfo, not_understood, parse, warn_of_key

__all__ = ["LocalWorkflow"]

Executor = Literal["inline", "thread", "process"]


class LocalWorkflow(BaseWorkflow):
    """Runs a DAG on this machine.

    Args:
        *nodes: The outputs; see `BaseWorkflow`.
        workflow_name: Names the workflow in storage and on screen.
        max_workers: How many nodes run at one time.
        executor: Where nodes run unless their `backend_info` says otherwise. `"inline"`: one after another in
            the thread that calls `run()`, always in the same order, so that a debugger works. `"thread"`: in
            worker threads, for work that waits or releases the GIL. `"process"`: in worker processes, which
            can be killed; functions, arguments and results are pickled.
        targets_only: Leave out descendants that the outputs do not need.

    Raises:
        ValueError: `executor` or `max_workers` is none of these.

    Example:
        >>> from fuse_widgets import LocalWorkflow, workflow
        >>> @workflow
        ... def double(x):
        ...     return 2 * x
        >>> LocalWorkflow(double(double(1))).run()
        4
    """

    backend_info_model = LocalInfo
    observed = False

    def __init__(
        self,
        *nodes: Node | NodeItem,
        workflow_name: str = "workflow",
        max_workers: int = 1,
        executor: Executor = "inline",
        targets_only: bool = False,
    ) -> None:
        if executor not in ("inline", "thread", "process"):
            raise ValueError(f"executor is 'inline', 'thread' or 'process', not {executor!r}")
        if isinstance(max_workers, bool) or not isinstance(max_workers, int) or max_workers < 1:
            raise ValueError(f"max_workers is a whole number from 1 up, not {max_workers!r}")
        super().__init__(*nodes, workflow_name=workflow_name, targets_only=targets_only)
        self.max_workers = max_workers
        self.executor: Executor = executor
        self._scheduling = False
        self._noted = set(OF_OTHERS)  # unknown keys that were warned of, or need not be
        #: The workers stay from run to run.
        self.threads = ThreadWorkers()
        self.processes = ProcessWorkers()
        #: What the `backend_info` of nodes said when the run began, and when the node itself began; those without
        #: any are not in it.
        self.infos: dict[Node, LocalInfo] = {}
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
        run = self.active_run
        assert run is not None
        if self._scheduling:
            raise FuseError(f"{run!r} is under way: a node cannot run the workflow that it is part of")
        self._scheduling = True
        try:
            return Scheduler(self, run, Stored(self, run), fail_fast=fail_fast).execute()
        finally:
            self._scheduling = False

    def check_backend_info(self, name: str, info: Mapping[str, Any]) -> None:
        parse(LocalInfo, name, info)

    def check_whole_info(self, name: str, info: Mapping[str, Any]) -> None:
        super().check_whole_info(name, info)  # which a subclass may have made stricter
        self._parsed(name, info)

    def check(self, nodes: list[Node]) -> None:
        self.infos = {}
        keys: Counter[str] = Counter()
        for node in nodes:
            if node.backend_info:
                self.infos[node] = self.info_of(node)
                keys.update(tuple(node.backend_info))
        self.note_keys(keys)

    def info_of(self, node: Node) -> LocalInfo:
        """What a node's `backend_info` says now, with defaults.

        Raises:
            BackendInfoError: It holds what this backend cannot work with.
        """
        return self._parsed(node.name, node.backend_info) if node.backend_info else DEFAULTS

    def _parsed(self, name: str, given: Mapping[str, Any]) -> LocalInfo:
        info = parse(LocalInfo, name, given)
        executor = info.executor or self.executor
        if info.timeout is not None and executor != "process":
            raise BackendInfoError(
                name,
                "timeout",
                info.timeout,
                f"only a process can be stopped after a time, and this node runs with executor {executor!r}: "
                "set backend_info['executor'] to 'process', or leave the timeout out",
            )
        return info

    def note_keys(self, keys: Mapping[str, int]) -> None:
        unknown = [key for key in not_understood(LocalInfo, keys) if key not in self._noted]
        self._noted.update(unknown)
        for key in unknown:
            warn_of_key(LocalInfo, type(self).__name__, key, keys[key])

    def close(self) -> None:
        """End the worker threads and processes; the next run starts new ones."""
        _close(self.threads, self.processes)


def _close(threads: ThreadWorkers, processes: ProcessWorkers) -> None:
    threads.close()
    processes.close()
