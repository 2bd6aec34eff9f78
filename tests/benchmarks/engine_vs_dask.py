"""What the engine adds to a node: a no-op DAG beside `dask.local.get_sync` and beside a bare loop.

Run it with `python -m tests.benchmarks.engine_vs_dask`; it exits with 1 where a bound is broken.
"""

from __future__ import annotations

import gc
import graphlib
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from dask.local import get_sync

from fuse_widgets.backends.local import LocalWorkflow
from fuse_widgets.engine.nodes import Node, workflow
from fuse_widgets.engine.states import NodeState
from tests.benchmarks.table import Row, main_of

#: Nodes of the large graph. Bounds hold for this number; others are for trying things out.
NODES = 100_000
REPETITIONS = 5


def same(value: Any = 0) -> Any:
    return value


node_of = workflow(same)


def needs(count: int) -> list[int | None]:
    """For each node the earlier one it needs; every hundredth needs none."""
    draw = random.Random(1)
    return [None if i % 100 == 0 else draw.randrange(max(0, i - 1000), i) for i in range(count)]


def chain_of(wanted: list[int | None]) -> list[Node]:
    nodes: list[Node] = []
    for parent in wanted:
        nodes.append(node_of() if parent is None else node_of(nodes[parent]))
    return nodes


def bare_loop(graph: dict[int, tuple[int, ...]]) -> list[Any]:
    """The least that runs a DAG: an order, and a call for each node with its inputs."""
    results: dict[int, Any] = {}
    for key in graphlib.TopologicalSorter(graph).static_order():
        results[key] = same(*[results[parent] for parent in graph[key]])
    return [results[key] for key in graph]


def seconds(action: Callable[[], object]) -> float:
    """Processor time of all threads, so that a busy machine spoils no ratio; for the runs it is the time they take."""
    gc.collect()
    began = time.process_time()
    action()
    return time.process_time() - began


def run_times(count: int, repetitions: int) -> dict[str, float]:
    """Median seconds of the three, taken in turns in this process, and of their ratios."""
    wanted = needs(count)
    graph = {i: () if parent is None else (parent,) for i, parent in enumerate(wanted)}
    dsk = {i: (same,) if parent is None else (same, parent) for i, parent in enumerate(wanted)}
    nodes = chain_of(wanted)
    wf = LocalWorkflow(*nodes)
    seen = 0

    def watch(events: list[Any]) -> None:
        nonlocal seen
        seen += sum(event.state is NodeState.DONE and event.node is not None for event in events)

    wf.subscribe(watch)
    rounds = [
        {
            "ours": seconds(wf.run),
            "bare": seconds(lambda: bare_loop(graph)),
            "dask": seconds(lambda: get_sync(dsk, list(dsk))),
        }
        for _ in range(repetitions)
    ]
    wf.drain_events(30)
    assert seen == count * repetitions, "the subscriber did not see every node of every run"
    times = {name: statistics.median(times[name] for times in rounds) for name in rounds[0]}
    # Neighbours in time are compared, since a shared machine is not equally fast all the time.
    times["ours/bare"] = statistics.median(times["ours"] / times["bare"] for times in rounds)
    times["ours/dask"] = statistics.median(times["ours"] / times["dask"] for times in rounds)
    return times


def build_times(repetitions: int) -> dict[str, float]:
    """Seconds a node of a small graph takes to build; and how many times that in a large graph, and as one child
    of many of one node. Medians."""
    few, many = needs(1000), needs(NODES)
    rounds = []
    for _ in range(repetitions):
        small = seconds(lambda: [chain_of(few) for _ in range(10)]) / (10 * len(few))
        large = seconds(lambda: chain_of(many)) / len(many)
        root = node_of()
        wide = seconds(lambda root=root: [node_of(root) for _ in range(NODES)]) / NODES
        rounds.append({"small": small, "large": large / small, "wide": wide / small})
    return {name: statistics.median(times[name] for times in rounds) for name in rounds[0]}


def import_times(repetitions: int) -> dict[str, float]:
    """Median seconds of a Python that imports a package, above one that imports nothing."""

    def start(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    codes = {"nothing": "pass", "ours": "import fuse_widgets", "dask": "import dask"}
    rounds = [{name: start(code) for name, code in codes.items()} for _ in range(repetitions)]
    return {name: statistics.median(times[name] - times["nothing"] for times in rounds) for name in codes}


def measure() -> list[Row]:
    """The figures; those without a bound are for information."""
    build, run = build_times(REPETITIONS), run_times(NODES, REPETITIONS)
    imports = import_times(REPETITIONS)
    return [
        Row("run, microseconds a node", run["ours"] / NODES * 1e6),
        Row("bare loop, microseconds a node", run["bare"] / NODES * 1e6),
        Row("dask.local.get_sync, microseconds a node", run["dask"] / NODES * 1e6),
        Row("run / dask.local.get_sync", run["ours/dask"], 1 / 10),
        Row("run / bare loop", run["ours/bare"], 4.0),
        Row("build, microseconds a node of 1,000", build["small"] * 1e6),
        Row("build, 100,000 nodes / 1,000 nodes, for each node", build["large"], 2.0),
        Row("build, 100,000 children of one node / 1,000 nodes, for each", build["wide"], 2.0),
        Row("import fuse_widgets, milliseconds", imports["ours"] * 1e3),
        Row("import fuse_widgets / import dask", imports["ours"] / imports["dask"], 0.5),
    ]


if __name__ == "__main__":
    main_of(measure)
