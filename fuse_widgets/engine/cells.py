"""Which notebook cell makes a node, so that running the cell again replaces what it made before.

The engine knows nothing of IPython: whoever does calls `begin` and `end` around each cell.

State (owned by the thread that executes cells): which nodes a cell made, weakly, and the numbers it used.
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from ._definitions import Unit, begin_cell, end_cell

if TYPE_CHECKING:
    from ._node import Node


class _Cell:
    def __init__(self) -> None:
        self.unit = Unit()
        self.nodes: list[weakref.ref[Node]] = []
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self.used: dict[str, int] = defaultdict(int)


_lock = threading.Lock()
_next: dict[str, int] = defaultdict(int)
_cells: dict[str, _Cell] = {}
_label: Callable[[str], str | None] | None = None
#: The cells that run now, each within the one before.
_running: list[_Cell] = []


def begin(cell_id: str | None) -> None:
    """A cell starts: forget the nodes its earlier execution made, and number new ones as those were.

    Args:
        cell_id: Identifies the cell; None for code that is run without being one, whose nodes stay.
    """
    from ._node import forget

    cell = _Cell() if cell_id is None else _cells.setdefault(cell_id, _Cell())
    for ref in reversed(cell.nodes):
        node = ref()
        if node is not None:
            forget(node)
    cell.nodes.clear()
    cell.used.clear()
    begin_cell(cell.unit)
    _running.append(cell)


def end(*, complete: bool = True) -> None:
    """The cell has ended: nodes made from now on belong to the one that it ran in, if there is one.

    Args:
        complete: False if an error ended it, so that it did not come to everything that it defines.
    """
    if _running:
        _running.pop()
    end_cell(complete=complete)


def is_running() -> bool:
    """Whether a cell is being executed."""
    return bool(_running)


def label(file: str) -> str | None:
    """What a person calls the cell whose code is `file`, for example `In[3]`; None for other files."""
    return None if _label is None else _label(file)


def set_label(function: Callable[[str], str | None]) -> None:
    """Let `function` say what a person calls the cell whose code is a file."""
    global _label
    _label = function


def register(node: Node, qualname: str) -> int:
    """Note that the current cell makes `node`; its number among the nodes of this qualified name."""
    with _lock:
        cell = _running[-1] if _running else None
        if cell is None:
            number = _next[qualname]
            _next[qualname] = number + 1
            return number
        cell.nodes.append(weakref.ref(node))
        numbers, used = cell.numbers[qualname], cell.used[qualname]
        if used == len(numbers):
            numbers.append(_next[qualname])
            _next[qualname] += 1
        cell.used[qualname] = used + 1
        return numbers[used]
