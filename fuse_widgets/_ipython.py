"""What the package tells IPython, so that neither the engine nor the backends need to know it.

- A workflow at the end of a cell shows itself as a `DAGWidget`, a query its nodes.
- Running a cell again replaces the nodes that it made before.
- What a node displays is kept with the node.
- An error of ours shows the code of the person, and none of ours.
- At the end of each cell the widgets that are open show what the cell may have changed.
"""

from __future__ import annotations

import functools
import re
import sys
from types import TracebackType
from typing import Any

from .engine import cells, output
from .engine.errors import FuseError


def register() -> None:
    """Connect to the running IPython, if there is one; doing it again changes nothing."""
    shell = _shell()
    if shell is None or getattr(shell, "_fuse_widgets", False):
        return
    shell._fuse_widgets = True
    shell.display_formatter.ipython_display_formatter.for_type_by_name(
        "fuse_widgets.engine.workflow", "BaseWorkflow", _show_workflow
    )
    shell.display_formatter.ipython_display_formatter.for_type_by_name(
        "fuse_widgets.engine.query", "Query", _show_query
    )
    cells.set_label(_cell_label)
    # IPython asks an exception for its own way to be shown. Hidden frames would not do: the last one always shows.
    setattr(FuseError, "_render_traceback_", _render_traceback)  # noqa: B010
    cells.set_shorten(_shorten_traceback)
    shell.events.register("pre_run_cell", _begin_cell)
    shell.events.register("post_run_cell", _end_cell)
    _begin_current_cell(shell)
    _keep_displays(shell)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    get = getattr(ipython, "get_ipython", None)
    return None if get is None else get()


def _show_workflow(workflow: Any) -> None:
    from .widget.display import show_workflow

    show_workflow(workflow)


def _show_query(query: Any) -> None:
    from .widget.parts import show_query

    show_query(query)


def _cell_label(file: str) -> str | None:
    """`In[3]` for the file name that IPython gave the code of a cell."""
    shell = _shell()
    known = None if shell is None else shell.compile.format_code_name(file)
    return None if known is None else str(known[1])


def _shorten_traceback(error: BaseException) -> None:
    """Let one error be shown as those of ours are; a KeyboardInterrupt has a class that takes no methods."""
    setattr(error, "_render_traceback_", functools.partial(_render_traceback, error))  # noqa: B010


def _render_traceback(error: BaseException) -> Any:
    """The lines that IPython shows of an error, without our frames at the end of its traceback; `%debug` then ends there too.

    An error from another process has its traceback as a text, which comes first and says what that error says.
    """
    _cut(error.__traceback__)
    after, mode = _after_remote(error), _shell().InteractiveTB.mode
    if after is None or mode == "Minimal":
        return _lines(error)
    cause = after.__cause__
    after.__cause__ = None
    try:
        lines = _lines(error)
    finally:
        after.__cause__ = cause
    first = [_with_cells(cause.__cause__.traceback_text), f"\n{_LED_TO}\n"]  # type: ignore[union-attr]
    if mode == "Plain":  # its lines have their ends
        return [f"{line}\n" for line in first] + lines
    return [*lines[:1], *first, *lines[1:]]  # below the rule


def _lines(error: BaseException) -> list[str]:
    tell = _shell().InteractiveTB.structured_traceback
    return list(tell(type(error), error, error.__traceback__, tb_offset=1))


def _after_remote(error: BaseException) -> BaseException | None:
    """The error that was raised from one of another process; None where there is none in the chain of causes."""
    for _ in range(_CHAIN):
        cause = error.__cause__
        if cause is None or hasattr(cause.__cause__, "traceback_text"):
            return None if cause is None else error
        error = cause
    return None


def _with_cells(text: str) -> str:
    """A traceback that names notebook cells as IPython does, `Cell In[3], line 2`, in place of their files."""

    def named(line: str) -> str:
        frame = _FRAME.match(line)
        label = frame and _cell_label(frame[1])
        return line.replace(f'File "{frame[1]}"', f"Cell {label}", 1) if frame and label else line

    return "\n".join(map(named, text.strip("\n").split("\n")))


_FRAME = re.compile(r'[ |+-]*  File "(.+)", line \d+, in ')
#: Causes that are followed, since a chain may be a ring.
_CHAIN = 100
_LED_TO = "The above exception was the direct cause of the following exception:"


def _cut(traceback: TracebackType | None) -> None:
    """Let a traceback end with the last frame that is not ours, if there is one."""
    last = None
    step = traceback
    while step is not None:
        if not step.tb_frame.f_globals.get("__name__", "").startswith(_PACKAGE):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None


_PACKAGE = f"{__name__.partition('.')[0]}."


def _begin_cell(info: Any) -> None:
    cells.begin(getattr(info, "cell_id", None) or None)


def _end_cell(result: Any) -> None:
    code = getattr(getattr(result, "info", None), "raw_cell", None)
    if code is None or code.strip():  # IPython reports the end of empty cells, and not their beginning
        cells.end()
    live = sys.modules.get("fuse_widgets.widget.live")  # there is a widget only where this was imported
    if live is not None:
        live.cell_ended()


def _begin_current_cell(shell: Any) -> None:
    """The cell that imports the package began before anybody could tell us."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell_id = (parent.get("metadata") or {}).get("cellId")
    if cell_id:
        cells.begin(cell_id)


def _keep_displays(shell: Any) -> None:
    publisher = shell.display_pub
    publish = publisher.publish

    def publish_and_keep(data: Any = None, *args: Any, **kwargs: Any) -> Any:
        tail = output.current()
        if tail is not None and isinstance(data, dict):
            tail.settle()
            tail.display(data)
        return publish(data, *args, **kwargs)

    publisher.publish = publish_and_keep
