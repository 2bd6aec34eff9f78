"""How a widget gets into the output of a cell: live for a person, as a picture where nobody is there to watch.

A notebook that nbclient or papermill executes would be left with a widget whose model is gone, and shown blank by
nbconvert. There the output is the snapshot. In both cases the output has an id, and the snapshot in it is renewed when a run
has ended: a notebook that is saved or exported shows the last state there was.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .bridge import bridge

if TYPE_CHECKING:
    from ..engine.workflow import BaseWorkflow
    from .cytoscape import CytoscapeGraph
    from .dag import DAGWidget, PersonsView

    Shown: TypeAlias = DAGWidget | CytoscapeGraph

__all__ = [
    "VIEW",
    "Outputs",
    "cell_begins",
    "cleared",
    "close_earlier",
    "show",
    "show_workflow",
    "somebody_watches",
]

VIEW = "application/vnd.jupyter.widget-view+json"
#: Seconds between two renewals of outputs while runs follow each other; the last one is made at the end of the cell.
RENEW = 1.0


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


class Outputs:
    """Where one widget is shown, so that the picture in those outputs can be renewed. Belongs to the bridge thread.

    Args:
        widget: The widget.
    """

    def __init__(self, widget: Shown) -> None:
        self._widget = widget
        self._updates: list[tuple[Callable[..., Any], bool]] = []
        self._renewed = 0.0
        self._due = False

    def add(self, update: Callable[..., Any], *, live: bool) -> None:
        """The widget is shown in one more output, which `update` replaces."""
        self._updates.append((update, live))

    def run_ended(self) -> None:
        """Renew the pictures, now or, where runs follow each other, at the end of the cell."""
        self._due = bool(self._updates)
        if self._due and time.monotonic() >= self._renewed + RENEW:
            self.renew()
        elif self._due:
            bridge.flush_in(self._widget, self._renewed + RENEW - time.monotonic())

    def flush(self) -> None:
        """Renew what is due, if it is time for it."""
        if self._due and time.monotonic() >= self._renewed + RENEW:
            self.renew()

    def renew(self) -> None:
        """Renew the pictures if a run has ended since."""
        if not self._due:
            return
        self._due, self._renewed = False, time.monotonic()
        data, metadata = self._widget.bundle()
        for update, live in self._updates:
            update(data if live else without_view(data), metadata=metadata, raw=True)


def without_view(data: dict[str, Any]) -> dict[str, Any]:
    """A bundle for where no widget can be shown."""
    return {kind: content for kind, content in data.items() if kind != VIEW}


class _Place:
    """A cell's output, or an `Output` widget: what it shows, and for which execution of the cell.

    Attributes:
        waiting: Widgets that go as soon as something else is shown, after `clear_output(wait=True)`.
        before: What a person had set in the widgets that stood there before, by their place.
    """

    def __init__(self) -> None:
        self.execution: Any = None
        self.widgets: list[DAGWidget] = []
        self.waiting: list[DAGWidget] = []
        self.before: list[PersonsView] = []


#: By id of the cell or of the `Output` widget. Owned by the thread that executes cells.
_places: dict[str, _Place] = {}


def show_workflow(workflow: BaseWorkflow) -> None:
    """Publish a workflow as its widget."""
    from .dag import DAGWidget

    show(DAGWidget.of(workflow))


def close_earlier(widget: DAGWidget) -> None:
    """Close what was where `widget` is about to be shown, and let `widget` look as that did.

    Otherwise every execution of a cell, and every move of a slider of `interact`, would leave a widget behind.
    """
    key, execution = _here()
    if key is None:
        return
    place = _places.setdefault(key, _Place())
    gone, place.waiting = place.waiting, []
    if execution is not None and place.execution != execution:
        gone, place.widgets, place.execution = [*gone, *place.widgets], [], execution
        place.before = []
    if gone:
        place.before = [old.persons_view() for old in gone]
    number = len(place.widgets)
    place.widgets.append(widget)
    _close(gone)
    widget.take_place(f"{key} {number}", place.before[number] if number < len(place.before) else None)


def cleared(*, wait: bool) -> None:
    """The output of the running cell, or the `Output` that captures it, is cleared."""
    key, _ = _here()
    place = None if key is None else _places.get(key)
    if place is None:
        return
    gone, place.widgets = place.widgets, []
    if wait:
        place.waiting += gone
    else:
        place.before = [old.persons_view() for old in gone] or place.before
        _close(gone)


def cell_begins(cell_id: str | None) -> None:
    """A cell runs again: what its earlier execution made may go, though what is drawn stays."""
    from . import live

    if cell_id is not None:
        for widget in live.widgets():
            if widget.made_in == cell_id:
                widget.let_go()


def _close(widgets: list[DAGWidget]) -> None:
    shown = {id(one) for place in _places.values() for one in (*place.widgets, *place.waiting)}
    for widget in widgets:
        if id(widget) not in shown:
            widget.close()


def _here() -> tuple[str | None, Any]:
    """Where output goes now: an `Output` that captures it, or the cell, and which execution of it this is."""
    from ipywidgets import Output

    from ._compat import open_widgets

    parent = _parent()
    message = (parent.get("header") or {}).get("msg_id")
    if message:
        captures = [one for one in open_widgets() if isinstance(one, Output) and one.msg_id == message]
        if captures:  # of several nobody knows which is the inner one
            return (captures[0].model_id, None) if len(captures) == 1 else (None, None)
    cell, execution = _cell()
    return cell, execution


def _parent() -> dict[str, Any]:
    from IPython import get_ipython

    shell = get_ipython()
    return (shell.get_parent() if hasattr(shell, "get_parent") else None) or {}


def _cell() -> tuple[str | None, int]:
    """Which cell is running, where the application says so, and the number of its execution."""
    from IPython import get_ipython

    metadata = _parent().get("metadata") or {}
    return metadata.get("cellId"), getattr(get_ipython(), "execution_count", 0)


def running_cell() -> str | None:
    """The id of the cell that is running; None if the application does not say, or there is none."""
    return _cell()[0]


def show(widget: Shown) -> None:
    """Publish a widget as output of the cell that is running."""
    from IPython.display import display

    from .dag import DAGWidget

    if isinstance(widget, DAGWidget):
        widget.keep()
        close_earlier(widget)
    data, metadata = widget._repr_mimebundle_()
    watched = somebody_watches()
    handle = display(  # type: ignore[no-untyped-call]
        data if watched else without_view(data), metadata=metadata, raw=True, display_id=True
    )
    if handle is not None:
        bridge.post(widget, functools.partial(widget.shown_in.add, handle.update, live=watched))
