"""RayFileStorage: files on one machine of a Ray cluster, written and read there.

The idea, and the names of its options, are those of Function Fuse.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cloudpickle

try:
    import ray  # noqa: F401 - says which extra is missing
except ImportError as error:
    raise ImportError('RayFileStorage needs ray: pip install "fuse_widgets[ray]"') from error

from ..engine.workflow import compile_pattern
from . import leases
from ._ray import (
    answer,
    call_there,
    call_there_soon,
    check_there,
    connect,
    load_error,
    read_there,
    save_there,
)
from .base import DamagedFile, Match, Storage, StorageError, TaskRecord, check_match
from .file import FileStorage, parse_key
from .fingerprint import Fingerprint
from .keep import Keep, Removed, Usage
from .taskfile import Key

__all__ = ["RayFileStorage"]


class RayFileStorage(Storage):
    """Keeps results as `FileStorage` does, on the machine of a Ray cluster that `remoteArgs` picks.

    Start one machine with a resource of its own, `ray start --resources '{"_disk": 1}'`, and ask for a little of it.
    A `RayWorkflow` saves there from the workers, and nothing passes through the notebook.

    Args:
        path: A folder of that machine, or an fsspec address.
        remoteArgs: Options of the Ray tasks that save and read, for example `{"resources": {"_disk": 0.001}}`.
        rayInitArgs: Arguments of `ray.init`, used if there is no connection to a cluster yet.
        match, keep, key, storage_options: See `FileStorage`.

    Raises:
        ClusterError: The cluster cannot be reached. Raised by each method, not here.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        remoteArgs: Mapping[str, Any] | None = None,  # noqa: N803 - Function Fuse's name
        rayInitArgs: Mapping[str, Any] | None = None,  # noqa: N803
        *,
        match: Match = "fingerprint",
        keep: Keep | int | Mapping[str, Any] | None = Keep(),  # noqa: B008 - it cannot be changed
        key: bytes | str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise StorageError(f"the path of a storage must be a folder or an address, got {path!r}.")
        self.match = check_match(match)
        self.keep = Keep.parse(keep)
        self._key = parse_key(key)
        del key  # a traceback with local variables would show it
        self.path = os.fspath(path)
        self.remote_args = dict(remoteArgs or {})
        self.ray_init_args = dict(rayInitArgs or {})
        self._options = dict(storage_options or {})
        self._look: Callable[[], None] = _nothing
        for name in ("name", "num_returns"):
            if name in self.remote_args:
                raise StorageError(
                    f"remoteArgs cannot have {name!r}, which the storage sets itself: leave it out."
                )
        try:
            for task in (call_there, read_there, save_there):
                task.options(**self.remote_args)
        except Exception as error:
            raise StorageError(
                f"remoteArgs={self.remote_args!r} are no options of a Ray task: {error}"
            ) from error

    def __repr__(self) -> str:
        match = "" if self.match == "fingerprint" else f", match={self.match!r}"
        keep = "" if self.keep == Keep() else f", keep={self.keep!r}"
        key = "" if self._key is None else f", key={self._key!r}"
        return f"RayFileStorage({self.path!r}, remoteArgs={self.remote_args!r}{match}{keep}{key})"

    @property
    def there(self) -> bytes:
        """A `FileStorage`, pickled: it is made where it is unpickled, so that the path is one of that machine."""
        return bytes(
            cloudpickle.dumps(_FileStorageThere(self.path, self.match, self.keep, self._key, self._options))
        )

    def looking(self, look: Callable[[], None]) -> RayFileStorage:
        """This storage, as a run uses it.

        Args:
            look: Called again and again while an answer is waited for; what it raises ends the waiting.
        """
        twin = copy.copy(self)
        twin._look = look
        return twin

    def new_workflow(self, workflow_name: str) -> None:
        self._call("new_workflow", workflow_name)

    def save(
        self,
        workflow_name: str,
        task_name: str,
        result: Any,
        *,
        fingerprint: Fingerprint | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self._connect()
        more = {"fingerprint": fingerprint, "meta": meta}
        task = save_there.options(**self.remote_args)
        saved = task.remote(self.there, workflow_name, task_name, result, more)
        _raise(self._answer(saved))

    def read_task(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> Any:
        self._connect()
        read = read_there.options(**self.remote_args)
        value, error = read.remote(self.there, workflow_name, task_name, fingerprint)
        _raise(self._answer(error))
        return self._answer(value)

    def lookup(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> TaskRecord | None:
        found: TaskRecord | None = self._call("lookup", workflow_name, task_name, fingerprint=fingerprint)
        return found

    def lookup_many(
        self, workflow_name: str, tasks: Mapping[str, Fingerprint | None] | Iterable[str]
    ) -> list[TaskRecord | Exception | None]:
        """What `lookup` gives, or raises, for each task; one question for all."""
        wanted = dict(tasks) if isinstance(tasks, Mapping) else dict.fromkeys(tasks)
        found: list[TaskRecord | Exception | None] = self._call("lookup_many", workflow_name, wanted)
        return found

    def lease(self, workflow_name: str, tasks: Mapping[str, Fingerprint | None]) -> RayLease:
        return RayLease(self, workflow_name, str(self._call("begin_lease", workflow_name, dict(tasks))))

    def file_exists(
        self, workflow_name: str, task_name: str, *, fingerprint: Fingerprint | str | None = None
    ) -> bool:
        return bool(self._call("file_exists", workflow_name, task_name, fingerprint=fingerprint))

    def list_tasks(self, workflow_name: str, pattern: str | None = None) -> list[str]:
        if pattern is not None:
            compile_pattern(pattern)
        return list(self._call("list_tasks", workflow_name, pattern))

    def list_workflows(self) -> list[str]:
        return list(self._call("list_workflows"))

    def remove_task(self, workflow_name: str, task_name: str) -> None:
        self._call("remove_task", workflow_name, task_name)

    def remove_workflow(self, workflow_name: str) -> None:
        self._call("remove_workflow", workflow_name)

    def damaged(self, workflow_name: str | None = None) -> list[DamagedFile]:
        """See `FileStorage.damaged`."""
        return list(self._call("damaged", workflow_name))

    def usage(self) -> Usage:
        """See `FileStorage.usage`."""
        usage: Usage = self._call("usage")
        return usage

    def prune(self) -> list[Removed]:
        """See `FileStorage.prune`."""
        return list(self._call("prune"))

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self._connect()
        call = call_there.options(**self.remote_args)
        value, error = self._answer(call.remote(self.there, method, args, kwargs))
        _raise(error)
        return value

    def _call_soon(self, method: str, *args: Any) -> Any:
        """Call a method there, and wait neither for a machine nor for the answer."""
        return call_there_soon(self.there, method, args, self.remote_args)

    def _connect(self) -> None:
        connect(self.ray_init_args)
        check_there(self.remote_args)

    def _answer(self, ref: Any) -> Any:
        return answer(ref, self.remote_args, self._look)


class RayLease:
    """A lease of a run whose storage is on a machine of the cluster; see `leases.Lease`.

    Nothing here runs on a thread, since not every connection to Ray can be used from several.
    """

    def __init__(self, storage: RayFileStorage, workflow: str, name: str) -> None:
        self._storage, self._workflow, self._name = storage, workflow, name
        self._renewed = time.monotonic()

    def renew(self) -> None:
        """Renew the lease if it is time to; call this now and then."""
        if time.monotonic() > self._renewed + leases.RENEWED_RAY:
            self._renewed = time.monotonic()
            self._storage._call_soon("renew_lease", self._name)

    def release(self, saved: bool = True) -> None:
        """End the lease. If that cannot be done within a moment it expires by itself."""
        self._storage._call_soon("end_lease", self._workflow, self._name, saved)


class _FileStorageThere(FileStorage):
    """Pickles as what it is made of."""

    def __init__(self, path: str, match: Match, keep: Keep, key: Key | None, options: dict[str, Any]) -> None:
        self._made_of = (path, match, keep, key, options)

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, self._made_of

    def begin_lease(self, workflow_name: str, tasks: Mapping[str, Fingerprint | None]) -> str:
        """Write a lease for a run elsewhere, and return its name."""
        return self._begin_lease(workflow_name, tasks, leases.EXPIRES_RAY, here=False)[0]

    def renew_lease(self, name: str) -> None:
        """Write a lease again, so that it counts as new."""
        with self._disk.open(leases.FOLDER, name, whole=True) as source:
            content = source.read(0, source.size)
        self._pruner.write_lease(name, content)

    def end_lease(self, workflow_name: str, name: str, saved: bool) -> None:
        """Remove a lease, and enforce the bound."""
        self._end_lease(workflow_name, name, saved)


def _make(path: str, match: Match, keep: Keep, key: Key | None, options: dict[str, Any]) -> FileStorage:
    storage = _FileStorageThere(path, match, keep, key, options)
    FileStorage.__init__(storage, path, match=match, keep=keep, storage_options=options)
    storage._key = key
    return storage


def _nothing() -> None: ...


def _raise(error: bytes | None) -> None:
    if error is not None:
        raise load_error(error)
