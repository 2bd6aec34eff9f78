"""Noticing that nothing can run, since objects keep what they hold until their last methods have run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ..engine.errors import shorten
from ..engine.nodes import MethodNode, Node
from ..engine.run import Run
from ..engine.states import NodeState
from ..storage._machines import demand_of, in_words, total_of
from ._ray_options import actor_options, task_options
from ._ray_submit import Sent, Submitter
from .info import given

if TYPE_CHECKING:
    from .ray import RayWorkflow

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
        self._before: int | None = None

    def look(self, machines: list[dict[str, Any]]) -> tuple[int, str] | None:
        """The first node for which objects leave no room, and why, in words; None where it is none, or not sure yet."""
        now = time.monotonic()
        if now < self._look_at or not self.submitter.objects:
            return None
        self._look_at = now + LOOK
        before, self._before = self._before, self._waiting()
        if self._before is None or self._before != before:
            return None
        why = self._no_room(self.run.nodes[before], machines)
        return None if why is None else (before, why)

    def _waiting(self) -> int | None:
        """The first node that has all that it needs and waits, where nothing runs."""
        states = [(place, self.run.states[self.run.nodes[place]._name]) for place in self.sent]
        if any(state is NodeState.RUNNING for _, state in states):
            return None
        return next(
            (
                place
                for place, state in states
                if state is NodeState.QUEUED
                and not isinstance(self.run.nodes[place], MethodNode)
                and all(parent in self.over for parent in self.run.order.parents(place))
            ),
            None,
        )

    def _no_room(self, node: Node, machines: list[dict[str, Any]]) -> str | None:
        infos, held, holders = self.workflow.infos, Counter[str](), []
        for constructor, obj in self.submitter.objects.items():
            if obj.actor is not None and self.run.states[constructor._name] is NodeState.DONE:
                holds = demand_of(actor_options(given(infos.get(constructor))), 0)
                held.update(holds)
                holders += [constructor] * bool(holds)
        needs = demand_of(task_options(given(infos.get(node))))
        for name, amount in needs.items():
            total = total_of(name, machines)
            if held[name] and total - held[name] < amount:
                names = ", ".join(repr(shorten(holder._name)) for holder in holders[:NAMED])
                if len(holders) > NAMED:
                    names += f" and {len(holders) - NAMED} more"
                hold = "object {} holds" if len(holders) == 1 else "objects {} hold"
                return (
                    f"needs {name}: {in_words(name, amount)}, and {hold.format(names)} {in_words(name, held[name])} of "
                    f"{in_words(name, total)} until the last method has run"
                )
        return None
