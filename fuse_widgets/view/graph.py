"""A workflow's graph as columns: what a view has to know that does not change while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..engine.workflow import BaseWorkflow
from .layout import Layout, box_widths, layered_layout

__all__ = ["BOX_HEIGHT", "Direction", "Graph"]

Direction = Literal["LR", "TB"]
#: Height of a box in CSS pixels at zoom 1.
BOX_HEIGHT = 32.0
#: Longest name that travels to the browser, in characters; what is longer loses its middle.
NAME_LIMIT = 2000

_KINDS = {"function": 0, "constructor": 1, "method": 2}


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes, edges and positions of a workflow.

    Attributes:
        title: Name of the workflow.
        names: Names of the n nodes, parents before children; everything else refers to places in it.
        functions: The different function names.
        function: uint32[n], the place of each node's function in `functions`.
        kind: uint8[n], 0 function, 1 constructor, 2 method.
        edges: uint32[m, 2], source and target.
        widths: float32[n], widths of the boxes.
        direction: `"LR"` or `"TB"`.
    """

    title: str
    names: tuple[str, ...]
    functions: tuple[str, ...]
    function: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    edges: NDArray[np.uint32]
    widths: NDArray[np.float32]
    direction: Direction

    @classmethod
    def of(cls, workflow: BaseWorkflow, direction: Direction = "LR") -> Graph:
        """The graph of a workflow as it is now."""
        nodes = workflow.find_nodes()
        names = tuple(node.name for node in nodes)
        place = {node: index for index, node in enumerate(nodes)}
        functions: dict[str, int] = {}
        function = [functions.setdefault(node.qualname, len(functions)) for node in nodes]
        pairs = [(place[parent], index) for index, node in enumerate(nodes) for parent in node.parents]
        edges = np.array(pairs, dtype=np.uint32).reshape(-1, 2)
        widths = box_widths(names).astype(np.float32)
        return cls(
            title=workflow.workflow_name,
            names=names,
            functions=tuple(functions),
            function=np.array(function, dtype=np.uint32),
            kind=np.array([_KINDS[node.kind] for node in nodes], dtype=np.uint8),
            edges=edges,
            widths=widths,
            direction=direction,
        )

    @cached_property
    def layout(self) -> Layout:
        """Where boxes and edges are; computed when it is first asked for."""
        return layered_layout(self.widths, self.edges, height=BOX_HEIGHT, direction=self.direction)

    def same_as(self, other: Graph) -> bool:
        """Whether both have the same nodes and edges and are drawn alike."""
        return (
            self.names == other.names
            and self.direction == other.direction
            and np.array_equal(self.edges, other.edges)
            and np.array_equal(self.kind, other.kind)
        )

    @cached_property
    def index(self) -> dict[str, int]:
        """The place of each name."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def by_shown_name(self) -> dict[str, str]:
        """Names that the browser knows in another form, since they are very long or no valid Unicode, by that form."""
        return {shown: name for name in self.names if (shown := displayable(name)) != name}

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<Graph {self.title!r}: {len(self.names)} nodes, {len(self.edges)} edges, {self.direction}>"

    def to_wire(self, version: int) -> dict[str, Any]:
        """The `_graph` trait, see docs/architecture.md."""
        return {
            "version": version,
            "title": displayable(self.title),
            "direction": self.direction,
            "names": [displayable(name) for name in self.names],
            "functions": [displayable(name) for name in self.functions],
            "function": _packed(self.function, "<u4"),
            "kind": _packed(self.kind, "u1"),
            "edges": _packed(self.edges, "<u4"),
            "links": b"",
            "box": b"",
            "groups": [],
            "boxes": [],
            "x": _packed(self.layout.x, "<f4"),
            "y": _packed(self.layout.y, "<f4"),
            "w": _packed(self.widths, "<f4"),
            "h": BOX_HEIGHT,
            "route_at": _packed(self.layout.route_at, "<u4"),
            "route": _packed(self.layout.route, "<f4"),
            "width": float(self.layout.width),
            "height": float(self.layout.height),
        }


def displayable(text: str) -> str:
    """`text` as it may travel as JSON: no lone surrogates, at most `NAME_LIMIT` characters."""
    if len(text) > NAME_LIMIT:
        text = f"{text[: NAME_LIMIT // 2]}…{text[-NAME_LIMIT // 2 :]}"
    return text.encode("utf-8", "replace").decode()


def _packed(values: Any, dtype: str) -> bytes:
    return np.ascontiguousarray(values, dtype=dtype).tobytes()
