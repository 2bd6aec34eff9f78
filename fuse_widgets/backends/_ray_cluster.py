"""The cluster: whether a machine of it can hold a node, and noticing that it is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import ray

__all__ = ["Watch", "disconnect", "is_cut", "missing"]

#: Seconds between two looks at the cluster.
LOOK = 2.0
#: Seconds without an answer after which a cluster counts as lost.
LOST = 15.0
#: Resources of an option, for those that have another name there.
_RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}


def demand_of(options: Mapping[str, Any], default_cpus: float = 1) -> dict[str, float]:
    """The resources that a task or an actor with these options needs."""
    demand = {
        resource: options[option]
        for option, resource in _RESOURCES.items()
        if options.get(option) is not None
    }
    demand.setdefault("CPU", default_cpus)
    demand.update(options.get("resources") or {})
    if options.get("accelerator_type"):
        demand[f"accelerator_type:{options['accelerator_type']}"] = 0.001
    return {name: amount for name, amount in demand.items() if amount}


def missing(options: Mapping[str, Any], machines: list[dict[str, Any]]) -> str | None:
    """Why no machine can ever hold a task with these options, in words; None where one can.

    Args:
        options: The options of the task.
        machines: What `ray.nodes()` says.
    """
    demand = demand_of(options)
    labels = options.get("label_selector") or {}
    alive = [machine for machine in machines if machine["Alive"]]
    if any(_holds(machine, demand) and _labelled(machine, labels) for machine in alive):
        return None
    lacking = []
    for name, amount in demand.items():
        most = max((machine["Resources"].get(name, 0) for machine in alive), default=0)
        if most < amount:
            has = f"the largest machine has {_amount(name, most)}" if most else "the cluster has none"
            lacking.append(f"needs {name}: {_amount(name, amount)}, {has}")
    if lacking:
        return "; ".join(lacking)
    wants = ", ".join(f"{name}: {_amount(name, amount)}" for name, amount in demand.items())
    wants += "".join(f", label {name}: {value}" for name, value in labels.items())
    return f"needs {wants} on one machine, and no machine of the cluster has all of it"


def _holds(machine: dict[str, Any], demand: Mapping[str, float]) -> bool:
    return all(machine["Resources"].get(name, 0) >= amount for name, amount in demand.items())


def _labelled(machine: dict[str, Any], selector: Mapping[str, str]) -> bool:
    """Whether a machine's labels fit; the forms of Ray: `value`, `!value`, `in(a, b)`, `!in(a, b)`."""
    has = machine.get("Labels") or {}
    for label, wanted in selector.items():
        negated = wanted.startswith("!")
        text = wanted[1:] if negated else wanted
        values = [part.strip() for part in text[3:-1].split(",")] if text.startswith("in(") else [text]
        if (has.get(label) in values) is negated:
            return False
    return True


def _amount(name: str, amount: float) -> str:
    return f"{amount / 2**30:.3g} GiB" if "memory" in name and amount >= 2**20 else f"{amount:g}"


class Watch:
    """Looks at the cluster from a thread of its own, since a question to a lost one may never come back.

    Attributes:
        machines: What `ray.nodes()` said last.
    """

    def __init__(self) -> None:
        self.machines: list[dict[str, Any]] = ray.nodes()
        self._answered = time.monotonic()
        self._over = threading.Event()
        threading.Thread(target=self._look, name="fuse watches Ray", daemon=True).start()

    @property
    def lost(self) -> bool:
        """Whether the cluster has not answered for a while, or has no machine any more."""
        return time.monotonic() - self._answered > LOST

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            if not ray.is_initialized():  # a question now would end the process
                return
            try:
                self.machines = ray.nodes()
            except Exception:  # lost, or shut down: the age of the last answer tells
                continue
            if any(machine["Alive"] for machine in self.machines):
                self._answered = time.monotonic()


def is_cut(error: BaseException) -> bool:
    """Whether a question to Ray failed because the connection of a Ray client (`ray://`) is gone."""
    is_ours = isinstance(error, ConnectionError) or type(error).__module__.partition(".")[0] == "grpc"
    return is_ours and not isinstance(error, ray.exceptions.RayError)


def disconnect() -> None:
    """Let go of a lost cluster, so that the next run can connect again; never waits long."""
    thread = threading.Thread(target=ray.shutdown, daemon=True)
    thread.start()
    thread.join(5)
