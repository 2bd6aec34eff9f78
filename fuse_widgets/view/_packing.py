"""Components of a graph: found, and packed into one picture after each was laid out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._layers import Layered

__all__ = ["Part", "grid", "pack", "split_components"]

#: Width to height of the picture that packing aims at, as a notebook's cell has.
ASPECT = 2.0


@dataclass(slots=True)
class Part:
    """A component laid out across its layers; where the layers are is settled when it is packed."""

    nodes: np.ndarray  # int64[n]: numbers of its nodes in the graph
    edges: np.ndarray  # int64[m]: numbers of its edges
    layer: np.ndarray  # int64[items]: nodes, then dummies
    place: np.ndarray  # float64[items]: centres across the layers, from 0
    breadth: float
    thickness: np.ndarray  # float64[layers]: the longest box of each layer
    layered: Layered | None = None
    ends: np.ndarray | None = None  # int64[m, 2]: its edges, nodes counted from 0
    gap: float | None = None  # between layers, where it is not the usual one


def split_components(n: int, edges: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Return the nodes without edges, and the nodes and edges of each connected component.

    Components come in the order of their first nodes, nodes and edges in rising order.
    """
    root = list(range(n))

    def find(v: int) -> int:
        while root[v] != v:
            root[v] = root[root[v]]
            v = root[v]
        return v

    for a, b in edges.tolist():
        a, b = find(a), find(b)
        if a != b:
            root[max(a, b)] = min(a, b)
    roots = np.array([find(v) for v in range(n)], np.int64)
    joined = np.zeros(n, bool)
    joined[edges.reshape(-1)] = True
    nodes = np.flatnonzero(joined)
    nodes = nodes[np.argsort(roots[nodes], kind="stable")]
    own = np.argsort(roots[edges[:, 0]], kind="stable")
    node_cut = np.flatnonzero(np.diff(roots[nodes])) + 1
    edge_cut = np.flatnonzero(np.diff(roots[edges[own, 0]])) + 1
    if not len(nodes):
        return np.flatnonzero(~joined), []
    return np.flatnonzero(~joined), list(
        zip(np.split(nodes, node_cut), np.split(own, edge_cut), strict=False)
    )


def grid(
    nodes: np.ndarray,
    length: np.ndarray,
    breadth: np.ndarray,
    gap: float,
    across: bool,
    others: list[Part],
    layer_gap: float,
) -> Part:
    """Arrange nodes without edges in rows: as wide as the widest other part, or in about the aspect aimed at."""
    n = len(nodes)
    cell = (float(length.max()) + gap, float(breadth.max()) + gap)
    aspect = ASPECT if across else 1 / ASPECT
    columns = max(1, round((n * aspect * cell[1] / cell[0]) ** 0.5))
    widest = max((_extent(part.thickness, layer_gap) for part in others), default=0.0)
    columns = min(n, max(columns, int((widest + gap) // cell[0])))
    index = np.arange(n)
    layer, row = index % columns, index // columns
    thickness = np.zeros(columns)
    np.maximum.at(thickness, layer, length)
    rooms = np.zeros(int(row[-1]) + 1)
    np.maximum.at(rooms, row, breadth)
    if (
        not across
    ):  # boxes of a row of a picture from top to bottom have widths of their own: share the widest
        rooms[:] = breadth.max()
    ends = np.cumsum(rooms + gap) - gap
    empty = np.empty(0, np.int64)
    return Part(nodes, empty, layer, (ends - rooms / 2)[row], float(ends[-1]), thickness, gap=gap)


def _extent(thickness: np.ndarray, gap: float) -> float:
    return float(thickness.sum() + gap * (len(thickness) - 1))


def pack(
    parts: list[Part], length: np.ndarray, edges: int, layer_gap: float, node_gap: float, across: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]:
    """Place the parts beside each other and return nodes, routes and size, along and across the layers.

    Parts fill strips across the layers in their order; the number of strips is the one that brings
    the picture nearest to `ASPECT`.
    """
    n = len(length)
    along, cross = np.zeros(n), np.zeros(n)
    if not parts:
        return along, cross, np.zeros(edges + 1, np.int64), np.zeros((0, 2)), (0.0, 0.0)
    between = 2 * node_gap
    sizes = [(_extent(p.thickness, layer_gap if p.gap is None else p.gap), p.breadth) for p in parts]
    strips = _strips(sizes, between, layer_gap, across)
    if len(strips) == 1:
        _share_columns(parts)
    counts = np.zeros(edges, np.int64)
    routes = []
    start, total_cross = 0.0, 0.0
    for strip in strips:
        far, offset = 0.0, 0.0
        for part in [parts[i] for i in strip]:
            gap = layer_gap if part.gap is None else part.gap
            begin = start + np.cumsum(part.thickness + gap) - part.thickness - gap
            k = len(part.nodes)
            # boxes of a layer begin together, as text does
            along[part.nodes] = begin[part.layer[:k]] + length[part.nodes] / 2
            cross[part.nodes] = offset + part.place[:k]
            if part.layered is not None:
                own_counts, points = _routes(part, begin, begin + part.thickness, offset, length[part.nodes])
                counts[part.edges] = own_counts
                routes.append((part.edges, own_counts, points))
            far = max(far, _extent(part.thickness, gap))
            offset += part.breadth + between
        total_cross = max(total_cross, offset - between)
        start += far + layer_gap
    at = np.concatenate([[0], np.cumsum(counts)])
    points = np.zeros((int(at[-1]), 2))
    for own, own_counts, own_points in routes:
        begins = np.cumsum(own_counts) - own_counts
        points[np.repeat(at[own] - begins, own_counts) + np.arange(len(own_points))] = own_points
    return along, cross, at, points, (start - layer_gap, total_cross)


def _strips(
    sizes: list[tuple[float, float]], between: float, layer_gap: float, across: bool
) -> list[list[int]]:
    """Return the parts of each strip, for the best of a few limits on how far a strip reaches."""
    whole = sum([breadth + between for _, breadth in sizes])
    widest = max([breadth + between for _, breadth in sizes])
    best, best_size = [list(range(len(sizes)))], None
    limit = whole
    while True:
        strips: list[list[int]] = [[]]
        used = far = total = highest = 0.0
        for index, (length, breadth) in enumerate(sizes):
            if strips[-1] and used + breadth + between > limit + 1e-6:
                total += far + layer_gap
                used = far = 0.0
                strips.append([])
            strips[-1].append(index)
            used += breadth + between
            far = max(far, length)
            highest = max(highest, used)
        total += far
        size = max(total, ASPECT * highest) if across else max(highest, ASPECT * total)
        if best_size is None or size < 0.9 * best_size:
            best, best_size = strips, size
        if limit <= widest:
            return best
        limit = max(widest, whole / (len(strips) + 1) if len(strips) < 8 else limit * 0.8)


def _share_columns(parts: list[Part]) -> None:
    """Give the layers of parts that stand above each other the same thickness, so that they form columns."""
    layered = [p for p in parts if p.layered is not None]
    common = np.zeros(max([len(p.thickness) for p in layered], default=0))
    for part in layered:
        k = len(part.thickness)
        common[:k] = np.maximum(common[:k], part.thickness)
    for part in layered:
        part.thickness = common[: len(part.thickness)]


def _routes(
    part: Part, begin: np.ndarray, end: np.ndarray, offset: float, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of bend points of each edge of a part, and the points, edge after edge.

    A dummy bends its edge where it enters and where it leaves the layer, unless it goes straight on there.
    A source whose box is shorter than its layer goes straight to the layer's end first.
    """
    layered, ends = part.layered, part.ends
    assert layered is not None
    assert ends is not None
    m, n = len(ends), len(part.nodes)
    edge = np.repeat(np.arange(m), layered.count)
    dummies = np.arange(n, len(part.layer))
    place = part.place
    first = np.arange(len(dummies)) == (layered.first - n)[edge]
    last = np.arange(len(dummies)) == (layered.first - n + layered.count - 1)[edge]
    before = np.where(first, place[ends[edge, 0]], place[np.maximum(dummies - 1, 0)])
    after = np.where(last, place[ends[edge, 1]], place[np.minimum(dummies + 1, len(place) - 1)])
    here = place[dummies]
    near = 1e-3
    enters, leaves = np.abs(before - here) > near, np.abs(after - here) > near
    layer = part.layer[dummies]
    source = ends[:, 0]
    next_place = place[ends[:, 1]].copy()
    next_place[edge[first]] = here[first]
    out = part.layer[source]
    runs_on = (np.abs(next_place - place[source]) > near) & (end[out] - begin[out] - length[source] > near)
    # sort keys: the source's point, then each dummy's two
    pieces = [
        (np.flatnonzero(runs_on), np.full(int(runs_on.sum()), -1), end[out][runs_on], place[source][runs_on]),
        (edge[enters], 2 * dummies[enters], begin[layer[enters]], here[enters]),
        (edge[leaves], 2 * dummies[leaves] + 1, end[layer[leaves]], here[leaves]),
    ]
    of, key, a, c = (np.concatenate([piece[i] for piece in pieces]) for i in range(4))
    order = np.lexsort((key, of))
    return np.bincount(of, minlength=m), np.stack([a, c + offset], axis=1)[order]
