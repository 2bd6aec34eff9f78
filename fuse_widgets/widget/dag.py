"""DAGWidget: the graph of a workflow and the live states of its runs, in a notebook cell."""

from __future__ import annotations

import functools
import logging
import os
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast

import anywidget
import numpy as np
import traitlets
from ipywidgets import Layout

from ..engine import _node
from ..engine.errors import FuseError, shorten
from ..engine.events import RunEvent
from ..engine.workflow import BaseWorkflow
from ..view.graph import Direction, Graph, displayable
from ..view.groups import checked_ids
from ..view.snapshot import render_fragment, render_html, render_svg
from ..view.stale import stale_to_wire
from ..view.state import NodeStates, StatusColumns, clip
from . import live
from ._compat import echo, route_to_subshell, set_from_browser
from .bridge import bridge
from .collapsed import warn_of_unknown
from .commands import CommandError, execute
from .display import Outputs, running_cell, show
from .editing import Editing, schema_of
from .front_end import NOT_BUILT, asset
from .inspection import Inspection
from .search import Found, Search, checked_query

__all__ = ["DAGWidget"]

log = logging.getLogger("fuse_widgets")
#: Least and largest height that a widget chooses for itself, and what it adds to the graph, in pixels.
_HEIGHTS, _MARGIN = (160, 560), 48
#: Least height where there are boxes to expand.
_UNFOLDING = 360
#: The traits that a browser may set.
_FROM_BROWSER = frozenset({"selected", "direction", "height", "query", "panels", "collapsed"})
#: What a view may be made of, see `PARTS` in types.ts.
_WHOLE = ["toolbar", "outline", "graph", "inspector", "timeline", "footer"]


class PersonsView(NamedTuple):
    """What a person has set in a widget, for the one that takes its place when the cell runs again."""

    workflow_name: str
    parts: list[str]
    selected: list[str]
    query: str
    panels: list[str]
    collapsed: list[str]
    direction: Direction
    height: int | None


class DAGWidget(anywidget.AnyWidget):
    """Shows the graph of a workflow, runs it, and follows every run, wherever it was started.

    Args:
        workflow: Any backend.
        direction: `"LR"` (left to right) or `"TB"` (top to bottom).
        height: Pixels of the graph area; by default as high as the graph needs, within bounds.
        collapsed: The groups to draw as one box each, `[]` for none; by default the big functions of a graph
            of more than 300 nodes.
        selected: Names of the nodes to select.

    Attributes:
        states: The state of every node by name; an immutable mapping, replaced as the run goes on.
        progress: `total`, `finished`, `counts` by state, `elapsed` and `remaining` seconds, run `state`.
        selected: Names of the selected nodes; both ways.
        query: A pattern; what it matches is highlighted. Both ways; "" for no search.
        matches: Names of the nodes that match; the last good ones while the pattern is broken.
        panels: The panels that are open, of "outline", "inspector" and "timeline". Both ways.
        collapsed: The groups that are drawn as one box each, such as "function:train". Both ways.

    Observers of `states`, `progress` and `matches` are called on the thread of the bridge.

    Raises:
        TypeError: `workflow` is not a workflow.
    """

    _esm = asset("widget.js", NOT_BUILT)
    _css = asset("widget.css", "")

    selected = traitlets.List(traitlets.Unicode()).tag(
        sync=True, to_json=lambda names, _widget: [displayable(name) for name in names]
    )
    direction = traitlets.Enum(("LR", "TB"), default_value="LR").tag(sync=True)
    height = traitlets.Int(480, min=80, max=10_000).tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    panels = traitlets.List(traitlets.Enum(("outline", "inspector", "timeline"))).tag(sync=True)
    collapsed = traitlets.List(traitlets.Unicode()).tag(sync=True)
    states = traitlets.Instance(NodeStates, read_only=True)
    matches = traitlets.List(traitlets.Unicode(), read_only=True)
    progress = traitlets.Dict(read_only=True)
    _graph = traitlets.Dict().tag(sync=True, echo_update=False)
    _matches = traitlets.Dict().tag(sync=True, echo_update=False)
    _parts = traitlets.List(traitlets.Unicode(), _WHOLE).tag(sync=True, echo_update=False)
    _schema = traitlets.Dict().tag(sync=True, echo_update=False)
    _details = traitlets.Dict().tag(sync=True, echo_update=False)
    _printed = traitlets.Dict().tag(sync=True, echo_update=False)
    _edits = traitlets.Dict().tag(sync=True, echo_update=False)
    _place = traitlets.Unicode("").tag(sync=True, echo_update=False)
    _stale = traitlets.Dict().tag(sync=True, echo_update=False)
    _status = traitlets.Instance(StatusColumns).tag(
        sync=True, echo_update=False, to_json=lambda columns, widget: columns.to_wire()
    )

    #: Whether it shows what another widget asks all to show.
    takes_over = True
    #: Of its layout: in a box of widgets it gets its share of the room, but no less than this.
    _min_width = "0"
    _following = False
    _has_been_placed = False
    _stale_due = False  # until the next flush
    _own_layout: Layout | None = None
    inspection: Inspection
    editing: Editing

    def __init__(
        self,
        workflow: BaseWorkflow,
        *,
        direction: Direction = "LR",
        height: int | None = None,
        collapsed: Iterable[str] | None = None,
        selected: Iterable[str] = (),
    ) -> None:
        if not isinstance(workflow, BaseWorkflow):
            raise TypeError(
                f"{type(self).__name__} shows a workflow such as LocalWorkflow(...), not {shorten(repr(workflow))}"
            )
        self._workflow: Callable[[], BaseWorkflow | None] = lambda: workflow
        self._workflow_name = workflow.workflow_name
        whole = Graph.of(workflow, direction)
        groups = checked_ids(whole.big_groups() if collapsed is None else collapsed)
        if collapsed is not None:
            warn_of_unknown(workflow, whole, groups)
        self.graph = whole.collapse(groups)
        status = StatusColumns(self.graph.names)
        status.version = 1
        super().__init__(
            layout={"width": "100%", "min_width": self._min_width},
            direction=direction,
            height=self._natural_height() if height is None else height,
            collapsed=groups,
            _graph=self.graph.to_wire(1),
            _status=status,
            _stale=stale_to_wire(workflow, self.graph.index, 1),
            _schema=schema_of(workflow),
        )
        self._own_layout = self.layout
        self.made_in = running_cell()
        self.shown_in = Outputs(self)
        self.inspection = Inspection(self)
        self.editing = Editing(self)
        self._publish_columns()
        route_to_subshell(self.comm)
        self.on_msg(self._on_message)
        self._search = Search(workflow, lambda found: bridge.post(self, lambda: self._show_matches(found)))
        self._unsubscribe = workflow.subscribe(self._on_events, settle=self._search.settle)
        self._following = True
        self._edition = _node.edition
        live.add(self)
        if selected:
            self.selected = list(selected)
        if workflow.last_run is not None and workflow.active_run is None:
            self._on_events(list(workflow.last_run.events))

    def _natural_height(self) -> int:
        """How high the graph area is where nobody says it."""
        least = _UNFOLDING if self.graph.boxes else _HEIGHTS[0]
        return int(min(max(self.graph.layout.height + _MARGIN, least), _HEIGHTS[1]))

    @classmethod
    def of(cls, workflow: BaseWorkflow) -> DAGWidget:
        """The widget that a workflow at the end of a cell shows: one for each workflow, with as many views as cells."""
        widget = workflow.__dict__.get("_dag_widget")
        if widget is None or widget.comm is None:
            widget = workflow.__dict__["_dag_widget"] = cls(workflow)
        return widget

    @property
    def workflow(self) -> BaseWorkflow:
        """The workflow.

        Raises:
            FuseError: It is no longer in memory: the cell that made this widget has run again, and nothing else kept it.
        """
        workflow = self._workflow()
        if workflow is None:
            raise FuseError("this workflow is no longer in memory: use the one that its cell has made since")
        return workflow

    def follows(self, workflow: BaseWorkflow | None) -> bool:
        """Whether this shows `workflow`; with None, whether it shows one that is in memory."""
        own = self._workflow()
        return own is not None and (workflow is None or own is workflow)

    def keep(self) -> None:
        """Keep the workflow in memory, until the cell that runs now runs again."""
        workflow = self._workflow()
        if workflow is not None:
            self._workflow, self.made_in = lambda: workflow, running_cell()

    def let_go(self) -> None:
        """Keep the workflow, its values and its inputs no longer in memory; what is drawn stays."""
        workflow = self._workflow()
        if workflow is not None:
            self._workflow = weakref.ref(workflow)

    def persons_view(self) -> PersonsView:
        """What a person has set here; the height only if it is not the natural one."""
        height = None if self.height == self._natural_height() else self.height
        return PersonsView(
            self._workflow_name,
            self._parts,
            self.selected,
            self.query,
            self.panels,
            self.collapsed,
            cast(Direction, self.direction),
            height,
        )

    def take_place(self, place: str, before: PersonsView | None) -> None:
        """Look as the widget of the execution before did, if it showed a workflow of this name.

        Args:
            place: Identifies the place in the notebook, so that a browser shows the same part of the graph again.
            before: What was set there; None if nothing was there.
        """
        self._place = place
        if before is None or self._has_been_placed or not self.takes_over:
            return
        self._has_been_placed = True
        if (before.workflow_name, before.parts) != (self._workflow_name, self._parts):
            return
        self.direction, self.panels, self.query = before.direction, before.panels, before.query
        known = {group.id for group in self.graph.groups}
        self.collapsed = [group for group in before.collapsed if group in known]
        self.selected = [name for name in before.selected if name in self.graph.index]
        if before.height is not None:
            self.height = before.height

    # --- from Python ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the graph as it is now; nodes that were added or replaced since are drawn."""
        bridge.post(self, self._refresh)
        bridge.wait_idle()

    def save_svg(self, path: str | os.PathLike[str]) -> Path:
        """Write the graph with its present states as an SVG file.

        Returns:
            The path.
        """
        return self._save(path, render_svg(*self._snapshot()))

    def save_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a page of its own with the graph, its present states and a table of the nodes.

        Returns:
            The path.
        """
        return self._save(path, render_html(*self._snapshot()))

    def close(self) -> None:
        """End the connection to the browser and to the workflow."""
        if self._following:
            self._following = False
            live.discard(self)
            self._unsubscribe()
            self._search.close()
        super().close()
        if self._own_layout is not None:
            self._own_layout.close()

    def _save(self, path: str | os.PathLike[str], text: str) -> Path:
        target = Path(path).expanduser()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def _snapshot(self) -> tuple[Graph, StatusColumns]:
        self.workflow.drain_events()
        bridge.wait_idle()
        return self.graph, self._status

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.refresh()
        self._snapshot()
        return self.bundle(**kwargs)

    def bundle(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands in an output: the view of the model, and a picture of what it shows now."""
        shown = super()._repr_mimebundle_(**kwargs)
        data, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        picture = render_fragment(self.graph, self._status)
        return {**data, "text/plain": repr(self), "text/html": picture}, metadata

    def _ipython_display_(self) -> None:
        show(self)

    def __repr__(self) -> str:
        workflow = self._workflow()
        return (
            f"DAGWidget({'a workflow that is no longer in memory' if workflow is None else repr(workflow)})"
        )

    # --- from anywhere, only enqueued ----------------------------------------------------------------------

    def _on_events(self, events: list[RunEvent]) -> None:
        bridge.post(self, lambda: self._apply(events))

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        bridge.post(self, lambda: execute(self, content, self._reply))

    def set_state(self, sync_data: Any) -> None:
        """A change from the browser; applied on the bridge thread, so that traits have one writer."""
        bridge.post(self, lambda: self._take_from_browser(sync_data))

    @traitlets.observe("direction", "collapsed")
    def _on_drawing(self, _change: Any) -> None:
        if self._following:
            bridge.post(self, self._refresh)

    @traitlets.observe("selected")
    def _on_selected(self, _change: Any) -> None:
        if bridge.is_current:  # so that all that follows goes out in one message
            self.inspection.selected()
            bridge.post(self, _nothing)  # also where it is a link to another widget that has set it
        elif self._following:
            bridge.post(self, self.inspection.selected)

    @traitlets.observe("query")
    def _on_query(self, change: Any) -> None:
        if self._following:
            self._search.follow(change["new"])

    @traitlets.validate("collapsed")
    def _check_collapsed(self, proposal: Any) -> list[str]:
        ids = checked_ids(proposal["value"])
        if self._following and not bridge.is_current:  # from Python; a browser offers what there is
            warn_of_unknown(self.workflow, self.graph, [name for name in ids if name not in self.collapsed])
        return ids

    @traitlets.validate("query")
    def _check_query(self, proposal: Any) -> str:
        return checked_query(proposal["value"])

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> list[str]:
        names = [self.graph.by_shown_name.get(name, name) for name in proposal["value"]]
        unknown = [name for name in names if name not in self.graph.index]
        if unknown:
            raise traitlets.TraitError(
                f"selected: workflow {self._workflow_name!r} has no node {shorten(repr(unknown[0]))}"
            )
        return list(dict.fromkeys(names))

    # --- on the bridge thread ------------------------------------------------------------------------------

    def flush(self) -> bool:
        """Send what has changed; called by the bridge. Whether states were among it."""
        delta = self._status.take_delta()
        if delta is not None and self.comm is not None:
            self.send(delta.content, [delta.buffer])
            self._publish_columns()
            if self._status.ended is not None:
                self.send_status()  # what the browser saves with the notebook
        self.shown_in.flush()
        if self._workflow() is None:
            return delta is not None
        with self.hold_sync():
            self.editing.publish()
            self.inspection.publish()
            self._publish_stale()
        return delta is not None

    def _publish_stale(self) -> None:
        """Set `_stale` where what decides on it may have changed: a run, the graph, the end of a cell, an edit."""
        if not self._stale_due:
            return
        self._stale_due = False
        try:
            found = stale_to_wire(self.workflow, self.graph.index, self._graph["version"])
        except FuseError:  # such as two nodes of one name; the widget says that already
            return
        if found != self._stale:
            self._stale = found

    def send_status(self) -> None:
        """Send the whole status, for a browser that missed a delta."""
        self.send_state("_status")

    def _publish_columns(self) -> None:
        self.set_trait("states", self._status.states())
        self.set_trait("progress", self._status.progress())

    def _apply(self, events: list[RunEvent]) -> None:
        begins = any(event.node is None and event.run != self._status.run for event in events)
        self._status.apply(events)
        self.inspection.events(events)
        self._stale_due = self._stale_due or any(event.node is None for event in events)
        if begins:
            self._refresh_or_warn()
        if self._status.ended is not None:
            self._publish_columns()  # what goes to the browser may have to wait, `run()` does not
            self.shown_in.run_ended()

    def _reply(self, reply: dict[str, Any]) -> None:
        if bridge.is_current:
            self.send(reply)
        else:
            bridge.post(self, lambda: self.send(reply))

    def look_again(self) -> None:
        """Show what may have been changed in Python; on the bridge thread."""
        self._stale_due = True
        if self._edition is not _node.edition:
            self._refresh_or_warn()
        else:
            self.editing.look_again()
            self.inspection.selected()

    def show_everywhere(self) -> dict[str, int]:
        """Search and select in all other widgets of the workflow what is so here; `shown` is how many there are."""
        others = [other for other in live.widgets(self.workflow) if other is not self and other.takes_over]
        for other in others:
            bridge.post(other, functools.partial(other._take_over, self.query, list(self.selected)))
        return {"shown": len(others)}

    def _take_over(self, query: str, selected: list[str]) -> None:
        self.query = query
        self.selected = [name for name in selected if name in self.graph.index]

    def _take_from_browser(self, sync_data: Any) -> None:
        """What ipywidgets' own `set_state` does, without holding back notifications of every thread meanwhile."""
        for name, value in sync_data.items():
            try:
                if name not in _FROM_BROWSER:
                    raise CommandError(f"{name!r} cannot be set from the browser")
                echo(self, name, value)
                set_from_browser(self, name, value)
            except Exception as error:
                log.warning("a change from the browser was refused: %s", error)
                text = shorten(f"{name}: {str(error).removeprefix(f'{name}: ')}", 2000)
                self.send({"kind": "reply", "id": 0, "ok": False, "text": text})
                if name in _FROM_BROWSER:
                    self.send_state(name)

    def _show_matches(self, found: Found) -> None:
        if found.pattern != self.query:  # typed on meanwhile; the next answer is on its way
            return
        if not found.error:
            self.set_trait("matches", found.names)
        places = sorted(self.graph.index[name] for name in self.matches if name in self.graph.index)
        self._matches = {
            "version": self._graph["version"],
            "query": self._matches.get("query", "") if found.error else found.pattern,
            "error": clip(found.error),
            "index": np.array(places, "<u4").tobytes(),
        }

    def _refresh_or_warn(self) -> None:
        self._edition = _node.edition  # also where it fails: it would fail again until the graph is changed
        try:
            self._refresh()
            if self._status.warning:
                self._status.warn("")
        except Exception as error:  # such as two nodes of one name; the run itself goes on
            log.exception("the graph of %r cannot be drawn anew", self.workflow.workflow_name)
            self._status.warn(f"the graph shown is not the present one: {error}")

    def _refresh(self) -> None:
        if self._workflow() is None:
            return
        self._redraw()
        self._stale_due = True
        self.editing.look_again()
        self.inspection.selected()  # nodes may be new ones of the same names

    def _redraw(self) -> None:
        graph = Graph.of(self.workflow, cast(Direction, self.direction), self.collapsed)
        if graph.same_as(self.graph):
            return
        graph = graph.after(self.graph)
        version = self._graph["version"] + 1
        changed = graph.names != self.graph.names
        self.graph = graph
        if changed:
            status = StatusColumns(graph.names)
            run = self.workflow.last_run
            status.apply(run.events if run is not None else ())
            self.selected = [name for name in self.selected if name in graph.index]
        else:
            status = self._status
        status.version = version
        status.seq = self._status.seq
        with self.hold_sync():
            self._graph = graph.to_wire(version)
            if changed:
                self._status = status
        if not changed:
            self.send_status()
        if self.query:
            self._search.ask(self.query)


def _nothing() -> None:
    pass
