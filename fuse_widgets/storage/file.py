"""FileStorage: one file per task, in a folder per workflow, on a local disk or at any fsspec address."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..engine.errors import shorten
from ..engine.warn import warn
from ..engine.workflow import compile_pattern
from . import taskfile
from .base import (
    DamagedTaskError,
    Match,
    Storage,
    StorageError,
    TaskNotFoundError,
    TaskRecord,
    UnloadableResultError,
    UnsaveableResultError,
    check_match,
)
from .disks import Disk, LocalDisk, RemoteDisk
from .fingerprint import Fingerprint
from .naming import safe_name
from .taskfile import Damage, NewerFormat, Sink, Source

__all__ = ["FileStorage"]

TASK = ".task"
WORKFLOW = "workflow.json"


class FileStorage(Storage):
    """Keeps each result in a file of its own.

    A file is written under a temporary name and renamed when it is whole (an object store puts it in one go), so
    a killed kernel or a full disk leaves the earlier file as it was. Every file carries a checksum; a damaged one
    is set aside as `<file>.damaged-1` and reported. Where several save the same task, the last whole one wins.

    Args:
        path: A folder, or an fsspec address such as `s3://bucket/folder` or `memory://folder` (which each
            process has to itself).
        match: `"fingerprint"`, or `"name"` for Function Fuse's rule: a task is used wherever its name is there.
        storage_options: Arguments of the fsspec file system, for example `{"endpoint_url": ...}`.

    Raises:
        StorageError: The address cannot be used: its protocol is unknown, or a package is missing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        match: Match = "fingerprint",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.match = check_match(match)
        self._disk = _disk(path, dict(storage_options or {}))

    @property
    def path(self) -> str:
        """The folder or address."""
        return self._disk.address()

    def __repr__(self) -> str:
        match = "" if self.match == "fingerprint" else f", match={self.match!r}"
        return f"FileStorage({self.path!r}{match})"

    def new_workflow(self, workflow_name: str) -> None:
        folder = safe_name(workflow_name)
        with self._refused("could not be made", workflow_name):
            self._disk.prepare(folder)
            if not self._disk.names(folder):  # every task names its workflow too
                text = json.dumps({"workflow": workflow_name}).encode()
                self._disk.write(folder, WORKFLOW, lambda sink: sink.write(text) and None)

    def save(
        self,
        workflow_name: str,
        task_name: str,
        result: Any,
        *,
        fingerprint: Fingerprint | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        folder, name = _place(workflow_name, task_name)
        header = {
            "workflow": workflow_name,
            "task": task_name,
            "fingerprint": None if fingerprint is None else fingerprint.to_json(),
            "saved_at": time.time(),
            "meta": dict(meta or {}),
        }
        try:
            json.dumps(header)
        except (TypeError, ValueError) as error:
            raise StorageError(
                f"meta of task {shorten(task_name)!r} is not JSON ({error}): give texts, numbers, lists and dicts.",
                workflow=workflow_name,
                task=task_name,
            ) from error

        def unsaveable(error: BaseException) -> BaseException:
            kind = f"{type(result).__module__}.{type(result).__qualname__}".removeprefix("builtins.")
            return UnsaveableResultError(
                f"the result of {shorten(task_name)!r} cannot be saved: its type {kind} cannot be pickled "
                f"({type(error).__name__}: {_text(error)}). Return what can be pickled, or leave this node unsaved.",
                type_name=kind,
                workflow=workflow_name,
                task=task_name,
            )

        def fill(sink: Sink) -> None:
            taskfile.write(sink, result, header, unsaveable)

        with self._refused("could not be saved", workflow_name, task_name):
            self._disk.write(folder, name, fill)

    def read_task(self, workflow_name: str, task_name: str) -> Any:
        found = self._read(workflow_name, task_name, payload=True)
        if found is None or found[1] is None:
            raise TaskNotFoundError(
                f"no task {shorten(task_name)!r} of workflow {shorten(workflow_name)!r} in {self.path}. "
                "list_tasks(...) shows what is there.",
                workflow=workflow_name,
                task=task_name,
                path=self._disk.address(*_place(workflow_name, task_name)),
            )
        try:
            return found[1]()
        except Exception as error:
            raise UnloadableResultError(
                f"task {shorten(task_name)!r} of workflow {shorten(workflow_name)!r} is whole but cannot be loaded "
                f"here ({type(error).__name__}: {_text(error)}). Define or install what it needs, or run it again.",
                workflow=workflow_name,
                task=task_name,
                path=self._disk.address(*_place(workflow_name, task_name)),
            ) from error

    def lookup(self, workflow_name: str, task_name: str) -> TaskRecord | None:
        found = self._read(workflow_name, task_name, payload=False)
        if found is None:
            return None
        return _record(found[0], self._disk.address(*_place(workflow_name, task_name)))

    def file_exists(self, workflow_name: str, task_name: str) -> bool:
        try:
            return self.lookup(workflow_name, task_name) is not None
        except DamagedTaskError as error:
            warn(str(error))
            return False

    def list_tasks(self, workflow_name: str, pattern: str | None = None) -> list[str]:
        matches = None if pattern is None else compile_pattern(pattern)
        folder = safe_name(workflow_name)
        with self._refused("could not be listed", workflow_name):
            names = [name for name in self._disk.names(folder) if name.endswith(TASK)]
            headers = self._disk.each(lambda name: self._header_of_listed(folder, name), names)
        tasks = [header["task"] for header in headers if header and header["workflow"] == workflow_name]
        return sorted(task for task in tasks if matches is None or matches.fullmatch(task))

    def list_workflows(self) -> list[str]:
        with self._refused("could not be listed"):
            found = self._disk.each(self._workflow_of, self._disk.folders())
        return sorted(name for name in found if name is not None)

    def remove_task(self, workflow_name: str, task_name: str) -> None:
        with self._refused("could not be removed", workflow_name, task_name):
            self._disk.remove(*_place(workflow_name, task_name))

    def remove_workflow(self, workflow_name: str) -> None:
        with self._refused("could not be removed", workflow_name):
            self._disk.remove_folder(safe_name(workflow_name))

    def _read(
        self, workflow_name: str, task_name: str, payload: bool
    ) -> tuple[dict[str, Any], Callable[[], Any] | None] | None:
        """The header, and what unpickles the verified payload where that is asked for."""
        place = _place(workflow_name, task_name)
        # The parts of a remote file may be of two versions where it is replaced meanwhile: then read it again.
        attempts = 1 if payload or isinstance(self._disk, LocalDisk) else 5
        with self._refused("could not be read", workflow_name, task_name):
            while True:
                attempts -= 1
                try:
                    with self._disk.open(*place, whole=payload) as source:
                        try:
                            header = self._header_of(source, workflow_name, task_name)
                            return header, taskfile.read_result(source, header) if payload else None
                        except Damage as damage:
                            if not attempts:
                                raise self._set_aside(workflow_name, task_name, source, str(damage)) from None
                except FileNotFoundError:
                    return None

    def _header_of(self, source: Source, workflow_name: str, task_name: str) -> dict[str, Any]:
        try:
            header = taskfile.read_header(source)
        except NewerFormat as newer:
            raise StorageError(
                f"task {shorten(task_name)!r} was saved by a later version of fuse_widgets (format {newer}): "
                "install that, or run the node again.",
                workflow=workflow_name,
                task=task_name,
                path=self._disk.address(*_place(workflow_name, task_name)),
            ) from None
        if (header["workflow"], header["task"]) != (workflow_name, task_name):
            raise Damage(f"it holds {shorten(header['task'])!r} of workflow {shorten(header['workflow'])!r}")
        return header

    def _set_aside(self, workflow: str, task: str, source: Source, reason: str) -> DamagedTaskError:
        place = _place(workflow, task)
        path = self._disk.address(*place)
        try:
            moved = self._disk.set_aside(*place, source)
            where = f"It was set aside as {moved}" if moved else "It has been saved anew meanwhile"
        except FileNotFoundError:
            moved, where = None, "It was set aside or removed by somebody else"
        except OSError as error:
            moved, where = None, f"It could not be set aside ({_text(error)})"
        return DamagedTaskError(
            f"the file of task {shorten(task)!r} of workflow {shorten(workflow)!r} is not used: {reason} "
            f"({path}). {where}; the node has to run again.",
            reason=reason,
            set_aside=moved,
            workflow=workflow,
            task=task,
            path=path,
        )

    def _header_of_listed(self, folder: str, name: str) -> dict[str, Any] | None:
        """The header of a file in a listing, or None where it is foreign, damaged or gone."""
        try:
            with self._disk.open(folder, name) as source:
                header = taskfile.read_header(source)
        except (Damage, NewerFormat, FileNotFoundError):
            return None
        return header if _place(header["workflow"], header["task"]) == (folder, name) else None

    def _workflow_of(self, folder: str) -> str | None:
        """The name of the workflow in a folder, or None where the folder is foreign."""
        try:
            with self._disk.open(folder, WORKFLOW) as source:
                name: str = json.loads(source.read(0, source.size))["workflow"]
            if safe_name(name) == folder:
                return name
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass
        for file in self._disk.names(folder):
            header = self._header_of_listed(folder, file) if file.endswith(TASK) else None
            if header is not None:
                return str(header["workflow"])
        return None

    @contextmanager
    def _refused(self, what: str, workflow: str | None = None, task: str | None = None) -> Iterator[None]:
        """Turns an OSError of the disk into a StorageError that says what, where and the way out."""
        try:
            yield
        except OSError as error:
            subject = "the storage" if workflow is None else f"workflow {shorten(workflow)!r}"
            parts = [] if workflow is None else [safe_name(workflow)]
            if task is not None:
                subject, parts = f"task {shorten(task)!r} of {subject}", list(_place(workflow or "", task))
            path = self._disk.address(*parts)
            raise StorageError(
                f"{subject} {what} in {path}: {_text(error)}. {_way_out(error)} What was saved before is intact.",
                workflow=workflow,
                task=task,
                path=path,
            ) from error


def _place(workflow_name: str, task_name: str) -> tuple[str, str]:
    return safe_name(workflow_name), safe_name(task_name) + TASK


def _record(header: Mapping[str, Any], path: str) -> TaskRecord:
    fingerprint = header["fingerprint"]
    return TaskRecord(
        workflow_name=header["workflow"],
        task_name=header["task"],
        fingerprint=None if fingerprint is None else Fingerprint.from_json(fingerprint),
        size=sum(header["parts"]),
        saved_at=header["saved_at"],
        meta=header["meta"],
        path=path,
    )


def _disk(path: str | os.PathLike[str], options: dict[str, Any]) -> Disk:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str) or not text:
        raise StorageError(f"the path of a storage is a folder or an address, not {shorten(repr(path))}.")
    protocol, mark, rest = text.partition("://")
    if not mark or protocol in ("file", "local"):
        if options:
            raise StorageError(
                f"storage_options are for remote addresses; {shorten(repr(text))} is a folder of this machine."
            )
        return LocalDisk(rest if mark else text)
    try:
        return RemoteDisk(text, options)
    except (ImportError, ValueError) as error:
        raise StorageError(f"the address {shorten(repr(text))} cannot be used: {_text(error)}.") from error


def _way_out(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space there, or give the storage another path."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "Check that this user may write there, or give the storage another path."
    return "Check the path and the connection, or give the storage another path."


def _text(error: BaseException) -> str:
    """What an exception says, also where saying it fails."""
    try:
        return shorten(getattr(error, "strerror", None) or str(error) or type(error).__name__, 400)
    except Exception:
        return type(error).__name__
