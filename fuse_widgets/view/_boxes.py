"""A box that stands for several nodes, in a picture without a browser half; js/src/view/boxes.ts draws the same."""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.states import NodeState
from . import _look as look
from ._text import escaped, one_line, shorten
from .graph import BOX_HEIGHT, Graph
from .layout import text_width

__all__ = ["SHEET", "box_svg", "overall"]

_CODES = {str(state): state.code for state in NodeState}
#: The state of a box is the first of these that one of its nodes has: what is not done, and what matters most, first.
_RANK = [
    _CODES[name]
    for name in ("failed", "running", "paused", "queued", "pending", "cancelled", "skipped", "done", "cached")
]
#: From left to right in the bar; what is not there is still to come.
_BAR = [_CODES[name] for name in ("cached", "done", "running", "paused", "failed", "skipped", "cancelled")]
#: How far the sheet behind a box shows above it, and how much narrower it is on each side.
SHEET = 4
#: From the left edge: middle of the state's disc, start of the label; room at the end, and around the count.
DISC, LABEL, END, AROUND = 15.0, 31.0, 7.0, 6.0


def overall(counts: Sequence[int]) -> int:
    """The code of the state that stands for all nodes of a box."""
    return next((code for code in _RANK if counts[code]), 0)


def _segments(counts: Sequence[int], room: float, least: float = 3.0) -> list[tuple[int, float]]:
    """States in the bar and their lengths: by their shares, but none too short to be seen."""
    total = sum(counts)
    found = [(code, max(least, room * counts[code] / total)) for code in _BAR if counts[code]]
    rest = total - sum([counts[code] for code, _ in found])
    whole = sum([length for _, length in found])
    share = min(1.0, (room - (least if rest else 0)) / whole) if found else 1.0
    return [(code, length * share) for code, length in found]


def box_svg(graph: Graph, i: int, counts: Sequence[int]) -> str:
    """Box `i` of what is drawn, with the numbers of its nodes in each state.

    Args:
        graph: The graph and its layout.
        i: Its number, n or more.
        counts: How many of its nodes are in each state, by code.
    """
    box = graph.boxes[i - len(graph)]
    size, code = len(box.members), overall(counts)
    width, state = float(graph.drawn_widths[i]), look.STATES[code]
    x, y = float(graph.layout.x[i]) - width / 2, float(graph.layout.y[i])
    badge = f"\N{MULTIPLICATION SIGN}{size}"
    wide = text_width(badge, 11) + 2 * AROUND
    label = shorten(one_line(box.label) or "(no name)", width - LABEL - END - wide - 8, 13)
    told = ", ".join([f"{n} {name}" for name, n in zip(look.STATES, counts, strict=True) if n])
    top = 0.5 - BOX_HEIGHT / 2
    tall = BOX_HEIGHT - 1
    out = [
        f'<g class="box" transform="translate({x:.1f},{y:.1f})">'
        f"<title>{escaped(f'{box.label[:2000]}: {size} nodes')}\n{told}</title>",
        f'<rect class="s{code}" x="{SHEET}" y="{top - SHEET:g}" width="{width - 2 * SHEET:g}" height="{tall:g}" rx="7"/>'
        f'<rect class="back" x=".5" y="{top:g}" width="{width - 1:g}" height="{tall:g}" rx="7"/>'
        f'<rect class="s{code}" x=".5" y="{top:g}" width="{width - 1:g}" height="{tall:g}" rx="7"/>',
        f'<circle class="d{code}" cx="{DISC:g}" cy="-2" r="{8 if state in look.HOLLOW else 9}"/>',
    ]
    if state in look.MARKS:
        out.append(f'<path class="m{code}" transform="translate({DISC:g},-2)" d="{look.MARKS[state][0]}"/>')
    out.append(f'<text class="name" x="{LABEL:g}" y="2.6">{escaped(label)}</text>')
    out.append(f'<text class="side" x="{width - END - AROUND:.1f}" y="2">{badge}</text>')
    start, room = 7.0, width - 14
    out.append(f'<rect class="track" x="{start:g}" y="10" width="{room:g}" height="3"/>')
    for part, length in _segments(counts, room):
        out.append(f'<rect class="p{part}" x="{start:.1f}" y="10" width="{length:.1f}" height="3"/>')
        start += length
    return "".join(out) + "</g>"
