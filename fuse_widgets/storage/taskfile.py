"""The format of a saved result.

    MAGIC (8 bytes) | pickle (protocol 5) | its large buffers | header (JSON) | SEAL (52 bytes)

The header follows the payload, since size and digest of the payload are known only once it was streamed, and
object stores cannot go back to write the front. The seal has a fixed size, so that the header is found from the end of
the file without reading the payload: size of the header (u32), its SHA-256, and a mark. In a signed file another mark
stands there, and HMAC-SHA256 of the header instead of SHA-256. The header contains the SHA-256 of everything before it,
so the seal covers the whole file, and the names and the fingerprint under which it was saved.

The `sha256` in the header is also the digest of the result, for fingerprints that are made of results.

Buffers of 64 KiB and more (arrays) go to the file as they are, outside the pickle: a result of 1 GB needs no
second GB while it is written, nor while it is read.

Format 2 has `key`, the digest of the fingerprint. Format 1 has none; its `fingerprint` tells it.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import math
import pickle
import signal
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ..engine._interrupt import interrupted
from .fingerprint import Fingerprint

MAGIC = b"FUSETSK1"
MARK = b"TASKEND1"
SIGNED = b"TASKEND2"
SEAL = struct.Struct(">I32s8s8s")
FORMAT = 2
#: Bytes that a header may have.
HEADER = 1 << 24
#: The year 9999; a later time is not one.
LAST_SECOND = 253_370_764_800
#: Size from which a buffer is written outside the pickle.
LARGE = 1 << 16
#: Bytes that are written or hashed in one go.
BLOCK = 1 << 24


class Damage(Exception):
    """What is wrong with a file, in words.

    Attributes:
        identity: Tells whether the file under that name is still the same one; None if unknown.
        stays: Whether the file may be good for somebody else, and so is not set aside.
    """

    def __init__(self, reason: str, *, identity: Any = None, stays: bool = False) -> None:
        super().__init__(reason)
        self.identity, self.stays = identity, stays


class NewerFormat(Exception):
    """The file was written by a later version; `args[0]` is its format number."""


class Key:
    """A secret that signs files. It shows itself to nobody.

    Args:
        secret: The key.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "<key>"

    def sign(self, header: bytes) -> bytes:
        """Return the signature of a header."""
        return hmac.digest(self._secret, b"fuse_widgets result\0" + header, "sha256")


class Sink(Protocol):
    """Where a task file is written to."""

    def write(self, data: Any, /) -> Any: ...


class Hashing:
    """Counts and hashes what goes through to `sink`; remembers the error with which the sink failed."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self.count = 0
        self.failure: BaseException | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        try:
            for start in range(0, len(view), BLOCK):
                block = view[start : start + BLOCK]
                self._digest.update(block)
                self._sink.write(block)
        except BaseException as failure:
            self.failure = failure
            raise
        self.count += len(view)
        return len(view)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def write(
    sink: Sink,
    result: Any,
    header: Mapping[str, Any],
    pickled: Callable[[BaseException], BaseException],
    key: Key | None = None,
) -> int:
    """Write a whole task file.

    Args:
        sink: Where to.
        result: The value.
        header: JSON values to store with it.
        pickled: Makes the exception to raise if the result cannot be pickled.
        key: Signs the file.

    Returns:
        How many bytes were written.

    Raises:
        OSError: What `sink.write` raised, unchanged.
    """
    from ._pickling import FilePickler

    out = Hashing(sink)
    out.write(MAGIC)
    buffers: list[memoryview] = []

    def keep_inside(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous: the pickle makes a copy
            return True
        if len(raw) < LARGE:
            return True
        buffers.append(raw)
        return False

    try:
        FilePickler(out, protocol=5, buffer_callback=keep_inside).dump(result)
    except BaseException as error:
        if out.failure is not None or not isinstance(error, Exception):
            raise
        raise pickled(error) from error
    parts = [out.count - len(MAGIC), *map(len, buffers)]
    for raw in buffers:
        out.write(raw)
    text = json.dumps({**header, "format": FORMAT, "parts": parts, "sha256": out.hexdigest()}).encode()
    sink.write(text)
    digest = hashlib.sha256(text).digest() if key is None else key.sign(text)
    sink.write(SEAL.pack(len(text), digest, MAGIC, MARK if key is None else SIGNED))
    return out.count + len(text) + SEAL.size


class Source(Protocol):
    """A file that is read: its size, and any part of it."""

    size: int

    def read(self, start: int, stop: int) -> bytes: ...
    def stream(self) -> io.RawIOBase | io.BufferedIOBase: ...


def read_header(source: Source, key: Key | None = None) -> dict[str, Any]:
    """Read the header of a file from its end; its fingerprint as a `Fingerprint`.

    Args:
        source: The file.
        key: What it must be signed with; None for a file that is not signed.

    Raises:
        Damage: It is not a whole file of a result, or its signature is not the one of `key`.
        NewerFormat: A later version of this package wrote it.
    """
    size = source.size
    if size < len(MAGIC) + SEAL.size:
        raise Damage(f"it has {size} bytes, fewer than any task" if size else "it is empty")
    tail = source.read(max(0, size - 4096), size)
    if not tail.endswith((MARK, SIGNED)) or len(tail) < SEAL.size:
        raise Damage("its end is missing, or it is not a task file")
    length, digest, magic, mark = SEAL.unpack(tail[-SEAL.size :])
    if magic != MAGIC:
        raise Damage("it is not a task file")
    end = size - SEAL.size
    if length > end - len(MAGIC):
        raise Damage("its header is longer than the file")
    if length > HEADER:
        raise Damage(f"its header has {length:,} bytes, more than {HEADER:,}")
    if length + SEAL.size <= len(tail):
        text = tail[len(tail) - SEAL.size - length : len(tail) - SEAL.size]
    else:
        text = source.read(end - length, end)
    _check_seal(text, digest, mark, key)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise Damage("its header is not JSON") from None
    _check_header(header)
    if len(MAGIC) + sum(header["parts"]) + length + SEAL.size != size:
        raise Damage(f"it has {size} bytes, not as many as its header says")
    return header  # type: ignore[no-any-return]


def _check_seal(text: bytes, digest: bytes, mark: bytes, key: Key | None) -> None:
    if mark == SIGNED:
        if key is None:
            raise Damage("it is signed, and this storage has no key", stays=True)
        if not hmac.compare_digest(key.sign(text), digest):
            raise Damage("its signature is wrong: it was changed, or signed with another key", stays=True)
        return
    if hashlib.sha256(text).digest() != digest:
        raise Damage("the checksum of its header is wrong")
    if key is not None:
        raise Damage("it is not signed, and this storage has a key", stays=True)


def _check_header(header: Any) -> None:
    """Raise Damage unless every field that is read later has its type; a checksum can be right for anything."""
    if not isinstance(header, dict):
        raise Damage("its header is not an object")
    number = header.get("format")
    if type(number) is int and number > FORMAT:
        raise NewerFormat(number)
    if type(number) is not int or number < 1:
        raise Damage("its header has no format")
    for name, kind in (("workflow", str), ("task", str), ("meta", dict), ("sha256", str), ("parts", list)):
        if not isinstance(header.get(name), kind):
            raise Damage(f"its header has no {name}")
    if not header["parts"] or any(type(part) is not int or part < 0 for part in header["parts"]):
        raise Damage("its header has no parts")
    saved_at: Any = header.get("saved_at")
    if type(saved_at) not in (int, float) or not math.isfinite(saved_at) or not 0 <= saved_at < LAST_SECOND:
        raise Damage("its header has no time")
    found = header.get("fingerprint")
    try:
        header["fingerprint"] = None if found is None else Fingerprint.from_json(found)
        digest = header["fingerprint"] and header["fingerprint"].digest
    except Exception:
        raise Damage("its fingerprint cannot be read") from None
    if number == 1:
        header["key"] = digest
    if not isinstance(header.get("key", 0), str | type(None)):
        raise Damage("its header has no key")


def read_result(source: Source, header: Mapping[str, Any]) -> Callable[[], Any]:
    """Read and verify the payload.

    Returns:
        A function that unpickles it: nothing is unpickled before all of it was verified.

    Raises:
        Damage: The checksum is wrong.
    """
    digest = hashlib.sha256()
    parts: list[bytearray] = []
    with source.stream() as file:
        for length in (len(MAGIC), *header["parts"]):
            part = bytearray(length)
            view, done = memoryview(part), 0
            while done < length:
                count = file.readinto(view[done : done + BLOCK])
                if not count:
                    raise Damage("it ends before its payload does")
                digest.update(view[done : done + count])
                done += count
            parts.append(part)
    if parts[0] != MAGIC:
        raise Damage("it does not begin as a task file does")
    if digest.hexdigest() != header["sha256"]:
        raise Damage("the checksum of its payload is wrong")
    return lambda: _unpickle(parts[1], parts[2:])


def _unpickle(pickled: bytearray, buffers: list[bytearray]) -> Any:
    """Unpickle, and take an exception that ends programs for what it is here: damage.

    Raises:
        Damage: The pickle raised SystemExit, KeyboardInterrupt or the like.
        KeyboardInterrupt: Somebody interrupted.
    """
    with _listening() as came:
        try:
            return pickle.loads(pickled, buffers=buffers)
        except Exception:
            raise
        except BaseException as error:
            if came():
                raise
            raise Damage(f"unpickling it raised {type(error).__name__}") from error


@contextmanager
def _listening() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether an interrupt came from outside: by Ctrl-C, or from another thread."""
    seen: list[int] = []
    thread = threading.current_thread()
    before: Any = None
    if thread is threading.main_thread():
        before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> Any:
        seen.append(number)
        return before(number, frame)

    if callable(before):
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(seen) or interrupted(thread.ident)
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)
