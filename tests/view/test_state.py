"""Columns and deltas: what the browser is told is what happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import LocalWorkflow, NodeExecutionError, RunEvent, workflow
from fuse_widgets.engine.states import NodeState
from fuse_widgets.view.state import STATES, StatusColumns

S = NodeState
NAMES = ("a", "b", "c")


def events(*rows: tuple[Any, ...], run: int = 1) -> list[RunEvent]:
    return [
        RunEvent(seq, 100.0 + seq, node, state, 1, None, detail[0] if detail else None, run)
        for seq, (node, state, *detail) in enumerate(rows)
    ]


def read_delta(buffer: bytes, count: int) -> dict[str, np.ndarray]:
    """Read a delta the way the browser does."""
    columns, at = {}, 0
    for name, dtype in [
        ("index", "<u4"), ("begin", "<f4"), ("seconds", "<f4"), ("attempt", "<u2"), ("worker", "<u2"), ("state", "u1"),
    ]:  # fmt: skip
        columns[name] = np.frombuffer(buffer, dtype, count, at)
        at += columns[name].nbytes
    assert at == len(buffer)
    return columns


def test_what_a_run_runs_on_is_kept_until_the_next_run() -> None:
    columns = StatusColumns(["a"])
    columns.apply(
        events((None, S.RUNNING), (None, S.RUNNING, {"where": "2 machines, 4 CPUs"}), ("a", S.DONE))
    )
    assert columns.to_wire()["where"] == "2 machines, 4 CPUs"
    assert columns.run_state == "running"
    columns.apply([RunEvent(0, 200.0, None, S.RUNNING, run=2)])
    assert columns.to_wire()["where"] == ""


def test_a_reason_says_what_it_is_the_reason_of() -> None:
    def note(*rows: tuple[Any, ...]) -> str:
        columns = StatusColumns(["a"])
        columns.apply(events((None, S.RUNNING), *rows))
        return columns.notes.get(0, "")

    waits = ("a", S.QUEUED, {"why": "needs GPU: 1, the cluster has none"})
    lost = ("a", S.QUEUED, {"why": "its worker was lost"})
    failed = ("a", S.QUEUED, {"error": {"type": "E", "message": ""}, "why": "code changed"})
    assert note(waits) == "waits: needs GPU: 1, the cluster has none"
    assert note(waits, ("a", S.RUNNING)) == ""
    assert note(("a", S.RUNNING), lost) == "tried again: its worker was lost"
    assert note(("a", S.RUNNING), lost, ("a", S.RUNNING), ("a", S.DONE)) == "tried again: its worker was lost"
    assert note(("a", S.RUNNING), failed) == "ran because: code changed"
    assert note(("a", S.RUNNING), ("a", S.DONE, {"why": "code changed"})) == "ran because: code changed"
    assert note(("a", S.CACHED, {"why": "stored"})) == "stored"


def test_states_begin_pending_and_nothing_is_to_be_sent() -> None:
    columns = StatusColumns(NAMES)
    assert dict(columns.states()) == {"a": "pending", "b": "pending", "c": "pending"}
    assert columns.progress()["state"] == "idle"
    assert columns.take_delta() is None
    wire = columns.to_wire()
    assert (wire["run_state"], wire["state"], wire["started"]) == ("idle", b"\0\0\0", None)


def test_a_delta_holds_only_what_changed_since_the_last() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(
        events((None, S.RUNNING), ("a", S.RUNNING), ("a", S.DONE, {"seconds": 0.5}), ("b", S.RUNNING))
    )
    delta = columns.take_delta()
    assert delta is not None
    assert (delta.content["reset"], delta.content["run_state"], delta.content["count"]) == (
        True,
        "running",
        2,
    )
    read = read_delta(delta.buffer, 2)
    assert read["index"].tolist() == [0, 1]
    assert read["state"].tolist() == [S.DONE.code, S.RUNNING.code]
    assert read["begin"].tolist() == [1.0, 3.0]
    assert read["seconds"][0] == 0.5
    assert np.isnan(read["seconds"][1])
    assert columns.take_delta() is None
    columns.apply(
        [RunEvent(4, 105.0, "b", S.FAILED, 1, "thread 2", {"error": {"type": "E", "message": "m"}}, 1)]
    )
    second = columns.take_delta()
    assert second is not None
    assert (second.content["reset"], second.content["seq"]) == (False, delta.content["seq"] + 1)
    assert second.content["errors"] == {"1": {"type": "E", "message": "m", "root": None}}
    assert second.content["workers"] == ["thread 2"]


def test_a_skipped_node_names_the_node_that_failed_first() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(
        events(
            (None, S.RUNNING),
            ("a", S.FAILED, {"error": {"type": "ValueError", "message": "no"}}),
            ("b", S.SKIPPED, {"root": "a"}),
        )
    )
    assert columns.to_wire()["errors"]["1"] == {"type": "ValueError", "message": "no", "root": "a"}


def test_a_new_run_puts_everything_back_and_says_so() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(events((None, S.RUNNING), ("a", S.DONE), (None, S.DONE)))
    columns.take_delta()
    columns.apply(events((None, S.RUNNING), ("b", S.RUNNING), run=2))
    delta = columns.take_delta()
    assert delta is not None
    assert (delta.content["reset"], delta.content["run"], delta.content["ended"]) == (True, 2, None)
    assert dict(columns.states()) == {"a": "pending", "b": "running", "c": "pending"}


def test_stopping_is_said_until_the_run_has_ended() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(
        events((None, S.RUNNING), (None, S.RUNNING, {"stopping": 2, "notice": "waiting for a thread"}))
    )
    assert (columns.run_state, columns.notice) == ("stopping", "waiting for a thread")
    columns.apply([RunEvent(2, 103.0, None, S.CANCELLED)])
    assert (columns.run_state, columns.notice, columns.ended) == ("cancelled", "", 103.0)


def test_texts_that_no_json_can_carry_are_made_harmless_and_short() -> None:
    columns = StatusColumns(["\ud800"])
    columns.apply(events(("\ud800", S.FAILED, {"error": {"type": "E", "message": "\udfff" + "x" * 10_000}})))
    message = columns.to_wire()["errors"]["0"]["message"]
    assert message.startswith("?x")
    assert len(message) == 500


def test_messages_lose_their_terminal_colours() -> None:
    columns = StatusColumns(NAMES)
    error = {"type": "E", "message": "\x1b[31;1mred\x1b[0m [31m stays"}
    columns.apply(events(("a", S.FAILED, {"error": error})))
    assert columns.to_wire()["errors"]["0"]["message"] == "red [31m stays"


def test_events_of_unknown_nodes_are_passed_over() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(events((None, S.RUNNING), ("elsewhere", S.DONE)))
    assert set(columns.states().values()) == {S.PENDING}


def test_remaining_time_comes_from_what_was_computed() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(events((None, S.RUNNING), ("a", S.DONE)))
    columns.started, columns.ended = 0.0, None
    progress = columns.progress()
    assert progress["remaining"] is not None
    assert abs(progress["remaining"] - 2 * progress["elapsed"]) < 1
    columns.apply([RunEvent(3, 200.0, None, S.DONE)])
    assert columns.progress()["remaining"] is None


steps = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(STATES), st.booleans()), max_size=60)


@given(steps)
def test_deltas_taken_at_any_moments_add_up_to_the_whole(steps: list[tuple[int, NodeState, bool]]) -> None:
    columns = StatusColumns([str(i) for i in range(5)])
    seen = np.zeros(5, np.uint8)
    for seq, (node, state, take) in enumerate(steps):
        columns.apply([RunEvent(seq, float(seq), str(node), state)])
        if take and (delta := columns.take_delta()) is not None:
            read = read_delta(delta.buffer, delta.content["count"])
            if delta.content["reset"]:
                seen[:] = 0
            seen[read["index"]] = read["state"]
    if (delta := columns.take_delta()) is not None:
        read = read_delta(delta.buffer, delta.content["count"])
        seen[read["index"]] = read["state"]
    assert seen.tobytes() == columns.to_wire()["state"]


def test_the_columns_of_a_real_run_agree_with_the_run() -> None:
    @workflow
    def number(x: int) -> int:
        if x == 3:
            raise ValueError("three")
        return x

    total = workflow(sum)([number(i) for i in range(6)])
    wf = LocalWorkflow(total)
    columns = StatusColumns([node.name for node in wf.find_nodes()])
    wf.subscribe(columns.apply)
    with pytest.raises(NodeExecutionError, match="three"):
        wf.run()
    wf.drain_events()
    assert wf.last_run is not None
    assert dict(columns.states()) == dict(wf.last_run.states)
    assert columns.progress()["counts"] == {"done": 5, "failed": 1, "skipped": 1}
