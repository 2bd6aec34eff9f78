"""What a job displays in a worker process: formatted there, as a cell would, and sent to the process of the scheduler.

IPython is imported when the job does, and not before: a worker that displays nothing starts without it.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Callable
from typing import Any

from ..engine._imports import when_imported
from ..engine.output import Clear, Display
from ._compat import close_figures, make_shell

__all__ = ["Send", "install", "show_figures"]

#: Sends what was displayed; False if that cannot be done from here.
Send = Callable[[Display | Clear], bool]
#: Characters and bytes of one display that are sent at most.
LARGEST = 20_000_000
WIDGET = "application/vnd.jupyter.widget-view+json"
_shell: Any = None


def install(send: Send) -> None:
    """Let `display()` and what is built on it, such as `plt.show()`, pass through `send` in this process."""
    when_imported("IPython.core.interactiveshell", lambda: _make(send))
    if not hasattr(builtins, "display"):  # as in the cells of IPython
        setattr(builtins, "display", _display)  # noqa: B010


def show_figures() -> None:
    """Show the figures that a job has left open, as happens at the end of a cell, and let go of them."""
    try:
        if _shell is not None:
            _shell.events.trigger("post_execute")
        close_figures()
    except Exception:  # of whatever draws there: the job has its result all the same
        traceback.print_exc()


def _make(send: Send) -> None:
    global _shell
    try:
        _shell = make_shell(lambda *args: _publish(send, *args), lambda wait: send(Clear(wait)))
    except Exception:  # IPython has changed: `display()` then prints, as in any process without a shell
        _shell = None


def _publish(
    send: Send, data: dict[str, Any], metadata: dict[str, Any] | None, display_id: str | None, update: bool
) -> None:
    if WIDGET in data:
        print(
            f"{_first_line(data)} cannot be shown: an ipywidget works only in the kernel, not in a worker process. "
            "Run this node with executor 'inline' or 'thread'."
        )
        return
    display = Display(dict(data), dict(metadata or {}), display_id, update)
    if display.size > LARGEST:
        print(
            f"A display of {display.size / 1e6:,.0f} MB is not shown: at most {LARGEST / 1e6:g} MB of each are."
        )
    elif not send(display):
        print(data.get("text/plain", ""))


def _first_line(data: dict[str, Any]) -> str:
    text = data.get("text/plain")
    return text.partition("\n")[0][:80] if isinstance(text, str) and text else "What was displayed"


def _display(*args: Any, **kwargs: Any) -> Any:
    from IPython.display import display

    return display(*args, **kwargs)  # type: ignore[no-untyped-call]
