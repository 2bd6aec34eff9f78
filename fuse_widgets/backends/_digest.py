"""Whether a value has changed in place: digests of what it holds, comparable within one process.

What is compared: lists, tuples, dicts, sets, deques, bytearrays, numpy arrays, pandas frames, series and indexes, and the attributes of
objects, at any depth; other objects by what `pickle` would keep of them. What cannot be looked into, such as an open file, is compared by
identity, and so are functions, classes, modules and the generators behind `random` and `numpy.random`, which all code shares. Bounds: `ITEMS` objects of a value; of arrays beyond `WHOLE` bytes blocks spread over them.
"""

from __future__ import annotations

import collections
import contextlib
import copyreg
import functools
import hashlib
import io
import marshal
import random
import sys
import types
from collections.abc import Mapping
from itertools import chain
from typing import Any

from ..engine.nodes import Promise

__all__ = ["CONSTANTS", "digest", "is_constant"]

#: Objects of one value that are looked at; ten plain ones beside each other, as in a list of numbers, count as one.
ITEMS = 200_000
#: Bytes of one array that are all looked at; from `HASHED` on by sums, which are faster.
WHOLE, HASHED = 1 << 30, 1 << 16
#: Of a larger array: how many blocks, and their size in bytes.
BLOCKS, BLOCK = 4_096, 4_096
#: Rows of the table that sums are taken of.
ROWS = 1_024

#: Types whose values cannot change.
CONSTANTS = frozenset(
    {int, float, str, bytes, bool, complex, type(None), type(Ellipsis), range, slice, type(NotImplemented)}
)
_NAMED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, Promise)
_MARSHALLED = frozenset({int, float, str, bytes, bool, complex, type(None)})
_PICKLING = frozenset({"__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"})
_NESTED = frozenset({list, tuple, dict})
#: Modules whose objects count how often they are asked, in what `pickle` keeps of them.
_COUNTING = frozenset({"sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree"})


def is_constant(value: Any) -> bool:
    """Whether a value plainly cannot change: a number, a string, a function, or a tuple of those."""
    kind = type(value)
    if kind in CONSTANTS or isinstance(value, _NAMED):
        return True
    return kind in (tuple, frozenset) and len(value) < 100 and all(map(is_constant, value))


def digest(value: Any) -> bytes:
    """Return a digest of what a value holds now. Another one later means that it has changed."""
    walk = _Walk()
    with contextlib.suppress(RecursionError):  # what comes deeper is not compared
        walk.add(value)
    return walk.hash.digest()


class _Walk:
    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=16)
        self._left = ITEMS
        self._seen: dict[int, int] = {}
        self._held: list[Any] = []  # temporary objects stay, so that no other gets their id

    def add(self, value: Any) -> None:
        kind = type(value)
        if kind in _MARSHALLED:
            return self.hash.update(marshal.dumps(value, 2))
        self._left -= 1
        if kind in CONSTANTS:
            return self.hash.update(repr(value).encode())
        if isinstance(value, _NAMED) or self._left < 0:
            return self._mark(id(value))
        number = self._seen.get(id(value))
        if number is not None:
            return self._mark(number)
        self._seen[id(value)] = len(self._seen)
        self._held.append(value)
        self.hash.update(kind.__name__.encode("utf-8", "backslashreplace"))
        self._compound(value, kind)
        return None

    def _mark(self, number: int) -> None:
        self.hash.update(b"#%d\0" % number)

    def _compound(self, value: Any, kind: type) -> None:
        if isinstance(value, list | tuple | collections.deque):
            self._items(value)
        elif isinstance(value, dict | types.MappingProxyType):
            self._items(list(value))
            self._items(list(value.values()))
        elif isinstance(value, set | frozenset):
            self._mark(len(value))
            self._mark(hash(frozenset(value)))
        elif isinstance(value, bytearray | memoryview):
            self.hash.update(bytes(value))
        else:
            if not self._array(value):
                self._object(value, kind)
            return
        if kind.__module__ != "builtins":  # a subclass may keep more
            self._attributes(value)

    def _items(self, items: Any) -> None:
        kinds = set(map(type, items))
        self._mark(len(items))
        if not kinds <= _MARSHALLED and kinds <= _NESTED:  # records, as rows of a table are
            self._records(items, kinds)
        elif len(items) > 4 and kinds <= _MARSHALLED:  # plain values: in one go
            self._plain(list(items))
        else:
            self._each(items)

    def _each(self, items: Any) -> None:
        for item in items:
            if self._left < 0:
                return
            self.add(item)

    def _plain(self, items: list[Any]) -> None:
        self._left -= len(items) // 10
        self.hash.update(marshal.dumps(items, 2))

    def _records(self, items: Any, kinds: set[type]) -> None:
        parts = list(chain.from_iterable(items))
        if dict in kinds:
            parts += chain.from_iterable(item.values() for item in items if type(item) is dict)
        if set(map(type, parts)) <= _MARSHALLED:
            self._plain(list(map(len, items)))
            self._plain(parts)
        else:
            self._each(items)

    def _array(self, value: Any) -> bool:
        numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
        if numpy is not None and isinstance(value, numpy.ndarray):
            self._ndarray(numpy, value)
            return True
        if pandas is None:
            return False
        if isinstance(value, pandas.DataFrame):
            for part in (value.columns, value.index, value.attrs):
                self.add(part)
            for place in range(value.shape[1]):
                self._column(value.iloc[:, place].array)
            return True
        if isinstance(value, pandas.Series):
            for part in (value.name, value.index, value.attrs):
                self.add(part)
            self._column(value.array)
            return True
        if isinstance(value, pandas.Index):
            self.add(list(value.names))
            if isinstance(value, pandas.RangeIndex):
                self.add((value.start, value.stop, value.step))
            elif isinstance(value, pandas.MultiIndex):
                self.add([list(value.levels), list(value.codes)])
            else:
                self._column(value.array)
            return True
        if isinstance(value, pandas.api.extensions.ExtensionArray):
            self._column(value)
            return True
        return False

    def _column(self, column: Any) -> None:
        """A pandas array, by the numpy array that it is made of or by the hashes of its values."""
        numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
        self.hash.update(str(column.dtype).encode())
        if hasattr(column, "asi8"):  # times
            self._ndarray(numpy, column.asi8)
        elif isinstance(column, pandas.arrays.NumpyExtensionArray):
            self._ndarray(numpy, column.to_numpy())
        else:
            try:
                self._ndarray(numpy, pandas.util.hash_array(column, categorize=False))
            except Exception:  # values that have no hash, as lists in a column
                self._items(column.to_numpy(dtype=object).tolist())

    def _ndarray(self, numpy: Any, array: Any) -> None:
        self._held.append(array)
        self.hash.update(f"{array.dtype.str}{array.shape}{array.flags.writeable:d}".encode())
        if isinstance(array, numpy.ma.MaskedArray):
            self._ndarray(numpy, numpy.ma.getmaskarray(array))
            array = array.data
        if array.dtype.hasobject:
            self._items(array.reshape(-1).tolist() if array.dtype.names is None else array.tolist())
            return
        if not array.nbytes:
            return
        if not array.flags.c_contiguous:
            array = array.T if array.flags.f_contiguous else numpy.ascontiguousarray(array)
        flat = array.reshape(-1).view(numpy.ndarray).view(numpy.uint8)
        if flat.nbytes <= HASHED:
            self.hash.update(flat.data)
            return
        if flat.nbytes > WHOLE:
            starts = numpy.linspace(0, flat.nbytes - BLOCK, BLOCKS).astype(int)
            for start in starts.tolist():
                self.hash.update(flat[start : start + BLOCK].data)
            return
        size = ROWS * 8
        end = flat.nbytes // size * size
        table = flat[:end].view(numpy.uint64).reshape(-1, ROWS)
        # A value that changes changes the sum of its row and that of its column; two that change places do as well.
        self.hash.update(table.sum(axis=0, dtype=numpy.uint64).data)
        self.hash.update(table.sum(axis=1, dtype=numpy.uint64).data)
        self.hash.update(flat[end:].data)

    def _object(self, value: Any, kind: Any) -> None:
        """Any other object."""
        if issubclass(kind, io.IOBase) and not issubclass(kind, io.BytesIO | io.StringIO):
            return self._mark(id(value))
        if kind.__module__ in _COUNTING or _is_generator_of_all(value):
            return self._mark(id(value))
        if kind not in copyreg.dispatch_table and _is_plain(kind):
            return self._attributes(value)
        try:
            reducer: Any = copyreg.dispatch_table.get(kind, _reduced)
            reduced = reducer(value)
        except Exception:
            return self._mark(id(value))
        if isinstance(reduced, str):
            return self._mark(id(value))
        self._held.append(reduced)
        for part in reduced[1:3]:
            self.add(part)
        for more in reduced[3:5]:
            if more is not None:
                self._items(list(more))
        return None

    def _attributes(self, value: Any) -> None:
        cls: Any = type(value)
        own = getattr(value, "__dict__", None)
        if isinstance(own, Mapping):
            # What is worked out on demand and kept is no change.
            self._items(
                [
                    part
                    for name, content in list(own.items())
                    if not isinstance(getattr(cls, name, None), functools.cached_property)
                    for part in (name, content)
                ]
            )
        for name in _slots(cls):
            self.add(getattr(value, name, None))


def _is_generator_of_all(value: Any) -> bool:
    """Whether a value is the generator behind `random.random()` or `numpy.random.rand()`.

    Estimators of scikit-learn keep it where they were given no `random_state`; whoever draws from it changes it.
    """
    numpy_random = sys.modules.get("numpy.random")
    return value is random.random.__self__ or (  # type: ignore[attr-defined]
        numpy_random is not None and value is numpy_random.rand.__self__
    )


def _reduced(value: Any) -> Any:
    return value.__reduce_ex__(4)


@functools.lru_cache(maxsize=1_000)
def _is_plain(kind: Any) -> bool:
    """Whether a class is written in Python and says nothing of its own of how it is pickled."""
    if (
        getattr(kind, "__reduce__", None) is not object.__reduce__
        or kind.__reduce_ex__ is not object.__reduce_ex__
    ):
        return False
    own = {name for cls in kind.__mro__ if cls is not object for name in vars(cls)}
    return not own & {"__getstate__", "__setstate__"} and bool(own & {"__dict__", "__slots__"})


@functools.lru_cache(maxsize=1_000)
def _slots(kind: Any) -> tuple[str, ...]:
    members = types.MemberDescriptorType
    return tuple(
        name for cls in kind.__mro__ for name, field in vars(cls).items() if isinstance(field, members)
    )
