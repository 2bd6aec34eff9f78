"""Errors of Ray that are read so that it does not log them; without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("ray")

import ray

from fuse_widgets.backends._ray.submit import Sent
from fuse_widgets.backends._ray.unread import Unread


def test_the_value_of_a_node_that_came_to_its_end_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def get(refs: Sequence[str], timeout: float) -> None:
        asked.update(refs)
        if any("bad" in ref for ref in refs):
            raise RuntimeError

    def wait(refs: list[str], **_: Any) -> tuple[list[str], list[str]]:
        return refs, []

    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr(ray, "wait", wait)
    unread = Unread()
    unread.add(Sent(1, 1, "value", "report", "save"))
    unread.add(Sent(1, 2, "bad value", "bad report"))
    unread.end()
    assert asked == {"report", "save", "bad report", "bad value"}
