"""The widgets that are open, so that one can speak to the others, and all learn of the end of a cell."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from .bridge import bridge

if TYPE_CHECKING:
    from ..engine.workflow import BaseWorkflow
    from .dag import DAGWidget

__all__ = ["add", "cell_ended", "discard", "widgets"]

#: Seconds that the end of a cell waits for the widgets at most.
CELL = 1.0
#: By identity. Single operations on a dict need no lock, and a lock could be asked for again by the thread that holds
#: it: a widget that is collected closes itself, at any moment.
_open: dict[int, weakref.ref[DAGWidget]] = {}


def add(widget: DAGWidget) -> None:
    """A widget was opened."""
    _open[id(widget)] = weakref.ref(widget)


def discard(widget: DAGWidget) -> None:
    """A widget was closed."""
    _open.pop(id(widget), None)


def widgets(workflow: BaseWorkflow | None = None) -> list[DAGWidget]:
    """The open widgets, of one workflow or of all."""
    alive = [widget for ref in list(_open.values()) if (widget := ref()) is not None]
    return [widget for widget in alive if widget.follows(workflow)]


def cell_ended() -> None:
    """A cell was run: let all open widgets show what it may have changed, also in the outputs that will be saved."""
    found = widgets()
    for widget in found:
        bridge.post(widget, widget.look_again)
        bridge.post(widget, widget.shown_in.renew)
    if found:
        bridge.wait_done(CELL)
