"""Where the items of a layer stand across it, once their order is known.

Each layer in turn is placed as near to its neighbours as the widths of its items allow: a weighted
isotonic regression (pool adjacent violators) gives the least-squares places for a given order. The
weights keep long edges straight, as in Gansner et al. (1993).
"""

from __future__ import annotations

import numpy as np

__all__ = ["place_items"]


def place_items(
    layers: list[np.ndarray],
    breadth: np.ndarray,
    gaps: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    nodes: int,
    chains: list[tuple[int, int]],
    sweeps: int,
) -> np.ndarray:
    """Return the centre of each item across the layers.

    Parameters
    ----------
    layers: the items of each layer, in order.
    breadth: float[items], how much room an item takes across its layer.
    gaps: float[items], half the least distance to a neighbour, added on both sides.
    upper, lower: int[s], the segments between neighbouring layers.
    nodes: items below this number are nodes, the others dummies.
    chains: first and last + 1 dummy of each edge that has dummies.
    sweeps: how many sweeps down and up.
    """
    total = len(breadth)
    half = breadth / 2 + gaps
    x = np.zeros(total)
    offsets = []
    for items in layers:
        room = half[items]
        offset = np.cumsum(2 * room) - room
        offsets.append(offset)
        x[items] = offset - offset[-1] / 2
    weight = np.where(upper >= nodes, 2.0, 1.0) * np.where(lower >= nodes, 2.0, 1.0)
    above = _sides(layers, lower, upper, weight, total)
    below = _sides(layers, upper, lower, weight, total)
    depth = len(layers)
    firm = np.where(np.arange(total) >= nodes, 3.0, 1.0)
    for turn in range(sweeps):
        down = turn % 2 == 0
        both = turn >= sweeps - 2
        for index in range(depth) if down else range(depth - 1, -1, -1):
            items = layers[index]
            want = np.zeros(len(items))
            pull = np.zeros(len(items))
            for sides, near in ((above, down or both), (below, both or not down)):
                if near and sides[index] is not None:
                    mine, other, w, all_w = sides[index]
                    want += np.bincount(mine, w * x[other], minlength=len(items))
                    pull += all_w
            loose = pull == 0
            if loose.all():
                continue
            want = np.where(loose, x[items], want / np.maximum(pull, 1e-9))
            x[items] = _separate(want - offsets[index], np.where(loose, 0.05, firm[items])) + offsets[index]
    _straighten(layers, half, x, upper, lower, nodes, chains)
    return x


def _sides(layers: list[np.ndarray], mine: np.ndarray, other: np.ndarray, weight: np.ndarray, total: int) -> list:
    """Return for each layer its segments on one side: own place, the other item, weight; and the sum of weights."""
    place, home = np.empty(total, np.intp), np.empty(total, np.intp)
    for index, items in enumerate(layers):
        place[items] = np.arange(len(items))
        home[items] = index
    order = np.argsort(home[mine], kind="stable")
    cut = np.searchsorted(home[mine][order], np.arange(len(layers) + 1)).tolist()
    sides = []
    for index, items in enumerate(layers):
        part = order[cut[index] : cut[index + 1]]
        if not len(part):
            sides.append(None)
            continue
        own, w = place[mine[part]], weight[part]
        sides.append((own, other[part], w, np.bincount(own, w, minlength=len(items))))
    return sides


def _separate(want: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the nearest rising sequence to `want` in weighted least squares (pool adjacent violators)."""
    if len(want) < 2 or (want[1:] >= want[:-1]).all():
        return want
    means: list[float] = []
    weights: list[float] = []
    counts: list[int] = []
    for value, w in zip(want.tolist(), weight.tolist()):
        count = 1
        while means and means[-1] >= value:
            other = weights.pop()
            value = (value * w + means.pop() * other) / (w + other)
            w += other
            count += counts.pop()
        means.append(value)
        weights.append(w)
        counts.append(count)
    return np.repeat(means, counts)


def _straighten(
    layers: list[np.ndarray],
    half: np.ndarray,
    x: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    nodes: int,
    chains: list[tuple[int, int]],
    rounds: int = 3,
) -> None:
    """Move long edges and nodes, one at a time and inside the room they have, to where edges are straight."""
    total = len(half)
    left, right = [-1] * total, [-1] * total
    for items in layers:
        row = items.tolist()
        for a, b in zip(row, row[1:]):
            right[a], left[b] = b, a
    place, room = x.tolist(), half.tolist()
    near: list[list[int]] = [[] for _ in range(nodes)]
    ends: dict[int, list[int]] = {}
    for a, b in zip(upper.tolist(), lower.tolist()):
        for item, other in ((a, b), (b, a)):
            if item < nodes:
                near[item].append(other)
            elif other < nodes:
                ends.setdefault(item, []).append(other)

    def bounds(item: int) -> tuple[float, float]:
        a, b = left[item], right[item]
        low = place[a] + room[a] + room[item] if a >= 0 else -1e18
        high = place[b] - room[b] - room[item] if b >= 0 else 1e18
        return low, high

    for turn in range(rounds):
        for first, stop in chains:
            start = first
            low, high = bounds(first)
            wish = place[ends[first][0]] if first in ends else place[first]
            last_wish = place[ends[stop - 1][-1]] if stop - 1 in ends else place[stop - 1]
            for item in range(first, stop):
                if item > first:
                    a, b = bounds(item)
                    if max(a, low) > min(b, high) + 1e-6:
                        value = min(max(wish, low), high)
                        place[start:item] = [value] * (item - start)
                        start, low, high, wish = item, a, b, value
                    else:
                        low, high = max(a, low), min(b, high)
            target = last_wish if start > first or low <= last_wish <= high and not low <= wish <= high else wish
            place[start:stop] = [min(max(target, low), high)] * (stop - start)
        for v in range(nodes):
            if near[v]:
                low, high = bounds(v)
                if low < high:
                    at = sorted([place[i] for i in near[v]])
                    middle = len(at) // 2
                    want = at[middle] if len(at) % 2 else (at[middle - 1] + at[middle]) / 2
                    place[v] = min(max(want, low), high)
    x[:] = place
