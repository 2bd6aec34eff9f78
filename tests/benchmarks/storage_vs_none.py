"""What storage adds to a node: fingerprints, saves and lookups, beside a bare loop that writes as safely.

Run it with `python -m tests.benchmarks.storage_vs_none`; it exits with 1 where a bound is broken.
"""

from __future__ import annotations

import os
import pickle
import statistics
import tempfile
import uuid
from pathlib import Path
from typing import Any

import fsspec

from fuse_widgets import FileStorage, LocalWorkflow, workflow
from tests.benchmarks.engine_vs_dask import seconds
from tests.benchmarks.table import Row, main_of

NODES = 1_000
REPETITIONS = 5


@workflow
def same(value: Any) -> Any:
    return value


def pipeline(count: int, start: int, storage: Any) -> LocalWorkflow:
    nodes = [same(start + i).set_name(f"node {i}") for i in range(count)]
    wf = LocalWorkflow(*nodes, workflow_name="benchmark")
    wf.set_storage(storage)
    return wf


def write_safely(folder: Path, count: int) -> None:
    """The least that saves a result safely: a temporary file, flushed to disk and renamed."""
    for i in range(count):
        temporary = folder / uuid.uuid4().hex
        with open(temporary, "wb") as file:
            pickle.dump(i, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / f"node {i}")


def local_times() -> dict[str, float]:
    """Processor seconds a node on a local folder, medians."""
    rounds = []
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory() as folder:
            bare = Path(folder, "bare")
            bare.mkdir()
            storage = FileStorage(Path(folder, "store"))
            times = {
                "none": seconds(pipeline(NODES, 0, None).run),
                "bare": seconds(lambda bare=bare: write_safely(bare, NODES)),
                "save": seconds(pipeline(NODES, 0, storage).run),
                "cached": seconds(pipeline(NODES, 0, storage).run),
                "next version": seconds(pipeline(NODES, 1, storage).run),
            }
            rounds.append({name: value / NODES for name, value in times.items()})
    return {name: statistics.median(times[name] for times in rounds) for name in rounds[0]}


def memory_growth() -> float:
    """How much longer a cached node takes on `memory://` when it holds four times as much; the median."""
    ratios = []
    for _ in range(REPETITIONS):
        times = {}
        for count in (400, 1_600):
            storage = FileStorage(f"memory://{uuid.uuid4().hex}")
            pipeline(count, 0, storage).run()
            times[count] = seconds(pipeline(count, 0, storage).run) / count
            fsspec.filesystem("memory").store.clear()
        ratios.append(times[1_600] / times[400])
    return statistics.median(ratios)


def measure() -> list[Row]:
    """The figures; those without a bound are for information."""
    local = local_times()
    return [
        Row("no storage, microseconds a node", local["none"] * 1e6),
        Row("bare loop that writes as safely, microseconds a node", local["bare"] * 1e6),
        Row("every node saved, microseconds a node", local["save"] * 1e6),
        Row("every node cached, microseconds a node", local["cached"] * 1e6),
        Row("every node saved as another version, microseconds a node", local["next version"] * 1e6),
        Row("saved / bare loop", local["save"] / local["bare"], 4.0),
        Row("cached / bare loop", local["cached"] / local["bare"], 3.0),
        Row("memory://, 1,600 nodes / 400 nodes, for each cached node", memory_growth(), 1.6),
    ]


if __name__ == "__main__":
    main_of(measure)
