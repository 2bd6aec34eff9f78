"""Coroutine functions in every executor and on Ray, and runs that are awaited."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fuse_widgets import FuseError, LocalWorkflow, NodeExecutionError, workflow
from tests.backends.waiting import until

level: contextvars.ContextVar[int] = contextvars.ContextVar("level", default=0)


async def fetch(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def returns_a_coroutine(x: int) -> Any:
    return fetch(x)


class Fetcher:
    async def __call__(self, x: int) -> int:
        return await fetch(x)

    async def method(self, x: int) -> int:
        return await fetch(x)


@workflow
class Client:
    def __init__(self, start: int = 0) -> None:
        self.total = start

    async def add(self, x: int) -> int:
        await asyncio.sleep(0)
        self.total += x
        return self.total

    @staticmethod
    async def twice(x: int) -> int:
        return 2 * x

    @classmethod
    async def named(cls) -> str:
        return cls.__name__


async def several(x: int) -> list[int]:
    return await asyncio.gather(*(fetch(x) for _ in range(3)))


async def numbers() -> AsyncIterator[int]:
    yield 1


async def fails() -> None:
    await asyncio.sleep(0)
    raise LookupError("nothing there")


def test_coroutine_functions_methods_and_callables_run(make: Any) -> None:
    client = Client(1)
    first, second = client.add(1), client.add(workflow(fetch)(1))
    nodes = [
        workflow(fetch)(workflow(fetch)(0)),
        workflow(functools.partial(fetch, 1))(),
        workflow(returns_a_coroutine)(1),
        workflow(Fetcher())(1),
        workflow(Fetcher().method)(1),
        first,
        second,
        client.twice(2),
        client.named(),
        workflow(several)(1),
    ]
    expected = [2, 2, 2, 2, 2, 2, 4, 4, "Client", [2, 2, 2]]
    assert make(*nodes).run() == expected

    async def cell() -> Any:  # a notebook cell runs inside a loop
        return make(*nodes).run()

    assert asyncio.run(cell()) == expected


def test_what_a_coroutine_raises_is_the_cause(make: Any) -> None:
    with pytest.raises(NodeExecutionError, match="failed with LookupError") as caught:
        make(workflow(fails)()).run()
    assert type(caught.value.__cause__) is LookupError


def test_an_async_generator_is_refused_as_a_result(make: Any) -> None:
    with pytest.raises(FuseError, match="it returned an async_generator, which can be used only once"):
        make(workflow(numbers)()).run()


def test_a_generator_is_refused_as_a_result(make: Any) -> None:
    with pytest.raises(
        FuseError, match="it returned a generator, which can be read only once: return a list instead"
    ):
        make(workflow(lambda: (x for x in range(3)))()).run()


def test_a_node_in_a_result_is_refused(make: Any) -> None:
    inner = workflow(fetch)
    with pytest.raises(
        FuseError, match=r"its result holds <function node .* inside a dict instead of a value"
    ):
        make(workflow(lambda: {"a": [inner(1)]})()).run()


def test_context_variables_reach_a_coroutine() -> None:
    async def read() -> int:
        return level.get()

    token = level.set(7)
    try:
        for executor in ("inline", "thread"):
            assert LocalWorkflow(workflow(read)(), executor=executor).run() == 7
    finally:
        level.reset(token)


def test_prints_of_a_coroutine_are_those_of_its_node(make: Any) -> None:
    async def talk() -> None:
        print("before")
        await asyncio.sleep(0)
        print("after")

    wf = make(workflow(talk)().set_name("talk"))
    wf.run()
    assert wf.last_run.outputs["talk"].text == "before\nafter\n"


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_stopping_twice_cancels_a_coroutine(executor: Any) -> None:
    seen: list[str] = []
    running = threading.Event()

    async def wait() -> None:
        running.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    run = LocalWorkflow(workflow(wait)().set_name("wait"), executor=executor).start()
    assert running.wait(10)
    run.cancel()
    run.cancel()
    until(lambda: run.state.finished)
    assert seen == ["cancelled"]
    assert run.states["wait"] == "cancelled"


def test_a_run_can_be_awaited() -> None:
    async def cell() -> Any:
        ticks = 0
        gate = threading.Event()
        run = LocalWorkflow(workflow(gate.wait)(10)).start()
        waiting = asyncio.ensure_future(run)
        while ticks < 3:  # the loop goes on
            await asyncio.sleep(0)
            ticks += 1
        assert not waiting.done()
        gate.set()
        assert await waiting is True
        assert await run is True  # once more
        return await LocalWorkflow(workflow(fetch)(1)).start()

    assert asyncio.run(cell()) == 2


def test_awaiting_a_run_raises_what_it_raised() -> None:
    async def cell() -> None:
        await LocalWorkflow(workflow(fails)()).start()

    with pytest.raises(NodeExecutionError, match="LookupError"):
        asyncio.run(cell())


def test_cancelling_who_awaits_a_run_cancels_the_run() -> None:
    gate = threading.Event()

    async def cell() -> Any:
        run = LocalWorkflow(workflow(lambda x: x)(workflow(gate.wait)(10))).start()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(run, 0.01)
        assert run.cancelled == 1
        gate.set()
        until(lambda: run.state.finished)
        return run

    assert str(asyncio.run(cell()).state) == "cancelled"
