"""Commands from the browser: validate, do, acknowledge. Called on the bridge thread.

A command returns what the reply carries as `data`; a `Future` where that takes its time, and then the reply comes later;
`ANSWERED` where it has seen to the answer itself.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ..engine.errors import FuseError, shorten
from ..engine.output import in_no_cell
from ..engine.run import Run
from . import live
from .bridge import bridge

if TYPE_CHECKING:
    from .dag import DAGWidget

__all__ = ["ANSWERED", "COMMANDS", "CommandError", "execute"]

ANSWERED: Final = object()


class CommandError(FuseError, ValueError):
    """A message from the browser that cannot be followed; the text is for the person."""


def execute(widget: DAGWidget, message: Any, reply: Callable[[dict[str, Any]], object]) -> None:
    """Follow one message from the browser.

    Args:
        widget: The widget it came to.
        message: What came, of any shape; what is no command is passed over.
        reply: Called with each reply to send, at once or later, on any thread.
    """
    if not isinstance(message, dict) or message.get("kind") != "command":
        return
    number = message.get("id")

    def answer(ask: Callable[[], Any]) -> None:
        try:
            data = ask()
        except Exception as error:
            text = str(error) if isinstance(error, FuseError) else f"{type(error).__name__}: {error}"
            reply({"kind": "reply", "id": number, "ok": False, "text": shorten(text, 2000)})
        else:
            if isinstance(data, Future):
                data.add_done_callback(lambda future: answer(future.result))
            elif data is not ANSWERED:
                reply({"kind": "reply", "id": number, "ok": True, "text": "", "data": data})

    def follow() -> Any:
        name, args = message.get("name"), message.get("args") or {}
        command = COMMANDS.get(name) if isinstance(name, str) else None
        if command is None:
            raise CommandError(f"there is no command {shorten(repr(name))}; there are {', '.join(COMMANDS)}")
        if not isinstance(args, dict):
            raise CommandError(f"the arguments of {name!r} are an object, not {shorten(repr(args))}")
        return command(widget, {**args, "id": number})

    answer(follow)


Args = dict[str, Any]


def _run(widget: DAGWidget, _args: Args) -> None:
    with in_no_cell():
        widget.workflow.start()


def _active(widget: DAGWidget) -> Run:
    run = widget.workflow.active_run
    if run is None:
        raise CommandError("nothing is running")
    return run


def _step(widget: DAGWidget, _args: Args) -> None:
    with in_no_cell():
        run = widget.workflow.active_run or widget.workflow.start(paused=True)
    run.step()


def _update_functions(widget: DAGWidget, _args: Args) -> dict[str, int]:
    updated = widget.workflow.update_functions()
    for other in live.widgets(widget.workflow):
        bridge.post(other, other.look_again)
    return {"updated": len(updated)}


#: Each is given the widget and the arguments of the message, with its `id` among them.
COMMANDS: dict[str, Callable[[DAGWidget, Args], Any]] = {
    "run": _run,
    "stop": lambda widget, _: _active(widget).cancel(),
    "pause": lambda widget, _: _active(widget).pause(),
    "resume": lambda widget, _: _active(widget).resume(),
    "step": _step,
    "resync": lambda widget, _: widget.send_status(),
    "display": lambda widget, args: widget.inspection.display(args),
    "preview": lambda widget, args: widget.inspection.preview(args),
    "edit": lambda widget, args: widget.editing.edit(args),
    "undo": lambda widget, args: widget.editing.undo(args),
    "redo": lambda widget, args: widget.editing.redo(args),
    "code": lambda widget, args: widget.editing.code(args),
    "show": lambda widget, _: widget.show_everywhere(),
    "update_functions": _update_functions,
}
