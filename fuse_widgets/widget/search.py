"""Search: the nodes whose names match a pattern, found without holding up the kernel or the bridge.

A regular expression can take for ever, and nothing in its own process can stop it. So each new pattern is first tried on
the names in a small process of its own, which is killed after a second; only then `find_nodes` is asked.

State: the waiting pattern is guarded by `_changed`; process and results belong to the search thread.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import NamedTuple

import traitlets

from ..engine.errors import PatternError, shorten
from ..engine.workflow import BaseWorkflow, compile_pattern
from .bridge import bridge

__all__ = ["PATTERN", "Found", "Search", "checked_query"]

#: Most characters of a pattern; keep it in step with search.ts.
PATTERN = 10_000
#: Seconds that a pattern may take.
LIMIT = 1.0
#: Seconds for which an idle search thread and its process stay.
IDLE = 60.0

_TRIAL = """
import json, re, sys
print("ready", flush=True)
for line in sys.stdin:
    pattern, names = json.loads(line)
    match = re.compile(pattern).fullmatch
    for name in names:
        match(name)
    print("done", flush=True)
"""


class Found(NamedTuple):
    """What came of a pattern: the names, or what is wrong with it, in words."""

    pattern: str
    names: list[str]
    error: str = ""


def checked_query(query: str) -> str:
    """A pattern as it can be searched for.

    Raises:
        TraitError: It is too long, or holds what is no character.
    """
    if len(query) > PATTERN:
        raise traitlets.TraitError(
            f"query: a pattern has at most {PATTERN:,} characters, this {len(query):,}"
        )
    if query != query.encode("utf-8", "replace").decode():
        raise traitlets.TraitError(
            f"query: {shorten(repr(query))} has half a surrogate pair in it, which is no character; write . for it"
        )
    return query


class Search:
    """Evaluates patterns one after another on a thread of its own; a newer pattern replaces one that waits.

    Args:
        workflow: Whose `find_nodes` is asked.
        found: Called with what came of a pattern, on the search thread.
    """

    def __init__(self, workflow: BaseWorkflow, found: Callable[[Found], object]) -> None:
        # Weakly: a widget whose workflow is let go keeps its pattern.
        self._workflow, self._found = weakref.ref(workflow), found
        self._changed = threading.Condition()
        self._waiting: str | None = None
        self._busy = self._closed = False
        self._thread: threading.Thread | None = None

    def ask(self, pattern: str) -> None:
        """Evaluate a pattern; `found` is called once, unless a newer pattern comes before."""
        with self._changed:
            self._waiting = pattern
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="fuse search", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def follow(self, pattern: str) -> None:
        """Evaluate a pattern; one that is set from Python has been evaluated, and shown, when this returns."""
        self.ask(pattern)
        if not bridge.is_current:
            self.wait()
            bridge.wait_idle()

    def wait(self, timeout: float = 2 * LIMIT) -> bool:
        """Wait until every pattern asked for was evaluated; False where that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting is None and not self._busy, timeout)

    def settle(self, timeout: float) -> None:
        """Wait until the bridge has done what was posted to it, and the search that this may have started."""
        end = time.monotonic() + timeout
        if bridge.wait_done(timeout) and self.wait(end - time.monotonic()):
            bridge.wait_done(end - time.monotonic())

    def close(self) -> None:
        """Let thread and process end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _serve(self) -> None:
        with contextlib.closing(_Trial()) as trial:
            while True:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._waiting is not None or self._closed, IDLE)
                    if self._waiting is None:
                        self._thread = None
                        return
                    pattern, self._waiting, self._busy = str(self._waiting), None, True
                self._found(self._evaluate(trial, pattern))

    def _evaluate(self, trial: _Trial, pattern: str) -> Found:
        if not pattern:
            return Found("", [])
        try:
            compile_pattern(pattern)
            workflow = self._workflow()
            if workflow is None:
                return Found(pattern, [], "this workflow is no longer in memory")
            names = [node.name for node in workflow.find_nodes()]
            if not trial.ends(pattern, names):
                return Found(
                    pattern, [], f"{shorten(pattern)!r} was stopped: it takes longer than {LIMIT:g} s"
                )
            return Found(pattern, [node.name for node in workflow.find_nodes(pattern)])
        except PatternError as error:
            return Found(pattern, [], str(error))
        except Exception as error:  # shown in the widget, under the field
            return Found(pattern, [], f"{type(error).__name__}: {error}")


class _Trial:
    """A process that tries patterns, so that it can be killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ends(self, pattern: str, names: list[str]) -> bool:
        """Whether the pattern is through with all names in time."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        killer = threading.Timer(LIMIT, process.kill)
        killer.daemon = True
        killer.start()
        try:
            process.stdin.write(json.dumps([pattern, names]).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = b""
        killer.cancel()
        if not answer:
            self.close()
        return bool(answer)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _TRIAL],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not for it
            )
            assert self._process.stdout is not None
            self._process.stdout.readline()  # the time that it takes to start does not count
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
