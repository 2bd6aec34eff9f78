"""Two kernels on one folder, killed at random, while files are damaged, removed and pruned: no value is ever wrong.

`FUSE_CHAOS_SECONDS` sets how long it goes on, `FUSE_CHAOS_SEED` repeats what the test did (not what the kernels raced).
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import FileStorage
from tests.chaos import kernel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.chaos,
    pytest.mark.skipif(os.name == "nt", reason="signals, FIFOs and links of POSIX"),
]
SECONDS = float(os.environ.get("FUSE_CHAOS_SECONDS", "30"))
SEED = os.environ.get("FUSE_CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))


class Kernels:
    """Starts kernels, and kills them."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._logs = logs
        self.all: list[Kernel] = []
        self._process = subprocess.Popen(
            [sys.executable, kernel.__file__, str(folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, seed: int) -> Kernel:
        log = self._logs / f"{len(self.all)}.log"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seed} {log}\n")
        self._process.stdin.flush()
        new = Kernel(int(self._process.stdout.readline()), log)
        self.all.append(new)
        return new

    def close(self) -> None:
        for one in self.all:
            one.kill()
        self._process.communicate()


class Kernel:
    """A process that runs pipelines; see `kernel.py`."""

    def __init__(self, pid: int, log: Path) -> None:
        self._pid, self._log = pid, log

    @property
    def lines(self) -> list[str]:
        """What it said of its runs; the last line may be half of one if it was killed."""
        try:
            return [line for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        except FileNotFoundError:
            return []

    @property
    def alive(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        wait_for(lambda: not self.alive)

    def stop(self) -> None:
        """Let it finish its run. If it hangs, that is an error."""
        self._log.with_name(f"{self._log.name}.stop").touch()
        wait_for(lambda: not self.alive)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < until, "a kernel hangs"
        pause.wait(0.01)


def flip(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(draw.randrange(1, 4)):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    write(path, bytes(data))


def write(path: Path, data: bytes) -> None:
    """In place: whoever has it open reads a mixture."""
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()


def instead(make: Callable[[Path], Any]) -> Callable[[Path, random.Random], None]:
    def replace(path: Path, draw: random.Random) -> None:
        path.unlink()
        make(path)

    return replace


def other(path: Path, draw: random.Random) -> Path:
    return draw.choice(plain_files(path.parent.parent))


def plain_files(folder: Path) -> list[Path]:
    """Results that are neither links nor FIFOs: those would be read without an end."""
    return [path for path in sorted(folder.glob("*/*.task")) if stat.S_ISREG(path.lstat().st_mode)]


DAMAGE: list[Callable[[Path, random.Random], Any]] = [
    flip,
    lambda path, draw: write(path, path.read_bytes()[: draw.randrange(path.stat().st_size)]),
    lambda path, draw: write(path, draw.randbytes(500)),
    lambda path, draw: write(path, other(path, draw).read_bytes()),
    lambda path, draw: os.replace(other(path, draw), path),
    lambda path, draw: path.chmod(0),
    lambda path, draw: path.unlink(),
    instead(os.mkfifo),
    instead(lambda path: path.symlink_to(path)),
    instead(lambda path: path.symlink_to("/dev/null")),
    instead(lambda path: path.mkdir()),
    lambda path, draw: shutil.rmtree(path.parent),
    lambda path, draw: write(path.parent / "workflow.json", b"{"),
    lambda path, draw: (path.parent / "workflow.json").unlink(),
    lambda path, draw: shutil.rmtree(path.parent.parent / "leases"),
]


def spoil(folder: Path, draw: random.Random) -> bool:
    """Damage one file; return False if there is none, or a kernel was faster."""
    try:
        files = plain_files(folder)
        draw.choice(DAMAGE)(draw.choice(files), draw)
    except (OSError, ValueError, IndexError):
        return False
    return True


def test_no_value_is_ever_wrong(tmp_path: Path) -> None:
    print(f"FUSE_CHAOS_SEED={SEED} FUSE_CHAOS_SECONDS={SECONDS:g}")
    draw, folder = random.Random(SEED), tmp_path / "store"
    kernels, killed, damaged, pruned = Kernels(folder, tmp_path), 0, 0, 0
    try:
        running = [kernels.start(draw.randrange(10**9)) for _ in range(2)]
        until, pause = time.monotonic() + SECONDS, threading.Event()
        next_kill = time.monotonic() + 1
        while time.monotonic() < until:
            pause.wait(draw.uniform(0.001, 0.05))
            damaged += spoil(folder, draw)
            if draw.random() < 0.05:
                keep = {"bytes": draw.choice([1, 10**6])}
                pruned += len(FileStorage(folder, keep=keep, key="secret").prune())
            assert all(one.alive for one in running), "a kernel ended by itself"
            if time.monotonic() > next_kill:
                next_kill = time.monotonic() + draw.uniform(0.1, 1)
                at = draw.randrange(2)
                running[at].kill()
                running[at] = kernels.start(draw.randrange(10**9))
                killed += 1
        for one in running:
            one.stop()
    finally:
        kernels.close()
    lines = [line for one in kernels.all for line in one.lines]
    print(f"{len(lines)} runs, {killed} kills, {damaged} damages, {pruned} pruned")
    assert [line for line in lines if line != "right\n"] == []
    assert min(len(lines), killed, damaged, pruned) > 0

    storage = FileStorage(folder, key="secret")
    for x in range(4):
        wf = kernel.pipeline("one", x, 2, "inline", storage)
        assert wf.run() == kernel.expected(x, 2)
        wf = kernel.pipeline("one", x, 2, "inline", storage)
        assert wf.run() == kernel.expected(x, 2)
        assert {row["source"] for row in wf.last_run.report() if row["node"] != "counter"} == {"stored"}
    storage.damaged()
    assert storage.usage().versions > 0
    storage.new_workflow("one")
    storage.new_workflow("two")
    assert list(folder.glob("*/*.part")) == []  # what killed kernels left behind is gone
    storage.prune()
    assert list((folder / "leases").iterdir()) == []
