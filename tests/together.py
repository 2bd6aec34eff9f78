"""Runs every test, some beside others, and shows the log of each part as it ends; `make test` calls it.

Tests on Ray and tests in JupyterLab wait for other processes much of the time, so three lanes fit on two cores.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Seconds that a part may take on a very slow machine; then it is ended, and its log says where it was.
LIMIT = 40 * 60
#: Seconds that a part has to tidy up after Ctrl-C.
LAST_WORDS = 60

PYTEST = (sys.executable, "-m", "pytest")
PYTHON = (*PYTEST, "--ignore=tests/browser", "--ignore=tests/benchmarks")
NPM = (sys.executable, "js/hatch_build.py", "npm")

Lane = Mapping[str, Sequence[str]]

#: Lanes run beside each other, the parts of a lane one after another.
LANES: list[Lane] = [
    {"on Ray": (*PYTHON, "-m", "ray")},
    {"in JupyterLab": (*PYTEST, "tests/browser")},
    {
        "of TypeScript": (*NPM, "test"),
        "of TypeScript in the browser": (*NPM, "run", "test:browser"),
        "of Python": (*PYTHON, "-m", "not ray"),
    },
]


class Together:
    """One run of all parts.

    Args:
        lanes: What to run: the name of each part and its command.
        logs: The folder for their logs.
        limit: Seconds that a part may take.
    """

    def __init__(self, lanes: Sequence[Lane], logs: Path, limit: float = LIMIT) -> None:
        self.lanes, self.logs, self.limit = lanes, logs, limit
        self.failed: list[str] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self._stopped = False
        self._lock = threading.Lock()

    def run(self) -> int:
        """Run all parts; return the exit code."""
        self.logs.mkdir(parents=True, exist_ok=True)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        code = 0
        with ThreadPoolExecutor(len(self.lanes)) as pool:
            lanes = [pool.submit(self._run_lane, lane) for lane in self.lanes]
            try:
                for lane in lanes:
                    lane.result()
            except KeyboardInterrupt:
                code = 130
                self._stop()
        signal.signal(signal.SIGTERM, before)
        for name in self.failed:
            print(f"make test: the tests {name} failed", file=sys.stderr)
        return code or int(bool(self.failed))

    def _run_lane(self, lane: Lane) -> None:
        for name, command in lane.items():
            began = time.monotonic()
            path = self.logs / f"{name.replace(' ', '-')}.log"
            with path.open("wb") as log, self._lock:
                if self._stopped:
                    return
                # A session of its own: what it has started ends with it, and Ctrl-C comes through `_stop` alone.
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=ROOT,
                    start_new_session=True,
                )
                self._running.append(process)
            try:
                end = f"exit code {process.wait(self.limit)}"
            except subprocess.TimeoutExpired:
                end = f"ended after {self.limit:g} s"
                _end(process)
            with self._lock:
                self._running.remove(process)
                if process.returncode or end.startswith("ended"):
                    self.failed.append(name)
                else:
                    end = "passed"
                print(f"\n== The tests {name}: {end}, {time.monotonic() - began:.0f} s", flush=True)
                print(path.read_text(errors="replace"), flush=True)

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            running = list(self._running)
        print(f"make test: stopping; what does not end in {LAST_WORDS} s is killed", file=sys.stderr)
        with ThreadPoolExecutor(len(running) or 1) as pool:
            list(pool.map(_end, running))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a part, so that its log says where it was; kill what is left of it."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(LAST_WORDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    sys.exit(Together(LANES, ROOT / "build" / "tests").run())
