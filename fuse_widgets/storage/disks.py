"""Where files of results lie: a folder on this machine. `remote.py` has any address that fsspec knows.

Both write a file as a whole or not at all, and both raise `OSError` (`FileNotFoundError` for what is not there), and
`Damage` for what is wrong with one file.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from ._processes import is_alive, machine, writer
from .naming import set_aside_from
from .taskfile import Damage, Sink, Source

T = TypeVar("T")

#: Ends the name of a file that is being written.
PART = ".part"
#: Seconds after which an unfinished file of an unknown writer counts as left behind.
STALE = 24 * 3600


@dataclass(frozen=True)
class Entry:
    """A file in a listing.

    Attributes:
        size: Bytes; None if the listing does not tell.
        saved, used: Seconds since the epoch: when it was written, and when its result was last asked for.
    """

    name: str
    size: int | None
    saved: float
    used: float


class Disk(Protocol):
    """Files in folders, one level deep.

    Attributes:
        resolution: Seconds by which the times of two files in a listing must differ to tell which one is newer.
    """

    resolution: float

    def address(self, *parts: str) -> str: ...
    def open(
        self, folder: str, name: str, *, whole: bool = False, size: int | None = None
    ) -> AbstractContextManager[Source]: ...
    def write(
        self,
        folder: str,
        name: str,
        fill: Callable[[Sink], None],
        *,
        saved_at: float | None = None,
        durable: bool = True,
    ) -> None: ...
    def set_aside(self, folder: str, name: str, identity: Any) -> str | None: ...
    def obstacles(self) -> list[tuple[str, str]]: ...
    def prepare(self, folder: str) -> str | None: ...
    def entries(self, folder: str) -> dict[str, Entry]: ...
    def folders(self) -> list[str]: ...
    def tree(self) -> dict[str, dict[str, Entry]]: ...
    def use(self, source: Source) -> None: ...
    def remove(self, folder: str, name: str) -> None: ...
    def remove_folder(self, folder: str) -> None: ...
    def each(self, job: Callable[[str], T], names: list[str]) -> list[T]: ...


#: What is wrong with a file, and not with the disk, if opening it fails.
OF_THE_FILE = frozenset(
    getattr(errno, name, -1)
    for name in ("EACCES", "EPERM", "EIO", "ELOOP", "ENXIO", "ENODEV", "EISDIR", "EOPNOTSUPP")
)
#: Bytes from which a file is asked whether it has holes.
HOLES = 1 << 30
#: Seconds after which a version that is used again counts as used later.
USED = 1.0
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
_READ = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _READ |= getattr(os, _flag, 0)


#: Reading a header does not count as using the result.
_NO_ATIME = getattr(os, "O_NOATIME", 0)


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_ino, found.st_dev, found.st_mtime_ns, found.st_size


class LocalSource:
    """An open local file."""

    def __init__(self, file: io.FileIO, found: os.stat_result) -> None:
        self._file, self.stat = file, found
        self.identity = _identity(found)
        self.size = found.st_size

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

    def use(self) -> None:
        """Note in the access time that the result was asked for; the time of writing stays."""
        now = time.time_ns()
        if now - max(self.stat.st_atime_ns, self.stat.st_mtime_ns) > USED * 1e9:
            with suppress(OSError, TypeError, NotImplementedError):  # read-only; a system that needs a path
                os.utime(self._file.fileno(), ns=(now, self.stat.st_mtime_ns))


class LocalDisk:
    """A folder of this machine.

    Only plain files are opened, and links are not followed: a FIFO would block for ever, and a device may do anything.

    Args:
        root: The folder; `~` stands for the home folder. It is made when the first file is written.
    """

    resolution = 0.0

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(os.path.expanduser(root)))

    def address(self, *parts: str) -> str:
        return str(self.root.joinpath(*parts))

    @contextmanager
    def open(
        self, folder: str, name: str, *, whole: bool = False, size: int | None = None
    ) -> Iterator[LocalSource]:
        """Open a file.

        Raises:
            Damage: It is not a plain file, or cannot be opened.
        """
        path = os.path.join(self.root, folder, name)
        found = os.lstat(path)
        kind = _KINDS.get(stat.S_IFMT(found.st_mode))
        if kind is not None:
            raise Damage(f"it is {kind}, not a file", identity=_identity(found))
        try:
            try:
                number = os.open(path, _READ | _NO_ATIME)
            except PermissionError:  # the file of another user
                number = os.open(path, _READ)
        except OSError as error:
            if error.errno not in OF_THE_FILE:
                raise
            raise Damage(f"it cannot be opened: {error.strerror}", identity=_identity(found)) from None
        with io.FileIO(number, "rb") as file:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode):
                raise Damage("it is not a file", identity=_identity(found))
            try:
                yield LocalSource(file, found)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                raise Damage(f"it cannot be read: {error.strerror}", identity=_identity(found)) from None

    def write(
        self,
        folder: str,
        name: str,
        fill: Callable[[Sink], None],
        *,
        saved_at: float | None = None,
        durable: bool = True,
    ) -> None:
        target = os.path.join(self.root, folder, name)
        temporary = os.path.join(self.root, folder, f"{writer()}-{uuid.uuid4().hex}{PART}")
        try:
            with self._new(temporary) as file:
                fill(file)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                if saved_at is not None:  # the kernel's own time is too coarse to tell which of two is newer
                    with suppress(OSError):
                        os.utime(
                            file.fileno() if os.utime in os.supports_fd else temporary, (saved_at, saved_at)
                        )
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    @staticmethod
    def _new(path: str) -> IO[bytes]:
        try:
            return open(path, "xb")
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return open(path, "xb")

    def set_aside(self, folder: str, name: str, identity: Any) -> str | None:
        """Rename a file that cannot be used.

        Returns:
            Its new name; None if there is another file in its place by now.
        """
        path = os.path.join(self.root, folder, name)
        if identity is not None and _identity(os.lstat(path)) != identity:
            return None
        numbers = iter(range(1, 1_000_000))
        target = next(p for n in numbers if not os.path.lexists(p := f"{path}.damaged-{n}"))
        os.rename(path, target)
        if identity is not None and _identity(os.lstat(target)) != identity:  # saved again at the last moment
            with suppress(OSError):
                os.link(target, path)
                os.unlink(target)
            return None
        return target

    def prepare(self, folder: str) -> str | None:
        """Make the folder, and remove what killed writers left in it.

        Returns:
            The path to which something else in its place was moved; None if there was nothing.
        """
        directory, moved = os.path.join(self.root, folder), None
        if os.path.lexists(directory) and not os.path.isdir(directory):
            moved = self.set_aside("", folder, None)
        os.makedirs(directory, exist_ok=True)
        if os.path.islink(directory):  # what lies behind it is not ours to delete
            return moved
        for entry in os.scandir(directory):
            if entry.name.endswith(PART):
                with suppress(OSError):
                    if _left_behind(entry):
                        os.unlink(entry.path)
        return moved

    def entries(self, folder: str) -> dict[str, Entry]:
        """The files of a folder, and whatever else stands there: links, FIFOs, folders. Nothing if it is not a folder."""
        found = {}
        try:
            with os.scandir(self.root / folder) as listing:
                for entry in listing:
                    with suppress(FileNotFoundError):
                        info = entry.stat(follow_symlinks=False)
                        used = max(info.st_mtime, info.st_atime)
                        found[entry.name] = Entry(entry.name, _size(info), info.st_mtime, used)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP) or not self.root.is_dir():
                raise
        return found

    def obstacles(self) -> list[tuple[str, str]]:
        """What stands in the root and is not a folder: names, each with what it is."""
        found = []
        try:
            with os.scandir(self.root) as listing:
                for entry in listing:
                    with suppress(OSError):
                        kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
                        if set_aside_from(entry.name) or not os.path.isdir(entry.path):
                            found.append((entry.name, f"it is {_KINDS.get(kind, 'a file')}, not a folder"))
        except FileNotFoundError:
            pass
        return found

    def folders(self) -> list[str]:
        found = []
        try:
            with os.scandir(self.root) as listing:
                for entry in listing:
                    with suppress(OSError):  # a loop of links
                        if entry.is_dir():
                            found.append(entry.name)
        except FileNotFoundError:
            pass
        return found

    def tree(self) -> dict[str, dict[str, Entry]]:
        found = {}
        for folder in self.folders():
            with suppress(OSError):  # it cannot be read: the others can
                found[folder] = self.entries(folder)
        return found

    def use(self, source: Source) -> None:
        assert isinstance(source, LocalSource)
        source.use()

    def remove(self, folder: str, name: str) -> None:
        path = os.path.join(self.root, folder, name)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except (IsADirectoryError, PermissionError):  # macOS says the second
            if not os.path.isdir(path) or os.path.islink(path):
                raise
            shutil.rmtree(path)

    def remove_folder(self, folder: str) -> None:
        path = os.path.join(self.root, folder)
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
            return
        with suppress(FileNotFoundError):
            shutil.rmtree(path)

    def each(self, job: Callable[[str], T], names: list[str]) -> list[T]:
        return [job(name) for name in names]


def _size(info: os.stat_result) -> int:
    """The bytes that a file takes up: a damaged one may claim a terabyte, and consist of holes."""
    if info.st_size > HOLES and hasattr(info, "st_blocks"):
        return int(min(info.st_size, info.st_blocks * 512))
    return info.st_size


def _left_behind(entry: os.DirEntry[str]) -> bool:
    there, _, rest = entry.name.partition("-")
    pid = rest.partition("-")[0]
    if there == machine() and pid.isascii() and pid.isdigit() and is_alive(int(pid)) is False:
        return True
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE
