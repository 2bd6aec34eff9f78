"""The attempts of a run that gave nothing and were followed by another, as columns: `Missed` of types.ts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["KEPT", "Attempt", "Missed"]

#: Attempts of one node that are kept, the first ones: more of them could not be told apart in a drawing.
KEPT = 100


class Attempt(NamedTuple):
    """One attempt that gave nothing.

    Attributes:
        node: The place of the node in the graph.
        begin: Seconds since the run began.
        seconds: How long it lasted; where its worker was lost, until it died if that is known, else until it was noticed.
        attempt: 1 for the first try of the node.
        worker: 0 for none, else 1 + an index into the workers of the run.
        why: Why it ended, in one line.
    """

    node: int
    begin: float
    seconds: float
    attempt: int
    worker: int
    why: str


class Missed:
    """The missed attempts of one run, in the order in which they ended; nothing is ever taken out."""

    def __init__(self) -> None:
        self._rows: list[Attempt] = []
        self._of: dict[int, int] = {}
        self._why: dict[int, str] = {}
        self._sent = 0

    def __contains__(self, node: object) -> bool:
        """Whether a node has missed an attempt."""
        return node in self._of

    def why(self, node: int) -> str:
        """Why the last attempt that a node has missed gave nothing; "" where it has missed none."""
        return self._why.get(node, "")

    def add(self, attempt: Attempt) -> None:
        """Keep one; what a node misses after its first hundred is left out."""
        self._why[attempt.node] = attempt.why
        kept = self._of.get(attempt.node, 0)
        if kept < KEPT:
            self._of[attempt.node] = kept + 1
            self._rows.append(attempt)

    def take_new(self) -> tuple[dict[str, Any], bytes] | None:
        """Those since the last call, as the head and the columns of a delta; None where there are none."""
        if self._sent == len(self._rows):
            return None
        head, columns = self._packed(self._sent)
        self._sent = len(self._rows)
        return head, b"".join(columns.values())

    def to_wire(self) -> dict[str, Any]:
        """All of them."""
        head, columns = self._packed(0)
        return {**head, **columns}

    def _packed(self, at: int) -> tuple[dict[str, Any], dict[str, bytes]]:
        rows = self._rows[at:]
        columns = {
            name: np.array([row[column] for row in rows], dtype).tobytes()
            for column, (name, dtype) in enumerate(_COLUMNS)
        }
        return {"at": at, "why": [row.why for row in rows]}, columns


_COLUMNS = (("node", "<u4"), ("begin", "<f4"), ("seconds", "<f4"), ("attempt", "<u2"), ("worker", "<u2"))
