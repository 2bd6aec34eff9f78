"""What the package tells IPython, so that neither the engine nor the backends need to know it.

- A workflow at the end of a cell shows itself as a `DAGWidget`, a query its nodes.
- Running a cell again replaces the nodes that it made before.
- What a node displays is kept with the node, and shown only in the cell of its run.
- `input()` of a node that no cell waits for raises.
- The traceback of an error that this package raises ends with the line of the person.
- At the end of each cell the widgets that are open show what the cell may have changed.
"""

from __future__ import annotations

import contextlib
import functools
import opcode
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from ._compat import in_cell_of_context, on_idle_interrupt, separate_figures, show_figures
from .engine import cells, output, run
from .engine._imports import when_imported


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
    _shorten_tracebacks(shell)
    shell.events.register("pre_run_cell", _begin_cell)
    shell.events.register("post_run_cell", _end_cell)
    _begin_current_cell(shell)
    _hear_interrupts(shell)
    _keep_displays(shell)
    _refuse_input(shell)
    when_imported("matplotlib._pylab_helpers", _keep_figures)


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


def _shorten_tracebacks(shell: Any) -> None:
    """Let the tracebacks of errors that this package raises end with the line of the person; `%debug` then ends there too.

    `__tracebackhide__` would not do: IPython always shows the last frame.
    """
    show = shell.showtraceback

    @functools.wraps(show)
    def show_shortened(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> Any:
        _shorten((exc_tuple or sys.exc_info())[1])
        return show(exc_tuple, *args, **kwargs)

    shell.showtraceback = show_shortened


def _shorten(error: BaseException | None) -> None:
    """Cut the traceback of an error, and those of its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        _cut(error.__traceback__)
        above = None if error.__suppress_context__ else error.__context__
        error = above if error.__cause__ is None else error.__cause__


def _cut(traceback: TracebackType | None) -> None:
    """Let a traceback that ends in a `raise` of ours end with the last frame that is not ours, if there is one."""
    last = end = None
    step = traceback
    while step is not None:
        if not _is_ours(step):
            last = step
        step, end = step.tb_next, step
    if last is not None and end is not None and _is_ours(end) and _raises(end):
        last.tb_next = None


def _is_ours(step: TracebackType) -> bool:
    return f"{step.tb_frame.f_globals.get('__name__', '')}.".startswith(_PACKAGE)


def _raises(step: TracebackType) -> bool:
    """Whether a frame stands at a `raise`; an error that comes from anywhere else may be a fault of ours."""
    code = step.tb_frame.f_code.co_code
    return 0 <= step.tb_lasti < len(code) and code[step.tb_lasti] == _RAISE


_PACKAGE = f"{__name__.partition('.')[0]}."
_RAISE = opcode.opmap["RAISE_VARARGS"]


def _begin_cell(info: Any) -> None:
    if not _hears_interrupts:
        _hear_interrupts(_shell())
    cell_id = getattr(info, "cell_id", None) or None
    cells.begin(cell_id)
    display = sys.modules.get("fuse_widgets.widget.display")
    if display is not None:
        display.cell_begins(cell_id)


#: Whether SIGINT reaches runs in the background while no cell runs.
_hears_interrupts = False


def _hear_interrupts(shell: Any) -> None:
    """Let the kernel's interrupt end runs in the background, such as a click on Run begins, while no cell runs."""
    global _hears_interrupts
    presses: SimpleQueue[None] = SimpleQueue()
    # Nothing else is done in a signal handler: what it interrupts may hold any lock.
    _hears_interrupts = on_idle_interrupt(shell, lambda number, frame: presses.put(None))
    if not _hears_interrupts:
        return

    def interrupt() -> None:
        while True:
            presses.get()
            for one in run.in_background():
                one.interrupt()

    with contextlib.suppress(RuntimeError):  # no threads here, and so no runs in the background
        threading.Thread(target=interrupt, name="fuse interrupts", daemon=True).start()


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
    """Keep what nodes display with them, and show it only where their run has a cell."""
    publisher = shell.display_pub
    publish, clear = publisher.publish, publisher.clear_output

    def publish_and_keep(data: Any = None, *args: Any, **kwargs: Any) -> Any:
        who = output.printer.get()
        if who is None:
            return publish(data, *args, **kwargs)
        tail = who.tail()
        tail.settle()
        if isinstance(data, dict):
            metadata = args[0] if args else kwargs.get("metadata")
            display_id = (kwargs.get("transient") or {}).get("display_id")
            who.display(output.Display(data, metadata or {}, display_id, bool(kwargs.get("update"))))
        if not who.shown:
            return None
        with _for_nobody(), in_cell_of_context(publisher):
            return publish(data, *args, **kwargs)

    def clear_and_forget(wait: bool = False) -> Any:
        who = output.printer.get()
        if who is None:
            display = sys.modules.get("fuse_widgets.widget.display")
            if display is not None:
                display.cleared(wait=wait)
            return clear(wait)
        tail = who.tail()
        tail.settle()
        tail.clear(wait)
        if not who.shown:
            return None
        with _for_nobody(), in_cell_of_context(publisher):
            return clear(wait)

    publisher.publish, publisher.clear_output = publish_and_keep, clear_and_forget

    def show(piece: output.Display | output.Clear) -> None:
        if isinstance(piece, output.Clear):
            publisher.clear_output(piece.wait)
            return
        options: dict[str, Any] = {"update": True} if piece.update else {}
        if piece.display_id is not None:
            options["transient"] = {"display_id": piece.display_id}
        publisher.publish(data=piece.data, metadata=piece.metadata, **options)

    output.set_publisher(show)


@contextlib.contextmanager
def _for_nobody() -> Iterator[None]:
    """Let what is printed in here reach the cell alone: a terminal prints what it is to display."""
    token = output.printer.set(None)
    try:
        yield
    finally:
        output.printer.reset(token)


def _keep_figures() -> None:
    """Give each node figures of its own in pyplot, and show those that it leaves open when it ends, as a cell does."""
    if separate_figures(_owner_of_figures):
        output.set_after_node(show_figures)


def _owner_of_figures(making: bool) -> object:
    """What the figures of this context belong to: the output of the node that runs in it; None outside of nodes."""
    who = output.printer.get()
    if who is None:
        return None
    return who.tail() if making else who.outputs.get(who.name, _NOBODY)


#: Owns the figures of nodes that have made none, and so none.
_NOBODY = output.Tail()


def _refuse_input(shell: Any) -> None:
    """Let `input()` of a node raise if no cell waits for its run: a kernel would ask in whichever cell runs, or nobody."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return
    output.set_cells_answer(True)
    for name in ("raw_input", "getpass"):
        setattr(kernel, name, _asking(getattr(kernel, name)))


def _asking(ask: Any) -> Any:
    @functools.wraps(ask)
    def asks(*args: Any, **kwargs: Any) -> Any:
        output.refuse_input()
        return ask(*args, **kwargs)

    return asks
