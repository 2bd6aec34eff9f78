"""Colours, marks and curves of pictures without a browser half: those of js/src/view, written out.

A test holds the colours and marks against js/src/view/style.css and icons.ts.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..engine.states import NodeState
from .graph import BOX_HEIGHT, Graph

__all__ = ["FONTS", "HOLLOW", "KINDS", "MARKS", "STATES", "THEMES", "curve", "mix", "page_rules", "svg_rules"]

STATES = tuple(str(state) for state in NodeState)
#: Faces as wide as Helvetica come first: boxes and shortened names reckon with its widths.
FONTS = "'Helvetica Neue',Helvetica,Arial,'Liberation Sans',system-ui,sans-serif"

_LIGHT = {
    "back": "#ffffff",
    "text": "#1c2127",
    "accent": "#1663b5",
    "edge": "#64748b",
    "on-state": "#ffffff",
    "pending": "#8b95a1",
    "queued": "#64748b",
    "running": "#1d6fc9",
    "paused": "#a8680f",
    "done": "#138559",
    "cached": "#3a7c9e",
    "failed": "#cf3f52",
    "skipped": "#8b8f98",
    "cancelled": "#7d6d92",
}
_DARK = {
    "back": "#111418",
    "text": "#e3e6ea",
    "accent": "#6cb2f5",
    "edge": "#94a3b8",
    "on-state": "#101418",
    "pending": "#7d8894",
    "queued": "#94a3b8",
    "running": "#3b8ce2",
    "paused": "#d0932f",
    "done": "#239164",
    "cached": "#4f9cc0",
    "failed": "#ea6a7a",
    "skipped": "#8a9099",
    "cancelled": "#9a88b3",
}
THEMES = {"light": _LIGHT, "dark": _DARK}

#: The mark of each state around (0, 0), and whether it is filled; none for pending.
MARKS = {
    "queued": ("M0 -3.8 V0 L2.7 1.7", False),
    "running": ("M-2.4 -4 L4.2 0 L-2.4 4 Z", True),
    "paused": ("M-3.4 -3.8 h2.4 v7.6 h-2.4 Z M1 -3.8 h2.4 v7.6 h-2.4 Z", True),
    "done": ("M-3.9 0.3 L-1.2 3 L4 -2.9", False),
    "cached": (
        "M-4 -2.7 a4 1.6 0 0 1 8 0 a4 1.6 0 0 1 -8 0 V2.7 a4 1.6 0 0 0 8 0 V-2.7 M-4 0 a4 1.6 0 0 0 8 0",
        False,
    ),
    "failed": ("M-3 -3 L3 3 M3 -3 L-3 3", False),
    "skipped": ("M-3 3.4 L3 -3.4", False),
    "cancelled": ("M-3 -3 h6 v6 h-6 Z", True),
}
#: The mark of each kind: function, constructor, method.
KINDS = (
    "M3.4 -4.6 C1.4 -5.4 0.6 -4.4 0.3 -2.6 L-0.8 3 C-1.2 4.7 -2 5.3 -3.6 4.7 M-2.2 -1.4 H2.8",
    "M0 -4.4 L3.7 -2.2 V2.2 L0 4.4 L-3.7 2.2 V-2.2 Z M-3.7 -2.2 L0 0 L3.7 -2.2 M0 0 V4.4",
    "M4.6 -4.6 C2.6 -5.4 1.8 -4.4 1.5 -2.6 L0.4 3 C0 4.7 -0.8 5.3 -2.2 4.7 M-1 -1.4 H4 M-4.2 3.6 h0.01",
)
#: States whose disc is a ring.
HOLLOW = frozenset({"pending", "queued", "skipped"})


def mix(one: str, other: str, share: float) -> str:
    """A colour between two, as `#rrggbb`; a share of 1 is the first."""
    a, b = (tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (one, other))
    return "#" + "".join([f"{round(x * share + y * (1 - share)):02x}" for x, y in zip(a, b, strict=True)])


def _drawn_rules(theme: str, scope: str) -> str:
    colours = THEMES[theme]
    back = colours["back"]
    edge = mix(colours["edge"], back, 0.52 if theme == "light" else 0.46)
    quiet = mix(colours["text"], back, 0.62)
    rules = [
        f".back{{fill:{back}}}",
        f".edges{{fill:none;stroke:{edge};stroke-width:1.25}}",
        f".heads{{fill:{edge}}}",
        f".track{{fill:{mix(colours['text'], back, 0.12)}}}",
        f".name{{fill:{colours['text']}}}",
        f".side,.note{{fill:{quiet}}}",
        f".kind{{fill:none;stroke:{quiet};stroke-width:1.1;stroke-linecap:round;stroke-linejoin:round}}",
    ]
    for code, state in enumerate(STATES):
        strong = colours[state]
        tint = {"light": (0.05, 0.13), "dark": (0.09, 0.2)}[theme][code > 1]
        dash = ";stroke-dasharray:4 3" if state == "skipped" else ""
        border = mix(strong, back, 0.5 if code < 2 else 0.45)
        rules.append(f".s{code}{{fill:{mix(strong, back, tint)};stroke:{border}{dash}}}")
        on_disc = strong if state in HOLLOW else colours["on-state"]
        disc = f"fill:none;stroke:{strong};stroke-width:1.5" if state in HOLLOW else f"fill:{strong}"
        rules.append(f".d{code}{{{disc}}}")
        if state in MARKS:
            width = 1.3 if state == "cached" else 1.8
            mark = (
                f"fill:{on_disc}" if MARKS[state][1] else f"fill:none;stroke:{on_disc};stroke-width:{width}"
            )
            rules.append(f".m{code}{{{mark};stroke-linecap:round;stroke-linejoin:round}}")
        rules.append(f".p{code}{{fill:{border if code == 0 else strong}}}")
    return "".join([_scoped(rule, scope) for rule in rules])


def _scoped(rule: str, scope: str) -> str:
    selectors, body = rule.split("{", 1)
    return ",".join([f"{scope} {selector}" for selector in selectors.split(",")]) + "{" + body


def svg_rules(theme: str) -> str:
    """The style sheet of a picture; `auto` follows JupyterLab's theme where there is one, else the reader's setting."""
    scope = ".fuse-svg"
    common = f"{scope} text{{font-family:{FONTS}}}{scope} .name{{font-size:13px}}"
    common += f"{scope} .side{{font-size:11px;text-anchor:end}}{scope} .note{{font-size:12px}}"
    if theme != "auto":
        return common + _drawn_rules(theme, scope)
    return (
        f"{common}{_drawn_rules('light', scope)}"
        f"@media (prefers-color-scheme:dark){{{_drawn_rules('dark', scope)}}}"
        f"{_drawn_rules('light', '[data-jp-theme-light=true] ' + scope)}"
        f"{_drawn_rules('dark', '[data-jp-theme-light=false] ' + scope)}"
    )


def page_rules(scope: str) -> str:
    """Colours as variables for a page or fragment around pictures, with the same way of following a theme."""

    def variables(theme: str) -> str:
        colours = THEMES[theme]
        back, text = colours["back"], colours["text"]
        mixed = {
            "line": mix(text, back, 0.14),
            "bar": mix(text, back, 0.025),
            "quiet": mix(text, back, 0.62),
            "track": mix(text, back, 0.09),
        }
        return "".join([f"--{name}:{value};" for name, value in {**colours, **mixed}.items()])

    return (
        f"{scope}{{{variables('light')}}}"
        f"@media (prefers-color-scheme:dark){{{scope}{{{variables('dark')}}}}}"
        f"[data-jp-theme-light=true] {scope}{{{variables('light')}}}"
        f"[data-jp-theme-light=false] {scope}{{{variables('dark')}}}"
    )


def curve(graph: Graph, edge: int) -> str:
    """The SVG path of an edge through its bend points, as js/src/core/curves.ts has it.

    A monotone cubic (Fritsch and Carlson, 1980; slopes as in Steffen, 1990), which never swings past a point.
    """
    layout, down = graph.layout, graph.direction == "TB"
    source, target = graph.drawn_edges[edge].tolist()
    first, last = layout.route_at[edge : edge + 2].tolist()
    bends = layout.route[2 * first : 2 * last].reshape(-1, 2).tolist()
    along, across = (layout.y, layout.x) if down else (layout.x, layout.y)
    half = [BOX_HEIGHT / 2] * 2 if down else [float(graph.drawn_widths[v]) / 2 for v in (source, target)]
    order = 1 if down else 0
    u = [float(along[source]) + half[0], *[p[order] for p in bends], float(along[target]) - half[1]]
    v = [float(across[source]), *[p[1 - order] for p in bends], float(across[target])]
    slopes = _slopes(u, v)
    share = 0.5 if len(u) == 2 else 1 / 3
    path = ["M" + _point(u[0], v[0], down)]
    for k, (a, b) in enumerate(pairwise(u)):
        step = b - a
        if v[k] == v[k + 1] and not slopes[k] and not slopes[k + 1]:
            path.append("L" + _point(b, v[k + 1], down))
            continue
        reach = step * share if step > 0 else max(12.0, -step * share)
        out, into = (slopes[k], slopes[k + 1]) if step > 0 else (0.0, 0.0)
        one = _point(a + reach, v[k] + out * reach, down)
        two = _point(b - reach, v[k + 1] - into * reach, down)
        path.append(f"C{one} {two} {_point(b, v[k + 1], down)}")
    return "".join(path)


def _point(u: float, v: float, down: bool) -> str:
    x, y = (v, u) if down else (u, v)
    return f"{x:.4g},{y:.4g}" if max(abs(x), abs(y)) < 1000 else f"{round(x, 1):g},{round(y, 1):g}"


def _slopes(u: list[float], v: list[float]) -> list[float]:
    slopes = [0.0] * len(u)
    for k in range(1, len(u) - 1):
        before, after = u[k] - u[k - 1], u[k + 1] - u[k]
        if before <= 0 or after <= 0:
            continue
        s0, s1 = (v[k] - v[k - 1]) / before, (v[k + 1] - v[k]) / after
        if s0 * s1 > 0:
            mean = (s0 * after + s1 * before) / (before + after)
            slopes[k] = float(np.sign(s0)) * 2 * min(abs(s0), abs(s1), abs(mean) / 2)
    return slopes
