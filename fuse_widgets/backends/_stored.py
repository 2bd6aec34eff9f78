"""What storage holds for one run: which nodes need not run, why the others do, and saving what they give.

All of it is decided before the first node runs, since a fingerprint depends on code and arguments, not on results.

An object that methods change cannot be stored in between, so the nodes of one object stand together: if one
that needs the object has to run, its constructor and all its methods run again.
"""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..engine.errors import message_of, shorten
from ..engine.nodes import MethodNode, Node, NodeItem, ObjectNode, checked
from ..storage.base import (
    DamagedTaskError,
    Storage,
    StorageError,
    TaskRecord,
    log_damage,
    takes_fingerprint,
)
from ..storage.input_file import check_files
from .info import DEFAULTS

if TYPE_CHECKING:
    from ..engine.run import Run
    from ..storage.fingerprint import Fingerprint
    from .info import BackendInfo

    class Storing(Protocol):
        """A workflow that uses storage."""

        storage: Any
        workflow_name: str
        outputs: tuple[Node | NodeItem, ...]

        @property
        def infos(self) -> Mapping[Node, BackendInfo]: ...


#: Why a constructor runs: it never is in storage.
UNSTORED = "it is needed, and objects are not stored"
#: Why a constructor runs that no other node needs.
UNUSED = "objects are not stored"
#: How many results that could not be saved the log tells of in one run; the events tell of all.
WARNINGS = 3

log = logging.getLogger("fuse_widgets")


def fingerprints(
    nodes: Iterable[Node], function: Callable[[Node], Any], plugin: Callable[[Node], Any]
) -> dict[Node, Fingerprint]:
    """The fingerprints of nodes, parents first, with the functions they call and their plugins."""
    from ..storage.fingerprint import FingerprintCache, fingerprint  # not needed without storage

    cache = FingerprintCache()
    found: dict[Node, Fingerprint] = {}
    for node in nodes:
        digests = {parent: found[parent].digest for parent in node.parents}
        found[node] = fingerprint(node, digests, cache=cache, plugin=plugin(node), func=function(node))
    return found


class Stored:
    """Storage as one run sees it; used by the scheduler's thread alone.

    Attributes:
        values: Stored results that this run needs, by node; filled by `look_up`.
        lease: Keeps what this run needs from being removed by another kernel; None if the storage has no leases.
    """

    def __init__(self, workflow: Storing, run: Run) -> None:
        self.storage, self.workflow, self.run = workflow.storage, workflow, run
        self.values: dict[Node, Any] = {}
        self._fingerprints: dict[Node, Fingerprint] = {}
        self._why: dict[Node, str] = {}
        self._unsaved: list[Node] = []
        self._records: Mapping[Node, TaskRecord | Exception | None] = {}
        self._saved = False
        self.lease: Any = None
        self._by_name = getattr(self.storage, "match", "fingerprint") == "name"

    def look_up(self) -> dict[Node, dict[str, Any]]:
        """The nodes that need not run, each with the detail of its event; loads the results the others need."""
        if self.storage is None:
            return {}
        try:
            self.storage.new_workflow(self.workflow.workflow_name)
        except Exception as error:  # full, read-only or gone: the run goes on, and reads what can be read
            self._say(error)
        self._make_fingerprints()
        self.run.read_stored = functools.partial(
            _read, self.workflow.storage, self.workflow.workflow_name, self._fingerprints
        )
        wanted = [node for node in self.run.nodes if self.saves(node)]
        self.lease = self._begin_lease(wanted)
        self._records = self._look_up(wanted)
        stored = {node: detail for node in self.run.nodes if (detail := self._find(node)) is not None}
        while True:
            self._run_objects_as_a_whole(stored)
            wanted = self._wanted(stored)
            damaged = self._load_all(wanted)
            if not damaged:
                self.values = {node: self.values[node] for node in wanted}
                return stored
            for node in damaged:
                stored.pop(node, None)

    def close(self) -> None:
        """End what storage does for this run."""
        lease, self.lease = self.lease, None
        if lease is not None:
            try:
                lease.release(self._saved)
            except Exception as error:
                log.warning("the storage could not be tidied up: %s", message_of(error))

    def why(self, node: Node) -> dict[str, Any]:
        """Why the node runs, and what of it is not tracked, for its event."""
        why = self._why.get(node)
        return self._not_tracked(node) if why is None else {"why": why, **self._not_tracked(node)}

    def files_of(self, node: Node) -> Mapping[str, str]:
        """The digests of the files (`InputFile`) that a node reads, by path."""
        fingerprint = self._fingerprints.get(node)
        return {} if fingerprint is None else fingerprint.files

    def checked(self, node: Node, func: Any) -> Any:
        """`func`, which raises InputFileError if a file of the node is not as it was when the run began."""
        files = self.files_of(node)
        return Checked(func, files) if files else func

    def saves(self, node: Node) -> bool | None:
        """Whether a node's result is to be saved; None if that is not said of it."""
        if self.storage is None or not self.workflow.infos.get(node, DEFAULTS).cache:
            return None
        return not isinstance(node, ObjectNode)

    def fingerprint_of(self, node: Node) -> Fingerprint | None:
        """What a node's result depends on; None if storage goes by names."""
        return self._fingerprints.get(node)

    def save(self, node: Node, value: Any, seconds: float) -> dict[str, Any]:
        """Save a result; what cannot be saved is said in the detail that is returned, and the run goes on."""
        saves = self.saves(node)
        if not saves:
            return {} if saves is None else {"saved": False}
        try:
            self.storage.save(
                self.workflow.workflow_name,
                node._name,
                value,
                fingerprint=self._fingerprints.get(node),
                meta={"seconds": seconds},
            )
        except Exception as error:
            text = shorten(message_of(error), 400)
            self.warn(node, text)
            return {"saved": False, "why_not_saved": text}
        self._saved = True
        return {"saved": True}

    def again(self, node: Node) -> Any:
        """Read a result that this run has saved or read before."""
        return _read(self.storage, self.workflow.workflow_name, self._fingerprints, node)

    def warn(self, node: Node, text: str) -> None:
        """Say why a result was not saved, for the first few of a run."""
        if len(self._unsaved) < WARNINGS:
            self._unsaved.append(node)
            log.warning("the result of node %r was not saved: %s", shorten(node._name), text)

    def _make_fingerprints(self) -> None:
        if self._by_name:
            return
        infos = self.workflow.infos
        self._fingerprints = fingerprints(
            self.run.nodes, self.run.function, lambda node: infos.get(node, DEFAULTS).plugin
        )
        self.run.fingerprints = self._fingerprints
        for node in self.run.nodes:
            self._say_plain_paths(node)

    def _say_plain_paths(self, node: Node) -> None:
        """Say once of a path that names a file, and is no `InputFile`, that the content does not count."""
        for path in self._fingerprints[node].plain_paths:
            place = os.path.abspath(path)
            if place not in _said:
                _said.add(place)
                text = (
                    f"node {shorten(node._name)!r} takes the path {shorten(repr(path), 200)}, and the content of that file "
                    "is not tracked: pass InputFile(path) to run the node again when the file changes"
                )
                log.warning("%s", text)
                self.run.emit(None, self.run.state, detail={"notice": text})

    def _not_tracked(self, node: Node) -> dict[str, Any]:
        fingerprint = self._fingerprints.get(node)
        notes = () if fingerprint is None else fingerprint.not_tracked
        return {"not_tracked": list(notes)} if notes else {}

    def _named(self, nodes: list[Node]) -> dict[str, Fingerprint | None]:
        return {node._name: self._fingerprints.get(node) for node in nodes}

    def _begin_lease(self, nodes: list[Node]) -> Any:
        if not isinstance(self.storage, Storage):
            return None
        try:
            return self.storage.lease(self.workflow.workflow_name, self._named(nodes))
        except Exception as error:  # read-only or gone: then nobody here removes anything either
            log.debug("no lease for %r: %s", self.run, message_of(error))
            return None

    def _look_up(self, nodes: list[Node]) -> Mapping[Node, TaskRecord | Exception | None]:
        """What storage has for each node: the version under its fingerprint, else the newest, else None or why not."""
        workflow = self.workflow.workflow_name
        try:
            _check(self.storage, by_name=self._by_name)
            if isinstance(self.storage, Storage):
                found = list(self.storage.lookup_many(workflow, self._named(nodes)))
                return dict(zip(nodes, found, strict=True))
        except Exception as error:
            if isinstance(error, Unusable):
                self._say(error)
            return dict.fromkeys(nodes, error)
        return {node: self._look_up_one(workflow, node) for node in nodes}

    def _look_up_one(self, workflow: str, node: Node) -> TaskRecord | Exception | None:
        fingerprint = self._fingerprints.get(node)
        record: TaskRecord | None = None
        try:
            if fingerprint is not None:
                record = self.storage.lookup(workflow, node._name, fingerprint=fingerprint)
            return record or self.storage.lookup(workflow, node._name)
        except Exception as error:
            return error

    def _find(self, node: Node) -> dict[str, Any] | None:
        """The detail of a stored task that still holds, else None with the reason noted."""
        if isinstance(node, ObjectNode):
            return {"why": "not needed: what its methods gave is stored"}
        if node not in self._records:
            self._why[node] = "its cache is off"
            return None
        record = self._records[node]
        if isinstance(record, Exception):
            self._cannot_be_used(node, record)
            if isinstance(record, DamagedTaskError):
                self._say(record)
            return None
        why = "it was not stored yet" if record is None else self._why_not(node, record)
        if record is None or why is not None:
            self._why[node] = why or ""
            return None
        return {"why": "stored", "stored_seconds": _seconds(record), **self._not_tracked(node)}

    def _why_not(self, node: Node, record: TaskRecord) -> str | None:
        fingerprint = self._fingerprints.get(node)
        return None if fingerprint is None else fingerprint.difference(record.fingerprint)

    def _run_objects_as_a_whole(self, stored: dict[Node, dict[str, Any]]) -> None:
        """Take out of `stored` every object of which something has to run, with all its methods."""
        members: dict[ObjectNode, list[Node]] = {}
        for node in self.run.nodes:
            if isinstance(node, MethodNode):
                members.setdefault(node.object, []).append(node)
        outputs = {out.node if isinstance(out, NodeItem) else out for out in self.workflow.outputs}
        unused = {
            node
            for node, children in zip(self.run.nodes, self.run.order.children, strict=True)
            if isinstance(node, ObjectNode) and not children
        }
        waiting = [
            n
            for n in self.run.nodes
            if n not in stored or n in unused or (isinstance(n, ObjectNode) and n in outputs)
        ]
        seen: set[ObjectNode] = set()
        while waiting:
            node = waiting.pop()
            for obj in (node, *node.parents):
                if not isinstance(obj, ObjectNode) or obj in seen:
                    continue
                seen.add(obj)
                for member in [obj, *members.get(obj, ())]:
                    if stored.pop(member, None) is not None:
                        needed = "its object is needed again" if member is not obj else UNSTORED
                        self._why[member] = needed if member not in unused else UNUSED
                        waiting.append(member)

    def _wanted(self, stored: dict[Node, dict[str, Any]]) -> list[Node]:
        """The stored nodes whose results are needed: outputs, and parents of what has to run."""
        wanted = {out.node if isinstance(out, NodeItem) else out: None for out in self.workflow.outputs}
        for node in self.run.nodes:
            if node not in stored:
                wanted.update(dict.fromkeys(node.parents))
        return [node for node in wanted if node in stored and not isinstance(node, ObjectNode)]

    def _load_all(self, wanted: list[Node]) -> list[Node]:
        """Load results; the nodes whose results cannot be used are returned."""
        damaged = []
        for node in wanted:
            if node not in self.values:
                try:
                    self.values[node] = self.storage.read_task(
                        self.workflow.workflow_name, node._name, **asked(self._fingerprints.get(node))
                    )
                except Exception as error:
                    self._cannot_be_used(node, error)
                    self._say(error)
                    damaged.append(node)
        return damaged

    def _cannot_be_used(self, node: Node, error: Exception) -> None:
        self._why[node] = f"its stored result cannot be used: {shorten(message_of(error), 300)}"

    def _say(self, error: Exception) -> None:
        text = message_of(error)
        if isinstance(error, DamagedTaskError):
            log_damage(text, error.path or "", error.reason, error.set_aside)
        else:
            log.warning("%s", text)
        self.run.emit(None, self.run.state, detail={"notice": shorten(text, 300)})


#: Files of which it was said that they are not tracked, by absolute path.
_said: set[str] = set()


class Checked:
    """A function of a node with files; raises InputFileError if a file is not as it was when the run began.

    Without it, a result would be stored, and used later, for a content that it was not computed from.
    """

    def __init__(self, func: Any, files: Mapping[str, str]) -> None:
        self.func, self.files = func, files

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        check_files(self.files, "after the run began")
        value = checked(self.func, self.func(*args, **kwargs))
        check_files(self.files, "while the node ran")
        return value


class Unusable(StorageError):
    """A storage that cannot be asked for one fingerprint."""


def _check(storage: Any, *, by_name: bool) -> None:
    """Raise Unusable if a storage may return a result of other code or arguments than those it is asked for."""
    for name in () if by_name else ("lookup", "read_task"):
        if not takes_fingerprint(getattr(storage, name)):
            kind = type(storage).__name__
            raise Unusable(
                f"{kind}.{name} takes no fingerprint, so what it returns may belong to other arguments: nothing is "
                f"taken from this storage. Add the keyword argument `fingerprint=None` to {kind}.{name}, as "
                "fuse_widgets.storage.Storage has it."
            )


def _read(storage: Any, workflow: str, fingerprints: Mapping[Node, Fingerprint], node: Node) -> Any:
    """The stored result of a node: of the version under its fingerprint, whatever was saved meanwhile."""
    _check(storage, by_name=node not in fingerprints)
    return storage.read_task(workflow, node._name, **asked(fingerprints.get(node)))


def asked(fingerprint: Fingerprint | None) -> dict[str, Any]:
    """Return the argument of `read_task` for a fingerprint; none for a storage that goes by names."""
    return {} if fingerprint is None else {"fingerprint": fingerprint}


def _seconds(record: TaskRecord) -> float | None:
    """What the header says that the node took; None if that is no duration."""
    seconds: Any = record.meta.get("seconds") if isinstance(record.meta, Mapping) else None
    if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
        return None
    return float(seconds)
