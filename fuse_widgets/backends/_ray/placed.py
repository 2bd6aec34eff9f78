"""Why a node waits that a scheduling strategy places, where Ray keeps silent: placement groups and labels of machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ray.util.scheduling_strategies import NodeLabelSchedulingStrategy, PlacementGroupSchedulingStrategy

from ...storage._machines import in_words, missing, total_of

__all__ = ["NOT_PLACED", "unplaced"]

Machines = list[dict[str, Any]]
#: Said of a node whose placement group fits the cluster, and is not there.
NOT_PLACED = "needs a placement group that Ray has not placed yet, since what it reserves is in use"


def unplaced(
    options: Mapping[str, Any], machines: Machines, table_of: Callable[[Any], Mapping[str, Any] | None]
) -> str | None:
    """Why no machine can hold a task with these options, in words; None where one can, or where Ray says so itself.

    Args:
        options: The options of the task.
        machines: What `ray.nodes()` says.
        table_of: What Ray said last of a placement group; None where it was not asked yet.
    """
    strategy = options.get("scheduling_strategy")
    if isinstance(strategy, PlacementGroupSchedulingStrategy):
        group = strategy.placement_group
        return None if group is None or group.is_empty else _of_group(table_of(group), machines)
    if isinstance(strategy, NodeLabelSchedulingStrategy):
        return _of_labels(strategy, options, machines)
    if strategy in (None, "DEFAULT", "SPREAD") or getattr(strategy, "soft", False):
        return missing(options, machines)
    return None  # a machine that is named: Ray says whether it is there


def _of_group(table: Mapping[str, Any] | None, machines: Machines) -> str | None:
    if not table or table["state"] in ("CREATED", "REMOVED"):
        return None
    bundles: list[Mapping[str, float]] = list(table["bundles"].values())
    alive = sum(machine["Alive"] for machine in machines)
    total = Counter[str]()
    for bundle in bundles:
        total.update(bundle)
    if table["strategy"] == "STRICT_PACK":
        bundles = [total]
    whys = [_missing(bundle, machines) for bundle in bundles]
    whys += [_missing_in_all(name, amount, machines) for name, amount in total.items()]
    if table["strategy"] == "STRICT_SPREAD" and len(bundles) > alive:
        whys.append(f"{len(bundles)} machines, the cluster has {alive}")
    why = next((why for why in whys if why is not None), None)
    return NOT_PLACED if why is None else f"needs a placement group with {why}"


def _missing(bundle: Mapping[str, float], machines: Machines) -> str | None:
    why = missing({"num_cpus": 0, "resources": bundle}, machines)
    return None if why is None else why.removeprefix("needs ")


def _missing_in_all(name: str, amount: float, machines: Machines) -> str | None:
    has = total_of(name, machines)
    if has >= amount:
        return None
    return f"{name}: {in_words(name, amount)} in all, the cluster has {in_words(name, has)}"


def _of_labels(
    strategy: NodeLabelSchedulingStrategy, options: Mapping[str, Any], machines: Machines
) -> str | None:
    fitting = [machine for machine in machines if machine["Alive"]]
    for expression in strategy.hard:
        label, wanted = expression.key, expression.operator
        fitting = [machine for machine in fitting if _fits((machine.get("Labels") or {}).get(label), wanted)]
        if not fitting:
            values = ", ".join(getattr(wanted, "values", ()))
            return (
                f"needs a machine with label {label}: {type(wanted).__name__}({values}), the cluster has none"
            )
    return missing(options, fitting)


def _fits(value: str | None, wanted: Any) -> bool:
    kind = type(wanted).__name__
    if kind in ("In", "NotIn"):
        return (value in wanted.values) is (kind == "In")
    return (value is not None) is (kind == "Exists")
