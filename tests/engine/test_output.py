"""What nodes print: kept for each node, and still shown."""

from __future__ import annotations

import io
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import LocalWorkflow, workflow
from fuse_widgets.engine.output import Tail


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
