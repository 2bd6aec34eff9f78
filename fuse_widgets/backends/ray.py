"""RayWorkflow: runs a DAG on a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

try:
    import ray
except ImportError as error:
    raise ImportError('RayWorkflow needs ray: pip install "fuse_widgets[ray]"') from error

from ..engine.errors import FuseError, NodeExecutionError, message_of
from ..engine.nodes import Node, NodeItem
from ..storage._machines import missing
from ..storage._ray import connect
from ._ray_errors import plain
from ._ray_events import Channel
from ._ray_options import task_options
from ._ray_pack import by_value, writable
from ._ray_scheduler import RayScheduler
from ._ray_stored import RayStored
from .info import RayInfo
from .scheduled import ScheduledWorkflow

__all__ = ["RayWorkflow"]

#: Seconds between two looks at results that are not here yet, and how many before one counts as lost.
LOOK, PATIENCE = 1.0, 3


class RayWorkflow(ScheduledWorkflow):
    """Runs a DAG on a Ray cluster: each node is a Ray task, each object of a class an actor.

    Results go from task to task inside the cluster; only those of the outputs come here.

    Args:
        *nodes: The outputs; see `BaseWorkflow`.
        workflow_name: Names the workflow in storage and on screen.
        ray_init_args: Arguments of `ray.init`, for example `{"address": "auto"}` or `"ray://head:10001"`, used at the
            first run unless this process is connected to a cluster already. Without an address Ray starts here.
        targets_only: Leave out descendants that the outputs do not need.

    Raises:
        TypeError: `ray_init_args` is no dict.

    Example:
        >>> from fuse_widgets import RayWorkflow, workflow
        >>> @workflow
        ... def double(x):
        ...     return 2 * x
        >>> RayWorkflow(double(double(1))).run()  # doctest: +SKIP
        4
    """

    backend_info_model = RayInfo

    def __init__(
        self,
        *nodes: Node | NodeItem,
        workflow_name: str = "workflow",
        ray_init_args: Mapping[str, Any] | None = None,
        targets_only: bool = False,
    ) -> None:
        if ray_init_args is not None and not isinstance(ray_init_args, Mapping):
            raise TypeError(f"ray_init_args is a dict of arguments of ray.init, not {ray_init_args!r}")
        super().__init__(*nodes, workflow_name=workflow_name, targets_only=targets_only)
        self.ray_init_args = dict(ray_init_args or {})
        self._lacking: dict[str, str | None] = {}

    def run(self, *, return_results: bool = True, max_pending_tasks: int = 0, fail_fast: bool = False) -> Any:
        """Run all nodes.

        Args:
            return_results: Fetch the results of the outputs; without, wait for the end and return None.
            max_pending_tasks: How many nodes Ray may have at a time, queued ones included; 0 for all. A bound keeps
                this process small where there are very many nodes.
            fail_fast: Start no further node once one has failed. By default branches that do not need the
                failed node go on.

        Returns:
            The result of one output, or the list for several.

        Raises:
            NodeExecutionError: A node failed; raised at the end, from the original exception.
            BackendInfoError: A node's `backend_info` holds what this backend cannot work with; nothing ran.
            RunCancelledError: `cancel()` was called.
            ClusterError: The cluster cannot be reached, or was lost.
        """
        if (
            isinstance(max_pending_tasks, bool)
            or not isinstance(max_pending_tasks, int)
            or max_pending_tasks < 0
        ):
            raise ValueError(f"max_pending_tasks is a whole number from 0 up, not {max_pending_tasks!r}")
        with self.scheduled() as run:
            connect(self.ray_init_args)
            self._lacking.clear()
            with Channel() as channel, by_value():
                stored = RayStored(self, run)
                scheduler = RayScheduler(
                    self, run, stored, channel, fail_fast=fail_fast, most=max_pending_tasks
                )
                scheduler.execute()
                if not return_results:
                    return None
                self._fetch(run, scheduler.refs)
                return self.result(run)

    def _fetch(self, run: Any, refs: Mapping[int, Any]) -> None:
        """Take the results of the outputs out of the cluster."""
        nodes = dict.fromkeys(out.node if isinstance(out, NodeItem) else out for out in self.outputs)
        found = {node: refs[run.order.place[node]] for node in nodes if node not in run.values}
        self._await(run, {ref: node for node, ref in found.items()})
        try:
            run.values.update(zip(found, map(writable, ray.get(list(found.values())))))
        except Exception:  # one by one, to find the one that cannot be read
            for node, ref in found.items():
                run.values[node] = self._result(node, ref)

    def _await(self, run: Any, waiting: dict[Any, Node]) -> None:
        """Wait until results are here; one that was lost with its machine may have to be made again, or cannot be."""
        looks = 0
        while waiting:
            for ref in ray.wait(list(waiting), num_returns=len(waiting), timeout=LOOK)[0]:
                del waiting[ref]
            if waiting:
                run.raise_if_incomplete([], interrupted=False)
                looks += 1
                self.machines_changed()
            if looks > PATIENCE:
                for node in waiting.values():
                    why = self.lacking(node, ray.nodes())
                    if why is not None:
                        raise NodeExecutionError(
                            node,
                            FuseError(
                                f"its result was lost with its machine, and nothing can make it again: it {why}"
                            ),
                            None,
                        )

    @staticmethod
    def _result(node: Node, ref: Any) -> Any:
        try:
            return writable(ray.get(ref))
        except Exception as error:
            reason = plain(error)
            kind = "" if type(reason) is FuseError else f"{type(reason).__name__}: "
            failure = FuseError(f"its result cannot be read here: {kind}{message_of(reason)}")
            failure.__cause__ = error
            raise NodeExecutionError(node, failure, None) from failure

    def machines_changed(self) -> None:
        """What no machine can hold has to be found out anew."""
        self._lacking.clear()

    def lacking(self, node: Node, machines: list[dict[str, Any]]) -> str | None:
        """Why no machine of the cluster can hold a node, in words; None where one can."""
        options = node.backend_info.get("remote_args") or {}
        strategy = options.get("scheduling_strategy")
        if strategy not in (None, "DEFAULT", "SPREAD") and not getattr(strategy, "soft", False):
            return None  # Ray tells of those itself
        key = repr(sorted(options.items(), key=str)) if options else ""
        if key not in self._lacking:
            self._lacking[key] = missing(task_options(options), machines)
        return self._lacking[key]
