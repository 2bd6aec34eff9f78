"""Columns and deltas: what the browser is told is what happened."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import LocalWorkflow, NodeExecutionError, RunEvent, workflow
from fuse_widgets.engine.states import NodeState
from fuse_widgets.view.state import STATES, Delta, StatusColumns

S = NodeState
NAMES = ("a", "b", "c")


def events(*rows: tuple[Any, ...], run: int = 1) -> list[RunEvent]:
    return [
        RunEvent(seq, 100.0 + seq, node, state, 1, None, detail[0] if detail else None, run)
        for seq, (node, state, *detail) in enumerate(rows)
    ]


INDEXED = {"index": "<u4", "begin": "<f4", "seconds": "<f4", "attempt": "<u2", "worker": "<u2", "state": "u1"}
MISSED = {"node": "<u4", "begin": "<f4", "seconds": "<f4", "attempt": "<u2", "worker": "<u2"}


def read_delta(delta: Delta) -> tuple[dict[str, np.ndarray], list[tuple[Any, ...]]]:
    """Read a delta the way the browser does: the columns, and the attempts that were missed."""
    columns, rest = take_columns(delta.buffer, delta.content["count"], INDEXED)
    head = delta.content.get("missed", {"why": []})
    missed, rest = take_columns(rest, len(head["why"]), MISSED)
    assert not rest
    return columns, missed_in({**missed, "why": head["why"]})


def take_columns(buffer: bytes, count: int, kinds: dict[str, str]) -> tuple[dict[str, np.ndarray], bytes]:
    columns, at = {}, 0
    for name, dtype in kinds.items():
        columns[name] = np.frombuffer(buffer, dtype, count, at)
        at += columns[name].nbytes
    return columns, buffer[at:]


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

    waits = ("a", S.QUEUED, {"why": "needs GPU: 1, the cluster has none", "waits": True})
    lost = ("a", S.QUEUED, {"why": "its worker was lost"})
    failed = ("a", S.QUEUED, {"error": {"type": "E", "message": ""}, "why": "code changed"})
    assert note(waits) == "waits: needs GPU: 1, the cluster has none"
    assert note(waits, ("a", S.RUNNING)) == ""
    assert note(waits, ("a", S.QUEUED, {"why": None, "waits": False})) == ""
    assert note(waits, ("a", S.PAUSED), ("a", S.PENDING)) == "waited: needs GPU: 1, the cluster has none"
    assert note(("a", S.QUEUED, {"why": "its object was lost"})) == "queued again: its object was lost"
    assert note(("a", S.RUNNING), lost, waits) == "waits: needs GPU: 1, the cluster has none"
    assert note(("a", S.RUNNING), lost) == "tried again: its worker was lost"
    assert note(("a", S.RUNNING), lost, ("a", S.RUNNING), ("a", S.DONE)) == "tried again: its worker was lost"
    assert note(("a", S.RUNNING), failed) == "ran because: code changed"
    ended = (("a", S.RUNNING), ("a", S.DONE))
    assert note(("a", S.RUNNING), failed, *ended) == "tried again: E"
    changed = ("a", S.DONE, {"why": "code changed"})
    again = "ran because: code changed\ntried again: its worker was lost"
    assert note(("a", S.RUNNING), failed, ("a", S.RUNNING), lost, ("a", S.RUNNING), changed) == again
    assert (
        note(("a", S.RUNNING), lost, ("a", S.RUNNING), ("a", S.FAILED)) == "tried again: its worker was lost"
    )
    assert note(("a", S.RUNNING), ("a", S.DONE, {"why": "code changed"})) == "ran because: code changed"
    assert note(("a", S.CACHED, {"why": "stored"})) == "stored"


def test_a_node_whose_result_is_being_saved_says_so_and_its_bar_ends_with_its_function() -> None:
    rows = [
        (100.0, None, S.RUNNING),
        (101.0, "a", S.RUNNING, 1, "w:1"),
        (102.0, "a", S.QUEUED, 1, None, {"why": "its worker was lost"}),
        (103.0, "a", S.RUNNING, 2, "w:2"),
        (104.5, "a", S.RUNNING, 2, None, {"seconds": 1.5, "saving": True}),
        (109.0, "a", S.DONE, 2, None, {"seconds": 1.5, "saved": True}),
    ]
    log = [RunEvent(seq, *row, run=1) for seq, row in enumerate(rows)]  # type: ignore[arg-type]
    columns = StatusColumns(["a"])

    def bar() -> list[Any]:
        rows = (columns.state, columns.begin, columns.seconds, columns.worker)
        return [row.tolist()[0] for row in rows]

    columns.apply(log[:-1])
    assert bar() == [S.RUNNING.code, 3.0, 1.5, 2]
    assert columns.notes[0] == "saving its result\ntried again: its worker was lost"
    columns.apply(log[-1:])
    assert bar() == [S.DONE.code, 3.0, 1.5, 2]
    assert columns.notes[0] == "tried again: its worker was lost"
    columns = StatusColumns(["a"])
    columns.apply([*log[:-1], RunEvent(5, 109.0, "a", S.CANCELLED, 2, run=1)])
    assert bar() == [S.CANCELLED.code, 3.0, 1.5, 2]
    columns = StatusColumns(["a"])
    columns.apply([log[0], log[1], log[4]])
    assert columns.notes[0] == "saving its result"
    columns.apply(log[-1:])
    assert columns.notes == {}


# --- attempts that were missed ---------------------------------------------------------------------------


def try_again() -> list[RunEvent]:
    """A run in which one node raises, then loses its worker, and then gets through; the other one needs one attempt."""
    error = {"type": "OSError", "message": "gone\nfor ever", "traceback": ""}
    rows: list[tuple[Any, ...]] = [
        (100.0, None, S.RUNNING),
        (101.0, "b", S.RUNNING, 1, "w:1"),
        (102.0, "c", S.RUNNING, 1, "w:2"),
        (103.0, "b", S.QUEUED, 1, None, {"seconds": 1.5, "error": error, "why": "code changed"}),
        (104.0, "b", S.RUNNING, 2, "w:2"),
        (107.0, "b", S.QUEUED, 2, None, {"why": "its worker was lost"}),
        (108.0, "b", S.RUNNING, 3, "w:3"),
        (109.0, "b", S.DONE, 3, None, {"seconds": 1.0}),
        (109.5, "c", S.DONE, 1, None, {"seconds": 7.0}),
    ]
    return [RunEvent(seq, when, *rest, run=1) for seq, (when, *rest) in enumerate(rows)]


def missed_in(wire: dict[str, Any]) -> list[tuple[Any, ...]]:
    columns = [np.frombuffer(wire[name], dtype).tolist() for name, dtype in MISSED.items()]
    return list(zip(*columns, wire["why"], strict=True))


TWO = [(1, 1.0, 1.5, 1, 1, "OSError: gone for ever"), (1, 4.0, 3.0, 2, 2, "its worker was lost")]


def test_attempts_that_gave_nothing_are_kept_beside_the_last_one() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(try_again())
    wire = columns.to_wire()
    assert missed_in(wire["missed"]) == TWO
    assert wire["missed"]["at"] == 0
    assert wire["workers"] == ["w:1", "w:2", "w:3"]
    assert (columns.attempt[1], columns.worker[1], columns.begin[1], columns.seconds[1]) == (3, 3, 8.0, 1.0)
    columns.apply([RunEvent(0, 200.0, None, S.RUNNING, run=2)])
    assert missed_in(columns.to_wire()["missed"]) == []


def test_nothing_is_said_of_the_time_left_while_a_node_waits_for_what_is_not_there() -> None:
    columns = StatusColumns(["a", "b"])
    rows = [(None, S.RUNNING), ("a", S.RUNNING), ("a", S.DONE), ("b", S.QUEUED, {"why": "no", "waits": True})]
    columns.apply(events(*rows))
    assert columns.progress()["remaining"] is None
    columns.apply(events(*rows, ("b", S.RUNNING)))
    assert columns.progress()["remaining"] > 0


def test_a_node_that_waits_for_another_attempt_has_neither_worker_nor_time() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(try_again()[:4])
    assert (columns.state[1], columns.attempt[1], columns.worker[1]) == (S.QUEUED.code, 1, 0)
    assert np.isnan([columns.begin[1], columns.seconds[1]]).all()
    assert columns.errors[1]["type"] == "OSError"


@given(st.lists(st.integers(1, 9), max_size=4))
def test_a_delta_has_the_attempts_missed_since_the_one_before(cuts: list[int]) -> None:
    columns, events = StatusColumns(NAMES), try_again()
    found: list[tuple[Any, ...]] = []
    for start, stop in pairwise([0, *sorted(set(cuts)), len(events)]):
        columns.apply(events[start:stop])
        if (delta := columns.take_delta()) is not None:
            missed = read_delta(delta)[1]
            assert delta.content.get("missed", {"at": len(found)})["at"] == len(found)
            assert ("missed" in delta.content) == bool(missed)
            found += missed
    assert found == TWO


def test_a_backend_that_calls_a_failed_node_again_shows_both_attempts() -> None:
    error = {"error": {"type": "E", "message": "no"}, "seconds": 2.0}
    columns = StatusColumns(["a"])
    columns.apply(
        [
            RunEvent(0, 100.0, None, S.RUNNING),
            RunEvent(1, 101.0, "a", S.RUNNING, 1),
            RunEvent(2, 103.0, "a", S.FAILED, 1, None, error),
            RunEvent(3, 104.0, "a", S.RUNNING, 2),
        ]
    )
    assert missed_in(columns.to_wire()["missed"]) == [(0, 1.0, 2.0, 1, 0, "E: no")]


def test_a_node_that_is_tried_for_ever_does_not_fill_the_memory() -> None:
    columns = StatusColumns(["a"])
    for attempt in range(1, 1000):
        columns.apply(
            [
                RunEvent(2 * attempt, float(attempt), "a", S.RUNNING, attempt),
                RunEvent(2 * attempt + 1, attempt + 0.5, "a", S.QUEUED, attempt, None, {"why": "lost"}),
            ]
        )
    kept = missed_in(columns.to_wire()["missed"])
    assert [row[3] for row in kept] == list(range(1, 101))


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
    read, missed = read_delta(delta)
    assert not missed
    assert "missed" not in delta.content
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


def test_what_goes_on_in_the_background_is_said_from_the_end_of_a_run_until_it_has_ended() -> None:
    columns = StatusColumns(NAMES)
    left = {"notice": "'a' still runs in thread 1"}
    columns.apply([*events((None, S.RUNNING)), RunEvent(1, 103.0, None, S.CANCELLED, detail=left)])
    assert (columns.run_state, columns.notice, columns.ended) == ("cancelled", left["notice"], 103.0)
    columns.apply([RunEvent(2, 109.0, None, S.CANCELLED, detail={"notice": ""})])
    assert (columns.run_state, columns.notice, columns.ended) == ("cancelled", "", 103.0)
    columns.apply(events((None, S.RUNNING, {**left, "total": 3}), run=2))
    assert (columns.run_state, columns.notice, columns.ended) == ("running", left["notice"], None)


def test_a_cached_node_has_the_seconds_that_it_took_when_it_was_computed() -> None:
    columns = StatusColumns(NAMES)
    columns.apply(
        events(
            (None, S.RUNNING),
            ("a", S.CACHED, {"why": "stored", "stored_seconds": 2.5}),
            ("b", S.CACHED, {"why": "stored", "stored_seconds": None}),
        )
    )
    seconds = np.frombuffer(columns.to_wire()["seconds"], "<f4")
    assert seconds[0] == 2.5
    assert np.isnan(seconds[1:]).all()


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
    seen, known = np.zeros(5, np.uint8), []
    for seq, (node, state, take) in enumerate(steps):
        columns.apply([RunEvent(seq, float(seq), str(node), state)])
        if take and (delta := columns.take_delta()) is not None:
            read, missed = read_delta(delta)
            if delta.content["reset"]:
                seen[:] = 0
            seen[read["index"]] = read["state"]
            known += missed
    if (delta := columns.take_delta()) is not None:
        read, missed = read_delta(delta)
        seen[read["index"]] = read["state"]
        known += missed
    wire = columns.to_wire()
    assert seen.tobytes() == wire["state"]
    assert known == missed_in(wire["missed"])


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
