"""The scheduler of `RayWorkflow`: one loop, in the thread that called `run()`, that owns the whole run.

It hands nodes to Ray in traversal order, each with the references of what it needs, and lets Ray find out when they
can start. What comes back is small: a report for each node. Nodes are known here by their place in the traversal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.errors import FuseError, NodeExecutionError, shorten
from ...engine.nodes import Node, NodeItem
from ...engine.run import Run
from ...engine.states import NodeState
from ..info import given
from .controls import Controls
from .errors import is_cancelled, is_loss, is_of_input, is_out_of_memory, plain
from .events import Teller, loaded_error, not_made_again
from .frontier import Frontier
from .news import News
from .objects import KeptObject
from .recall import Recall
from .reports import Reports
from .results import Results
from .saves import Saves
from .standstill import Standstill
from .submit import GoneError, Sent, Submitter
from .task import Report
from .unread import Unread

if TYPE_CHECKING:
    from ..ray import RayWorkflow
    from .channel import Channel
    from .cluster import Watch
    from .stored import RayStored

PENDING, QUEUED, RUNNING = NodeState.PENDING, NodeState.QUEUED, NodeState.RUNNING
#: Nodes that are handed in between two looks at what came back.
BURST = 64
#: How often an object is made again after its machine was lost, unless `max_retries` says otherwise.
LOSSES = 3


class RayScheduler:
    """Executes one run of a `RayWorkflow`.

    A node, named by its place in the traversal, is in one of these: `frontier`, until it is handed in, or in `parked` of its
    object where that is busy with earlier calls; `sent`, while Ray owes a report; `saves`, while only its result is to be
    saved; `over`, once its fate is settled. What is taken back goes to the `frontier` again. One in `again` is `over` or
    `saves`, and `sent` as well, to make a lost object anew. One in `early` is `sent`: its report has come, and is put off.

    Args:
        workflow: What to run.
        run: Where to report.
        stored: What storage has for this run.
        channel: What workers tell.
        watch: Knows whether the cluster is there.
        fail_fast: Start nothing more once a node has failed.
        most: How many nodes Ray may have at a time, and how many objects may live; 0 for all.
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
        self.watch, self.most = watch, most or len(order.nodes) + 1
        self.order, self.nodes, self.children = order, order.nodes, order.children
        self.submitter = Submitter(run, workflow, stored, channel.name, channel.run)
        self.teller = Teller(run, stored)
        self.frontier = Frontier(order, self._makes_object, self._has_room)
        self.reports = Reports()
        self.unread = Unread()
        self.over: dict[int, NodeState] = {}
        keep = {order.place[out.node if isinstance(out, NodeItem) else out] for out in workflow.outputs}
        self.results = Results(order, self.submitter, self.over, keep)
        self.refs = self.results.refs
        self.sent: dict[int, Sent] = {}
        self.early: dict[int, Report | Exception] = {}  # see `_is_early`
        self.saves = Saves(stored)
        self.again: set[int] = set()  # done, and run once more to make an object anew
        self.parking: set[KeptObject] = set()  # with parked calls
        self.recall = Recall(run, self.submitter, self.sent, self.saves.refs)
        self.failures: list[NodeExecutionError] = []
        standstill = Standstill(run, workflow, self.submitter, self.sent, self.over)
        self.news = News(workflow, stored, channel, watch, standstill, self.teller, self.sent, self.results)
        told = self.frontier, self.recall, self.over, self.failures, self.submitter
        self.controls = Controls(run, channel, *told, fail_fast=fail_fast)

    # --- the loop ------------------------------------------------------------------------------------------

    def execute(self) -> None:
        """Run everything; afterwards `refs` has the references of the outputs."""
        try:
            with self.controls.ctrl_c(), self.watch.connected():
                self._prepare()
                self.controls.listen()
                self._loop()
                if not self.recall.given_up:
                    self.unread.end()
        finally:
            self.submitter.end()
            self.teller.settle_open()
        self.run.raise_if_incomplete(self.failures, interrupted=self.controls.interrupts > 0)

    def _prepare(self) -> None:
        self.news.begin()
        for node, detail in self.run.guard.call(self.stored.look_up).items():
            self.over[self.order.place[node]] = NodeState.CACHED
            self.run.emit(node, NodeState.CACHED, attempt=0, detail=detail)
        for node, ref in self.stored.values.items():
            self.refs[self.order.place[node]] = ref
        for place in list(self.over):
            self.results.settled(place)
        self.frontier.restart(self.over)

    def _loop(self) -> None:
        while True:
            self.controls.look()
            more = False if self.controls.stopped else self._submit_some()
            waiting = self.frontier.outdated or self.frontier.first() is not None
            flying = bool(self.reports or self.saves.refs)
            if self.recall.given_up or (not flying and (self.controls.stopped or not waiting)):
                return
            self.news.tell()
            self.recall.look()
            wait = not more and (bool(self.reports) or not self.saves.refs)
            first = waiting or bool(self.parking) or self.frontier.crowded
            for place, content in self.reports.take(wait=wait, first=first):
                bad = isinstance(content, Exception)
                self._arrived(place, content if bad else Report.read(content))
            for place, report in self.saves.take(wait=not more and not self.reports):
                self._done(place, report)
            self._look_at_early()
            self.unread.look()

    def _submit_some(self) -> bool:
        """Hand in nodes whose turn it is; return whether there are more that could follow at once."""
        if self.frontier.outdated:
            self.frontier.restart([*self.over, *self.sent, *self.saves.refs])
            for obj in self.parking:
                obj.parked.clear()
            self.parking.clear()
            self.controls.restarted()
        for _ in range(BURST):
            epoch = self.channel.epoch  # before the controls are looked at: what is pressed meanwhile counts
            if len(self.sent) + len(self.saves.refs) >= self.most or self.controls.stopped:
                return False
            place = self.controls.next()
            if place is None:
                return False
            self._submit(place, epoch)
        return not self.run.paused

    def _makes_object(self, place: int) -> bool:
        """Whether to hand in a node takes another actor."""
        obj = self.submitter.objects.get(self.nodes[place])
        return obj is not None and obj.actor is None

    def _has_room(self, alone: bool) -> bool:
        """Whether one more object may live; also where it is `alone`, or objects could wait for each other for ever."""
        return len(self.submitter.live) < self.most or (alone and not self.sent and not self.saves.refs)

    # --- handing in ----------------------------------------------------------------------------------------

    def _submit(self, place: int, epoch: int) -> None:
        node = self.nodes[place]
        obj = self.submitter.object_of(node)
        if obj is not None and not obj.may_call(place):
            obj.parked.append(place)
            self.parking.add(obj)
            return
        if self._hand_in(place, node, epoch):
            self.teller.queued(place, node, self.workflow.lacking(node, self.watch.machines))
            self.frontier.leave(place)

    def _hand_in(self, place: int, node: Node, epoch: int | None) -> bool:
        try:
            sent = self.sent[place] = self.submitter.submit(place, node, self.refs, epoch)
        except GoneError as gone:
            if self._make_again(gone.object):
                self.frontier.outdated = True
            else:
                error: Exception = FuseError(
                    "an object that it needs was lost, and lost again as it was made again"
                )
                self._failed(place, node, Report("failed"), error)
            return False
        except Exception as error:
            if place in self.again:
                self.again.discard(place)
                self.failures.append(self._failure(node, error))
            else:
                self._failed(place, node, Report("failed"), error)
            return False
        self.reports.expect(sent.report, place)
        self.refs[place] = sent.value
        return True

    # --- what comes back -----------------------------------------------------------------------------------

    def _arrived(self, place: int, outcome: Report | Exception) -> None:
        if isinstance(outcome, Exception):
            self._ended_badly(place, outcome)
        else:
            self._ended(place, outcome)

    def _look_at_early(self) -> None:
        """Look again at what waits for its parents' ends, where they have come."""
        for place in [place for place in self.early if not self._is_early(place)]:
            if place in self.early:  # else it was skipped with one before it
                self._arrived(place, self.early.pop(place))

    def _is_early(self, place: int) -> bool:
        """Whether a node that did not run is heard of before a parent, which is to blame if it failed or was held back."""
        return bool(self.reports) and any(parent in self.sent for parent in self.order.parents(place))

    def _ended(self, place: int, report: Report) -> None:
        if report.state == "skipped" and self._is_early(place):
            self.early[place] = report
            return
        sent = self.sent.pop(place)
        node, obj = self.nodes[place], self._left_object(place, report.seconds if report.began else None)
        if place in self.again:
            self._made_again(place, node, obj, report)
        elif report.state == "skipped" and self._had_old_input(place, sent):
            self._unsubmit(place, "an input was computed again")
        elif report.state == "skipped" and self._was_done(report.root):
            self._failed(place, node, Report("failed"), self._not_made_again(report))
        elif report.state in ("recalled", "skipped"):  # those whose root failed have been told with it
            self._unsubmit(place, "it was held back")
        elif report.state == "failed":
            self._failed(place, node, report, loaded_error(report.error))
        elif report.state == "cancelled":
            self.teller.cancelled(place, node, report)
            self._over(place, NodeState.CANCELLED)
        elif sent.save is not None:
            if self.stored.gone is None:
                report = self.teller.saving(place, node, report)
            self.saves.expect(place, sent.save, report)
        else:
            self._done(place, report)

    def _was_done(self, place: int | None) -> bool:
        return self.over.get(place) is NodeState.DONE or place in self.saves.refs  # type: ignore[arg-type]

    def _not_made_again(self, report: Report) -> FuseError:
        """A result was lost after its node was done, Ray ran the node again, and it failed."""
        assert report.root is not None
        return not_made_again(self.nodes[report.root], report.error)

    def _done(self, place: int, report: Report) -> None:
        self.teller.done(place, self.nodes[place], report)
        self._over(place, NodeState.DONE)

    def _ended_badly(self, place: int, error: Exception) -> None:
        """Ray has no report for a node: it was cancelled, a machine was lost, or what it returned cannot travel."""
        if self._is_early(place):
            self.early[place] = error
            return
        sent, node, obj = self.sent.pop(place), self.nodes[place], self._left_object(place)
        self.unread.add(sent)
        lost = is_loss(error)
        if is_cancelled(error) or (lost and self.controls.stopped) or not self._has_parents(place):
            self.again.discard(place)
            self._unsubmit(place, "its run was stopped")
        elif place not in self.again and is_of_input(error) and self._had_old_input(place, sent):
            self._unsubmit(place, "an input was computed again")
        elif lost and self._made_again_since(place, sent, obj, error):
            self._unsubmit(place, "its object was lost, and is made again")
        elif place in self.again:
            self.again.discard(place)
            self.failures.append(self._failure(node, plain(error)))
        else:
            self._failed(place, node, Report("failed"), plain(error))

    def _had_old_input(self, place: int, sent: Sent) -> bool:
        """Return whether a parent was submitted again after a node: what became of the node's input says nothing about the new one."""
        sent_at = self.submitter.sent_at
        return any(sent_at.get(parent, 0) > sent.at for parent in self.order.parents(place))

    def _has_parents(self, place: int) -> bool:
        return all(parent in self.over or parent in self.saves.refs for parent in self.order.parents(place))

    def _left_object(self, place: int, seconds: float | None = None) -> KeptObject | None:
        """Take a node out of its object's queue, and let the next call come."""
        obj = self.submitter.object_of(self.nodes[place])
        if obj is not None:
            obj.ended(place, seconds)
            while obj.parked:
                self.frontier.add(obj.parked.popleft())
            self.parking.discard(obj)
        return obj

    def _unsubmit(self, place: int, why: str) -> None:
        """A node did not run, or not to its end; it may be submitted again."""
        if place in self.over:
            return
        node, obj = self.nodes[place], self.submitter.object_of(self.nodes[place])
        self.refs.pop(place, None)
        if obj is not None:
            obj.took_back(place)
        self.recall.settled(place)
        self.frontier.outdated = True
        if self.run.states[node._name] is RUNNING:
            if self.recall.interrupting:
                self.teller.cancelled(place, node, Report("cancelled"))
                self._over(place, NodeState.CANCELLED)
            else:
                self.teller.back(place, node, why)

    # --- objects that were lost ----------------------------------------------------------------------------

    def _made_again_since(self, place: int, sent: Sent, obj: KeptObject | None, error: Exception) -> bool:
        """Make the objects anew whose loss keeps a node from running; False where that is not the cause, or no use."""
        lost = {obj}
        if is_of_input(error):
            lost |= {self.submitter.object_of(parent) for parent in self.nodes[place].parents}
        found = [kept for kept in lost if kept is not None]
        how = "ran out of memory" if is_out_of_memory(error) else "was lost"
        return bool(found) and all(kept.made_at >= sent.at or self._make_again(kept, how) for kept in found)

    def _make_again(self, obj: KeptObject, how: str = "was lost") -> bool:
        """Call the constructor and the methods that have run once more, on another actor; False: too often."""
        constructor = self.nodes[obj.members[0]]
        times = given(self.workflow.infos.get(constructor)).get("max_retries")
        obj.losses += 1
        if 0 <= (LOSSES if times is None else times) < obj.losses:
            return False
        self.teller.notice(
            f"the machine or worker of object {shorten(constructor.name)!r} {how}; the object is made again"
        )
        for member in list(obj.flying):
            sent = self.sent.pop(member)
            self.reports.forget(sent.report)
            self.unread.add(sent)
            self.early.pop(member, None)
            self.again.discard(member)
            self._unsubmit(member, "its object was lost, and is made again")
        obj.flying.clear()
        self.submitter.let_go(obj)
        obj.renew(self.submitter.turn)
        readers = sorted(user for user in obj.users if user in self.children[obj.members[0]])
        for member, following in zip(obj.members, [*obj.members[1:], len(self.nodes)], strict=True):
            if self.over.get(member) is not NodeState.DONE and member not in self.saves.refs:
                continue
            self.again.add(member)
            if not self._hand_in(member, self.nodes[member], None):
                break
            for reader in readers:
                if member < reader < following and reader not in self.over:
                    obj.copy_for(reader)
        return True

    def _made_again(self, place: int, node: Node, obj: KeptObject | None, report: Report) -> None:
        self.again.discard(place)
        assert obj is not None
        if report.state == "skipped":
            if report.root not in obj.members:  # else told with that one
                self.failures.append(self._failure(node, self._not_made_again(report)))
        elif report.state != "done":
            self.failures.append(self._failure(node, loaded_error(report.error)))
        self.results.let_go_if_unused(place)
        if not obj.left and self.again.isdisjoint(obj.members):
            self.results.release(obj)

    # --- settling ------------------------------------------------------------------------------------------

    def _failed(self, place: int, node: Node, report: Report, error: BaseException) -> None:
        self.refs.pop(place, None)
        self.teller.failed(place, node, report, error)
        self.failures.append(self._failure(node, error, report.called))
        self._over(place, NodeState.FAILED)
        self._skip_descendants(place, node, reported=report.began > 0)

    def _failure(self, node: Node, error: BaseException, called: bool = False) -> NodeExecutionError:
        return NodeExecutionError(node, error, self.submitter.inputs(node, self.refs) if called else None)

    def _skip_descendants(self, place: int, root: Node, *, reported: bool) -> None:
        stack = self.children[place][::-1]
        while stack:
            lost = stack.pop()
            if lost in self.over:
                continue
            sent = self.sent.pop(lost, None)
            if sent is not None:  # it would not run anyway: its inputs say so
                self.reports.forget(sent.report)
                self.early.pop(lost, None)
                if not reported:
                    self.unread.add(sent)
                self._left_object(lost)
            self.refs.pop(lost, None)
            self.run.emit(self.nodes[lost], NodeState.SKIPPED, attempt=0, detail={"root": root._name})
            self._over(lost, NodeState.SKIPPED)
            stack += self.children[lost][::-1]

    def _over(self, place: int, state: NodeState) -> None:
        """A node's fate is settled: what only it needed can be let go."""
        self.over[place] = state
        self.recall.settled(place)
        self.frontier.leave(place)
        self.results.settled(place)
