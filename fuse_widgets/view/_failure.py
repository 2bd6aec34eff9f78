"""What went wrong in a node, as plain data: type, message, frames of the traceback, and its text."""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Mapping
from typing import Any

from ..engine import cells
from ._text import one_line, plain

__all__ = ["failure", "frames", "in_words", "why_again"]

#: Frames that are told, innermost first, and characters of a message.
FRAMES, MESSAGE = 100, 4_000
_HEADER = re.compile(r"[ |+]*Traceback \(most recent call last\):")
_GROUP = re.compile(r"[ |+]*Exception Group Traceback \(most recent call last\):")
_FRAME = re.compile(r'[ |]*File "(?P<file>.*)", line (?P<line>\d+), in (?P<function>.*)')
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARY = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")} - {None})
_INSTALLED = ("site-packages", "dist-packages")
#: Installed packages whose frames say nothing about a person's code.
_PLUMBING = ("loky", "cloudpickle", "joblib", "ray")


def failure(error: Mapping[str, Any], root: int | None) -> dict[str, Any]:
    """An error as the inspector shows it.

    Args:
        error: `type`, `message` and `traceback`, from the detail of an event.
        root: The node that failed first, where it is another one: then its traceback stands there.
    """
    text = "" if root is not None else str(error.get("traceback", ""))
    return {
        "type": one_line(str(error.get("type", "Failed")), 200),
        "message": plain(str(error.get("message", "")), MESSAGE),
        "frames": frames(text),
        "text": plain(_with_labels(text), end=True),
        "root": root,
    }


def _with_labels(text: str) -> str:
    """A traceback with `In[3]` in place of the file that IPython gave the code of that cell."""

    def labelled(line: str) -> str:
        match = _FRAME.fullmatch(line)
        label = match and cells.label(match["file"])
        return line.replace(f'File "{match["file"]}"', label, 1) if match and label else line

    return "\n".join(map(labelled, text.split("\n")))


def in_words(error: Mapping[str, Any]) -> str:
    """`ValueError: no luck`, in one line."""
    kind, message = str(error.get("type", "Failed")), plain(str(error.get("message", "")), MESSAGE)
    return one_line(f"{kind}: {message}" if message else kind)


def why_again(detail: Mapping[str, Any]) -> str:
    """Why a node is tried again, from what its event says: the error, or the loss of its worker; "" where unknown."""
    return in_words(detail["error"]) if "error" in detail else one_line(str(detail.get("why") or ""))


def frames(text: str) -> list[dict[str, Any]]:
    """The frames of the last traceback in a text that has any, innermost first.

    Text is all there is of an error from another process; where one error led to another, the last one stands last.
    """
    found: list[dict[str, Any]] = []
    block: list[dict[str, Any]] = []
    inside = True
    for line in text.splitlines():
        if _HEADER.fullmatch(line) or _GROUP.fullmatch(line):
            found, block, inside = block or found, [], True
        elif not inside:
            continue
        elif match := _FRAME.fullmatch(line):
            block.append(_frame(match))
        elif not line.startswith((" ", "|")):
            inside = False  # the error itself; its message may look like anything
        elif block and not block[-1]["code"] and (code := line.strip(" |")) and not set(code) <= set("^~"):
            block[-1]["code"] = one_line(code)
    return (block or found)[: -FRAMES - 1 : -1]


def _frame(match: re.Match[str]) -> dict[str, Any]:
    file = match["file"]
    return {
        "file": one_line(cells.label(file) or file, 400),
        "line": int(match["line"]),
        "function": one_line(match["function"], 200),
        "code": "",
        "inner": _is_inner(file),
    }


def _is_inner(file: str) -> bool:
    if file.startswith(("<frozen ", _PACKAGE + os.sep)):
        return True
    for place in _INSTALLED:
        _, found, rest = file.partition(f"{os.sep}{place}{os.sep}")
        if found:
            return rest.partition(os.sep)[0] in _PLUMBING
    return bool(_LIBRARY) and file.startswith(tuple(path + os.sep for path in _LIBRARY))
