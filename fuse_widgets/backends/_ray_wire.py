"""What goes to a task as bytes: the version of this package, then the fields, so that a worker with another one says so."""

from __future__ import annotations

import pickle
from typing import Any

from .. import __version__
from ..engine.errors import FuseError
from ._ray_live import who

__all__ = ["from_wire", "to_wire"]

#: Stands in front, outside of the pickle, which another version may not be able to read.
_END = b"\0"
_FRONT = __version__.encode() + _END


def to_wire(fields: tuple[Any, ...]) -> bytes:
    """The fields for a task; those that are named tuples go as plain ones, since to look up a class takes its time."""
    return _FRONT + pickle.dumps(tuple([tuple(f) if isinstance(f, tuple) else f for f in fields]))


def from_wire(written: bytes) -> Any:
    """The fields again.

    Raises:
        FuseError: The version of this package is not the one that wrote them.
    """
    if not written.startswith(_FRONT):
        version = written.partition(_END)[0]
        raise FuseError(
            f"the driver has fuse_widgets {version.decode()}, the worker on machine {who().host} has {__version__}: "
            "install the same version there, or send it along: "
            "ray_init_args={'runtime_env': {'py_modules': [fuse_widgets]}}"
        )
    return pickle.loads(memoryview(written)[len(_FRONT) :])
