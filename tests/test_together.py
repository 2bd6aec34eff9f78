"""The parts of `make test` run beside each other, and are told apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.backends.waiting import until
from tests.together import ROOT, Together

#: Says what it is given, and waits for a file of another part.
MEET = """
import pathlib, sys, time
folder, me, other = map(pathlib.Path, sys.argv[1:])
(folder / me).touch()
while not (folder / other).exists():
    time.sleep(0.01)
print("here is", me)
print("met", other, file=sys.stderr)
"""


def python(program: str, *args: object) -> list[str]:
    return [sys.executable, "-c", program, *map(str, args)]


def test_lanes_run_beside_each_other_and_their_parts_in_turn(tmp_path: Path, capfd: Any) -> None:
    lanes = [
        {"one": python(MEET, tmp_path, "a", "b")},
        {"two": python(MEET, tmp_path, "b", "a"), "three": python("print('the last')")},
    ]
    assert Together(lanes, tmp_path / "logs").run() == 0
    out, err = capfd.readouterr()
    assert err == ""
    for name, log in (("one", "here is a\nmet b"), ("two", "here is b\nmet a"), ("three", "the last")):
        assert f"== The tests {name}: passed, " in out
        assert sorted((tmp_path / "logs" / f"{name}.log").read_text().splitlines()) == sorted(
            log.splitlines()
        )
    assert out.index("here is b") < out.index("the last")


def test_a_part_that_fails_is_named_and_ends_no_other(tmp_path: Path, capfd: Any) -> None:
    lanes = [{"on Mars": python("raise SystemExit(3)"), "of Venus": python("print('well')")}]
    assert Together(lanes, tmp_path).run() == 1
    out, err = capfd.readouterr()
    assert err == "make test: the tests on Mars failed\n"
    assert "== The tests on Mars: exit code 3" in out
    assert "well" in out


def test_a_part_that_hangs_is_ended_and_its_log_says_where(tmp_path: Path, capfd: Any) -> None:
    hangs = python("import time\ndef hang(): time.sleep(600)\nhang()")
    assert Together([{"of sloths": hangs}], tmp_path, limit=1).run() == 1
    out, err = capfd.readouterr()
    assert "== The tests of sloths: ended after 1 s" in out
    assert "in hang" in out
    assert err == "make test: the tests of sloths failed\n"


def test_ctrl_c_ends_all_parts_and_starts_no_other(tmp_path: Path) -> None:
    lanes = [
        {name: python(MEET, tmp_path, name, "nobody"), f"after {name}": python("print('not this')")}
        for name in ("one", "two")
    ]
    program = (
        "import pathlib, sys\nfrom tests.together import Together\n"
        f"sys.exit(Together({lanes!r}, pathlib.Path({str(tmp_path)!r})).run())"
    )
    process = subprocess.Popen(
        python(program), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    until(lambda: (tmp_path / "one").exists() and (tmp_path / "two").exists())
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out.count("KeyboardInterrupt") == 2
    assert "make test: the tests one failed" in out
    assert "make test: the tests two failed" in out
    assert "not this" not in out
