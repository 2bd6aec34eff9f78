"""The inspector's side in the kernel: details and printed text that follow the selection, previews of results."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fuse_widgets import DAGWidget, LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.engine.nodes import Node
from fuse_widgets.engine.states import NodeState
from fuse_widgets.widget import preview as preview_module
from fuse_widgets.widget._forms import LIMIT, form_of
from fuse_widgets.widget.bridge import Bridge, bridge
from fuse_widgets.widget.commands import CommandError
from tests.backends.waiting import until as eventually
from tests.lines import lines_run

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


@workflow
def add(a: int, b: int = 1) -> int:
    return a + b


def finish(widget: DAGWidget) -> None:
    assert bridge.wait_idle()
    assert widget.workflow.drain_events(5)
    assert bridge.wait_idle()


def until(widget: DAGWidget, trait: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The value of a trait once it is as expected."""
    there = threading.Event()
    widget.observe(lambda change: there.set() if holds(change["new"]) else None, trait)
    if not holds(getattr(widget, trait)):
        assert there.wait(10), getattr(widget, trait)
    value: dict[str, Any] = getattr(widget, trait)
    return value


def select(widget: DAGWidget, *names: str) -> dict[str, Any]:
    widget.selected = list(names)
    assert bridge.wait_idle()
    return widget._details


def show(result: Any, run: bool = True) -> dict[str, Any]:
    """The preview of a node that returns `result`."""
    widget = DAGWidget(LocalWorkflow(workflow(lambda: result)().set_name("n")))
    widget.workflow.run()
    return widget.inspection.preview({"node": 0, "version": 1}).result(30)


# --- details ---------------------------------------------------------------------------------------------


def test_details_follow_the_selection() -> None:
    top = add(1).set_name("top")
    widget = DAGWidget(LocalWorkflow(add(top).set_name("next")))
    details = select(widget, "next")
    assert (details["version"], details["count"], details["node"]["name"]) == (1, 1, "next")
    assert details["node"]["arguments"][0] == {"name": "a", "text": "top", "nodes": [0]}
    details = select(widget, "next", "top")
    assert (details["count"], details["node"]) == (2, None)
    assert select(widget)["count"] == 0
    assert widget._printed == {}


def test_a_selection_in_the_browser_is_answered_by_one_message() -> None:
    nodes = [add(i).set_name(f"node {i}") for i in range(1000)]
    widget = DAGWidget(LocalWorkflow(*nodes), collapsed=[])
    select(widget, "node 0")
    sent: list[dict[str, Any]] = []
    widget._send = lambda message, buffers=None: sent.append(message)  # type: ignore[method-assign]
    widget.set_state({"selected": [node.name for node in nodes]})
    assert bridge.wait_idle()
    updates = [set(message["state"]) for message in sent if message["method"] == "update"]
    assert updates == [{"_details", "_printed"}]
    assert widget._details["count"] == 1000


def test_details_of_the_browser_s_name_for_a_node_are_about_that_node() -> None:
    name = "n" * 5000
    widget = DAGWidget(LocalWorkflow(add(1).set_name(name)))
    shown = widget._graph["names"][0]
    widget.set_state({"selected": [shown]})
    assert bridge.wait_idle()
    assert widget._details["node"]["name"] == shown
    assert widget._details["key"] == f"{__import__('zlib').crc32(shown.encode()):08x}"


def test_a_node_that_takes_the_place_of_another_is_told_when_the_graph_is_shown_again() -> None:
    node = add(1).set_name("n")
    wf = LocalWorkflow(node)
    widget = DAGWidget(wf)
    assert select(widget, "n")["node"]["arguments"][0]["text"] == "1"
    wf.outputs = (add(2).set_name("n"),)
    node.set_name("before")
    widget.refresh()
    assert widget._details["node"]["arguments"][0]["text"] == "2"


def test_details_follow_a_run() -> None:
    widget = DAGWidget(LocalWorkflow(add(1).set_name("n")))
    assert select(widget, "n")["node"]["why_no_result"] == "It has not run yet."
    widget.workflow.run()
    details = until(widget, "_details", lambda new: new["node"]["result"])
    assert details["node"]["result"]["type"] == "int"
    assert [attempt["state"] for attempt in details["node"]["attempts"]] == ["done"]


def test_a_failure_is_told_while_other_nodes_still_run() -> None:
    go = threading.Event()

    def fail() -> None:
        raise ValueError("no luck")

    wf = LocalWorkflow(
        workflow(fail)().set_name("bad"),
        workflow(lambda: go.wait(30))().set_name("slow"),
        executor="thread",
        max_workers=2,
    )
    widget = DAGWidget(wf)
    select(widget, "bad")
    run = wf.start()
    details = until(widget, "_details", lambda new: new["node"]["failure"])
    assert details["node"]["failure"]["message"] == "no luck"
    go.set()
    with pytest.raises(NodeExecutionError):
        run.wait(10)
    finish(widget)


def test_settings_tell_true_from_1() -> None:
    node = add(1).set_name("n")
    widget = DAGWidget(LocalWorkflow(node))
    node.backend_info["retries"] = 1
    assert select(widget, "n")["settings"] == {
        "values": {"retries": 1},
        "mixed": {},
        "inside": {},
        "unknown": [],
    }
    node.backend_info.update(retries=True, reties=2)
    bridge.post(widget, widget.inspection.selected)
    assert bridge.wait_idle()
    assert widget._details["settings"]["values"] == {"retries": True, "reties": 2}
    assert widget._details["settings"]["values"]["retries"] is True
    assert widget._details["settings"]["unknown"] == ["reties"]


def test_what_has_not_changed_is_not_set_again() -> None:
    widget = DAGWidget(LocalWorkflow(add(1).set_name("n"), add(2).set_name("other")))
    select(widget, "n")
    widget.workflow.run()
    until(widget, "_details", lambda new: new["node"]["result"])
    until(widget, "_printed", lambda new: new["run"] == 1)
    finish(widget)
    changes: list[Any] = []
    widget.observe(changes.append, ["_details", "_printed"])
    for _ in range(3):
        bridge.post(widget, widget.inspection.selected)
    assert bridge.wait_idle()
    assert changes == []


def test_details_are_made_ten_times_a_second_at_most_while_events_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = add(1).set_name("n")
    widget = DAGWidget(LocalWorkflow(node))
    widget.workflow.run()
    run = widget.workflow.last_run
    assert run is not None
    finish(widget)
    select(widget, "n")
    clock = time.monotonic() + 1000
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    due: list[float] = []
    monkeypatch.setattr(bridge, "flush_in", lambda widget, seconds: due.append(seconds))
    made: list[float] = []
    monkeypatch.setattr(widget.inspection, "_set_details", lambda: made.append(clock))
    for _ in range(100):  # a second of events
        widget.inspection.events(run.events[:1])
        widget.inspection.publish()
        clock += 0.01
    assert len(made) <= 11
    assert due
    assert max(due) <= 0.1
    widget.inspection.events(run.events[:1])
    clock += 1
    widget.inspection.publish()
    assert made[-1] == clock


def test_a_graph_with_two_nodes_of_one_name_keeps_the_details_of_the_run() -> None:
    top = add(1).set_name("top")
    widget = DAGWidget(LocalWorkflow(add(top).set_name("next")))
    widget.workflow.run()
    finish(widget)
    add(top).set_name("next")
    assert select(widget, "next")["node"]["result"]["type"] == "int"


def test_selecting_in_a_large_graph_with_a_long_log_is_little_work() -> None:
    nodes: list[Node] = []
    for i in range(5000):
        nodes.append(add(nodes[i // 2]) if nodes else add(1))
        nodes[-1].backend_info["remote_args"] = {"num_cpus": 1, "resources": {"gpu": i % 2}}
    widget = DAGWidget(LocalWorkflow(nodes[0]))
    widget.workflow.run()
    run = widget.workflow.last_run
    assert run is not None
    for node in nodes + nodes:
        run.events.add((1.0, node.name, NodeState.DONE, 1, None, None))
    run.wake()
    finish(widget)
    assert len(run.events) == 20_002

    def work(*names: str) -> int:
        select(widget, *names)
        widget._details = {}
        return lines_run(widget.inspection._set_details)

    assert work(nodes[4000].name) < 20_000  # 11,335 today
    assert work(*[node.name for node in nodes[:1000]]) < 250 * 1000  # 162 for each node today


# --- printed ---------------------------------------------------------------------------------------------


def test_printed_text_comes_while_the_node_runs() -> None:
    first, second, go = (threading.Event() for _ in range(3))

    def talk() -> None:
        print("\x1b[31mone\x1b[0m")
        first.set()
        assert second.wait(30)
        print("<b>two</b>")
        assert go.wait(30)

    widget = DAGWidget(LocalWorkflow(workflow(talk)().set_name("n"), executor="thread"))
    select(widget, "n")
    run = widget.workflow.start()
    assert first.wait(10)
    assert until(widget, "_printed", lambda new: new["pieces"])["pieces"] == ["one\n"]
    second.set()
    printed = until(widget, "_printed", lambda new: "two" in new["pieces"][0])
    assert printed == {
        "version": 1, "index": 0, "run": 1, "pieces": ["one\n<b>two</b>\n"], "cut": 0, "dropped": 0
    }  # fmt: skip
    go.set()
    run.wait(10)
    finish(widget)


def test_nothing_is_due_once_nothing_runs() -> None:
    widget = DAGWidget(LocalWorkflow(workflow(lambda: print("done"))().set_name("n")))
    select(widget, "n")
    widget.workflow.run()
    until(widget, "_printed", lambda new: new["pieces"] == ["done\n"])
    until(widget, "_details", lambda new: new["node"]["result"])
    finish(widget)

    def quiet() -> bool:
        widget.inspection._due = float("inf")
        bridge.post(widget, lambda: None)
        assert bridge.wait_idle()
        return widget.inspection._due == float("inf")

    eventually(quiet)  # the last of what the run had to tell may still be on its way


def test_a_new_run_begins_with_nothing_printed() -> None:
    number = iter([1, 2])
    widget = DAGWidget(LocalWorkflow(workflow(lambda: print("run", next(number)))().set_name("n")))
    select(widget, "n")
    for count in (1, 2):
        widget.workflow.run()
        printed = until(widget, "_printed", lambda new: new["pieces"] == [f"run {count}\n"])  # noqa: B023
        assert printed["run"] == count


def test_10_mb_in_one_line_are_cut() -> None:
    widget = DAGWidget(LocalWorkflow(workflow(lambda: print("x" * 10_000_000))().set_name("n")))
    widget.workflow.run()
    select(widget, "n")
    (text,) = widget._printed["pieces"]
    assert len(text.encode()) <= 32_800
    assert widget._printed["cut"] + len(text) == 10_000_001


# --- the bridge ------------------------------------------------------------------------------------------


def test_the_bridge_flushes_when_the_time_has_come_in_order() -> None:
    class Due:
        def __init__(self) -> None:
            self.flushed = threading.Event()

        def flush(self) -> bool:
            order.append(self)
            self.flushed.set()
            return False

    order: list[Any] = []
    late, soon = Due(), Due()
    own = Bridge()
    own.flush_in(late, 0.05)
    own.flush_in(soon, 0.0)
    assert late.flushed.wait(10)
    assert order == [soon, late]


# --- previews --------------------------------------------------------------------------------------------


class Rich:
    """Shows itself as it is told to."""

    def __init__(self, **forms: Any) -> None:
        self.forms = forms

    def _give(self, form: str) -> Any:
        given = self.forms.get(form)
        return given() if callable(given) else given

    def _repr_png_(self) -> Any:
        return self._give("png")

    def _repr_svg_(self) -> Any:
        return self._give("svg")

    def _repr_html_(self) -> Any:
        return self._give("html")

    def __repr__(self) -> str:
        return str(self._give("text") or "<rich>")


def boom() -> Any:
    raise ValueError("<b>boom</b>\x1b[31m")


@pytest.mark.parametrize(
    ("forms", "kind", "content", "note"),
    [
        ({"png": PNG, "html": "<b>x</b>"}, "png", base64.b64encode(PNG).decode(), ""),
        ({"png": base64.b64encode(PNG).decode()}, "png", base64.b64encode(PNG).decode(), ""),
        ({"png": (PNG, {"width": 3})}, "png", base64.b64encode(PNG).decode(), ""),
        ({"svg": "<svg/>", "html": "<b>x</b>"}, "svg", "<svg/>", ""),
        ({"html": "<script>\0\ud800</script>"}, "html", "<script>?</script>", ""),
        ({}, "text", "<rich>", ""),
        ({"html": boom}, "text", "<rich>", "Its HTML form raised ValueError: <b>boom</b>."),
        ({"png": b"junk", "html": "<i>"}, "html", "<i>", "Its PNG form is a bytes and no PNG."),
        ({"svg": 5}, "text", "<rich>", "Its SVG form is a int and no SVG."),
        (
            {"text": boom},
            "text",
            "<Rich: repr raised ValueError>",
            "Its repr raised ValueError: <b>boom</b>.",
        ),
        (
            {"html": "x" * (LIMIT + 1)},
            "text",
            "<rich>",
            "Its HTML form of 64 kB is too large and is not shown.",
        ),
        (
            {"html": lambda: "x" * 100_000_000},
            "text",
            "<rich>",
            "Its HTML form of 100 MB is too large and is not shown.",
        ),
        ({"text": "a\x1b[31mb\x00"}, "text", "ab", ""),
    ],
    ids=range(13),
)
def test_the_richest_form_that_is_small_enough_is_shown(
    forms: dict[str, Any], kind: str, content: str, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(Rich(**forms)) == {"kind": kind, "content": content, "note": note}
    assert capsys.readouterr() == ("", "")  # IPython would print what formatters raise


def test_a_mime_bundle_comes_first() -> None:
    class Bundle:
        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
            return {"text/html": "<b>bundle</b>", "text/plain": "text"}, {}

        def _repr_html_(self) -> str:
            return "<b>html</b>"

    assert show(Bundle())["content"] == "<b>bundle</b>"


@pytest.mark.parametrize("value", ["x" * 10_000_000, [["y" * 100] * 1000] * 1000, {"k": "é" * 10_000_000}])
def test_long_text_is_cut_and_says_so(value: Any) -> None:
    told = show(value)
    assert told["kind"] == "text"
    assert 50_000 < len(told["content"].encode()) <= LIMIT
    assert told["note"].startswith("The beginning")


def test_text_is_laid_out_as_jupyter_does() -> None:
    assert show({"key": list(range(40))})["content"].startswith("{'key': [0,\n")


def test_arrays_and_frames_are_shown_by_a_head() -> None:
    told = show(np.zeros((100_000, 30)))
    assert (told["kind"], told["note"]) == ("text", "ndarray, 100000 x 30, float64, 24 MB.")
    assert len(told["content"]) < 1000
    pd = pytest.importorskip("pandas")
    told = show(pd.DataFrame(np.arange(4_000_000).reshape(100_000, 40)))
    assert told["kind"] == "html"
    assert told["note"] == "DataFrame, 100000 x 40, 40 columns, 32 MB. The first 20 rows and 30 columns."
    assert "<td>0</td>" in told["content"]
    assert "800" not in told["content"]
    told = show(pd.Series(range(100_000), name="s"))
    assert told["kind"] == "text"
    assert told["content"].splitlines()[19].split() == ["19", "19"]
    assert told["note"].endswith("The first 20 rows.")
    empty = show(pd.DataFrame())
    assert empty["kind"] == "html"


def test_an_array_is_not_formatted_whole_whatever_the_print_options() -> None:
    with np.printoptions(threshold=10**9):
        assert len(form_of(np.zeros(3_000_000))["content"]) < 200


def test_frames_of_polars_are_cut_before_they_are_formatted() -> None:
    class DataFrame:
        shape = (1000, 40)

        def __len__(self) -> int:
            return self.shape[0]

        def head(self, rows: int) -> Any:
            return Rich(html=f"<b>{rows} rows</b>", width=40)

    DataFrame.__module__ = "polars.dataframe.frame"
    Rich.__getitem__ = lambda self, key: self  # type: ignore[attr-defined]
    told = show(DataFrame())
    del Rich.__getitem__  # type: ignore[attr-defined]
    assert told == {
        "kind": "html",
        "content": "<b>20 rows</b>",
        "note": "DataFrame, 1000 x 40. The first 20 rows and 30 columns.",
    }


def test_figures_of_matplotlib_are_shown_without_pyplot() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    axes.scatter(*np.random.default_rng(1).random((2, 20_000)))
    told = show(figure)
    assert told["kind"] == "png"
    assert base64.b64decode(told["content"]).startswith(b"\x89PNG")
    assert len(base64.b64decode(told["content"])) <= LIMIT


def test_a_formatter_that_hangs_is_given_up_and_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "FORMATTING", 0.05)
    entered, left = threading.Event(), threading.Event()

    def hang() -> Any:
        entered.set()
        try:
            while True:
                pass
        finally:
            left.set()

    with pytest.raises(
        CommandError, match=r"formatting the result takes longer than 0\.05 s and was given up"
    ):
        show(Rich(html=hang))
    assert entered.is_set()
    assert left.wait(10)
    threads = [thread for thread in threading.enumerate() if thread.name == "fuse preview"]
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_a_formatter_that_cannot_be_interrupted_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "FORMATTING", 0.05)
    go = threading.Event()
    with pytest.raises(CommandError, match="given up"):
        show(Rich(html=lambda: go.wait(30)))
    assert show(5)["content"] == "5"
    go.set()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_formatter_that_wants_to_end_the_kernel_does_not(error: type[BaseException]) -> None:
    def end() -> Any:
        raise error("now")

    with pytest.raises(CommandError, match=f"the result cannot be shown: {error.__name__}: now"):
        show(Rich(html=end))


def test_a_preview_comes_from_storage_where_the_result_is_there_only(tmp_path: Any) -> None:
    from fuse_widgets import FileStorage

    first = add(1).set_name("first")
    last = add(first).set_name("last")
    for _ in range(2):
        wf = LocalWorkflow(last)
        wf.set_storage(FileStorage(tmp_path))
        wf.run()
    widget = DAGWidget(wf)
    assert widget.inspection.preview({"node": 0, "version": 1}).result(10)["content"] == "2"
    wf.storage.save("workflow", "first", "what another kernel saved under this name")
    assert widget.inspection.preview({"node": 0, "version": 1}).result(10)["content"] == "2"
    wf.storage.remove_task("workflow", "first")
    with pytest.raises(CommandError, match="first"):
        widget.inspection.preview({"node": 0, "version": 1}).result(10)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"node": 0, "version": 7}, "the graph has changed since"),
        ({"node": 0}, "the graph has changed since"),
        ({"node": 5, "version": 1}, "the graph has no node 5"),
        ({"node": -1, "version": 1}, "the graph has no node -1"),
        ({"node": "x", "version": 1}, "the graph has no node 'x'"),
        ({"node": True, "version": 1}, "the graph has no node True"),
        ({"node": 0, "version": 1}, "node 'n' has no result to look at. It has not run yet."),
    ],
)
def test_a_preview_that_cannot_be_made_is_refused_in_words(args: dict[str, Any], words: str) -> None:
    widget = DAGWidget(LocalWorkflow(add(1).set_name("n")))
    sent: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: sent.append(content)  # type: ignore[method-assign]
    widget._handle_custom_msg({"kind": "command", "id": "1", "name": "preview", "args": args}, [])
    assert bridge.wait_idle()
    assert [(message["id"], message["ok"]) for message in sent] == [("1", False)]
    assert words in sent[0]["text"]


def test_a_preview_is_answered_through_the_bridge() -> None:
    widget = DAGWidget(LocalWorkflow(add(1).set_name("n")))
    widget.workflow.run()
    finish(widget)
    replied = threading.Event()
    sent: list[dict[str, Any]] = []

    def send(content: dict[str, Any], buffers: Any = None) -> None:
        sent.append(content)
        if content["kind"] == "reply":
            replied.set()

    widget.send = send  # type: ignore[method-assign]
    args = {"node": 0, "version": 1}
    widget._handle_custom_msg({"kind": "command", "id": "7", "name": "preview", "args": args}, [])
    assert replied.wait(10)
    assert sent[-1]["data"] == {"kind": "text", "content": "2", "note": ""}
