"""The source of code that runs in another process: its file or cell, and its lines, as data of ours.

What a pickler keeps of a function's file name differs from version to version, and a notebook cell has no file that another
process could read. So the file name and the lines travel beside the code, and `linecache` gets them where they arrive:
tracebacks, `warnings` and `inspect.getsource` there show what they show here.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

__all__ = ["Source", "located", "register", "source_of"]

#: A file, the number of the first line that is kept, and the text from there on.
Source = tuple[str, int, str]
#: Characters of a file that travel as a whole; of a longer one only the lines of the code itself do.
WHOLE = 50_000
#: Files whose text is kept, for the next function of the same cell.
KEPT = 200

#: By file: its lines as `linecache` had them, and the source made of them.
_made: dict[str, tuple[list[str], Source]] = {}


def source_of(code: CodeType) -> Source:
    """Return the file of some code and the lines around it. The text is empty if the lines are not known here."""
    file = code.co_filename
    lines = linecache.getlines(file)
    known = _made.get(file)
    if known is not None and known[0] is lines:
        return known[1]
    text = "".join(lines)
    if len(text) > WHOLE:
        first, last = code.co_firstlineno, max(_line_numbers(code))
        return file, first, "".join(lines[max(first, 1) - 1 : last])
    source = file, 1, text
    if lines:
        while len(_made) >= KEPT:
            _made.pop(next(iter(_made)), None)
        _made[file] = lines, source  # one object for all its code, so that a pickle holds the text once
    return source


def _line_numbers(code: CodeType) -> Iterator[int]:
    yield code.co_firstlineno
    yield from (line for _, _, line in code.co_lines() if line is not None)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _line_numbers(constant)


def located(make: Callable[..., CodeType], args: tuple[Any, ...], source: Source) -> CodeType:
    """Build unpickled code in the file it comes from, and make its lines known here.

    Args:
        make, args: How the pickler builds the code, under whatever file name.
        source: What `source_of` returned where it was pickled.
    """
    register(source)
    return make(*args).replace(co_filename=source[0])


def register(source: Source) -> None:
    """Let `linecache` know some lines of a file, unless it has the same lines already."""
    file, first, text = source
    if not text:
        return
    lines = text.splitlines(keepends=True)
    known = linecache.getlines(file)
    start = max(first, 1) - 1
    if known[start : start + len(lines)] == lines:
        return
    padding = ["\n"] * max(start - len(known), 0)
    merged = [*known[:start], *padding, *lines, *known[start + len(lines) :]]
    # No modification time: `linecache.checkcache` keeps the entry.
    linecache.cache[file] = (sum(map(len, merged)), None, merged, file)
