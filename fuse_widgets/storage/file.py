"""FileStorage: a file for each version of a task, on a local disk or at any fsspec address."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ..engine.errors import shorten
from ..engine.workflow import compile_pattern
from . import leases, taskfile
from .base import (
    DamagedFile,
    DamagedTaskError,
    Match,
    Storage,
    StorageError,
    TaskNotFoundError,
    TaskRecord,
    UnloadableResultError,
    UnsaveableResultError,
    check_match,
    log_damage,
)
from .disks import USED, Disk, Entry, LocalDisk
from .fingerprint import Fingerprint
from .keep import Keep, Removed, Usage, WorkflowUsage
from .naming import is_safe_name, parse_version, safe_name, set_aside_from, version_name
from .pruning import SMALL, Pruner, by_task, workflows
from .remote import RemoteDisk
from .taskfile import Damage, Key, NewerFormat, Sink, Source

__all__ = ["FileStorage"]

WORKFLOW = "workflow.json"
#: Times that a remote file is read again if its parts do not fit together: it was replaced meanwhile.
ATTEMPTS = 5

Header = dict[str, Any]


class FileStorage(Storage):
    """Keeps each version of each result in a file of its own.

    A version is what was saved under one fingerprint: for other code or other arguments there is another file, so
    several kernels can use one folder, and going back to earlier arguments finds the earlier result.

    A file is written under a temporary name and renamed when it is whole (an object store puts it in one go), so
    a killed kernel or a full disk leaves the earlier file as it was. Every file carries a checksum. A damaged one
    is set aside as `<file>.damaged-1`, logged, and listed by `damaged()`.

    Results are pickles. Whoever can write to the folder can run code in your kernel, unless the files are signed (`key`).

    Args:
        path: A folder, or an fsspec address such as `s3://bucket/folder` or `memory://folder` (which each
            process has to itself).
        match: `"fingerprint"`, or `"name"` for Function Fuse's rule: a task is used if its name is there.
        keep: What is kept: a `Keep`, a number of versions of each task, `{"versions": 5, "bytes": 50e9, "age": None}`, or
            None for everything. Enforced at the end of a run that saved something, every hundred saves or fewer, and by
            `prune()`.
        key: Bytes or a string to sign files with (HMAC-SHA256). Files that are not signed with it are not used, and
            nothing of them is unpickled.
        storage_options: Arguments of the fsspec file system, for example `{"endpoint_url": ...}`.

    Raises:
        StorageError: The address cannot be used: its protocol is unknown, or a package is missing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        match: Match = "fingerprint",
        keep: Keep | int | Mapping[str, Any] | None = Keep(),  # noqa: B008 - it cannot be changed
        key: bytes | str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.match = check_match(match)
        self.keep = Keep.parse(keep)
        self._key = parse_key(key)
        del key  # a traceback with local variables would show it
        self._disk = _disk(path, dict(storage_options or {}))
        self._pruner = Pruner(self._disk, self.keep)

    @property
    def path(self) -> str:
        """The folder or address."""
        return self._disk.address()

    def __repr__(self) -> str:
        match = "" if self.match == "fingerprint" else f", match={self.match!r}"
        keep = "" if self.keep == Keep() else f", keep={self.keep!r}"
        key = "" if self._key is None else f", key={self._key!r}"
        return f"FileStorage({self.path!r}{match}{keep}{key})"

    # --- saving --------------------------------------------------------------------------------------------

    def new_workflow(self, workflow_name: str) -> None:
        folder = safe_name(workflow_name)
        with self._refused("could not be made", workflow_name):
            moved = self._disk.prepare(folder)
            if moved is not None:
                path = self._disk.address(folder)
                log_damage(
                    f"the folder of workflow {shorten(workflow_name)!r} is not a folder ({path}). It was set aside as {moved}.",
                    path,
                    "it is not a folder",
                    moved,
                )
            try:
                known = self._name_in(folder)
            except Damage as damage:
                self._set_aside(folder, WORKFLOW, damage)
                known = None
            if known is None and not by_task(
                self._disk.entries(folder)
            ):  # every task names its workflow, too
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
        folder, name = safe_name(workflow_name), version_name(task_name, _digest(fingerprint))
        saved_at = time.time()
        header = {
            "workflow": workflow_name,
            "task": task_name,
            "key": _digest(fingerprint),
            "fingerprint": None if fingerprint is None else fingerprint.to_json(),
            "saved_at": saved_at,
            "meta": dict(meta or {}),
        }
        try:
            size = len(json.dumps(header))
        except (TypeError, ValueError, RecursionError) as error:
            raise StorageError(
                f"meta of task {shorten(task_name)!r} is not JSON ({error}): give strings, numbers, lists and dicts.",
                workflow=workflow_name,
                task=task_name,
            ) from error
        if size > taskfile.HEADER // 2:
            raise StorageError(
                f"names and meta of task {shorten(task_name)!r} have {size:,} bytes, more than {taskfile.HEADER // 2:,}: "
                "save what is large as a result.",
                workflow=workflow_name,
                task=task_name,
            )

        def unsaveable(error: BaseException) -> BaseException:
            kind = f"{type(result).__module__}.{type(result).__qualname__}".removeprefix("builtins.")
            return UnsaveableResultError(
                f"the result of {shorten(task_name)!r} cannot be saved: its type {kind} cannot be pickled "
                f"({type(error).__name__}: {_text(error)}). Return what can be pickled, or leave this node unsaved.",
                type_name=kind,
                workflow=workflow_name,
                task=task_name,
            )

        count = 0

        def fill(sink: Sink) -> None:
            nonlocal count
            count = taskfile.write(sink, result, header, unsaveable, self._key)

        with self._refused("could not be saved", workflow_name, task_name, name):
            try:
                self._disk.write(folder, name, fill, saved_at=saved_at)
            except IsADirectoryError:
                self._set_aside(folder, name, Damage("it is a folder, not a file"))
                self._disk.write(folder, name, fill, saved_at=saved_at)
        if self._pruner.count_save(count):
            self._tidy(folder)

    # --- reading -------------------------------------------------------------------------------------------

    def read_task(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> Any:
        found = self._find(workflow_name, task_name, _digest(fingerprint), payload=True)
        if found is None:
            which = "" if fingerprint is None else f" under the fingerprint {_digest(fingerprint)}"
            raise TaskNotFoundError(
                f"no task {shorten(task_name)!r} of workflow {shorten(workflow_name)!r}{which} in {self.path}. "
                "list_tasks(...) shows what is there.",
                workflow=workflow_name,
                task=task_name,
                path=self._disk.address(
                    safe_name(workflow_name), version_name(task_name, _digest(fingerprint))
                ),
            )
        _, name, load, identity = found
        place = safe_name(workflow_name), name
        try:
            assert load is not None
            return load()
        except Damage as damage:
            damage.identity = identity
            raise self._damaged(workflow_name, task_name, place, damage) from damage.__cause__
        except Exception as error:
            raise UnloadableResultError(
                f"task {shorten(task_name)!r} of workflow {shorten(workflow_name)!r} is whole but cannot be loaded "
                f"here ({type(error).__name__}: {_text(error)}). Define or install what it needs, or run it again.",
                workflow=workflow_name,
                task=task_name,
                path=self._disk.address(*place),
            ) from error

    def lookup(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> TaskRecord | None:
        found = self._find(workflow_name, task_name, _digest(fingerprint), payload=False)
        return None if found is None else self._record(found[0], safe_name(workflow_name), found[1])

    def lookup_many(
        self, workflow_name: str, tasks: Mapping[str, Fingerprint | None] | Iterable[str]
    ) -> list[TaskRecord | Exception | None]:
        if type(self).lookup is not FileStorage.lookup:  # a subclass has its own
            return super().lookup_many(workflow_name, tasks)
        wanted = dict(tasks) if isinstance(tasks, Mapping) else dict.fromkeys(tasks)
        folder = safe_name(workflow_name)
        try:
            with self._refused("could not be listed", workflow_name):
                listing = by_task(self._disk.entries(folder))
        except StorageError as error:
            return [error] * len(wanted)

        def look_up(task: str) -> TaskRecord | Exception | None:
            versions = listing.get(safe_name(task), {})
            if not versions:
                return None
            try:
                found = None
                digest = _digest(wanted[task])
                if digest is not None and (digest in versions or None in versions):
                    found = self._under(workflow_name, task, digest, False, versions)
                found = found or self._last_used(workflow_name, task, versions)
                return None if found is None else self._record(found[0], folder, found[1])
            except Exception as error:
                return error

        return self._disk.each(look_up, list(wanted))

    def file_exists(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> bool:
        try:
            return self.lookup(workflow_name, task_name, fingerprint=fingerprint) is not None
        except DamagedTaskError:  # it is logged
            return False

    def _find(
        self, workflow: str, task: str, digest: str | None, payload: bool
    ) -> tuple[Header, str, Callable[[], Any] | None, Any] | None:
        with self._refused("could not be read", workflow, task):
            if digest is not None:
                return self._under(workflow, task, digest, payload, None)
            for _ in range(ATTEMPTS):
                versions = by_task(self._disk.entries(safe_name(workflow))).get(safe_name(task))
                if not versions:
                    return None
                found = self._newest(workflow, task, payload, versions)
                if found is not None:
                    return found
        return None

    def _under(
        self,
        workflow: str,
        task: str,
        digest: str,
        payload: bool,
        versions: Mapping[str | None, Entry] | None,
    ) -> tuple[Header, str, Callable[[], Any] | None, Any] | None:
        """The version under one fingerprint: in the file of its name, or in one of format 1."""
        for key in (digest, None):
            if versions is not None and key not in versions:
                continue
            name = version_name(task, key)
            size = None if versions is None else versions[key].size
            found = self._read(workflow, task, name, payload, size, digest, use=versions is not None)
            if found is not None:
                return found
        return None

    def _last_used(
        self, workflow: str, task: str, versions: Mapping[str | None, Entry]
    ) -> tuple[Header, str, Callable[[], Any] | None, Any] | None:
        """The header of the version that a run used last: what has changed since is why a node runs."""
        last = max(entry.used for entry in versions.values())
        of_late = {key: entry for key, entry in versions.items() if entry.used >= last - USED}
        found = self._newest(workflow, task, False, of_late)
        return found or self._newest(workflow, task, False, versions)

    def _newest(
        self, workflow: str, task: str, payload: bool, versions: Mapping[str | None, Entry]
    ) -> tuple[Header, str, Callable[[], Any] | None, Any] | None:
        """The version that was saved last; None if it is gone by now."""
        last = max(entry.saved for entry in versions.values())
        names = [e for e in versions.values() if e.saved >= last - self._disk.resolution]
        if len(names) > 1:  # the listing cannot tell which one was last
            found = [self._read(workflow, task, entry.name, False, entry.size, None) for entry in names]
            there = [(f[0]["saved_at"], e) for f, e in zip(found, names, strict=True) if f is not None]
            if not there:
                return None
            names = [max(there, key=lambda pair: pair[0])[1]]
        return self._read(workflow, task, names[0].name, payload, names[0].size, None)

    def _read(
        self,
        workflow: str,
        task: str,
        name: str,
        payload: bool,
        size: int | None,
        digest: str | None,
        use: bool = False,
    ) -> tuple[Header, str, Callable[[], Any] | None, Any] | None:
        """The header of one file, its name, and what unpickles the verified payload if that is asked for.

        Args:
            workflow, task, name: The file, and what it must say that it holds.
            payload: Whether to read the payload.
            size: Bytes, as a listing said.
            digest: The fingerprint under which it must have been saved; a file of format 1 that has another is not it.
            use: Whether a run uses the version, so that it counts as used now.
        """
        place = safe_name(workflow), name
        attempts = 1 if payload or isinstance(self._disk, LocalDisk) else ATTEMPTS
        while True:
            attempts -= 1
            try:
                with self._disk.open(*place, whole=payload, size=size) as source:
                    identity = getattr(source, "identity", None)
                    try:
                        header = self._header_of(source, workflow, task, name)
                        if digest is not None and header["key"] != digest:
                            return None
                        if use or payload:
                            self._disk.use(source)
                        return (
                            header,
                            name,
                            taskfile.read_result(source, header) if payload else None,
                            identity,
                        )
                    except Damage as damage:
                        damage.identity = damage.identity or identity
                        raise
            except FileNotFoundError:
                return None
            except MemoryError as error:
                raise UnloadableResultError(
                    f"task {shorten(task)!r} of workflow {shorten(workflow)!r} does not fit into memory "
                    f"({self._disk.address(*place)}).",
                    workflow=workflow,
                    task=task,
                    path=self._disk.address(*place),
                ) from error
            except Damage as damage:
                size = None
                if not attempts:
                    raise self._damaged(workflow, task, place, damage) from None

    def _header_of(self, source: Source, workflow: str, task: str, name: str) -> Header:
        try:
            header = taskfile.read_header(source, self._key)
        except NewerFormat as newer:
            raise StorageError(
                f"task {shorten(task)!r} was saved by a later version of fuse_widgets (format {newer}): "
                "install that, or run the node again.",
                workflow=workflow,
                task=task,
                path=self._disk.address(safe_name(workflow), name),
            ) from None
        if (header["workflow"], header["task"]) != (workflow, task):
            raise Damage(f"it holds {shorten(header['task'])!r} of workflow {shorten(header['workflow'])!r}")
        if not _is_named_after(header, name):
            raise Damage("it was saved under another fingerprint")
        return header

    def _record(self, header: Header, folder: str, name: str) -> TaskRecord:
        return TaskRecord(
            workflow_name=header["workflow"],
            task_name=header["task"],
            fingerprint=header["fingerprint"],
            size=sum(header["parts"]),
            saved_at=header["saved_at"],
            meta=header["meta"],
            path=self._disk.address(folder, name),
            result_digest=header["sha256"],
        )

    # --- listing and removing ------------------------------------------------------------------------------

    def list_tasks(self, workflow_name: str, pattern: str | None = None) -> list[str]:
        matches = None if pattern is None else compile_pattern(pattern)
        folder = safe_name(workflow_name)
        with self._refused("could not be listed", workflow_name):
            listing = by_task(self._disk.entries(folder))
        names = self._disk.each(lambda task: self._task_of(folder, listing[task]), list(listing))
        tasks = [name for name in names if name is not None]
        return sorted(task for task in tasks if matches is None or matches.fullmatch(task))

    def list_workflows(self) -> list[str]:
        with self._refused("could not be listed"):
            folders = [name for name in self._disk.folders() if is_safe_name(name)]
        for obstacle in self._obstacles(None):
            log_damage(
                f"the file {obstacle.path!r} is not used: {obstacle.reason}.", obstacle.path, obstacle.reason
            )
        found = self._disk.each(self._workflow_of, folders)
        return sorted(name for name in found if name is not None)

    def remove_task(self, workflow_name: str, task_name: str) -> None:
        folder = safe_name(workflow_name)
        with self._refused("could not be removed", workflow_name, task_name):
            for entry in by_task(self._disk.entries(folder)).get(safe_name(task_name), {}).values():
                self._disk.remove(folder, entry.name)

    def remove_workflow(self, workflow_name: str) -> None:
        with self._refused("could not be removed", workflow_name):
            self._disk.remove_folder(safe_name(workflow_name))

    def damaged(self, workflow_name: str | None = None) -> list[DamagedFile]:
        """Return the files that are not used, and why.

        The payload of a file is checked only if the file was set aside; `read_task` checks it for the others.

        Args:
            workflow_name: The workflow; None for all.
        """
        with self._refused("could not be listed", workflow_name):
            if workflow_name is None:
                folders = [name for name in self._disk.folders() if is_safe_name(name)]
            else:
                folders = [safe_name(workflow_name)]
        found = self._obstacles(workflow_name)
        for folder in folders:
            name = workflow_name or self._workflow_of(folder)
            try:
                entries = self._disk.entries(folder)
            except OSError as error:
                found.append(DamagedFile(self._disk.address(folder), _text(error), name, 0, False))
                continue
            for entry in sorted(entries.values(), key=lambda entry: entry.name):
                reason = self._damage_of(folder, entry)
                if reason is not None:
                    aside = set_aside_from(entry.name) is not None
                    path = self._disk.address(folder, entry.name)
                    found.append(DamagedFile(path, reason, name, entry.size or 0, aside))
        return found

    def _obstacles(self, workflow_name: str | None) -> list[DamagedFile]:
        """What stands, or stood, in the place of the folder of a workflow."""
        found = []
        with self._refused("could not be listed", workflow_name):
            for name, reason in self._disk.obstacles():
                aside = set_aside_from(name)
                folder = aside or name
                wanted = is_safe_name(folder) if workflow_name is None else folder == safe_name(workflow_name)
                if wanted:
                    path = self._disk.address(name)
                    found.append(DamagedFile(path, reason, workflow_name, 0, aside is not None))
        return found

    def usage(self) -> Usage:
        """Return how much each workflow takes up."""
        with self._refused("could not be listed"):
            tree = workflows(self._disk)
        found: dict[str, WorkflowUsage] = {}
        for folder, entries in tree.items():
            versions = [entry for entry in entries.values() if parse_version(entry.name)]
            damaged = [entry for entry in entries.values() if set_aside_from(entry.name)]
            name = self._workflow_of(folder) or folder
            found[name] = WorkflowUsage(
                tasks=len(by_task(entries)),
                versions=len(versions),
                bytes=sum(entry.size or 0 for entry in (*versions, *damaged)),
                damaged=len(damaged),
            )
        return Usage(self.path, dict(sorted(found.items())))

    def _task_of(self, folder: str, versions: Mapping[str | None, Entry]) -> str | None:
        """The name of a task; None if all its files are damaged, foreign or gone."""
        for entry in sorted(versions.values(), key=lambda entry: -entry.saved):
            header = self._header_of_listed(folder, entry.name)
            if header is not None:
                return str(header["task"])
        return None

    def _header_of_listed(self, folder: str, name: str) -> Header | None:
        """The header of a file in a listing; None if it is foreign, damaged or gone."""
        try:
            with self._disk.open(folder, name) as source:
                header = taskfile.read_header(source, self._key)
            if _is_place_of(header, folder, name):
                return header
            raise Damage("it holds another task")
        except (NewerFormat, FileNotFoundError):
            return None
        except (Damage, OSError) as error:
            self._log(folder, name, _text(error))
            return None

    def _damage_of(self, folder: str, entry: Entry) -> str | None:
        """What is wrong with a file of a workflow; None if nothing is, or if it is none of ours."""
        aside = set_aside_from(entry.name)
        name = aside or entry.name
        try:
            if name == WORKFLOW:
                self._name_in(folder, entry.name)
            elif parse_version(name) is None:
                return None
            else:
                with self._disk.open(folder, entry.name, whole=aside is not None) as source:
                    header = taskfile.read_header(source, self._key)
                    if not _is_place_of(header, folder, name):
                        raise Damage("it holds another task, or another version")
                    if aside is not None:
                        taskfile.read_result(source, header)
        except NewerFormat as newer:
            return f"a later version of fuse_widgets saved it (format {newer})"
        except FileNotFoundError:
            return None
        except (Damage, OSError) as error:
            return _text(error)
        except MemoryError:
            return "it does not fit into memory"
        return (
            None
            if aside is None
            else "it was set aside, and its checksums are right: unpickling it failed, or it was moved"
        )

    def _name_in(self, folder: str, file: str = WORKFLOW) -> str | None:
        """The name in a workflow.json; None if there is no such file.

        Raises:
            Damage: It cannot be read, or names another workflow.
        """
        try:
            with self._disk.open(folder, file) as source:
                if source.size > SMALL:
                    raise Damage("it is too large")
                name = json.loads(source.read(0, source.size))["workflow"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            raise Damage("it does not name a workflow") from None
        if not isinstance(name, str) or safe_name(name) != folder:
            raise Damage("it names another workflow")
        return name

    def _workflow_of(self, folder: str) -> str | None:
        """The name of the workflow in a folder; None if the folder is foreign or cannot be read."""
        try:
            name = self._name_in(folder)
            if name is not None:
                return name
        except (Damage, OSError) as error:
            self._log(folder, WORKFLOW, _text(error))
        try:
            entries = self._disk.entries(folder)
        except OSError as error:
            self._log(folder, "", _text(error))
            return None
        for entry in entries.values():
            header = self._header_of_listed(folder, entry.name) if parse_version(entry.name) else None
            if header is not None:
                return str(header["workflow"])
        return None

    # --- the bound -----------------------------------------------------------------------------------------

    def prune(self) -> list[Removed]:
        """Remove what exceeds `keep`, and return it. What runs under way need stays, also those of other kernels."""
        removed = []
        with self._refused("could not be pruned"):
            for file, why in self._pruner.prune():
                header = self._header_of_listed(file.folder, file.name) if file.task else None
                workflow = header["workflow"] if header else self._workflow_of(file.folder)
                task = header["task"] if header else None
                path = self._disk.address(file.folder, file.name)
                removed.append(Removed(workflow, task, file.key, file.size, path, why))
        return removed

    def lease(self, workflow_name: str, tasks: Mapping[str, Fingerprint | None]) -> leases.Lease:
        name, content = self._begin_lease(workflow_name, tasks, leases.EXPIRES, here=True)
        return leases.Lease(
            lambda: self._pruner.write_lease(name, content),
            lambda saved: self._end_lease(workflow_name, name, saved),
        )

    def _begin_lease(
        self, workflow_name: str, tasks: Mapping[str, Fingerprint | None], expires: float, *, here: bool
    ) -> tuple[str, bytes]:
        marks = [leases.mark(safe_name(task), _digest(print_)) for task, print_ in tasks.items()]
        name, content = leases.new_lease(safe_name(workflow_name), marks, expires, here=here)
        with self._refused("could not be written", workflow_name):
            self._pruner.write_lease(name, content)
        return name, content

    def _end_lease(self, workflow_name: str, name: str, saved: bool) -> None:
        with suppress(OSError):
            self._disk.remove(leases.FOLDER, name)
        if saved:
            self._tidy(safe_name(workflow_name))

    def _tidy(self, folder: str) -> None:
        with suppress(OSError):  # what was saved is there; `prune()` says what is wrong
            self._pruner.tidy(folder)

    # --- damage and errors ---------------------------------------------------------------------------------

    def _damaged(self, workflow: str, task: str, place: tuple[str, str], damage: Damage) -> DamagedTaskError:
        moved, where = self._move(place, damage)
        path = self._disk.address(*place)
        message = (
            f"the file of task {shorten(task)!r} of workflow {shorten(workflow)!r} is not used: {damage} "
            f"({path}). {where}; the node has to run again."
        )
        log_damage(message, path, str(damage), moved)
        return DamagedTaskError(
            message, reason=str(damage), set_aside=moved, workflow=workflow, task=task, path=path
        )

    def _set_aside(self, folder: str, name: str, damage: Damage) -> None:
        moved, where = self._move((folder, name), damage)
        path = self._disk.address(folder, name)
        log_damage(f"the file {path!r} is not used: {damage}. {where}.", path, str(damage), moved)

    def _move(self, place: tuple[str, str], damage: Damage) -> tuple[str | None, str]:
        """Where a damaged file is now, and that in words."""
        if damage.stays:
            return None, "It was left where it is"
        try:
            moved = self._disk.set_aside(*place, damage.identity)
        except FileNotFoundError:
            return None, "It was set aside or removed by somebody else"
        except OSError as error:
            return None, f"It could not be set aside ({_text(error)})"
        return moved, f"It was set aside as {moved}" if moved else "It has been saved again meanwhile"

    def _log(self, folder: str, name: str, reason: str) -> None:
        path = self._disk.address(folder, name) if name else self._disk.address(folder)
        log_damage(f"the file {path!r} is not used: {reason}.", path, reason)

    @contextmanager
    def _refused(
        self, what: str, workflow: str | None = None, task: str | None = None, name: str | None = None
    ) -> Iterator[None]:
        """Turn an OSError of the disk into a StorageError that says what, where and the way out."""
        try:
            yield
        except OSError as error:
            subject = "the storage" if workflow is None else f"workflow {shorten(workflow)!r}"
            parts = [] if workflow is None else [safe_name(workflow)]
            if task is not None:
                subject = f"task {shorten(task)!r} of {subject}"
                parts.append(name or version_name(task, None))
            path = self._disk.address(*parts)
            raise StorageError(
                f"{subject} {what} in {path}: {_text(error)}. {_way_out(error)} What was saved before is intact.",
                workflow=workflow,
                task=task,
                path=path,
            ) from error


def parse_key(key: bytes | str | None) -> Key | None:
    """Return the key that signs files.

    Raises:
        StorageError: It is empty, or neither bytes nor a string. Does not show it.
    """
    if key is None:
        return None
    if not isinstance(key, bytes | bytearray | str) or not key:
        got = type(key).__name__ if key else "an empty one"
        raise StorageError(f"key must be bytes or a string, and not empty, got {got}.")  # without the key
    return Key(key.encode("utf-8", "surrogatepass") if isinstance(key, str) else bytes(key))


def _digest(fingerprint: Fingerprint | str | None) -> str | None:
    if fingerprint is None or isinstance(fingerprint, str):
        return fingerprint
    return fingerprint.digest


def _is_named_after(header: Header, name: str) -> bool:
    """Whether a file says that it holds the version that its name stands for."""
    version = parse_version(name)
    if version is None:
        return False
    return header["key"] == version[1] or (header["format"] == 1 and version[1] is None)


def _is_place_of(header: Header, folder: str, name: str) -> bool:
    version = parse_version(name)
    return (
        version is not None
        and (safe_name(header["workflow"]), safe_name(header["task"])) == (folder, version[0])
        and _is_named_after(header, name)
    )


def _disk(path: str | os.PathLike[str], options: dict[str, Any]) -> Disk:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str) or not text:
        raise StorageError(
            f"the path of a storage must be a folder or an address, got {shorten(repr(path))}."
        )
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
    """What an exception says, also if saying it fails."""
    try:
        return shorten(getattr(error, "strerror", None) or str(error) or type(error).__name__, 400)
    except Exception:
        return type(error).__name__
