"""Results of nodes, kept from one run to the next, and when they may be used again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import (
        DamagedFile,
        DamagedTaskError,
        Storage,
        StorageError,
        TaskNotFoundError,
        TaskRecord,
        UnloadableResultError,
        UnsaveableResultError,
        storage_factory,
    )
    from .file import FileStorage
    from .fingerprint import Fingerprint, FingerprintCache
    from .keep import Keep, Removed, Usage, WorkflowUsage

_HOMES = {
    "DamagedFile": "base",
    "DamagedTaskError": "base",
    "FileStorage": "file",
    "Fingerprint": "fingerprint",
    "FingerprintCache": "fingerprint",
    "Keep": "keep",
    "Removed": "keep",
    "Storage": "base",
    "StorageError": "base",
    "TaskNotFoundError": "base",
    "TaskRecord": "base",
    "UnloadableResultError": "base",
    "UnsaveableResultError": "base",
    "Usage": "keep",
    "WorkflowUsage": "keep",
    "storage_factory": "base",
}

__all__ = [
    "DamagedFile",
    "DamagedTaskError",
    "FileStorage",
    "Fingerprint",
    "FingerprintCache",
    "Keep",
    "Removed",
    "Storage",
    "StorageError",
    "TaskNotFoundError",
    "TaskRecord",
    "UnloadableResultError",
    "UnsaveableResultError",
    "Usage",
    "WorkflowUsage",
    "storage_factory",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
