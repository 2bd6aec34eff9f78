"""RayFileStorage: files on one machine of a Ray cluster, written and read there.

The idea, and the names of its options, are those of Function Fuse.
"""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cloudpickle

try:
    import ray  # noqa: F401 - says which extra is missing
except ImportError as error:
    raise ImportError('RayFileStorage needs ray: pip install "fuse_widgets[ray]"') from error

from ..engine.workflow import compile_pattern
from ._ray import answer, call_there, check_there, connect, read_there, save_there
from .base import Match, Storage, StorageError, TaskRecord, check_match
from .file import FileStorage
from .fingerprint import Fingerprint

__all__ = ["RayFileStorage"]


class RayFileStorage(Storage):
    """Keeps results as `FileStorage` does, on the machine of a Ray cluster that `remoteArgs` picks.

    Start one machine with a resource of its own, `ray start --resources '{"_disk": 1}'`, and ask for a little of it.
    A `RayWorkflow` saves there from the workers, and nothing passes through the notebook.

    Args:
        path: A folder of that machine, or an fsspec address.
        remoteArgs: Options of the Ray tasks that save and read, for example `{"resources": {"_disk": 0.001}}`.
        rayInitArgs: Arguments of `ray.init`, for where no connection to a cluster is there yet.
        match, storage_options: See `FileStorage`.

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
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise StorageError(f"the path of a storage is a folder or an address, not {path!r}.")
        self.match = check_match(match)
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
        return f"RayFileStorage({self.path!r}, remoteArgs={self.remote_args!r}{match})"

    @property
    def there(self) -> bytes:
        """A `FileStorage`, pickled: it is made where it is unpickled, so that the path is one of that machine."""
        return bytes(cloudpickle.dumps(_FileStorageThere(self.path, self.match, self._options)))

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

    def read_task(self, workflow_name: str, task_name: str) -> Any:
        self._connect()
        value, error = read_there.options(**self.remote_args).remote(self.there, workflow_name, task_name)
        _raise(self._answer(error))
        return self._answer(value)

    def lookup(self, workflow_name: str, task_name: str) -> TaskRecord | None:
        found: TaskRecord | None = self._call("lookup", workflow_name, task_name)
        return found

    def lookup_many(
        self, workflow_name: str, task_names: Iterable[str]
    ) -> list[TaskRecord | Exception | None]:
        """What `lookup` gives, or raises, for each task; one question for all."""
        found: list[TaskRecord | Exception | None] = self._call(
            "lookup_many", workflow_name, list(task_names)
        )
        return found

    def file_exists(self, workflow_name: str, task_name: str) -> bool:
        return bool(self._call("file_exists", workflow_name, task_name))

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

    def _call(self, method: str, *args: Any) -> Any:
        self._connect()
        value, error = self._answer(call_there.options(**self.remote_args).remote(self.there, method, args))
        _raise(error)
        return value

    def _connect(self) -> None:
        connect(self.ray_init_args)
        check_there(self.remote_args)

    def _answer(self, ref: Any) -> Any:
        return answer(ref, self.remote_args, self._look)


class _FileStorageThere(FileStorage):
    """Pickles as what it is made of."""

    def __init__(self, path: str, match: Match, options: dict[str, Any]) -> None:
        self._made_of = (path, match, options)

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, self._made_of

    def lookup_many(self, workflow_name: str, task_names: list[str]) -> list[TaskRecord | Exception | None]:
        """See `RayFileStorage.lookup_many`."""
        found: list[TaskRecord | Exception | None] = []
        for name in task_names:
            try:
                found.append(self.lookup(workflow_name, name))
            except Exception as error:
                found.append(error)
        return found


def _make(path: str, match: Match, options: dict[str, Any]) -> FileStorage:
    storage = _FileStorageThere(path, match, options)
    FileStorage.__init__(storage, path, match=match, storage_options=options)
    return storage


def _nothing() -> None: ...


def _raise(error: bytes | None) -> None:
    if error is not None:
        raise pickle.loads(error)
