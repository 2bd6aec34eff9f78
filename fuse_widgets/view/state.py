"""The state of a run as columns, folded from its events, and the deltas that keep a browser in step.

State: `StatusColumns` is written by one thread, the bridge; its lock lets others pack a whole copy.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.events import RunEvent
from ..engine.states import NodeState
from ._failure import why_again
from .graph import displayable
from .missed import Attempt, Missed

__all__ = ["Delta", "NodeStates", "StatusColumns"]

STATES = tuple(NodeState)
#: Longest error message or note that travels with the columns, in characters.
TEXT_LIMIT = 500
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
#: What goes before the note of a queued node that nothing in the cluster can hold; the browser knows it as well.
WAITS = "waits: "
#: The note of a running node whose function has ended.
SAVING = "saving its result"
#: What a node is in while it tries, and after it has failed: from there on another attempt begins.
_MISSES = (NodeState.RUNNING.code, NodeState.FAILED.code)
#: What a node is in after its last attempt.
_RAN = (NodeState.DONE, NodeState.FAILED)
_ENDED = frozenset({NodeState.DONE, NodeState.FAILED, NodeState.CANCELLED})


class NodeStates(Mapping[str, NodeState]):
    """The states of all nodes at one moment, by name; a small immutable copy.

    Args:
        index: The place of each name.
        codes: One byte for each node.
    """

    __slots__ = ("_codes", "_index")

    def __init__(self, index: Mapping[str, int], codes: bytes) -> None:
        self._index, self._codes = index, codes

    def __getitem__(self, name: str) -> NodeState:
        return STATES[self._codes[self._index[name]]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._codes)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NodeStates):
            return self._codes == other._codes and self._index == other._index
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = np.bincount(np.frombuffer(self._codes, np.uint8), minlength=len(STATES))
        parts = ", ".join(f"{n} {state}" for state, n in zip(STATES, counts, strict=True) if n)
        return f"<states of {len(self)} nodes: {parts or 'none'}>"


class Delta(NamedTuple):
    """A message to the browser: what changed since the last one."""

    content: dict[str, Any]
    buffer: bytes


class StatusColumns:
    """What the views show of the newest run, one row for each node of a graph.

    Args:
        names: The nodes of the graph, in its order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.index = {name: place for place, name in enumerate(names)}
        self.version = 0
        self.seq = 0
        self._lock = threading.Lock()
        self._begin_run(0)
        self._reset = self._changed = False

    def _begin_run(self, number: int) -> None:
        count = len(self.index)
        self.run = number
        self.run_state = "idle"
        self.started: float | None = None
        self.ended: float | None = None
        self.notice = self.warning = self.where = ""
        self.workers: list[str] = []
        self.errors: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, str] = {}
        self.state: NDArray[np.uint8] = np.zeros(count, np.uint8)
        self.attempt: NDArray[np.uint16] = np.zeros(count, np.uint16)
        self.worker: NDArray[np.uint16] = np.zeros(count, np.uint16)
        self.begin: NDArray[np.float32] = np.full(count, np.nan, np.float32)
        self.seconds: NDArray[np.float32] = np.full(count, np.nan, np.float32)
        self.missed = Missed()
        self._dirty: set[int] = set()
        self._sent_workers = 0
        self._reset = True
        self._changed = True

    def apply(self, events: Sequence[RunEvent]) -> None:
        """Fold events into the columns; events of nodes that the graph does not have are passed over."""
        with self._lock:
            for event in events:
                if event.run != self.run:
                    self._begin_run(event.run)
                if event.node is None:
                    self._apply_to_run(event)
                elif (place := self.index.get(event.node)) is not None:
                    self._apply_to_node(place, event)
            self._changed = True

    def warn(self, text: str) -> None:
        """Show a sentence until the next run, where the run itself has nothing to say."""
        with self._lock:
            self.warning = clip(text)
            self._changed = True

    def _apply_to_run(self, event: RunEvent) -> None:
        detail = event.detail or {}
        if self.started is None:
            self.started = event.time
        if "where" in detail:
            self.where = clip(detail["where"])
        if "notice" in detail:
            self.notice = clip(detail["notice"])
            # At the end of a run it says what goes on in the background; after the end, that this has ended too.
            ends = event.state in _ENDED and self.ended is None
            if "stopping" not in detail and not ends and self.run_state != "idle":
                return
        self.run_state = "stopping" if "stopping" in detail else str(event.state)
        if event.state in _ENDED:
            self.ended = event.time
            if event.state is NodeState.FAILED and not self.errors and "error" in detail:
                self.notice = clip(f"{detail['error']['type']}: {detail['error']['message']}")
            elif not {"stopping", "notice"} & detail.keys() and event.state is not NodeState.FAILED:
                self.notice = ""

    def _apply_to_node(self, place: int, event: RunEvent) -> None:
        detail = event.detail or {}
        state = event.state
        if state is NodeState.QUEUED or state is NodeState.RUNNING:
            self._put_aside(place, event)
        self.state[place] = state.code
        self.attempt[place] = min(event.attempt, 65535)
        self._dirty.add(place)
        if event.worker is not None:
            self.worker[place] = self._worker_number(event.worker)
        if "saving" in detail:
            self.seconds[place] = detail["seconds"]
        elif state is NodeState.RUNNING:
            self.begin[place] = event.time - (self.started or event.time)
            self.seconds[place] = np.nan
        elif state is NodeState.CACHED and detail.get("stored_seconds") is not None:
            self.seconds[place] = detail["stored_seconds"]
        elif "seconds" in detail and state is not NodeState.QUEUED:  # there it is what the last attempt took
            self.seconds[place] = detail["seconds"]
        elif state in (NodeState.CANCELLED, NodeState.FAILED) and math.isnan(self.seconds[place]):
            self.seconds[place] = event.time - (self.started or event.time) - self.begin[place]
        self._keep_texts(place, state, detail)

    def _put_aside(self, place: int, event: RunEvent) -> None:
        """Where a node is tried again, what is known of the attempt before goes to the missed ones."""
        before = int(self.state[place])
        if before not in _MISSES or math.isnan(self.begin[place]):
            return
        if event.state.code == before and event.attempt == self.attempt[place]:
            return
        begin, seconds = float(self.begin[place]), float(self.seconds[place])
        detail = event.detail or {}
        if math.isnan(seconds):
            seconds = float(detail.get("seconds", event.time - (self.started or event.time) - begin))
        error = self.errors.get(place) if before == NodeState.FAILED.code else None
        why = why_again({"error": error} if error else detail)
        attempt, worker = int(self.attempt[place]), int(self.worker[place])
        self.missed.add(Attempt(place, begin, max(0.0, seconds), attempt, worker, why))
        self.begin[place] = self.seconds[place] = np.nan
        self.worker[place] = 0

    def _why_of(self, place: int, state: NodeState, detail: dict[str, Any]) -> str:
        """What goes before a reason: of where the result is from, why it waits, runs again, or ran at all."""
        if state is NodeState.CACHED:
            return ""
        if state is NodeState.QUEUED and "error" not in detail:
            if detail.get("waits"):
                return WAITS
            return "tried again: " if place in self.missed else "queued again: "
        return "ran because: "

    def _keep_texts(self, place: int, state: NodeState, detail: dict[str, Any]) -> None:
        if "error" in detail:
            error = detail["error"]
            self.errors[place] = {
                "type": clip(error["type"]),
                "message": clip(error["message"]),
                "root": None,
            }
        elif state is NodeState.SKIPPED and "root" in detail:
            cause = self.errors.get(self.index.get(detail["root"], -1), {})
            self.errors[place] = {
                "type": cause.get("type", "Failed"),
                "message": cause.get("message", ""),
                "root": displayable(detail["root"]),
            }
        elif state is not NodeState.RUNNING:
            self.errors.pop(place, None)
        notes = self._new_notes(place, state, detail)
        if (waited := self.notes.get(place, "")).startswith(WAITS) and state is not NodeState.PAUSED:
            if state is NodeState.PENDING or state is NodeState.CANCELLED:
                self.notes[place] = f"waited: {waited.removeprefix(WAITS)}"
            elif state is not NodeState.QUEUED or "waits" in detail:
                del self.notes[place]
        if any(notes):
            self.notes[place] = clip("\n".join(filter(None, notes)))

    def _new_notes(self, place: int, state: NodeState, detail: dict[str, Any]) -> list[str]:
        """The lines that take the place of those there were; where there are none, those stay."""
        notes = []
        if "saving" in detail:
            notes = [SAVING, self.notes.get(place, "")]
        elif (said := self.notes.get(place, "")).startswith(SAVING):
            notes = [said.removeprefix(SAVING).lstrip()]
            del self.notes[place]
        if detail.get("why"):
            notes.append(f"{self._why_of(place, state, detail)}{detail['why']}")
        if (
            state in _RAN
            and (why := self.missed.why(place))
            and (again := f"tried again: {why}") not in notes
        ):
            notes.append(again)
        if detail.get("why_not_saved"):
            notes.append(f"not saved: {detail['why_not_saved']}")
        if "changed" in detail:
            notes.append(f"changed in place: {', '.join(detail['changed'])}")
        return notes

    def _worker_number(self, worker: str) -> int:
        try:
            return self.workers.index(worker) + 1
        except ValueError:
            self.workers.append(worker)
            return min(len(self.workers), 65535)

    def take_delta(self) -> Delta | None:
        """What has changed since the last call, as a message; None where nothing has."""
        with self._lock:
            if not self._changed:
                return None
            rows = np.fromiter(sorted(self._dirty), np.uint32, len(self._dirty))
            self.seq += 1
            content = {
                "kind": "delta",
                "reset": self._reset,
                **self._header(),
                "errors": {str(i): self.errors[i] for i in self._dirty if i in self.errors},
                "notes": {str(i): self.notes[i] for i in self._dirty if i in self.notes},
                "count": len(rows),
            }
            if len(self.workers) > self._sent_workers or self._reset:
                content["workers"] = list(self.workers)
                self._sent_workers = len(self.workers)
            columns = (
                rows.astype("<u4"),
                self.begin[rows].astype("<f4"),
                self.seconds[rows].astype("<f4"),
                self.attempt[rows].astype("<u2"),
                self.worker[rows].astype("<u2"),
                self.state[rows],
            )
            buffer = b"".join(column.tobytes() for column in columns)
            if (missed := self.missed.take_new()) is not None:
                content["missed"] = missed[0]
                buffer += missed[1]
            self._dirty, self._reset, self._changed = set(), False, False
            return Delta(content, buffer)

    def to_wire(self) -> dict[str, Any]:
        """The `_status` trait, see docs/architecture.md."""
        with self._lock:
            return {
                **self._header(),
                "workers": list(self.workers),
                "errors": {str(place): error for place, error in self.errors.items()},
                "notes": {str(place): note for place, note in self.notes.items()},
                "state": self.state.tobytes(),
                "attempt": self.attempt.astype("<u2").tobytes(),
                "worker": self.worker.astype("<u2").tobytes(),
                "begin": self.begin.astype("<f4").tobytes(),
                "seconds": self.seconds.astype("<f4").tobytes(),
                "missed": self.missed.to_wire(),
            }

    def _header(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "seq": self.seq,
            "run": self.run,
            "run_state": self.run_state,
            "now": time.time(),
            "started": self.started,
            "ended": self.ended,
            "notice": self.notice or self.warning,
            "where": self.where,
        }

    def states(self) -> NodeStates:
        """The states of all nodes now."""
        with self._lock:
            return NodeStates(self.index, self.state.tobytes())

    def progress(self) -> dict[str, Any]:
        """`total`, `finished`, `counts` by state, `elapsed` and `remaining` seconds (None: unknown), run `state`."""
        with self._lock:
            codes = np.bincount(self.state, minlength=len(STATES))
            counts = {str(state): int(n) for state, n in zip(STATES, codes, strict=True) if n}
            finished = sum(int(codes[state.code]) for state in STATES if state.finished)
            elapsed = None if self.started is None else (self.ended or time.time()) - self.started
            return {
                "total": len(self.state),
                "finished": finished,
                "counts": counts,
                "elapsed": elapsed,
                "remaining": self._remaining(codes, elapsed),
                "state": self.run_state,
            }

    def _remaining(self, codes: NDArray[Any], elapsed: float | None) -> float | None:
        computed = int(codes[NodeState.DONE.code])
        left = sum(int(codes[state.code]) for state in STATES if not state.finished)
        if self.ended is not None or not elapsed or not computed:
            return None
        if codes[NodeState.QUEUED.code] and any(
            note.startswith(WAITS) and self.state[place] == NodeState.QUEUED.code
            for place, note in self.notes.items()
        ):
            return None
        return elapsed / computed * left


def clip(text: Any) -> str:
    """A text without terminal colours, bounded to what travels with the columns."""
    text = displayable(_ANSI.sub("", str(text)))
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"
