"""What nodes print: kept for each node, and still shown."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import LocalWorkflow, workflow
from fuse_widgets.engine.output import NoInput, Tail, in_no_cell


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(1, 40))
def test_a_tail_keeps_the_last_characters_and_lets_the_first_through(parts: list[str], limit: int) -> None:
    tail = Tail(limit)
    shown = "".join(map(tail.write, parts))
    whole = "".join(parts)
    assert tail.text == whole[-limit:]
    assert tail.written == len(whole)
    if len(whole) <= limit:
        assert shown == whole
    else:
        assert shown.startswith(whole[:limit])
        assert (
            shown[limit:] == f"\n… more was printed: its last {limit:,} characters are kept with the node\n"
        )


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_what_a_node_prints_is_kept_and_shown(executor: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def talk(name: str) -> None:
        print("out", name)
        print("err", name, file=sys.stderr)

    wf = LocalWorkflow(
        *[workflow(talk)(n).set_name(n) for n in "ab"], workflow(lambda: 1)(), executor=executor
    )
    wf.run()
    assert {name: tail.text for name, tail in wf.last_run.outputs.items()} == {
        "a": "out a\nerr a\n",
        "b": "out b\nerr b\n",
    }
    assert capsys.readouterr() == ("out a\nout b\n", "err a\nerr b\n")


def test_threads_that_print_at_one_time_do_not_mix() -> None:
    meeting = threading.Barrier(4, timeout=10)

    def talk(name: str) -> None:
        for i in range(50):
            meeting.wait()
            print(f"{name}{i}", end=" ")

    wf = LocalWorkflow(*[workflow(talk)(n).set_name(n) for n in "abcd"], executor="thread", max_workers=4)
    wf.run()
    for name, tail in wf.last_run.outputs.items():
        assert tail.text.split() == [f"{name}{i}" for i in range(50)]


def test_a_node_that_prints_100_mb_keeps_1_mb_and_shows_1_mb(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)

    def flood() -> None:
        line = "x" * 9_999
        for _ in range(10_000):
            print(line)
        print("last")

    wf = LocalWorkflow(workflow(flood)().set_name("flood"))
    wf.run()
    tail = wf.last_run.outputs["flood"]
    assert tail.written == 100_000_005
    assert len(tail.text) == 1_000_000
    assert tail.text.endswith("x\nlast\n")
    assert len(shown.getvalue()) < 1_000_100
    assert "more was printed" in shown.getvalue()
    assert sys.stdout is shown


def test_the_streams_are_put_back_after_the_last_run_only() -> None:
    before = sys.stdout, sys.stderr
    seen: list[bool] = []
    inner = LocalWorkflow(workflow(lambda: seen.append(sys.stdout is before[0]))())
    LocalWorkflow(workflow(lambda _: seen.append(sys.stdout is before[0]))(workflow(inner.run)())).run()
    assert seen == [False, False]
    assert (sys.stdout, sys.stderr) == before


def test_prints_of_an_inner_workflow_belong_to_its_own_nodes() -> None:
    inner = LocalWorkflow(workflow(lambda: print("inner"))().set_name("in"))

    def around() -> None:
        print("before")
        inner.run()
        print("after")

    outer = LocalWorkflow(workflow(around)().set_name("out"))
    outer.run()
    assert outer.last_run.outputs["out"].text == "before\nafter\n"
    assert inner.last_run.outputs["in"].text == "inner\n"


def test_the_streams_keep_their_other_abilities(capfd: pytest.CaptureFixture[str]) -> None:
    def write() -> tuple[Any, ...]:
        sys.stdout.writelines(["a", "b"])
        sys.stdout.flush()
        return sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.write("c")

    wf = LocalWorkflow(workflow(write)().set_name("w"))
    encoding, terminal, written = wf.run()
    assert (encoding.lower(), terminal, written) == ("utf-8", False, 1)
    assert wf.last_run.outputs["w"].text == "abc"


def test_half_a_surrogate_pair_in_what_is_printed_takes_nothing_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wf = LocalWorkflow(workflow(lambda: print("before \ud800 after"))().set_name("n"))
    wf.run()
    assert capsys.readouterr().out == "before ? after\n"
    assert wf.last_run is not None
    assert wf.last_run.outputs["n"].text == "before \ud800 after\n"


class Pieces(io.StringIO):
    """A cell that remembers what was written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def test_whole_lines_of_several_threads_reach_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Pieces()
    monkeypatch.setattr(sys, "stdout", cell)
    meeting = threading.Barrier(4, timeout=10)

    def talk(name: str) -> None:
        for i in range(20):
            print(name, end=" ")
            meeting.wait()
            print(i, sep="", end="!\n")
        print(name, "ends", end="")

    wf = LocalWorkflow(*[workflow(talk)(n).set_name(n) for n in "abcd"], executor="thread", max_workers=4)
    wf.prefix_prints = False
    wf.run()
    lines = [piece for piece in cell.pieces if piece.endswith("\n")]
    assert sorted(lines) == sorted(f"{name} {i}!\n" for name in "abcd" for i in range(20))
    for name in "abcd":
        assert [line for line in lines if line.startswith(name)] == [f"{name} {i}!\n" for i in range(20)]
    assert sorted(piece for piece in cell.pieces if not piece.endswith("\n")) == [f"{n} ends" for n in "abcd"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (["a", " ", "b", "\n"], ["a b\n"]),
        (["a\nb\nc", "d"], ["a\nb\n", "cd"]),
        (["1%", "\r2%", "\r3%"], ["1%", "\r2%", "\r3%"]),
        (["a", "\r", "\n"], ["a", "\r\n"]),
        (["a", None, "b"], ["a", "b"]),
        (["", "\n", ""], ["\n"]),
    ],
)
def test_a_line_reaches_the_cell_as_soon_as_it_ends_is_overwritten_or_flushed(
    monkeypatch: pytest.MonkeyPatch, written: list[str | None], shown: list[str]
) -> None:
    cell = Pieces()
    monkeypatch.setattr(sys, "stdout", cell)

    def talk() -> None:
        for text in written:
            sys.stdout.flush() if text is None else sys.stdout.write(text)

    LocalWorkflow(workflow(talk)()).run()
    assert cell.pieces == shown


def test_standard_output_and_error_of_a_node_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Pieces()
    monkeypatch.setattr(sys, "stdout", cell)
    error = Pieces()
    error.pieces = cell.pieces
    monkeypatch.setattr(sys, "stderr", error)

    def talk() -> None:
        print("out", end="")
        print("err", file=sys.stderr)
        print("out again")

    LocalWorkflow(workflow(talk)()).run()
    assert cell.pieces == ["out", "err\n", "out again\n"]


@given(st.lists(st.text(alphabet="ab\n\r", max_size=6), max_size=20))
def test_nothing_is_lost_on_the_way_to_the_cell(parts: list[str]) -> None:
    tail, cell = Tail(), Pieces()
    for part in parts:
        tail.show(part, cell)
    tail.settle()
    assert cell.getvalue() == "".join(parts)


PRINTS_PAST_THE_END = """
import sys, threading
from fuse_widgets.engine import output

began, over = threading.Event(), threading.Event()

class Slow:
    def write(self, text):
        began.set()
        assert over.wait(60)

    def flush(self): ...

class SameSize: ...

sys.stdout, before = Slow(), sys.stdout
with output.redirected():
    thread = threading.Thread(target=print, args=("text",), kwargs={"flush": True})
    thread.start()
    assert began.wait(60)
reuse = [SameSize() for _ in range(1000)]
over.set()
thread.join()
sys.stdout = before
print("ended")
"""


def test_a_thread_that_prints_past_the_end_of_a_run_does_not_crash_the_process() -> None:
    """CPython before 3.13.3 prints to `sys.stdout` without holding it."""
    done = subprocess.run(
        [sys.executable, "-c", PRINTS_PAST_THE_END], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


# --- lines that say whose they are ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (["one\ntwo\n"], "[n] one\n[n] two\n"),
        (["a", "b", "\n", "c"], "[n] ab\n[n] c"),
        (["\n", "x\n", "\n"], "\n[n] x\n\n"),
        (["1%", "\r2%", "\r3%\n"], "[n] 1%\r[n] 2%\r[n] 3%\n"),
        (["\r 10%|#", None, "\r 20%|##", None, "\n"], "\r[n]  10%|#\r[n]  20%|##\n"),
        (["windows\r\n", "x\r\n"], "[n] windows\r\n[n] x\r\n"),
        (["half", None, " a line\n", "next\n"], "[n] half a line\n[n] next\n"),
        (["\x1b[31mred\x1b[0m\n"], "[n] \x1b[31mred\x1b[0m\n"),
    ],
)
@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_lines_begin_with_the_name_of_their_node_and_are_kept_without(
    monkeypatch: pytest.MonkeyPatch, written: list[str | None], shown: str, executor: Any
) -> None:
    cell = Pieces()
    monkeypatch.setattr(sys, "stdout", cell)

    def talk() -> None:
        for text in written:
            sys.stdout.flush() if text is None else sys.stdout.write(text)

    wf = LocalWorkflow(workflow(talk)().set_name("n"), executor=executor, prefix_prints=True)
    wf.run()
    assert cell.getvalue() == shown
    assert wf.last_run is not None
    assert wf.last_run.outputs["n"].text == "".join(filter(None, written))


@pytest.mark.parametrize(
    ("options", "begins"),
    [
        ({}, False),
        ({"executor": "thread"}, False),
        ({"max_workers": 2}, True),
        ({"max_workers": 2, "prefix_prints": False}, False),
        ({"prefix_prints": True}, True),
    ],
)
def test_lines_say_whose_they_are_where_several_nodes_run_at_a_time(
    options: dict[str, Any], begins: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [workflow(lambda name=name: print("of", name))().set_name(name) for name in "ab"]
    LocalWorkflow(*nodes, **options).run()
    lines = sorted(capsys.readouterr().out.splitlines())
    assert lines == (["[a] of a", "[b] of b"] if begins else ["of a", "of b"])


def test_a_name_of_several_lines_is_one_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    node = workflow(lambda: print("x"))().set_name("two\nlines")
    LocalWorkflow(node, prefix_prints=True).run()
    assert capsys.readouterr().out == "[two lines] x\n"


def test_another_value_for_prefix_prints_is_refused() -> None:
    with pytest.raises(TypeError, match="`prefix_prints` must be True, False or None, got 3"):
        LocalWorkflow(workflow(lambda: 1)(), prefix_prints=3)  # type: ignore[arg-type]


def test_what_one_run_without_a_cell_prints_is_kept_and_shown_nowhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def talk() -> None:
        print("out")
        print("err", file=sys.stderr)

    wf = LocalWorkflow(workflow(talk)().set_name("n"))
    with in_no_cell():
        wf.run()
    assert wf.last_run is not None
    assert wf.last_run.outputs["n"].text == "out\nerr\n"
    wf.start().wait(30)
    assert capsys.readouterr() == ("out\n", "err\n")


def test_a_process_without_standard_streams_runs_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    wf = LocalWorkflow(workflow(lambda: print("seen by nobody") or 1)())
    assert wf.run() == 1
    assert [sys.stdin, sys.stdout, sys.stderr] == [None, None, None]
    NoInput(None).close()
