"""A workflow's graph as columns: what a view has to know that does not change while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..engine.workflow import BaseWorkflow
from .groups import LARGE, Box, Group, big_groups, contract, find_groups
from .layout import Layout, box_widths, layered_layout, text_width

__all__ = ["BOX_HEIGHT", "Direction", "Graph"]

Direction = Literal["LR", "TB"]
#: Height of a box in CSS pixels at zoom 1.
BOX_HEIGHT = 32.0
#: Longest name that travels to the browser, in characters; what is longer loses its middle.
NAME_LIMIT = 2000

#: In the box of a group, beside its label: the disc of its state and its count, with what is around them.
_BESIDE = 31.0 + 8.0 + 2 * 6.0 + 7.0

_KINDS = {"function": 0, "constructor": 1, "method": 2}


@dataclass(frozen=True, eq=False)
class Places:
    """Where things were across the layers, by name, for a layout that keeps their order.

    Attributes:
        nodes: For each node the place of what it was drawn as, and whether that was the node itself.
        boxes: The place of each box, by its group and label.
    """

    nodes: dict[str, tuple[float, bool]]
    boxes: dict[tuple[str, str], float]

    @classmethod
    def of(cls, graph: Graph) -> Places:
        """The places of a graph that is laid out."""
        layout = graph.layout
        across = (layout.y if graph.direction == "LR" else layout.x).tolist()
        drawn = graph.box.tolist()
        return cls(
            {name: (across[drawn[i]], drawn[i] == i) for i, name in enumerate(graph.names)},
            {(box.group.id, box.label): across[at] for at, box in enumerate(graph.boxes, len(graph))},
        )

    def order(self, graph: Graph) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """For what `graph` draws: where it was or came from (NaN: it is new), and whether it was drawn itself."""
        nothing = (np.nan, False)
        found = [
            self.nodes.get(graph.names[i], nothing) for i in graph.drawn[: -len(graph.boxes) or None].tolist()
        ]
        for box in graph.boxes:
            if (at := self.boxes.get((box.group.id, box.label))) is not None:
                found.append((at, True))
                continue
            inside = [
                self.nodes[graph.names[i]][0] for i in box.members.tolist() if graph.names[i] in self.nodes
            ]
            found.append((float(np.mean(inside)), False) if inside else nothing)
        return np.array([at for at, _ in found], np.float64), np.array([own for _, own in found], bool)


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
        widths: float32[n], widths of the boxes of single nodes.
        direction: `"LR"` or `"TB"`.
        collapsed: Ids of the groups that are drawn as boxes; those that the graph does not have count for nothing.
        before: Where things were when another state of this graph was shown; the layout keeps their order.

    What is drawn is numbered: 0 to n - 1 the nodes, n to n + b - 1 the boxes that stand for several nodes.
    """

    title: str
    names: tuple[str, ...]
    functions: tuple[str, ...]
    function: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    edges: NDArray[np.uint32]
    widths: NDArray[np.float32]
    direction: Direction
    collapsed: tuple[str, ...] = ()
    before: Places | None = None

    @classmethod
    def of(cls, workflow: BaseWorkflow, direction: Direction = "LR", collapsed: Iterable[str] = ()) -> Graph:
        """The graph of a workflow as it is now, with these groups drawn as one box each."""
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
            collapsed=tuple(collapsed),
        )

    def collapse(self, groups: Iterable[str]) -> Graph:
        """The same graph with these groups, and no others, drawn as one box each."""
        return replace(self, collapsed=tuple(groups))

    def big_groups(self) -> list[str]:
        """The groups that a graph of this size starts with as boxes; none for a small one."""
        return big_groups(len(self), self.edges, self.groups) if len(self) > LARGE else []

    def after(self, other: Graph) -> Graph:
        """The same graph, laid out so that what `other` has as well keeps its order, or all of it its place."""
        if self._drawn_like(other):
            same = replace(self, before=other.before)
            same.__dict__["layout"] = other.layout  # where a cached property keeps its value
            return same
        return replace(self, before=Places.of(other) if self.direction == other.direction else None)

    def _drawn_like(self, other: Graph) -> bool:
        """Whether boxes, edges and widths are the same, whatever the functions are."""
        return (
            self.names == other.names
            and self.direction == other.direction
            and np.array_equal(self.edges, other.edges)
            and np.array_equal(self.box, other.box)
            and np.array_equal(self.drawn_widths, other.drawn_widths)
        )

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups that can be drawn as one box, the largest first."""
        return find_groups(self.names, self.functions, self.function)

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes that stand for several nodes each."""
        wanted = frozenset(self.collapsed)
        chosen = [group for group in self.groups if group.id in wanted] if wanted else []
        return contract(len(self), self.edges, chosen) if chosen else ()

    @cached_property
    def box(self) -> NDArray[np.uint32]:
        """uint32[n], what each node is drawn as: itself, or a box."""
        drawn = np.arange(len(self), dtype=np.uint32)
        for place, box in enumerate(self.boxes, len(self)):
            drawn[box.members] = place
        return drawn

    @cached_property
    def drawn(self) -> NDArray[np.int64]:
        """What is drawn, in rising order: the nodes in no box, then all boxes."""
        boxes = np.arange(len(self), len(self) + len(self.boxes))
        return np.concatenate([np.flatnonzero(self.box == np.arange(len(self))), boxes])

    @cached_property
    def drawn_edges(self) -> NDArray[np.uint32]:
        """uint32[k, 2], the edges between what is drawn, each once."""
        if not self.boxes:
            return self.edges
        ends = self.box[self.edges]
        return np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0)

    @cached_property
    def drawn_widths(self) -> NDArray[np.float32]:
        """float32[n + b], widths of nodes and boxes."""
        wide = [
            box_widths(
                [box.label], extra=_BESIDE + text_width(f"{len(box.members)} of {len(box.members)}", 11)
            )
            for box in self.boxes
        ]
        return np.concatenate([self.widths, *wide])

    @cached_property
    def layout(self) -> Layout:
        """Where everything is, NaN for nodes in boxes; computed when it is first asked for."""
        drawn, widths = self.drawn, self.drawn_widths
        place = np.zeros(len(widths), np.int64)
        place[drawn] = np.arange(len(drawn))
        found = layered_layout(
            widths[drawn],
            place[self.drawn_edges],
            height=BOX_HEIGHT,
            direction=self.direction,
            order=self.before.order(self) if self.before is not None else None,
        )
        if not self.boxes:
            return found
        x, y = np.full((2, len(widths)), np.nan, np.float32)
        x[drawn], y[drawn] = found.x, found.y
        return replace(found, x=x, y=y)

    def same_as(self, other: Graph) -> bool:
        """Whether both have the same nodes and edges and are drawn alike."""
        return (
            self.names == other.names
            and self.direction == other.direction
            and np.array_equal(self.edges, other.edges)
            and np.array_equal(self.kind, other.kind)
            and self.functions == other.functions
            and np.array_equal(self.function, other.function)
            and (self.collapsed == other.collapsed or np.array_equal(self.box, other.box))
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
        place = {group.id: at for at, group in enumerate(self.groups)}
        return {
            "version": version,
            "title": displayable(self.title),
            "direction": self.direction,
            "names": [displayable(name) for name in self.names],
            "functions": [displayable(name) for name in self.functions],
            "function": _packed(self.function, "<u4"),
            "kind": _packed(self.kind, "u1"),
            "edges": _packed(self.drawn_edges, "<u4"),
            "links": _packed(self.edges, "<u4") if self.boxes else b"",
            "box": _packed(self.box, "<u4") if self.boxes else b"",
            "groups": [
                {"id": group.id, "label": displayable(group.label), "count": len(group.members)}
                for group in self.groups
            ],
            "boxes": [
                {"group": place[box.group.id], "label": displayable(box.label), "count": len(box.members)}
                for box in self.boxes
            ],
            "x": _packed(self.layout.x, "<f4"),
            "y": _packed(self.layout.y, "<f4"),
            "w": _packed(self.drawn_widths, "<f4"),
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
