"""Edits of `backend_info` from the browser, with undo and redo, and as Python code. Called on the bridge thread."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..engine.workflow import BaseWorkflow

if TYPE_CHECKING:
    from .dag import DAGWidget

__all__ = ["Editing", "schema_of"]

log = logging.getLogger("fuse_widgets")


def schema_of(workflow: BaseWorkflow) -> dict[str, Any]:
    """The JSON schema of what a workflow's backend understands in `backend_info`; {} where it does not say."""
    make = getattr(workflow.backend_info_model, "model_json_schema", None)
    if make is None:
        return {}
    try:
        return dict(make())
    except Exception as error:  # a type that JSON has no schema for; raw JSON can still be edited
        log.warning("%s has no form: %s: %s", type(workflow).__name__, type(error).__name__, error)
        return {}


class Editing:
    """Changes `backend_info` as a person asks for it, and remembers what it was.

    Args:
        widget: The widget in which it is edited.
    """

    def __init__(self, widget: DAGWidget) -> None:
        self._widget = widget

    def look_again(self) -> None:
        """`backend_info` may have been changed in Python."""

    def publish(self) -> None:
        """Set `_edits` where it has changed; called at most 30 times a second."""

    def edit(self, args: dict[str, Any]) -> Any:
        """Set and unset keys of some nodes, all or none; the answer goes out with `_edits`."""
        raise NotImplementedError

    def undo(self, args: dict[str, Any]) -> Any:
        """Take the newest edit back."""
        raise NotImplementedError

    def redo(self, args: dict[str, Any]) -> Any:
        """Do again what was undone last."""
        raise NotImplementedError

    def code(self, args: dict[str, Any]) -> Any:
        """All edits that hold, as Python code: `{"code": text}`."""
        raise NotImplementedError
