"""Enforces the bound of a storage: when to look, and what to remove while other kernels save and read."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

from . import leases
from .disks import Disk, Entry
from .keep import Keep, StoredFile, choose
from .naming import is_safe_name, parse_version, set_aside_from
from .taskfile import Damage

__all__ = ["SMALL", "Pruner", "by_task", "workflows"]

#: Saves after which the bound is enforced at the earliest, and seconds after which a total counts as out of date.
SAVES = 100
TOTAL = 600.0
#: Files that are removed between two looks at the leases.
REMOVED = 16
#: Bytes of a lease, or of a workflow.json, that are read.
SMALL = 1 << 26


class Pruner:
    """Removes what exceeds the bound of one storage. All methods raise OSError if the disk fails.

    Args:
        disk: The storage.
        keep: Its bound.
    """

    def __init__(self, disk: Disk, keep: Keep) -> None:
        self._disk, self._keep = disk, keep
        self._saved = _Saved()

    def count_save(self, size: int) -> bool:
        """Count a save of so many bytes. Return whether it is time to call `tidy`."""
        return self._saved.add(size)

    def prune(self) -> Iterator[tuple[StoredFile, str]]:
        """Remove what exceeds the bound; each file is yielded with the reason before it goes."""
        return self._removing(self._choose(_stored(workflows(self._disk)), total=True))

    def tidy(self, folder: str) -> None:
        """Enforce the bound: for one workflow, or for the whole storage if its total may be exceeded."""
        if self._keep == Keep(None, None, None):
            return
        if self._saved.may_exceed(self._keep.bytes):
            tree = workflows(self._disk)
            files = _stored(tree)
            gone = sum(file.size for file, _ in self._removing(self._choose(files, total=True)))
            self._saved.reset(len(tree.get(folder, ())), sum(file.size for file in files) - gone)
        else:
            entries = self._disk.entries(folder)
            for _ in self._removing(self._choose(_stored({folder: entries}), total=False)):
                pass
            self._saved.reset(len(entries))

    def write_lease(self, name: str, content: bytes) -> None:
        """Write a lease, or renew it."""
        self._disk.write(leases.FOLDER, name, lambda sink: sink.write(content) and None, durable=False)

    def _choose(self, files: list[StoredFile], *, total: bool) -> list[tuple[StoredFile, str]]:
        now = time.time()
        if not choose(files, self._keep, now, lambda file: False, total=total):
            return []
        needs = self._needs()
        return choose(files, self._keep, now, lambda file: file in needs, total=total)

    def _removing(self, going: list[tuple[StoredFile, str]]) -> Iterator[tuple[StoredFile, str]]:
        """Remove files one by one; each is yielded before it goes."""
        for at, (file, why) in enumerate(going):
            if at % REMOVED == 0:
                needs = self._needs()
            if file not in needs:
                yield file, why
                self._disk.remove(file.folder, file.name)

    def _needs(self) -> leases.Needs:
        """What runs under way need; leases that have ended are removed."""
        needs = leases.Needs()
        for entry in self._disk.entries(leases.FOLDER).values():
            if not entry.name.endswith(leases.LEASE):
                continue
            lease = None
            with suppress(Damage, OSError), self._disk.open(leases.FOLDER, entry.name) as source:
                if source.size <= SMALL:
                    lease = leases.parse_lease(source.read(0, source.size))
            if leases.has_ended(lease, time.time() - entry.saved):
                with suppress(OSError):
                    self._disk.remove(leases.FOLDER, entry.name)
            else:
                needs.add(lease)
        return needs


class _Saved:
    """Counts what one process saves, so that the bound is looked at only when it may be exceeded."""

    def __init__(self) -> None:
        self._saves, self._next = 0, SAVES
        self._bytes = 0
        self._total: int | None = None
        self._counted_at = -math.inf

    def add(self, size: int) -> bool:
        """Count a save. Return whether it is time to enforce the bound."""
        self._saves += 1
        self._bytes += size
        return self._saves >= self._next

    def may_exceed(self, total: float | None) -> bool:
        """Return whether the whole storage may be larger than `total`, or nobody has looked for a while."""
        if total is None:
            return False
        if self._total is None or time.monotonic() > self._counted_at + TOTAL:
            return True
        return self._total + self._bytes > total

    def reset(self, files: int, total: int | None = None) -> None:
        """Take note of a listing.

        Args:
            files: How many files the workflow has: a listing may cost one look at each, so the next one has to wait for
                as many saves.
            total: Bytes of the whole storage, if the listing was of that.
        """
        self._saves, self._next = 0, max(SAVES, files)
        if total is not None:
            self._total, self._bytes, self._counted_at = total, 0, time.monotonic()


def workflows(disk: Disk) -> dict[str, dict[str, Entry]]:
    """Return the files of all workflows, by folder."""
    return {folder: entries for folder, entries in disk.tree().items() if is_safe_name(folder)}


def by_task(entries: Mapping[str, Entry]) -> dict[str, dict[str | None, Entry]]:
    """Return the versions in a listing, by safe name of the task and digest of the fingerprint."""
    found: dict[str, dict[str | None, Entry]] = {}
    for name, entry in entries.items():
        version = parse_version(name)
        if version is not None:
            found.setdefault(version[0], {})[version[1]] = entry
    return found


def _stored(tree: Mapping[str, Mapping[str, Entry]]) -> list[StoredFile]:
    """What counts for the bound: versions, and files that were set aside."""
    files = []
    for folder, entries in tree.items():
        for name, entry in entries.items():
            version = parse_version(name)
            if version is not None or set_aside_from(name) is not None:
                task, key = version or ("", None)
                files.append(StoredFile(folder, name, task, key, entry.size or 0, entry.saved, entry.used))
    return files
