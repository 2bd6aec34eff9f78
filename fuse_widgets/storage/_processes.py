"""Which process wrote a file, and whether it still lives."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

__all__ = ["is_alive", "machine", "started", "writer"]


@functools.cache
def machine() -> str:
    """Return what names the machine (and the container) whose process numbers mean something here."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.blake2b(f"{socket.gethostname()} {space}".encode(), digest_size=6).hexdigest()


def started(pid: int) -> str | None:
    """Return what tells a process from a later one with its number; None if unknown, empty if it is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return None


def is_alive(pid: int, began: str | None = None) -> bool | None:
    """Return whether a process of this machine lives; None if that cannot be told.

    Args:
        pid: Its number.
        began: What `started` returned for it; None if unknown.
    """
    if os.name != "posix" or not 0 < pid < 1 << 31:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    now = started(pid)
    if now == "":
        return False
    return None if began is None or now is None else now == began


def writer() -> str:
    """Return what begins the names of files that this process writes."""
    return f"{machine()}-{os.getpid()}"
