"""How a widget gets into the output of a cell: live for a person, as a picture where nobody is there to watch.

A notebook that nbclient or papermill executes would be left with a widget whose model is gone, and shown blank by
nbconvert. There the output is the snapshot, renewed at the end of each run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..engine.events import RunEvent
    from ..engine.workflow import BaseWorkflow
    from .cytoscape import CytoscapeGraph
    from .dag import DAGWidget, PersonsView

__all__ = ["VIEW", "close_earlier", "show", "show_workflow", "somebody_watches"]

VIEW = "application/vnd.jupyter.widget-view+json"


def somebody_watches() -> bool:
    """Whether the cell was run from an application that a person sits at, and not by an executor such as nbclient.

    Executors cannot answer `input()`, and say so in each request. Voila executes likewise, but shows live widgets.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila") or not hasattr(shell, "get_parent"):
        return True
    content: dict[str, Any] = (shell.get_parent() or {}).get("content") or {}
    return bool(content.get("allow_stdin", True))


class _Shown:
    """What one execution of a cell shows. Owned by the thread that executes cells.

    Attributes:
        execution: Its number.
        widgets: In the order in which they were shown.
        before: What a person had set in the widgets of the execution before, by their place in the cell.
    """

    def __init__(self, execution: int, before: list[PersonsView]) -> None:
        self.execution, self.before = execution, before
        self.widgets: list[DAGWidget] = []


#: By cell.
_shown: dict[str, _Shown] = {}


def show_workflow(workflow: BaseWorkflow) -> None:
    """Publish a workflow as its widget."""
    from .dag import DAGWidget

    widget = DAGWidget.of(workflow)
    close_earlier(widget)
    show(widget)


def close_earlier(widget: DAGWidget) -> None:
    """Close what an earlier execution of the cell that is running showed, and let `widget` look as that did.

    Otherwise every execution of a cell would leave a widget behind that keeps its workflow and all results.
    """
    cell, execution = _cell()
    if cell is None:
        return
    known = _shown.get(cell)
    if known is None or known.execution != execution:
        earlier = [] if known is None else known.widgets
        shown = _shown[cell] = _Shown(execution, [old.persons_view() for old in earlier])
        shown.widgets.append(widget)
        for old in earlier:
            if not any(old is one for other in _shown.values() for one in other.widgets):
                old.close()
    else:
        shown = known
        shown.widgets.append(widget)
    place = len(shown.widgets) - 1
    if place < len(shown.before):
        widget.take_place(f"{cell} {place}", shown.before[place])
    else:
        widget.take_place(f"{cell} {place}", None)


def _cell() -> tuple[str | None, int]:
    """Which cell is running, where the application says so, and the number of its execution."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    metadata = (parent or {}).get("metadata") or {}
    return metadata.get("cellId"), getattr(shell, "execution_count", 0)


def show(widget: DAGWidget | CytoscapeGraph) -> None:
    """Publish a widget as output of the cell that is running."""
    from IPython.display import display

    data, metadata = widget._repr_mimebundle_()
    if somebody_watches():
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        return
    data.pop(VIEW, None)
    handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    if handle is not None:
        widget.workflow.subscribe(_renewing(widget, handle.update))


def _renewing(
    widget: DAGWidget | CytoscapeGraph, update: Callable[..., Any]
) -> Callable[[list[RunEvent]], None]:
    """A subscriber that renews the picture when a run has ended, before `run()` returns."""

    def on_events(events: list[RunEvent]) -> None:
        if any(event.node is None and event.state.finished for event in events):
            data, _ = widget._repr_mimebundle_()
            data.pop(VIEW, None)
            update(data, raw=True)

    return on_events
