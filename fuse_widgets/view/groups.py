"""Groups of nodes that can be drawn as one box each, found by function and by name, and the boxes they make.

A box must not make a cycle appear. That holds where boxes and nodes can be put in a row with all that one needs before
it: then every edge points forward in the row. `contract` makes such a row as Kahn's algorithm (1962) makes one of
nodes, with a group for a node where that is possible. Nodes without a group are taken as soon as they are free. Else
a group is taken: one that is free as a whole if there is one, else what is free of the group with the largest share
free, and the rest of it becomes further boxes later. So a group is cut only where every one of those that are left
would have to be, that is where they close a cycle; and one group alone gets as many boxes as a path comes back into it
at most, and one, since it waits until nothing else is left, and no fewer would do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import shorten

__all__ = ["Box", "Group", "big_groups", "checked_ids", "contract", "find_groups"]

#: Most groups that are offered; the smallest are left out.
MOST_GROUPS = 500
#: How many levels of prefixes a name may have.
LEVELS = 32
#: The longest id, in characters.
LONGEST = 2000
#: Graphs with more than so many nodes start with functions of so many nodes as boxes, where at most such a share is left.
LARGE, BIG, WORTH = 300, 10, 0.8
#: What may end a prefix; a point inside of a number does not.
_SEPARATORS = re.compile(r"(?:[\s,/_:;|\\、\uff0c・-]|\.(?!\d))+")
_ENDS = " \t\n,./_:;|\\、\uff0c・-"

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes that can be drawn as one box.

    Attributes:
        id: `"function:QUALNAME"` or `"prefix:TEXT"`.
        label: Its name for people.
        members: int64[k], its nodes in rising order.
    """

    id: str
    label: str
    members: Ints

    def __repr__(self) -> str:
        return f"<Group {self.id!r}: {len(self.members)} nodes>"


@dataclass(frozen=True, eq=False)
class Box:
    """Nodes that are drawn as one.

    Attributes:
        group: What they are part of.
        label: The label of the group; where it makes several boxes, with a number.
        members: int64[k], its nodes in rising order, two at least.
    """

    group: Group
    label: str
    members: Ints

    def __repr__(self) -> str:
        return f"<Box {self.label!r}: {len(self.members)} nodes>"


def find_groups(
    names: Sequence[str], functions: Sequence[str], function: NDArray[np.uint32]
) -> tuple[Group, ...]:
    """Return the groups of a graph, the largest first: nodes of one function, nodes whose names begin alike.

    A prefix ends in a separator such as `", "`, `"/"` or `"_"`. Of groups with the same nodes there is one: that of the
    function, else that of the longest prefix. Takes time in proportion to the length of all names.

    Args:
        names: Names of the n nodes.
        functions: The different function names.
        function: uint32[n], the place of each node's function in `functions`.
    """
    by_function = np.argsort(function, kind="stable")
    cuts = np.searchsorted(function[by_function], np.arange(1, len(functions)))
    found = [
        (_id("function", name), name, members.astype(np.int64))
        for name, members in zip(functions, np.split(by_function, cuts), strict=False)
    ]
    automatic = {f"{name}_" for name in functions}  # of automatic names: says no more than the function
    found += [
        (_id("prefix", text), text.rstrip(_ENDS) or text, members)
        for text, members in _prefixes(names)
        if text not in automatic
    ]
    kept: dict[bytes, tuple[str, str, Ints]] = {}
    for one in found:
        if 2 <= len(one[2]) < len(names) and len(one[0]) <= LONGEST:
            kept.setdefault(one[2].tobytes(), one)
    listed = sorted(kept.values(), key=lambda one: -len(one[2]))[:MOST_GROUPS]
    labels: dict[str, int] = {}
    for _, label, _ in listed:
        labels[label] = labels.get(label, 0) + 1
    groups = []
    for name, label, members in listed:
        unclear = labels[label] > 1 and name.startswith("prefix:")
        groups.append(Group(name, f"{name[7:].rstrip()}…" if unclear else label, members))
    return tuple(groups)


def _id(kind: str, text: str) -> str:
    return _valid(f"{kind}:{text}")


def _valid(name: str) -> str:
    """An id as it may travel: without halves of surrogate pairs."""
    return name.encode("utf-8", "replace").decode()


def _prefixes(names: Sequence[str]) -> list[tuple[str, Ints]]:
    """Return each prefix that several names have and no longer one has for the same names, with these names."""
    # a tree of segments, so that a prefix is never looked at as a whole: (parent, segment) -> number
    numbers: dict[tuple[int, str], int] = {}
    paths: list[list[int]] = []
    for name in names:
        path, at, begin = [], -1, 0
        for end in _SEPARATORS.finditer(name):
            at = numbers.setdefault((at, name[begin : end.end()]), len(numbers))
            path.append(at)
            begin = end.end()
            if len(path) == LEVELS:
                break
        paths.append(path)
    count = np.bincount(
        np.fromiter((k for path in paths for k in path), np.int64), minlength=len(numbers)
    ).tolist()
    parents = [parent for parent, _ in numbers]
    shorter = {parent for k, parent in enumerate(parents) if parent >= 0 and count[parent] == count[k]}
    members: dict[int, list[int]] = {}
    for i, path in enumerate(paths):
        for k in path:
            if count[k] > 1 and k not in shorter:
                members.setdefault(k, []).append(i)
    segments = [segment for _, segment in numbers]

    def text(k: int) -> str:
        parts = []
        while k >= 0:
            parts.append(segments[k])
            k = parents[k]
        return "".join(reversed(parts))

    largest = sorted(members.items(), key=lambda item: -len(item[1]))[: 2 * MOST_GROUPS]
    return [(text(k), np.array(nodes, np.int64)) for k, nodes in largest]


def contract(n: int, edges: NDArray[np.uint32], groups: Iterable[Group]) -> tuple[Box, ...]:
    """Return the boxes for some groups: together they make no cycle.

    A node that several groups have belongs to the largest of them. What is left of a group
    beside its boxes are single nodes, which stay what they are.

    Args:
        n: How many nodes there are.
        edges: int[m, 2], source and target of each edge; no cycles.
        groups: The groups to draw as boxes.

    Returns:
        The boxes, those of the largest group first, those of a group from the roots down.
    """
    chosen = sorted(groups, key=lambda group: -len(group.members))
    owner = np.full(n, -1, np.int64)
    for g in range(len(chosen) - 1, -1, -1):
        owner[chosen[g].members] = g
    parts: list[list[Ints]] = [[] for _ in chosen]
    for g, nodes in _Row(n, edges.astype(np.int64), owner, len(chosen)):
        if len(nodes) > 1:
            parts[g].append(np.sort(np.array(nodes, np.int64)))
    return tuple(
        Box(group, f"{group.label} ({k})" if len(own) > 1 else group.label, members)
        for group, own in zip(chosen, parts, strict=True)
        for k, members in enumerate(own, 1)
    )


class _Row:
    """The groups, whole or in parts, in an order with all that a part needs before it."""

    def __init__(self, n: int, edges: Ints, owner: Ints, count: int) -> None:
        ends = owner[edges]
        entering = ends[(ends[:, 0] != ends[:, 1]) & (ends[:, 1] >= 0), 1]
        #: Edges from what is still to come into each group, nodes left in it, those of them that are free.
        self.blocked = np.bincount(entering, minlength=count).tolist()
        self.left = np.bincount(owner[owner >= 0], minlength=count).tolist()
        self.free: list[list[int]] = [
            [] for _ in range(count + 1)
        ]  # at the end (place -1) those without a group
        self.waiting = np.bincount(edges[:, 1], minlength=n).tolist()
        self.after = _lists(n, edges[:, 0], edges[:, 1])
        self.owner = owner.tolist()
        for v in range(n):
            if not self.waiting[v]:
                self.free[self.owner[v]].append(v)
        self.some = {g for g in range(count) if self.free[g]}
        self.whole = [g for g in range(count) if not self.blocked[g]]

    def take(self, g: int) -> list[int]:
        """Take what is free of a group, and what becomes free in it by that."""
        taken, self.free[g] = self.free[g], []
        for v in taken:  # grows while it is read
            for w in self.after[v]:
                self.waiting[w] -= 1
                k = self.owner[w]
                if k >= 0 and k != g:
                    self.some.add(k)
                    self.blocked[k] -= 1
                    if not self.blocked[k]:
                        self.whole.append(k)
                if not self.waiting[w]:
                    (taken if k == g else self.free[k]).append(w)
        return taken

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        while True:
            while self.free[-1]:
                self.take(-1)
            self.some = {g for g in self.some if self.free[g]}
            if not self.some:
                return
            while self.whole and self.whole[0] not in self.some:
                self.whole.pop(0)
            if self.whole:
                g = self.whole.pop(0)
            else:
                g = max(self.some, key=lambda k: (len(self.free[k]) / self.left[k], -k))
            nodes = self.take(g)
            self.left[g] -= len(nodes)
            yield g, nodes


def _lists(count: int, keys: Ints, values: Ints) -> list[list[int]]:
    """Return for each key below `count` the list of its values."""
    order = np.argsort(keys, kind="stable")
    cut = np.searchsorted(keys[order], np.arange(count + 1)).tolist()
    flat = values[order].tolist()
    return [flat[a:b] for a, b in pairwise(cut)]


def big_groups(n: int, edges: NDArray[np.uint32], groups: Collection[Group]) -> list[str]:
    """Return the ids of the groups that a large graph starts with as boxes, none where these would hide little.

    They are the functions with `BIG` nodes and more, all of them: some drawn as boxes and some as nodes would look
    like a difference between them.
    """
    big = [group for group in groups if group.id.startswith("function:") and len(group.members) >= BIG]
    if n <= LARGE or not big:
        return []
    left = n - sum(len(box.members) - 1 for box in contract(n, edges, big))
    return [group.id for group in big] if left <= WORTH * n else []


def checked_ids(ids: Iterable[str]) -> list[str]:
    """Return ids of groups, each once. What they mean is for a graph to say: groups come and go.

    Raises:
        TypeError: `ids` is a text.
        ValueError: There are more than a graph can have.
    """
    if isinstance(ids, str):
        raise TypeError(
            f"collapsed is a list of ids of groups, such as ['function:train'], not {shorten(repr(ids))}"
        )
    kept = [_valid(name) if isinstance(name, str) else name for name in dict.fromkeys(ids)]
    if len(kept) > MOST_GROUPS:
        raise ValueError(f"collapsed has {len(kept)} groups; a graph has {MOST_GROUPS} at most")
    return kept
