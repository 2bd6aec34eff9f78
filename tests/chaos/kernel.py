"""The kernels of the chaos test: each runs pipelines on a shared folder, and checks every value, until it is killed.

    python kernel.py FOLDER

imports everything once, and forks a kernel for each line `SEED LOG` of its input, whose number it prints. A kernel writes a
line to its log for each run, `right` or what was wrong, and ends by itself once there is a file `LOG.stop`.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import traceback
from typing import Any

import numpy as np

from fuse_widgets import FileStorage, LocalWorkflow, workflow
from fuse_widgets.storage import StorageError, TaskNotFoundError

LARGE = 20_000


@workflow
def load(x: int) -> Any:
    return np.full(LARGE, x, dtype=np.int64)


@workflow
def total(values: Any, factor: int) -> tuple[str, int]:
    return "total", int(values.sum()) * factor


@workflow
class Counter:
    def __init__(self, start: int) -> None:
        self.count = start

    def add(self, more: tuple[str, int]) -> int:
        self.count += more[1]
        return self.count


@workflow
def pair(a: tuple[str, int], b: int) -> dict[str, Any]:
    return {"a": a, "b": b}


def expected(x: int, factor: int) -> dict[str, Any]:
    value = x * LARGE * factor
    return {"a": ("total", value), "b": x + value}


def pipeline(name: str, x: int, factor: int, executor: Any, storage: Any) -> LocalWorkflow:
    sums = total(load(x).set_name("values"), factor).set_name("sum")
    count = Counter(x).set_name("counter").add(sums).set_name("count")
    wf = LocalWorkflow(pair(sums, count).set_name("pair"), workflow_name=name, executor=executor)
    wf.set_storage(storage)
    return wf


def step(draw: random.Random, folder: str) -> str | None:
    """Run once. Return what is wrong."""
    storage = FileStorage(
        folder, keep={"versions": draw.choice([1, 3]), "bytes": draw.choice([10**6, 10**9])}, key="secret"
    )
    x, factor = draw.randrange(4), draw.randrange(1, 3)
    wf = pipeline(draw.choice(["one", "two"]), x, factor, draw.choice(["inline", "thread"]), storage)
    try:
        got = wf.run()
        if got != expected(x, factor):
            return f"run({x}, {factor}) gave {got}"
        node = wf.find_nodes("sum")[0]
        try:
            assert wf.last_run is not None
            read = wf.last_run.read_stored(node)  # type: ignore[misc]
            if read != ("total", x * LARGE * factor):
                return f"read_stored({x}, {factor}) gave {read}"
        except (StorageError, TaskNotFoundError):  # removed, pruned or damaged since
            pass
        if draw.random() < 0.2:
            storage.prune()
        for look in (storage.list_workflows, storage.usage, storage.damaged):
            if draw.random() < 0.1:
                look()
    except Exception as error:
        return f"{type(error).__name__}: {traceback.format_exc()}"
    finally:
        wf.close()
    return None


def be_kernel(folder: str, seed: str, log: str) -> None:
    logging.getLogger("fuse_widgets").setLevel(logging.CRITICAL)
    draw = random.Random(seed)
    with open(log, "w", buffering=1) as file:
        while not os.path.exists(f"{log}.stop"):
            wrong = step(draw, folder)
            file.write("right\n" if wrong is None else f"wrong: {wrong}".replace("\n", " | ") + "\n")


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for kernels
    for line in sys.stdin:
        seed, log = line.rstrip("\n").split(" ", 1)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                be_kernel(sys.argv[1], seed, log)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
