"""The browser half: the built files of js/."""

from __future__ import annotations

from pathlib import Path

__all__ = ["NOT_BUILT", "asset"]

_STATIC = Path(__file__).parent.parent / "static"
#: Stands in for the front end where it was not built.
NOT_BUILT = """
export default { render({ el }) {
  el.textContent = "fuse_widgets: the front end is not built. Run `make setup`, or install the package with pip.";
} };
"""


def asset(name: str, otherwise: str) -> str:
    """Return the text of a built file, or `otherwise` if it is not there."""
    path = _STATIC / name
    return path.read_text(encoding="utf-8") if path.exists() else otherwise
