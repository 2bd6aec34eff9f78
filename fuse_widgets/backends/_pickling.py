"""Pickles for other processes: those of cloudpickle, with the source of functions beside them."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import CodeType
from typing import Any

from ..engine.carried import carried
from ..engine.sources import located, source_of
from ..storage import _pickling as storage

__all__ = ["Pickler", "dumps", "portable", "reducers"]


#: How to reduce objects of packages that pickle their own objects in another way than `pickle` would, by type.
reducers: dict[type, Callable[[Any], Any]] = {}


class Pickler(storage.Pickler):
    """A cloudpickle pickler whose code keeps its file name, and brings its lines along, in every version of cloudpickle."""

    def reducer_override(self, obj: Any) -> Any:
        if reduce := reducers.get(type(obj)):
            return reduce(obj)
        if type(obj) is CodeType:
            reduce = self.dispatch_table.get(CodeType)
            if reduce is not None:
                make, args = reduce(obj)
                return located, (make, args, source_of(obj))
        return super().reducer_override(obj)


def dumps(value: Any) -> bytes:
    """Return a value as bytes for another process; `pickle.loads` reads them."""
    out = io.BytesIO()
    Pickler(out, protocol=5).dump(value)
    return out.getvalue()


def portable(error: BaseException) -> Any:
    """Return what unpickles as an exception in another process; see `carried`."""
    return carried(error, Pickler)
