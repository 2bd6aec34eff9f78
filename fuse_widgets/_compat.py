"""What `_ipython` uses of ipykernel and matplotlib that is not public there, guarded.

`tests/test_compat.py` says what breaks; `tests/backends/test_displays.py` and `tests/widget/test_cells_of_output.py` test these uses.
"""

from __future__ import annotations

import contextlib
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["in_cell_of_context", "on_idle_interrupt", "separate_figures", "show_figures"]


def on_idle_interrupt(shell: Any, handler: Callable[[int, Any], object]) -> bool:
    """Let `handler` have the SIGINT that comes while no cell runs, in the main thread; ipykernel ignores it then.

    ipykernel sets its own handler for each message and puts back what `saved_sigint_handler` says. Without that attribute,
    the kernel's interrupt does not reach runs in the background, and the button Stop does.

    Returns:
        Whether that is so.
    """
    kernel: Any = getattr(shell, "kernel", None)
    if not hasattr(kernel, "saved_sigint_handler"):
        return False
    kernel.saved_sigint_handler = handler
    return True


@contextlib.contextmanager
def in_cell_of_context(publisher: Any) -> Iterator[None]:
    """Let what is displayed in here go to the cell that standard output goes to in this context.

    From ipykernel 7 on, displays do so by themselves. In 6, `sys.stdout` follows the context and displays go to whichever
    cell runs; there a hook, which is the thread's own, names the other cell.
    """
    stream = getattr(sys.stdout, "_fuse_stream", sys.stdout)
    header = getattr(stream, "parent_header", None)
    if header is None or hasattr(publisher, "set_thread_parent") or not hasattr(publisher, "register_hook"):
        yield
        return

    def into_cell(message: dict[str, Any]) -> dict[str, Any]:
        return {**message, "parent_header": dict(header)}

    publisher.register_hook(into_cell)
    try:
        yield
    finally:
        publisher.unregister_hook(into_cell)


_INLINE = "matplotlib_inline.backend_inline"
#: Backends whose figures no window shows.
_WITHOUT_WINDOWS = frozenset({"inline", f"module://{_INLINE}", "agg"})


class _Figures:
    """Stands in for `Gcf.figs`, the open figures of pyplot by number: each owner has some of its own.

    Args:
        figures: Those outside of nodes.
        owner: Returns whose figures this context sees, None for those outside of nodes; called with True to add one.
    """

    def __init__(self, figures: Any, owner: Callable[[bool], object]) -> None:
        self._common, self._owner = figures, owner
        self._of: WeakKeyDictionary[Any, OrderedDict[Any, Any]] = WeakKeyDictionary()

    def _mine(self, making: bool = False) -> Any:
        owner = self._owner(making) if _backend() in _WITHOUT_WINDOWS else None
        if owner is None:
            return self._common
        return self._of.setdefault(owner, OrderedDict()) if making else self._of.get(owner, {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mine(), name)

    def __getitem__(self, number: Any) -> Any:
        return self._mine()[number]

    def __setitem__(self, number: Any, manager: Any) -> None:
        self._mine(making=True)[number] = manager

    def __delitem__(self, number: Any) -> None:
        del self._mine()[number]

    def __contains__(self, number: object) -> bool:
        return number in self._mine()

    def __iter__(self) -> Iterator[Any]:
        numbers: Iterator[Any] = iter(self._mine())
        return numbers

    def __reversed__(self) -> Iterator[Any]:
        numbers: Iterator[Any] = reversed(self._mine())
        return numbers

    def __len__(self) -> int:
        return len(self._mine())


def _backend() -> str:
    """The backend of matplotlib; empty if none was chosen yet, which reading it would do."""
    parameters = getattr(sys.modules.get("matplotlib"), "rcParams", None)
    name = dict.get(parameters, "backend") if isinstance(parameters, dict) else None
    return name.lower() if isinstance(name, str) else ""


def separate_figures(owner: Callable[[bool], object]) -> bool:
    """Let each owner have open figures of its own in pyplot; whether that can be done.

    Args:
        owner: See `_Figures`.
    """
    manager = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    figures = getattr(manager, "figs", None)
    if isinstance(figures, OrderedDict):
        setattr(manager, "figs", _Figures(figures, owner))  # noqa: B010
        return True
    return isinstance(figures, _Figures)


def show_figures() -> None:
    """Show the open figures of this context and let go of them, as the inline backend does at the end of a cell."""
    show = getattr(sys.modules.get(_INLINE), "show", None)
    manager = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    if (
        show is not None
        and manager is not None
        and len(manager.figs)
        and _backend() in _WITHOUT_WINDOWS - {"agg"}
    ):
        show(True)
