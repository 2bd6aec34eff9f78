"""Where task files lie: a folder on this machine, or any address that fsspec knows.

Both write a file as a whole or not at all, and both raise `OSError` (`FileNotFoundError` for what is not there).
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from .taskfile import BLOCK, Sink, Source

T = TypeVar("T")

#: Ends the name of a file that is being written.
PART = ".part"
#: Seconds after which an unfinished file of an unknown writer counts as left behind.
STALE = 24 * 3600
#: Protocols where putting an object replaces the old one as a whole.
ATOMIC_PUT = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "cos", "r2", "hf", "memory"}
)
#: Bytes that a file for a remote address may take in memory before it goes to a local temporary file.
IN_MEMORY = 1 << 26


class Disk(Protocol):
    """Files in folders, one level deep."""

    def address(self, *parts: str) -> str: ...
    def open(self, folder: str, name: str, whole: bool = False) -> AbstractContextManager[Source]: ...
    def write(self, folder: str, name: str, fill: Callable[[Sink], None]) -> None: ...
    def set_aside(self, folder: str, name: str, source: Source | None) -> str | None: ...
    def prepare(self, folder: str) -> None: ...
    def names(self, folder: str) -> list[str]: ...
    def folders(self) -> list[str]: ...
    def remove(self, folder: str, name: str) -> None: ...
    def remove_folder(self, folder: str) -> None: ...
    def each(self, job: Callable[[str], T], names: list[str]) -> list[T]: ...


class LocalSource:
    """An open local file; its identity tells whether it is still the one under that name."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.stat = os.fstat(file.fileno())
        self.size = self.stat.st_size

    def read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        chunks = []
        while start < stop and (chunk := self._file.read(stop - start)):
            chunks.append(chunk)
            start += len(chunk)
        return b"".join(chunks)

    def stream(self) -> io.FileIO:
        self._file.seek(0)
        return self._file


class LocalDisk:
    """A folder of this machine.

    Args:
        root: The folder; `~` stands for the home folder. It is made when the first file is written.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(os.path.expanduser(root)))

    def address(self, *parts: str) -> str:
        return str(self.root.joinpath(*parts))

    @contextmanager
    def open(self, folder: str, name: str, whole: bool = False) -> Iterator[LocalSource]:
        with open(self.root / folder / name, "rb", buffering=0) as file:
            yield LocalSource(file)

    def write(self, folder: str, name: str, fill: Callable[[Sink], None]) -> None:
        target = self.root / folder / name
        temporary = target.parent / f"{_writer()}-{uuid.uuid4().hex}{PART}"
        try:
            if not target.parent.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def set_aside(self, folder: str, name: str, source: Source | None) -> str | None:
        path = self.root / folder / name
        if isinstance(source, LocalSource):
            now, then = os.stat(path), source.stat
            if (now.st_ino, now.st_dev, now.st_mtime_ns) != (then.st_ino, then.st_dev, then.st_mtime_ns):
                return None  # somebody has saved the task anew
        target = next(p for n in range(1, 1_000_000) if not (p := Path(f"{path}.damaged-{n}")).exists())
        os.rename(path, target)
        return str(target)

    def prepare(self, folder: str) -> None:
        """Make the folder and remove what killed writers left in it."""
        directory = self.root / folder
        directory.mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(directory):
            if entry.name.endswith(PART):
                with suppress(OSError):
                    if _left_behind(entry):
                        os.unlink(entry.path)

    def names(self, folder: str) -> list[str]:
        try:
            return [entry.name for entry in os.scandir(self.root / folder) if entry.is_file()]
        except FileNotFoundError:
            return []

    def folders(self) -> list[str]:
        try:
            return [entry.name for entry in os.scandir(self.root) if entry.is_dir()]
        except FileNotFoundError:
            return []

    def remove(self, folder: str, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.root / folder / name)

    def remove_folder(self, folder: str) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root / folder)

    def each(self, job: Callable[[str], T], names: list[str]) -> list[T]:
        return [job(name) for name in names]


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
    """A file at a remote address, of which parts are read."""

    def __init__(self, fs: Any, path: str) -> None:
        self._fs, self._path = fs, path
        self.size: int = _as_oserror(fs.info)(path)["size"]

    def read(self, start: int, stop: int) -> bytes:
        return bytes(_as_oserror(self._fs.cat_file)(self._path, start=start, end=stop))

    def stream(self) -> io.BytesIO:
        raise NotImplementedError("a remote file is read in one go")


class Fetched:
    """A remote file that was read in one go, so that all of it is of one version."""

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

        self._address = address.rstrip("/")
        self._options = {"use_listings_cache": False, **options}
        self._protocol = split_protocol(address)[0]
        fsspec.get_filesystem_class(self._protocol)  # raises where the protocol or its package is missing
        self._owner: int | None = None
        self._fs: Any = None
        self._root = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fs": None, "_owner": None}

    @property
    def fs(self) -> Any:
        """The file system, connected anew in each process."""
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
    def open(self, folder: str, name: str, whole: bool = False) -> Iterator[RemoteSource | Fetched]:
        path = self._path(folder, name)
        yield Fetched(_as_oserror(self.fs.cat_file)(path)) if whole else RemoteSource(self.fs, path)

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

    def write(self, folder: str, name: str, fill: Callable[[Sink], None]) -> None:
        target = self._path(folder, name)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            fill(file)  # everything that can fail in the result fails here, before anything is sent
            if self._protocol in ATOMIC_PUT:
                self._put(file, target)
                return
            temporary = self._path(folder, f"{_writer()}-{uuid.uuid4().hex}{PART}")
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
    def set_aside(self, folder: str, name: str, source: Source | None) -> str | None:
        path = self._path(folder, name)
        n = next(n for n in range(1, 1_000_000) if not self.fs.exists(f"{path}.damaged-{n}"))
        self.fs.mv(path, f"{path}.damaged-{n}")
        return self.address(folder, f"{name}.damaged-{n}")

    def prepare(self, folder: str) -> None:
        if self._protocol not in ATOMIC_PUT:
            self._make(folder)

    @_as_oserror
    def names(self, folder: str) -> list[str]:
        return self._list(self._path(folder), "file")

    @_as_oserror
    def folders(self) -> list[str]:
        return self._list(self._path(), "directory")

    def _list(self, path: str, kind: str) -> list[str]:
        try:
            entries = self.fs.ls(path, detail=True)
        except FileNotFoundError:
            return []
        return [entry["name"].rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == kind]

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


@functools.cache
def _machine() -> str:
    """Names the machine (and the container) whose process numbers mean something here."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.blake2b(f"{socket.gethostname()} {space}".encode(), digest_size=6).hexdigest()


def _writer() -> str:
    return f"{_machine()}-{os.getpid()}"


def _left_behind(entry: os.DirEntry[str]) -> bool:
    machine, _, rest = entry.name.partition("-")
    pid = rest.partition("-")[0]
    if machine == _machine() and pid.isdigit() and os.name == "posix":
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
    return time.time() - entry.stat().st_mtime > STALE
