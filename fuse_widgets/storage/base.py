"""What every storage offers, the exceptions of storage, and `storage_factory`.

The names are those of Function Fuse's Storage interface (`new_workflow`, `save`, `read_task`, `file_exists`,
`list_tasks`).
"""

from __future__ import annotations

import importlib
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..engine.errors import FuseError, shorten

if TYPE_CHECKING:
    from .fingerprint import Fingerprint

__all__ = [
    "DamagedFile",
    "DamagedTaskError",
    "Storage",
    "StorageError",
    "TaskNotFoundError",
    "TaskRecord",
    "UnloadableResultError",
    "UnsaveableResultError",
    "log_damage",
    "register_kind",
    "storage_factory",
    "takes_fingerprint",
]

log = logging.getLogger("fuse_widgets")
#: Damage that was logged, so that each is logged once.
_logged: set[tuple[str, ...]] = set()

Match = Literal["fingerprint", "name"]
MATCHES = ("fingerprint", "name")


class StorageError(FuseError):
    """Storage could not do what was asked. Tasks saved earlier are intact.

    Attributes:
        workflow: Name of the workflow, or None.
        task: Name of the task, or None.
        path: The file or folder concerned, or None.
    """

    def __init__(
        self, message: str, *, workflow: str | None = None, task: str | None = None, path: str | None = None
    ) -> None:
        super().__init__(message)
        self.workflow, self.task, self.path = workflow, task, path


class TaskNotFoundError(StorageError, KeyError):
    """Storage holds no such version of this task."""

    def __str__(self) -> str:  # KeyError would show the message as a quoted literal
        return str(self.args[0])


class DamagedTaskError(StorageError):
    """What storage holds under this name is damaged, half-written, not signed as it must be, or foreign. It is not used.

    Attributes:
        reason: What is wrong with the file.
        set_aside: Where the file is now, or None if it is still in its place.
    """

    def __init__(
        self, message: str, *, reason: str = "", set_aside: str | None = None, **where: str | None
    ) -> None:
        super().__init__(message, **where)
        self.reason, self.set_aside = reason, set_aside


@dataclass(frozen=True)
class DamagedFile:
    """A file of a storage that is not used.

    Attributes:
        path: Where it is now.
        reason: What is wrong with it.
        workflow: The workflow, or None if its name cannot be read.
        size: Bytes.
        set_aside: Whether it was moved out of the way.
    """

    path: str
    reason: str
    workflow: str | None
    size: int
    set_aside: bool


def log_damage(message: str, path: str, reason: str, set_aside: str | None = None) -> None:
    """Log a damaged file, unless that was done in this process."""
    what = path, reason, set_aside or ""
    if what not in _logged:
        if len(_logged) > 10_000:
            _logged.clear()
        _logged.add(what)
        log.warning("%s", message)


class UnsaveableResultError(StorageError):
    """A result that cannot be pickled. The result itself is unharmed.

    Attributes:
        type_name: The qualified name of the result's type.
    """

    def __init__(self, message: str, *, type_name: str = "", **where: str | None) -> None:
        super().__init__(message, **where)
        self.type_name = type_name


class UnloadableResultError(StorageError):
    """A saved result that is whole but cannot be loaded here, for example because its class is gone."""


@dataclass(frozen=True)
class TaskRecord:
    """What storage knows about a task without reading the result.

    Attributes:
        workflow_name, task_name: The exact names it was saved under.
        fingerprint: What the result was computed from, or None if it was saved without.
        size: Bytes of the pickled result.
        saved_at: Seconds since the epoch.
        meta: What the backend added, JSON values.
        path: Where it is.
        result_digest: SHA-256 of the pickled result, or empty if the storage does not tell.
    """

    workflow_name: str
    task_name: str
    fingerprint: Fingerprint | None
    size: int
    saved_at: float
    meta: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    result_digest: str = ""

    def __repr__(self) -> str:
        when = datetime.fromtimestamp(self.saved_at).isoformat(" ", "seconds")
        return f"<task {shorten(self.task_name)!r} of {shorten(self.workflow_name)!r}: {self.size:,} bytes, {when}>"


class Storage(ABC):
    """Keeps results of nodes under a workflow name, a task name and a fingerprint.

    A run uses a storage from several threads and processes at once: it must be picklable, and a version is
    either there as a whole or not at all.

    Attributes:
        match: `"fingerprint"`: a run uses only what was saved under the node's fingerprint; `"name"`: Function
            Fuse's rule, the name alone.
    """

    match: Match = "fingerprint"

    @abstractmethod
    def new_workflow(self, workflow_name: str) -> None:
        """Make room for a workflow; keep what exists already."""

    @abstractmethod
    def save(
        self,
        workflow_name: str,
        task_name: str,
        result: Any,
        *,
        fingerprint: Fingerprint | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        """Save a version of a task, replacing what was saved under the same fingerprint.

        Args:
            workflow_name, task_name: Any strings.
            result: Any value that can be pickled.
            fingerprint: What the result was computed from.
            meta: JSON values to give back with `lookup`.

        Raises:
            UnsaveableResultError: The result cannot be pickled.
            StorageError: The disk is full, read-only or gone; what was saved before is intact.
        """

    @abstractmethod
    def read_task(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> Any:
        """Return a saved result.

        Args:
            workflow_name, task_name: What it was saved under.
            fingerprint: A fingerprint, or its digest: return only what was saved under it. None: return the newest
                version.

        Raises:
            TaskNotFoundError: There is none.
            DamagedTaskError: The file is damaged and not used.
            UnloadableResultError: The file is whole, but the result cannot be loaded in this process.
        """

    @abstractmethod
    def lookup(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> TaskRecord | None:
        """Return what is known about a version, without reading its result; None if there is none.

        Args:
            workflow_name, task_name, fingerprint: See `read_task`.

        Raises:
            DamagedTaskError: The file is damaged and not used.
        """

    def lookup_many(
        self, workflow_name: str, tasks: Mapping[str, Fingerprint | None] | Iterable[str]
    ) -> list[TaskRecord | Exception | None]:
        """Look up many tasks at once, for a run.

        Args:
            workflow_name: The workflow.
            tasks: Names, each with its fingerprint or None.

        Returns:
            For each task the version under its fingerprint; if there is none, the version that was used last, or the newest if
            that is not known, whose fingerprint says what has changed; None if there is no version; the exception if `lookup` raised one.
        """
        found: list[TaskRecord | Exception | None] = []
        for task, fingerprint in tasks.items() if isinstance(tasks, Mapping) else ((t, None) for t in tasks):
            try:
                record = None
                if fingerprint is not None:
                    record = self.lookup(workflow_name, task, fingerprint=fingerprint)
                found.append(record or self.lookup(workflow_name, task))
            except Exception as error:
                found.append(error)
        return found

    def lease(self, workflow_name: str, tasks: Mapping[str, Fingerprint | None]) -> Any:
        """Keep versions from being removed while a run needs them, if this storage removes any by itself.

        Args:
            workflow_name: The workflow.
            tasks: Names, each with its fingerprint; None stands for all versions of a task.

        Returns:
            An object with `release(saved)`, or None.
        """
        return None

    @abstractmethod
    def file_exists(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> bool:
        """Return whether a version can be read. A damaged one is set aside and logged."""

    @abstractmethod
    def list_tasks(self, workflow_name: str, pattern: str | None = None) -> list[str]:
        """Return the names of the saved tasks, sorted.

        Args:
            workflow_name: A workflow; one that was never saved has no tasks.
            pattern: A regular expression that must match the whole name.

        Raises:
            PatternError: `pattern` is not a regular expression.
        """

    @abstractmethod
    def list_workflows(self) -> list[str]:
        """Return the names of the workflows, sorted."""

    @abstractmethod
    def remove_task(self, workflow_name: str, task_name: str) -> None:
        """Remove a task with all its versions; do nothing if there is none."""

    @abstractmethod
    def remove_workflow(self, workflow_name: str) -> None:
        """Remove a workflow with all its tasks; do nothing if there is none."""

    def why_not(self, record: TaskRecord | None, fingerprint: Fingerprint | None) -> str | None:
        """Return why a saved version may not be used for a node; None if it may.

        Args:
            record: What `lookup` returned.
            fingerprint: The node's fingerprint now.
        """
        if record is None:
            return "it was not stored yet"
        if self.match == "name":
            return None
        if fingerprint is None:
            return "there is no fingerprint to compare with"
        return fingerprint.difference(record.fingerprint)


def takes_fingerprint(method: Callable[..., Any]) -> bool:
    """Return whether `lookup` or `read_task` of a storage can be asked for one fingerprint."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.name == "fingerprint" or p.kind is p.VAR_KEYWORD for p in parameters)


def check_match(match: str) -> Match:
    """Return `match` if it is one of the two rules."""
    if match not in MATCHES:
        raise StorageError(f'match={shorten(repr(match))} is unknown: use "fingerprint" or "name".')
    return match  # type: ignore[return-value]


class _Kinds:
    """Kinds of storage by name: a class, or `module:attribute` that is imported when first asked for."""

    known: ClassVar[dict[str, str | Callable[..., Storage]]] = {
        "file": ".file:FileStorage",
        "ray": ".ray:RayFileStorage",
    }

    @classmethod
    def load(cls, kind: str) -> Callable[..., Storage]:
        target = cls.known[kind]
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        found: Callable[..., Storage] = getattr(importlib.import_module(module, __package__), attribute)
        return found


def register_kind(kind: str, storage: str | Callable[..., Storage]) -> None:
    """Let `storage_factory` make another kind of storage.

    Args:
        kind: The word that stands under `"kind"`.
        storage: The class, or `"package.module:Class"`, imported when it is first asked for.
    """
    _Kinds.known[kind] = storage


def storage_factory(description: Mapping[str, Any]) -> Storage:
    """Make a storage from a description that fits into a configuration file.

    Args:
        description: `{"kind": "file", "options": {"path": ...}}`; the options are the arguments of
            `FileStorage`, or of the class of another kind.

    Raises:
        StorageError: The kind or an option is unknown, or a needed option is missing.
    """
    if not isinstance(description, Mapping):
        raise StorageError(  # without the value, which may contain a key
            'a storage must be described by {"kind": "file", "options": {"path": ...}}, '
            f"got {type(description).__name__}."
        )
    unknown = set(description) - {"kind", "options"}
    if unknown:
        raise StorageError(f'a storage has "kind" and "options", and no {_listed(unknown)}.')
    kind, options = description.get("kind"), description.get("options", {})
    if kind not in _Kinds.known:
        raise StorageError(
            f"storage kind {shorten(repr(kind))} is unknown: use {_listed(_Kinds.known, 'or')}."
        )
    if not isinstance(options, Mapping):
        raise StorageError(  # without the value, which may contain a key
            f"options of storage kind {kind!r} must be a dict, got {type(options).__name__}."
        )
    try:
        storage = _Kinds.load(kind)
    except (ImportError, AttributeError) as error:
        raise StorageError(
            f"storage kind {kind!r} is not available here ({error}): install what it needs, for example "
            f'pip install "fuse-widgets[{kind}]".'
        ) from error
    parameters = inspect.signature(storage).parameters.values()
    names = {parameter.name for parameter in parameters}
    unknown = set(options) - names
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        raise StorageError(
            f"storage kind {kind!r} has no option {_listed(unknown)}: it has {_listed(names)}."
        )
    missing = {
        p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    } - set(options)
    if missing:
        raise StorageError(f"storage kind {kind!r} needs the option {_listed(missing)}.")
    return storage(**options)


def _listed(names: Any, word: str = "and") -> str:
    texts = [shorten(repr(name)) for name in sorted(names, key=str)]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"
