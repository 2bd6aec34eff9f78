"""Our layout beside that of Graphviz `dot`, for the same graphs and boxes in one run.

    python -m tests.benchmarks.layout_vs_dot [--draw DIR] [--seeds N]

Both draw from top to bottom boxes of 120 x 32 px, 18 px apart in a layer, with 36 px between layers.

Crossings are counted by one rule for both: every edge has a place in each layer it passes; two edges cross between
two layers where the order of their places is reversed. Ours are read from the drawn positions and bend
points. For `dot` the lower of two figures counts: its own (`dot -v`, the order of its virtual nodes), and the same reading
of its drawn splines. Widths are those of the whole drawing, boxes and edges, without margins.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fuse_widgets.view._crossings import count_crossings
from fuse_widgets.view.layout import layered_layout

BOX = (120.0, 32.0)
NODE_GAP, LAYER_GAP = 18.0, 36.0
SIZES = (30, 60, 100, 200, 300)
Edges = list[tuple[int, int]]


@dataclass
class Drawing:
    """Positions of nodes and, for each edge, the points of a line that follows it from centre to centre."""

    x: np.ndarray
    y: np.ndarray
    lines: list[np.ndarray]
    width: float
    height: float
    crossings: int
    paths: list[str]  # as SVG


# -- graphs ------------------------------------------------------------------------------------------


def random_dag(n: int, seed: int) -> Edges:
    """1 to 3 parents for each node, among the 30 before it."""
    pick = random.Random(seed)
    edges = []
    for v in range(1, n):
        first = max(0, v - 30)
        edges += [(p, v) for p in pick.sample(range(first, v), min(v - first, pick.randint(1, 3)))]
    return edges


def comparison(data_sets: int = 6, classifiers: int = 10) -> Edges:
    """Load, split, fit and score each classifier on each data set; one table. A score needs the split too."""
    edges, n = [], 1
    for _ in range(data_sets):
        load, split = n, n + 1
        n += 2
        edges.append((load, split))
        for _ in range(classifiers):
            edges += [(split, n), (n, n + 1), (split, n + 1), (n + 1, 0)]
            n += 2
    return edges


def diamonds(count: int = 8, wide: int = 4) -> Edges:
    edges, top = [], 0
    for _ in range(count):
        bottom = top + wide + 1
        edges += [edge for i in range(top + 1, bottom) for edge in ((top, i), (i, bottom))]
        top = bottom
    return edges


def map_reduce(maps: int = 12, reduces: int = 4) -> Edges:
    first, last = maps + 1, maps + 1 + reduces
    edges = [(0, i) for i in range(1, first)]
    edges += [(i, j) for i in range(1, first) for j in range(first, last)]
    return edges + [(j, last) for j in range(first, last)]


def tree(children: int = 3, depth: int = 4) -> Edges:
    count = sum(children**level for level in range(depth))
    return [(v, children * v + i + 1) for v in range(count) for i in range(children)]


def shared_inputs(stages: int = 8, wide: int = 5) -> Edges:
    """Stages of parallel steps, each joined by one node; a configuration that every join needs."""
    edges, join, n = [], 1, 2
    edges.append((0, 1))
    for _ in range(stages):
        end = n + wide
        edges += [edge for i in range(n, end) for edge in ((join, i), (i, end))]
        edges.append((0, end))
        join, n = end, end + 1
    return edges


SHAPES = {
    "comparison of 10 classifiers on 6 data sets": comparison(),
    "diamonds": diamonds(),
    "map and reduce": map_reduce(),
    "tree": tree(),
    "stages with one shared input": shared_inputs(),
}


def size_of(edges: Edges) -> int:
    return 1 + max(max(edge) for edge in edges)


# -- the two layouts ---------------------------------------------------------------------------------


def ours(n: int, edges: Edges, direction: str = "TB") -> Drawing:
    layout = layered_layout(
        np.full(n, BOX[0]), edges, height=BOX[1], direction=direction, node_gap=NODE_GAP, layer_gap=LAYER_GAP
    )
    at = layout.route_at.astype(int)
    centre = np.stack([layout.x, layout.y], axis=1).astype(float)
    lines, paths = [], []
    for e, (a, b) in enumerate(edges):
        bends = layout.route[2 * at[e] : 2 * at[e + 1]].reshape(-1, 2)
        lines.append(np.concatenate([centre[a : a + 1], bends, centre[b : b + 1]]))
        paths.append(_curve(lines[-1], direction))
    drawing = Drawing(centre[:, 0], centre[:, 1], lines, layout.width, layout.height, 0, paths)
    if direction == "TB":
        drawing.crossings = read_crossings(drawing, edges)
    return drawing


def _curve(line: np.ndarray, direction: str) -> str:
    """An SVG path as the views draw an edge: straight where it runs along, else an S."""
    along = 0 if direction == "LR" else 1
    line = line.copy()
    line[0, along] += BOX[along] / 2
    line[-1, along] -= BOX[along] / 2
    path = [f"M{line[0, 0]:.1f},{line[0, 1]:.1f}"]
    for p, q in pairwise(line):
        middle = (p[along] + q[along]) / 2
        one, two = ((middle, p[1]), (middle, q[1])) if along == 0 else ((p[0], middle), (q[0], middle))
        path.append(f"C{one[0]:.1f},{one[1]:.1f} {two[0]:.1f},{two[1]:.1f} {q[0]:.1f},{q[1]:.1f}")
    return "".join(path)


def dot(n: int, edges: Edges, direction: str = "TB") -> Drawing:
    source = [
        "digraph {",
        f"rankdir={direction}; nodesep={NODE_GAP / 72}; ranksep={LAYER_GAP / 72};",
        f"node [shape=box, fixedsize=true, width={BOX[0] / 72}, height={BOX[1] / 72}];",
        *(f"{v};" for v in range(n)),
        *(f"{a} -> {b};" for a, b in edges),
        "}",
    ]
    done = subprocess.run(
        ["dot", "-Tplain", "-v"], input="\n".join(source), capture_output=True, text=True, check=True
    )
    own = sum(int(k) for k in re.findall(r"^mincross .*: (\d+) crossings", done.stderr, re.MULTILINE))
    x, y = np.zeros(n), np.zeros(n)
    routes: dict[tuple[int, int], list[np.ndarray]] = {}
    width = height = 0.0
    for line in done.stdout.splitlines():
        word = line.split()
        if word[0] == "graph":
            width, height = 72 * float(word[2]), 72 * float(word[3])
        elif word[0] == "node":
            x[int(word[1])], y[int(word[1])] = 72 * float(word[2]), height - 72 * float(word[3])
        elif word[0] == "edge":
            k = int(word[3])
            points = 72 * np.array(word[4 : 4 + 2 * k], float).reshape(-1, 2)
            points[:, 1] = height - points[:, 1]
            routes.setdefault((int(word[1]), int(word[2])), []).append(points)
    lines, paths = [], []
    t = np.linspace(0, 1, 13)[1:, None]
    for a, b in edges:
        points = routes[a, b].pop()
        flat = [np.array([[x[a], y[a]]]), points[:1]]
        path = [f"M{points[0, 0]:.1f},{points[0, 1]:.1f}"]
        for i in range(0, len(points) - 1, 3):
            p, q, r, s = points[i : i + 4]
            flat.append((1 - t) ** 3 * p + 3 * (1 - t) ** 2 * t * q + 3 * (1 - t) * t**2 * r + t**3 * s)
            path.append(f"C{q[0]:.1f},{q[1]:.1f} {r[0]:.1f},{r[1]:.1f} {s[0]:.1f},{s[1]:.1f}")
        lines.append(np.concatenate([*flat, np.array([[x[b], y[b]]])]))
        paths.append("".join(path))
    drawing = Drawing(x, y, lines, width, height, own, paths)
    if direction == "TB":
        drawing.crossings = min(own, read_crossings(drawing, edges))
    return drawing


def read_crossings(drawing: Drawing, edges: Edges) -> int:
    """Count crossings between neighbouring layers from where each edge passes each layer."""
    layers, layer = np.unique(np.round(drawing.y), return_inverse=True)
    ends: list[list[tuple[float, float]]] = [[] for _ in layers]
    for (a, b), line in zip(edges, drawing.lines, strict=True):
        between = layers[layer[a] : layer[b] + 1]
        place = np.interp(between, np.maximum.accumulate(line[:, 1]), line[:, 0])
        place[0], place[-1] = drawing.x[a], drawing.x[b]
        for index, pair in enumerate(pairwise(np.round(place, 1))):
            ends[layer[a] + index].append(pair)
    total = 0
    for pairs in ends:
        if pairs:
            upper, lower = np.array(pairs).T
            total += count_crossings(upper, lower)
    return total


# -- figures -----------------------------------------------------------------------------------------


def seconds(n: int, edges: Edges, repeats: int = 5) -> float:
    """Shortest processor time of a layout (it runs in one thread): other work on the machine only adds to it."""
    widths, pairs = np.full(n, BOX[0]), np.array(edges)
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        layered_layout(widths, pairs)
        times.append(time.process_time() - begin)
    return min(times)


def measure(seeds: int = 12) -> list[dict[str, Any]]:
    """Return rows of `name, value, bound, ok`; ratios are ours to `dot`'s, bound None where a figure is only told."""
    rows: list[dict[str, Any]] = []

    def row(name: str, value: float, bound: float | None) -> None:
        rows.append({"name": name, "value": value, "bound": bound, "ok": bound is None or value <= bound})

    for n in SIZES:
        crossings, widths, times = [], [], []
        for seed in range(seeds):
            edges = random_dag(n, seed)
            begin = time.perf_counter()
            a = ours(n, edges)
            middle = time.perf_counter()
            b = dot(n, edges)
            times.append((time.perf_counter() - middle) / (middle - begin))
            crossings.append(_ratio(a.crossings, b.crossings))
            widths.append(a.width / b.width)
        row(f"random, {n} nodes: crossings, median", statistics.median(crossings), 1.25)
        row(f"random, {n} nodes: crossings, worst of {seeds}", max(crossings), 1.35)
        row(f"random, {n} nodes: width, median", statistics.median(widths), 1.2)
        row(f"random, {n} nodes: width, worst of {seeds}", max(widths), 1.2)
        row(f"random, {n} nodes: times as fast as dot (with its start)", statistics.median(times), None)
    for name, edges in SHAPES.items():
        a, b = ours(size_of(edges), edges), dot(size_of(edges), edges)
        row(f"{name}: crossings ({a.crossings} / {b.crossings})", _ratio(a.crossings, b.crossings), 1.25)
        row(f"{name}: width", a.width / b.width, 1.2)
    row("seconds, random, 100 nodes", seconds(100, random_dag(100, 0)), None)
    row("seconds, random, 1,000 nodes", seconds(1000, random_dag(1000, 0)), 0.150)
    row("seconds, random, 10,000 nodes", seconds(10_000, random_dag(10_000, 0), 2), 2.0)
    row("seconds, one node with 5,000 children", seconds(5001, [(0, v) for v in range(1, 5001)], 1), 0.5)
    return rows


def _ratio(a: int, b: int) -> float:
    return a / b if b else 1.0 if a == 0 else float("inf")


# -- pictures ----------------------------------------------------------------------------------------


def draw(folder: Path) -> None:
    """Write each graph as drawn by both, ours to the left, as SVG and (with rsvg-convert) as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {f"random-{n}": random_dag(n, 0) for n in (30, 60, 100)} | SHAPES
    for name, edges in graphs.items():
        for direction in ("TB", "LR"):
            n = size_of(edges)
            path = folder / f"{name.replace(' ', '-')}-{direction}.svg"
            path.write_text(_side_by_side(ours(n, edges, direction), dot(n, edges, direction)))
            if shutil.which("rsvg-convert"):
                subprocess.run(["rsvg-convert", "-o", str(path.with_suffix(".png")), str(path)], check=True)


def _side_by_side(left: Drawing, right: Drawing) -> str:
    beside = left.width + right.width < 2.5 * (left.height + right.height)
    shift = (left.width + 60, 0) if beside else (0, left.height + 60)
    width = shift[0] + right.width if beside else max(left.width, right.width)
    height = max(left.height, right.height) if beside else shift[1] + right.height
    body = []
    for drawing, (dx, dy) in ((left, (0, 0)), (right, shift)):
        body.append(f'<g transform="translate({dx + 10:.0f},{dy + 10:.0f})">')
        body += [f'<path d="{path}" fill="none" stroke="#8a96a3"/>' for path in drawing.paths]
        for v, (x, y) in enumerate(zip(drawing.x, drawing.y, strict=True)):
            body.append(
                f'<rect x="{x - BOX[0] / 2:.1f}" y="{y - BOX[1] / 2:.1f}" width="{BOX[0]}" height="{BOX[1]}" rx="6" '
                f'fill="#eef6f2" stroke="#5aa786"/><text x="{x:.1f}" y="{y + 4:.1f}" font-size="12" '
                f'text-anchor="middle" font-family="sans-serif">{v}</text>'
            )
        body.append("</g>")
    size = f'width="{width + 20:.0f}" height="{height + 20:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect {size} fill="#fff"/>{"".join(body)}</svg>'


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", metavar="DIR", type=Path, help="write pictures of both layouts here")
    parser.add_argument("--seeds", type=int, default=12, help="random graphs of each size")
    options = parser.parse_args(arguments)
    if shutil.which("dot") is None:
        print("not measured: Graphviz `dot` is not installed")
        return 0
    if options.draw:
        draw(options.draw)
        print(f"pictures in {options.draw}")
    rows = measure(options.seeds)
    for row in rows:
        bound = "" if row["bound"] is None else f"<= {row['bound']:g}"
        print(f"{'' if row['ok'] else 'BROKEN':7}{row['value']:9.3f}  {bound:8}  {row['name']}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
