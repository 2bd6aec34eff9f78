"""Workers hear when nothing more is to begin, and the driver knows when they have heard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("ray")

from fuse_widgets.backends import _ray_live
from fuse_widgets.backends._ray_live import _Collector


def run(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_worker_knows_at_once_and_hears_of_each_change() -> None:
    async def scenario() -> None:
        collector = _Collector()
        assert await collector.closed("run", None) is None  # nobody has asked for such a run
        await collector.ask("run", False)
        assert await collector.closed("run", None) == -1
        listening = asyncio.create_task(collector.closed("run", -1))
        await asyncio.sleep(0)
        assert not listening.done()
        closing = asyncio.create_task(collector.close("run", 0))
        assert await listening == 0
        assert not closing.done()  # the worker has not said that it has heard
        listening = asyncio.create_task(collector.closed("run", 0))
        await closing
        assert await collector.closed("run", None) == 0
        await collector.forget("run")
        assert await listening is None

    run(scenario)


def test_a_worker_that_died_does_not_hold_up_a_pause(monkeypatch: Any) -> None:
    monkeypatch.setattr(_ray_live, "HEARD", 0.01)

    async def scenario() -> None:
        collector = _Collector()
        await collector.ask("run", False)
        dead = asyncio.create_task(collector.closed("run", -1))
        await asyncio.sleep(0)
        await collector.close("run", 0)
        assert await dead == 0
        await collector.close("run", 1)  # nobody listens now
        assert await collector.closed("run", None) == 1
        await collector.forget("run")
        assert vars(collector)["_listeners"] == vars(collector)["_closed"] == {}

    run(scenario)
