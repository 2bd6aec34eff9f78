"""Checking arguments against a signature where a call is written, and not where it runs."""

from __future__ import annotations

import inspect
from typing import Any

from ._arguments import LEAVES
from ._search import Refused, Search

__all__ = ["Signature", "name_of_argument"]


class Signature:
    """What a function, class or method takes; anything, where Python does not tell.

    Raises:
        TypeError: A default is or holds a node, or an iterator, which the first call would use up.

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
        for parameter in parameters:
            if type(parameter.default) not in LEAVES and parameter.default is not parameter.empty:
                _check_default(func, parameter)
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


def _check_default(func: Any, parameter: inspect.Parameter) -> None:
    try:
        Search().look_everywhere(parameter.default)
    except Refused as found:
        verb = "is" if found.value is parameter.default else "holds"
        way_out = f"use {found.instead}" if found.instead else "pass it as an argument"
        raise TypeError(
            f"{getattr(func, '__qualname__', func)}: the default of {parameter.name!r} {verb} {found.text}: {way_out} instead"
        ) from None


def name_of_argument(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> str:
    """Return what to call one of the arguments in an error: its parameter's name, else its position."""
    for name, other in kwargs.items():
        if other is value:
            return repr(name)
    place = next((place for place, other in enumerate(args) if other is value), 0)
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except (ValueError, TypeError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return repr(named[place]) if place < len(named) else str(place)
