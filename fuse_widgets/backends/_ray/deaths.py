"""Why and when workers died: what Ray's own records say, in words with the machine and the way out."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from ._compat import dead_workers, is_client, ran_out_of_memory

if TYPE_CHECKING:
    from .live import Who

__all__ = ["Deaths", "out_of_memory", "why_lost"]

#: Seconds between two questions for the deaths of workers, and how long an answer may take.
AGAIN, ANSWER = 0.2, 0.5

_OUT_OF_MEMORY = (
    "out of memory: Ray ended its worker before the machine ran out. Give it a machine with more, ask for "
    "remote_args={'memory': bytes}, or let fewer nodes run at a time with a larger 'num_cpus'"
)
_MACHINE = re.compile(r"Memory on the node \(IP: (\S+), ID: (\w+)\) was (\S+) used / (\S+) limit")
_KILLED = re.compile(r"Selected to kill: \((.*), worker ID=(\w+)\)")
_NAME = re.compile(r"task name=(.*), required resources=")
_USED = re.compile(r"actual memory used=([^,)]+)")


def out_of_memory(said: str, name: str | None = None) -> str:
    """What Ray says where its memory monitor ended a worker, in words.

    Args:
        said: Ray's message.
        name: The name of the node, where the message may tell of several.
    """
    machine = _MACHINE.search(said)
    if machine is None:
        return _OUT_OF_MEMORY
    ip, node, used, limit = machine.groups()
    where = f"Ray ended its worker on {ip} (node {node[:8]}), where {used} of {limit} were in use"
    for killed, _ in _KILLED.findall(said):
        own = _USED.search(killed)
        if own is not None and (name is None or _name(killed) == name):
            where += f", {own[1]} of it by this node"
            break
    return _OUT_OF_MEMORY.replace("Ray ended its worker before the machine ran out", where)


def why_lost(name: str) -> str:
    """Why the last attempt of a task was lost, asked by the next one; what Ray does not tell is told in general.

    Args:
        name: The name of the task.
    """
    try:
        said = _last_out_of_memory(name)
    except Exception:  # Ray has no public way to ask, and the words below stay true
        said = None
    return "its worker was lost" if said is None else out_of_memory(said, name)


def _last_out_of_memory(name: str) -> str | None:
    """What Ray says of the last worker that it ended for its memory while a task of this name ran there."""
    last, said = 0, None
    for worker in dead_workers():
        if not ran_out_of_memory(worker):
            continue
        own = worker.worker_address.worker_id.hex()
        for killed, worker_id in _KILLED.findall(worker.exit_detail):
            if worker_id == own and _name(killed) == name and worker.end_time_ms >= last:
                last, said = worker.end_time_ms, worker.exit_detail
    return said


class Deaths:
    """When workers of a run died; asked where one was lost, and known of those that Ray's raylet outlived.

    State: used by the scheduler's thread; `_ended` is replaced by the thread that asks.
    """

    def __init__(self) -> None:
        self._ended: dict[tuple[str, int], float] = {}
        self._ask_at = 0.0
        self._asking: threading.Thread | None = None
        self._client = is_client()

    def of(self, who: Who) -> float | None:
        """Seconds since the epoch, by the clock of its machine; None where Ray does not know, or does not answer soon."""
        key = who.node_id, who.pid
        silent = self._asking is not None and self._asking.is_alive()  # Ray is not there to answer
        known = key in self._ended or self._client
        if not known and not silent and time.monotonic() > self._ask_at:
            self._asking = threading.Thread(target=self._ask, name="fuse deaths", daemon=True)
            self._asking.start()
            self._asking.join(ANSWER)
            self._ask_at = time.monotonic() + AGAIN
        return self._ended.get(key)

    def _ask(self) -> None:
        try:
            found = [(w.worker_address.node_id.hex(), w.pid, w.end_time_ms / 1000) for w in dead_workers()]
        except Exception:  # Ray has no public way to ask; the attempt then ends where its loss was noticed
            return
        ended: dict[tuple[str, int], float] = {}
        for node_id, pid, when in found:
            ended[node_id, pid] = max(when, ended.get((node_id, pid), 0.0))
        self._ended = ended


def _name(killed: str) -> str | None:
    found = _NAME.search(killed)
    return None if found is None else found[1]
