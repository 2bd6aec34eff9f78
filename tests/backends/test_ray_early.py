"""What is heard of a node before its parents, without Ray."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray")

from fuse_widgets.backends._ray.scheduler import RayScheduler


def test_a_node_that_is_skipped_with_one_before_it_is_not_looked_at_again() -> None:
    scheduler: Any = SimpleNamespace(early={1: "first", 2: "second"}, _is_early=lambda place: False)
    arrived = []

    def arrive(place: int, outcome: str) -> None:
        arrived.append((place, outcome))
        scheduler.early.pop(2)  # as where the first has failed

    scheduler._arrived = arrive
    RayScheduler._look_at_early(scheduler)
    assert arrived == [(1, "first")]
