"""What the inspector shows: details of the selected nodes, what they print, their results. Called on the bridge thread."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ..engine.events import RunEvent

if TYPE_CHECKING:
    from .dag import DAGWidget

__all__ = ["Inspection"]


class Inspection:
    """Keeps `_details` and `_printed` of a widget in step with its selection.

    Args:
        widget: Whose selection it follows.
    """

    def __init__(self, widget: DAGWidget) -> None:
        self._widget = widget

    def selected(self) -> None:
        """The selection, the graph or `backend_info` has changed."""

    def events(self, events: list[RunEvent]) -> None:
        """Events of a run have come."""

    def publish(self) -> None:
        """Set the traits where what they tell has changed; called at most 30 times a second."""

    def preview(self, args: dict[str, Any]) -> Future[dict[str, Any]]:
        """The richest form of the result of the node `args["node"]`."""
        raise NotImplementedError
