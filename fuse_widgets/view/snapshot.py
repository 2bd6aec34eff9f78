"""Pictures of a workflow that need neither a kernel nor scripts: SVG, an HTML page, a fragment for a notebook's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import _look as look
from ._boxes import SHEET, box_svg, overall
from ._text import duration, escaped, one_line, shorten
from .graph import BOX_HEIGHT, Graph
from .layout import text_width
from .state import StatusColumns

__all__ = ["FRAGMENT_LIMIT", "render_fragment", "render_html", "render_svg"]

Theme = Literal["auto", "light", "dark"]
#: Largest fragment for a notebook's output, in bytes of UTF-8.
FRAGMENT_LIMIT = 256 * 1024
#: Graphs with more nodes are drawn as coloured boxes without names.
MOST_NAMED = 2000
MARGIN = 16.0
#: From the left edge of a box: middle of the state's disc, of the kind's mark, start of the name; room at its end.
DISC, KIND, NAME, END = 15.0, 31.0, 39.0, 9.0
CACHED, FAILED, RUNNING, SKIPPED = (look.STATES.index(s) for s in ("cached", "failed", "running", "skipped"))


@dataclass(frozen=True)
class _Status:
    """A copy of the columns at one moment."""

    state: NDArray[np.uint8]
    attempt: NDArray[np.uint16]
    seconds: list[float]
    errors: dict[int, dict[str, Any]]
    notes: dict[int, str]
    wire: dict[str, Any]

    @classmethod
    def of(cls, status: StatusColumns) -> _Status:
        wire = status.to_wire()
        state = np.frombuffer(wire["state"], np.uint8)
        seconds = np.frombuffer(wire["seconds"], "<f4").astype(float)
        started, ended, now = wire["started"], wire["ended"], wire["now"]
        if started is not None:
            running = (state == RUNNING) & np.isnan(seconds)  # a result that is being saved has its seconds
            begin = np.frombuffer(wire["begin"], "<f4").astype(float)
            seconds[running] = (ended or now) - started - begin[running]
        return cls(
            state,
            np.frombuffer(wire["attempt"], "<u2"),
            seconds.tolist(),
            {int(i): error for i, error in wire["errors"].items()},
            {int(i): note for i, note in wire["notes"].items()},
            wire,
        )

    @property
    def counts(self) -> dict[str, int]:
        counts = np.bincount(self.state, minlength=len(look.STATES)).tolist()
        return {state: n for state, n in zip(look.STATES, counts, strict=True) if n}

    @property
    def elapsed(self) -> float | None:
        started, ended = self.wire["started"], self.wire["ended"]
        return None if started is None else (ended or self.wire["now"]) - started

    def inside(self, graph: Graph) -> list[list[int]]:
        """For each box that stands for several nodes, how many of these are in each state, by code."""
        return [
            np.bincount(self.state[box.members], minlength=len(look.STATES)).tolist() for box in graph.boxes
        ]

    def side(self, i: int) -> str:
        """What stands at the right end of a box."""
        if self.state[i] == CACHED:
            return "cached"
        return duration(self.seconds[i], running=self.state[i] == RUNNING)

    def text(self, i: int) -> str:
        """What is known of a node beyond its state: its error, why it ran, what was not saved."""
        parts = []
        if error := self.errors.get(i):
            message = ": ".join([part for part in (error["type"], error["message"]) if part])
            parts.append(f"because {error['root']} failed: {message}" if error.get("root") else message)
        if note := self.notes.get(i):
            parts.append(note)
        return "\n".join(parts)


def render_svg(
    graph: Graph, status: StatusColumns, *, theme: Theme = "auto", max_nodes: int = MOST_NAMED
) -> str:
    """Draw a graph with the states of its nodes.

    Args:
        graph: The graph and its layout.
        status: The states; read at one moment.
        theme: `"light"`, `"dark"`, or `"auto"`, which follows JupyterLab's theme or the reader's system.
        max_nodes: With more nodes than this, boxes have a colour and no name.

    Returns:
        An SVG document. It holds no scripts and refers to nothing outside.

    Raises:
        ValueError: `theme` is none of the three.
    """
    _check_theme(theme)
    return _svg(graph, _Status.of(status), theme, named=len(graph.drawn) <= max_nodes)


def _check_theme(theme: str) -> None:
    if theme not in ("auto", "light", "dark"):
        raise ValueError(f"theme is {theme!r}; it must be 'auto', 'light' or 'dark'")


def _svg(
    graph: Graph, status: _Status, theme: str, *, named: bool, edges: bool = True, most: int | None = None
) -> str:
    shown = graph.drawn[:most].tolist()
    width, height = max(graph.layout.width, 200.0) + 2 * MARGIN, graph.layout.height + 2 * MARGIN
    label = escaped(_summary(graph, status))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fuse-svg" role="img" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-MARGIN:g} {-MARGIN:g} {width:.1f} {height:.1f}"><title>{label}</title>'
        f"<style>{_sheet(theme)}</style>",
        f'<rect class="back" x="{-MARGIN:g}" y="{-MARGIN:g}" width="{width:.1f}" height="{height:.1f}" rx="8"/>',
    ]
    if edges:
        out.append(_edges(graph, set(shown)))
    inside = status.inside(graph)
    if named:
        n = len(graph)
        out += [_node(graph, status, i) if i < n else box_svg(graph, i, inside[i - n]) for i in shown]
    else:
        out.append(_blocks(graph, [*status.state.tolist(), *map(overall, inside)], shown))
    if not len(graph):
        out.append('<text class="note" x="0" y="0">This workflow has no nodes.</text>')
    out.append("</svg>")
    return "".join(out)


def _sheet(theme: str) -> str:
    """The style sheet as it may stand in XML."""
    return look.svg_rules(theme).replace("&", "&amp;").replace("<", "&lt;")


def _summary(graph: Graph, status: _Status) -> str:
    states = ", ".join([f"{n} {state}" for state, n in status.counts.items()])
    nodes = "1 node" if len(graph) == 1 else f"{len(graph):,} nodes"
    return f"{one_line(graph.title, 80)}: {nodes}{'; ' if states else ''}{states}"


def _edges(graph: Graph, shown: set[int]) -> str:
    kept = [e for e, (a, b) in enumerate(graph.drawn_edges.tolist()) if a in shown and b in shown]
    if not kept:
        return ""
    down = graph.direction == "TB"
    heads = []
    for v in sorted({int(graph.drawn_edges[e, 1]) for e in kept}):
        x, y = float(graph.layout.x[v]), float(graph.layout.y[v])
        if down:
            top = y - BOX_HEIGHT / 2 - (SHEET if v >= len(graph) else 0)
            heads.append(f"M{x:.1f} {top:.1f}l-4-8h8z")
        else:
            heads.append(f"M{x - float(graph.drawn_widths[v]) / 2:.1f} {y:.1f}l-8-4v8z")
    lines = "".join([look.curve(graph, e) for e in kept])
    return f'<path class="edges" d="{lines}"/><path class="heads" d="{"".join(heads)}"/>'


def _blocks(graph: Graph, codes: list[int], shown: list[int]) -> str:
    """All boxes of a state as one path."""
    paths: dict[int, list[str]] = {}
    layout, widths = graph.layout, graph.drawn_widths
    for i in shown:
        left, wide = round(float(layout.x[i] - widths[i] / 2)), round(float(widths[i]))
        top = round(float(layout.y[i]) - BOX_HEIGHT / 2)
        paths.setdefault(codes[i], []).append(f"M{left} {top}h{wide}v{BOX_HEIGHT:g}h-{wide}z")
    return "".join([f'<path class="p{code}" d="{"".join(boxes)}"/>' for code, boxes in sorted(paths.items())])


def _node(graph: Graph, status: _Status, i: int) -> str:
    width, code = float(graph.widths[i]), int(status.state[i])
    state = look.STATES[code]
    name = one_line(graph.names[i]) or "(no name)"
    side = status.side(i)
    room = width - NAME - END - (text_width(side, 11) + 8 if side else 0)
    label = shorten(name, room, 13)
    facts = [graph.names[i][:2000], state if side in ("", state) else f"{state} · {side}"]
    if text := status.text(i):
        facts.append(text)
    x, y = float(graph.layout.x[i]) - width / 2, float(graph.layout.y[i])
    out = [
        f'<g class="node" transform="translate({x:.1f},{y:.1f})"><title>{escaped(chr(10).join(facts))}</title>',
        f'<rect class="s{code}" x=".5" y="{0.5 - BOX_HEIGHT / 2:g}" width="{width - 1:g}" height="{BOX_HEIGHT - 1:g}" rx="7"/>',
        f'<circle class="d{code}" cx="{DISC:g}" r="{8 if state in look.HOLLOW else 9}"/>',
    ]
    if state in look.MARKS:
        out.append(f'<path class="m{code}" transform="translate({DISC:g})" d="{look.MARKS[state][0]}"/>')
    out.append(f'<path class="kind" transform="translate({KIND:g})" d="{look.KINDS[int(graph.kind[i])]}"/>')
    # a face wider than was reckoned with is squeezed rather than let run out of its room
    needed = text_width(label, 13)
    fit = f' textLength="{needed:.1f}" lengthAdjust="spacingAndGlyphs"' if needed > 0.85 * room else ""
    out.append(f'<text class="name" x="{NAME:g}" y="4.6"{fit}>{escaped(label)}</text>')
    if side:
        out.append(f'<text class="side" x="{width - END:g}" y="4">{escaped(side)}</text>')
    if code == RUNNING:
        out.append(
            f'<rect class="d{code}" x="7" y="{BOX_HEIGHT / 2 - 4:g}" width="{width / 2:g}" height="2.5" rx="1.2"/>'
        )
    return "".join(out) + "</g>"


def _progress(graph: Graph, status: _Status) -> str:
    """The line beside the bar, as js/src/core/progress.ts has it."""
    counts, total = status.counts, len(graph)
    if status.wire["started"] is None and counts.get("pending", 0) == total:
        return "1 node" if total == 1 else f"{total:,} nodes"
    halted = {"paused": "paused", "stopping": "stopping", "cancelled": "stopped"}.get(
        status.wire["run_state"]
    )
    parts = [halted] if halted else []
    parts.append(f"{counts.get('done', 0) + counts.get('cached', 0)} of {total}")
    if counts.get("cached"):
        parts.append(f"{counts['cached']} cached")
    parts += [f"{counts[s]} {s}" for s in ("running", "failed", "skipped", "cancelled") if counts.get(s)]
    if elapsed := duration(status.elapsed):
        parts.append(elapsed)
    return " · ".join(parts)


def _bar(status: _Status) -> str:
    order = ("cached", "done", "running", "paused", "failed", "skipped", "cancelled")
    counts = status.counts
    parts = [f'<i style="flex-grow:{counts[s]};background:var(--{s})"></i>' for s in order if counts.get(s)]
    rest = sum([counts.get(s, 0) for s in ("pending", "queued")])
    return f'<span class="fuse-bar">{"".join(parts)}<i style="flex-grow:{rest}"></i></span>'


#: The last two rules: JupyterLab keeps 20 pixels free beside HTML; in a page by nbconvert an empty prompt is narrower than that of the code.
_FRAME = """
.fuse-shot{box-sizing:border-box;color:var(--text);background:var(--back);font:13px/20px FONTS;
border:1px solid var(--line);border-radius:8px;overflow:hidden}
.fuse-shot .fuse-head{display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;padding:8px 16px;
background:var(--bar);border-bottom:1px solid var(--line)}
.fuse-shot .fuse-head b{font-weight:600;overflow-wrap:anywhere}
.fuse-shot .fuse-bar{display:flex;flex:0 1 160px;gap:1px;height:8px;border-radius:4px;overflow:hidden;
background:var(--track)}
.fuse-shot .fuse-bar i{flex:0 1 0}
.fuse-shot .fuse-quiet{color:var(--quiet);font-variant-numeric:tabular-nums}
.fuse-shot .fuse-view{overflow:auto;max-height:720px}
.fuse-shot .fuse-view svg{display:block;height:auto;max-width:100%;margin:0 auto}
.fuse-shot .fuse-wide svg{max-width:none}
.fuse-shot .fuse-error{padding:8px 16px;color:var(--failed);border-top:1px solid var(--line);
overflow-wrap:anywhere;white-space:pre-wrap}
.fuse-shot:is(.jp-RenderedHTMLCommon>*){margin-right:-20px}
.fuse-shot:is(body.jp-Notebook .jp-OutputPrompt:empty+*>*){margin-left:calc(2px + 2*var(--jp-code-padding,5px))}
""".replace("FONTS", look.FONTS)


def _head(graph: Graph, status: _Status, title: str | None, tag: str) -> str:
    name = escaped(one_line(graph.title if title is None else title, 200)) or "workflow"
    return (
        f'<div class="fuse-head"><{tag}>{name}</{tag}>{_bar(status)}'
        f'<span class="fuse-quiet">{escaped(_progress(graph, status))}</span></div>'
    )


def _view(graph: Graph, svg: str) -> str:
    """The picture: made to fit the width, unless names would become too small to read; then it scrolls."""
    wide = " fuse-wide" if graph.layout.width > 1600 else ""
    return f'<div class="fuse-view{wide}">{svg}</div>'


def _first_error(graph: Graph, status: _Status) -> str:
    for i in np.flatnonzero(status.state == FAILED)[:1].tolist():
        text = one_line(f"{one_line(graph.names[i], 80)}: {status.text(i)}", 400)
        return f'<div class="fuse-error">{escaped(text)}</div>'
    return ""


def render_fragment(graph: Graph, status: StatusColumns, *, limit: int = FRAGMENT_LIMIT) -> str:
    """Return the picture as HTML for the output of a notebook's cell, bounded in size.

    Args:
        graph: The graph and its layout.
        status: The states; read at one moment.
        limit: Most bytes of UTF-8. Where the whole does not fit, names go first, then edges, then nodes from
            the end of the graph; the fragment says what was left out.
    """
    now = _Status.of(status)
    count = len(graph.drawn)
    if count * 600 < 2 * limit:
        whole = _fragment(graph, now, _svg(graph, now, "auto", named=True), "")
        if _size(whole) <= limit:
            return whole
    note = "Too large to be drawn with names here."
    if (count + 2 * len(graph.drawn_edges)) * 20 < 2 * limit:
        plain = _fragment(graph, now, _svg(graph, now, "auto", named=False), note)
        if _size(plain) <= limit:
            return plain
    shown = count
    while True:
        left = int(np.bincount(graph.box)[graph.drawn[shown:]].sum())
        note = f"Too large to be drawn with names and edges here; {left} of {len(graph)} nodes were left out."
        if shown == count:
            note = "Too large to be drawn with names and edges here."
        text = _fragment(graph, now, _svg(graph, now, "auto", named=False, edges=False, most=shown), note)
        if _size(text) <= limit or not shown:
            return text
        shown = min(shown * 3 // 4, int(shown * limit / _size(text)))


def _size(text: str) -> int:
    return len(text.encode())


def _fragment(graph: Graph, status: _Status, svg: str, note: str) -> str:
    told = f'<div class="fuse-head fuse-quiet">{escaped(note)}</div>' if note else ""
    rules = look.page_rules(".fuse-shot") + _FRAME
    return (
        f'<div class="fuse-shot"><style>{rules}</style>{_head(graph, status, None, "b")}{told}'
        f"{_view(graph, svg)}{_first_error(graph, status)}</div>"
    )


_PAGE = """
:root{color-scheme:light dark}
body.fuse-page{margin:0;padding:24px;background:var(--back)}
.fuse-page h1{margin:0;font-size:16px;line-height:24px;overflow-wrap:anywhere}
.fuse-page .fuse-view{max-height:none}
.fuse-page .fuse-counts{display:flex;flex-wrap:wrap;gap:4px 16px;margin:0;padding:8px 16px;list-style:none;
border-bottom:1px solid var(--line)}
.fuse-page .fuse-counts svg,.fuse-page td svg{width:18px;height:18px;margin-right:8px;vertical-align:-4px}
.fuse-page table{width:100%;margin-top:24px;border-collapse:collapse;color:var(--text);font:13px/20px FONTS}
.fuse-page th{color:var(--quiet);font-weight:500;text-align:left}
.fuse-page th,.fuse-page td{padding:6px 12px;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
.fuse-page td.fuse-number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.fuse-page td.fuse-state{white-space:nowrap}
.fuse-page td.fuse-text{white-space:pre-wrap;color:var(--quiet)}
.fuse-page td.fuse-text.fuse-bad{color:var(--failed)}
""".replace("FONTS", look.FONTS)


def render_html(graph: Graph, status: StatusColumns, *, title: str | None = None) -> str:
    """Return a page of its own: the picture, counts, and a table of all nodes. It needs nothing beside it.

    Args:
        graph: The graph and its layout.
        status: The states; read at one moment.
        title: Heading of the page; None for the workflow's name.
    """
    now = _Status.of(status)
    heading = one_line(graph.title if title is None else title, 200) or "workflow"
    svg = _svg(graph, now, "auto", named=len(graph.drawn) <= MOST_NAMED)
    counts = "".join([f"<li>{_icon(state)}{n} {state}</li>" for state, n in now.counts.items()])
    rows = "".join([_table_row(graph, now, i) for i in range(len(graph))])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width"/>'
        f"<title>{escaped(heading)}</title><style>{look.page_rules('.fuse-page')}{_FRAME}{_PAGE}</style></head>"
        f'<body class="fuse-page"><main><div class="fuse-shot">{_head(graph, now, title, "h1")}'
        f'<ul class="fuse-counts">{counts}</ul>{_view(graph, svg)}{_first_error(graph, now)}</div>'
        "<table><thead><tr><th>Node</th><th>State</th><th>Time</th><th>Attempts</th><th>Note</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></main></body></html>\n"
    )


def _icon(state: str) -> str:
    code = look.STATES.index(state)
    radius = 8 if state in look.HOLLOW else 9
    mark = f'<path class="m{code}" d="{look.MARKS[state][0]}"/>' if state in look.MARKS else ""
    return f'<svg class="fuse-svg" viewBox="-10 -10 20 20" aria-hidden="true"><circle class="d{code}" r="{radius}"/>{mark}</svg>'


def _table_row(graph: Graph, status: _Status, i: int) -> str:
    code = int(status.state[i])
    state = look.STATES[code]
    bad = " fuse-bad" if code in (FAILED, SKIPPED) else ""
    name = one_line(graph.names[i]) or "(no name)"
    seconds = duration(status.seconds[i], running=code == RUNNING)
    return (
        f'<tr data-state="{state}"><td>{escaped(name)}</td><td class="fuse-state">{_icon(state)}{state}</td>'
        f'<td class="fuse-number">{escaped(seconds)}</td>'
        f'<td class="fuse-number">{int(status.attempt[i]) or ""}</td>'
        f'<td class="fuse-text{bad}">{escaped(status.text(i))}</td></tr>'
    )
