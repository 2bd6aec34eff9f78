"""Which results are out of date, for a workflow that goes by fingerprints."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from ..engine.errors import message_of, shorten
from ..engine.nodes import Node, ObjectNode
from ..engine.states import NodeState
from ._stored import fingerprints

if TYPE_CHECKING:
    from ..engine.run import Run
    from ..engine.workflow import BaseWorkflow
    from ..storage.fingerprint import Fingerprint

log = logging.getLogger("fuse_widgets")


def stale_in_storage(workflow: BaseWorkflow, nodes: list[Node], run: Run | None) -> dict[Node, str]:
    """The nodes that have a result, and none with the fingerprint that they have now; each with the reason."""
    try:
        now = fingerprints(nodes, lambda node: node._func, lambda node: node.backend_info.get("plugin"))
    except Exception as error:  # of what an argument is: the run says it
        log.debug("what is stale in %r is unknown: %s", workflow, message_of(error))
        return {}
    before = {} if run is None else _results(run)
    unknown = [node for node in nodes if _digest(before.get(node._name)) != now[node].digest]
    stored = _newest(workflow, [node for node in unknown if not isinstance(node, ObjectNode)], now)
    stale: dict[Node, str] = {}
    for node in unknown:
        newest = stored.get(node)
        if newest is not None and newest.digest == now[node].digest:
            continue
        old = newest or before.get(node._name)
        why = None if old is None else now[node].difference(old)
        if why:
            stale[node] = why
    for node in nodes:  # an object has no result in storage; what methods of it give is out of date with it
        parent = next((parent for parent in node.parents if parent in stale), None)
        if node not in stale and parent is not None and node._name in before:
            stale[node] = f"{shorten(parent._name)} is out of date"
    return stale | {node: node._misfit for node in nodes if node._misfit}


def files_of(run: Run | None) -> list[tuple[Any, ...]]:
    """The files that nodes of a run depend on, with what tells whether they may have changed since."""
    paths = (
        {path for found in run.fingerprints.values() for path in found.files} if run is not None else set()
    )
    return [(path, *_stat(path)) for path in sorted(paths)]


def _stat(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size


def _digest(fingerprint: Fingerprint | None) -> str | None:
    return None if fingerprint is None else fingerprint.digest


def _results(run: Run) -> dict[str, Fingerprint]:
    """The fingerprints of the results that a run gave."""
    states = run.states
    return {
        node._name: fingerprint
        for node, fingerprint in run.fingerprints.items()
        if states.get(node._name) in (NodeState.DONE, NodeState.CACHED)
    }


def _newest(workflow: BaseWorkflow, nodes: list[Node], now: dict[Node, Fingerprint]) -> dict[Node, Any]:
    """The fingerprint of what storage would give for a node, or of the newest version it has."""
    if not nodes:
        return {}
    names = {node._name: now[node] for node in nodes}
    try:
        records = workflow.storage.lookup_many(workflow.workflow_name, names)
    except Exception as error:  # gone, or not of ours: the run says it
        log.debug("what is stale in %r is unknown: %s", workflow, message_of(error))
        return {}
    return {
        node: record.fingerprint
        for node, record in zip(nodes, records, strict=True)
        if record is not None and not isinstance(record, Exception)
    }
