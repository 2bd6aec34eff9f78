"""Texts of pictures: made safe, shortened, durations. The browser's are in js/src/core/format.ts; keep them alike."""

from __future__ import annotations

import html
import math
import re
import unicodedata

from .layout import text_width

__all__ = ["BLOCK", "bounded", "duration", "escaped", "one_line", "plain", "shorten"]

# what XML 1.0 does not allow, halves of surrogate pairs among it
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_JOINER = "\u200d"
#: Longest text that travels to the browser, in bytes of UTF-8.
BLOCK = 65_536
_TERMINAL = re.compile(r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str, limit: int = BLOCK, *, end: bool = False) -> str:
    """Text of several lines as it may travel and be shown.

    Without terminal codes, control characters and lone surrogates; what a carriage return has overwritten is gone.

    Args:
        text: Any text.
        limit: Bytes of UTF-8 that are kept.
        end: Keep the end, not the beginning.
    """
    if len(text) > 4 * limit:  # codes and the like go; no need to look at more
        text = text[-4 * limit :] if end else text[: 4 * limit]
    text = _TERMINAL.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join([line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")])
    return bounded(_CONTROL.sub("", text), limit, end=end)


def bounded(text: str, limit: int = BLOCK, *, end: bool = False) -> str:
    """Valid Unicode of at most `limit` bytes, with an ellipsis where something is missing."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    room = limit - 3
    return (
        f"…{data[-room:].decode('utf-8', 'ignore')}" if end else f"{data[:room].decode('utf-8', 'ignore')}…"
    )


def escaped(text: str) -> str:
    """Text as it may stand in XML and HTML, in an element or an attribute."""
    return html.escape(_ILLEGAL.sub("\ufffd", text))


def one_line(text: str, limit: int = 240) -> str:
    """One line without terminal codes, control and format characters, at most `limit` characters (the middle goes)."""
    if len(text) > 4 * limit:
        text = f"{text[: 2 * limit]}…{text[-2 * limit :]}"
    text = _TERMINAL.sub("", text)
    unsafe = ("Cc", "Cf", "Cs", "Zl", "Zp")
    line = "".join([" " if c != _JOINER and unicodedata.category(c) in unsafe else c for c in text])
    line = re.sub(" {2,}", " ", line).strip()
    if len(line) <= limit:
        return line
    keep = (limit - 1) // 2
    return f"{line[:keep]}…{line[-keep:]}"


def shorten(text: str, width: float, size: float) -> str:
    """The text with its middle replaced by an ellipsis where it is wider than `width` px.

    The end keeps a little more than the beginning, since people put what differs at the end.
    """
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(_without_middle(text, middle), size) <= width:
            low = middle
        else:
            high = middle - 1
    return _without_middle(text, low)


def _without_middle(text: str, keep: int) -> str:
    head = int(keep * 0.45)
    tail = text[len(text) - (keep - head) :]
    while tail and unicodedata.combining(tail[0]):
        tail = tail[1:]  # an accent whose letter went
    return f"{text[:head].rstrip()}…{tail.lstrip()}"


def duration(seconds: float | None, *, running: bool = False) -> str:
    """`<1 ms`, `12 ms`, `0.31 s`, `12.3 s`, `2:05 min`, `1:02 h`; empty where unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    seconds = max(0.0, seconds)
    if seconds >= 59.95:
        whole = round(seconds)
        if whole < 3600:
            return f"{whole // 60}:{whole % 60:02d} min"
        minutes = round(seconds / 60)
        return f"{minutes // 60}:{minutes % 60:02d} h"
    if running or seconds >= 9.995:
        return f"{seconds:.1f} s"
    if seconds < 0.001:
        return "<1 ms"
    return f"{round(seconds * 1000)} ms" if seconds < 0.0995 else f"{seconds:.2f} s"
