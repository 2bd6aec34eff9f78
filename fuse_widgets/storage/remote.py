"""Where files of results lie: a folder at any address that fsspec knows."""

from __future__ import annotations

import errno
import functools
import io
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import IO, Any, TypeVar

from ._processes import writer
from .disks import PART, Entry
from .taskfile import BLOCK, Damage, Sink, Source

__all__ = ["RemoteDisk"]

T = TypeVar("T")

#: Protocols with which putting an object replaces the old one as a whole.
ATOMIC_PUT = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "cos", "r2", "hf", "memory"}
)
#: Bytes that a file for a remote address may take in memory before it goes to a local temporary file.
IN_MEMORY = 1 << 26


def _as_oserror(method: Callable[..., T]) -> Callable[..., T]:
    """Whatever a file system's client raises (botocore has its own kinds) becomes an OSError."""

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> T:
        try:
            return method(*args, **kwargs)
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error

    return wrapped


class RemoteSource:
    """A file at a remote address, of which parts are read.

    Args:
        fs, path: The file.
        size: Bytes, as a listing said; None to ask for it.
    """

    identity = None

    def __init__(self, fs: Any, path: str, size: int | None) -> None:
        self._fs, self._path = fs, path
        self.size: int = _size_of(fs, path) if size is None else size

    def read(self, start: int, stop: int) -> bytes:
        return bytes(_as_oserror(self._fs.cat_file)(self._path, start=start, end=stop))

    def stream(self) -> io.BytesIO:
        raise NotImplementedError("a remote file is read in one go")


@_as_oserror
def _size_of(fs: Any, path: str) -> int:
    if (
        isinstance(fs.protocol, str) and fs.protocol == "memory"
    ):  # its `info` goes through everything in memory
        with fs.open(path, "rb") as file:
            return int(file.size)
    found = fs.info(path)
    if found["type"] != "file":
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return int(found["size"])


class Fetched:
    """A remote file that was read in one go, so that all of it is of one version."""

    identity = None

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)

    def read(self, start: int, stop: int) -> bytes:
        return self._data[start:stop]

    def stream(self) -> io.BytesIO:
        return io.BytesIO(self._data)  # shares the memory


class RemoteDisk:
    """A folder at an fsspec address, for example `s3://bucket/folder` or `memory://folder`.

    Args:
        address: The address.
        options: Arguments of its fsspec file system.
    """

    def __init__(self, address: str, options: dict[str, Any]) -> None:
        import fsspec
        from fsspec.core import split_protocol

        #: An object store tells seconds.
        self.resolution = 2.0
        self._address = address.rstrip("/")
        self._options = {"use_listings_cache": False, **options}
        self._protocol = split_protocol(address)[0]
        fsspec.get_filesystem_class(self._protocol)  # raises if the protocol or its package is missing
        self._owner: int | None = None
        self._fs: Any = None
        self._root = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fs": None, "_owner": None}

    @property
    def fs(self) -> Any:
        """The file system, connected again in each process."""
        if self._owner != os.getpid():
            from fsspec.core import url_to_fs

            self._fs, root = url_to_fs(self._address, **self._options)
            self._root, self._owner = root.rstrip("/"), os.getpid()
        return self._fs

    def _path(self, *parts: str) -> str:
        fs_root = self.fs and self._root
        return "/".join((fs_root, *parts))

    def address(self, *parts: str) -> str:
        return "/".join((self._address, *parts))

    @contextmanager
    def open(
        self, folder: str, name: str, *, whole: bool = False, size: int | None = None
    ) -> Iterator[RemoteSource | Fetched]:
        path = self._path(folder, name)
        try:
            source = (
                Fetched(_as_oserror(self.fs.cat_file)(path)) if whole else RemoteSource(self.fs, path, size)
            )
        except IsADirectoryError:
            raise Damage("it is a folder, not a file") from None
        yield source

    @_as_oserror
    def _put(self, file: IO[bytes], path: str) -> None:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        file.seek(0)
        if size <= IN_MEMORY:
            self.fs.pipe_file(path, file.read())
            return
        out = self.fs.open(path, "wb", block_size=BLOCK)
        try:
            shutil.copyfileobj(file, out, BLOCK)
        except BaseException:  # closing it would put what is there so far
            with suppress(Exception):
                out.discard()
            out.closed = True
            raise
        out.close()

    def write(
        self,
        folder: str,
        name: str,
        fill: Callable[[Sink], None],
        *,
        saved_at: float | None = None,
        durable: bool = True,
    ) -> None:
        target = self._path(folder, name)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            fill(file)  # everything that can fail in the result fails here, before anything is sent
            if self._protocol in ATOMIC_PUT:
                self._put(file, target)
                return
            temporary = self._path(folder, f"{writer()}-{uuid.uuid4().hex}{PART}")
            try:
                self._make(folder)
                self._put(file, temporary)
                self._move(temporary, target)
            except BaseException:
                with suppress(Exception):
                    self.fs.rm_file(temporary)
                raise

    @_as_oserror
    def _make(self, folder: str) -> None:
        self.fs.makedirs(self._path(folder), exist_ok=True)

    @_as_oserror
    def _move(self, source: str, target: str) -> None:
        self.fs.mv(source, target)

    @_as_oserror
    def set_aside(self, folder: str, name: str, identity: Any) -> str | None:
        path = self._path(folder, name)
        n = next(n for n in range(1, 1_000_000) if not self.fs.exists(f"{path}.damaged-{n}"))
        self.fs.mv(path, f"{path}.damaged-{n}")
        return self.address(folder, f"{name}.damaged-{n}")

    def obstacles(self) -> list[tuple[str, str]]:
        return []  # in an object store a file can have the name of a folder

    def prepare(self, folder: str) -> str | None:
        if self._protocol not in ATOMIC_PUT:
            self._make(folder)
        return None

    @_as_oserror
    def entries(self, folder: str) -> dict[str, Entry]:
        found = map(_entry, self._list(self._path(folder), "file"))
        return {entry.name: entry for entry in found}

    @_as_oserror
    def folders(self) -> list[str]:
        return [_last(found) for found in self._list(self._path(), "directory")]

    @_as_oserror
    def tree(self) -> dict[str, dict[str, Entry]]:
        """All files, by folder, in one listing."""
        root = self._path()
        try:
            found = self.fs.find(root, detail=True)
        except FileNotFoundError:
            return {}
        folders: dict[str, dict[str, Entry]] = {}
        depth = root.rstrip("/").count("/") + 2
        for path, info in found.items():
            if info.get("type") == "file" and path.count("/") == depth:
                entry = _entry(info)
                folders.setdefault(path.rsplit("/", 2)[-2], {})[entry.name] = entry
        return folders

    def use(self, source: Source) -> None:
        """An object store has no time of use: the time of saving counts."""

    def _list(self, path: str, kind: str) -> list[Mapping[str, Any]]:
        try:
            entries = self.fs.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [entry for entry in entries if entry["type"] == kind]

    @_as_oserror
    def remove(self, folder: str, name: str) -> None:
        with suppress(FileNotFoundError):
            self.fs.rm_file(self._path(folder, name))

    @_as_oserror
    def remove_folder(self, folder: str) -> None:
        with suppress(FileNotFoundError):
            self.fs.rm(self._path(folder), recursive=True)

    def each(self, job: Callable[[str], T], names: list[str]) -> list[T]:
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(job, names))


def _last(info: Mapping[str, Any]) -> str:
    return str(info["name"]).rstrip("/").rpartition("/")[2]


def _entry(info: Mapping[str, Any]) -> Entry:
    saved = 0.0
    for key in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):  # by file system
        when = info.get(key)
        if isinstance(when, str):
            with suppress(ValueError):
                when = datetime.fromisoformat(when.replace("Z", "+00:00"))
        if isinstance(when, datetime):
            when = when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp()
        if isinstance(when, int | float):
            saved = float(when)
            break
    size = info.get("size")
    return Entry(_last(info), size if isinstance(size, int) else None, saved, saved)
