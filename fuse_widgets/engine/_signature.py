"""Checking arguments against a signature where a call is written, and not where it runs."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["Signature"]


class Signature:
    """What a function, class or method takes; anything, where Python does not tell.

    Args:
        func: For a method, as it stands in the class: it takes the object first, unless it is a class or
            static method.
    """

    def __init__(self, func: Any) -> None:
        self._signature: inspect.Signature | None = None
        self._fits = range(0)
        if isinstance(func, classmethod | staticmethod):
            return
        try:
            self._signature = inspect.signature(func)
        except (ValueError, TypeError):
            return
        parameters = self._signature.parameters.values()
        if all(parameter.kind <= parameter.POSITIONAL_OR_KEYWORD for parameter in parameters):
            least = sum(parameter.default is parameter.empty for parameter in parameters)
            self._fits = range(least, len(parameters) + 1)

    def check(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError, naming the function, where it does not take these arguments."""
        if self._signature is None or (not kwargs and len(args) in self._fits):
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}{self._signature}: {error}") from None

    def __str__(self) -> str:
        return "(...)" if self._signature is None else str(self._signature)
