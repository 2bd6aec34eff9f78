"""DAGWidget without a browser: traits, messages, commands, snapshots."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
import traitlets
from ipywidgets.widgets.widget import _instances

from fuse_widgets import (
    BaseWorkflow,
    DAGWidget,
    LocalWorkflow,
    NodeExecutionError,
    RunCancelledError,
    workflow,
)
from fuse_widgets.engine.nodes import Node
from fuse_widgets.widget.bridge import bridge


@workflow
def add(a: int, b: int = 1) -> int:
    return a + b


@workflow
def fail(a: int) -> int:
    raise ValueError("no luck")


def diamond() -> tuple[Node, ...]:
    top = add(1).set_name("top")
    left, right = add(top).set_name("left"), add(top, 5).set_name("right")
    return top, left, right, add(left, right).set_name("bottom")


def record(widget: DAGWidget) -> list[dict[str, Any]]:
    """What the widget sends from now on."""
    sent: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: sent.append({**content, "buffers": buffers})  # type: ignore[method-assign]
    return sent


def finish(widget: DAGWidget) -> None:
    assert bridge.wait_idle()  # commands that were posted
    assert widget.workflow.drain_events(5)
    assert bridge.wait_idle()  # events that they caused


def test_a_widget_shows_the_graph_in_one_model() -> None:
    before = set(_instances)
    widget = DAGWidget(LocalWorkflow(diamond()[-1], workflow_name="diamond"))
    after = set(_instances)
    assert len(after - before) <= 2  # the widget and its ipywidgets Layout
    graph = widget.get_state("_graph")["_graph"]
    assert graph["names"] == ["top", "left", "right", "bottom"]
    assert graph["functions"] == ["add"]
    assert memoryview(graph["edges"]).cast("I").tolist() == [0, 1, 0, 2, 1, 3, 2, 3]
    assert len(graph["x"]) == len(graph["y"]) == len(graph["w"]) == 4 * 4
    json.dumps({key: value for key, value in graph.items() if not isinstance(value, bytes)}, allow_nan=False)


def test_states_and_progress_follow_a_run() -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "states")
    assert set(widget.states.values()) == {"pending"}
    assert widget.workflow.run() == 10
    finish(widget)
    assert dict(widget.states) == dict.fromkeys(["top", "left", "right", "bottom"], "done")
    assert (widget.progress["finished"], widget.progress["state"]) == (4, "done")
    assert seen[-1] == widget.states


def test_deltas_are_numbered_and_the_last_one_says_how_the_run_ended() -> None:
    top, *_ = diamond()
    fail(top).set_name("broken")
    widget = DAGWidget(LocalWorkflow(top))
    sent = record(widget)
    with pytest.raises(NodeExecutionError):
        widget.workflow.run()
    finish(widget)
    assert [message["seq"] for message in sent] == list(range(1, len(sent) + 1))
    assert sent[0]["reset"]
    assert sent[-1]["run_state"] == "failed"
    errors = {key: value for message in sent for key, value in message["errors"].items()}
    assert errors == {"4": {"type": "ValueError", "message": "no luck", "root": None}}


def test_a_widget_made_after_a_run_shows_how_it_ended() -> None:
    wf = LocalWorkflow(diamond()[-1])
    wf.run()
    widget = DAGWidget(wf)
    finish(widget)
    assert set(widget.states.values()) == {"done"}


def test_run_and_stop_come_from_the_browser() -> None:
    started, go = threading.Event(), threading.Event()

    @workflow
    def wait() -> None:
        started.set()
        assert go.wait(30)

    first = wait()
    last = workflow(lambda x: x)(first).set_name("last")
    widget = DAGWidget(LocalWorkflow(last))
    sent = record(widget)
    widget._handle_custom_msg({"kind": "command", "id": 1, "name": "run", "args": {}}, [])
    assert started.wait(10)
    widget._handle_custom_msg({"kind": "command", "id": 2, "name": "stop", "args": {}}, [])
    finish(widget)
    assert widget.progress["state"] == "stopping"
    go.set()
    run = widget.workflow.last_run
    assert run is not None
    assert run._over.wait(10)
    finish(widget)
    replies = [(m["id"], m["ok"]) for m in sent if m["kind"] == "reply"]
    assert replies == [(1, True), (2, True)]
    assert dict(widget.states) == {first.name: "done", "last": "pending"}
    assert widget.progress["state"] == "cancelled"


def test_the_widget_says_which_node_goes_on_in_a_thread_until_it_has_ended() -> None:
    started, go = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        assert go.wait(30)

    widget = DAGWidget(LocalWorkflow(workflow(wait)().set_name("fit"), executor="thread"))
    sent = record(widget)
    run = widget.workflow.start()
    assert started.wait(10)
    for number in (1, 2):
        widget._handle_custom_msg({"kind": "command", "id": number, "name": "stop", "args": {}}, [])
    with pytest.raises(RunCancelledError):
        run.wait(10)
    finish(widget)
    notices = [m["notice"] for m in sent if m["kind"] == "delta"]
    assert notices[-1] == "'fit' still runs in thread 1"
    assert {"Stopping: waiting for 'fit'. Press Interrupt to interrupt it.", "Interrupting 'fit'."} & {
        *notices
    }
    assert (widget.progress["state"], dict(widget.states)) == ("cancelled", {"fit": "cancelled"})
    go.set()
    end = time.monotonic() + 10
    while (run.events[-1].detail or {}).get("notice") != "":
        assert time.monotonic() < end
        time.sleep(0.001)
    finish(widget)
    assert [m for m in sent if m["kind"] == "delta"][-1]["notice"] == ""
    assert widget.progress["state"] == "cancelled"


def test_step_runs_one_node_of_a_run_that_waits() -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    states = threading.Event()
    widget.workflow.subscribe(lambda batch: states.set() if any(e.state == "done" for e in batch) else None)
    record(widget)
    widget._handle_custom_msg({"kind": "command", "id": 1, "name": "step"}, [])
    assert states.wait(10)
    finish(widget)
    assert widget.states["top"] == "done"
    assert widget.states["bottom"] == "pending"
    widget._handle_custom_msg({"kind": "command", "id": 2, "name": "resume"}, [])
    assert bridge.wait_idle()
    run = widget.workflow.last_run
    assert run is not None
    assert run.wait(10) == 10


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"kind": "command", "id": 1, "name": "explode"}, "there is no command 'explode'"),
        ({"kind": "command", "id": 1, "name": ["run"]}, "there is no command ['run']"),
        ({"kind": "command", "id": 1}, "there is no command None"),
        ({"kind": "command", "id": 1, "name": "run", "args": "x"}, "the arguments of 'run' are an object"),
        ({"kind": "command", "id": 1, "name": "stop"}, "nothing is running"),
    ],
)
def test_a_command_that_cannot_be_followed_is_answered_in_words(message: dict[str, Any], words: str) -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    sent = record(widget)
    widget._handle_custom_msg(message, [])
    assert bridge.wait_idle()
    assert [(m["kind"], m["id"], m["ok"]) for m in sent] == [("reply", 1, False)]
    assert words in sent[0]["text"]


@pytest.mark.parametrize("junk", ["text", None, 5, [], {"kind": "other"}, {}])
def test_a_message_of_another_shape_is_passed_over(junk: Any) -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    sent = record(widget)
    widget._handle_custom_msg(junk, [])
    assert bridge.wait_idle()
    assert sent == []


@pytest.mark.parametrize(
    "change",
    [{"selected": ["nobody"]}, {"selected": [5]}, {"selected": 5}, {"direction": "up"}, {"height": -1}],
)
def test_a_wrong_change_from_the_browser_is_refused_in_words(change: dict[str, Any]) -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]), height=200)
    sent = record(widget)
    widget.set_state(change)
    assert bridge.wait_idle()
    assert [(m["kind"], m["ok"]) for m in sent] == [("reply", False)]
    assert next(iter(change)) in sent[0]["text"]
    assert (widget.selected, widget.direction, widget.height) == ([], "LR", 200)


def test_the_browser_cannot_set_what_is_not_its_own() -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    graph, code = widget._graph, widget._esm
    sent = record(widget)
    widget.set_state({"_graph": {}, "_esm": "evil", "selected": ["top"]})
    assert bridge.wait_idle()
    assert (widget._graph, widget._esm, widget.selected) == (graph, code, ["top"])
    assert [message["text"] for message in sent] == [
        "_graph: '_graph' cannot be set from the browser",
        "_esm: '_esm' cannot be set from the browser",
    ]


def test_a_very_long_name_can_be_selected_as_the_browser_knows_it() -> None:
    name = "n" * 5000
    widget = DAGWidget(LocalWorkflow(add(1).set_name(name)))
    shown = widget.get_state("_graph")["_graph"]["names"][0]
    assert len(shown) < 2100
    widget.set_state({"selected": [shown]})
    assert bridge.wait_idle()
    assert widget.selected == [name]


@pytest.mark.parametrize("name", ["n" * 5000, "half \ud800"])
def test_a_name_travels_in_one_form_both_ways(name: str) -> None:
    widget = DAGWidget(LocalWorkflow(add(1).set_name(name)), selected=[name])
    state = widget.get_state()
    assert state["selected"] == state["_graph"]["names"]
    shown = state["selected"][0]
    widget.selected = []
    widget.set_state({"selected": [shown]})
    assert bridge.wait_idle()
    assert widget.selected == [name]
    assert widget._details["node"]["name"] == shown


@pytest.mark.parametrize(
    ("query", "words"),
    [("x" * 20_000, "at most 10,000 characters, this 20,000"), ("a\ud800", "half a surrogate pair")],
)
def test_a_pattern_that_cannot_travel_is_refused_in_words(query: str, words: str) -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    with pytest.raises(traitlets.TraitError, match=words):
        widget.query = query
    assert widget.query == ""


def test_a_graph_that_cannot_be_drawn_anew_loses_no_event_and_says_so() -> None:
    top, *_, bottom = diamond()
    widget = DAGWidget(LocalWorkflow(bottom))
    held, drawn = threading.Event(), threading.Event()
    bridge.post(widget, lambda: (held.set(), drawn.wait(30)))
    assert held.wait(10)
    widget.workflow.run()
    add(top).set_name("left")  # a second one of this name, before the bridge comes to draw
    drawn.set()
    assert widget.workflow.drain_events(5)
    assert bridge.wait_idle()
    assert widget.progress["counts"] == {"done": 4}
    assert "two nodes of this workflow are named 'left'" in widget.get_state("_status")["_status"]["notice"]


def test_selection_from_the_browser_is_there_in_python_and_unknown_names_raise() -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    widget.set_state({"selected": ["left", "right"]})
    assert bridge.wait_idle()
    assert widget.selected == ["left", "right"]
    with pytest.raises(traitlets.TraitError, match="has no node 'nobody'"):
        widget.selected = ["nobody"]


def test_direction_lays_the_graph_out_again_and_keeps_the_states() -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    widget.workflow.run()
    widget.direction = "TB"
    finish(widget)
    graph = widget.get_state("_graph")["_graph"]
    y = memoryview(graph["y"]).cast("f").tolist()
    assert y[0] < y[1] == y[2] < y[3]
    assert set(widget.states.values()) == {"done"}
    assert widget.get_state("_status")["_status"]["version"] == graph["version"] == 2


def test_nodes_added_later_are_drawn_when_the_workflow_is_shown_again() -> None:
    top, *_, bottom = diamond()
    widget = DAGWidget(LocalWorkflow(bottom))
    widget.selected = ["top"]
    widget.workflow.run()
    add(top).set_name("late")
    widget.refresh()
    assert list(widget.states) == ["top", "left", "right", "bottom", "late"]
    assert (widget.states["top"], widget.states["late"]) == ("done", "pending")
    assert widget.selected == ["top"]


def test_a_run_that_begins_with_new_nodes_draws_them() -> None:
    top, *_, bottom = diamond()
    widget = DAGWidget(LocalWorkflow(bottom))
    add(top).set_name("late")
    widget.workflow.run()
    finish(widget)
    assert widget.states["late"] == "done"


def test_one_workflow_has_one_widget_however_often_it_is_shown() -> None:
    wf = LocalWorkflow(diamond()[-1])
    assert DAGWidget.of(wf) is DAGWidget.of(wf)
    DAGWidget.of(wf).close()
    assert DAGWidget.of(wf).comm is not None


def test_a_closed_widget_no_longer_follows_its_workflow() -> None:
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    widget.close()
    sent = record(widget)
    widget.workflow.run()
    finish(widget)
    assert sent == []


def test_a_closed_widget_leaves_no_model_behind() -> None:
    before = set(_instances)
    widget = DAGWidget(LocalWorkflow(diamond()[-1]))
    widget.close()
    widget.close()
    assert set(_instances) == before


def test_a_backend_that_knows_only_the_seed_is_followed() -> None:
    class Seed(BaseWorkflow):
        def run(self) -> list[Any]:
            results: dict[Node, Any] = {}
            for _, node in self.graph_traversal():
                results[node] = node.exec(*node.resolve(results.__getitem__))
            return list(results.values())

    widget = DAGWidget(Seed(diamond()[-1]))
    assert widget.workflow.run() == [2, 3, 7, 10]
    finish(widget)
    assert set(widget.states.values()) == {"done"}


def test_the_snapshot_for_viewers_without_the_extension_shows_names_and_states() -> None:
    wf = LocalWorkflow(diamond()[-1], workflow_name="snap")
    wf.run()
    data, _ = DAGWidget(wf)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    for text in ("bottom", "<svg", "done"):
        assert text in data["text/html"]
    assert data["text/plain"].startswith("DAGWidget(<LocalWorkflow 'snap': 4 nodes")


def test_saved_files_hold_the_finished_run(tmp_path: Any) -> None:
    wf = LocalWorkflow(diamond()[-1])
    wf.run()
    widget = DAGWidget(wf)
    svg = widget.save_svg(tmp_path / "new" / "run.svg")
    page = widget.save_html(str(tmp_path / "run.html"))
    assert svg.read_text().startswith(("<svg", "<?xml"))
    assert "left" in svg.read_text()
    assert "<html" in page.read_text()


def test_a_widget_is_as_high_as_its_graph_needs_within_bounds() -> None:
    top = add(1)
    small = DAGWidget(LocalWorkflow(add(top)))
    for _ in range(60):
        add(top)
    large = DAGWidget(LocalWorkflow(top))
    assert (small.height, large.height) == (160, 560)
    assert DAGWidget(large.workflow, height=300).height == 300


def test_it_shows_workflows_only() -> None:
    with pytest.raises(TypeError, match=r"shows a workflow such as LocalWorkflow\(\.\.\.\), not 5"):
        DAGWidget(5)  # type: ignore[arg-type]


def test_the_number_of_messages_does_not_grow_with_the_nodes() -> None:
    def messages(count: int) -> int:
        nodes = [add(1)]
        for _ in range(count - 1):
            nodes.append(add(nodes[-1]))
        widget = DAGWidget(LocalWorkflow(nodes[-1]))
        sent: list[Any] = []
        widget.comm.publish_msg = lambda *args, **kwargs: sent.append(args)  # type: ignore[union-attr]
        widget._repr_mimebundle_()
        widget.send_state()
        return len(sent)

    assert messages(2) == messages(300)
