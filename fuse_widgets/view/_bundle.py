"""What a node displayed, as the inspector shows it: the form of its MIME bundle that a cell would show, as plain data."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..engine.output import Display
from ._text import plain

__all__ = ["form_of_display"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
#: Forms that the inspector can show, in the order in which JupyterLab prefers them.
_FORMS = {
    "text/html": "html",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "text/markdown": "text",
    "text/latex": "text",
    "text/plain": "text",
}


def form_of_display(display: Display) -> dict[str, str]:
    """`{kind, content, note}` of a display: `Preview` of types.ts."""
    data = display.data
    if display.note:
        return _form("text", "", display.note)
    if _WIDGET in data:
        text = data.get("text/plain")
        return _form(
            "text", plain(text) if isinstance(text, str) else "", "An ipywidget is shown in the cell only."
        )
    for mime, kind in _FORMS.items():
        content = _content(data.get(mime), kind)
        if content is not None:
            note = (
                "Its scripts run in the cell only." if kind == "html" and "<script" in content.lower() else ""
            )
            return _form(kind, content, note)
    if not data:
        return _form("text", "", "Nothing yet.")
    return _form("text", "", f"It is shown in the cell only: {', '.join(sorted(map(str, data)))[:200]}.")


def _form(kind: str, content: str, note: str) -> dict[str, str]:
    return {"kind": kind, "content": content, "note": note}


def _content(value: Any, kind: str) -> str | None:
    """The content of one form as a string; None if there is none."""
    if kind in ("png", "jpeg", "gif"):
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        try:
            text = "".join(value.split()) if isinstance(value, str) else ""
            return text if base64.b64decode(text, validate=True) else None
        except (binascii.Error, ValueError):
            return None
    if isinstance(value, list) and all(isinstance(line, str) for line in value):  # as notebook files have it
        value = "".join(value)
    if not isinstance(value, str):
        return None
    return plain(value) if kind == "text" else value.replace("\0", "").encode("utf-8", "replace").decode()
