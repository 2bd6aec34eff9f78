"""Handing nodes to Ray: what is packed, which options go along, and the actors that keep objects."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import ray

from ..engine.nodes import MethodNode, Node, ObjectNode
from ..plugins import prepare
from ._ray_options import actor_options, task_options
from ._ray_pack import Code, Packer
from ._ray_task import ObjectActor, Spec, save_result, work
from .info import RayInfo

if TYPE_CHECKING:
    from ..engine.run import Run
    from ._ray_stored import RayStored
    from .ray import RayWorkflow

__all__ = ["Sent", "Submitter"]

#: Methods of one object that may be on their way at a time, where they are quick.
AHEAD = 16
#: Seconds up to which a method counts as quick.
QUICK = 0.05
DEFAULTS = RayInfo()


class Sent(NamedTuple):
    """A node that Ray has."""

    turn: int
    value: Any
    report: Any
    save: Any = None


class Object:
    """The actor of a class node in one run.

    Attributes:
        actor: Its handle; Ray ends the actor when nobody holds it any more.
        left: How many of its nodes have not ended.
        flying: Places of its nodes that Ray has.
        quick: Whether its last method was.
        parked: Places of methods that are to come when others have ended.
    """

    def __init__(self, members: list[int]) -> None:
        self.members = members
        self.actor: Any = None
        self.left = len(members)
        self.flying: set[int] = set()
        self.quick = False
        self.parked: deque[int] = deque()
        self.losses = 0
        self._copy: tuple[int, Any] | None = None
        self._calls = 0

    @property
    def full(self) -> bool:
        """Whether no further method may be sent now."""
        return len(self.flying) >= (AHEAD if self.quick else 1)

    def called(self) -> None:
        """A method was sent, which may change the object."""
        self._calls += 1

    def copy(self) -> Any:
        """The reference to a copy of the object as the methods sent so far leave it."""
        if self._copy is None or self._copy[0] != self._calls:
            self._copy = (self._calls, self.actor.snapshot.options(name="copy of the object").remote())
        return self._copy[1]

    def forget_copy(self) -> None:
        """Nobody needs a copy any more."""
        self._copy = None


class Submitter:
    """Submits the nodes of one run.

    Args:
        run, workflow: The run, and whose it is.
        stored: What storage has for this run.
        collector: The name of the actor that workers tell.
        run_id: The run's name there.
    """

    def __init__(
        self, run: Run, workflow: RayWorkflow, stored: RayStored, collector: str, run_id: str
    ) -> None:
        self.run, self.workflow, self.stored = run, workflow, stored
        self.collector, self.run_id = collector, run_id
        self.packer = Packer()
        self.place = run.order.place
        self.objects: dict[Node, Object] = {}
        self._turns: dict[int, int] = {}
        for node in run.nodes:
            if isinstance(node, ObjectNode):
                self.objects[node] = Object([self.place[node]])
            elif isinstance(node, MethodNode) and node.object in self.objects:
                found = self.objects[node.object]
                found.members.append(self.place[node])
                found.left += 1

    def object_of(self, node: Node) -> Object | None:
        """The object that a constructor or method node belongs to."""
        return self.objects.get(node.object if isinstance(node, MethodNode) else node)

    def submit(self, place: int, node: Node, refs: dict[int, Any]) -> Sent:
        """Hand a node to Ray.

        Args:
            place, node: The node.
            refs: References to the results of its parents, by place.

        Raises:
            FuseError: Its function or an argument cannot be pickled.
            PluginError: Its plugin raised.
        """
        info = self.workflow.info_now(node) or DEFAULTS
        options = {} if info.remote_args is None else node.backend_info["remote_args"]
        turn = self._turns[place] = self._turns.get(place, 0) + 1
        packed = self.packer.arguments(node)
        inputs = [self._input(source, refs) for source in packed.sources] + packed.literals
        more = self._more(node, info, options, inputs)
        code = None
        if not isinstance(node, MethodNode):
            code = self._code(node._func, "its function", inputs)
        save, there = self.stored.save_of(node, self.packer), None
        if save is not None and self.stored.remote_args is None:
            more["save"] = save
        spec = pickle.dumps(
            tuple(
                Spec(
                    self.collector,
                    self.run_id,
                    place,
                    turn,
                    node._name,
                    code,
                    packed.template,
                    len(packed.sources),
                    more,
                )
            )
        )
        obj = self.object_of(node)
        if obj is None:
            value, report = _start(node._name, options, spec, inputs)
        else:
            value, report = self._call(obj, place, node, options, spec, inputs)
        if save is not None and self.stored.remote_args is not None:
            task = save_result.options(name=f"save {node._name}", **self.stored.remote_args)
            there = task.remote(pickle.dumps(tuple(save)), value, report)
        return Sent(turn, value, report, there)

    def inputs(self, node: Node, refs: dict[int, Any]) -> Callable[[], Any]:
        """What fetches the arguments of a node, for whoever asks; holds the references until then."""
        found = {parent: refs.get(self.place[parent]) for parent in node.parents}
        for parent in node.parents:
            obj = self.objects.get(parent)
            if obj is not None and obj.actor is not None:
                found[parent] = obj.actor.peek.remote() if isinstance(node, MethodNode) else obj.copy()

        def fetch() -> Any:
            return node.resolve(lambda parent: ray.get(found[parent]))

        return fetch

    def _call(
        self, obj: Object, place: int, node: Node, options: dict[str, Any], spec: bytes, inputs: list[Any]
    ) -> Any:
        if obj.actor is None:
            obj.actor = ObjectActor.options(**actor_options(options)).remote()  # type: ignore[attr-defined]
        obj.flying.add(place)
        obj.called()
        return obj.actor.call.options(name=node._name, num_returns=2).remote(spec, *inputs)

    def _input(self, source: Node, refs: dict[int, Any]) -> Any:
        obj = self.objects.get(source)
        return refs[self.place[source]] if obj is None else obj.copy()

    def _more(self, node: Node, info: RayInfo, options: dict[str, Any], inputs: list[Any]) -> dict[str, Any]:
        more: dict[str, Any] = {}
        if isinstance(node, MethodNode):
            more["method"] = node._func.name  # type: ignore[attr-defined]
        if info.retries:
            more["retries"] = info.retries
        if info.plugin is not None:
            more["initialize"] = self._code(prepare(info.plugin, node._name), "its plugin", inputs)
        times = options.get("max_retries")
        if times is not None:
            more["times"] = times
        which = options.get("retry_exceptions")
        if which and node.kind == "function":
            more["raises"] = which if which is True else self.packer.pickled(tuple(which), "retry_exceptions")
        return more

    def _code(self, func: Any, what: str, inputs: list[Any]) -> Code:
        code, ref = self.packer.code(func, what)
        if ref is not None:
            code = code._replace(place=len(inputs))
            inputs.append(ref)
        return code


def _start(name: str, options: dict[str, Any], spec: bytes, inputs: list[Any]) -> Any:
    """Start the task of a function node; `options()` makes a class each time, which nodes without options do without."""
    if options or not hasattr(work, "_remote"):
        return work.options(name=name, **task_options(options)).remote(spec, *inputs)
    return work._remote(args=(spec, *inputs), kwargs={}, name=name, num_returns=2)
