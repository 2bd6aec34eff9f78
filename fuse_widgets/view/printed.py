"""The end of what a node has printed and displayed, as plain data: `Printed` of types.ts."""

from __future__ import annotations

from typing import Any

from ..engine.output import Tail
from ._text import plain

__all__ = ["KEPT", "printed"]

#: Bytes that travel, and how far a cut may move to the beginning of a line.
KEPT, _LINE = 32_768, 2_048


def printed(tail: Tail | None) -> dict[str, Any]:
    """`pieces`, the last 32 kB that were printed, from the beginning of a line if one is near, and among them the displays;
    `cut`, the characters before that; and `dropped`, the earlier displays that are not kept.

    A display is `{number, edition}`; the browser asks for it when it shows it.
    """
    if tail is None:
        return {"pieces": [], "cut": 0, "dropped": 0}
    found, cut = tail.pieces(KEPT)
    too_many = sum(len(piece.encode("utf-8", "replace")) for piece in found if isinstance(piece, str)) - KEPT
    pieces: list[Any] = []
    for piece in found:
        if not isinstance(piece, str):
            pieces.append({"number": piece.number, "edition": piece.edition})
            continue
        text = piece
        if too_many > 0:
            data = piece.encode("utf-8", "replace")
            text = data[too_many:].decode("utf-8", "ignore")
            too_many -= len(data)
        cut += len(piece) - len(text)
        if cut and text and not any(isinstance(before, str) for before in pieces):
            start = text.find("\n", 0, _LINE) + 1
            text, cut = text[start:], cut + start
        if text := plain(text, KEPT + 3, end=True):
            pieces.append(text)
    return {"pieces": pieces, "cut": cut, "dropped": tail.dropped}
