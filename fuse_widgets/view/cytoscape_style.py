"""What a workflow looks like in cytoscape.js: a style sheet in the colours of our own view, and the data of nodes.

The style depends on data and classes alone, so that a change of state or of a search touches no style.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from . import _look
from ._look import HOLLOW, MARKS, STATES, THEMES, mix
from ._text import escaped, one_line, shorten
from .graph import BOX_HEIGHT, Direction, Graph, displayable
from .layout import box_widths

__all__ = ["DIMMED", "MATCH", "node_data", "style_sheet"]

#: Classes of nodes while there is a search: what it matches, and the rest.
MATCH, DIMMED = "match", "dimmed"

#: The ring of what a search matches, as --fuse-match of style.css.
_RING = "#c78800"
_DISC = 18.0
#: Pixels beside the name: disc, padding.
_BESIDE = 52.0
_WIDEST = 264.0
_LEFT = 7.0
_FAINT, _FAINT_TEXT = 0.36, 0.5
_KINDS = ("function", "constructor", "method")

Rule = dict[str, Any]


def style_sheet(direction: Direction | None) -> list[Rule]:
    """The style of a workflow's graph, for a white background, which ipycytoscape has in every theme.

    Args:
        direction: How the graph is laid out, so that edges leave and enter boxes on the right sides; None where it has no
            direction.
    """
    colours = THEMES["light"]
    back = colours["back"]
    edge = mix(colours["edge"], back, 0.52)
    rules = [
        _rule(
            "node[state]",
            {
                "shape": "round-rectangle",
                "width": "data(width)",
                "height": BOX_HEIGHT,
                "label": "data(label)",
                "color": colours["text"],
                "font-family": _look.FONTS.replace("'", ""),
                "font-size": 13,
                "text-halign": "center",
                "text-valign": "center",
                "text-margin-x": (_LEFT + _DISC) / 2,
                "border-width": 1,
                "background-fit": "none",
                "background-width": _DISC,
                "background-height": _DISC,
                "background-position-x": _LEFT,
                "background-position-y": "50%",
                "overlay-opacity": 0,
            },
        ),
        _rule(
            "edge",
            {
                "curve-style": "bezier",
                "width": 1.25,
                "line-color": edge,
                "target-arrow-color": edge,
                "target-arrow-shape": "triangle",
                "arrow-scale": 0.8,
            },
        ),
    ]
    if direction is not None:
        out, into = ("90deg", "270deg") if direction == "LR" else ("180deg", "0deg")
        rules.append(_rule("edge.directed", {"source-endpoint": out, "target-endpoint": into}))
    for state in STATES:
        rules.append(_rule(f"node[state = '{state}']", _box(state, 1.0)))
        rules.append(_rule(f"node.{DIMMED}[state = '{state}']", _box(state, _FAINT)))
    rules += [
        _rule(f"node.{DIMMED}", {"color": mix(colours["text"], back, _FAINT_TEXT)}),
        _rule(f"node.{MATCH}", {"border-color": _RING, "border-width": 2.5}),
        _rule("node[state]:selected", {"border-color": colours["accent"], "border-width": 3}),
        _rule("core", {"selection-box-color": colours["accent"], "selection-box-opacity": 0.1}),
    ]
    return rules


def _rule(selector: str, style: Rule) -> Rule:
    return {"selector": selector, "style": style}


def _box(state: str, share: float) -> Rule:
    """Colours and disc of a state; a share under 1 brings them nearer to the background."""
    back = THEMES["light"]["back"]
    strong = mix(THEMES["light"][state], back, share)
    hollow = state in ("pending", "queued")
    return {
        "background-color": mix(strong, back, 0.05 if hollow else 0.13),
        "border-color": mix(strong, back, 0.5 if hollow else 0.45),
        "border-style": "dashed" if state == "skipped" else "solid",
        "background-image": f"data:image/svg+xml;utf8,{quote(_disc(state, strong))}",
    }


def _disc(state: str, colour: str) -> str:
    ring = state in HOLLOW
    disc = f'fill="none" stroke="{colour}" stroke-width="1.5" r="8"' if ring else f'fill="{colour}" r="9"'
    size = f'width="{2 * _DISC:g}" height="{2 * _DISC:g}" viewBox="-9 -9 18 18"'  # twice as many pixels, for sharp screens
    mark = ""
    if state in MARKS:
        path, filled = MARKS[state]
        on_disc = colour if ring else THEMES["light"]["on-state"]
        paint = (
            f'fill="{on_disc}"' if filled else f'fill="none" stroke="{on_disc}" stroke-width="1.8"'
        ) + ' stroke-linecap="round" stroke-linejoin="round"'
        mark = f'<path d="{path}" {paint}/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><circle {disc}/>{mark}</svg>'


def node_data(graph: Graph) -> list[dict[str, Any]]:
    """What the style and a user's own style can refer to, for each node, without id and state.

    Names come from anywhere, and ipycytoscape shows a `tooltip` as HTML: it is escaped, and is there for names that the
    label does not show in full.
    """
    widths = box_widths(graph.names, extra=_BESIDE, minimum=72.0, maximum=_WIDEST)
    rows = []
    for i, name in enumerate(graph.names):
        width = round(float(widths[i]), 1)
        whole = one_line(displayable(name)) or "(no name)"
        label = shorten(whole, width - _BESIDE + 8, 13)
        rows.append(
            {
                "name": displayable(name),
                "label": label,
                "function": displayable(graph.functions[int(graph.function[i])]),
                "kind": _KINDS[int(graph.kind[i])],
                "width": width,
                "tooltip": "" if label == displayable(name) else escaped(whole),
            }
        )
    return rows
