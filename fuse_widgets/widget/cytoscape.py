"""CytoscapeGraph: a workflow as a live ipycytoscape graph, with states, search and selection in step."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import anywidget
import ipycytoscape
import numpy as np
import traitlets

from ..engine.errors import FuseError, shorten
from ..engine.events import RunEvent
from ..engine.workflow import BaseWorkflow, compile_pattern
from ..view.cytoscape_style import DIMMED, MATCH, node_data, style_sheet
from ..view.graph import Direction, Graph
from ..view.snapshot import render_fragment
from ..view.state import STATES, NodeStates, StatusColumns
from ._compat import echo, route_to_subshell, set_from_browser
from .bridge import bridge
from .display import Outputs, show
from .elements import Elements
from .front_end import asset
from .search import Found, Search

__all__ = ["MOST_EDGES", "MOST_NODES", "CytoscapeGraph", "TooManyNodesError"]

#: ipycytoscape makes one model, with a message of its own, of each node and edge. So many take 9 s to appear; a few times as
#: many at once do not all reach the page (docs/architecture.md has figures).
MOST_NODES, MOST_EDGES = 300, 1200
#: Seconds between two updates of nodes, since each changed node is one message.
PAUSE = 0.1
log = logging.getLogger("fuse_widgets")


class TooManyNodesError(FuseError, ValueError):
    """A graph that is too large for ipycytoscape."""


class Selection(anywidget.AnyWidget):
    """The selected nodes of an ipycytoscape graph, by id, in the browser; without a view of its own.

    Args:
        graph: The graph.
        chosen_there: Called with the ids that a person has selected, on any thread.
    """

    _esm = asset("cytoscape.js", "export default {};")
    target = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True, echo_update=False)

    def __init__(self, graph: CytoscapeGraph, chosen_there: Callable[[list[str]], object]) -> None:
        self._chosen_there = chosen_there
        super().__init__(target=graph.model_id)
        route_to_subshell(self.comm)

    def set_state(self, sync_data: Any) -> None:
        """A change from the browser; all that it may change is `chosen`."""
        chosen = sync_data.get("chosen")
        if isinstance(chosen, list) and all(isinstance(one, str) for one in chosen):
            self._chosen_there(chosen)
        else:
            log.warning("a selection from the browser was refused: %s", shorten(repr(sync_data)))

    def close(self) -> None:
        """End the connection to the browser."""
        self.layout.close()
        super().close()

    def take(self, chosen: list[str]) -> None:
        """Keep what the browser has selected, and tell other browsers."""
        echo(self, "chosen", chosen)
        set_from_browser(self, "chosen", chosen)


class CytoscapeGraph(ipycytoscape.CytoscapeWidget):  # type: ignore[misc]
    """Shows a workflow in ipycytoscape and follows every run; what ipycytoscape offers works on top.

    The `data` of a node has `name`, `label`, `function`, `kind` and `state` for selectors of a style; with a search its
    `classes` hold `match` or `dimmed`.

    Args:
        workflow: Any backend, with at most 300 nodes.
        direction: `"LR"` (left to right) or `"TB"` (top to bottom).
        query: A pattern; what it matches is highlighted.
        selected: Names of the nodes that are selected at first.
        layout: As cytoscape.js takes it, such as `{"name": "cola"}`; by default dagre.
        style: Rules for cytoscape.js, which come after those there are.

    Attributes:
        states: The state of every node by name; an immutable mapping, replaced as the run goes on.
        selected: Names of the selected nodes; both ways.
        query: A pattern; "" for no search. Both ways.
        query_error: What is wrong with the pattern, in words; else "".
        matches: Names of the nodes that match; the last good ones while the pattern is broken.
        direction: `"LR"` or `"TB"`.

    Raises:
        TooManyNodesError: The graph is too large for ipycytoscape.
        PatternError: The query is no regular expression.
        TypeError: `workflow` is no workflow, `layout` no dict or `style` no list of rules.
    """

    selected = traitlets.List(traitlets.Unicode())
    query = traitlets.Unicode("")
    direction = traitlets.Enum(("LR", "TB"), default_value="LR")
    query_error = traitlets.Unicode("", read_only=True)
    matches = traitlets.List(traitlets.Unicode(), read_only=True)
    states = traitlets.Instance(NodeStates, read_only=True)

    _following = False

    def __init__(
        self,
        workflow: BaseWorkflow,
        *,
        direction: Direction = "LR",
        query: str = "",
        selected: Sequence[str] = (),
        layout: Mapping[str, Any] | None = None,
        style: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        if not isinstance(workflow, BaseWorkflow):
            raise TypeError(
                f"a graph shows a workflow such as LocalWorkflow(...), not {shorten(repr(workflow))}"
            )
        if layout is not None and not isinstance(layout, Mapping):
            raise TypeError(f"layout: {shorten(repr(layout))} is no dict such as {{'name': 'cola'}}")
        compile_pattern(query)
        placing = dict(layout) if layout is not None else _dagre(direction)
        own_style = self._own_style = _rules(style or ())
        self.workflow = workflow
        self.shown_in = Outputs(self)
        self.shown = _graph_of(workflow, direction)
        self._status = StatusColumns(self.shown.names)
        self._codes = self._status.state.copy()
        self._flushed = 0.0
        self._due = math.inf  # when the bridge is to come again
        super().__init__(
            cytoscape_layout=placing,
            cytoscape_style=_styled(_turned(placing), own_style),
            auto_unselectify=False,
            box_selection_enabled=True,
            max_zoom=2.0,
            direction=direction,
        )
        self._own_layout = self.layout
        self._replaced_graph.close()
        self._elements = Elements(self.graph)
        self._fill()
        self._selection = Selection(self, lambda ids: bridge.post(self, lambda: self._take_from_browser(ids)))
        self._search = Search(workflow, lambda found: bridge.post(self, lambda: self._show_matches(found)))
        self._following = True
        self._unsubscribe = workflow.subscribe(self._on_events, settle=self._search.settle)
        if workflow.last_run is not None and workflow.active_run is None:
            self._on_events(list(workflow.last_run.events))
        self.selected = list(selected)
        self.query = query

    @traitlets.default("graph")
    def _first_graph(self) -> ipycytoscape.Graph:
        # ipycytoscape (1.3.3) sends this one with its first message, replaces it at once and leaves it behind.
        self._replaced_graph = ipycytoscape.Graph()
        return self._replaced_graph

    # --- from Python ---------------------------------------------------------------------------------------

    def set_style(self, style: Sequence[Mapping[str, Any]]) -> None:
        """Add style rules to those of states, search and selection; they replace what was added before.

        Args:
            style: Rules for cytoscape.js, each with `selector` and `style`. To do without any of ours, set the trait
                `cytoscape_style`.

        Raises:
            TypeError: It is no list of rules.
        """
        self._own_style = _rules(style)
        self.cytoscape_style = _styled(self._laid_out, self._own_style)

    def refresh(self) -> None:
        """Show the graph as it is now: nodes that were added or are gone; the rest stays."""
        problem: list[Exception] = []

        def look() -> None:
            try:
                self._refresh()
            except Exception as error:
                problem.append(error)

        bridge.post(self, look)
        bridge.wait_idle()
        if problem:
            raise problem[0]

    def close(self) -> None:
        """End the connections to the browser, of all nodes as well, and to the workflow."""
        if self._following:
            self._following = False
            self._unsubscribe()
            self._search.close()
            self._selection.close()
            self._elements.close()
            self._own_layout.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.workflow.drain_events()
        bridge.wait_idle()
        return self.bundle(**kwargs)

    def bundle(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands in an output: the view of the model, and a picture of what it shows now."""
        shown = super()._repr_mimebundle_(**kwargs)
        data, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        picture = render_fragment(self.shown, self._status)
        return {**data, "text/plain": repr(self), "text/html": picture}, metadata

    def _ipython_display_(self) -> None:
        show(self)

    def __repr__(self) -> str:
        return f"CytoscapeGraph({self.workflow!r})"

    # --- from anywhere, only enqueued ----------------------------------------------------------------------

    def _on_events(self, events: list[RunEvent]) -> None:
        bridge.post(self, lambda: self._apply(events))

    @traitlets.observe("selected")
    def _on_selected(self, _change: Any) -> None:
        if self._following:
            bridge.post(self, self._send_selection)

    @traitlets.observe("query")
    def _on_query(self, change: Any) -> None:
        if self._following:
            self._search.follow(change["new"])

    @traitlets.observe("direction")
    def _on_direction(self, change: Any) -> None:
        if self._following and self.cytoscape_layout.get("name") == "dagre":
            self.set_layout(rankDir=change["new"])

    @traitlets.observe("cytoscape_layout")
    def _on_layout(self, change: Any) -> None:
        ours = self._following and self.cytoscape_style == _styled(_turned(change["old"]), self._own_style)
        if ours and self._laid_out != _turned(change["old"]):
            self.cytoscape_style = _styled(self._laid_out, self._own_style)

    @property
    def _laid_out(self) -> Direction | None:
        return _turned(self.cytoscape_layout)

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> list[str]:
        unknown = [name for name in proposal["value"] if name not in self.shown.index]
        if unknown:
            raise traitlets.TraitError(
                f"selected: workflow {self.workflow.workflow_name!r} has no node {shorten(repr(unknown[0]))}"
            )
        return list(dict.fromkeys(proposal["value"]))

    # --- on the bridge thread ------------------------------------------------------------------------------

    def flush(self) -> bool:
        """Touch the nodes that have changed, ten times a second at most; called by the bridge. Whether it did."""
        now = time.monotonic()
        if now >= self._due:
            self._due = math.inf
        self.shown_in.flush()
        if now < self._flushed + PAUSE:
            if self._due == math.inf:
                self._due = self._flushed + PAUSE
                bridge.flush_in(self, self._due - now)
            return False
        if self._following:
            self._touch()
        self._flushed, self._due = time.monotonic(), math.inf
        return self._following

    def _touch(self) -> None:
        codes, nodes = self._status.state, self._elements.nodes
        for place in np.flatnonzero(codes != self._codes).tolist():
            nodes[self.shown.names[place]].data["state"] = str(STATES[codes[place]])
        if not np.array_equal(codes, self._codes):
            self._codes = codes.copy()
            self.set_trait("states", self._status.states())
        matches = set(self.matches)
        for name, node in nodes.items():
            mark = [] if not self.query else [MATCH] if name in matches else [DIMMED]
            classes = node.classes.split()
            if [one for one in classes if one in (MATCH, DIMMED)] != mark:  # classes of the user stay
                node.classes = " ".join([*(one for one in classes if one not in (MATCH, DIMMED)), *mark])

    def _apply(self, events: list[RunEvent]) -> None:
        begins = any(event.node is None and event.run != self._status.run for event in events)
        self._status.apply(events)
        if begins:
            try:
                self._refresh()
            except Exception:  # such as too many nodes by now; the run itself goes on
                log.exception("the graph of %r cannot be drawn anew", self.workflow.workflow_name)
        if self._status.ended is not None:
            self.set_trait("states", self._status.states())  # the browser may have to wait, `run()` does not
            self.shown_in.run_ended()

    def _show_matches(self, found: Found) -> None:
        if found.pattern != self.query:  # another one was set meanwhile; its answer is on its way
            return
        self.set_trait("query_error", found.error)
        if not found.error:
            self.set_trait("matches", found.names)

    def _take_from_browser(self, ids: list[str]) -> None:
        self._selection.take(ids)
        self.selected = self._elements.names(ids)

    def _send_selection(self) -> None:
        self._selection.chosen = self._elements.ids(self.selected)

    def _refresh(self) -> None:
        graph = _graph_of(self.workflow, cast(Direction, self.direction))
        if graph.same_as(self.shown) and graph.functions == self.shown.functions:
            return
        status = StatusColumns(graph.names)
        run = self.workflow.last_run
        status.apply(run.events if run is not None else ())
        self.shown, self._status = graph, status
        self._fill()
        self.relayout()  # what is gone was still there when the view laid out what came
        self.selected = [name for name in self.selected if name in self.shown.index]
        self._send_selection()
        if self.query:
            self._search.ask(self.query)

    def _fill(self) -> None:
        """Bring the elements to `shown`, with the states there are."""
        names = self.shown.names
        states = [str(STATES[code]) for code in self._status.state]
        rows = zip(node_data(self.shown), states, strict=True)
        self._elements.show(
            {name: {**row, "state": state} for name, (row, state) in zip(names, rows, strict=True)},
            [(names[source], names[target]) for source, target in self.shown.edges.tolist()],
        )
        self._codes = self._status.state.copy()
        self.set_trait("states", self._status.states())


def _graph_of(workflow: BaseWorkflow, direction: Direction) -> Graph:
    graph = Graph.of(workflow, direction)
    if len(graph) > MOST_NODES or len(graph.edges) > MOST_EDGES:
        raise TooManyNodesError(
            f"workflow {shorten(workflow.workflow_name)!r} has {len(graph):,} nodes and {len(graph.edges):,} edges. "
            "ipycytoscape makes a model with messages of its own of each, and draws graphs slowly or not in full beyond "
            f"{MOST_NODES} nodes and {MOST_EDGES:,} edges. DAGWidget(workflow) shows graphs of any size."
        )
    return graph


def _dagre(direction: str) -> dict[str, Any]:
    return {
        "name": "dagre",
        "rankDir": direction,
        "nodeSep": 16,
        "rankSep": 48,
        "padding": 16,
        "animate": False,
    }


def _turned(layout: Mapping[str, Any]) -> Direction | None:
    """In which of the two directions a layout draws, if in one of them."""
    turned = layout.get("rankDir", "TB") if layout.get("name") == "dagre" else None
    return cast(Direction, turned) if turned in ("LR", "TB") else None


def _styled(direction: Direction | None, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Our rules and the user's after them."""
    return [*style_sheet(direction), *own]


def _rules(style: Any) -> list[dict[str, Any]]:
    if isinstance(style, str | Mapping) or not all(isinstance(rule, Mapping) for rule in style):
        raise TypeError(
            f"style: {shorten(repr(style))} is no list of rules such as {{'selector': 'node', 'style': {{...}}}}"
        )
    return list(map(dict, style))
