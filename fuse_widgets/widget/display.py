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
    from .dag import DAGWidget

__all__ = ["show", "somebody_watches"]

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


def show(widget: DAGWidget) -> None:
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


def _renewing(widget: DAGWidget, update: Callable[..., Any]) -> Callable[[list[RunEvent]], None]:
    """A subscriber that renews the picture when a run has ended, before `run()` returns."""

    def on_events(events: list[RunEvent]) -> None:
        if any(event.node is None and event.state.finished for event in events):
            data, _ = widget._repr_mimebundle_()
            data.pop(VIEW, None)
            update(data, raw=True)

    return on_events
