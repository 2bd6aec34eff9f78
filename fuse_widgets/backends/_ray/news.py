"""What is heard during a run beside the reports: from workers, of machines, and of what waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...engine.states import NodeState
from .events import Teller
from .results import Results
from .standstill import Standstill
from .submit import Sent

if TYPE_CHECKING:
    from ..ray import RayWorkflow
    from .channel import Channel
    from .cluster import Watch
    from .stored import RayStored

__all__ = ["News"]


class News:
    """Tells what is new. Lives in the scheduler's thread, and changes nothing of what is handed in.

    Args:
        workflow, stored: What can hold a node, and where storage is, changes with the machines.
        channel, watch, standstill: Who hears it.
        teller: Who tells it.
        sent: The nodes that Ray has; the scheduler's own, only read here.
        results: What is over, and has a result that may be lost; likewise.
    """

    def __init__(
        self,
        workflow: RayWorkflow,
        stored: RayStored,
        channel: Channel,
        watch: Watch,
        standstill: Standstill,
        teller: Teller,
        sent: Mapping[int, Sent],
        results: Results,
    ) -> None:
        self.workflow, self.stored, self.channel, self.watch = workflow, stored, channel, watch
        self.standstill, self.teller, self.sent, self.results = standstill, teller, sent, results

    def begin(self) -> None:
        """Tell which machines there are."""
        self.teller.cluster(self.watch.machines)
        self.stored.machines_changed(self.watch.machines)

    def tell(self) -> None:
        """Tell what workers have told, and what has changed in the cluster.

        Raises:
            ClusterError: It is gone.
        """
        self.watch.check()
        self.stored.renew()
        for live in self.channel.news():
            self.teller.live(live, self.sent, self.results.over)
        regrouped = self.watch.regrouped()
        if self.teller.cluster(self.watch.machines) or regrouped:
            self._machines_changed()
        stuck = self.standstill.look(self.watch.machines)
        if stuck is not None:
            self.teller.no_room(*stuck)

    def _machines_changed(self) -> None:
        """Tell what no machine can hold any more, and what one can again."""
        machines, over = self.watch.machines, self.results.over
        self.workflow.machines_changed()
        self.stored.machines_changed(machines)
        for place in dict.fromkeys((*self.sent, *self.results.refs)):
            if over.get(place) in (None, NodeState.DONE):
                node = self.results.order.nodes[place]
                lacking = self.workflow.lacking(node, machines)
                self.teller.lacking(place, node, lacking, again=place in over or place not in self.sent)
