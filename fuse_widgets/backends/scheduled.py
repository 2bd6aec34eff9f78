"""What backends share that have a scheduler of their own and describe `backend_info` by a pydantic model."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..engine._stale import Written
from ..engine.errors import FuseError
from ..engine.nodes import Node
from ..engine.run import Run
from ..engine.workflow import BaseWorkflow
from ._stale import files_of, stale_in_storage
from .info import OF_OTHERS, BackendInfo, not_understood, parse, warn_of_key

__all__ = ["ScheduledWorkflow"]


class ScheduledWorkflow(BaseWorkflow):
    """A backend that reads `backend_info` before a run, and runs nodes by a scheduler of its own.

    A subclass names its model as `backend_info_model`, and its `run` does its work in `with self.scheduled() as run:`.
    """

    backend_info_model: ClassVar[type[BackendInfo]] = BackendInfo
    _not_pickled = BaseWorkflow._not_pickled | {"_scheduling", "infos"}
    observed = False
    _scheduling: Run | None = None
    #: What the `backend_info` of nodes said when the run began, and when the node itself did; nodes without any are
    #: not in it.
    infos: dict[Node, Any]
    _noted: frozenset[str] = OF_OTHERS  # keys of other backends, and unknown ones that were warned of

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        needed: Any = super(cls, cls).backend_info_model
        if not issubclass(cls.backend_info_model, needed):
            raise TypeError(
                f"{cls.__name__}.backend_info_model must be a subclass of {needed.__name__}, whose fields the "
                f"scheduler reads; {cls.backend_info_model!r} is not"
            )

    @contextlib.contextmanager
    def scheduled(self) -> Iterator[Run]:
        """The run that `run()` is to carry out.

        Raises:
            FuseError: It is being carried out already.
        """
        run = self.active_run
        assert run is not None
        if self._scheduling is run:
            raise FuseError(f"{run!r} is under way: a node cannot run the workflow that it is part of")
        self._scheduling = run
        try:
            yield run
        finally:
            if self._scheduling is run:  # else this run was left behind, and another one has begun
                self._scheduling = None

    def info_now(self, node: Node) -> Any:
        """What a node's `backend_info` says now that the node begins, as the model; None where it says nothing.

        What was changed during the run counts for the nodes that have not begun. With storage the plugin stays the one
        that the run began with: the fingerprints were made with it.

        Raises:
            BackendInfoError: It holds what this backend cannot work with.
        """
        infos = self.infos
        if not node.backend_info and node not in infos:
            return None
        before = infos.pop(node, None)  # where this raises, what it said before does not count either
        info = self.parsed(node.name, node.backend_info)
        if self.storage is not None:
            plugin = None if before is None else before.plugin
            if info.plugin is not plugin:
                info = info.model_copy(update={"plugin": plugin})
        infos[node] = info
        return info

    def parsed(self, name: str, info: Mapping[str, Any]) -> Any:
        """The whole `backend_info` of a node, as the model. A backend may add to this.

        Raises:
            BackendInfoError: It holds what this backend cannot work with.
        """
        return parse(self.backend_info_model, name, info)

    # --- what is out of date -------------------------------------------------------------------------------

    @property
    def _has_fingerprints(self) -> bool:
        return self.storage is not None and getattr(self.storage, "match", "fingerprint") != "name"

    def _decides_stale(self, nodes: list[Node]) -> tuple[Any, ...]:
        plugins = tuple((node, node.backend_info.get("plugin")) for node in nodes if node.backend_info)
        return (*plugins, *files_of(self.last_run)) if self._has_fingerprints else plugins

    def _find_stale(self, nodes: list[Node], run: Run | None, written: Written) -> dict[Node, str]:
        if not self._has_fingerprints:
            return super()._find_stale(nodes, run, written)
        return stale_in_storage(self, nodes, run)

    def check_backend_info(self, name: str, info: Mapping[str, Any]) -> None:
        parse(self.backend_info_model, name, info)

    def check_whole_info(self, name: str, info: Mapping[str, Any]) -> None:
        super().check_whole_info(name, info)  # which a subclass may have made stricter
        self.parsed(name, info)

    def check(self, nodes: list[Node]) -> None:
        self.infos = {}
        keys: Counter[str] = Counter()
        for node in nodes:
            if node.backend_info:
                self.infos[node] = self.parsed(node.name, node.backend_info)
                keys.update(tuple(node.backend_info))
        self.note_keys(keys)

    def note_keys(self, keys: Mapping[str, int]) -> None:
        model = self.backend_info_model
        unknown = [key for key in not_understood(model, keys) if key not in self._noted]
        self._noted |= frozenset(unknown)
        for key in unknown:
            warn_of_key(model, type(self).__name__, key, keys[key])
