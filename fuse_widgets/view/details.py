"""What belongs to a selection, as plain data: `Details` of types.ts. Nothing foreign is called to make it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..engine.events import RunEvent
from ..engine.nodes import Node, NodeItem, ObjectNode
from ..engine.run import Run
from ..engine.states import NodeState
from ._code import code_of, named_arguments
from ._failure import failure, why_again
from ._preview import facts_of, inside, preview
from ._text import one_line
from .graph import displayable

__all__ = ["attempts_of", "node_details", "result_facts", "selection_key"]

#: Arguments of a node, nodes in all of them, and attempts that are told; values that are looked at to find the nodes.
ARGUMENTS, NODES, ATTEMPTS, LOOKED_AT = 200, 5_000, 100, 20_000
#: Notes on what is not tracked.
NOTES = 20


def selection_key(names: Iterable[str]) -> str:
    """A digest of which nodes are selected, as `selectionKey` in details.ts makes it."""
    return format(zlib.crc32("\n".join(map(displayable, names)).encode()), "08x")


def node_details(
    node: Node, index: Mapping[str, int], run: Run | None, events: Sequence[RunEvent], *, storage: bool
) -> dict[str, Any]:
    """All that is told of one selected node, see `NodeDetails` in types.ts.

    Args:
        node: The node, of the graph that is shown.
        index: The places of the names in that graph.
        run: The newest run, if there was one.
        events: The node's events in it.
        storage: Whether results can be read from storage.
    """
    code = code_of(node)
    result, why_no_result = result_facts(node, run, events, storage=storage)
    return {
        "index": index[node._name],
        "name": displayable(node._name),
        "kind": node.kind,
        "function": one_line(node.qualname, 400),
        "module": code.module,
        "file": code.file,
        "line": code.line,
        "signature": code.signature,
        "docstring": code.docstring,
        "source": code.source,
        "made": one_line(node.made_at, 2_000),
        "arguments": _arguments(node, index),
        "attempts": attempts_of(events),
        "failure": _failure(run, events, index),
        "result": result,
        "why_no_result": why_no_result,
        "not_tracked": _not_tracked(events),
    }


def _not_tracked(events: Sequence[RunEvent]) -> list[str]:
    """What storage could not compare for the node in its newest run, in words."""
    notes = next(
        (event.detail["not_tracked"] for event in reversed(events) if "not_tracked" in (event.detail or ())),
        (),
    )
    told = [one_line(note, 300) for note in notes[:NOTES]]
    return [*told, f"{len(notes) - NOTES:,} more"] if len(notes) > NOTES else told


def _arguments(node: Node, index: Mapping[str, int]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    room = NODES
    arguments = named_arguments(node)
    for name, value in arguments[:ARGUMENTS]:
        nodes = _nodes_in(value, index) if node._wiring else []
        told.append({"name": one_line(name, 200), "text": preview(value), "nodes": nodes[:room]})
        room = max(0, room - len(nodes))
    if len(arguments) > ARGUMENTS:
        more = f"{len(arguments) - ARGUMENTS:,} more arguments"
        told.append({"name": "…", "text": more, "nodes": []})
    return told


def _nodes_in(value: Any, index: Mapping[str, int]) -> list[int]:
    """The nodes that stand in an argument, each once."""
    found: dict[str, None] = {}
    for item in inside(value, LOOKED_AT):
        kind = type(item)
        if issubclass(kind, Node):
            found[item._name] = None
        elif issubclass(kind, NodeItem):
            found[item.node._name] = None
    return [index[name] for name in found if name in index]


def attempts_of(events: Sequence[RunEvent]) -> list[dict[str, Any]]:
    """The attempts of a node, folded from its events; the newest ones, the oldest first."""
    attempts: list[dict[str, Any]] = []
    for event in events:
        detail = event.detail or {}
        if "saving" in detail and attempts:
            attempts[-1]["seconds"] = detail["seconds"]
        elif event.state is NodeState.RUNNING:
            attempts.append(_attempt(event, event.time))
        elif event.attempt and (event.state in _ENDS or "error" in detail or _lost(attempts, event)):
            if not attempts or attempts[-1]["state"] != NodeState.RUNNING:
                attempts.append(_attempt(event, None))  # it failed before it began
            last = attempts[-1]
            missed = "error" in detail or event.state is NodeState.QUEUED
            last["state"] = str(NodeState.FAILED if missed else event.state)
            last["worker"] = last["worker"] or displayable(event.worker or "")
            last["seconds"] = detail.get("seconds")
            if last["seconds"] is None and last["started"] is not None:
                last["seconds"] = event.time - last["started"]
            if missed:
                last["error"] = why_again(detail)
    return attempts[-ATTEMPTS:]


_ENDS = (NodeState.DONE, NodeState.FAILED, NodeState.CANCELLED)


def _lost(attempts: list[dict[str, Any]], event: RunEvent) -> bool:
    """Whether an attempt ends because its worker is gone: the node waits again, and nothing has raised."""
    return event.state is NodeState.QUEUED and bool(attempts) and attempts[-1]["state"] == NodeState.RUNNING


def _attempt(event: RunEvent, started: float | None) -> dict[str, Any]:
    return {
        "attempt": event.attempt,
        "state": str(event.state),
        "worker": displayable(event.worker or ""),
        "started": started,
        "seconds": None,
        "error": "",
    }


def _failure(run: Run | None, events: Sequence[RunEvent], index: Mapping[str, int]) -> dict[str, Any] | None:
    last = events[-1] if events else None
    if run is None or last is None:
        return None
    detail = last.detail or {}
    if last.state is NodeState.FAILED:
        return failure(detail.get("error") or {}, None)
    if last.state is not NodeState.SKIPPED or "root" not in detail:
        return None
    cause = next((event for event in reversed(run.events.of(detail["root"])) if event.detail), None)
    error = {} if cause is None or cause.detail is None else cause.detail.get("error") or {}
    return failure(error, index.get(detail["root"]))


def _stored(node: Node, run: Run, events: Sequence[RunEvent]) -> bool:
    """Whether the run said that the result is in storage."""
    if node not in run or not events or isinstance(node, ObjectNode):
        return False
    last = events[-1]
    return last.state is NodeState.CACHED or (last.detail or {}).get("saved") is True


def result_facts(
    node: Node, run: Run | None, events: Sequence[RunEvent], *, storage: bool
) -> tuple[dict[str, Any] | None, str]:
    """`ResultFacts` of types.ts, or None and why there is no result to look at; with no `type`, it is in storage only."""
    if run is None:
        return None, "It has not run yet."
    if node in run.values:
        return facts_of(run.values[node]), ""
    if storage and _stored(node, run, events):
        said = "in storage; the preview reads it from there"
        return {"type": "", "shape": "", "detail": said, "bytes": None}, ""
    return None, _why_none(node, run)


def _why_none(node: Node, run: Run) -> str:
    if node not in run:
        known = node._name in run.states
        return f"It was made {'anew ' if known else ''}after the last run began: run the workflow again."
    state = run.states[node._name]
    if state is NodeState.DONE:
        kind = type(run.workflow).__name__
        return f"{kind} keeps no copy of it in the memory of this kernel. With a storage (set_storage) it can be looked at here."
    if state is NodeState.CACHED and isinstance(node, ObjectNode):
        return "The object was not needed: what its methods gave is in storage."
    if state in _WHY:
        return _WHY[state]
    if run.number > 1 and _ran_before(node, run):
        return f"It has not run yet in run {run.number}; what an earlier run gave was let go when this one began."
    return "It has not run yet." if not run.state.finished else "It did not run in the last run."


def _ran_before(node: Node, run: Run) -> bool:
    earlier = [other for other in run.workflow.runs if other is not run and node in other]
    return any(other.states[node._name] in (NodeState.DONE, NodeState.CACHED) for other in earlier)


_WHY = {
    NodeState.RUNNING: "It is running.",
    NodeState.FAILED: "It failed.",
    NodeState.SKIPPED: "It was skipped, since a node that it needs failed.",
    NodeState.CANCELLED: "It was cancelled.",
    NodeState.CACHED: "Its result is in storage, which this workflow no longer has.",
}
