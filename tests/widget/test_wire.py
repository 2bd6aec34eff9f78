"""The types of model and messages stand once in TypeScript and once in Python; here they are held together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from fuse_widgets import DAGWidget, LocalWorkflow, NodeExecutionError, RunEvent, workflow
from fuse_widgets.engine.states import NodeState
from fuse_widgets.view.graph import Graph
from fuse_widgets.view.state import WAITS, StatusColumns
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.commands import COMMANDS

TYPES = (Path(__file__).parents[2] / "js" / "src" / "core" / "types.ts").read_text()
DTYPES = {"Uint8Array": "u1", "Uint16Array": "<u2", "Uint32Array": "<u4", "Float32Array": "<f4"}


def interface(name: str) -> dict[str, str]:
    """The fields of a TypeScript interface and their types, with those of the one that it extends."""
    found = re.search(rf"export interface {name} (?:extends (\w+) )?{{(.*?)\n}}", TYPES, re.S)
    assert found is not None, name
    base, body = found.groups()
    inherited = interface(base) if base else {}
    return inherited | dict(re.findall(r"^  (\w+)\??: (.+);$", body, re.M))


def alias(name: str) -> list[str]:
    """The names in a TypeScript union of strings."""
    line = re.search(rf"export type {name} =(.*?);", TYPES, re.S)
    assert line is not None, name
    return re.findall(r'"(\w+)"', line[1])


@workflow
def graph_step(*inputs: object) -> None: ...


@pytest.fixture
def graph() -> Graph:
    @workflow
    def step(*inputs: object) -> None: ...

    a = step()
    return Graph.of(LocalWorkflow(step(a, step(a))))


def test_states_have_the_same_codes_on_both_sides() -> None:
    names = re.search(r"export const STATES = \[(.*?)\]", TYPES, re.S)
    codes = re.search(r"export const State = {(.*?)}", TYPES, re.S)
    assert names is not None
    assert codes is not None
    assert re.findall(r'"(\w+)"', names[1]) == [str(state) for state in NodeState]
    found = {name: int(code) for name, code in re.findall(r"(\w+): (\d+)", codes[1])}
    assert found == {str(state): state.code for state in NodeState}


def test_the_note_of_a_node_that_nothing_can_hold_begins_with_the_same_word_on_both_sides() -> None:
    assert re.findall(r'export const WAITS = "(.*)";', TYPES) == [WAITS]


def test_the_graph_has_the_fields_and_column_types_that_the_browser_reads(graph: Graph) -> None:
    head, columns = interface("GraphHead"), interface("GraphColumns")
    wire = graph.to_wire(1)
    assert set(wire) == set(head) | set(columns)
    nodes, edges = len(graph), len(graph.edges)
    lengths = {"edges": 2 * edges, "route_at": edges + 1, "route": None, "links": 0, "box": 0}
    for name, kind in columns.items():
        values = np.frombuffer(wire[name], DTYPES[kind])
        expected = lengths.get(name, nodes)
        assert expected is None or len(values) == expected, name
    assert np.frombuffer(wire["route_at"], "<u4")[-1] * 2 == len(np.frombuffer(wire["route"], "<f4"))


def test_a_graph_with_boxes_has_them_behind_its_nodes(graph: Graph) -> None:
    @workflow
    def other(*inputs: object) -> None: ...

    first = other()
    graph = Graph.of(
        LocalWorkflow(other(first, *[graph_step(first) for _ in range(3)])), "LR", ["function:graph_step"]
    )
    wire = graph.to_wire(1)
    assert wire["boxes"] == [{"group": 0, "label": "graph_step", "count": 3}]
    assert set(wire["boxes"][0]) == set(interface("GroupBox"))
    assert wire["groups"][0] == {"id": "function:graph_step", "label": "graph_step", "count": 3}
    assert set(wire["groups"][0]) == set(interface("Group"))
    n = len(graph)
    box = np.frombuffer(wire["box"], "<u4").tolist()
    assert box == [0, n, n, n, n - 1]
    assert sorted(np.frombuffer(wire["edges"], "<u4").reshape(-1, 2).tolist()) == [[0, 4], [0, 5], [5, 4]]
    assert len(np.frombuffer(wire["links"], "<u4")) == 2 * len(graph.edges)
    x = np.frombuffer(wire["x"], "<f4")
    assert np.isnan(x).tolist() == [False, True, True, True, False, False]


def test_the_status_has_the_fields_and_column_types_that_the_browser_reads(graph: Graph) -> None:
    head, columns = interface("RunHead"), interface("RunColumns")
    wire = StatusColumns(graph.names).to_wire()
    assert set(wire) == set(head) | set(columns) | {"workers", "missed"}
    for name, kind in columns.items():
        assert len(np.frombuffer(wire[name], DTYPES[kind])) == len(graph), name
    assert set(wire["missed"]) == set(interface("MissedHead")) | set(interface("MissedColumns"))


def test_a_delta_has_the_fields_that_the_browser_reads(graph: Graph) -> None:
    columns = StatusColumns(graph.names)
    columns.apply([RunEvent(0, 1.0, graph.names[0], NodeState.RUNNING, 1, "thread 1")])
    delta = columns.take_delta()
    assert delta is not None
    assert set(delta.content) == set(interface("RunHead")) | {"kind", "reset", "count", "workers"}
    row = np.dtype([(name, DTYPES[kind]) for name, kind in interface("RunColumns").items()])
    assert len(delta.buffer) == row.itemsize + 4  # the columns, and the index


def test_attempts_that_were_missed_have_the_fields_and_column_types_that_the_browser_reads() -> None:
    calls: list[int] = []

    @workflow
    def flaky() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise OSError(f"fault {len(calls)}")
        return len(calls)

    node = flaky().set_name("flaky")
    node.backend_info["retries"] = 2
    widget = DAGWidget(LocalWorkflow(node, executor="thread"))
    assert widget.workflow.run() == 3
    assert bridge.wait_idle()
    status = widget.get_state("_status")["_status"]
    wire, columns = status["missed"], interface("MissedColumns")
    read = {name: np.frombuffer(wire[name], DTYPES[kind]).tolist() for name, kind in columns.items()}
    assert wire["why"] == ["OSError: fault 1", "OSError: fault 2"]
    assert (read["node"], read["attempt"]) == ([0, 0], [1, 2])
    assert [status["workers"][worker - 1][:6] for worker in read["worker"]] == ["thread", "thread"]
    begin = [*read["begin"], np.frombuffer(status["begin"], "<f4")[0]]
    assert begin == sorted(begin)
    later = DAGWidget(widget.workflow)  # one that is shown when the run is over
    assert bridge.wait_idle()
    assert later.get_state("_status")["_status"]["missed"] == wire
    columns_of_delta = StatusColumns(["flaky"])
    columns_of_delta.apply(list(widget.workflow.last_run.events))
    delta = columns_of_delta.take_delta()
    assert delta is not None
    assert set(delta.content["missed"]) == set(interface("MissedHead"))
    row = np.dtype([(name, DTYPES[kind]) for name, kind in columns.items()])
    one = np.dtype([(name, DTYPES[kind]) for name, kind in interface("RunColumns").items()])
    assert len(delta.buffer) == one.itemsize + 4 + 2 * row.itemsize
    json.dumps(delta.content, allow_nan=False)
    widget.close()
    later.close()


def test_matches_have_the_fields_and_column_types_that_the_browser_reads() -> None:
    widget = DAGWidget(LocalWorkflow(workflow(lambda: None)().set_name("one")))
    widget.query = "on."
    wire = widget.get_state("_matches")["_matches"]
    assert set(wire) == set(interface("MatchesHead")) | set(interface("MatchesColumns"))
    assert np.frombuffer(wire["index"], DTYPES[interface("MatchesColumns")["index"]]).tolist() == [0]
    widget.close()


def test_details_printed_text_and_previews_have_the_fields_that_the_browser_reads() -> None:
    @workflow
    def fail(a: object, *rest: object) -> None:
        print("so far")
        raise ValueError("no luck")

    @workflow
    def good() -> int:
        return 1

    bad = fail(good().set_name("good"), 2).set_name("bad")
    bad.backend_info["retries"] = 1
    widget = DAGWidget(LocalWorkflow(bad))
    with pytest.raises(NodeExecutionError):
        widget.workflow.run()
    widget.selected = ["bad"]
    assert bridge.wait_idle()
    details, printed = widget._details, widget._printed
    assert set(details) == set(interface("Details"))
    assert set(details["settings"]) == set(interface("Settings"))
    node = details["node"]
    assert set(node) == set(interface("NodeDetails"))
    assert [set(argument) for argument in node["arguments"]] == [set(interface("Argument"))] * 2
    assert [set(attempt) for attempt in node["attempts"]] == [set(interface("Attempt"))] * 2
    assert set(node["failure"]) == set(interface("Failure"))
    assert [set(frame) for frame in node["failure"]["frames"]] == [set(interface("Frame"))]
    assert set(printed) == set(interface("Printed"))
    bad.backend_info["remote_args"] = {"num_cpus": 1}
    widget.selected = ["good", "bad"]
    assert bridge.wait_idle()
    assert set(widget._details["settings"]["inside"]["remote_args"]) == set(interface("Together"))
    widget.selected = ["good"]
    assert bridge.wait_idle()
    assert set(widget._details["node"]["result"]) == set(interface("ResultFacts"))
    preview = widget.inspection.preview({"node": 0, "version": 1}).result(10)
    assert set(preview) == set(interface("Preview"))
    assert preview["kind"] in re.findall(r'"(\w+)"', interface("Preview")["kind"])
    for told in (details, printed, preview, widget._details):
        json.dumps(told, allow_nan=False)
    widget.close()


def test_edits_have_the_fields_and_column_types_that_the_browser_reads() -> None:
    widget = DAGWidget(LocalWorkflow(workflow(lambda: None)().set_name("one")))
    asked = {"nodes": [0], "version": 1, "set": {"retries": 2}, "unset": ["cache"], "was": {"retries": None}}
    for number, name in enumerate(("edit", "undo", "redo")):
        message = {"kind": "command", "id": str(number), "name": name, "args": asked}
        widget._handle_custom_msg(message, [])
        assert bridge.wait_idle()
        wire = widget.get_state("_edits")["_edits"]
        assert set(wire) == set(interface("EditsHead")) | set(interface("EditsColumns"))
        assert set(wire["answer"]) == set(interface("EditAnswer"))
        assert (wire["answer"]["id"], wire["answer"]["ok"]) == (str(number), True)
        column = DTYPES[interface("EditsColumns")["changed"]]
        assert np.frombuffer(wire["changed"], column).tolist() == ([] if name == "undo" else [0])
        json.dumps({key: value for key, value in wire.items() if key != "changed"}, allow_nan=False)
    assert list(widget.editing.code({}).result(10)) == ["code"]
    widget.close()


def test_errors_of_nodes_have_the_same_fields(graph: Graph) -> None:
    columns = StatusColumns(graph.names)
    error = {"type": "E", "message": "m", "traceback": "not for the wire"}
    columns.apply([RunEvent(0, 1.0, graph.names[0], NodeState.FAILED, detail={"error": error})])
    assert set(columns.to_wire()["errors"]["0"]) == set(interface("NodeError"))


def test_the_browser_sends_commands_that_python_knows() -> None:
    assert alias("CommandName") == list(COMMANDS)
    assert set(interface("Command")) == {"kind", "id", "name", "args"}


def test_every_run_state_that_python_sends_is_known_to_the_browser() -> None:
    known = set(alias("RunState"))
    sent = {"idle", "stopping"} | {str(s) for s in (NodeState.RUNNING, NodeState.PAUSED, NodeState.DONE)}
    assert sent | {str(NodeState.FAILED), str(NodeState.CANCELLED)} == known
