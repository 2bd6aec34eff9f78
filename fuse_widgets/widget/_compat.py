"""What this room uses of other packages that is not public: each use guarded, with what happens without it."""

from __future__ import annotations

import contextlib
from typing import Any

from ipywidgets.widgets import widget as ipywidgets_widget

__all__ = ["echo", "open_widgets", "route_to_subshell", "set_from_browser"]


def open_widgets() -> list[Any]:
    """All widgets of this kernel that were not closed.

    Without ipywidgets' `_instances` none are found, and a widget in an `Output` that was cleared stays open.
    """
    return list(getattr(ipywidgets_widget, "_instances", {}).values())


def echo(widget: Any, name: str, value: Any) -> None:
    """Send a change that one browser made to the others of this kernel, as `JUPYTER_WIDGETS_ECHO` asks (on by default).

    Without the flag in ipywidgets nothing is echoed, and a second browser sees the change when it reloads.
    """
    comm = widget.comm
    echoes = getattr(ipywidgets_widget, "JUPYTER_WIDGETS_ECHO", False)
    if echoes and comm is not None and getattr(comm, "kernel", comm) is not None:
        comm.send({"method": "echo_update", "state": {name: value}, "buffer_paths": []})


def set_from_browser(widget: Any, name: str, value: Any) -> None:
    """Set a trait to what the browser has, without sending it back.

    `Widget.set_state` does the same but holds back notifications of all threads meanwhile. Without ipywidgets'
    `_lock_property` the value is sent back, which costs one message and changes nothing.
    """
    lock = getattr(widget, "_lock_property", None)
    with contextlib.nullcontext() if lock is None else lock(**{name: value}):
        setattr(widget, name, value)


def route_to_subshell(comm: Any) -> None:
    """Let ipykernel 7.4 handle the messages of a comm in a subshell while a cell blocks, as 7.3 does.

    Without `_reply_subshell_for` nothing is done: messages then go wherever ipykernel routes them.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None
