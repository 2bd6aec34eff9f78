"""Query: the nodes that match a pattern, and what can be set on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import shorten
from .warn import warn

if TYPE_CHECKING:
    from .nodes import Node
    from .workflow import BaseWorkflow

__all__ = ["Query"]


class Query:
    """The nodes of a workflow whose whole names match a pattern.

    Every `set_...` and `unset_...` returns the query, so that calls can be chained.

    Attributes:
        workflow: The workflow that was asked.
        pattern: The regular expression, None for all nodes.
        nodes: The nodes that matched when the query was made.
    """

    def __init__(self, workflow: BaseWorkflow, pattern: str | None, nodes: Sequence[Node]) -> None:
        self.workflow, self.pattern, self.nodes = workflow, pattern, tuple(nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    def set_backend_info(self, key: str, value: Any) -> Query:
        """Set one key of `backend_info` on every node.

        Raises:
            BackendInfoError: The backend knows the key and cannot work with the value; no node was changed.
        """
        return self._update({key: value})

    def unset_backend_info(self, key: str) -> Query:
        """Take one key out of the `backend_info` of every node, so that the backend's default holds again.

        Nodes that do not have the key stay as they are.

        Raises:
            BackendInfoError: The backend cannot work with what is left; no node was changed.
        """
        for node in self.nodes:
            if key in node.backend_info:
                left = {name: value for name, value in node.backend_info.items() if name != key}
                self.workflow.check_backend_info(node.name, left)
        for node in self.nodes:
            node.backend_info.pop(key, None)
        if not self.nodes:
            self._warn_of_none("unset")
        return self

    def set_remote_args(self, args: Mapping[str, Any]) -> Query:
        """Set the options that a remote backend starts each node's task with, for example `{"num_cpus": 2}`."""
        return self._update({"remote_args": dict(args)})

    def set_plugin(self, plugin: Any) -> Query:
        """Set the plugin that runs before each node."""
        return self._update({"plugin": plugin})

    def _update(self, items: Mapping[str, Any]) -> Query:
        for node in self.nodes:
            self.workflow.check_backend_info(node.name, {**node.backend_info, **items})
        for node in self.nodes:
            node.backend_info.update(items)
        if self.nodes:
            self.workflow.note_keys(dict.fromkeys(items, len(self.nodes)))
        else:
            self._warn_of_none("set")
        return self

    def _warn_of_none(self, done: str) -> None:
        warn(
            f"no node of workflow {shorten(self.workflow.workflow_name)!r} has a whole name that matches "
            f"{self.pattern!r}, so nothing was {done}"
        )

    def __repr__(self) -> str:
        names = ", ".join(repr(shorten(node.name, 40)) for node in self.nodes[:4])
        more = ", …" if len(self.nodes) > 4 else ""
        return f"<Query {self.pattern!r}: {len(self.nodes)} nodes{': ' if names else ''}{names}{more}>"
