"""The scheduler of `RayWorkflow`: one loop, in the thread that called `run()`, that owns the whole run.

It hands nodes to Ray in traversal order, each with the references of what it needs, and lets Ray find out when they
can start. What comes back is small: a report for each node. Nodes are known here by their place in the traversal.
"""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

from ..engine.errors import NodeExecutionError, message_of, shorten
from ..engine.nodes import Node, NodeItem, ObjectNode
from ..engine.run import Run
from ..engine.states import NodeState
from ._interrupt import CtrlC, InlineGuard
from ._ray_errors import is_cancelled, is_loss, is_of_input, is_out_of_memory, plain
from ._ray_events import Teller, loaded_error
from ._ray_frontier import Frontier
from ._ray_recall import Recall
from ._ray_reports import Reports
from ._ray_stored import not_saved
from ._ray_submit import QUICK, Object, Sent, Submitter
from ._ray_task import Report

if TYPE_CHECKING:
    from ._ray_cluster import Watch
    from ._ray_events import Channel
    from ._ray_stored import RayStored
    from .ray import RayWorkflow

PENDING, QUEUED, RUNNING = NodeState.PENDING, NodeState.QUEUED, NodeState.RUNNING
#: Nodes that are handed in between two looks at what came back.
BURST = 64
#: How often an object is made again after its machine was lost, unless `max_retries` says otherwise.
LOSSES = 3


class RayScheduler:
    """Executes one run of a `RayWorkflow`.

    Args:
        workflow: What to run.
        run: Where to report.
        stored: What storage has for this run.
        channel: What workers tell.
        watch: Knows whether the cluster is there.
        fail_fast: Start nothing more once a node has failed.
        most: How many nodes Ray may have at a time; 0 for all.
    """

    def __init__(
        self,
        workflow: RayWorkflow,
        run: Run,
        stored: RayStored,
        channel: Channel,
        watch: Watch,
        *,
        fail_fast: bool,
        most: int,
    ) -> None:
        order = run.order
        self.workflow, self.run, self.stored, self.channel = workflow, run, stored, channel
        self.watch, self.fail_fast, self.most = watch, fail_fast, most or len(order.nodes) + 1
        self.order, self.nodes, self.children = order, order.nodes, order.children
        self.submitter = Submitter(run, workflow, stored, channel.name, channel.run)
        self.teller = Teller(run, stored)
        self.frontier = Frontier(order)
        self.reports = Reports()
        self.refs: dict[int, Any] = {}  # results, as long as somebody may need them
        self.uses = [len(children) for children in order.children]
        self.over: dict[int, NodeState] = {}
        self.sent: dict[int, Sent] = {}
        self.saving: dict[int, Report] = {}
        self.again: set[int] = set()  # done, and run once more to make an object anew
        self.recall = Recall(run, self.submitter, self.sent, self.saving)
        self.held: set[int] = set()
        self.keep = {order.place[out.node if isinstance(out, NodeItem) else out] for out in workflow.outputs}
        self.failures: list[NodeExecutionError] = []
        self.guard = InlineGuard()
        self.thread = threading.get_ident()
        self.looping = False
        self.interrupts = 0

    # --- the loop ------------------------------------------------------------------------------------------

    def execute(self) -> None:
        """Run everything; afterwards `refs` has the references of the outputs."""
        try:
            with CtrlC(self.guard, self._on_ctrl_c), self.watch.connected():
                self._prepare()
                self.run.on_control = self._controlled
                self.looping = True
                self._loop()
        finally:
            self.teller.settle_open()
        self.run.raise_if_incomplete(self.failures, interrupted=self.interrupts > 0)

    def _prepare(self) -> None:
        self.teller.cluster(self.watch.machines)
        self.stored.machines_changed(self.watch.machines)
        for node, detail in self.stored.look_up().items():
            self.over[self.run.order.place[node]] = NodeState.CACHED
            self.run.emit(node, NodeState.CACHED, attempt=0, detail=detail)
        for node, ref in self.stored.values.items():
            self.refs[self.run.order.place[node]] = ref
        for place in self.over:
            self._let_go_of_parents(place)
        self.frontier.restart(self.over)

    def _loop(self) -> None:
        while True:
            self._look_at_controls()
            more = False if self._stopped else self._submit_some()
            waiting = self.frontier.outdated or self.frontier.first() is not None
            if self.recall.given_up or (not self.reports and (self._stopped or not waiting)):
                return
            self._check_cluster()
            parked = any(obj.parked for obj in self.submitter.objects.values())
            self.recall.look()
            for place, content in self.reports.take(wait=not more, first=waiting or parked):
                self._arrived(place, content)

    @property
    def _stopped(self) -> bool:
        return bool(self.run.cancelled) or (self.fail_fast and bool(self.failures))

    def _submit_some(self) -> bool:
        """Hand in nodes whose turn it is; return whether there are more that could follow at once."""
        if self.frontier.outdated:
            self.frontier.restart([*self.over, *self.sent])
            for obj in self.submitter.objects.values():
                obj.parked.clear()
        for _ in range(BURST):
            if len(self.sent) >= self.most or self._stopped or not self._may_start():
                return False
            self._submit(self.frontier.pop())
        return not self.run.paused

    def _may_start(self) -> bool:
        first = self.frontier.first()
        if first is None:
            return False
        if not self.run.paused:
            return True
        if any(parent not in self.over for parent in self.order.parents(first)):
            return False
        if self.run.take_turn():
            return True
        if first not in self.held:
            self.held.add(first)
            self.run.emit(self.nodes[first], NodeState.PAUSED, attempt=0)
        return False

    # --- handing in ----------------------------------------------------------------------------------------

    def _submit(self, place: int) -> None:
        node = self.nodes[place]
        self.held.discard(place)
        obj = self.submitter.object_of(node)
        if obj is not None and obj.full:
            obj.parked.append(place)
            return
        if self._hand_in(place, node):
            self.teller.queued(place, node, self.workflow.lacking(node, self.watch.machines))
            self.frontier.leave(place)

    def _hand_in(self, place: int, node: Node) -> bool:
        try:
            sent = self.sent[place] = self.submitter.submit(place, node, self.refs)
        except Exception as error:
            self.run.emit(node, RUNNING, attempt=1)
            self._failed(place, node, Report("failed"), error)
            return False
        self.reports.expect(sent.report, place)
        self.refs[place] = sent.value
        return True

    # --- what comes back -----------------------------------------------------------------------------------

    def _check_cluster(self) -> None:
        """Tell what workers have told, and what has changed in the cluster.

        Raises:
            ClusterError: It is gone.
        """
        self.watch.check()
        for live in self.channel.news():
            self.teller.live(live, self.sent, self.over)
        if self.teller.cluster(self.watch.machines):
            self._machines_changed()

    def _machines_changed(self) -> None:
        """Tell what no machine can hold any more, and do not wait for a storage that is gone."""
        machines = self.watch.machines
        self.workflow.machines_changed()
        self.stored.machines_changed(machines)
        if self.stored.gone is not None:
            for place in list(self.saving):
                self.reports.forget(self.sent[place].save)
                self._saved(place, not_saved(self.stored.gone))
        for place in dict.fromkeys((*self.sent, *self.refs)):
            node, over = self.nodes[place], self.over.get(place)
            if over in (None, NodeState.DONE):
                self.teller.lacking(node, self.workflow.lacking(node, machines), again=over is not None)

    def _arrived(self, place: int, content: Any) -> None:
        if place in self.saving:
            lost = isinstance(content, Exception)
            self._saved(place, not_saved(message_of(plain(content))) if lost else content)
        elif isinstance(content, Exception):
            self._ended_badly(place, content)
        else:
            self._ended(place, Report._make(pickle.loads(content)))

    def _ended(self, place: int, report: Report) -> None:
        if report.state == "skipped":  # its root is told first, and settles it
            self._skipped_early(place, report)
        elif report.state == "done" and self.sent[place].save is not None and place not in self.again:
            self.saving[place] = report
            if self.stored.gone is None:
                self.reports.expect(self.sent[place].save, place)
            else:
                self._saved(place, not_saved(self.stored.gone))
        else:
            self._finish(place, report)

    def _saved(self, place: int, saved: dict[str, Any] | None) -> None:
        self._finish(place, self.saving.pop(place)._replace(saved=saved))

    def _finish(self, place: int, report: Report) -> None:
        """A node has run, to its end or not."""
        node, obj = self.nodes[place], self._left_object(place)
        if obj is not None:
            obj.quick = report.seconds < QUICK
        del self.sent[place]
        if place in self.again:
            self.again.discard(place)
            if report.state != "done":
                self.failures.append(self._failure(node, loaded_error(report.error)))
            return
        if report.state == "done":
            self.teller.done(place, node, report)
            self._over(place, NodeState.DONE)
        elif report.state == "cancelled":
            self.teller.cancelled(place, node, report)
            self._over(place, NodeState.CANCELLED)
        else:
            self._failed(place, node, report, loaded_error(report.error))

    def _ended_badly(self, place: int, error: Exception) -> None:
        """Ray has no report for a node: it was recalled, a machine was lost, or what it returned cannot travel."""
        node = self.nodes[place]
        parents = self.order.parents(place)
        if any(parent in self.sent and parent not in self.saving for parent in parents):
            self.reports.expect(self.sent[place].report, place)  # its parents decide, and are on their way
            return
        obj = self._left_object(place)
        self.sent.pop(place)
        if place in self.again:
            self.again.discard(place)
            if not self._make_again(place, node, obj, error):
                self.failures.append(self._failure(node, plain(error)))
        elif is_cancelled(error) or any(parent not in self.over for parent in parents):
            self._unsubmit(place, stopped=self.recall.interrupting)
        elif self.recall.interrupting and is_loss(error):
            self._unsubmit(place, stopped=True)
        elif is_loss(error) and self._make_again(place, node, obj, error):
            return
        else:
            self._failed(place, node, Report("failed"), plain(error))

    def _left_object(self, place: int) -> Object | None:
        """Take a node out of its object's queue, and let the next method come."""
        obj = self.submitter.object_of(self.nodes[place])
        if obj is not None:
            obj.flying.discard(place)
            while obj.parked:
                self.frontier.add(obj.parked.popleft())
        return obj

    def _unsubmit(self, place: int, *, stopped: bool) -> None:
        """A node did not run, or not to its end; it may be submitted again."""
        node = self.nodes[place]
        self.refs.pop(place, None)
        self.recall.settled(place)
        self.frontier.outdated = True
        if stopped and self.run.states[node._name] is RUNNING:
            self.teller.cancelled(place, node, Report("cancelled"))
            self._over(place, NodeState.CANCELLED)

    def _make_again(self, place: int, node: Node, obj: Object | None, error: Exception) -> bool:
        """Make the objects anew whose loss keeps a node from running; False where that is not the cause."""
        inputs = [self.submitter.object_of(parent) for parent in node.parents]
        lost = inputs if is_of_input(error) else [obj]
        objects = {id(found): found for found in lost if found is not None}
        if not objects:
            return False
        for found in objects.values():
            constructor = self.nodes[found.members[0]]
            times = (constructor.backend_info.get("remote_args") or {}).get("max_retries")
            found.losses += 1
            if 0 <= (LOSSES if times is None else times) < found.losses:
                return False
            ended = "ran out of memory" if is_out_of_memory(error) else "was lost"
            self.teller.notice(
                f"the machine or worker of object {shorten(constructor.name)!r} {ended}; the object is made again"
            )
            self._replay(found)
        if place not in self.over:
            self._unsubmit(place, stopped=False)
            self.teller.lost(place, node)
        return True

    def _replay(self, obj: Object) -> None:
        """Call the constructor and the methods that have run once more, on another actor."""
        obj.actor, obj._copy = None, None
        for place in list(obj.flying):
            sent = self.sent.pop(place)
            self.reports.forget(sent.report)
            self.again.discard(place)
            if place not in self.over:
                self.teller.lost(place, self.nodes[place])
                self._unsubmit(place, stopped=False)
        obj.flying.clear()
        for place in obj.members:
            if self.over.get(place) is NodeState.DONE:
                self.again.add(place)
                self._hand_in(place, self.nodes[place])

    # --- settling ------------------------------------------------------------------------------------------

    def _failed(self, place: int, node: Node, report: Report, error: BaseException) -> None:
        self.sent.pop(place, None)
        self.refs.pop(place, None)
        self.teller.failed(place, node, report, error)
        self.failures.append(self._failure(node, error, report.called))
        self._over(place, NodeState.FAILED)
        self._skip_descendants(place, node)

    def _failure(self, node: Node, error: BaseException, called: bool = False) -> NodeExecutionError:
        return NodeExecutionError(node, error, self.submitter.inputs(node, self.refs) if called else None)

    def _skip_descendants(self, place: int, root: Node) -> None:
        stack = self.children[place][::-1]
        while stack:
            lost = stack.pop()
            if lost in self.over:
                continue
            sent = self.sent.pop(lost, None)
            if sent is not None:  # it would not run anyway: its inputs say so
                self.reports.forget(sent.report)
                self._left_object(lost)
            self.refs.pop(lost, None)
            self.run.emit(self.nodes[lost], NodeState.SKIPPED, attempt=0, detail={"root": root._name})
            self._over(lost, NodeState.SKIPPED)
            stack += self.children[lost][::-1]

    def _skipped_early(self, place: int, report: Report) -> None:
        """A node's inputs told of a failure before the node that failed did: wait for that."""
        assert report.root is not None
        if report.root in self.over:
            self.sent.pop(place)
            self._left_object(place)
            self._unsubmit(place, stopped=False)
        else:
            self.reports.expect(self.sent[place].report, place)

    def _over(self, place: int, state: NodeState) -> None:
        """A node's fate is settled: what only it needed can be let go."""
        self.over[place] = state
        self.recall.settled(place)
        self.frontier.leave(place)
        node = self.nodes[place]
        obj = self.submitter.object_of(node)
        if obj is None:
            self._let_go_of_parents(place)
        else:
            obj.left -= 1
            if not obj.left:
                for member in obj.members:
                    self._let_go_of_parents(member)
                self._release(obj)
        if not self.uses[place]:
            self._let_go(place)

    def _release(self, obj: Object) -> None:
        """The last method has ended: Ray ends the actor when nobody holds it, after the copies that were asked for."""
        place = obj.members[0]
        if obj.actor is not None and self.over[place] is NodeState.DONE:
            if place in self.keep:
                self.refs[place] = obj.copy()
            elif any(not self.frontier.has_left(child) for child in self.children[place]):
                obj.copy()
        obj.actor = None

    def _let_go_of_parents(self, place: int) -> None:
        for parent in self.order.parents(place):
            self.uses[parent] -= 1
            if not self.uses[parent] and parent in self.over:
                self._let_go(parent)

    def _let_go(self, place: int) -> None:
        if place not in self.keep:
            self.refs.pop(place, None)
            if isinstance(self.nodes[place], ObjectNode):
                self.submitter.objects[self.nodes[place]].forget_copy()

    # --- controls ------------------------------------------------------------------------------------------

    def _controlled(self) -> None:
        """A control of the run was used on another thread: what has not begun is taken back at once.

        In this thread it is Ctrl-C, in the middle of anything: a question to Ray could wait for ever for a lock that a
        Ray client holds here. The next round looks at the controls.
        """
        if threading.get_ident() != self.thread and (self.run.cancelled or self.run.paused):
            self.recall.what_waits()

    def _look_at_controls(self) -> None:
        if self._stopped:
            self.recall.what_waits()
            if self.run.cancelled > 1:
                self.recall.what_runs()
        elif self.run.paused:
            self.recall.what_waits()
        elif self.held:
            for place in sorted(self.held):
                self.run.emit(self.nodes[place], QUEUED, attempt=0)
            self.held.clear()

    def _on_ctrl_c(self) -> None:
        """Ctrl-C in the main thread: cancel and interrupt; a second time, do not wait for the rest."""
        if not self.looping or self.interrupts > 1:
            raise KeyboardInterrupt
        self.interrupts += 1
        self.run.cancel()
        self.run.cancel()
        if self.interrupts > 1:
            self.recall.hurry()
