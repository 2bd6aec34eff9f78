"""What the backends use of other packages that is not public there, each guarded.

`tests/test_compat.py` says what breaks; `test_module_sync.py`, `test_processes.py`, `test_prints.py` and `test_displays.py` in
`tests/backends` test these uses.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ..storage._cloudpickle import with_slots

__all__ = [
    "call_before_threads_end",
    "class_by_value",
    "close_figures",
    "flush_c_stdout",
    "function_by_value",
    "keep_large_workers",
    "make_shell",
]


def call_before_threads_end(function: Callable[[], object]) -> None:
    """Call a function when the program ends, before Python waits for threads; the newest first.

    loky and `concurrent.futures` use the same private function of `threading`. Without it the function is called later: the
    program then waits for the jobs of worker processes that still run.
    """
    getattr(threading, "_register_atexit", atexit.register)(function)


@functools.cache
def _c_stdout() -> Callable[[], Any] | None:
    """What flushes the standard output of C in this process; None where it cannot be found."""
    try:
        library = ctypes.CDLL(None)
        stream = ctypes.c_void_p.in_dll(library, "__stdoutp" if sys.platform == "darwin" else "stdout")
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return lambda: library.fflush(stream)


def flush_c_stdout() -> None:
    """Write out what compiled code has printed by `printf`, which C holds back."""
    flush = _c_stdout()
    if flush is not None:
        flush()


def make_shell(
    publish: Callable[[dict[str, Any], dict[str, Any] | None, str | None, bool], object],
    clear: Callable[[bool], object],
) -> Any:
    """Make the shell of IPython in this process one that runs nothing and only formats what is displayed.

    `display()` prints a `repr` in a process without a shell. A whole `InteractiveShell` opens a history and replaces hooks of
    the interpreter, so its `__init__` is passed over.

    Args:
        publish: Gets the MIME bundle of each display, its metadata, its id, and whether it is an update.
        clear: Called by `clear_output()`.
    """
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.events import EventManager, available_events
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.interactiveshell import InteractiveShell

    class Publisher(DisplayPublisher):
        def publish(self, data: Any, metadata: Any = None, source: Any = None, **options: Any) -> None:
            display_id = (options.get("transient") or {}).get("display_id")
            publish(data, metadata, display_id, bool(options.get("update")))

        def clear_output(self, wait: bool = False) -> None:
            clear(wait)

    class Shell(InteractiveShell):
        def __init__(self, **options: Any) -> None:
            super(InteractiveShell, self).__init__(**options)
            self.configurables = [self]
            self.user_ns, self.ns_table = {}, {}
            self.events = EventManager(self, available_events)
            self.display_formatter = DisplayFormatter(parent=self)
            self.display_pub = Publisher(parent=self)  # type: ignore[no-untyped-call]

        def showtraceback(self, *args: Any, **options: Any) -> None:
            traceback.print_exc()

    return Shell.instance()


def close_figures() -> None:
    """Let go of the figures that pyplot has in this process: they belong to the job that is over."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is not None and getattr(getattr(helpers, "Gcf", None), "figs", None):
        sys.modules["matplotlib.pyplot"].close("all")


def class_by_value(cls: type) -> tuple[Any, ...] | None:
    """What a pickler needs to pickle a class by value, even if its name leads to it; None where cloudpickle has no such function.

    cloudpickle does this for all classes of a module by its public `register_pickle_by_value`, not for one of them.
    """
    from cloudpickle import cloudpickle

    reduce = getattr(cloudpickle, "_dynamic_class_reduce", None)
    if reduce is None:
        return None
    reduced: tuple[Any, ...] = reduce(cls)
    state = reduced[2]
    if isinstance(state, tuple) and state and isinstance(state[0], dict):
        state[0].setdefault("__qualname__", cls.__qualname__)
    with_slots(cls, reduced)
    return reduced


def function_by_value(pickler: Any, func: Any) -> tuple[Any, ...] | None:
    """What a cloudpickle pickler needs to pickle a function with some globals of its own, even if its name leads to it."""
    reduce = getattr(pickler, "_dynamic_function_reduce", None)
    return None if reduce is None else reduce(func)


def keep_large_workers() -> None:
    """In a worker process: let loky not end it because it has grown, as it does where a module has loaded a model."""
    from loky import process_executor

    if hasattr(process_executor, "_MAX_MEMORY_LEAK_SIZE"):
        process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
