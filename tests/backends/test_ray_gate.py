"""Workers hear when nothing more is to begin, and the driver knows when they have heard."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

pytest.importorskip("ray")

from fuse_widgets.backends._ray import live
from fuse_widgets.backends._ray.interrupts import _Interrupts
from fuse_widgets.backends._ray.live import _Collector


def run(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_worker_knows_at_once_and_hears_of_each_change() -> None:
    async def scenario() -> None:
        collector = _Collector()
        assert await collector.closed("run", None, "worker") is None  # nobody has asked for such a run
        await collector.ask("run", False)
        assert await collector.closed("run", None, "worker") == -1
        listening = asyncio.create_task(collector.closed("run", -1, "worker"))
        await asyncio.sleep(0)
        assert not listening.done()
        closing = asyncio.create_task(collector.close("run", 0))
        assert await listening == 0
        assert not closing.done()  # the worker has not said that it has heard
        listening = asyncio.create_task(collector.closed("run", 0, "worker"))
        await closing
        assert await collector.closed("run", None, "worker") == 0
        await collector.forget("run")
        assert await listening is None

    run(scenario)


def test_a_worker_that_died_does_not_hold_up_a_pause(monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "HEARD", 0.01)

    async def scenario() -> None:
        collector = _Collector()
        await collector.ask("run", False)
        dead = asyncio.create_task(collector.closed("run", -1, "worker"))
        await asyncio.sleep(0)
        await collector.close("run", 0)
        assert await dead == 0
        await collector.close("run", 1)  # nobody listens now
        assert await collector.closed("run", None, "worker") == 1
        await collector.forget("run")
        assert vars(collector)["_listening"] == vars(collector)["_closed"] == {}

    run(scenario)


def test_a_worker_that_leaves_has_its_answer_and_is_not_waited_for() -> None:
    async def scenario() -> None:
        collector = _Collector()
        await collector.ask("run", False)
        leaving = asyncio.create_task(collector.closed("run", -1, "leaving"))
        staying = asyncio.create_task(collector.closed("run", -1, "staying"))
        await asyncio.sleep(0)
        await collector.dismiss("run", "leaving")
        assert await leaving is None
        assert not staying.done()
        await collector.dismiss("run", "nobody")
        await collector.forget("run")
        assert await staying is None

    run(scenario)


def test_a_node_that_handles_interrupts_itself_does_so_for_no_other_node() -> None:
    interrupts = _Interrupts()
    before = signal.getsignal(signal.SIGINT)
    try:
        with interrupts:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with interrupts:
            signal.raise_signal(signal.SIGINT)  # asked once: the node may finish
            assert not interrupts.stopping
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
        with interrupts:
            pass
        if callable(before):
            with pytest.raises(KeyboardInterrupt):  # between nodes it is as it was
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
