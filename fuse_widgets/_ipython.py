"""What the package tells IPython, so that neither the engine nor the backends need to know it.

- A workflow at the end of a cell shows itself as a `DAGWidget`, a query its nodes.
- Running a cell again replaces the nodes that it made before.
- What a node displays is kept with the node.
- An error of ours shows the code of the person, and none of ours.
- At the end of each cell the widgets that are open show what the cell may have changed.
"""

from __future__ import annotations

import functools
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
    """The lines that IPython shows of an error, without our frames at the end of its traceback; `%debug` then ends there too."""
    _cut(error.__traceback__)
    tell = _shell().InteractiveTB.structured_traceback
    return list(tell(type(error), error, error.__traceback__, tb_offset=1))


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
        cells.end(complete=bool(getattr(result, "success", True)))
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
