"""Rows of measured figures, and the table they are printed in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One figure. Where there is a bound, the value must not be above it."""

    name: str
    value: float
    bound: float | None = None

    @property
    def ok(self) -> bool:
        return self.bound is None or self.value <= self.bound


def show(rows: Iterable[Row]) -> None:
    """Print rows; a broken bound is marked."""
    print(f"{'':2}{'figure':62} {'value':>12} {'bound':>12}")
    for row in rows:
        limit = "" if row.bound is None else f"{row.bound:,.4g}"
        print(f"{'  ' if row.ok else '! '}{row.name:62} {row.value:>12,.4g} {limit:>12}", flush=True)


def main_of(measure: Callable[[], list[Row]]) -> None:
    """Measure, print, and exit with 1 where a bound is broken."""
    rows = measure()
    show(rows)
    sys.exit(0 if all(row.ok for row in rows) else 1)
