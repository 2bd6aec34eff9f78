"""Plugins: what runs before a node's function, in every executor."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import (
    InitializerPlugin,
    LocalWorkflow,
    NodeExecutionError,
    Plugin,
    PluginCollection,
    RandomStatePlugin,
    workflow,
)
from fuse_widgets.backends._executors import ProcessWorkers

EXECUTORS = ["inline", "thread", "process"]


@pytest.fixture(scope="module")
def shared() -> Iterator[ProcessWorkers]:
    workers = ProcessWorkers()
    yield workers
    workers.close()


@pytest.fixture(params=EXECUTORS)
def make(request: pytest.FixtureRequest, shared: ProcessWorkers) -> Any:
    """Makes workflows of one executor."""

    def build(*nodes: Any, **options: Any) -> LocalWorkflow:
        wf = LocalWorkflow(*nodes, executor=request.param, **options)
        wf.processes = shared
        return wf

    return build


def marks_by_value() -> Any:
    """Gives a list that lives where nodes run; pickled by value, since a worker may not have this module."""
    namespace: dict[str, Any] = {}
    exec(
        "def marks():\n"
        "    import builtins\n"
        "    if not hasattr(builtins, '_fuse_marks'): builtins._fuse_marks = []\n"
        "    return builtins._fuse_marks\n",
        namespace,
    )
    return namespace["marks"]


def mark(what: str) -> Any:
    put = marks_by_value()

    def initialize() -> None:
        put().append(what)

    return initialize


def take_marks() -> Any:
    put = marks_by_value()

    def take() -> list[str]:
        found = list(put())
        put().clear()
        return found

    return workflow(take)


def test_an_initializer_runs_where_the_node_runs_and_before_it(make: Any) -> None:
    node = take_marks()()
    wf = make(node)
    wf.set_plugin(None, InitializerPlugin(mark("ready")))
    assert wf.run() == ["ready"]
    assert wf.run() == ["ready"]


def test_a_collection_calls_its_plugins_in_order(make: Any) -> None:
    node = take_marks()()
    wf = make(node)
    wf.set_plugin(
        ".*", PluginCollection([InitializerPlugin(mark("one")), Plugin(), InitializerPlugin(mark("two"))])
    )
    assert wf.run() == ["one", "two"]


def test_the_seeds_two_functions_are_enough_and_each_is_called_in_its_place(make: Any) -> None:
    calls: list[str] = []

    class Seeds:
        def local_initialize(self) -> None:
            calls.append("local")

        def remote_initialize(self) -> Any:
            calls.append("remote")
            return mark("there")

    node = take_marks()()
    node.backend_info["plugin"] = Seeds()
    assert make(node).run() == ["there"]
    assert calls == ["local", "remote"]


def draws() -> Any:
    def draw(*_: Any) -> tuple[float, float]:
        import random

        import numpy as np

        return random.random(), float(np.random.rand())

    return workflow(draw)


def test_random_numbers_are_the_same_in_every_executor_and_order(shared: ProcessWorkers) -> None:
    found = []
    for executor, order in [("inline", "abc"), ("thread", "cba"), ("process", "bca"), ("inline", "bac")]:
        draw = draws()
        nodes = {name: draw().set_name(name) for name in order}
        wf = LocalWorkflow(*nodes.values(), executor=executor)  # type: ignore[arg-type]
        wf.processes = shared
        wf.set_plugin(None, RandomStatePlugin(seed=5))
        wf.run()
        found.append({name: wf.last_run.results[name] for name in "abc"})
    assert found[0] == found[1] == found[2] == found[3]
    assert len(set(found[0].values())) == 3
    wf.set_plugin(None, RandomStatePlugin(seed=6))
    wf.run()
    assert wf.last_run.results != found[0]


@given(st.integers(-5, 5), st.integers(1, 10), st.integers(), st.text())
def test_numbers_lie_between_min_and_max(low: int, span: int, seed: int, name: str) -> None:
    got: list[int] = []
    plugin = RandomStatePlugin(low, low + span, seed, got.append)
    for _ in range(2):
        plugin.for_node(name).remote_initialize()()
    plugin.local_initialize()
    plugin.remote_initialize()()
    assert all(low <= number < low + span for number in got)
    assert got[0] == got[1]


def test_used_as_the_seed_says_each_local_initialize_draws_the_next_number() -> None:
    got: list[int] = []
    for _ in range(2):
        plugin = RandomStatePlugin(0, 1000, 3, got.append)
        for _ in range(3):
            plugin.local_initialize()
            plugin.remote_initialize()()
    assert got[:3] == got[3:]
    assert len(set(got)) > 1


def test_the_state_of_the_callers_generator_is_not_read(make: Any) -> None:
    wf = make(draws()().set_name("d"))
    wf.set_plugin(None, RandomStatePlugin())
    first = wf.run()
    random.seed(1)
    assert wf.run() == first


def raising(text: str) -> Any:
    def fail() -> None:
        raise ValueError(text)

    return fail


class FailsHere(Plugin):
    def local_initialize(self) -> None:
        raise OSError("no license")

    def __repr__(self) -> str:
        return "FailsHere()"


@pytest.mark.parametrize("collected", [False, True])
def test_a_plugin_that_raises_fails_its_node_and_both_are_named(make: Any, collected: bool) -> None:
    node, fine = workflow(lambda: 1)().set_name("n"), workflow(lambda: 2)().set_name("fine")
    plugin: Any = InitializerPlugin(raising("no driver"))
    node.backend_info["plugin"] = PluginCollection([plugin]) if collected else plugin
    wf = make(node, fine)
    with pytest.raises(
        NodeExecutionError,
        match=r"PluginError: plugin .*InitializerPlugin.* of node 'n' raised ValueError: no driver",
    ):
        wf.run()
    assert wf.last_run.results == {"fine": 2}


def test_a_plugin_that_raises_in_the_main_process_is_named_as_well(make: Any) -> None:
    node = workflow(lambda: 1)().set_name("n")
    node.backend_info["plugin"] = FailsHere()
    with pytest.raises(
        NodeExecutionError, match=r"PluginError: plugin FailsHere\(\) of node 'n' raised OSError: no license"
    ):
        make(node).run()


def test_a_plugin_that_cannot_be_pickled_is_named(shared: ProcessWorkers) -> None:
    import threading

    lock = threading.Lock()
    node = workflow(lambda: 1)().set_name("n")
    node.backend_info["plugin"] = InitializerPlugin(lambda: lock.locked())
    wf = LocalWorkflow(node, executor="process")
    wf.processes = shared
    with pytest.raises(NodeExecutionError, match=r"its plugin, .* cannot be pickled"):
        wf.run()


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"max \(3\) must be above min \(3\)"):
        RandomStatePlugin(3, 3)
    with pytest.raises(TypeError, match="takes a function without arguments, not 5"):
        InitializerPlugin(5)  # type: ignore[arg-type]


def test_plugins_show_what_they_are() -> None:
    assert repr(PluginCollection([RandomStatePlugin(0, 9, 1), InitializerPlugin(abs)])) == (
        "PluginCollection([RandomStatePlugin(min=0, max=9, seed=1), InitializerPlugin(abs)])"
    )
