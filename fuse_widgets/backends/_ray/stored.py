"""What storage holds for a run on Ray: looked at and read on the machines, never through the driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...engine.errors import shorten
from ...engine.nodes import Node
from ...engine.run import Run
from ...storage._machines import missing
from ...storage._ray import answer, load_error, not_there, read_there
from ...storage.base import StorageError
from .._stored import Stored
from .cluster import Stop
from .pack import Packer
from .task import Save

if TYPE_CHECKING:
    from .._stored import Storing
    from .cluster import Watch

__all__ = ["RayStored", "not_saved"]


class RayStored(Stored):
    """Storage as one run on Ray sees it. Its `values` are references.

    Attributes:
        remote_args: Options of the tasks that save and read, where storage is on machines of its own; None where
            every worker reaches it.
        gone: Why nothing can be saved any more, in words; None where storage is there.
    """

    def __init__(self, workflow: Storing, run: Run, watch: Watch) -> None:
        super().__init__(workflow, run)
        self._watch, self._look = watch, watch.waiting(f"what {self.storage!r} has")
        if hasattr(self.storage, "looking"):
            self.storage = self.storage.looking(self._look)
        self.remote_args: Mapping[str, Any] | None = getattr(self.storage, "remote_args", None)
        self.gone: str | None = None
        self._saved = True  # by the workers

    def look_up(self) -> dict[Node, dict[str, Any]]:
        try:
            return super().look_up()
        except Stop as stop:
            raise stop.error from None

    def machines_changed(self, machines: list[dict[str, Any]]) -> None:
        """Find out whether the machine of storage is still there.

        Args:
            machines: What `ray.nodes()` says.
        """
        why = None if self.remote_args is None else missing(self.remote_args, machines)
        self.gone = None if why is None else not_there(why)

    def save_of(self, node: Node, packer: Packer) -> Save | None:
        """How the result of a node is to be saved; None where it is not."""
        if not self.saves(node):
            return None
        storage = packer.storage(self.storage)
        return Save(storage, self.workflow.workflow_name, node._name, self.fingerprint_of(node))

    def renew(self) -> None:
        """Keep the lease; called again and again by the loop of the run."""
        if self.remote_args is not None and self.lease is not None:
            self.lease.renew()

    def close(self) -> None:
        if self.gone is None:
            super().close()

    def _load_all(self, wanted: list[Node]) -> list[Node]:
        """Have results read into the object store, all at once; the nodes whose results cannot be used are returned."""
        new = [node for node in wanted if node not in self.values]
        if not new:
            return []
        there = getattr(self.storage, "there", None) or Packer().pickled(self.storage, "the storage")
        name = self.workflow.workflow_name
        read = [
            read_there.options(name=f"read {node._name}", **(self.remote_args or {})).remote(
                there, name, node._name, self.fingerprint_of(node)
            )
            for node in new
        ]
        damaged = []
        for node, (value, report) in zip(new, read, strict=True):
            try:
                if self.gone is not None:
                    raise StorageError(self.gone)
                wrong = answer(report, self.remote_args or {}, self._look)
                if wrong is not None:
                    raise load_error(wrong)
            except Exception as error:
                self._cannot_be_used(node, error)
                if self.gone is None:
                    self._say(error)
                damaged.append(node)
                self.machines_changed(self._watch.machines)
            else:
                self.values[node] = value
        return damaged


def not_saved(why: str) -> dict[str, Any]:
    """What an event says of a result that was not saved."""
    return {"saved": False, "why_not_saved": shorten(why, 400)}
