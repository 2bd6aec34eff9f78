"""What goes to a task as bytes: the version of this package, then the fields, so that a worker with another one says so."""

from __future__ import annotations

import marshal
import pickle
from typing import Any

from ... import __version__
from ...engine.errors import FuseError
from .live import who

__all__ = ["from_wire", "read", "to_wire", "written"]

#: Stands in front, apart from the rest, which another version may not be able to read.
_END = b"\0"
_FRONT = __version__.encode() + _END


def to_wire(fields: tuple[Any, ...]) -> bytes:
    """The fields for a task.

    Args:
        fields: The last may be anything; the others plain values: texts, bytes, numbers, None, tuples of those.
    """
    *plain, last = fields
    if last:  # in few nodes
        last = pickle.dumps(last)
    return _FRONT + written((*[tuple(f) if isinstance(f, tuple) else f for f in plain], last))


def from_wire(wire: bytes) -> tuple[Any, ...]:
    """The fields again, with plain tuples for named ones.

    Raises:
        FuseError: The version of this package is not the one that wrote them.
    """
    if not wire.startswith(_FRONT):
        version = wire.partition(_END)[0]
        raise FuseError(
            f"the driver has fuse_widgets {version.decode()}, the worker on machine {who().host} has {__version__}: "
            "install the same version there, or send it along: "
            "ray_init_args={'runtime_env': {'py_modules': [fuse_widgets]}}"
        )
    fields: tuple[Any, ...] = read(memoryview(wire)[len(_FRONT) :])
    return (*fields[:-1], pickle.loads(fields[-1])) if type(fields[-1]) is bytes else fields


def written(fields: tuple[Any, ...]) -> bytes:
    """Plain values as bytes. A worker comes here once in a node, with cold caches: `pickle` takes half as long again there.

    The version without references is the leanest; both sides have the same Python, since Ray wants that.
    """
    return marshal.dumps(fields, 2)


#: What was `written`.
read = marshal.loads
