"""Parts of the widget, each alone: to be placed among other ipywidgets, with a selection that is shared by a link."""

from __future__ import annotations

import html
from typing import Any

import traitlets

from ..engine.errors import shorten
from ..engine.query import Query
from .dag import DAGWidget
from .display import close_earlier, somebody_watches

__all__ = [
    "BackendInfoForm",
    "GraphView",
    "Inspector",
    "NodeTable",
    "ProgressBar",
    "QueryView",
    "show_query",
]

#: Pixels of a row of the table, of what stands above it (with two lines of states, as outline.css has it), and of the highest
#: table and the inspector, of the form.
_ROW, _HEAD, _PANEL, _FORM = 28, 169, 480, 400
#: How many nodes are listed where no widget can be shown.
LISTED = 100


def _parts(*names: str) -> Any:
    return traitlets.List(traitlets.Unicode(), list(names)).tag(sync=True, echo_update=False)


class GraphView(DAGWidget):
    """The graph alone: nodes, edges and live states, to pan, zoom and select in.

    Takes what `DAGWidget` takes. Views share a selection through a link:

    Example:
        >>> graph, table = GraphView(wf), NodeTable(wf)  # doctest: +SKIP
        >>> widgets.link((graph, "selected"), (table, "selected"))  # doctest: +SKIP
        >>> widgets.HBox([graph, table])  # doctest: +SKIP
    """

    _parts = _parts("graph")


class NodeTable(DAGWidget):
    """The nodes as a table: name, function, state, seconds, attempts; to sort, filter and select in.

    Takes what `DAGWidget` takes; `height` is that of the table, by default as high as its rows, within bounds.
    """

    _parts = _parts("outline")
    _min_width = "328px"

    def _natural_height(self) -> int:
        return min(_HEAD + _ROW * max(3, len(self.graph)), _PANEL)


class Inspector(DAGWidget):
    """All about the selected node: its function, arguments, attempts, what it printed, its result or error.

    Takes what `DAGWidget` takes; the nodes to look at are those in `selected`.
    """

    _parts = _parts("inspector")
    _min_width = "328px"

    def _natural_height(self) -> int:
        return _PANEL


class BackendInfoForm(DAGWidget):
    """A form for `backend_info` of the selected nodes, made from what the backend understands.

    Takes what `DAGWidget` takes; the nodes to edit are those in `selected`.
    """

    _parts = _parts("form")
    _min_width = "328px"

    def _natural_height(self) -> int:
        return _FORM


class ProgressBar(DAGWidget):
    """How far a run has come: a bar of the states of all nodes, with counts and times.

    Takes what `DAGWidget` takes.
    """

    _parts = _parts("progress")

    def _natural_height(self) -> int:
        return int(type(self).height.min)


class QueryView(DAGWidget):
    """The nodes of a query, to be shown with a click in the graphs of its workflow.

    Args:
        query: What `workflow.query()` gave. Its nodes are those that matched when it was made.

    Raises:
        TypeError: `query` is not a query.
    """

    _parts = _parts("query", "graph")
    takes_over = False

    def __init__(self, query: Query) -> None:
        if not isinstance(query, Query):
            raise TypeError(f"QueryView shows what workflow.query() gives, not {shorten(repr(query))}")
        super().__init__(query.workflow)
        self.of_query: Query | None = query
        self._of_query = [node.name for node in query], query.pattern, _static(query)
        self._point_out()

    def let_go(self) -> None:
        super().let_go()
        self.of_query = None

    def show_everywhere(self) -> dict[str, int]:
        """Search and select in the other widgets of the workflow what the query is about, whatever is selected here."""
        self._point_out()
        return super().show_everywhere()

    def _point_out(self) -> None:
        names, pattern, _ = self._of_query
        self.selected = [name for name in names if name in self.graph.index]
        self.query = ".*" if pattern is None else pattern

    def bundle(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super().bundle(**kwargs)
        return {**data, **self._of_query[2]}, metadata


def show_query(query: Query) -> None:
    """Publish a query as output of the cell that is running: live for a person, else as a list of its nodes."""
    from IPython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    if "text/html" not in shell.display_formatter.active_types:  # a terminal
        print(repr(query))
    elif somebody_watches():
        widget = QueryView(query)
        close_earlier(widget)
        data, metadata = widget._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
    else:
        display(_static(query), raw=True)  # type: ignore[no-untyped-call]


def _static(query: Query) -> dict[str, str]:
    """A query for where no widget can be shown."""
    pattern = (
        "all nodes" if query.pattern is None else f"<code>{html.escape(shorten(query.pattern, 200))}</code>"
    )
    count = "1 node" if len(query) == 1 else f"{len(query):,} nodes"
    items = "".join(f"<li>{html.escape(shorten(node.name, 200))}</li>" for node in query.nodes[:LISTED])
    more = f"<p>… and {len(query) - LISTED:,} more</p>" if len(query) > LISTED else ""
    return {"text/plain": repr(query), "text/html": f"<p>{pattern}: {count}</p><ul>{items}</ul>{more}"}
