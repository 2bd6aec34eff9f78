"""Where the items of a layer stand across it, once their order is known.

The aim is that of Gansner et al. (1993): the sum of `weight * |difference in place|` over all segments, where
segments of long edges weigh more, so that these are straight. Three steps descend on it:
sweeps that place each layer as near to its neighbours as the widths of its items allow (a weighted isotonic regression,
reweighted so that squares count as absolute values); long edges straightened inside the room they
have; then groups of items that touch or stand in line are moved as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["place_items"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: For the segments on one side of a layer: own place in the layer, the item at the other end, weight.
Side = tuple[Ints, Ints, Floats]

#: Weight of a segment with no, one or two dummies at its ends: a long edge is straight between its ends, and
#: rather bends there than that it bends a short one.
WEIGHTS = np.array([2.0, 1.0, 4.0])
#: Differences in place below this count as none.
NEAR = 1e-6
#: Differences in place, in px, above which a reweighted sweep counts a segment by its length.
SOFT = 20.0


def place_items(
    layers: list[Ints],
    breadth: Floats,
    gaps: Floats,
    upper: Ints,
    lower: Ints,
    nodes: int,
    chains: list[tuple[int, int]],
) -> Floats:
    """Return the centre of each item across the layers.

    Args:
        layers: The items of each layer, in order.
        breadth: float[items], how much room an item takes across its layer.
        gaps: float[items], half the least distance to a neighbour, added on both sides.
        upper: int[s], the upper ends of the segments between neighbouring layers.
        lower: int[s], their lower ends.
        nodes: Items below this number are nodes, the others dummies.
        chains: First and last + 1 dummy of each edge that has dummies.
    """
    total = len(breadth)
    half = breadth / 2 + gaps
    weight = WEIGHTS[(upper >= nodes).astype(np.int64) + (lower >= nodes)]
    # one of many edges of a node pulls less than an only one: chains are straight, fans may fan
    weight /= np.sqrt(
        np.maximum(np.bincount(upper, minlength=total)[upper], np.bincount(lower, minlength=total)[lower])
    )
    large = total > 2000
    x = _sweep(layers, half, upper, lower, weight, nodes, both=2 if large else 4)
    row = _Row(layers, half, upper, lower, weight, x)
    row.straighten(chains, 2 if large else 3)
    row.move_groups(1 if large else min(16, 6000 // total))
    row.centre(nodes)
    return np.array(row.place)


def _sweep(
    layers: list[Ints],
    half: Floats,
    upper: Ints,
    lower: Ints,
    weight: Floats,
    nodes: int,
    one_sided: int = 4,
    both: int = 4,
) -> Floats:
    """Place layer after layer, first by the layer before it alone, then by both its neighbours."""
    total, depth = len(half), len(layers)
    x = np.zeros(total)
    offsets = []
    for items in layers:
        offset = np.cumsum(2 * half[items]) - half[items]
        offsets.append(offset)
        x[items] = offset - offset[-1] / 2
    above = _sides(layers, lower, upper, weight, total)
    below = _sides(layers, upper, lower, weight, total)
    firm = np.where(np.arange(total) >= nodes, 3.0, 1.0)
    for turn in range(one_sided + both):
        down = turn % 2 == 0
        for index in range(depth) if down else range(depth - 1, -1, -1):
            items = layers[index]
            if turn < one_sided:
                side = (above if down else below)[index]
                want, pull = _wanted(x[items], x, [side] if side else [], absolute=False)
                mass = np.where(pull > 0, firm[items], 0.05)
            else:
                near = [side for side in (above[index], below[index]) if side]
                want, pull = _wanted(x[items], x, near, absolute=True)
                mass = np.where(pull > 0, pull, 0.01)
            x[items] = _rising(want - offsets[index], mass) + offsets[index]
    return x


def _wanted(own: Floats, x: Floats, sides: list[Side], *, absolute: bool) -> tuple[Floats, Floats]:
    """Return the mean place of the neighbours of each item of a layer, and how strongly they pull."""
    want, pull = np.zeros(len(own)), np.zeros(len(own))
    for mine, other, weight in sides:
        there = x[other]
        if absolute:
            weight = weight / (np.abs(there - own[mine]) + SOFT)
        want += np.bincount(mine, weight * there, minlength=len(own))
        pull += np.bincount(mine, weight, minlength=len(own))
    return np.where(pull > 0, want / np.maximum(pull, 1e-12), own), pull


def _sides(layers: list[Ints], mine: Ints, other: Ints, weight: Floats, total: int) -> list[Side | None]:
    """Return for each layer its segments on one side, None where it has none."""
    place, home = np.empty(total, np.int64), np.empty(total, np.int64)
    for index, items in enumerate(layers):
        place[items] = np.arange(len(items))
        home[items] = index
    order = np.argsort(home[mine], kind="stable")
    cut = np.searchsorted(home[mine][order], np.arange(len(layers) + 1)).tolist()
    sides: list[Side | None] = []
    for begin, end in pairwise(cut):
        part = order[begin:end]
        sides.append((place[mine[part]], other[part], weight[part]) if len(part) else None)
    return sides


def _rising(want: Floats, mass: Floats) -> Floats:
    """Return the nearest rising sequence to `want` in weighted least squares (pool adjacent violators)."""
    if len(want) < 2 or (want[1:] >= want[:-1]).all():
        return want
    means: list[float] = []
    masses: list[float] = []
    counts: list[int] = []
    for value, weight in zip(want.tolist(), mass.tolist(), strict=True):
        mean, total, count = value, weight, 1
        while means and means[-1] >= mean:
            other = masses.pop()
            mean = (mean * total + means.pop() * other) / (total + other)
            total += other
            count += counts.pop()
        means.append(mean)
        masses.append(total)
        counts.append(count)
    return np.repeat(means, counts)


@dataclass
class _Group:
    """Items that move as one, the force along the move, and how far they may go."""

    items: list[int]
    force: float
    room: float


class _Row:
    """The items in lists, for moves of one item or a few at a time."""

    def __init__(
        self, layers: list[Ints], half: Floats, upper: Ints, lower: Ints, weight: Floats, x: Floats
    ) -> None:
        total = len(half)
        self.place: list[float] = x.tolist()
        self.half: list[float] = half.tolist()
        self.left = [-1] * total
        self.right = [-1] * total
        self.order: list[int] = []
        for items in layers:
            row = items.tolist()
            self.order += row
            for a, b in pairwise(row):
                self.right[a], self.left[b] = b, a
        self.near: list[list[tuple[int, float]]] = [[] for _ in range(total)]
        for a, b, w in zip(upper.tolist(), lower.tolist(), weight.tolist(), strict=True):
            self.near[a].append((b, w))
            self.near[b].append((a, w))

    def bounds(self, item: int) -> tuple[float, float]:
        """Return how far an item may go to both sides while its neighbours stay."""
        a, b = self.left[item], self.right[item]
        low = self.place[a] + self.half[a] + self.half[item] if a >= 0 else -1e18
        high = self.place[b] - self.half[b] - self.half[item] if b >= 0 else 1e18
        return low, high

    def straighten(self, chains: list[tuple[int, int]], rounds: int) -> None:
        """Put the dummies of each edge on as few straight lines as the room allows, nodes to their medians."""
        place = self.place
        nodes = [v for v in self.order if not chains or v < chains[0][0]]
        for _ in range(rounds):
            for first, stop in chains:
                self._straighten_chain(first, stop)
            for v in nodes:
                if self.near[v]:
                    low, high = self.bounds(v)
                    at = sorted([place[u] for u, _ in self.near[v]])
                    middle = (at[(len(at) - 1) // 2] + at[len(at) // 2]) / 2
                    if low < high:
                        place[v] = min(max(middle, low), high)

    def _straighten_chain(self, first: int, stop: int) -> None:
        place = self.place
        source, target = place[self.near[first][0][0]], place[self.near[stop - 1][-1][0]]
        begin, wish = first, source
        low, high = self.bounds(first)
        for item in range(first + 1, stop):
            a, b = self.bounds(item)
            if max(a, low) > min(b, high) + NEAR:
                wish = min(max(wish, low), high)
                place[begin:item] = [wish] * (item - begin)
                begin, low, high = item, a, b
            else:
                low, high = max(a, low), min(b, high)
        if begin > first or (low <= target <= high and not low <= wish <= high):
            wish = target
        place[begin:stop] = [min(max(wish, low), high)] * (stop - begin)

    def move_groups(self, rounds: int) -> None:
        """Move groups of items that touch or stand in line while the segments that leave them pull more forward."""
        place, near = self.place, self.near
        for _ in range(rounds):
            changed = False
            for sign, ahead in ((1, self.right), (-1, self.left)):
                seen = [False] * len(place)
                for seed in self.order if sign > 0 else reversed(self.order):
                    if seen[seed]:
                        continue
                    here = place[seed]
                    for u, _weight in near[seed]:
                        if (place[u] - here) * sign > NEAR:
                            break
                    else:
                        continue  # nothing pulls it forward: it moves only with others
                    group = self._group(seed, sign, ahead)
                    for v in group.items:
                        seen[v] = True
                    if group.force > 0 and NEAR < group.room < 1e17:
                        changed = True
                        step = group.room * sign
                        for v in group.items:
                            place[v] += step
            if not changed:
                break

    def _group(self, seed: int, sign: int, ahead: list[int]) -> _Group:
        """Return what has to move with `seed`: what it would push ahead, and what stands in line with it."""
        place, half, near = self.place, self.half, self.near
        items, inside = [seed], {seed}
        room = 1e18
        pulls: list[tuple[int, float, float]] = []
        for v in items:  # grows while it is read
            here = place[v]
            b = ahead[v]
            if b >= 0 and b not in inside:
                free = (place[b] - here) * sign - half[b] - half[v]
                if free < NEAR:
                    inside.add(b)
                    items.append(b)
                elif free < room:
                    room = free
            for u, weight in near[v]:
                away = (place[u] - here) * sign
                if -NEAR < away < NEAR:
                    if u not in inside:
                        inside.add(u)
                        items.append(u)
                else:
                    pulls.append((u, away, weight))
        force = 0.0
        for u, away, weight in pulls:
            if u not in inside:
                if away > 0:
                    force += weight
                    if away < room:
                        room = away
                else:
                    force -= weight
        return _Group(items, force, room)

    def centre(self, nodes: int) -> None:
        """Move each node to the middle of the places that are equally good for it."""
        for v in range(nodes):
            at = sorted([(self.place[u], weight) for u, weight in self.near[v]])
            if len(at) < 2:
                continue
            low, high = self.bounds(v)
            a, b = _weighted_median(at)
            a, b = max(a, low), min(b, high)
            if a <= b:
                self.place[v] = (a + b) / 2


def _weighted_median(values: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the lowest and highest weighted median of sorted `(value, weight)`."""
    whole = sum([weight for _, weight in values])
    passed: Any = 0.0
    for index, (value, weight) in enumerate(values):
        passed += weight
        if 2 * passed > whole:
            return value, value
        if 2 * passed == whole:
            return value, values[index + 1][0]
    return values[-1][0], values[-1][0]
