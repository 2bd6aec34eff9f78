"""What jobs print in worker processes is there while they run, in order and without loss."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import NodeExecutionError, Run, workflow
from fuse_widgets.backends import _prints
from fuse_widgets.backends._prints import Incoming, Outgoing, Pipe
from fuse_widgets.engine.output import Tail


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A FIFO: who opens it waits for the other."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def wait_for_output(run: Run, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until a node has printed `text`."""
    there = threading.Event()
    write = Tail.write

    def write_and_tell(self: Tail, part: str) -> str:
        shown = write(self, part)
        if self is run.outputs.get(name) and text in self.text:
            there.set()
        return shown

    monkeypatch.setattr(Tail, "write", write_and_tell)
    if name not in run.outputs or text not in run.outputs[name].text:
        assert there.wait(30)


def test_what_a_process_prints_is_there_while_it_runs(
    processes: Any, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def talk(gate: str) -> None:
        print("one")
        open(gate).read()
        print("two")

    wf = processes(workflow(talk)(str(gate)).set_name("talk"))
    run = wf.start()
    wait_for_output(run, "talk", "one\n", monkeypatch)
    assert run.states["talk"] == "running"
    gate.write_text("go")
    run.wait(30)
    assert run.outputs["talk"].text == "one\ntwo\n"


def test_what_a_process_printed_before_it_died_is_kept(
    processes: Any, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def talk(gate: str) -> None:
        print("last words")
        open(gate).read()
        os.kill(os.getpid(), signal.SIGKILL)

    wf = processes(
        workflow(talk)(str(gate)).set_name("talk"), workflow(lambda: print("fine"))().set_name("next")
    )
    run = wf.start()
    wait_for_output(run, "talk", "last words\n", monkeypatch)
    gate.write_text("go")
    with pytest.raises(NodeExecutionError, match="died"):
        run.wait(30)
    assert run.outputs["talk"].text == "last words\n"
    assert run.outputs["next"].text == "fine\n"  # the process that came in its place


def test_a_job_goes_on_though_nobody_listens_to_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    class Broken:
        def send(self, piece: Any) -> None:
            tried.set()
            raise BrokenPipeError

    monkeypatch.setattr(_prints, "_connection", Broken())
    monkeypatch.setattr(_prints, "_owner", os.getpid())
    outgoing = Outgoing(1)
    outgoing.write("one ")
    assert tried.wait(10)
    outgoing.write("two")
    outgoing.end()
    assert outgoing.tail.text == "one two"


@given(st.text(min_size=1), st.lists(st.integers(0, 100)), st.lists(st.booleans(), max_size=10))
def test_pieces_and_the_outcome_make_one_text(whole: str, ends: list[int], takes: list[bool]) -> None:
    incoming, shown = Incoming(), []
    sent = 0
    for place, end in enumerate(sorted(min(end, len(whole)) for end in ends)):
        incoming.add(end, whole[sent:end])
        sent = end
        if place < len(takes) and takes[place]:
            shown.append(incoming.take())
    incoming.add(len(whole), whole)
    shown.append(incoming.take())
    incoming.add(sent, whole[:sent])  # one that is late
    shown.append(incoming.take())
    assert "".join(shown) == whole


def test_who_adds_tells_once_until_it_was_taken() -> None:
    incoming = Incoming()
    assert [incoming.add(1, "a"), incoming.add(2, "b"), incoming.add(2, "b")] == [True, False, False]
    assert incoming.take() == "ab"
    assert incoming.add(3, "c")
    assert not Incoming().add(0, "")


def test_what_is_missing_is_said() -> None:
    incoming = Incoming()
    incoming.add(3, "abc")
    assert incoming.take() == "abc"
    incoming.add(10, "xyz")
    assert incoming.take() == "… 4 characters that were printed before this were not kept\nxyz"
    incoming.add(3_000_013, "y" * 3_000_003)
    text = incoming.take()
    assert text.startswith("… 2,000,003 characters")
    assert text.count("y") == 1_000_000


def test_pieces_are_sent_in_order_and_those_of_other_jobs_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_prints, "INTERVAL", 0.001)
    pipe, got, come = Pipe("process 1"), [], threading.Event()

    def printed(written: int, text: str) -> None:
        got.append((written, text))
        if "end" in text:
            come.set()

    pipe.expect(2, printed)
    monkeypatch.setattr(_prints, "_connection", pipe.writer)
    monkeypatch.setattr(_prints, "_owner", os.getpid())
    other, own = Outgoing(1), Outgoing(2)
    other.write("of another job")
    for number in range(100):
        own.write(f"{number}\n")
    own.write("end")
    assert come.wait(10)
    for outgoing in (other, own):
        outgoing.end()
    whole = "".join(text for _, text in got)
    assert whole == "".join(f"{number}\n" for number in range(100)) + "end"
    assert got[-1][0] == len(whole)
    pipe.close()


def test_a_forked_child_does_not_send_for_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_prints, "_owner", -1)
    before = threading.active_count()
    outgoing = Outgoing(1)
    outgoing.write("x")
    assert threading.active_count() == before
    assert outgoing.tail.text == "x"
