"""How much a storage keeps: the bound that a person sets, and which versions go first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from ..engine.errors import shorten
from .base import StorageError

__all__ = ["Keep", "Removed", "StoredFile", "Usage", "WorkflowUsage", "choose", "readable_size"]


@dataclass(frozen=True)
class Keep:
    """What a storage keeps. Every bound may be None, which means "no bound".

    Attributes:
        versions: Versions of each task. The ones used last are kept.
        bytes: Total size of the storage. Older versions go first, and the version of a task that was used last only if
            nothing else is left.
        age: Seconds, or a `timedelta`, since a version was last used.
    """

    versions: int | None = 5
    bytes: int | None = 50_000_000_000
    age: float | timedelta | None = None

    def __post_init__(self) -> None:
        if not _is_positive(self.versions, int):
            raise StorageError(
                f"keep: versions must be a positive integer or None, got {self._shown('versions')}."
            )
        if not _is_positive(self.bytes, int | float):
            raise StorageError(f"keep: bytes must be a positive number or None, got {self._shown('bytes')}.")
        age = self.age.total_seconds() if isinstance(self.age, timedelta) else self.age
        if not _is_positive(age, int | float):
            raise StorageError(
                f"keep: age must be a positive number of seconds, a timedelta or None, got {self._shown('age')}."
            )

    def _shown(self, name: str) -> str:
        return shorten(repr(getattr(self, name)))

    @property
    def seconds(self) -> float | None:
        """`age` in seconds."""
        return self.age.total_seconds() if isinstance(self.age, timedelta) else self.age

    @classmethod
    def parse(cls, value: Any) -> Keep:
        """Return the bound that `value` describes.

        Args:
            value: A `Keep`, a number of versions, a mapping such as `{"versions": 3, "bytes": 1e9}`, or None for no
                bound at all.

        Raises:
            StorageError: It describes no bound.
        """
        if isinstance(value, Keep):
            return value
        if value is None:
            return cls(None, None, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(versions=value)
        if isinstance(value, Mapping):
            unknown = set(value) - {field.name for field in fields(cls)}
            if unknown:
                raise StorageError(
                    f"keep has no {', '.join(sorted(map(repr, unknown)))}: it has 'versions', 'bytes' and 'age'."
                )
            return cls(**value)
        raise StorageError(
            f"keep must be a Keep, a number of versions, a dict or None, got {shorten(repr(value))}."
        )


def _is_positive(value: Any, kinds: Any) -> bool:
    return value is None or (isinstance(value, kinds) and not isinstance(value, bool) and value > 0)


@dataclass(frozen=True)
class StoredFile:
    """A file of a storage, as its listing shows it.

    Attributes:
        folder, name: Where it is.
        task: Safe name of the task; empty for a damaged file that was set aside.
        key: Digest of the fingerprint, or None.
        size: Bytes.
        saved, used: Seconds since the epoch.
    """

    folder: str
    name: str
    task: str
    key: str | None
    size: int
    saved: float
    used: float


@dataclass(frozen=True)
class Removed:
    """A file that `prune` removed.

    Attributes:
        workflow, task: The names, or None if the file did not tell them.
        fingerprint: Digest of the fingerprint, or None.
        size: Bytes.
        path: Where it was.
        why: Which bound it exceeded.
    """

    workflow: str | None
    task: str | None
    fingerprint: str | None
    size: int
    path: str
    why: str


@dataclass(frozen=True)
class WorkflowUsage:
    """What one workflow takes up.

    Attributes:
        tasks, versions: How many there are.
        bytes: Size of all files, damaged ones included.
        damaged: Damaged files that were set aside.
    """

    tasks: int = 0
    versions: int = 0
    bytes: int = 0
    damaged: int = 0


@dataclass(frozen=True)
class Usage:
    """What a storage takes up.

    Attributes:
        path: The storage.
        workflows: By name.
    """

    path: str
    workflows: Mapping[str, WorkflowUsage] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The total size."""
        return sum(part.bytes for part in self.workflows.values())

    @property
    def versions(self) -> int:
        """How many versions there are."""
        return sum(part.versions for part in self.workflows.values())

    @property
    def tasks(self) -> int:
        """How many tasks there are."""
        return sum(part.tasks for part in self.workflows.values())

    @property
    def damaged(self) -> int:
        """How many damaged files were set aside."""
        return sum(part.damaged for part in self.workflows.values())

    def __repr__(self) -> str:
        rows = [("workflow", "tasks", "versions", "size", "damaged")]
        parts: list[tuple[str, WorkflowUsage | Usage]] = []
        parts += sorted(self.workflows.items(), key=lambda item: (-item[1].bytes, item[0]))
        for name, part in [*parts, ("total", self)]:
            counts = f"{part.tasks:,}", f"{part.versions:,}", readable_size(part.bytes), f"{part.damaged:,}"
            rows.append((shorten(name, 40).encode("unicode_escape").decode(), *counts))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
                ]
            )
            for row in rows
        ]
        return "\n".join([f"Usage of {self.path}", *lines])


def readable_size(count: float) -> str:
    """Return a number of bytes as people write it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def choose(
    stored: Iterable[StoredFile],
    keep: Keep,
    now: float,
    is_needed: Callable[[StoredFile], bool],
    *,
    total: bool = True,
) -> list[tuple[StoredFile, str]]:
    """Return the files that exceed a bound, each with the reason, in the order in which they go.

    Args:
        stored: The files.
        keep: The bound.
        now: Seconds since the epoch.
        is_needed: Whether a run under way needs a file. Such a file counts, and stays.
        total: Whether `stored` is the whole storage, so that its size can be compared with `keep.bytes`.
    """
    files = sorted(stored, key=lambda file: (file.used, file.saved, file.name), reverse=True)
    going: dict[StoredFile, str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    last_used: set[StoredFile] = set()
    for file in files:
        why = None
        if keep.seconds is not None and now - file.used > keep.seconds:
            why = f"not used for {keep.seconds:,.0f} s"
        if file.task:
            counts[file.folder, file.task] += 1
            if counts[file.folder, file.task] == 1:
                last_used.add(file)
            if keep.versions is not None and counts[file.folder, file.task] > keep.versions:
                why = f"more than {keep.versions} versions"
        if why is not None and not is_needed(file):
            going[file] = why
    if total and keep.bytes is not None:
        staying = [file for file in reversed(files) if file not in going]
        size = sum(file.size for file in staying)
        for group in (  # damaged files, older versions, then those that are the last of their tasks
            [file for file in staying if not file.task],
            [file for file in staying if file.task and file not in last_used],
            [file for file in staying if file in last_used],
        ):
            for file in group:
                if size <= keep.bytes:
                    break
                if not is_needed(file):
                    going[file] = f"more than {readable_size(keep.bytes)} in total"
                    size -= file.size
    return list(going.items())
