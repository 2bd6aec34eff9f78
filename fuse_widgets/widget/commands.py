"""Commands from the browser: validate, do, acknowledge. Called on the bridge thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..engine.errors import FuseError, shorten
from ..engine.run import Run

if TYPE_CHECKING:
    from .dag import DAGWidget

__all__ = ["COMMANDS", "CommandError", "execute"]


class CommandError(FuseError, ValueError):
    """A message from the browser that cannot be followed; the text is for the person."""


def execute(widget: DAGWidget, message: Any) -> dict[str, Any] | None:
    """Follow one message from the browser.

    Args:
        widget: The widget it came to.
        message: What came, of any shape.

    Returns:
        The reply to send, None where the message is none of ours.
    """
    if not isinstance(message, dict) or message.get("kind") != "command":
        return None
    number = message.get("id")
    try:
        name, args = message.get("name"), message.get("args") or {}
        command = COMMANDS.get(name) if isinstance(name, str) else None
        if command is None:
            raise CommandError(f"there is no command {shorten(repr(name))}; there are {', '.join(COMMANDS)}")
        if not isinstance(args, dict):
            raise CommandError(f"the arguments of {name!r} are an object, not {shorten(repr(args))}")
        command(widget)
    except Exception as error:
        text = str(error) if isinstance(error, FuseError) else f"{type(error).__name__}: {error}"
        return {"kind": "reply", "id": number, "ok": False, "text": shorten(text, 2000)}
    return {"kind": "reply", "id": number, "ok": True, "text": ""}


def _run(widget: DAGWidget) -> None:
    widget.workflow.start()


def _active(widget: DAGWidget) -> Run:
    run = widget.workflow.active_run
    if run is None:
        raise CommandError("nothing is running")
    return run


def _step(widget: DAGWidget) -> None:
    run = widget.workflow.active_run or widget.workflow.start(paused=True)
    run.step()


COMMANDS: dict[str, Callable[[DAGWidget], object]] = {
    "run": _run,
    "stop": lambda widget: _active(widget).cancel(),
    "pause": lambda widget: _active(widget).pause(),
    "resume": lambda widget: _active(widget).resume(),
    "step": _step,
    "resync": lambda widget: widget.send_status(),
}
