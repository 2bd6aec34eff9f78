"""What jobs print in worker processes is there while they run, in order and without loss, whoever prints it."""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuse_widgets import LocalWorkflow, NodeExecutionError, Run, workflow
from fuse_widgets.backends._prints import _LENGTH, Incoming, Piece, _Recording
from fuse_widgets.engine.output import Clear, Display, Tail

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes cannot be handed over on Windows")


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
        subprocess.run(["echo", "of a child"], check=True)
        open(gate).read()
        print("two")

    wf = processes(workflow(talk)(str(gate)).set_name("talk"))
    run = wf.start()
    wait_for_output(run, "talk", "one\nof a child\n", monkeypatch)
    assert run.states["talk"] == "running"
    gate.write_text("go")
    run.wait(30)
    assert run.outputs["talk"].text == "one\nof a child\ntwo\n"


def test_what_a_process_printed_before_it_died_is_kept(processes: Any) -> None:
    def talk() -> None:
        print("last words")
        os.write(2, b"of the process\n")
        os.kill(os.getpid(), signal.SIGKILL)

    wf = processes(workflow(talk)().set_name("talk"), workflow(lambda: print("fine"))().set_name("next"))
    with pytest.raises(NodeExecutionError, match="died"):
        wf.run()
    run = wf.last_run
    assert run.outputs["talk"].text == "last words\nof the process\n"
    assert run.outputs["next"].text == "fine\n"  # the process that came in its place


# --- one pool for all that ends well -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalWorkflow]:
    """A workflow whose worker process serves every test here."""
    wf = LocalWorkflow(workflow(lambda: None)(), executor="process")
    yield wf
    wf.close()


def kept(pool: LocalWorkflow, *functions: Any) -> list[str]:
    """What functions print as nodes of one run, one after the other in one process."""
    nodes = [workflow(function)().set_name(f"n{number}") for number, function in enumerate(functions)]
    wf = LocalWorkflow(*nodes, executor="process")
    wf.processes = pool.processes
    wf.run()
    assert wf.last_run is not None
    return [wf.last_run.outputs[node.name].text if node.name in wf.last_run.outputs else "" for node in nodes]


def mixed() -> None:
    for number in range(3):
        print("python", number)
        subprocess.run(["echo", f"child {number}"], check=True)
        os.write(1, b"descriptor\n")
        print("error", number, file=sys.stderr)
        os.system(f"echo shell {number} >&2")


def printf() -> None:
    ctypes.CDLL(None).printf(b"held back by C\n")


def redirecting() -> None:
    print("before")
    saved = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    print("into nothing")
    os.dup2(saved, 1)
    print("after")
    os.dup2(null, 1)  # and left so


def closing() -> None:
    print("closed next")
    os.close(1)
    os.close(2)


def binary() -> None:
    os.write(1, b"\xff\xfe\0caf\xc3\xa9 \xc3")
    os.write(2, b"\xa9\n")
    sys.stdout.buffer.write(b"bytes\n")


def reopening() -> None:
    print("one")
    subprocess.run("echo two > /dev/stdout; echo three > /dev/stderr", shell=True, check=True)
    print("four")


def partial() -> None:
    print("no end", end="")


def surrogate() -> None:
    print("half \ud800.")


def logs() -> None:
    logger = logging.getLogger("kept in a worker")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    logger.warning("warned")


def forks() -> None:
    import multiprocessing

    child = multiprocessing.get_context("fork").Process(target=print, args=("forked",))
    child.start()
    child.join()


def replaces_streams() -> None:
    print("seen")
    sys.stdout = sys.stderr = sys.__dict__["open_in_this_test"] = open(os.devnull, "w")  # and left so
    print("unseen")


@pytest.mark.parametrize(
    ("functions", "printed"),
    [
        ([mixed], ["".join(f"python {n}\nchild {n}\ndescriptor\nerror {n}\nshell {n}\n" for n in range(3))]),
        ([printf, partial, printf], ["held back by C\n", "no end", "held back by C\n"]),
        ([redirecting, partial], ["before\nafter\n", "no end"]),
        ([closing, partial], ["closed next\n", "no end"]),
        ([binary], ["\ufffd\ufffd\0café é\nbytes\n"]),
        ([reopening], ["one\ntwo\nthree\nfour\n"]),
        ([surrogate], ["half \ud800.\n"]),
        ([logs, logs], ["warned\n", "warned\n"]),
        ([forks], ["forked\n"]),
        ([replaces_streams, partial], ["seen\n", "no end"]),
    ],
)
def test_all_that_a_process_writes_is_kept_with_its_node_in_order(
    pool: LocalWorkflow, functions: list[Any], printed: list[str]
) -> None:
    assert kept(pool, *functions) == printed


def test_a_child_that_outlives_its_node_keeps_nobody_waiting_and_prints_for_no_other_node(
    pool: LocalWorkflow, gate: Path
) -> None:
    def begins(gate: str) -> int:
        child = subprocess.Popen(
            ["sh", "-c", f"echo during; echo > {gate}; read x < {gate}; echo late; echo > {gate}"]
        )
        open(gate).read()  # it has printed
        return child.pid

    def later(gate: str, _: int) -> None:
        with open(gate, "w") as file:
            file.write("\n")
        open(gate).read()  # it has printed again
        print("own")

    path = str(gate)
    first = workflow(begins)(path).set_name("first")
    wf = LocalWorkflow(workflow(later)(path, first).set_name("second"), executor="process")
    wf.processes = pool.processes
    wf.run()
    assert wf.last_run is not None
    assert {name: tail.text for name, tail in wf.last_run.outputs.items()} == {
        "first": "during\n",
        "second": "own\n",
    }


def test_a_child_that_prints_100_mb_is_kept_by_its_end(
    pool: LocalWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flood() -> None:
        subprocess.run("head -c 100000000 /dev/zero | tr '\\0' x; echo end", shell=True, check=True)

    with open(os.devnull, "w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        text = kept(pool, flood)[0]
    assert len(text) == 1_000_000
    assert text.endswith("xxxend\n")


def test_what_a_crash_in_compiled_code_says_is_kept(processes: Any) -> None:
    def crash() -> None:
        print("before")
        faulthandler.enable()
        ctypes.string_at(0)

    wf = processes(workflow(crash)().set_name("crash"))
    with pytest.raises(NodeExecutionError, match="died"):
        wf.run()
    text = wf.last_run.outputs["crash"].text
    assert text.startswith("before\nFatal Python error: Segmentation fault\n")
    assert "in crash" in text


# --- the pieces ----------------------------------------------------------------------------------------------


@given(st.lists(st.text(min_size=1, max_size=5)), st.lists(st.booleans(), max_size=10))
def test_pieces_come_out_as_they_went_in(texts: list[str], takes: list[bool]) -> None:
    incoming, shown = Incoming(), []
    for place, text in enumerate(texts):
        incoming.add(text)
        if place < len(takes) and takes[place]:
            shown += incoming.take()
    shown += incoming.take()
    assert "".join(map(str, shown)) == "".join(texts)


def test_who_adds_tells_once_until_it_was_taken() -> None:
    incoming = Incoming()
    assert [incoming.add("a"), incoming.add("b"), incoming.add(Clear())] == [True, False, False]
    assert incoming.take() == ["ab", Clear()]
    assert incoming.add("c")
    assert not Incoming().add("")


def test_what_is_missing_is_said() -> None:
    incoming = Incoming()
    first = Display({"text/plain": "first"})
    incoming.add("abc")
    incoming.add(first)
    incoming.add("y" * 1_000_000)
    assert incoming.take() == [
        "… 3 characters that were printed before this were not kept\n",
        first,
        "y" * 1_000_000,
    ]
    displays = [Display({"text/plain": str(number)}) for number in range(70)]
    for display in displays:
        incoming.add(display)
    assert incoming.take() == ["… 6 displays before this were not kept\n", *displays[6:]]


def joined(pieces: list[Piece]) -> list[Piece]:
    """Pieces with neighbouring texts as one."""
    together: list[Any] = []
    for piece in pieces:
        if together and isinstance(piece, str) and isinstance(together[-1], str):
            together[-1] += piece
        else:
            together.append(piece)
    return together


@settings(max_examples=50)
@given(st.data())
def test_text_and_displays_are_put_in_order_however_the_pipes_cut_them(data: st.DataObject) -> None:
    mark = b"\0fuse \xff\0"  # no text of UTF-8
    pieces = data.draw(
        st.lists(
            st.one_of(
                st.text(min_size=1, max_size=9), st.sampled_from(["\0", "\0fuse "]), st.booleans().map(Clear)
            ),
            max_size=8,
        )
    )
    text = b"".join(mark if isinstance(piece, Clear) else piece.encode() for piece in pieces)
    frames = [pickle.dumps(piece) for piece in pieces if isinstance(piece, Clear)]
    displays = b"".join(_LENGTH.pack(len(frame)) + frame for frame in frames)
    (text_out, text_in), (display_out, display_in) = os.pipe(), os.pipe()
    got: list[Piece] = []
    recording = _Recording(text_out, mark, got.append)
    recording.add_pipe(display_out)
    while text or displays:
        first = data.draw(st.booleans())
        cut = data.draw(st.integers(1, 12))
        if (first and text) or not displays:
            os.write(text_in, text[:cut])
            text = text[cut:]
            recording.read(text_out)
        else:
            os.write(display_in, displays[:cut])
            displays = displays[cut:]
            recording.read(display_out)
    recording.end()
    for pipe in (text_out, text_in, display_out, display_in):
        os.close(pipe)
    assert joined(got) == joined(pieces)


def test_what_comes_after_the_end_of_a_job_is_passed_over() -> None:
    out, into = os.pipe()
    got: list[Piece] = []
    recording = _Recording(out, b"\0mark\0", got.append)
    os.write(into, b"x" * 100)
    recording.end()
    os.write(into, b"late")
    assert recording.read(out) == 4
    os.close(into)
    assert recording.read(out) == -1
    os.close(out)
    assert got == ["x" * 100]
