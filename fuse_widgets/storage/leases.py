"""Leases: which versions a run under way needs, told to every kernel that may prune.

A lease is a small JSON file in the folder `leases` of a storage. A run writes it before it looks at what is stored, renews
it once a minute, and removes it at its end. On the machine that wrote it, a lease ends with its process; on others, once it
was not renewed for `EXPIRES` seconds. So a kernel that was killed blocks nothing for long, and one that only sleeps is not
taken for dead on its own machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ._processes import is_alive, machine, started
from .keep import StoredFile

__all__ = ["EXPIRES", "FOLDER", "Lease", "Needs", "new_lease", "parse_lease"]

#: The folder of leases, which no workflow can have: `safe_name` adds a digest to every name.
FOLDER = "leases"
LEASE = ".lease"
#: Seconds after which a lease that was not renewed counts as left behind, and how often it is renewed.
EXPIRES = 15 * 60.0
RENEWED = 60.0
#: The same for a lease that is written by way of a Ray cluster.
EXPIRES_RAY = 60 * 60.0
RENEWED_RAY = 5 * 60.0


class Lease:
    """Keeps versions from being removed while a run needs them.

    Args:
        renew: Called once a minute.
        end: Called when the lease ends. Its argument is whether the run saved anything.
    """

    def __init__(self, renew: Callable[[], None] | None, end: Callable[[bool], None]) -> None:
        self._renew, self._end = renew, end
        self._over = threading.Event()
        if renew is not None:
            with contextlib.suppress(RuntimeError):  # a Python without threads: its process is what counts
                threading.Thread(target=self._beat, name="fuse_widgets lease", daemon=True).start()

    def _beat(self) -> None:
        while not self._over.wait(RENEWED):
            with contextlib.suppress(Exception):
                assert self._renew is not None
                self._renew()

    def release(self, saved: bool = True) -> None:
        """End the lease; calling it again does nothing.

        Args:
            saved: Whether the run saved anything, so that the bound of the storage has to be enforced.
        """
        if not self._over.is_set():
            self._over.set()
            self._end(saved)


def mark(task: str, key: str | None) -> str:
    """Return what stands for a version in a lease.

    Args:
        task: Safe name of the task.
        key: Digest of the fingerprint; None stands for all versions of the task.
    """
    return f"{task[-12:]}{(key or '')[:12]}"


def new_lease(folder: str, marks: list[str], expires: float, *, here: bool) -> tuple[str, bytes]:
    """Return the name and the content of a new lease.

    Args:
        folder: Folder of the workflow.
        marks: See `mark`.
        expires: Seconds.
        here: Whether the run is in this process.
    """
    content: dict[str, Any] = {"folder": folder, "needs": marks, "expires": expires}
    if here:
        pid = os.getpid()
        content.update(machine=machine(), pid=pid, started=started(pid))
    return f"{machine()}-{os.getpid()}-{uuid.uuid4().hex}{LEASE}", json.dumps(content).encode()


class Needs:
    """What the runs under way need, in all workflows of a storage."""

    def __init__(self) -> None:
        self._folders: dict[str, set[str]] = {}
        self._all = False

    def add(self, lease: Mapping[str, Any] | None) -> None:
        """Add what a lease says; one that cannot be read (None) needs everything."""
        if lease is None:
            self._all = True
        else:
            self._folders.setdefault(lease["folder"], set()).update(lease["needs"])

    def __contains__(self, file: StoredFile) -> bool:
        if not file.task:
            return False
        if self._all:
            return True
        needs = self._folders.get(file.folder, ())
        return mark(file.task, None) in needs or mark(file.task, file.key) in needs


def parse_lease(content: bytes) -> dict[str, Any] | None:
    """Return what a lease says; None if it cannot be read."""
    try:
        lease = json.loads(content)
        if (
            isinstance(lease["folder"], str)
            and all(isinstance(need, str) for need in lease["needs"])
            and 0 < float(lease["expires"]) <= EXPIRES_RAY
        ):
            return lease  # type: ignore[no-any-return]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        pass
    return None


def has_ended(lease: Mapping[str, Any] | None, age: float) -> bool:
    """Return whether a lease protects nothing any more.

    Args:
        lease: What `parse_lease` returned.
        age: Seconds since it was renewed.
    """
    if lease is not None and lease.get("machine") == machine() and isinstance(lease.get("pid"), int):
        alive = is_alive(lease["pid"], lease.get("started"))
        if alive is not None:
            return not alive
    return age > (EXPIRES if lease is None else float(lease["expires"]))
