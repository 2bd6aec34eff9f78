"""`InputFile`: an argument whose file counts by its content."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.errors import FuseError, shorten

__all__ = ["InputFile", "InputFileError", "check_files", "digest_of"]

_Path = (
    Path if TYPE_CHECKING else type(Path())
)  # before Python 3.12 only the class of this system can be subclassed


class InputFile(_Path):  # type: ignore[misc,valid-type]
    """A file that a node reads: the node runs again if the content of the file changes.

    Pass it as an argument, also inside a list or dict. It is a `pathlib.Path`, so the function opens it as any other:

        load(InputFile("data.csv"))

    With storage, the content of the file is part of the node's fingerprint. A file that does not exist when the node
    begins, or that changes between the start of the run and the end of the node, is an `InputFileError` of that node.

    Args:
        *parts: A path on this machine, as for `pathlib.Path`; of a file, not of a folder. It counts as it is written: a
            relative path means the same file in a copy of the project.
    """

    __slots__ = ()

    def __new__(cls, *parts: Any, **more: Any) -> InputFile:
        if not parts:
            raise TypeError("InputFile needs the path of a file")
        first = os.fspath(parts[0])
        if isinstance(first, str) and "://" in first:
            raise ValueError(
                f"InputFile must be a path on this machine, got {shorten(repr(first))}: download the file in a node"
            )
        made: InputFile = super().__new__(cls, *parts, **more)
        return made

    def __repr__(self) -> str:
        return f"InputFile({str(self)!r})"


class InputFileError(FuseError):
    """An `InputFile` that is missing, is no file, or changed during the run."""


#: Digests by absolute path, each with what `os.stat` said of the file then.
_known: dict[str, tuple[tuple[int, ...], str]] = {}
_lock = threading.Lock()
_MOST = 10_000
#: A file that was changed less than this many nanoseconds ago may change again within one tick of its clock.
_RACY = 2_000_000_000
_CHUNK = 1 << 20


def digest_of(path: str | os.PathLike[str]) -> str:
    """Return the digest of a file's content; that of a file which has not changed is not computed again.

    Raises:
        InputFileError: There is no such file, or it cannot be read.
    """
    place = os.path.abspath(path)
    for _ in range(3):
        stamp = _stamp(path)
        with _lock:
            known = _known.get(place)
        if known is not None and known[0] == stamp:
            return known[1]
        found = _read(path)
        if _stamp(path) != stamp:  # it is being written
            continue
        if time.time_ns() - max(stamp[-2:]) > _RACY:
            with _lock:
                if len(_known) >= _MOST:
                    _known.clear()
                _known[place] = (stamp, found)
        return found
    raise InputFileError(f"input file {_named(path)} changes while it is read: run again when it is complete")


def check_files(files: Mapping[str, str], when: str) -> None:
    """Check that files are as they were when the run began.

    Args:
        files: `Fingerprint.files`.
        when: When a change must have happened, in words.

    Raises:
        InputFileError: A file is missing or has changed.
    """
    for path, before in files.items():
        if digest_of(path) != before and before[:1] != "!":  # that of a file which was not there yet
            raise InputFileError(
                f"input file {_named(path)} changed {when}: run again. If a node of this workflow writes it, pass the path "
                "as that node's result instead"
            )


def _stamp(path: str | os.PathLike[str]) -> tuple[int, ...]:
    try:
        info = os.stat(path)
    except FileNotFoundError:
        raise InputFileError(f"input file {_named(path)} does not exist") from None
    except (OSError, ValueError) as error:
        raise InputFileError(f"input file {_named(path)} cannot be read: {_why(error)}") from None
    if stat.S_ISDIR(info.st_mode):
        raise InputFileError(
            f"input file {_named(path)} is a folder: pass its files, such as "
            "[InputFile(file) for file in sorted(folder.iterdir())]"
        )
    if not stat.S_ISREG(info.st_mode):
        raise InputFileError(
            f"input file {_named(path)} must be a regular file, got a device, pipe or socket"
        )
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _read(path: str | os.PathLike[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputFileError(f"input file {_named(path)} cannot be read: {_why(error)}") from None
    return digest.hexdigest()


def _named(path: str | os.PathLike[str]) -> str:
    return shorten(repr(os.fspath(path)), 300)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
