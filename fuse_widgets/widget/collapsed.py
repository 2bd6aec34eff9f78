"""Words for groups that a person names in Python and a graph does not have."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ..engine.errors import shorten
from ..engine.warn import warn
from ..engine.workflow import BaseWorkflow
from ..view.graph import Graph

__all__ = ["warn_of_unknown"]

#: Whose frames stand between a person's `widget.collapsed = ...` and us.
_BETWEEN = ("traitlets", "ipywidgets", "anywidget")


def warn_of_unknown(workflow: BaseWorkflow, graph: Graph, ids: Sequence[str]) -> None:
    """Warn of ids that no group of a workflow's graph has, naming the nearest that there is.

    Args:
        workflow: What the groups are those of.
        graph: Its graph, which may be older than the nodes that were added last.
        ids: Ids of groups as a person gave them.
    """
    if {*ids} <= {group.id for group in graph.groups}:
        return
    known = [group.id for group in Graph.of(workflow).groups]
    for name in ids:
        if name not in known:
            near = _nearest(name, known)
            way_out = (
                f"did you mean {shorten(near)!r}?"
                if near
                else f"there are {', '.join(repr(shorten(some, 40)) for some in known[:5])}{', …' * (len(known) > 5)}."
                if known
                else "it has no groups."
            )
            warn(
                f"collapsed: workflow {shorten(workflow.workflow_name)!r} has no group {shorten(repr(name))}: {way_out} "
                "It counts once there is one.",
                _BETWEEN,
            )


def _nearest(name: str, known: Sequence[str]) -> str | None:
    """`function:fit` for `fit`, else what is written alike."""
    alone = {one.partition(":")[2].rstrip(): one for one in reversed(known)}
    bare = name.partition(":")[2] if name.startswith(("function:", "prefix:")) else name
    found = get_close_matches(bare.rstrip(), alone, 1)
    return alone[found[0]] if found else None
