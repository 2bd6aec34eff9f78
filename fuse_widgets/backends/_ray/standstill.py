"""Noticing that nothing can run, since objects keep what they hold until their last methods have run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ...engine.errors import shorten
from ...engine.nodes import MethodNode, Node
from ...engine.run import Run
from ...engine.states import NodeState
from ...storage._machines import demand_of, in_words, total_of
from ..info import given
from .options import actor_options, task_options
from .submit import Sent, Submitter

if TYPE_CHECKING:
    from ..ray import RayWorkflow

__all__ = ["Standstill"]

#: Seconds between two looks; what is so at two of them is told.
LOOK = 4.0
#: Objects that are named.
NAMED = 3


class Standstill:
    """Looks from time to time. Lives in the scheduler's thread.

    Args:
        run, workflow, submitter: The run, whose it is, and who has its objects.
        sent: The nodes that Ray has; the scheduler's own, only read here.
        over: Those whose fate is settled; likewise.
    """

    def __init__(
        self,
        run: Run,
        workflow: RayWorkflow,
        submitter: Submitter,
        sent: Mapping[int, Sent],
        over: Collection[int],
    ) -> None:
        self.run, self.workflow, self.submitter, self.sent, self.over = run, workflow, submitter, sent, over
        self._look_at = time.monotonic() + LOOK
        self._before: tuple[int, int] | None = None

    def look(self, machines: list[dict[str, Any]]) -> tuple[int, str] | None:
        """The first node for which objects leave no room, and why, in words; None where it is none, or not sure yet."""
        now = time.monotonic()
        if now < self._look_at or not self.submitter.objects:
            return None
        self._look_at = now + LOOK
        stuck = self._stuck(machines)
        before, self._before = self._before, None if stuck is None else (stuck[0], len(self.over))
        return stuck if before == self._before else None

    def _stuck(self, machines: list[dict[str, Any]]) -> tuple[int, str] | None:
        """The first node that has all that it needs but room; None where something runs, or will since it has room."""
        states = [(place, self.run.states[self.run.nodes[place]._name]) for place in self.sent]
        if any(state is NodeState.RUNNING for _, state in states):
            return None
        held, holders = self._held()
        first = None
        for place, state in states:
            node = self.run.nodes[place]
            if state is not NodeState.QUEUED or not self._has_inputs(place):
                continue
            if isinstance(node, MethodNode):
                if not any(earlier < place for earlier in self.submitter.objects[node.object].flying):
                    return None
                continue
            lacks = self._lacks(node, held, machines)
            if lacks is None and self.workflow.lacking(node, machines) is None:
                return None
            if first is None and lacks is not None and held[lacks]:
                first = place, self._why(node, lacks, held[lacks], holders, machines)
        return first

    def _has_inputs(self, place: int) -> bool:
        return all(parent in self.over for parent in self.run.order.parents(place))

    def _held(self) -> tuple[Counter[str], list[Node]]:
        """What objects hold, and which ones hold something."""
        infos, held, holders = self.workflow.infos, Counter[str](), []
        for constructor, obj in self.submitter.objects.items():
            if obj.actor is not None and self.run.states[constructor._name] is NodeState.DONE:
                holds = demand_of(actor_options(given(infos.get(constructor))), 0)
                held.update(holds)
                holders += [constructor] * bool(holds)
        return held, holders

    def _needs(self, node: Node) -> Mapping[str, float]:
        return demand_of(task_options(given(self.workflow.infos.get(node))))

    def _lacks(self, node: Node, held: Mapping[str, float], machines: list[dict[str, Any]]) -> str | None:
        """The resource of which objects leave too little for a node; None where they leave enough."""
        needs = self._needs(node)
        short = [name for name, amount in needs.items() if total_of(name, machines) - held[name] < amount]
        return min(short, key=lambda name: not held[name], default=None)

    def _why(
        self, node: Node, name: str, held: float, holders: list[Node], machines: list[dict[str, Any]]
    ) -> str:
        needs = self._needs(node)[name]
        names = ", ".join(repr(shorten(holder._name)) for holder in holders[:NAMED])
        if len(holders) > NAMED:
            names += f" and {len(holders) - NAMED} more"
        hold = "object {} holds" if len(holders) == 1 else "objects {} hold"
        return (
            f"needs {name}: {in_words(name, needs)}, and {hold.format(names)} {in_words(name, held)} of "
            f"{in_words(name, total_of(name, machines))} until the last method has run"
        )
