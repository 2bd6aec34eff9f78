"""Rows of measured figures, and the table they are printed in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One figure. Where there is a bound, the value must not be above it."""

    name: str
    value: float
    bound: float | None = None

    @property
    def ok(self) -> bool:
        return self.bound is None or self.value <= self.bound


def show(rows: Iterable[Any]) -> None:
    """Print rows (`Row`, or dicts with the same keys)."""
    print(f"{'':2}{'figure':58} {'value':>12} {'bound':>12}")
    for row in rows:
        name, value, bound, ok = (
            (row["name"], row["value"], row.get("bound"), row["ok"])
            if isinstance(row, dict)
            else (*row, row.ok)
        )
        limit = "" if bound is None else f"{bound:,.4g}"
        figure = f"{value:,.4g}" if isinstance(value, int | float) else str(value)
        print(f"{'  ' if ok else '! '}{name:58} {figure:>12} {limit:>12}", flush=True)


def broken(rows: Iterable[Any]) -> list[str]:
    """The names of the rows that are above their bounds."""
    return [
        r["name"] if isinstance(r, dict) else r.name
        for r in rows
        if not (r["ok"] if isinstance(r, dict) else r.ok)
    ]


def main_of(measure: Callable[[], list[Any]]) -> None:
    """Measure, print, and exit with 1 where a bound is broken."""
    rows = measure()
    show(rows)
    sys.exit(1 if broken(rows) else 0)
