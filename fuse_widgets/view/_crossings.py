"""The order of the items in each layer, chosen so that few edges cross.

Sweeps of barycentres (Sugiyama, Tagawa and Toda, 1981) give an order; sifting, which takes an item
out of its layer and puts it where it crosses least (Matuszewski, Schoenfeld and Molitor, 1999),
improves it. One layer's pairs of items are compared in one matrix product, so that sifting is
a few numpy calls for each move.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = ["continued", "count_crossings", "order_layers"]

#: Layers with more items are ordered by sweeps alone: a sift looks at every pair of items of a layer.
WIDEST_SIFT = 160
#: Pairs of items that sifting may look at for one graph, so that a large one is there in about a second.
MOST_PAIRS = 20_000_000

#: How many of the layers are shaken before each new start, in turn; all of them makes a fresh start.
SHARES = (0.3, 0.3, 1.0)


class _Gap:
    """The segments between two neighbouring layers, in places that do not change with the order."""

    __slots__ = ("dense", "lower", "upper")

    def __init__(self, upper: np.ndarray, lower: np.ndarray, k_upper: int, k_lower: int) -> None:
        self.upper = upper
        self.lower = lower
        self.dense = None
        if k_upper <= WIDEST_SIFT and k_lower <= WIDEST_SIFT:
            self.dense = np.zeros((k_upper, k_lower), np.float32)
            self.dense[upper, lower] = 1.0

    def crossings(self, place_upper: np.ndarray, place_lower: np.ndarray) -> int:
        return count_crossings(place_upper[self.upper], place_lower[self.lower])


def count_crossings(upper: np.ndarray, lower: np.ndarray) -> int:
    """Count the pairs of segments `(upper[i], lower[i])` that cross: their ends are in opposite order.

    Segments that share an end do not cross. Takes O(m log m) time for m segments.
    """
    m = len(upper)
    if m < 2:
        return 0
    sequence = lower[np.lexsort((lower, upper))]
    if m <= 96:
        above = sequence[:, None] > sequence[None, :]
        return int(np.count_nonzero(np.triu(above, 1)))
    # inversions, a bit of the rank at a time: of two elements that agree in the higher bits, the
    # one with a 1 stands before the one with a 0
    rank = np.unique(sequence, return_inverse=True)[1].astype(np.int64)
    total = 0
    for bit in range(int(rank.max()).bit_length()):
        block = rank >> (bit + 1)
        by_block = np.argsort(block, kind="stable")
        one = (rank[by_block] >> bit) & 1
        before = np.cumsum(one) - one
        start = np.flatnonzero(np.diff(block[by_block], prepend=-1))
        base = np.repeat(before[start], np.diff(start, append=m))
        total += int(((before - base) * (1 - one)).sum())
    return total


class _Order:
    """The working state: for each layer the order of its items, as places and as a permutation."""

    def __init__(self, sizes: list[int], gaps: list[_Gap], keep: list[np.ndarray]) -> None:
        self.sizes = sizes
        self.gaps = gaps
        self.keep = keep  # for each layer which of its items are to stay in the order of their numbers
        self.pairs_left = MOST_PAIRS
        self.orders = [np.arange(k) for k in sizes]
        self.places = [np.arange(k) for k in sizes]

    def set(self, index: int, order: np.ndarray) -> None:
        kept = self.keep[index][order]
        if kept.any():  # these have the same places among themselves, in their own order
            order = order.copy()
            order[kept] = np.sort(order[kept])
        self.orders[index] = order
        place = np.empty(len(order), np.intp)
        place[order] = np.arange(len(order))
        self.places[index] = place

    def copy(self) -> list[np.ndarray]:
        return list(self.orders)

    def restore(self, orders: list[np.ndarray]) -> None:
        for index, order in enumerate(orders):
            if order is not self.orders[index]:
                self.set(index, order)

    def crossings(self) -> int:
        return sum([g.crossings(a, b) for g, (a, b) in zip(self.gaps, pairwise(self.places), strict=False)])

    def _barycentres(self, index: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Return mean place and number of the neighbours in the layer above (-1) or below (+1)."""
        k = self.sizes[index]
        gap = self.gaps[index - 1 if side < 0 else index]
        mine, other = (gap.lower, gap.upper) if side < 0 else (gap.upper, gap.lower)
        place = self.places[index + side]
        degree = np.bincount(mine, minlength=k)
        total = np.bincount(mine, place[other], minlength=k)
        return total / np.maximum(degree, 1), degree

    def kick(self, random: np.random.Generator, share: float) -> None:
        """Shake a share of the layers, so that the next search ends elsewhere."""
        for index, k in enumerate(self.sizes):
            if random.random() < share:
                shaken = np.arange(k) + random.normal(0, k / 4 + k * (share == 1), k)
                self.set(index, self.orders[index][np.argsort(shaken, kind="stable")])

    def sweep(self, downwards: bool, flip: bool) -> None:
        """Order each layer after the barycentres of the layer before it; `flip` turns ties round."""
        depth = len(self.sizes)
        side = -1 if downwards else 1
        for index in range(1, depth) if downwards else range(depth - 2, -1, -1):
            if self.sizes[index] == 1:
                continue
            centre, degree = self._barycentres(index, side)
            if not degree.all() and 0 <= index - side < depth:
                # what has no neighbour on this side follows those on the other
                other, _ = self._barycentres(index, -side)
                scale = self.sizes[index + side] / self.sizes[index - side]
                centre = np.where(degree > 0, centre, other * scale)
            order = self.orders[index]
            if flip:
                order = order[::-1]
            self.set(index, order[np.argsort(centre[order], kind="stable")])

    def sift(self, index: int) -> int:
        """Move items of one layer to where they cross least until none moves; return the crossings saved."""
        k = self.sizes[index]
        if k < 2 or k > WIDEST_SIFT or self.pairs_left <= 0:
            return 0
        order = self.orders[index]
        cost = np.zeros((k, k), np.float32)
        if index:
            near = self.gaps[index - 1].dense
            if near is None:
                return 0
            near = near[self.orders[index - 1]].T[order]
            cost += near @ (near.cumsum(1) - near).T
        if index + 1 < len(self.sizes):
            near = self.gaps[index].dense
            if near is None:
                return 0
            near = near[:, self.orders[index + 1]][order]
            cost += near @ (near.cumsum(1) - near).T
        # gain[i, j]: crossings saved by having i behind j instead of before it
        gain = cost - cost.T
        saved = 0
        places = np.arange(k)
        through = np.zeros((k, k + 1), np.float32)
        moved = False
        keep = self.keep[index]
        for _ in range(4 * k):
            self.pairs_left -= k * k
            np.cumsum(gain, axis=1, out=through[:, 1:])
            best = through - through[places, places][:, None]
            kept = keep[order]
            if kept.any():  # one that is kept moves between the kept ones on both sides of it only
                ahead = np.concatenate([[0], np.cumsum(kept)])
                passed = ahead[None, :] - ahead[places][:, None]
                best[kept[:, None] & ((passed < 0) | (passed > 1))] = 0
            flat = int(best.argmax())
            item, slot = divmod(flat, k + 1)
            if best[item, slot] <= 0 or self.pairs_left <= 0:
                break
            saved += int(best[item, slot])
            turn = list(range(k))
            turn.insert(slot - (slot > item), turn.pop(item))
            gain = gain.take(turn, 0).take(turn, 1)
            order = order[turn]
            moved = True
        if moved:
            self.set(index, order)
        return saved

    def search(self, sweeps: int, *, downwards: bool) -> int:
        """Sweep while that helps, then sift from the best order found; return its crossings."""
        best, kept, stale = self.crossings(), self.copy(), 0
        for turn in range(sweeps):
            self.sweep(downwards=(turn % 2 == 0) == downwards, flip=turn % 4 >= 2)
            now = self.crossings()
            stale += 1
            if now < best:
                best, kept, stale = now, self.copy(), 0
            if stale == 4 or best == 0:
                break
        self.restore(kept)
        while best and (saved := self.sift_all(downwards)):
            best -= saved
        return best

    def sift_all(self, downwards: bool = True) -> int:
        depth = len(self.sizes)
        return sum([self.sift(i) for i in (range(depth) if downwards else range(depth - 1, -1, -1))])


def continued(known: np.ndarray, dummies: int, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Return places for all items: those that are known, the others between or beside what they are joined to.

    Parameters
    ----------
    known: float[n], places of the nodes across the layers, NaN for those to be found.
    dummies: how many items there are beside the nodes.
    upper, lower: int[s], items at the ends of the segments between neighbouring layers.
    """
    place = np.concatenate([known, np.full(dummies, np.nan)])
    total = len(place)
    open_ = np.isnan(place)
    ends, others = np.concatenate([upper, lower]), np.concatenate([lower, upper])
    for _ in range(64):  # from what is known on, a step at a time
        told = open_[ends] & ~np.isnan(place[others])
        if not told.any():
            break
        count = np.bincount(ends[told], minlength=total)
        sums = np.bincount(ends[told], place[others[told]], minlength=total)
        new = (count > 0) & np.isnan(place)
        if not new.any():
            break
        place[new] = sums[new] / count[new]
    place[np.isnan(place)] = 0.0
    for _ in range(8):  # so that long edges are about straight
        count = np.bincount(ends, minlength=total)
        sums = np.bincount(ends, place[others], minlength=total)
        free = open_ & (count > 0)
        place[free] = sums[free] / count[free]
    return place


def order_layers(
    layers: list[np.ndarray],
    upper: np.ndarray,
    lower: np.ndarray,
    sweeps: int,
    starts: int,
    keep: np.ndarray | None = None,
) -> tuple[list[np.ndarray], int]:
    """Return the items of each layer in an order with few crossings, and how many there are.

    Parameters
    ----------
    layers: the items of each layer in a first order, which is kept where it has no crossings.
    upper, lower: int[s], items at the ends of the segments between neighbouring layers.
    sweeps: how many sweeps, down and up in turn, a start has.
    starts: how often it starts, after the first time from the best order so far with some layers shaken.
    keep: bool[items], those that stay in the order they are given in among themselves; None for none.
    """
    sizes = [len(items) for items in layers]
    total = sum(sizes)
    place, home = np.empty(total, np.intp), np.empty(total, np.intp)
    for index, items in enumerate(layers):
        place[items] = np.arange(len(items))
        home[items] = index
    by_gap = np.argsort(home[upper], kind="stable")
    cut = np.searchsorted(home[upper][by_gap], np.arange(len(layers) + 1))
    gaps = []
    for index, (a, b) in enumerate(pairwise(sizes)):
        part = by_gap[cut[index] : cut[index + 1]]
        gaps.append(_Gap(place[upper[part]], place[lower[part]], a, b))

    held = [np.zeros(len(items), bool) if keep is None else keep[items] for items in layers]
    state = _Order(sizes, gaps, held)
    best = state.crossings()
    kept = state.copy()
    random = np.random.default_rng(0)  # the same graph gets the same drawing
    for start in range(starts):
        if best == 0:
            break
        if start:
            state.restore(kept)
            state.kick(random, share=SHARES[start % len(SHARES)])
        now = state.search(sweeps, downwards=start % 2 == 0)
        if now < best:
            best, kept = now, state.copy()
    state.restore(kept)
    return [items[order] for items, order in zip(layers, state.orders, strict=False)], best
