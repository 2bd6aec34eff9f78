"""What a person does in a widget of 5,000 nodes, beside a bare message to the kernel and back, in a real JupyterLab.

Run with `python -m tests.benchmarks.interaction_vs_bare_comm`. All of it is measured in one page: from the event of mouse or
keyboard to the first frame that shows what came of it.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, WebSocket

from tests.benchmarks.table import Row, main_of
from tests.browser.lab import Dag, Lab, Notebook, chromium

NODES, TIMES = 5000, 25
GRAPH = f"""
import random, time
import anywidget, traitlets
from fuse_widgets import DAGWidget, LocalWorkflow, workflow

@workflow
def step(*inputs):
    "Pass something on."
    return len(inputs)

draw, nodes = random.Random(1), []
for i in range({NODES}):
    inputs = draw.sample(nodes[-200:], min(len(nodes), draw.randint(1, 3)))
    nodes.append(step(*inputs).set_name(f"node {{i:04}}"))
wf = LocalWorkflow(*nodes, executor="inline")
widget = DAGWidget(wf, collapsed=[])
widget
"""
#: A message there and back, and nothing else.
BARE = """
class Echo(anywidget.AnyWidget):
    _esm = '''export default { render({ model, el }) {
      el.textContent = "echo"; el.className = "echo";
      el.ask = () => new Promise((answer) => {
        model.on("msg:custom", function once() { model.off("msg:custom", once); answer(); });
        model.send({});
      });
    } };'''

echo = Echo()
echo.on_msg(lambda widget, content, buffers: widget.send({}))
echo
"""
#: How long from an event of a type to the first frame in which a condition over the root element holds, in ms.
MEASURE = """
([root, type, condition]) => {
  const holds = new Function("root", "d", `return ${condition};`);
  window.measured = new Promise((resolve) => {
    addEventListener(type, (event) => {
      const begin = event.timeStamp;
      const look = () => {
        if (holds(root, root.dataset)) setTimeout(() => resolve(performance.now() - begin), 0);
        else if (performance.now() - begin > 20000) resolve(20000);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
}
"""
#: The inspector shows what belongs to the present selection.
SETTLED = "root.querySelector('.fuse-tabarea')?.getAttribute('aria-busy') === 'false'"
#: Keeps the longest time between two frames.
WATCH_FRAMES = """
() => {
  let last = performance.now();
  window.longest = 0;
  window.watching = true;
  const look = (now) => {
    window.longest = Math.max(window.longest, now - last);
    last = now;
    if (window.watching) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
"""


def measure() -> list[Row]:
    """Measure everything; one row for each bound."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        lab = Lab(Path(folder))
        try:
            return list(session(lab, browser))
        finally:
            lab.stop_kernels()
            lab.stop()


def session(lab: Lab, browser: Browser) -> Iterator[Row]:
    """One session with a graph of 5,000 nodes."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    traffic = Traffic(page)
    book = Notebook(lab, page, [GRAPH, BARE, "wf.start();"])
    book.run(0, 1)
    dag = book.dag()
    dag.wait(f"+d.fuseNodes === {NODES} && +d.fusePainted > 0")
    bare = statistics.median(
        page.evaluate(
            """async (times) => {
              const took = [];
              const echo = document.querySelector(".echo");
              for (let i = 0; i < times; i++) {
                const begin = performance.now();
                await echo.ask();
                await new Promise(requestAnimationFrame);
                took.push(performance.now() - begin);
              }
              return took;
            }""",
            TIMES,
        )
    )
    yield Row("a bare message there and back, to the next frame (ms)", bare)

    search = dag.button("search")
    search.click()
    keys = []
    for i in range(TIMES):
        pattern = f"node 0{i % 10}."
        search.fill(pattern)
        dag.wait("+d.fuseMatches === 0")
        keys.append(
            timed(
                dag,
                "keydown",
                "+d.fuseMatches === 100",
                lambda: page.keyboard.press("."),
                then="+d.fuseMatches === 0",
            )
        )
    yield from rows("key to highlighted matches, 5,000 nodes, median", keys, bare)
    search.fill("")

    dag.button("fit").click()
    names = [f"node {i:04}" for i in range(0, NODES, NODES // TIMES)]
    clicks = []
    for name in names:
        at = dag.centre(name)
        shows = f"{SETTLED} && root.querySelector('.fuse-inspector').textContent.includes({json.dumps(name)})"
        clicks.append(timed(dag, "pointerdown", shows, lambda at=at: page.mouse.click(at["x"], at["y"])))
    yield from rows("click to painted inspector, 5,000 nodes, median", clicks[1:], bare)

    search.fill("node [1]...")
    dag.wait("+d.fuseMatches === 1000")
    with traffic.counted() as counts:
        dag.button("select-matches").click()
        dag.wait("+d.fuseSelected === 1000")
        dag.page.wait_for_function(f"root => {SETTLED}", arg=dag.root.element_handle())
    yield Row("messages to the kernel to select 1,000 nodes", counts["sent"], 1)
    yield Row("messages back", counts["received"], 1)
    field = dag.root.locator("input[data-fuse-field='retries']")
    dag.root.get_by_role("tab", name="backend_info").click()
    field.fill("2")
    with traffic.counted() as counts:
        took = timed(dag, "keydown", "+d.fuseChanged === 1000", lambda: page.keyboard.press("Enter"))
    yield Row("edit of a field of 1,000 nodes, to painted badges (ms)", took)
    yield Row("messages to the kernel to edit it", counts["sent"], 1)
    yield Row("messages back", counts["received"], 1)
    search.fill("")

    quiet = longest_frame(dag, run=lambda: None)
    busy = longest_frame(dag, run=lambda: book.start(2))
    yield Row("longest frame while panning, selecting, typing (ms)", quiet)
    yield Row("the same while 5,000 nodes run (ms)", busy)
    yield Row("how much longer (ms)", busy - quiet, 200)


def rows(name: str, took: list[float], bare: float) -> Iterator[Row]:
    median = statistics.median(took)
    yield Row(f"{name} (ms)", median, 100)
    yield Row(f"{name} / bare message", median / bare)


def timed(dag: Dag, event: str, condition: str, act: Callable[[], Any], then: str = "") -> float:
    """Milliseconds from an event to the first frame in which the condition holds."""
    page = dag.page
    page.evaluate(MEASURE, [dag.root.element_handle(), event, condition])
    act()
    took: float = page.evaluate("() => window.measured")
    return took


def longest_frame(dag: Dag, *, run: Callable[[], Any]) -> float:
    """The longest time between two frames while somebody pans, selects and types, in ms."""
    page = dag.page
    before = dag.number("done")
    page.evaluate(WATCH_FRAMES)
    run()
    box = dag.root.locator(".fuse-stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for turn in range(6):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 120, y + 40, steps=8)
        page.mouse.move(x, y, steps=8)
        page.mouse.up()
        dag.click(f"node {turn * 700:04}")
        dag.button("search").click()
        page.keyboard.type(f"node {turn}.*", delay=15)
        page.keyboard.press("Escape")
    if before == 0 and dag.number("done"):
        dag.wait(f"+d.fuseDone === {NODES}")
    longest: float = page.evaluate("() => { window.watching = false; return window.longest; }")
    return longest


class Traffic:
    """Counts the messages on comms between page and kernel."""

    def __init__(self, page: Page) -> None:
        self._counts = {"sent": 0, "received": 0}
        page.on("websocket", self._follow)

    @contextmanager
    def counted(self) -> Iterator[dict[str, int]]:
        """What goes each way until the block is left."""
        self._counts.update(sent=0, received=0)
        yield self._counts

    def _follow(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda data: self._count("sent", data))
        socket.on("framereceived", lambda data: self._count("received", data))

    def _count(self, way: str, data: Any) -> None:
        payload = data if isinstance(data, bytes | str) else data.get("payload", b"")
        raw = payload if isinstance(payload, bytes) else payload.encode()
        kind = re.search(
            rb'"msg_type": ?"(\w+)"', raw
        )  # the first is the message's own, the next its parent's
        # What ipywidgets echoes for other browsers is no answer.
        if kind is not None and kind[1] == b"comm_msg" and b"echo_update" not in raw:
            self._counts[way] += 1


if __name__ == "__main__":
    main_of(measure)
