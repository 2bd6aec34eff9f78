"""Whether a machine of a Ray cluster can hold a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["demand_of", "in_words", "missing", "total_of"]

#: Resources of an option, for those that have another name there.
_RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
#: What Ray calls an accelerator's kind as a resource; a machine has 1 of it, and a task needs a trace.
_ACCELERATOR = "accelerator_type:"


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
        demand[_ACCELERATOR + options["accelerator_type"]] = 0.001
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
            has = f"the largest machine has {in_words(name, most)}" if most else "the cluster has none"
            wants = name if name.startswith(_ACCELERATOR) else f"{name}: {in_words(name, amount)}"
            lacking.append(f"needs {wants}, {has}")
    for name, value in labels.items():
        if not any(_labelled(machine, {name: value}) for machine in alive):
            lacking.append(f"needs a machine with label {name}: {value}, the cluster has none")
    if lacking:
        return "; ".join(lacking)
    wants = ", ".join(f"{name}: {in_words(name, amount)}" for name, amount in demand.items())
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


def total_of(name: str, machines: list[dict[str, Any]]) -> float:
    """How much of a resource all machines have that are there."""
    total: float = sum(machine["Resources"].get(name, 0) for machine in machines if machine["Alive"])
    return total


def in_words(name: str, amount: float) -> str:
    """How much of a resource, as a person writes it."""
    return f"{amount / 2**30:.3g} GiB" if "memory" in name and amount >= 2**20 else f"{amount:g}"
