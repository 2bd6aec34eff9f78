"""The end of what a node has printed, as plain data: `Printed` of types.ts."""

from __future__ import annotations

from typing import Any

from ..engine.output import Tail
from ._text import plain

__all__ = ["KEPT", "printed"]

#: Bytes that travel, and how far a cut may move to the beginning of a line.
KEPT, _LINE = 32_768, 2_048


def printed(tail: Tail | None) -> dict[str, Any]:
    """`text`, the last 32 kB that were printed, from the beginning of a line where one is near, and `cut`: the
    characters before that."""
    if tail is None:
        return {"text": "", "cut": 0}
    pieces, cut = tail.pieces(KEPT)
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    written = cut + len(text)
    data = text.encode("utf-8", "replace")
    if len(data) > KEPT:
        text = data[-KEPT:].decode("utf-8", "ignore")
    if len(text) < written:
        start = text.find("\n", 0, _LINE) + 1
        text = text[start:]
    return {"text": plain(text, KEPT + 3, end=True), "cut": written - len(text)}
