"""Layered layout of a DAG in numpy: boxes in layers, edges short, straight and with few crossings.

The method is that of Sugiyama, Tagawa and Toda (1981) with the aims of Graphviz `dot` (Gansner, Koutsofios,
North and Vo, 1993): layers (`_layers`), order within the layers (`_crossings`), coordinates (`_coordinates`),
each connected component on its own, then all components packed into one picture (`_packing`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ._coordinates import place_items
from ._crossings import continued, order_layers
from ._layers import assign_layers, insert_dummies, topological_order
from ._packing import Part, grid, pack, split_components

__all__ = ["Layout", "box_widths", "layered_layout", "text_width"]

#: Distances in CSS pixels for each direction: between layers, between boxes of one layer.
LAYER_GAP = {"LR": 56.0, "TB": 44.0}
NODE_GAP = {"LR": 14.0, "TB": 20.0}
#: Long edges may have this many dummies for each node and edge (and 2,000 in all); the longest of a denser graph
#: go straight.
DUMMIES = 4
#: Boxes keep their order as long as there are at most so many times as many crossings as without, and so many more.
WORTH, SPARE = 1.5, 10


@dataclass(frozen=True, slots=True)
class Layout:
    """Where boxes and edges of a graph of n nodes and m edges are, in CSS pixels at zoom 1.

    Attributes
    ----------
    x, y: float32[n], the centres of the boxes.
    route_at, route: uint32[m + 1] and float32[2k], flat `x, y`; edge `e` bends at
        `route[2 * route_at[e] : 2 * route_at[e + 1]]` between its ends. Between points of equal `y` (in a
        layout from top to bottom: equal `x`) it is straight, between others a curve that leaves
        and arrives along the direction of the layout stays clear of the boxes.
    width, height: size of the whole picture; boxes and routes lie inside.
    """

    x: np.ndarray
    y: np.ndarray
    route_at: np.ndarray
    route: np.ndarray
    width: float
    height: float


def layered_layout(
    widths: Iterable[float] | np.ndarray,
    edges: Iterable[tuple[int, int]] | np.ndarray,
    *,
    height: float = 32.0,
    direction: str = "LR",
    layer_gap: float | None = None,
    node_gap: float | None = None,
    sweeps: int = 8,
    order: tuple[np.ndarray, np.ndarray] | None = None,
) -> Layout:
    """Lay out a DAG in layers. The same input gives the same layout.

    Parameters
    ----------
    widths: float[n], widths of the boxes in px.
    edges: int[m, 2] or flat int[2m], source and target of each edge; duplicates are allowed.
    height: height of all boxes in px.
    direction: `"LR"` from left to right or `"TB"` from top to bottom.
    layer_gap, node_gap: px between layers, and between boxes of one layer; None for the direction's usual ones.
    sweeps: how many sweeps the search for few crossings may take from each of its starts;
        half as many in large graphs.
    order: where the boxes were across the layers before, float[n] with NaN for new ones, and bool[n]: those
        that are to keep their order within their layers, unless that costs many crossings.

    Raises
    ------
    ValueError
        An edge names a node that is not there, the edges have a cycle, or an option is not one of those allowed.
    """
    if direction not in LAYER_GAP:
        raise ValueError(
            f"direction is {direction!r}; it must be 'LR' (left to right) or 'TB' (top to bottom)"
        )
    widths = np.asarray(widths if isinstance(widths, np.ndarray) else list(widths), np.float64).reshape(-1)
    edges = (
        np.asarray(edges if isinstance(edges, np.ndarray) else list(edges)).reshape(-1, 2).astype(np.int64)
    )
    n = len(widths)
    outside = (edges < 0) | (edges >= n)
    if outside.any():
        edge = int(np.flatnonzero(outside.any(axis=1))[0])
        raise ValueError(f"edge {edge} is {edges[edge].tolist()}, but the nodes are 0 to {n - 1}")
    layer_gap = LAYER_GAP[direction] if layer_gap is None else float(layer_gap)
    node_gap = NODE_GAP[direction] if node_gap is None else float(node_gap)
    across = direction == "LR"
    length = widths if across else np.full(n, float(height))  # of a box, along the direction
    breadth = np.full(n, float(height)) if across else widths

    unique, which = np.unique(edges[:, 0] * max(n, 1) + edges[:, 1], return_inverse=True)
    pairs = np.stack([unique // max(n, 1), unique % max(n, 1)], axis=1)
    parts = []
    known, keep = order if order is not None else (np.full(n, np.nan), np.zeros(n, bool))
    lonely, components = split_components(n, pairs)
    for nodes, own in components:
        local = np.searchsorted(nodes, pairs[own])
        before = (known[nodes], keep[nodes]) if keep[nodes].any() else None
        parts.append(_lay_out(nodes, own, local, length[nodes], breadth[nodes], node_gap, sweeps, before))
    if len(lonely):
        parts.append(grid(lonely, length[lonely], breadth[lonely], node_gap, across, parts, layer_gap))
    along, cross, at, points, total = pack(parts, length, len(pairs), layer_gap, node_gap, across)
    if len(pairs) != len(edges) or (which.reshape(-1) != np.arange(len(edges))).any():
        at, points = _spread(at, points, which.reshape(-1))
    x, y = (along, cross) if across else (cross, along)
    if not across:
        points, total = points[:, ::-1], total[::-1]
    return Layout(
        np.ascontiguousarray(x, np.float32),
        np.ascontiguousarray(y, np.float32),
        at.astype(np.uint32),
        np.ascontiguousarray(points, np.float32).reshape(-1),
        float(total[0]),
        float(total[1]),
    )


def _lay_out(
    nodes: np.ndarray,
    own: np.ndarray,
    edges: np.ndarray,
    length: np.ndarray,
    breadth: np.ndarray,
    node_gap: float,
    sweeps: int,
    before: tuple[np.ndarray, np.ndarray] | None,
) -> Part:
    """Lay out one connected component; `edges` and `before` count its nodes from 0."""
    n = len(nodes)
    order, children, parents = topological_order(n, edges[:, 0].tolist(), edges[:, 1].tolist())
    layer = np.array(assign_layers(order, children, parents))
    layered = insert_dummies(layer, edges[:, 0], edges[:, 1], max(2000, DUMMIES * (n + len(edges))))
    items = len(layered.layer)
    met = _first_order(layered.layer, layered.upper, layered.lower)
    # a search costs about as much as there are items: small graphs get more of them
    starts = max(1, min(20, 4000 // items))
    turns = sweeps if items < 2000 else (sweeps + 1) // 2
    layers, crossings = order_layers(met, layered.upper, layered.lower, turns, starts)
    if before is not None:
        known, keep = continued(before[0], items - n, layered.upper, layered.lower), np.zeros(items, bool)
        keep[:n] = before[1]
        kept = [row[np.argsort(known[row], kind="stable")] for row in met]
        kept, more = order_layers(kept, layered.upper, layered.lower, turns, starts, keep)
        if more <= WORTH * crossings + SPARE:
            layers = kept
    room = np.zeros(items)
    room[:n] = breadth
    gaps = np.full(items, node_gap / 4)
    gaps[:n] = node_gap / 2
    with_dummies = np.flatnonzero(layered.count)
    first = layered.first[with_dummies]
    chains = list(zip(first.tolist(), (first + layered.count[with_dummies]).tolist(), strict=False))
    place = place_items(layers, room, gaps, layered.upper, layered.lower, n, chains)
    place -= (place - room / 2).min()
    thickness = np.zeros(len(layers))
    np.maximum.at(thickness, layer, length)
    return Part(nodes, own, layered.layer, place, float((place + room / 2).max()), thickness, layered, edges)


def _first_order(layer: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> list[np.ndarray]:
    """Return the items of each layer as a walk from the sources down meets them, so that branches stay together."""
    total = len(layer)
    below: list[list[int]] = [[] for _ in range(total)]
    root = [True] * total
    for a, b in zip(upper.tolist(), lower.tolist(), strict=False):
        below[a].append(b)
        root[b] = False
    level = layer.tolist()
    layers: list[list[int]] = [[] for _ in range(max(level) + 1)]
    seen = [False] * total
    stack = [v for v in range(total - 1, -1, -1) if root[v]]
    while stack:
        v = stack.pop()
        if not seen[v]:
            seen[v] = True
            layers[level[v]].append(v)
            stack.extend(reversed(below[v]))
    return [np.array(items) for items in layers]


def _spread(at: np.ndarray, points: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the routes for edges `which[e]`, which may repeat, from those of the edges without duplicates."""
    count = np.diff(at)[which]
    new_at = np.concatenate([[0], np.cumsum(count)])
    index = np.repeat(at[:-1][which] - new_at[:-1], count) + np.arange(new_at[-1])
    return new_at, points[index]


#: Advance widths of a sans-serif face in em (Helvetica's, rounded), by groups of characters.
_ADVANCE = {
    char: em
    for chars, em in (
        ("ijl'", 0.23),
        (" !,./:;I[\\]ft|", 0.28),
        ("()-`r{}", 0.34),
        ('"*^cksvxyzJ', 0.48),
        ("abdeghnopqu#$0123456789?_L", 0.56),
        ("+<=>~FTZ", 0.6),
        ("&ABEKPSVXY", 0.67),
        ("CDHNRUw", 0.73),
        ("GOQ", 0.78),
        ("Mm", 0.83),
        ("W%@", 0.95),
    )
    for char in chars
}


@lru_cache(maxsize=4096)
def _advance(char: str) -> float:
    """Return about how wide a character is drawn, in em."""
    known = _ADVANCE.get(char)
    if known is not None:
        return known
    category = unicodedata.category(char)
    if category in ("Mn", "Me", "Cf"):
        return 0.0
    if category in ("Cc", "Zl", "Zp", "Zs"):
        return 0.28
    if unicodedata.east_asian_width(char) in "WF":
        return 1.04
    return 0.73 if category == "Lu" else 0.6


def text_width(text: str, size: float = 13.0) -> float:
    """Return about how wide a text is drawn on one line, in px, in a face as wide as Helvetica."""
    return size * sum([_advance(char) for char in text])


def box_widths(
    names: Iterable[str],
    *,
    extra: float = 92.0,
    minimum: float = 96.0,
    maximum: float = 264.0,
    size: float = 13.0,
) -> np.ndarray:
    """Return how wide the box of each name should be, in CSS px: the text's estimated width and `extra`, bounded.

    Parameters
    ----------
    names: texts of any length; line breaks and control characters count as a space, no text as `(no name)`.
    extra: px for what stands beside the name (icon, seconds or "cached", padding).
    minimum, maximum: bounds of the result in px.
    size: font size in px.
    """
    widths = []
    enough = (maximum - extra) / size
    for name in names:
        em = 0.0
        for char in name or "(no name)":
            em += _advance(char)
            if em > enough:
                break
        widths.append(em)
    return np.clip(np.ceil(np.array(widths, np.float64) * size + extra), minimum, maximum).astype(np.float32)
