"""What a view says of results that are out of date, and of functions and nodes that other cells have made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engine.errors import shorten
from ..engine.nodes import Node
from ..engine.workflow import BaseWorkflow
from ._text import one_line

__all__ = ["stale_to_wire"]

#: Longest reason, and most functions that are named.
REASON, NEWER = 400, 20


def stale_to_wire(workflow: BaseWorkflow, index: Mapping[str, int], version: int) -> dict[str, Any]:
    """The `_stale` trait, see docs/architecture.md.

    Args:
        workflow: The workflow as it is now.
        index: The places of the names in the graph that is shown.
        version: The version of that graph.
    """
    stale = sorted((index[name], why) for name, why in workflow.stale().items() if name in index)
    reasons = {reason: place for place, reason in enumerate(dict.fromkeys(why for _, why in stale))}
    return {
        "version": version,
        "index": np.array([place for place, _ in stale], "<u4").tobytes(),
        "reason": np.array([reasons[why] for _, why in stale], "<u4").tobytes(),
        "reasons": [one_line(reason, REASON) for reason in reasons],
        "newer": [
            {
                "name": one_line(newer.name, 200),
                "where": one_line(newer.where, 200),
                "count": len(newer.nodes),
            }
            for newer in workflow.newer_functions()[:NEWER]
        ],
        "notices": _notices(workflow),
    }


def _notices(workflow: BaseWorkflow) -> list[str]:
    nodes = set(workflow.find_nodes())
    notices = []
    old = [node for node in nodes if node.replaced]
    if old:
        notices.append(
            f"{_some(sorted(old, key=lambda node: node._serial))} from an earlier execution of a cell. Run the cell "
            "that makes this workflow to use the new ones."
        )
    left_out = workflow.why_left_out
    # Those that need another node that is left out, or that the roots do not lead to, are none of the person's doing.
    causes = [node for node in left_out if nodes.issuperset(node.parents)]
    if causes and not old:
        node = causes[0]
        more = len(left_out) - 1
        others = f" (and {more} more node{'s' * (more > 1)})" if more else ""
        notices.append(
            f"{shorten(node.name)}, made at {node.made_at}, is left out{others}: {left_out[node]}. "
            "workflow.discard_left_out() removes it."
        )
    return [one_line(notice, 2 * REASON) for notice in notices]


def _some(nodes: list[Node]) -> str:
    more = len(nodes) - 1
    return f"{shorten(nodes[0].name)} {f'and {more} more nodes are' if more > 1 else 'and 1 more node are' if more else 'is'}"
