"""The event log, and its delivery to subscribers whatever they do."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from fuse_widgets import LocalWorkflow, RunEvent, workflow
from fuse_widgets.engine.events import EventHub, EventLog
from fuse_widgets.engine.states import NodeState

DONE, RUNNING = NodeState.DONE, NodeState.RUNNING


@workflow
def plus(x: int = 0) -> int:
    return x + 1


def chain(length: int = 3) -> LocalWorkflow:
    node = plus().set_name("n0")
    for i in range(1, length):
        node = plus(node).set_name(f"n{i}")
    return LocalWorkflow(node)


def fill(events: EventLog, count: int) -> None:
    for i in range(len(events), len(events) + count):
        events.add((float(i), f"n{i}", DONE, 1, None, None))


# --- the log -------------------------------------------------------------------------------------------------


def test_a_log_reads_like_a_list() -> None:
    events = EventLog(4)
    assert list(events) == []
    fill(events, 3)
    assert events[1] == RunEvent(1, 1.0, "n1", DONE, 1, None, None, 4)
    assert events[-1].seq == 2
    assert [event.seq for event in events[1:]] == [1, 2]
    assert [event.seq for event in events[::-1]] == [2, 1, 0]
    assert [event.seq for event in events[5:2]] == []
    assert len(events) == 3
    assert type(events[0]) is RunEvent
    with pytest.raises(IndexError):
        events[3]


def test_the_events_of_a_run_have_numbers_times_and_states() -> None:
    wf = chain(2)
    wf.run()
    events = list(wf.last_run.events)
    assert [(e.node, str(e.state)) for e in events] == [
        (None, "running"),
        ("n0", "running"),
        ("n0", "done"),
        ("n1", "running"),
        ("n1", "done"),
        (None, "done"),
    ]
    assert [e.seq for e in events] == list(range(6))
    assert sorted(e.time for e in events) == [e.time for e in events]
    assert all(e.run == 1 for e in events)
    assert events[0].detail == {"total": 2}
    assert events[2].detail["seconds"] >= 0
    wf.run()
    assert {e.run for e in wf.last_run.events} == {2}


def test_the_report_has_a_row_for_each_node() -> None:
    wf = chain(2)
    wf.run()
    rows = wf.last_run.report()
    assert [(r["node"], r["state"], r["source"], r["attempt"]) for r in rows] == [
        ("n0", "done", "computed", 1),
        ("n1", "done", "computed", 1),
    ]
    assert all(r["seconds"] >= 0 and r["why"] is None for r in rows)


# --- delivery ------------------------------------------------------------------------------------------------


def test_subscribers_get_every_event_of_every_run_once_and_in_order() -> None:
    wf = chain(200)
    seen: list[RunEvent] = []
    wf.subscribe(seen.extend)
    wf.run()
    assert seen == list(wf.last_run.events)
    wf.run()
    assert [(e.run, e.seq) for e in seen] == [(run, seq) for run in (1, 2) for seq in range(402)]


def test_events_come_as_batches_from_one_thread() -> None:
    wf = chain(300)
    batches: list[list[RunEvent]] = []
    threads = set()

    def watch(events: list[RunEvent]) -> None:
        batches.append(events)
        threads.add(threading.current_thread())

    wf.subscribe(watch)
    wf.run()
    assert sum(map(len, batches)) == 602
    assert len(batches) < 100
    assert len(threads) == 1
    assert threading.main_thread() not in threads


def test_who_subscribes_to_a_run_late_gets_it_from_its_first_event() -> None:
    wf = chain(3)
    wf.run()
    first = wf.last_run
    wf.run()
    seen: list[RunEvent] = []
    first.subscribe(seen.extend)
    assert wf.drain_events()
    assert seen == list(first.events)


def test_who_subscribes_in_the_middle_gets_the_run_from_its_first_event() -> None:
    seen: list[RunEvent] = []

    @workflow
    def subscribe_now() -> None:
        wf.subscribe(seen.extend)

    wf = LocalWorkflow(plus(workflow(lambda x: 1)(subscribe_now())))
    wf.run()
    assert seen == list(wf.last_run.events)


def test_unsubscribing_ends_it_and_may_be_done_twice() -> None:
    wf = chain(2)
    seen: list[RunEvent] = []
    unsubscribe = wf.subscribe(seen.extend)
    unsubscribe()
    unsubscribe()
    wf.run()
    assert seen == []


def test_a_subscriber_may_unsubscribe_itself_while_it_is_called() -> None:
    wf = chain(2)
    calls: list[int] = []

    def once(events: list[RunEvent]) -> None:
        calls.append(len(events))
        unsubscribe()

    unsubscribe = wf.subscribe(once)
    wf.run()
    wf.run()
    assert len(calls) == 1


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(), KeyboardInterrupt()])
def test_a_subscriber_that_raises_is_logged_once_and_disturbs_nobody(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    wf = chain(3)
    seen: list[RunEvent] = []
    batches = 0

    def broken(events: list[RunEvent]) -> None:
        nonlocal batches
        batches += 1
        raise error

    wf.subscribe(broken)
    wf.subscribe(seen.extend)
    with caplog.at_level(logging.ERROR, "fuse_widgets"):
        assert [wf.run(), wf.run()] == [3, 3]
    assert len(seen) == 16
    assert batches >= 2
    assert [r.message for r in caplog.records] == [
        "a subscriber to the events of workflow raised; the run goes on"
    ]


def test_a_subscriber_that_is_stuck_holds_a_run_up_for_a_second_at_most() -> None:
    wf = chain(3)
    stuck = threading.Event()
    wf.subscribe(lambda events: stuck.wait(20))
    began = time.monotonic()
    assert wf.run() == 3
    took = time.monotonic() - began
    assert 0.9 < took < 3
    assert not wf.drain_events(0.01)
    stuck.set()
    assert wf.drain_events(5)


def test_a_slow_subscriber_gets_everything_in_larger_batches() -> None:
    hub, events = EventHub("slow"), EventLog(1)
    go, sizes = threading.Semaphore(0), []

    def slow(batch: list[RunEvent]) -> None:
        sizes.append(len(batch))
        go.acquire()

    hub.subscribe(slow)
    hub.open(events)
    for _ in range(100):
        fill(events, 10)
        if hub.idle:
            hub.wake()
    go.release(1000)
    assert hub.flush(5)
    assert sum(sizes) == 1000
    assert len(sizes) < 20


def test_nobody_is_forgotten_when_the_delivery_thread_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuse_widgets.engine.events.IDLE", 0.01)
    wf = chain(2)
    seen: list[RunEvent] = []
    wf.subscribe(seen.extend)
    for run in range(1, 4):
        wf.run()
        assert len(seen) == 6 * run
        thread = wf._hub._thread
        if thread is not None:
            thread.join(5)
            assert not thread.is_alive()


def test_many_writers_and_a_reader_lose_nothing() -> None:
    hub, events = EventHub("many"), EventLog(1)
    seen: list[RunEvent] = []
    hub.subscribe(seen.extend)
    hub.open(events)

    def write(name: str) -> None:
        for i in range(500):
            events.add((0.0, f"{name}{i}", DONE, 1, None, None))
            if hub.idle:
                hub.wake()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hub.flush(5)
    assert [event.seq for event in seen] == list(range(2000))
    assert {event.node for event in seen} == {f"{name}{i}" for name in "abcd" for i in range(500)}


def test_the_memory_of_a_run_is_let_go_when_the_next_one_begins() -> None:
    import gc
    import weakref

    class Big:
        pass

    wf = LocalWorkflow(plus(workflow(lambda big: 1)(workflow(Big)())))
    wf.find_nodes()[0].func = lambda: Big()
    wf.run()
    first = wf.last_run
    big = weakref.ref(first.results[wf.find_nodes()[0].name])
    assert big() is not None
    assert first.wait() == 2
    wf.run()
    gc.collect()
    assert big() is None
    assert first.results == {}
    with pytest.raises(Exception, match="no longer in memory: a newer run has begun"):
        first.wait()
    assert len(wf.runs) == 2


def test_a_workflow_remembers_its_newest_runs_only() -> None:
    wf = chain(1)
    for _ in range(15):
        wf.run()
    assert [run.number for run in wf.runs] == list(range(6, 16))


def test_the_events_of_one_node_are_found_in_the_log() -> None:
    log = EventLog(3)
    for node in ("a", "b", None, "a", "b", "a"):
        log.add((1.0, node, NodeState.RUNNING, 1, None, 0.5))
    assert [event.seq for event in log.of("a")] == [0, 3, 5]
    assert [event.seq for event in log.of("b", 2)] == [4]
    assert log.of("c") == []
    assert log.of("a")[1] == log[3]
