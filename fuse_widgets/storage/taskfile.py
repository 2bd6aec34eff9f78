"""The format of a saved task.

    MAGIC (8 bytes) | pickle (protocol 5) | its large buffers | header (JSON) | SEAL (52 bytes)

The header stands behind the payload, since the payload's size and digest are known only once it was streamed,
and object stores cannot go back to write the front. The seal has a fixed size, so that the header is found from
the end of the file without reading the payload: header size (u32), SHA-256 of the header, its mark. The header
carries the SHA-256 of everything before it, so the seal covers the whole file.

Buffers of 64 KiB and more (arrays) go to the file as they are, outside the pickle: a result of 1 GB needs no
second GB while it is written, nor while it is read.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

MAGIC = b"FUSETSK1"
MARK = b"TASKEND1"
SEAL = struct.Struct(">I32s8s8s")
FORMAT = 1
#: Size from which a buffer is written outside the pickle.
LARGE = 1 << 16
#: Bytes that are written or hashed in one go.
BLOCK = 1 << 24


class Damage(Exception):
    """What is wrong with a task file, in words."""


class NewerFormat(Exception):
    """The file was written by a later version; `args[0]` is its format number."""


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
    sink: Sink, result: Any, header: Mapping[str, Any], pickled: Callable[[BaseException], BaseException]
) -> None:
    """Write a whole task file.

    Args:
        sink: Where to.
        result: The value.
        header: JSON values to store with it.
        pickled: Makes the exception to raise where the result cannot be pickled.

    Raises:
        OSError: What `sink.write` raised, unchanged.
    """
    import cloudpickle

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
        cloudpickle.Pickler(out, protocol=5, buffer_callback=keep_inside).dump(result)
    except BaseException as error:
        if out.failure is not None or not isinstance(error, Exception):
            raise
        raise pickled(error) from error
    parts = [out.count - len(MAGIC), *map(len, buffers)]
    for raw in buffers:
        out.write(raw)
    text = json.dumps({**header, "format": FORMAT, "parts": parts, "sha256": out.hexdigest()}).encode()
    sink.write(text)
    sink.write(SEAL.pack(len(text), hashlib.sha256(text).digest(), MAGIC, MARK))


class Source(Protocol):
    """A file that is read: its size, and any part of it."""

    size: int

    def read(self, start: int, stop: int) -> bytes: ...
    def stream(self) -> io.RawIOBase | io.BufferedIOBase: ...


def read_header(source: Source) -> dict[str, Any]:
    """The header of a task file, read from its end.

    Raises:
        Damage: The file is not a whole task file.
    """
    size = source.size
    if size < len(MAGIC) + SEAL.size:
        raise Damage(f"it has {size} bytes, fewer than any task" if size else "it is empty")
    tail = source.read(max(0, size - 4096), size)
    if not tail.endswith(MARK):
        raise Damage("its end is missing, or it is not a task file")
    length, digest, magic, _ = SEAL.unpack(tail[-SEAL.size :])
    if magic != MAGIC:
        raise Damage("it is not a task file")
    end = size - SEAL.size
    if length > end - len(MAGIC):
        raise Damage("its header is longer than the file")
    if length + SEAL.size <= len(tail):
        text = tail[len(tail) - SEAL.size - length : len(tail) - SEAL.size]
    else:
        text = source.read(end - length, end)
    if hashlib.sha256(text).digest() != digest:
        raise Damage("the checksum of its header is wrong")
    header: dict[str, Any] = json.loads(text)
    if header["format"] != FORMAT:
        raise NewerFormat(header["format"])
    if len(MAGIC) + sum(header["parts"]) + length + SEAL.size != size:
        raise Damage(f"it has {size} bytes, not as many as its header says")
    return header


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
    return lambda: pickle.loads(parts[1], buffers=parts[2:])
