"""What every storage offers, the exceptions of storage, and `storage_factory`.

The names are those of Function Fuse's Storage interface (`new_workflow`, `save`, `read_task`, `file_exists`,
`list_tasks`).
"""

from __future__ import annotations

import importlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..engine.errors import FuseError, shorten

if TYPE_CHECKING:
    from .fingerprint import Fingerprint

__all__ = [
    "DamagedTaskError",
    "Storage",
    "StorageError",
    "TaskNotFoundError",
    "TaskRecord",
    "UnloadableResultError",
    "UnsaveableResultError",
    "register_kind",
    "storage_factory",
]

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
    """Storage holds no task of this name."""

    def __str__(self) -> str:  # KeyError would show the message as a quoted literal
        return str(self.args[0])


class DamagedTaskError(StorageError):
    """What storage holds under this name is damaged, half-written or foreign; it was set aside, not used.

    Attributes:
        reason: What is wrong with the file, in words.
        set_aside: Where the file is now, or None where it could not be moved.
    """

    def __init__(
        self, message: str, *, reason: str = "", set_aside: str | None = None, **where: str | None
    ) -> None:
        super().__init__(message, **where)
        self.reason, self.set_aside = reason, set_aside


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
        fingerprint: What the result was computed from, or None where it was saved without.
        size: Bytes of the pickled result.
        saved_at: Seconds since the epoch.
        meta: What the backend added, JSON values.
        path: Where it is.
    """

    workflow_name: str
    task_name: str
    fingerprint: Fingerprint | None
    size: int
    saved_at: float
    meta: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    def __repr__(self) -> str:
        when = datetime.fromtimestamp(self.saved_at).isoformat(" ", "seconds")
        return f"<task {shorten(self.task_name)!r} of {shorten(self.workflow_name)!r}: {self.size:,} bytes, {when}>"


class Storage(ABC):
    """Keeps results of nodes under a workflow name and a task name.

    A storage is used by one run from several threads and processes at once: it has to be picklable, and a
    task is either there as a whole or not at all.

    Attributes:
        match: `"fingerprint"`: a task is used only where its fingerprint still holds; `"name"`: Function
            Fuse's rule, the name alone.
    """

    match: Match = "fingerprint"

    @abstractmethod
    def new_workflow(self, workflow_name: str) -> None:
        """Make room for a workflow; keep what is there where it exists already."""

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
        """Save a result, replacing what was saved under this name.

        Args:
            workflow_name, task_name: Any texts.
            result: Any value that can be pickled.
            fingerprint: What the result was computed from.
            meta: JSON values to give back with `lookup`.

        Raises:
            UnsaveableResultError: The result cannot be pickled.
            StorageError: The disk is full, read-only or gone; what was saved before is intact.
        """

    @abstractmethod
    def read_task(self, workflow_name: str, task_name: str) -> Any:
        """The saved result.

        Raises:
            TaskNotFoundError: There is none.
            DamagedTaskError: The file is damaged; it was set aside.
            UnloadableResultError: The file is whole, but the result cannot be loaded in this process.
        """

    @abstractmethod
    def lookup(self, workflow_name: str, task_name: str) -> TaskRecord | None:
        """What is known about a task, without reading its result; None where there is none.

        Raises:
            DamagedTaskError: The file is damaged; it was set aside.
        """

    @abstractmethod
    def file_exists(self, workflow_name: str, task_name: str) -> bool:
        """True where a task of this name can be read; a damaged one is set aside with a warning."""

    @abstractmethod
    def list_tasks(self, workflow_name: str, pattern: str | None = None) -> list[str]:
        """The names of the saved tasks, sorted.

        Args:
            workflow_name: A workflow; one that was never saved has no tasks.
            pattern: A regular expression that has to match the whole name.

        Raises:
            PatternError: `pattern` is no regular expression.
        """

    @abstractmethod
    def list_workflows(self) -> list[str]:
        """The names of the workflows, sorted."""

    @abstractmethod
    def remove_task(self, workflow_name: str, task_name: str) -> None:
        """Remove a task; do nothing where there is none."""

    @abstractmethod
    def remove_workflow(self, workflow_name: str) -> None:
        """Remove a workflow with all its tasks; do nothing where there is none."""

    def why_not(self, record: TaskRecord | None, fingerprint: Fingerprint | None) -> str | None:
        """Why a saved task may not be used for a node, in words; None where it may.

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


def check_match(match: str) -> Match:
    """`match`, if it is one of the two rules."""
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
        raise StorageError(
            'a storage is described by {"kind": "file", "options": {"path": ...}}, '
            f"not by {shorten(repr(description))}."
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
        raise StorageError(f"options of storage kind {kind!r} are a dict, not {shorten(repr(options))}.")
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
