"""Handing nodes to Ray: what is packed, which options go along, and the actors that keep objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import ray

from ...engine.errors import shorten
from ...engine.nodes import MethodNode, Node, ObjectNode, Promise, nodes_inside
from ...plugins import prepare
from .._digest import is_constant
from ..info import RayInfo, given
from ._compat import submit
from .objects import KeptObject, kept_objects
from .options import actor_options, task_options
from .pack import Code, Packer
from .task import ObjectActor, Spec, save_result, work
from .wire import to_wire

if TYPE_CHECKING:
    from ...engine.run import Run
    from ..ray import RayWorkflow
    from .stored import RayStored

__all__ = ["GoneError", "Sent", "Submitter"]

DEFAULTS = RayInfo()


class Sent(NamedTuple):
    """A node that Ray has.

    Attributes:
        turn: The how-many-eth submission of the node it is.
        at: The how-many-eth submission of the run.
        value, report, save: What Ray owes for it; `save` where another task saves the value.
    """

    turn: int
    at: int
    value: Any
    report: Any
    save: Any = None


class GoneError(Exception):
    """A node needs an object that is no more; it has to be made again first."""

    def __init__(self, obj: KeptObject) -> None:
        self.object = obj


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
        self.objects = kept_objects(run.order)
        self.live: set[KeptObject] = set()  # those that have an actor
        self.turn = 0  # how many nodes were handed in
        self.sent_at: dict[int, int] = {}  # for each place, its last submission among those of the run
        self._turns: dict[int, int] = {}

    def object_of(self, node: Node) -> KeptObject | None:
        """The object that a constructor or method node belongs to."""
        return self.objects.get(node.object if isinstance(node, MethodNode) else node)

    def may_call(self, place: int) -> bool:
        """Whether a node is no call to an object, or may be sent there now."""
        obj = self.object_of(self.run.nodes[place])
        return obj is None or obj.may_call(place)

    def submit(self, place: int, node: Node, refs: dict[int, Any], epoch: int | None) -> Sent:
        """Hand a node to Ray.

        Args:
            place, node: The node.
            refs: References to the results of its parents, by place.
            epoch: See `Spec`. None for a node that ran before, whose result is saved already.

        Raises:
            GoneError: It needs an object that was lost.
            FuseError: Its function or an argument cannot be pickled.
            PluginError: Its plugin raised.
        """
        info = self.workflow.info_now(node) or DEFAULTS
        options = given(info)
        self.turn += 1
        turn = self._turns[place] = self._turns.get(place, 0) + 1
        packed = self.packer.arguments(node)
        inputs = [self._input(place, source, refs) for source in packed.sources] + packed.literals
        more = self._more(node, info, options, inputs)
        self._add_modules(self.packer.modules(packed.reached), inputs, more)
        code = None
        if not isinstance(node, MethodNode):
            code = self._code(self.run.functions[place], "its function", inputs, more)
        save, there = None if epoch is None else self.stored.save_of(node, self.packer), None
        if save is not None and self.stored.remote_args is None:
            more["save"] = save
        obj = self.object_of(node)
        if obj is not None:
            more["follows"] = obj.call_before(place)
        spec = to_wire(
            Spec(
                self.collector,
                self.run_id,
                place,
                turn,
                node._name,
                epoch,
                code,
                packed.template,
                len(packed.sources),
                more,
            )
        )
        if obj is None:
            value, report = _start(node._name, options, spec, inputs)
        else:
            value, report = self._call(obj, place, node, options, spec, inputs)
        if save is not None and self.stored.remote_args is not None:
            task = save_result.options(name=f"save {node._name}", **self.stored.remote_args)
            there = task.remote(to_wire(save), value, report)
        self.sent_at[place] = self.turn
        return Sent(turn, self.turn, value, report, there)

    def end(self) -> None:
        """The run is over: let Ray end the actors that are left, now, and not as Python finds the time to collect them."""
        for obj in list(self.live):
            self.let_go(obj)

    def let_go(self, obj: KeptObject) -> None:
        """Ray ends an actor when nobody holds it."""
        obj.actor = None
        self.live.discard(obj)

    def inputs(self, node: Node, refs: dict[int, Any]) -> Callable[[], Any]:
        """What fetches the arguments of a node, for whoever asks; holds the references until then."""
        found = {parent: refs.get(self.place[parent]) for parent in node.parents}
        for parent in node.parents:
            obj = self.objects.get(parent)
            if obj is not None and isinstance(node, MethodNode) and obj is self.object_of(node):
                found[parent] = None if obj.actor is None else obj.actor.peek.remote()
            elif obj is not None:
                found[parent] = obj.copy_for(self.place[node])

        def fetch() -> Any:
            return node.resolve(lambda parent: ray.get(found[parent]))

        return fetch

    def _call(
        self, obj: KeptObject, place: int, node: Node, options: dict[str, Any], spec: bytes, inputs: list[Any]
    ) -> Any:
        if obj.actor is None:
            obj.actor = ObjectActor.options(**actor_options(options)).remote()  # type: ignore[attr-defined]
            self.live.add(obj)
        obj.called(place)
        return obj.actor.call.options(name=node._name, num_returns=2).remote(spec, *inputs)

    def _input(self, place: int, source: Node, refs: dict[int, Any]) -> Any:
        obj = self.objects.get(source)
        if obj is None:
            return refs[self.place[source]]
        copy = obj.copy_for(place)
        if copy is None:
            raise GoneError(obj)
        return copy

    def _more(self, node: Node, info: RayInfo, options: dict[str, Any], inputs: list[Any]) -> dict[str, Any]:
        more: dict[str, Any] = {}
        files = self.stored.files_of(node)
        if files:
            more["files"] = dict(files)
        if isinstance(node, MethodNode):
            more["method"] = node._func.name  # type: ignore[attr-defined]
        if self.workflow.check_inputs is not None:
            more["check"] = self.workflow.check_inputs, _compared(node)
        if info.retries:
            more["retries"] = info.retries
        if info.plugin is not None:
            more["initialize"] = self._code(prepare(info.plugin, node._name), "its plugin", inputs, more)
        times = options.get("max_retries")
        if times is not None:
            more["times"] = times
        which = options.get("retry_exceptions")
        if which and node.kind == "function":
            more["raises"] = which if which is True else self.packer.pickled(tuple(which), "retry_exceptions")
        return more

    def _code(self, func: Any, what: str, inputs: list[Any], more: dict[str, Any]) -> Code:
        code = self._placed(self.packer.code(func, what), inputs)
        self._add_modules(self.packer.modules_of(func), inputs, more)
        return code

    def _add_modules(self, modules: tuple[Code, Any] | None, inputs: list[Any], more: dict[str, Any]) -> None:
        if modules is not None:
            more.setdefault("modules", []).append(tuple(self._placed(modules, inputs)))

    @staticmethod
    def _placed(packed: tuple[Code, Any], inputs: list[Any]) -> Code:
        code, ref = packed
        if ref is not None:
            code = code._replace(place=len(inputs))
            inputs.append(ref)
        return code


def _compared(node: Node) -> tuple[tuple[int | str, str], ...]:
    """The places of arguments that are the result of one node or hold none, with what a person calls them."""
    skip = isinstance(node, MethodNode)  # the object is not among the arguments there
    named: list[tuple[int | str, Any]] = [
        *enumerate(node.args[1:] if skip else node.args),
        *node.kwargs.items(),
    ]
    found: list[tuple[int | str, str]] = []
    for place, value in named:
        source = value._source() if isinstance(value, Promise) else None
        if source is not None and not isinstance(source, MethodNode | ObjectNode):
            found.append((place, f"the result of node {shorten(source._name)!r}"))
        elif source is None and not is_constant(value) and not nodes_inside(value):
            found.append((place, f"argument {place + skip if isinstance(place, int) else place!r}"))
    return tuple(found)


def _start(name: str, options: dict[str, Any], spec: bytes, inputs: list[Any]) -> Any:
    """Start the task of a function node."""
    if options:
        return work.options(name=name, **task_options(options)).remote(spec, *inputs)
    return submit(work, (spec, *inputs), name)
