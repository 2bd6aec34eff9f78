"""What it costs to know whether a stored result still holds: fingerprints beside the run and the imports they are for.

Run it with `python -m tests.benchmarks.tracking_vs_run`; it exits with 1 where a bound is broken.
"""

from __future__ import annotations

import hashlib
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fuse_widgets import FileStorage, LocalWorkflow
from fuse_widgets.engine.nodes import Node, workflow
from fuse_widgets.storage.fingerprint import FingerprintCache, fingerprint
from tests.benchmarks.table import Row, main_of

NODES = 1_000
MODULES, HELPERS = 50, 20  # in each
ARRAY = 100_000_000  # bytes
REPETITIONS = 7


def step(value: Any = 0, factor: int = 3) -> Any:
    return value * factor


node_of = workflow(step)


def seconds(action: Callable[[], object]) -> float:
    """Processor time, so that a busy machine spoils no ratio."""
    began = time.process_time()
    action()
    return time.process_time() - began


def fingerprints(nodes: list[Node]) -> dict[Node, str]:
    """Digests of nodes that stand parents first, as a run makes them."""
    cache = FingerprintCache()
    digests: dict[Node, str] = {}
    for node in nodes:
        digests[node] = fingerprint(node, digests, cache=cache).digest
    return digests


def chain(count: int) -> list[Node]:
    nodes = [node_of(1)]
    while len(nodes) < count:
        nodes.append(node_of(nodes[-1], len(nodes)))
    return nodes


def of_nodes() -> dict[str, float]:
    """Microseconds a node, and the share of a run in which all is stored, and of one without storage."""
    nodes = chain(NODES)
    bare = LocalWorkflow(nodes[-1])
    with tempfile.TemporaryDirectory() as folder:
        stored = LocalWorkflow(nodes[-1], workflow_name="tracking")
        stored.set_storage(FileStorage(folder))
        first = seconds(stored.run)
        assert {row["source"] for row in stored.last_run.report()} == {"computed"}
        rounds = [
            {
                "tracking": seconds(lambda: fingerprints(nodes)),
                "stored": seconds(stored.run),
                "bare": seconds(bare.run),
            }
            for _ in range(REPETITIONS)
        ]
        assert {row["source"] for row in stored.last_run.report()} == {"stored"}
    found = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    found["first"] = first
    found["share"] = statistics.median(each["tracking"] / each["stored"] for each in rounds)
    return found


@contextmanager
def helpers() -> Iterator[list[str]]:
    """Modules in a folder on `sys.path`, each of whose functions calls the one of the next module."""
    names = [f"bench_helpers_{i}" for i in range(MODULES)]
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            source = f"import {names[(i + 1) % MODULES]} as after\nRATE = {i}\n"
            source += "".join(
                f"def h{j}(n):\n    return n and after.h{j}(n - 1) * RATE + len(str(n))\n"
                for j in range(HELPERS)
            )
            Path(folder, f"{name}.py").write_text(source)
        sys.path.insert(0, folder)
        try:
            importlib.invalidate_caches()
            importlib.import_module(names[0])  # leaves their bytecode on disk
            yield names
        finally:
            sys.path.remove(folder)
            for name in names:
                sys.modules.pop(name, None)


def of_helpers() -> dict[str, float]:
    """Seconds to fingerprint a function that reaches all helpers, for the first time and later, and to import them."""
    with helpers() as names:
        found: list[dict[str, float]] = []
        for _ in range(REPETITIONS):
            for name in names:
                del sys.modules[name]
            took = {"import": seconds(lambda: importlib.import_module(names[0]))}
            space: dict[str, Any] = {"first": sys.modules[names[0]], "__name__": "__main__"}
            exec("def f():\n" + "".join(f"    first.h{j}(1)\n" for j in range(HELPERS)), space)
            nodes = [workflow(space["f"])()]
            took["new"] = seconds(lambda nodes=nodes: fingerprints(nodes))
            took["again"] = seconds(lambda nodes=nodes: fingerprints(nodes))
            assert len(fingerprint(nodes[0], {}).names) == MODULES * (HELPERS + 1)
            found.append(took)
    median = {name: statistics.median(took[name] for took in found) for name in found[0]}
    return {**median, "ratio": statistics.median(took["again"] / took["import"] for took in found)}


def of_an_array() -> float:
    """The time of a fingerprint whose code has a large array, beside that of one hash of the array."""
    array = np.zeros(ARRAY, dtype=np.uint8)
    space: dict[str, Any] = {"BIG": array, "__name__": "__main__"}
    exec("def f(): return BIG.sum()\ndef g(): return BIG.max()", space)
    nodes = [workflow(space[name])() for name in "fg" for _ in range(50)]
    return statistics.median(
        seconds(lambda: fingerprints(nodes)) / seconds(lambda: hashlib.sha256(array.data)) for _ in range(3)
    )


def measure() -> list[Row]:
    """The figures; those without a bound are for information."""
    nodes, code = of_nodes(), of_helpers()
    count = MODULES * HELPERS
    return [
        Row("fingerprints of a chain, microseconds a node", nodes["tracking"] / NODES * 1e6),
        Row("run in which all is stored, microseconds a node", nodes["stored"] / NODES * 1e6),
        Row("run in which all is computed and stored, microseconds a node", nodes["first"] / NODES * 1e6),
        Row("run without storage, microseconds a node", nodes["bare"] / NODES * 1e6),
        Row("fingerprints / run in which all is stored", nodes["share"], 0.25),
        Row("1,000 helpers in 50 modules, microseconds each, first time", code["new"] / count * 1e6),
        Row("1,000 helpers in 50 modules, microseconds each, later runs", code["again"] / count * 1e6),
        Row("the same in later runs / importing them from bytecode", code["ratio"], 3.0),
        Row("100 nodes that reach an array of 100 MB / one SHA-256 of it", of_an_array(), 1.5),
    ]


if __name__ == "__main__":
    main_of(measure)
