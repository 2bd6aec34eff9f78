"""RayWorkflow: runs a DAG on a Ray cluster."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

try:
    import ray
except ImportError as error:
    raise ImportError('RayWorkflow needs ray: pip install "fuse_widgets[ray]"') from error

from ..engine.errors import FuseError, NodeExecutionError, RunCancelledError, message_of
from ..engine.nodes import MethodNode, Node, NodeItem
from ..engine.run import Run
from ..engine.states import NodeState
from ..storage._ray import address_of, connect
from ._inputs import CheckInputs, check_mode
from ._ray.channel import Channel
from ._ray.cluster import Watch, is_cut
from ._ray.errors import plain
from ._ray.events import not_made_again, tell
from ._ray.options import task_options
from ._ray.pack import by_value, writable
from ._ray.placed import NOT_PLACED, unplaced
from ._ray.scheduler import RayScheduler
from ._ray.stored import RayStored
from ._ray.task import Lost
from .info import RayInfo, given
from .scheduled import ScheduledWorkflow

__all__ = ["RayWorkflow"]

#: Outputs that are taken out of the cluster at a time.
AT_A_TIME = 100
#: What an output is in that has a result.
_KEPT = (NodeState.DONE, NodeState.CACHED)
#: Seconds without any of them after which one that nothing can make again counts as lost.
PATIENCE = 3.0


class RayWorkflow(ScheduledWorkflow):
    """Runs a DAG on a Ray cluster: each node is a Ray task, each object of a class an actor.

    Results go from task to task inside the cluster; only those of the outputs come here.

    Args:
        *nodes: The outputs; see `BaseWorkflow`.
        workflow_name: Names the workflow in storage and on screen.
        ray_init_args: Arguments of `ray.init`, for example `{"address": "auto"}` or `"ray://head:10001"`, used at the
            first run unless this process is connected to a cluster already. `{"address": "local"}` starts Ray here; so does
            no address, where no cluster runs on this machine and `RAY_ADDRESS` names none: else that one is joined.
        targets_only: Leave out descendants that the outputs do not need.
        check_inputs: What happens when a node changes an input in place: `"notice"` tells it, `"raise"` fails the node, `"off"`
            compares nothing. Each task has copies of its own, and arrays that cannot be written to, so that no other node sees
            the change in any case. None, the default, compares defaults of functions only, which a worker keeps.
        prefix_prints: Whether lines that nodes print begin with `[name of the node]` in the cell; see `BaseWorkflow`.

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
    _not_pickled = ScheduledWorkflow._not_pickled | {"_lacking", "_table_of"}

    def __init__(
        self,
        *nodes: Node | NodeItem,
        workflow_name: str = "workflow",
        ray_init_args: Mapping[str, Any] | None = None,
        targets_only: bool = False,
        prefix_prints: bool | None = None,
        check_inputs: CheckInputs | None = None,
    ) -> None:
        check_mode(check_inputs)
        self.check_inputs = check_inputs
        if ray_init_args is not None and not isinstance(ray_init_args, Mapping):
            raise TypeError(f"ray_init_args is a dict of arguments of ray.init, not {ray_init_args!r}")
        super().__init__(
            *nodes, workflow_name=workflow_name, targets_only=targets_only, prefix_prints=prefix_prints
        )
        self.ray_init_args = dict(ray_init_args or {})

    def _set_up(self) -> None:
        super()._set_up()
        self._lacking: dict[str, tuple[str | None, Mapping[str, Any]]] = {}
        self._table_of: Callable[[Any], Mapping[str, Any] | None] = lambda group: None

    @property
    def runs_several_at_a_time(self) -> bool:
        return True

    def run(self, *, return_results: bool = True, max_pending_tasks: int = 0, fail_fast: bool = False) -> Any:
        """Run all nodes.

        Args:
            return_results: Fetch the results of the outputs; without, wait for the end and return None.
            max_pending_tasks: How many nodes Ray may have at a time, queued ones included; 0 for all. A bound keeps
                this process small where there are very many nodes. As many objects of classes live at a time,
                each in a worker process of its own; more only where they need each other.
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
            self._connect(run)
            self.machines_changed()
            with Watch(run) as watch, Channel() as channel, by_value():
                self._table_of = watch.table_of
                with contextlib.closing(RayStored(self, run, watch)) as stored:
                    scheduler = RayScheduler(
                        self, run, stored, channel, watch, fail_fast=fail_fast, most=max_pending_tasks
                    )
                    failures: list[NodeExecutionError] = []
                    try:
                        scheduler.execute()
                    except NodeExecutionError as error:
                        failures += error.failures
                    if return_results:  # also what the other outputs gave; it goes with the references
                        with contextlib.suppress(RunCancelledError), watch.connected():
                            failures += self._fetch(run, watch, scheduler.refs)
                    run.raise_if_incomplete(failures, interrupted=False)
                    return self.result(run) if return_results else None

    def _connect(self, run: Run) -> None:
        if ray.is_initialized():
            return
        address = address_of(self.ray_init_args)
        if address == "auto":
            doing = "looking for the Ray cluster of this machine"
        elif address == "local":
            doing = "starting Ray on this machine"
        elif not address:
            doing = "joining Ray on this machine, or starting it"
        else:
            doing = f"connecting to {address}"
        tell(run, {"notice": f"{doing} …"})
        connect(self.ray_init_args)
        tell(run, {"notice": ""})

    def _fetch(self, run: Run, watch: Watch, refs: dict[int, Any]) -> list[NodeExecutionError]:
        """Take the results of the outputs that have one out of the cluster, and let go of them there.

        Arrays are copied once, out of the memory that they share with the object store, so that they can be changed.
        What is one object in one result stays one; results of two nodes share nothing here.

        Returns:
            Why there is no result of an output that has one in the cluster.
        """
        nodes = dict.fromkeys(out.node if isinstance(out, NodeItem) else out for out in self.outputs)
        states = run.states
        wanted = [n for n in nodes if n not in run.values and states[n._name] in _KEPT]
        failures: list[NodeExecutionError] = []
        for start in range(0, len(wanted), AT_A_TIME):
            waiting = {refs.pop(run.order.place[node]): node for node in wanted[start : start + AT_A_TIME]}
            came = time.monotonic()
            for arrived in watch.ready(list(waiting), "the results of the outputs"):
                there = [ref for ref in arrived if ref in waiting]
                for ref, (value, error) in zip(there, self._values(run, there), strict=True):
                    node = waiting.pop(ref)
                    if error is None:
                        run.values[node] = writable(value)
                    else:
                        failures.append(NodeExecutionError(node, error, None))
                if there:
                    came = time.monotonic()
                elif time.monotonic() > came + PATIENCE:
                    failures += self._never_made_again(waiting, watch.machines)
                if not waiting:
                    break
        return failures

    def _never_made_again(
        self, waiting: dict[Any, Node], machines: list[dict[str, Any]]
    ) -> Iterator[NodeExecutionError]:
        """Results do not come: take out those that were lost with their machine, and that no other can make again."""
        self.machines_changed()
        for ref, node in list(waiting.items()):
            why = self.lacking(node, machines)
            if why not in (None, NOT_PLACED):
                del waiting[ref]
                lost = f"its result was lost with its machine, and nothing can make it again: it {why}"
                yield NodeExecutionError(node, FuseError(lost), None)

    @staticmethod
    def _values(run: Run, refs: list[Any]) -> list[tuple[Any, FuseError | None]]:
        """The values, each with why it cannot be had, or None."""
        found: list[tuple[Any, FuseError | None]]
        try:
            found = [(value, None) for value in ray.get(refs)]
        except Exception:  # one by one, to find the one that cannot be read
            found = [_value(ref) for ref in refs]
        for at, (value, _) in enumerate(found):
            if isinstance(value, Lost):
                assert value.root is not None
                found[at] = None, not_made_again(run.nodes[value.root], value.error)
        return found

    def machines_changed(self) -> None:
        """What no machine can hold has to be found out anew."""
        self._lacking.clear()

    def lacking(self, node: Node, machines: list[dict[str, Any]]) -> str | None:
        """Why no machine of the cluster can hold a node, in words; None where one can."""
        placed = node.object if isinstance(node, MethodNode) else node
        options = given(self.infos.get(placed))
        key = repr(sorted(options.items(), key=str)) if options else ""
        if key not in self._lacking:  # with the options, so that no other object there has the same repr
            self._lacking[key] = unplaced(task_options(options), machines, self._table_of), options
        return self._lacking[key][0]


def _value(ref: Any) -> tuple[Any, FuseError | None]:
    try:
        return ray.get(ref), None
    except Exception as error:
        if is_cut(error):
            raise
        reason = plain(error)
        kind = "" if type(reason) is FuseError else f"{type(reason).__name__}: "
        failure = FuseError(f"its result cannot be read here: {kind}{message_of(reason)}")
        failure.__cause__ = error
        return None, failure
