"""Checking what a function returned: a value that every reader can read, and no node."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ._arguments import LEAVES, Promise
from ._coroutines import run_awaitable
from ._search import Refused, Search
from .errors import FuseError

__all__ = ["checked"]


def checked(func: Callable[..., Any], result: Any) -> Any:
    """Return the value that `result` stands for; what `func` returned as an awaitable is awaited.

    Raises:
        FuseError: The value is or holds a node, or an iterator that only one reader could read.
    """
    if not isinstance(func, type) and inspect.isawaitable(result):
        result = run_awaitable(result)
    if type(result) in LEAVES:
        return result
    if isinstance(result, Promise):
        raise FuseError(f"it returned {result!r} instead of a value: {_CALL_PLAIN}")
    try:
        Search().look_everywhere(result)
    except Refused as found:
        if not found.instead:
            raise FuseError(f"its result holds {found.text} instead of a value: {_CALL_PLAIN}") from None
        verb = "it returned" if found.value is result else "its result holds"
        raise FuseError(f"{verb} {found.text}: return {found.instead} instead") from None
    return result


_CALL_PLAIN = "inside a node, call the plain function, which is there as `.func`"
