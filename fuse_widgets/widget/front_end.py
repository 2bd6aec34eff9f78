"""The browser half: the built files of js/, and the way of its messages to the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["NOT_BUILT", "asset", "route_to_subshell"]

_STATIC = Path(__file__).parent.parent / "static"
#: Stands in for the front end where it was not built.
NOT_BUILT = """
export default { render({ el }) {
  el.textContent = "fuse_widgets: the front end is not built. Run `make setup`, or install the package with pip.";
} };
"""


def asset(name: str, otherwise: str) -> str:
    """The text of a built file, `otherwise` where it is not there."""
    path = _STATIC / name
    return path.read_text(encoding="utf-8") if path.exists() else otherwise


def route_to_subshell(comm: Any) -> None:
    """Let ipykernel 7.4 hand the messages of a comm to the subshell while a cell blocks, as 7.3 does."""
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None
