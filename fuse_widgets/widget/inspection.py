"""What the inspector shows: details of the selected nodes, what they print, their results. Called on the bridge thread."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ..engine.errors import FuseError, shorten
from ..engine.events import RunEvent
from ..engine.nodes import Node
from ..engine.run import Run
from ..engine.states import NodeState
from ..view._bundle import form_of_display
from ..view.details import node_details, result_facts, selection_key
from ..view.printed import printed
from ..view.settings import settings_of
from .bridge import bridge
from .commands import CommandError
from .preview import start_preview

if TYPE_CHECKING:
    from .dag import DAGWidget

__all__ = ["Inspection"]

#: Seconds between two renewals of the details, and of the printed text, while a run changes them.
DETAILS, PRINTED = 0.1, 0.2


class Inspection:
    """Keeps `_details` and `_printed` of a widget in step with its selection.

    What a person has changed goes out with the next flush; what a run changes, a few times a second.

    Args:
        widget: Whose selection it follows.
    """

    def __init__(self, widget: DAGWidget) -> None:
        self._widget = widget
        self._asked = self._moved = False
        self._details_at = self._printed_at = -math.inf
        self._due = math.inf
        self._printed_mark: tuple[Any, ...] = ()

    def selected(self) -> None:
        """The selection, the graph or `backend_info` has changed."""
        self._asked = True

    def events(self, events: list[RunEvent]) -> None:
        """Events of a run have come."""
        names = self._widget.selected
        if len(names) == 1 and not self._moved:
            self._moved = any(event.node is None or event.node == names[0] for event in events)

    def publish(self) -> None:
        """Set the traits where what they tell has changed; called at most 30 times a second."""
        now = time.monotonic()
        if now >= self._due:
            self._due = math.inf
        asked = self._asked
        if asked or (self._moved and now >= self._details_at + DETAILS):
            self._asked = self._moved = False
            self._details_at = now
            self._set_details()
        elif self._moved:
            self._publish_at(self._details_at + DETAILS)
        self._publish_printed(now, asked=asked)

    def preview(self, args: dict[str, Any]) -> Future[dict[str, Any]]:
        """The richest form of the result of the node `args["node"]`, made on a thread of its own.

        Raises:
            CommandError: There is no such node, or it has no result. Says why.
        """
        graph, place = self._widget.graph, args.get("node")
        if args.get("version") != self._version:
            raise CommandError("the graph has changed since: select the node again")
        if type(place) is not int or not 0 <= place < len(graph):
            raise CommandError(f"the graph has no node {shorten(repr(place))}: it has {len(graph):,}")
        name, workflow, run = graph.names[place], self._widget.workflow, self._widget.workflow.last_run
        nodes = self._nodes([name])
        if not nodes:
            raise CommandError(f"the workflow no longer has the node {shorten(name)!r}")
        node, storage = nodes[0], workflow.storage
        facts, why = result_facts(node, run, _events(run, name), storage=storage is not None)
        if facts is None or run is None:
            raise CommandError(f"node {shorten(name)!r} has no result to look at. {why}")
        if facts["type"]:
            value = run.values.get(node)
            return start_preview(lambda: value)
        read = run.read_stored
        if read is None:
            return start_preview(lambda: storage.read_task(workflow.workflow_name, name))
        return start_preview(lambda: read(node))

    def display(self, args: dict[str, Any]) -> dict[str, str]:
        """What the node `args["node"]` displayed, as `_printed` numbers it.

        Raises:
            CommandError: It is not kept, or belongs to another run. Says which.
        """
        graph, place = self._widget.graph, args.get("node")
        if args.get("version") != self._version or type(place) is not int or not 0 <= place < len(graph):
            raise CommandError("The graph has changed: select the node again.")
        run = self._widget.workflow.last_run
        tail = None if run is None or run.number != args.get("run") else run.outputs.get(graph.names[place])
        display = None if tail is None else tail.find_display(args.get("number"))
        if display is None:
            raise CommandError("This display is no longer kept.")
        return form_of_display(display)

    # --- details -------------------------------------------------------------------------------------------

    @property
    def _version(self) -> int:
        return int(self._widget._graph["version"])

    def _set_details(self) -> None:
        widget = self._widget
        names, index = widget.selected, widget.graph.index
        nodes = self._nodes(names)
        node = None
        if len(names) == 1 and nodes and names[0] in index:
            run = widget.workflow.last_run
            events = _events(run, names[0])
            node = node_details(nodes[0], index, run, events, storage=widget.workflow.storage is not None)
        details = {
            "version": self._version,
            "count": len(names),
            "key": selection_key(names),
            "node": node,
            "settings": settings_of(nodes, self._not_understood),
        }
        old = widget._details
        if details == old and json.dumps(details["settings"]) != json.dumps(old["settings"]):
            widget._details = {}  # to Python, and so to traitlets, 1 and True are the same
        widget._details = details

    def _nodes(self, names: list[str]) -> list[Node]:
        """The nodes of these names that the workflow has now."""
        workflow = self._widget.workflow
        try:
            nodes = workflow.find_nodes()
        except FuseError:  # such as two nodes of one name; the widget says that already
            nodes = [] if workflow.last_run is None else list(workflow.last_run.nodes)
        if len(names) == 1:
            return [node for node in nodes if node.name == names[0]][:1]
        known = {node.name: node for node in nodes}
        return [known[name] for name in names if name in known]

    def _not_understood(self, keys: Iterable[str]) -> list[str]:
        fields = getattr(self._widget.workflow.backend_info_model, "model_fields", None)
        return [] if fields is None else [key for key in keys if key not in fields]

    # --- printed -------------------------------------------------------------------------------------------

    def _publish_printed(self, now: float, *, asked: bool) -> None:
        widget = self._widget
        names, run = widget.selected, widget.workflow.last_run
        if len(names) != 1 or names[0] not in widget.graph.index:
            self._printed_mark = ()
            widget._printed = {}
            return
        name = names[0]
        tail = None if run is None else run.outputs.get(name)
        number = 0 if run is None else run.number
        mark = (self._version, name, number, 0 if tail is None else (tail.written, tail.changes))
        if mark != self._printed_mark:
            if asked or now >= self._printed_at + PRINTED:
                self._printed_at, self._printed_mark = now, mark
                head = {"version": self._version, "index": widget.graph.index[name], "run": number}
                widget._printed = {**head, **printed(tail)}
            else:
                self._publish_at(self._printed_at + PRINTED)
        if run is not None and not run.state.finished and run.states.get(name) is NodeState.RUNNING:
            self._publish_at(now + PRINTED)

    def _publish_at(self, when: float) -> None:
        """See to it that `publish` is called then, though nothing may happen until then."""
        if when < self._due:
            self._due = when
            bridge.flush_in(self._widget, max(0.0, when - time.monotonic()))


def _events(run: Run | None, name: str) -> list[RunEvent]:
    return [] if run is None else run.events.of(name)
