"""What surrounds a node in its process: taken where a run begins, and put in place in each worker process.

Environment variables, working directory, `sys.path`, locale, decimal context and warning filters. Each job begins with those
of its run, whatever a node that ran in the same worker before has changed.
"""

from __future__ import annotations

import builtins
import locale
import os
import sys
import time
import warnings
from typing import Any, NamedTuple

from ..engine.errors import FuseError, message_of

__all__ = ["Surroundings", "put_in_place", "take", "thread_limits"]

#: Variables that numerical libraries read when they are loaded, for the number of their threads.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class Surroundings(NamedTuple):
    """What surrounds a node.

    Attributes:
        environment: Environment variables.
        folder: The working directory.
        path: `sys.path`.
        locale: As `locale.setlocale` takes it.
        decimal: Arguments of `decimal.Context`; None if this process has not imported `decimal`.
        filters: Warning filters, with the category by the names of its module and itself.
    """

    environment: dict[str, str]
    folder: str
    path: list[str]
    locale: str
    decimal: dict[str, Any] | None
    filters: list[tuple[str, Any, tuple[str, str], Any, int]]


def take(limits: dict[str, str]) -> Surroundings:
    """The surroundings of this thread, now.

    Args:
        limits: Further environment variables, see `thread_limits`.

    Raises:
        FuseError: The working directory is gone.
    """
    try:
        folder = os.getcwd()
    except OSError as error:
        raise FuseError(
            f"worker processes start in the working directory, and that is gone ({message_of(error)}): "
            "change to another one with os.chdir()"
        ) from error
    filters = [
        (action, message, (category.__module__, category.__name__), module, line)  # type: ignore[union-attr]
        for action, message, category, module, line in warnings.filters
    ]
    path = [entry for entry in sys.path if isinstance(entry, str)]
    decimal = sys.modules.get("decimal")
    context = None if decimal is None else _arguments(decimal.getcontext())
    return Surroundings(
        {**os.environ, **limits}, folder, path, locale.setlocale(locale.LC_ALL), context, filters
    )


def thread_limits(workers: int) -> dict[str, str]:
    """Environment variables that share this machine's CPUs among worker processes; none that the person has set.

    Libraries for linear algebra start a thread for each CPU, so that `n` workers would have `n` threads for each CPU.
    """
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:  # most libraries follow it unless told otherwise
        return {}
    import loky

    count = str(max(1, loky.cpu_count() // workers))
    return {name: count for name in THREADS if name not in os.environ}


#: Environment variables that this worker process has and its parent has not.
_own: dict[str, str] | None = None


def put_in_place(surroundings: Surroundings) -> None:
    """Let this process have these surroundings.

    Raises:
        FuseError: It cannot.
    """
    _set_environment(surroundings.environment)
    if sys.path != surroundings.path:
        sys.path[:] = surroundings.path
    try:
        if _folder() != surroundings.folder:
            os.chdir(surroundings.folder)
    except OSError as error:
        raise FuseError(
            f"the worker process cannot change to the working directory {surroundings.folder!r}: {message_of(error)}"
        ) from error
    try:
        if locale.setlocale(locale.LC_ALL) != surroundings.locale:
            locale.setlocale(locale.LC_ALL, surroundings.locale)
    except locale.Error as error:
        raise FuseError(
            f"the worker process cannot change to the locale {surroundings.locale!r}: {message_of(error)}"
        ) from error
    _set_decimal(surroundings.decimal)
    _set_filters(surroundings.filters)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _set_environment(wanted: dict[str, str]) -> None:
    global _own
    if _own is None:
        _own = {name: value for name, value in os.environ.items() if name not in wanted}
    wanted = {**_own, **wanted}
    now = dict(os.environ)
    if now == wanted:
        return
    for name in now.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if now.get(name) != value:
            os.environ[name] = value
    if now.get("TZ") != wanted.get("TZ") and hasattr(time, "tzset"):
        time.tzset()


def _arguments(context: Any) -> dict[str, Any]:
    return {
        "prec": context.prec,
        "rounding": context.rounding,
        "Emin": context.Emin,
        "Emax": context.Emax,
        "capitals": context.capitals,
        "clamp": context.clamp,
        "flags": [signal for signal, raised in context.flags.items() if raised],
        "traps": [signal for signal, trapped in context.traps.items() if trapped],
    }


def _set_decimal(arguments: dict[str, Any] | None) -> None:
    if arguments is None and "decimal" not in sys.modules:
        return
    import decimal

    context = decimal.Context() if arguments is None else decimal.Context(**arguments)
    decimal.setcontext(context)


#: The filters that were put in place last, and what `warnings.filters` was then.
_wanted: list[Any] | None = None
_filters: list[Any] = []


def _set_filters(wanted: list[Any]) -> None:
    global _wanted, _filters
    if _wanted == wanted and warnings.filters == _filters:
        return
    _wanted = wanted
    _filters = [
        (action, message, _category(*category), module, line)
        for action, message, category, module, line in wanted
    ]
    warnings.resetwarnings()  # lets warnings that were shown once be looked at again
    warnings.filters.extend(_filters)  # type: ignore[attr-defined]


class _ByName(type):
    """A class of warnings whose module this process may not have imported: a subclass is known by the names."""

    def __subclasscheck__(cls, other: type) -> bool:
        return any((base.__module__, base.__name__) == cls.name for base in other.__mro__)  # type: ignore[attr-defined]


def _category(module: str, name: str) -> type:
    if module == "builtins":
        found: type = getattr(builtins, name)
        return found
    return _ByName(name, (Warning,), {"name": (module, name)})
