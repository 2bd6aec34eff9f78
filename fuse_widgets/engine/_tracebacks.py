"""Tracebacks as plain data, and real traceback objects made of them in another process.

The frames are real frames of generators that wait at their only line, whose code has the file, the name and the positions of the original.
So everything that shows a traceback, as `traceback`, IPython, pdb and pytest do, shows these as it shows any other. The variables are not there.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import sys
from collections.abc import Iterable
from types import CodeType, FunctionType, TracebackType
from typing import Any, NamedTuple

__all__ = ["Frame", "Lines", "frames_of", "lines_of", "traceback_of"]

#: Frames that travel, half from each end.
MOST = 4_000
#: Lines before and after a frame's own that travel, as IPython shows them.
AROUND = 3
#: Lines that a frame's own expression may have.
LONGEST = 50
#: Characters of a line that travel.
WIDEST = 2_000


class Frame(NamedTuple):
    """One frame of a traceback.

    Attributes:
        file, line, end_line, column, end_column: Where it was; None for what Python does not know. Columns count bytes of UTF-8.
        name, qualname, module: The function, and the module's `__name__`.
        first: The function's first line.
        arguments: The names of its positional arguments, then those of `*args` and `**kwargs`, "" if there are none.
    """

    file: str
    line: int
    end_line: int | None
    column: int | None
    end_column: int | None
    name: str
    qualname: str
    module: str
    first: int
    arguments: tuple[tuple[str, ...], str, str]


#: Lines by file and number.
Lines = dict[str, dict[int, str]]


def frames_of(trace: TracebackType | None) -> tuple[Frame, ...]:
    """Return the frames of a traceback, outermost first; of a very long one those at both ends."""
    steps = []
    while trace is not None:
        steps.append(trace)
        trace = trace.tb_next
    if len(steps) > MOST:
        steps = steps[: MOST // 2] + steps[-(MOST // 2) :]
    return tuple(map(_frame, steps))


def _frame(trace: TracebackType) -> Frame:
    code = trace.tb_frame.f_code
    line, end_line, column, end_column = trace.tb_lineno, None, None, None
    if sys.version_info >= (3, 11) and trace.tb_lasti >= 0:
        found = next(itertools.islice(code.co_positions(), trace.tb_lasti // 2, None), None)
        if found is not None and found[0] == line:
            _, end_line, column, end_column = found
    names, count = code.co_varnames, code.co_argcount + code.co_kwonlyargcount
    several, named = bool(code.co_flags & 0x04), bool(code.co_flags & 0x08)  # CO_VARARGS, CO_VARKEYWORDS
    arguments = (
        names[:count],
        names[count] if several else "",
        names[count + several] if named else "",
    )
    module = trace.tb_frame.f_globals.get("__name__")
    return Frame(
        code.co_filename,
        max(line or code.co_firstlineno, 1),
        end_line,
        column,
        end_column,
        code.co_name,
        getattr(code, "co_qualname", code.co_name),
        module if isinstance(module, str) else "",
        code.co_firstlineno,
        arguments,
    )


def lines_of(frames: Iterable[Frame]) -> Lines:
    """Return the source lines of some frames, and a few around each, as far as this process knows them."""
    found: Lines = {}
    for file, line, end in dict.fromkeys((f.file, f.line, f.end_line) for f in frames):
        if file not in found:
            linecache.checkcache(file)
        lines = found.setdefault(file, {})
        last = min(end or line, line + LONGEST)
        for number in range(max(line - AROUND, 1), last + AROUND + 1):
            if number not in lines and (text := linecache.getline(file, number)):
                lines[number] = text[:WIDEST]
    return found


def traceback_of(frames: Iterable[Frame], lines: Lines) -> TracebackType | None:
    """Return a traceback of these frames.

    Args:
        frames: Outermost first.
        lines: What `lines_of` returned in the process that raised.
    """
    codes: dict[Frame, tuple[CodeType, int]] = {}
    files: dict[str, str] = {}
    trace: TracebackType | None = None
    for frame in reversed(tuple(frames)):
        if frame.file not in files:
            files[frame.file] = _shown_as(frame.file, lines.get(frame.file, {}))
        code, instruction = codes.get(frame) or codes.setdefault(frame, _code(frame, files[frame.file]))
        space: dict[str, Any] = {"__name__": frame.module, "__builtins__": {}}
        start = FunctionType(code, space)
        several, named = frame.arguments[1:]
        values = [_NOT_HERE] * (code.co_argcount + bool(several))
        generator = start(*values, **({"...": _NOT_HERE} if named else {}))
        # Its frame stands at the line of the failure once it has begun, and as long as the generator is there.
        space["__generator__"] = generator
        next(generator)
        trace = TracebackType(trace, generator.gi_frame, instruction, frame.line)
    return trace


class _NotHere:
    """Stands for the value of an argument."""

    def __repr__(self) -> str:
        return "<not in this process>"


_NOT_HERE = _NotHere()


def _shown_as(file: str, lines: dict[int, str]) -> str:
    """Return a name under which `linecache` here has these lines.

    That is the name of the file itself, unless a file of this name has other lines here, as on another machine of a cluster.
    """
    different = [n for n, line in lines.items() if not _same(linecache.getline(file, n), line)]
    if not different:
        return file
    known = linecache.getlines(file)
    if known:
        # Only lines that are not there at all are put in: the file may have been edited since.
        file = f"{file} (as in the worker)"
        known = linecache.getlines(file)
    merged = known + ["\n"] * (max(lines) - len(known))
    for number, line in lines.items():
        merged[number - 1] = line
    linecache.cache[file] = (sum(map(len, merged)), None, merged, file)
    return file


def _same(here: str, there: str) -> bool:
    return here[:WIDEST].rstrip("\r\n") == there.rstrip("\r\n")


def _code(frame: Frame, file: str) -> tuple[CodeType, int]:
    """Return code of a generator at the positions of a frame, and the offset of the instruction that has them."""
    names, several, named = frame.arguments
    arguments = [name for name in names if name.isidentifier()]
    arguments += [f"*{several}"] if several else []
    arguments += [f"**{named}"] if named else []
    module = ast.parse(f"def frame({', '.join(arguments)}): yield")
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    first, end = max(frame.first, 1), frame.end_line or frame.line
    for node in ast.walk(module):
        vars(node).update(lineno=first, end_lineno=first, col_offset=0, end_col_offset=0)
    for node in ast.walk(function.body[0]):
        vars(node).update(lineno=frame.line, end_lineno=end)
        vars(node).update(col_offset=frame.column or 0, end_col_offset=frame.end_column or 0)
    outer = compile(module, file, "exec", dont_inherit=True)
    code = next(constant for constant in outer.co_consts if isinstance(constant, CodeType))
    position = (frame.line, frame.end_line, frame.column, frame.end_column)
    if sys.version_info >= (3, 11):
        code = code.replace(co_name=frame.name, co_qualname=frame.qualname)
        places = [number for number, found in enumerate(code.co_positions()) if found == position]
        return code, 2 * places[0] if places and None not in position else -1
    return code.replace(co_name=frame.name), -1
