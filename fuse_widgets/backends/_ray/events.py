"""From what workers report to the events of a run."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...engine import output
from ...engine.errors import FuseError, message_of, shorten
from ...engine.nodes import Node
from ...engine.run import Run, describe_error
from ...engine.states import NodeState
from .._inputs import told
from .deaths import Deaths
from .live import Live, Who
from .placed import NOT_PLACED

if TYPE_CHECKING:
    from .stored import RayStored
    from .submit import Sent
    from .task import Report

__all__ = ["Teller", "loaded_error", "not_made_again", "tell"]

log = logging.getLogger("fuse_widgets")

QUEUED, RUNNING, DONE = NodeState.QUEUED, NodeState.RUNNING, NodeState.DONE
#: Names a placement group in what is lacking.
_GROUP = "a placement group"


class Teller:
    """Emits the events of one run, each node's in a legal order."""

    def __init__(self, run: Run, stored: RayStored) -> None:
        self.run, self.stored = run, stored
        self._shown: dict[int, int] = {}  # the attempt that was said to run
        self._deaths = Deaths()
        self._runs: dict[int, tuple[Who, float]] = {}  # where, and since when, as far as it was told live
        self._before: dict[int, int] = {}  # attempts of submissions that were lost
        self._since: dict[int, float] = {}
        self._printed: dict[int, int] = {}
        self._shift: dict[str, float] = {}
        self._alive: dict[str, str] = {}
        self._joined = ""
        self._warned = False
        self._lacking: set[str] = set()  # what was said to be lacking
        self._lacks: dict[Node, str] = {}  # of which node that was said
        self._waits: dict[int, str] = {}  # what each node was said to wait for
        self._saving: set[int] = set()

    # --- nodes ---------------------------------------------------------------------------------------------

    def queued(self, place: int, node: Node, lacking: str | None) -> None:
        """A node was handed to Ray."""
        self._since[place] = time.time()
        if self.run.states[node._name] is not QUEUED:
            attempt = self._before.get(place, 0) + 1
            self._waits.pop(place, None)
            self._tell_waits(place, node, lacking, attempt)
            if lacking is None:
                self.run.emit(node, QUEUED, attempt)
        self.lacking(place, node, lacking)

    def _tell_waits(self, place: int, node: Node, why: str | None, attempt: int) -> None:
        """What a queued node waits for, where that has changed."""
        if why == self._waits.get(place):
            return
        if why is None:
            del self._waits[place]
        else:
            self._waits[place] = why
        self.run.emit(node, QUEUED, attempt, detail={"why": why, "waits": why is not None})

    def lacking(self, place: int, node: Node, why: str | None, *, again: bool = False) -> None:
        """No machine can hold a node: said once for all that lack the same, and taken back when one has joined.

        Args:
            place, node: The node.
            why: What it lacks; None where it lacks nothing.
            again: It has run, and it is a question of running it again.
        """
        if not again and self.run.states[node._name] is QUEUED:
            self._tell_waits(place, node, why, self._before.get(place, 0) + 1)
        said = self._lacks.get(node)
        if said is not None and said != why:
            del self._lacks[node]
            self._lacking.discard(said)
            if why is None:
                now = "its placement group is there" if _GROUP in said else f"machine {self._joined} joined"
                self.notice(f"node {node._name!r} can run now: {now}")
        if why is not None and why not in self._lacking:
            self._lacking.add(why)
            self._lacks[node] = why
            waits = "where its result was lost with its machine, what needs it" if again else "it"
            until = "Ray places that" if why == NOT_PLACED else "a machine that has it joins"
            self._warn(f"node {node._name!r} {why}: {waits} waits until {until}")

    def no_room(self, place: int, why: str) -> None:
        """Nothing runs, and a node waits for what objects hold: said once for each."""
        if self._waits.get(place) != why:
            node = self.run.nodes[place]
            self._tell_waits(place, node, why, self._before.get(place, 0) + 1)
            self._warn(
                f"nothing runs: node {node._name!r} {why}. Let objects hold less, for example "
                "remote_args={'num_cpus': 0}, have fewer of them at a time, or add a machine"
            )

    def live(self, live: Live, sent: Mapping[int, Sent], over: Mapping[int, NodeState]) -> None:
        """Something that a worker tells."""
        live = live._replace(who=Who(*live.who))
        now = sent.get(live.place)
        node = self.run.nodes[live.place]
        attempt = self._before.get(live.place, 0) + live.attempt
        if live.place in over:
            later = attempt > self._shown.get(live.place, 0)  # else it is heard of after its end
            if later and live.kind == "running" and over[live.place] is DONE and live.place not in sent:
                self._shown[live.place] = attempt
                self.notice(f"node {node._name!r} runs again: its result was lost with its machine")
            return
        if now is None or now.turn != live.turn:
            return
        if live.kind == "running":
            self._running(live.place, node, attempt, live.who, live.when, live.content)
            if self._shown[live.place] == attempt:
                self._runs[live.place] = live.who, live.when
        elif live.kind == "printed":
            before, text = live.content
            if before == self._printed.get(live.place, 0):
                self._printed[live.place] = before + len(text)
                output.show(self.run.printer(node._name), text)
        elif self._shown.get(live.place, 0) <= attempt:
            self._running(live.place, node, attempt, live.who, live.when)
            seconds, error = live.content
            self._missed(live.place, node, attempt, live.when, seconds, error)

    def saving(self, place: int, node: Node, report: Report) -> Report:
        """A node's function has ended, and another task saves the result; returns what is left to tell with its end."""
        attempt = self._up_to(place, node, report)
        self._saving.add(place)
        detail = {"seconds": report.seconds, "saving": True}
        self.run.emit(node, RUNNING, attempt, None, detail, self._when(place, report, report.seconds))
        return report._replace(missed=(), printed="", written=0)

    def done(self, place: int, node: Node, report: Report) -> None:
        """A node has its result."""
        attempt = self._up_to(place, node, report)
        saved = report.saved
        if saved is None and self.stored.saves(node) is False:
            saved = {"saved": False}
        if saved is not None and saved.get("why_not_saved"):
            self.stored.warn(node, saved["why_not_saved"])
        detail = {**self._facts(report), **self.stored.why(node), **(saved or {})}
        if report.changed:
            detail["changed"] = list(report.changed)
            self._warn(told(node._name, report.changed))
        when = None if place in self._saving else self._when(place, report, report.seconds)
        self.run.emit(node, DONE, attempt, None, detail, when)

    def failed(self, place: int, node: Node, report: Report, error: BaseException) -> None:
        """A node has failed for good."""
        attempt = self._up_to(place, node, report)
        detail = {**self._facts(report), "error": describe_error(error), **self.stored.why(node)}
        when = (
            self._when(place, report, report.seconds) if report.began else self._lost_at(place, time.time())
        )
        self.run.emit(node, NodeState.FAILED, attempt, None, detail, when)

    def cancelled(self, place: int, node: Node, report: Report) -> None:
        """A node was interrupted."""
        attempt = self._up_to(place, node, report)
        self.run.emit(node, NodeState.CANCELLED, attempt, None, self._facts(report))

    def back(self, place: int, node: Node, why: str) -> None:
        """A node did not come to its end, and will be submitted again."""
        attempt = self._shown.pop(place, None)
        if attempt is not None:
            self._before[place] = attempt
            self.run.emit(node, QUEUED, attempt, detail={"why": why}, when=self._lost_at(place, time.time()))

    def settle_open(self) -> None:
        """What was queued or held when the run stopped is pending again; what ran was given up."""
        for node in self.run.nodes:
            state = self.run.states[node._name]
            if state is RUNNING:
                self.run.emit(
                    node, NodeState.CANCELLED, attempt=self._shown.get(self.run.order.place[node], 1)
                )
            elif state in (QUEUED, NodeState.PAUSED):
                self.run.emit(node, NodeState.PENDING, attempt=0)

    def _up_to(self, place: int, node: Node, report: Report) -> int:
        """Tell what came before the end of a node, as far as it was not told yet; return the last attempt."""
        attempt = self._before.get(place, 0) + report.attempt
        if report.began:
            again = False
            for began, seconds, error in report.missed:
                self._running(place, node, attempt, report.who, began, report.lost, again=again)
                again = True
                self._missed(
                    place, node, attempt, self._local(report.who, place, began + seconds), seconds, error
                )
                attempt += 1
            self._running(place, node, attempt, report.who, report.began, report.lost, again=again)
            self._runs.pop(place, None)
            self._show_rest(place, node, report)
        return max(attempt, self._shown.get(place, attempt))

    def _running(
        self,
        place: int,
        node: Node,
        attempt: int,
        who: Who,
        began: float,
        lost: str | None = None,
        *,
        again: bool = False,
    ) -> None:
        """A node runs; `again` in the same task as before, whose printed text goes on."""
        shown = self._shown.get(place)
        if shown is not None and shown >= attempt:
            return
        when = self._local(who, place, began)
        if shown is None and lost:  # it was over before it could tell
            shown = attempt - 1
            self.run.emit(node, RUNNING, shown, None, None, when)
        if shown is not None and self.run.states[node._name] is RUNNING:
            ended = self._lost_at(place, when)
            self.run.emit(node, QUEUED, shown, None, {"why": lost or "its worker was lost"}, ended)
        self._shown[place] = attempt
        if not again:
            self._printed.pop(place, None)
        self.run.emit(node, RUNNING, attempt, f"{who.host}:{who.pid}", who._asdict(), when)

    def _missed(
        self, place: int, node: Node, attempt: int, when: float, seconds: float, error: bytes
    ) -> None:
        detail = {"seconds": seconds, "error": describe_error(loaded_error(error)), **self.stored.why(node)}
        self.run.emit(node, QUEUED, attempt, None, detail, when)

    def _lost_at(self, place: int, when: float) -> float:
        """When an attempt that was lost ended: as its worker died, where Ray knows, else `when`, as that was noticed."""
        if place not in self._runs:
            return when
        who, began = self._runs.pop(place)
        died = self._deaths.of(who)
        if died is None or died < began:  # another process had that number before
            return when
        return min(died + self._shift.get(who.node_id, 0.0), when)

    @staticmethod
    def _facts(report: Report) -> dict[str, Any]:
        if not report.began:
            return {}
        return {"seconds": report.seconds, "cpu_seconds": report.cpu, "peak_memory": report.peak}

    def _show_rest(self, place: int, node: Node, report: Report) -> None:
        shown = self._printed.pop(place, 0)
        if report.written > shown:
            text = report.printed[-(report.written - shown) :]
            before = report.written - shown - len(text)
            if before > 0:
                text = f"… {before:,} characters that were printed before this were not kept\n{text}"
            output.show(self.run.printer(node._name), text)

    def _when(self, place: int, report: Report, after: float) -> float | None:
        return self._local(report.who, place, report.began + after) if report.began else None

    def _local(self, who: Who, place: int, when: float) -> float:
        """A time of a worker by this process's clock: nothing begins before it was submitted, or ends in the future."""
        shift = self._shift.get(who.node_id, 0.0)
        early, late = self._since.get(place, 0.0) - when - shift, when + shift - time.time()
        if early > 0:
            shift += early
        elif late > 0:
            shift -= late
        else:
            return when + shift
        self._shift[who.node_id] = shift
        return when + shift

    # --- the run -------------------------------------------------------------------------------------------

    def notice(self, text: str) -> None:
        """Say something of the run as a whole."""
        tell(self.run, {"notice": text})

    def _warn(self, text: str) -> None:
        """Say something of the run as a whole; the first time in the cell as well, for those who have no widget."""
        self.notice(text)
        if not self._warned:
            self._warned = True
            log.warning("%s", text)

    def cluster(self, machines: list[dict[str, Any]]) -> bool:
        """Say which machines there are, where that has changed; whether it has."""
        alive = {m["NodeID"]: m["NodeManagerHostname"] for m in machines if m["Alive"]}
        if alive.keys() == self._alive.keys():
            return False
        for gone in self._alive.keys() - alive.keys():
            self.notice(
                f"machine {self._alive[gone]} (node {gone[:8]}) was lost; what ran there is tried again elsewhere"
            )
        for new in alive.keys() - self._alive.keys():
            self._joined = f"{alive[new]} (node {new[:8]})"
        self._alive = alive
        total: dict[str, float] = {}
        for machine in machines:
            if machine["Alive"]:
                for name, amount in machine["Resources"].items():
                    if not name.startswith("node:"):
                        total[name] = total.get(name, 0) + amount
        machines_text = "1 machine" if len(alive) == 1 else f"{len(alive)} machines"
        parts = [machines_text, *(f"{total[name]:g} {name}s" for name in ("CPU", "GPU") if total.get(name))]
        tell(self.run, {"where": ", ".join(parts), "cluster": {"machines": len(alive), "resources": total}})
        return True


def tell(run: Run, detail: dict[str, Any]) -> None:
    """Say something of a run as a whole, while it is under way."""
    with run._control:
        if not run.state.finished:
            stopping = {"stopping": run.cancelled} if run.cancelled else {}
            run.emit(None, run.state, detail={**stopping, **detail})


def loaded_error(pickled: bytes | None) -> BaseException:
    """An exception from a worker, or what stands for one that cannot be read here."""
    if pickled is None:
        return FuseError("the worker did not say why")
    try:
        error: BaseException = pickle.loads(pickled)
    except Exception as unreadable:
        return FuseError(
            f"the error that came from the worker cannot be read here: {type(unreadable).__name__}: "
            f"{message_of(unreadable)}"
        )
    return error


def not_made_again(node: Node, pickled: bytes | None) -> FuseError:
    """A result was lost after its node was done, and the node failed when it was run again for it.

    Args:
        node: The node.
        pickled: The error of its second run.
    """
    error = loaded_error(pickled)
    failure = FuseError(
        f"the result of node {shorten(node.name)!r} was lost with its machine, and the node failed as it was run again: "
        f"{type(error).__name__}: {message_of(error)}"
    )
    failure.__cause__ = error
    return failure
