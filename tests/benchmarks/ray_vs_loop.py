"""What RayWorkflow adds to Ray: a chain of trivial nodes beside a bare loop of `f.remote(ref)`, and what must stay small.

Run it with `python -m tests.benchmarks.ray_vs_loop`; it exits with 1 where a bound is broken. RAY_ADDRESS names a cluster
of two CPUs that is there already.
"""

from __future__ import annotations

import gc
import itertools
import os
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ray

from fuse_widgets import DAGWidget, RayWorkflow, RunEvent, workflow
from tests.benchmarks.table import Row, main_of

CHAIN = 3_000
MANY = 20_000
REPETITIONS = 7


def plus(x: int) -> int:
    return x + 1


def nap(seconds: float) -> None:
    time.sleep(seconds)


def seconds(action: Callable[[], Any]) -> float:
    gc.collect()  # what was measured before is not to be paid for here
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def bare_chain(count: int) -> Any:
    f = ray.remote(plus)
    ref = f.remote(0)
    for _ in range(count - 1):
        ref = f.remote(ref)
    return ray.get(ref)


def chain(count: int) -> RayWorkflow:
    node: Any = 0
    for _ in range(count):
        node = workflow(plus)(node)
    wf = RayWorkflow(node)
    wf.subscribe(lambda events: None)
    return wf


def warm_up() -> None:
    """Start the workers: what is measured begins with both of them there."""
    RayWorkflow(*[workflow(nap)(0.5) for _ in range(4)]).run()
    bare_chain(50)


def chains(count: int, repetitions: int) -> Row:
    """Wall times of ours, the bare loop twice, and ours, so that a drift of the machine counts for both: the median ratio."""
    ratios = []
    for _ in range(repetitions):
        first, last = chain(count), chain(count)
        ours = seconds(first.run)
        bare = seconds(lambda: bare_chain(count)) + seconds(lambda: bare_chain(count))
        ratios.append((ours + seconds(last.run)) / bare)
    return Row(
        f"{count:,} trivial nodes in a chain / bare loop of f.remote(ref)", statistics.median(ratios), 1.10
    )


def naps(count: int = 300, each: float = 0.1, cpus: int = 2) -> Row:
    wf = RayWorkflow(*[workflow(nap)(each) for _ in range(count)])
    return Row(
        f"{count} nodes of {each * 1000:.0f} ms on {cpus} CPUs / ideal",
        seconds(wf.run) / (count * each / cpus),
        1.05,
    )


def large_array() -> Row:
    node: Any = workflow(lambda: np.ones(200_000_000, dtype="u1"))()
    for _ in range(4):
        node = workflow(lambda array: array + np.uint8(1))(node)
    before = peak()
    assert RayWorkflow(workflow(lambda array: int(array[-1]))(node)).run() == 5
    return Row("200 MB through 5 nodes: growth of the driver, MB", peak() - before, 20)


def many(count: int) -> list[Row]:
    """Memory of this process, and how often the widget hears of the run, where there are very many nodes."""
    nodes = [workflow(plus)(i) for i in range(count)]
    wf = RayWorkflow(*nodes)
    widget = DAGWidget(wf)
    heard: list[float] = []
    widget.observe(lambda change: heard.append(time.perf_counter()))
    began = time.perf_counter()
    wf.run(return_results=False, max_pending_tasks=1000)
    moments = [began, *(moment for moment in heard if moment > began), time.perf_counter()]
    silence = max(later - earlier for earlier, later in itertools.pairwise(moments))
    assert wf.last_run is not None
    assert wf.last_run.counts == {"done": count}
    return [
        Row(f"{count:,} nodes, 1,000 pending at most: memory of the driver, MB", peak(), 500),
        Row(f"{count:,} nodes: longest time in which the widget heard nothing, s", silence, 1.0),
    ]


def delay(count: int = 60, each: float = 0.4) -> Row:
    """How long after a node begins on its worker a subscriber hears of it, while all CPUs work."""
    behind: list[float] = []

    def heard(events: list[RunEvent]) -> None:
        now = time.time()
        behind.extend(now - event.time for event in events if event.node and event.state == "running")

    wf = RayWorkflow(*[workflow(nap)(each) for _ in range(count)])
    wf.subscribe(heard)
    wf.run()
    assert len(behind) == count
    return Row(
        f"{count} nodes of {each} s: delay of 95 % of the events that one runs, s",
        statistics.quantiles(behind, n=20)[-1],
        0.25,
    )


def measure() -> list[Row]:
    address = os.environ.get("RAY_ADDRESS", "local")
    new: dict[str, Any] = {"num_cpus": 2, "include_dashboard": False} if address == "local" else {}
    ray.init(address, log_to_driver=False, **new)
    warm_up()
    rows = [large_array(), naps(), delay(), *many(MANY), chains(CHAIN, REPETITIONS)]
    ray.shutdown()
    return rows


if __name__ == "__main__":
    main_of(measure)
