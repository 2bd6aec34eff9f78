"""Runs with storage and plugins: a result holds only for the plugin it was computed with."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import (
    FileStorage,
    InitializerPlugin,
    LocalWorkflow,
    NodeExecutionError,
    Plugin,
    PluginCollection,
    RandomStatePlugin,
    workflow,
)

ran: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "store")


def reasons(wf: LocalWorkflow) -> dict[str, Any]:
    return {row["node"]: row["why"] for row in wf.last_run.report()}


@workflow
def show(value: float) -> str:
    ran.append("show")
    return f"<{value}>"


@workflow
def draw() -> float:
    ran.append("draw")
    return random.random()


def drawn(storage: Any, plugin: Any) -> LocalWorkflow:
    wf = LocalWorkflow(show(draw().set_name("draw")).set_name("text"), workflow_name="drawn")
    wf.set_storage(storage)
    if plugin is not None:
        wf.query("draw").set_backend_info("plugin", plugin)
    return wf


class NoForNode:
    """A plugin of Function Fuse: just the two functions."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def local_initialize(self) -> None:
        pass

    def remote_initialize(self) -> Any:
        return functools.partial(random.seed, self.seed)


MAKE_PLUGIN = {
    "seed": lambda seed: RandomStatePlugin(seed=seed),
    "in a collection": lambda seed: PluginCollection([RandomStatePlugin(seed=seed)]),
    "of random itself": lambda seed: RandomStatePlugin(seed=seed, seed_func=random.seed),
    "two functions": NoForNode,
    "initializer": lambda seed: InitializerPlugin(functools.partial(random.seed, seed)),
}


@pytest.mark.parametrize("kind", MAKE_PLUGIN)
def test_another_seed_runs_the_node_again_and_the_same_does_not(storage: Any, kind: str) -> None:
    make = MAKE_PLUGIN[kind]
    first = drawn(storage, make(1)).run()
    random.random()
    plugin = make(1)
    plugin.local_initialize()  # what was drawn already does not count
    assert drawn(storage, plugin).run() == first
    assert ran == ["draw", "show"]
    wf = drawn(storage, make(2))
    assert wf.run() != first
    assert reasons(wf)["draw"] == "plugin changed"
    wf = drawn(storage, None)
    wf.run()
    assert reasons(wf)["draw"] == "plugin changed"


def test_seeding_with_numpy_leaves_the_stored_result_in_use(storage: Any) -> None:
    np = pytest.importorskip("numpy")
    for _ in range(2):
        drawn(storage, RandomStatePlugin(seed=1, seed_func=np.random.seed)).run()
        np.random.random(3)
    assert ran.count("draw") == 1


def test_a_plugin_that_cannot_be_compared_runs_the_node_and_says_why(storage: Any, tmp_path: Path) -> None:
    class Opens(Plugin):
        file = None

        def __init__(self) -> None:
            self.file = (tmp_path / "log").open("w")

    plugin = Opens()
    for _ in range(2):
        wf = drawn(storage, plugin)
        wf.run()
    plugin.file.close()
    assert reasons(wf)["draw"] == "plugin cannot be fingerprinted: _io.TextIOWrapper is an open file"


def test_a_plugin_that_raises_when_asked_fails_its_node_and_not_storage(storage: Any) -> None:
    class Raises(Plugin):
        def for_node(self, name: str) -> Plugin:
            raise OSError("no license")

    with pytest.raises(NodeExecutionError, match="no license"):
        drawn(storage, Raises()).run()
