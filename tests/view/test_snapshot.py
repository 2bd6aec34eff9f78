"""Pictures without a kernel: what they show, that they are well-formed, safe and bounded."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets.view import _look, _text
from fuse_widgets.view.graph import BOX_HEIGHT, Graph
from fuse_widgets.view.layout import box_widths, text_width
from fuse_widgets.view.snapshot import render_fragment, render_html, render_svg
from fuse_widgets.view.state import StatusColumns

SVG = "{http://www.w3.org/2000/svg}"
STATES = ["pending", "queued", "running", "paused", "done", "cached", "failed", "skipped", "cancelled"]
JS = Path(__file__).parents[2] / "js" / "src" / "view"


def make(
    names: Sequence[str],
    edges: Sequence[tuple[int, int]] = (),
    *,
    direction: str = "LR",
    title: str = "classifiers",
    kind: Sequence[int] | None = None,
) -> tuple[Graph, StatusColumns]:
    widths = box_widths(names)
    pairs = np.array(edges, np.uint32).reshape(-1, 2)
    graph = Graph(
        title=title,
        names=tuple(names),
        functions=("f",),
        function=np.zeros(len(names), np.uint32),
        kind=np.array(kind or [0] * len(names), np.uint8),
        edges=pairs,
        widths=widths,
        direction=direction,
    )
    return graph, StatusColumns([f"{i} {name}" for i, name in enumerate(names)])


def nodes_of(svg: str) -> list[ET.Element]:
    return [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "node"]


def texts(node: ET.Element, kind: str) -> list[str | None]:
    return [t.text for t in node.iter(f"{SVG}text") if t.get("class") == kind]


class Tags(HTMLParser):
    """Tags and attributes of a page, and whether each element that begins also ends."""

    VOID = {"meta", "br", "img", "input", "link"}  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


# -- one picture --------------------------------------------------------------------------------------


def test_a_box_shows_state_name_and_time_where_the_layout_put_it():
    graph, status = make(["load", "fit", "table"], [(0, 1), (1, 2)], kind=[0, 1, 2])
    status.state[:] = [5, 4, 6]
    status.seconds[:] = [np.nan, 0.314, 2.0]
    status.errors[2] = {"type": "ValueError", "message": "x < 1", "root": None}
    load, fit, table = nodes_of(render_svg(graph, status))
    assert [texts(n, "name") for n in (load, fit, table)] == [["load"], ["fit"], ["table"]]
    assert [texts(n, "side") for n in (load, fit, table)] == [["cached"], ["0.31 s"], ["2.00 s"]]
    assert load.find(f"{SVG}title").text == "load\ncached"
    assert table.find(f"{SVG}title").text == "table\nfailed · 2.00 s\nValueError: x < 1"
    for i, (node, code) in enumerate(zip((load, fit, table), (5, 4, 6), strict=True)):
        left, middle = (float(v) for v in re.findall(r"-?[\d.]+", node.get("transform")))
        assert left == pytest.approx(graph.layout.x[i] - graph.widths[i] / 2, abs=0.06)
        assert middle == pytest.approx(graph.layout.y[i], abs=0.06)
        assert node.find(f"{SVG}rect").get("class") == f"s{code}"
        assert node.find(f"{SVG}circle").get("class") == f"d{code}"
        mark, kind = node.findall(f"{SVG}path")
        assert mark.get("d") == _look.MARKS[STATES[code]][0]
        assert kind.get("d") == _look.KINDS[i]


def test_every_state_has_a_look_of_its_own():
    graph, status = make(STATES)
    status.state[:] = range(9)
    nodes = nodes_of(render_svg(graph, status))
    looks = {
        (n.find(f"{SVG}rect").get("class"), tuple(p.get("d") for p in n.findall(f"{SVG}path"))) for n in nodes
    }
    assert len(looks) == 9


def test_a_running_node_tells_how_long_it_has_run():
    graph, status = make(["fit"])
    status.state[0], status.begin[0] = 2, 1.0
    status.started = time.time() - 4.2
    (node,) = nodes_of(render_svg(graph, status))
    assert re.fullmatch(r"3\.[2-9] s", texts(node, "side")[0])


def test_a_skipped_node_names_what_failed():
    graph, status = make(["table"])
    status.state[0] = 7
    status.errors[0] = {"type": "KeyError", "message": "'x'", "root": "fit"}
    (node,) = nodes_of(render_svg(graph, status))
    assert node.find(f"{SVG}title").text == "table\nskipped\nbecause fit failed: KeyError: 'x'"


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_an_edge_runs_from_border_to_border_along_the_direction(direction):
    graph, status = make(["a", "b"], [(0, 1)], direction=direction)
    root = ET.fromstring(render_svg(graph, status))
    line = next(p for p in root.iter(f"{SVG}path") if p.get("class") == "edges")
    head = next(p for p in root.iter(f"{SVG}path") if p.get("class") == "heads")
    x, y, w = graph.layout.x, graph.layout.y, graph.widths
    points = [float(v) for v in re.findall(r"-?[\d.]+", line.get("d"))]
    tip = [float(v) for v in re.findall(r"-?[\d.]+", head.get("d"))][:2]
    if direction == "LR":
        assert points == pytest.approx([x[0] + w[0] / 2, y[0], x[1] - w[1] / 2, y[1]])
    else:
        assert points == pytest.approx([x[0], y[0] + BOX_HEIGHT / 2, x[1], y[1] - BOX_HEIGHT / 2])
    assert tip == pytest.approx(points[-2:])


def test_a_bent_edge_stays_between_its_points():
    names = [f"step {i}" for i in range(6)]
    graph, _ = make(names, [*((i, i + 1) for i in range(5)), (0, 5), (1, 4)])
    for edge in range(len(graph.edges)):
        numbers = [float(v) for v in re.findall(r"-?[\d.]+", _look.curve(graph, edge))]
        assert min(numbers[1::2]) >= 0
        assert max(numbers[1::2]) <= graph.layout.height
        assert numbers[::2] == sorted(numbers[::2])


def test_long_names_lose_their_middle_and_keep_it_in_the_title():
    name = "moons, " + "neural network with two hidden layers, " * 3 + "seed 17"
    graph, status = make([name])
    (node,) = nodes_of(render_svg(graph, status))
    (label,) = texts(node, "name")
    assert label.startswith("moons, ")
    assert "…" in label
    assert label.endswith("seed 17")
    assert text_width(label) <= graph.widths[0] - 48
    assert node.find(f"{SVG}title").text.startswith(name)


@pytest.mark.parametrize(
    ("theme", "back", "other"), [("light", "#ffffff", "#111418"), ("dark", "#111418", "#ffffff}")]
)
def test_a_theme_that_was_asked_for_is_the_only_one(theme, back, other):
    svg = render_svg(*make(["a"]), theme=theme)
    assert f".back{{fill:{back}}}" in svg
    assert f".back{{fill:{other}" not in svg
    assert "@media" not in svg


def test_auto_follows_jupyterlab_before_the_reader():
    svg = render_svg(*make(["a"]))
    plain, media, light, dark = re.findall(r"([^}]*?)\.back\{fill:(#\w+)\}", svg)
    assert (plain[1], media[1], light[1], dark[1]) == ("#ffffff", "#111418", "#ffffff", "#111418")
    assert "prefers-color-scheme:dark" in media[0]
    assert "[data-jp-theme-light=true]" in light[0]
    assert "[data-jp-theme-light=false]" in dark[0]


def test_an_unknown_theme_is_refused_in_words():
    with pytest.raises(ValueError, match="theme is 'solarized'; it must be 'auto', 'light' or 'dark'"):
        render_svg(*make(["a"]), theme="solarized")


def test_a_workflow_without_nodes_says_so():
    svg = render_svg(*make([]))
    assert [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")] == ["This workflow has no nodes."]
    assert "0 nodes" in render_html(*make([]))


# -- texts that are not meant well --------------------------------------------------------------------

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]></style></svg>",
    "a\x00b\x1bc\ufffe\ud800",
    "two\nlines\tand &amp; &lt;",
    "\u202eevil\u2066",
    "",
    "数据 👩‍🔬 e\u0301",
    "x" * 10_000,
]


def test_nasty_names_are_shown_as_text():
    graph, status = make(NASTY, [(0, 1), (1, 2)], title=NASTY[0])
    status.state[:] = 6
    for i, text in enumerate(NASTY):
        status.errors[i] = {"type": text, "message": text, "root": None}
        status.notes[i] = text
    svg = render_svg(graph, status)
    nodes = nodes_of(svg)
    assert texts(nodes[0], "name") == ["<script>alert(1)</script>"]
    assert texts(nodes[3], "name") == ["a b c\ufffe".replace("\ufffe", "\ufffd")]
    assert texts(nodes[4], "name") == ["two lines and &amp; &lt;"]
    assert texts(nodes[5], "name") == ["evil"]
    assert texts(nodes[6], "name") == ["(no name)"]
    assert {e.tag.removeprefix(SVG) for e in ET.fromstring(svg).iter()} <= {
        *("svg", "title", "style", "rect", "path", "g", "circle", "text")
    }
    for page in (render_html(graph, status), render_fragment(graph, status)):
        page.encode()
        tags = Tags(page)
        assert not tags.open
        assert not {"script", "img", "a", "iframe", "object", "link"} & set(tags.tags)
        assert not [name for name, _ in tags.attributes if name.startswith("on") or name in ("href", "src")]
        assert len(page) < 200_000


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(), max_size=40), max_size=4), st.text(st.characters(), max_size=20))
def test_any_text_leaves_the_svg_well_formed(names, title):
    graph, status = make(names, title=title)
    svg = render_svg(graph, status)
    svg.encode()
    assert len(nodes_of(svg)) == len(names)
    assert not Tags(render_fragment(graph, status)).open


# -- page and fragment --------------------------------------------------------------------------------


def finished() -> tuple[Graph, StatusColumns]:
    graph, status = make(["load", "fit", "score", "table"], [(0, 1), (1, 2), (2, 3)])
    status.state[:] = [5, 4, 6, 7]
    status.seconds[1:3] = [1.25, 0.02]
    status.attempt[1:3] = [1, 3]
    status.started, status.ended, status.run_state = 1000.0, 1006.13, "failed"
    status.errors[2] = {"type": "ValueError", "message": "no data", "root": None}
    status.errors[3] = {"type": "ValueError", "message": "no data", "root": "score"}
    status.notes[1] = "ran because: argument C changed"
    return graph, status


def test_the_page_has_counts_elapsed_time_and_a_row_for_each_node():
    graph, status = finished()
    page = render_html(graph, status)
    assert "2 of 4 · 1 cached · 1 failed · 1 skipped · 6.13 s" in page
    assert "<title>classifiers</title>" in page
    assert "<title>report</title>" in render_html(graph, status, title="report")
    rows = []
    for row in re.findall(r"<tr data-state=.*?</tr>", page):
        cells = re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)
        rows.append(tuple(re.sub(r"<svg.*?</svg>", "", cell) for cell in cells))
    assert rows == [
        ("load", "cached", "", "", ""),
        ("fit", "done", "1.25 s", "1", "ran because: argument C changed"),
        ("score", "failed", "20 ms", "3", "ValueError: no data"),
        ("table", "skipped", "", "", "because score failed: ValueError: no data"),
    ]


def test_the_page_needs_nothing_beside_it():
    page = render_html(*finished())
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "url(" not in page
    assert "@import" not in page


def test_a_fragment_keeps_its_rules_to_itself():
    fragment = render_fragment(*finished())
    for sheet in re.findall(r"<style>(.*?)</style>", fragment, re.DOTALL):
        flat = re.sub(r"@media [^{]*\{", "", sheet)
        for selectors in re.findall(r"([^{}]+)\{[^}]*\}", flat):
            for selector in selectors.split(","):
                assert re.match(r"\s*(\[data-jp-theme-light=\w+\] )?\.fuse-(svg|shot)", selector), selector


def test_a_fragment_says_that_a_run_was_stopped():
    graph, status = finished()
    status.run_state = "cancelled"
    status.state[2:] = [8, 0]
    told = "stopped · 2 of 4 · 1 cached · 1 cancelled · 6.13 s"
    assert f'<span class="fuse-quiet">{told}</span>' in render_fragment(graph, status)


def test_a_fragment_shows_the_first_error():
    assert '<div class="fuse-error">score: ValueError: no data</div>' in render_fragment(*finished())


def wide(n: int) -> tuple[Graph, StatusColumns]:
    return make([f"node number {i}" for i in range(n)], [(i // 3, i) for i in range(1, n)])


def test_a_fragment_with_a_hundred_nodes_has_all_their_names():
    fragment = render_fragment(*wide(100))
    assert fragment.count('class="node"') == 100
    assert "Too large" not in fragment


@pytest.mark.parametrize(
    ("nodes", "told"), [(1500, "with names here."), (6000, "with names and edges here.")]
)
def test_a_fragment_of_a_large_graph_is_bounded_and_shows_every_node(nodes, told):
    fragment = render_fragment(*wide(nodes))
    assert len(fragment.encode()) <= 256 * 1024
    assert f"Too large to be drawn {told}" in fragment
    assert fragment.count("v32h-") == nodes


def test_a_fragment_says_how_many_nodes_were_left_out():
    fragment = render_fragment(*wide(2000), limit=40_000)
    left_out = int(re.search(r"; (\d+) of 2000 nodes were left out", fragment).group(1))
    assert 0 < left_out < 2000
    assert fragment.count("v32h-") == 2000 - left_out
    assert len(fragment.encode()) <= 40_000


def test_an_svg_of_more_nodes_than_asked_for_has_no_names():
    graph, status = wide(50)
    status.state[:20] = 4
    root = ET.fromstring(render_svg(graph, status, max_nodes=49))
    blocks = {p.get("class"): p.get("d").count("M") for p in root.iter(f"{SVG}path")}
    assert (blocks["p0"], blocks["p4"]) == (30, 20)
    assert not list(root.iter(f"{SVG}text"))


# -- the same as in the browser -----------------------------------------------------------------------


def test_colours_and_marks_are_those_of_the_browser_half():
    css = (JS / "style.css").read_text()
    light, dark = re.findall(r"\.fuse-widget(?:\[[^\]]*\])? \{(.*?)\}", css, re.DOTALL)[:2]
    for rules, theme in ((light, "light"), (dark, "dark")):
        for state in [*STATES, "accent", "on-state"]:
            assert re.search(rf"--fuse-{state}: (#\w+);", rules).group(1) == _look.THEMES[theme][state]
    icons = re.sub(r"\s+", " ", (JS / "icons.ts").read_text())
    for path in [*(mark for mark, _ in _look.MARKS.values()), *_look.KINDS]:
        assert f'"{path}"' in icons


@pytest.mark.parametrize(
    ("seconds", "running", "text"),
    [
        (None, False, ""),
        (float("nan"), False, ""),
        (0.0, False, "<1 ms"),
        (0.0007, False, "<1 ms"),
        (0.001, False, "1 ms"),
        (0.0123, False, "12 ms"),
        (0.314, False, "0.31 s"),
        (12.34, False, "12.3 s"),
        (3.14, True, "3.1 s"),
        (59.97, False, "1:00 min"),
        (125.0, True, "2:05 min"),
        (3720.0, False, "1:02 h"),
    ],
)
def test_durations_read_as_in_the_browser(seconds, running, text):
    assert _text.duration(seconds, running=running) == text


def test_a_picture_with_a_very_short_time_is_well_formed():
    graph, status = finished()
    status.seconds[1] = 0.0004
    assert texts(nodes_of(render_svg(graph, status))[1], "side") == ["<1 ms"]
    assert '<td class="fuse-number">&lt;1 ms</td>' in render_html(graph, status)


def test_a_shortened_text_keeps_its_end_and_no_loose_accents():
    assert _text.shorten("short", 100, 13) == "short"
    short = _text.shorten("e\u0301" * 60, 120, 13)
    start, end = short.split("…")
    assert start.count("e") <= end.count("e")
    assert end[0] == "e"
    assert text_width(short) <= 120
