"""Warnings that name the line of a person's code, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection

__all__ = ["warn"]

_PACKAGE = __name__.partition(".")[0]


def warn(message: str, through: Collection[str] = ()) -> None:
    """Warn where the code outside of this package is.

    Args:
        message: What to say.
        through: Names of further packages that are passed by on the way out.
    """
    ours = {_PACKAGE, *through}
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ours:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)
