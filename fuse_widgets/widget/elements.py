"""Nodes and edges of a workflow as models of ipycytoscape. Called on the bridge thread, after the widget was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import ipycytoscape

__all__ = ["Elements", "GraphEdge", "GraphNode"]


class GraphNode(ipycytoscape.Node):  # type: ignore[misc]
    """A node of a workflow, whose data is part of its first message."""

    def __init__(self, data: Mapping[str, Any], **traits: Any) -> None:
        self.data.update(data)
        super().__init__(selectable=True, **traits)


class GraphEdge(ipycytoscape.Edge):  # type: ignore[misc]
    """An edge of a workflow, whose data is part of its first message."""

    def __init__(self, data: Mapping[str, Any], **traits: Any) -> None:
        self.data.update(data)
        super().__init__(**traits)


class Elements:
    """Keeps a graph of ipycytoscape in step with a workflow, and leaves alone what a user has added to it.

    Args:
        graph: The graph, empty at first.

    Attributes:
        nodes: The nodes of the workflow, by name.
    """

    def __init__(self, graph: ipycytoscape.Graph) -> None:
        self._graph = graph
        self.nodes: dict[str, GraphNode] = {}
        self._made = 0
        self._gone: list[Any] = []

    def ids(self, names: Sequence[str]) -> list[str]:
        """The ids of nodes."""
        return [self.nodes[name].data["id"] for name in names]

    def names(self, ids: Sequence[str]) -> list[str]:
        """The names of nodes; ids that are none of the workflow's are left out."""
        known = {node.data["id"]: name for name, node in self.nodes.items()}
        return [known[one] for one in ids if one in known]

    def show(self, rows: Mapping[str, Mapping[str, Any]], pairs: Sequence[tuple[str, str]]) -> None:
        """Have just these nodes and edges.

        A view of ipycytoscape (1.3.3) makes all elements behind one that was removed anew, and does so before it removes the
        old ones of the same ids, which takes both away. That is why the lists are first cut in front of the first element
        that goes, and the rest is appended, in new models, by a second message.

        Args:
            rows: The data of each node by name, without its id.
            pairs: Names of source and target of each edge.
        """
        self._close_gone()
        nodes, edges = list(self._graph.nodes), list(self._graph.edges)
        dropped = {id(node) for name, node in self.nodes.items() if name not in rows}
        nodes_after = [node for node in nodes if id(node) not in dropped]
        staying = _common(nodes, nodes_after)
        self.nodes = {name: node for name, node in self.nodes.items() if name in rows}
        ends = {node.data["id"] for node in nodes_after}
        wanted = {
            (source, target) for source, target in pairs if source in self.nodes and target in self.nodes
        }
        wanted_ids = dict(zip(map(self._pair_ids, wanted), wanted, strict=True))
        edges_after = [edge for edge in edges if _stays(edge, wanted_ids, ends)]
        steady = {node.data["id"] for node in nodes[:staying]}
        staying_edges = min(
            _common(edges, edges_after),
            sum(1 for _ in takewhile(lambda edge: set(_ends(edge)) <= steady, edges)),
        )
        if staying < len(nodes) or staying_edges < len(edges):
            self._cut(staying, staying_edges)
            self._gone += [*nodes[staying:], *edges[staying_edges:]]
        here = {_ends(edge) for edge in edges_after if isinstance(edge, GraphEdge)}
        self._update(rows)
        names = {id(node): name for name, node in self.nodes.items()}
        with self._graph.hold_sync():
            for node in nodes_after[staying:]:
                copy = _copy(node)
                self._graph.nodes.append(copy)
                if id(node) in names:
                    self.nodes[names[id(node)]] = copy
            self._graph.nodes.extend([self._new(name, rows[name]) for name in rows if name not in self.nodes])
            self._graph.edges.extend([_copy(edge) for edge in edges_after[staying_edges:]])
            self._graph.edges.extend(
                [
                    GraphEdge(
                        {"id": f"{source}-{target}", "source": source, "target": target}, classes="directed"
                    )
                    for source, target in map(self._pair_ids, pairs)
                    if (source, target) not in here
                ]
            )
            self._note_neighbours()

    def close(self) -> None:
        """End the connections of all elements to the browser."""
        self._close_gone()
        for part in (*self._graph.nodes, *self._graph.edges, self._graph):
            part.close()

    def _close_gone(self) -> None:
        for part in self._gone:  # not at once: the browser still tells of each that it is gone
            part.close()
        self._gone = []

    def _pair_ids(self, pair: tuple[str, str]) -> tuple[str, str]:
        source, target = self.ids(pair)
        return source, target

    def _new(self, name: str, row: Mapping[str, Any]) -> GraphNode:
        self._made += 1
        self.nodes[name] = GraphNode({**row, "id": f"n{self._made}"})  # a name may hold anything
        return self.nodes[name]

    def _cut(self, nodes: int, edges: int) -> None:
        with self._graph.hold_sync():
            while len(self._graph.nodes) > nodes:
                self._graph.nodes.pop()
            while len(self._graph.edges) > edges:
                self._graph.edges.pop()

    def _update(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        for name, node in self.nodes.items():
            changed = {key: value for key, value in rows[name].items() if node.data.get(key) != value}
            if changed:
                with node.hold_sync():
                    node.data.update(changed)

    def _note_neighbours(self) -> None:
        """What ipycytoscape's own `remove_node` and the like go by."""
        neighbours: dict[str, dict[str, int]] = {node.data["id"]: {} for node in self._graph.nodes}
        for edge in self._graph.edges:
            source, target = _ends(edge)
            neighbours[source][target] = neighbours[source].get(target, 0) + 1
            if "directed" not in edge.classes:
                neighbours[target][source] = neighbours[target].get(source, 0) + 1
        self._graph._adj.clear()
        self._graph._adj.update(neighbours)


def _common(old: list[Any], new: list[Any]) -> int:
    """How many elements both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(old, new)))


def _ends(edge: Any) -> tuple[str, str]:
    return edge.data["source"], edge.data["target"]


def _stays(edge: Any, wanted: Mapping[tuple[str, str], Any], ends: set[str]) -> bool:
    if isinstance(edge, GraphEdge):
        return _ends(edge) in wanted
    return set(_ends(edge)) <= ends


def _copy(element: Any) -> Any:
    """A new model of the same data and classes."""
    if isinstance(element, GraphNode | GraphEdge):
        return type(element)(dict(element.data), classes=element.classes)
    kind = ipycytoscape.Edge if isinstance(element, ipycytoscape.Edge) else ipycytoscape.Node
    copy = kind(classes=element.classes, selectable=element.selectable)
    copy.data.update(element.data)
    return copy
