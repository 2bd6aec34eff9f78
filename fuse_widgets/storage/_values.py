"""Stable bytes for values: equal values give equal bytes in every process, different values different ones.

`joblib.hash` is close, but it hashes pickles, and a pickle depends on which equal objects are the same object
(`["a" * 9, "a" * 9]` with one string or with two), on memory order, and on how a data frame is kept in blocks.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import os
import sys
import types
from array import array
from collections import OrderedDict
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from ..engine.errors import shorten
from ._code import join
from ._origins import origin_of, origin_of_module
from ._reads import Attributes, Root

#: Types that carry no data of their own, by module: in code (not as arguments) their type is enough.
_TOOLS = frozenset(
    {
        "threading",
        "_thread",
        "queue",
        "_queue",
        "logging",
        "weakref",
        "contextvars",
        "_contextvars",
        "asyncio",
        "concurrent",
    }
)
#: Those of them that hold data, which does not count, by module or by name.
_HOLD = frozenset({"queue", "_queue", "weakref", "contextvars", "_contextvars"})
_HOLDERS = frozenset({"_thread._local", "logging.LoggerAdapter", "asyncio.queues.Queue"})


class Ref(NamedTuple):
    """What a function reads, and where the lookup begins.

    Attributes:
        space: The function's global names, or a module (root kind `"module"`).
        root, path: What is looked up there.
        only_filled: See `Read`.
        reader: The function, for notes.
    """

    space: Any
    root: Root
    path: Attributes = ()
    only_filled: bool = False
    reader: str = ""


class Mark(NamedTuple):
    """What else was met on the way.

    Attributes:
        kind: `"package"`, an installed module; `"distribution"`, one that is not imported yet;
            `"compiled"`, a first-party module of C code; `"file"`, an `InputFile`; `"path"`, another path that
            names a file; `"note"`, something that is not tracked; `"names"`, the names of attributes in code.
        text: Its name, or the note.
        value: The digest of a file; the version of a distribution; names.
    """

    kind: str
    text: str
    value: Any = ""


class Unstable(Exception):
    """A value that cannot be compared from one run to the next; says which and why."""


class Values:
    """Makes tokens of values; `_code` of the subclass makes those of functions and classes.

    The token of a function holds only its own code. What it refers to by global name is collected in `_refs`,
    so that functions which refer to each other make no cycle.

    State: `_stack`, the objects whose token is being made, with their depth; `_lowest`, the depth of the
    outermost object that a cycle came back to since (a token that depends on it must not be kept); `_refs`,
    what the functions met so far read.
    """

    def __init__(self) -> None:
        self._stack: dict[int, int] = {}
        self._lowest = sys.maxsize
        self._refs: list[Ref | Mark] = []
        self._kept: dict[tuple[Any, ...], tuple[Any, bytes, list[Ref | Mark]]] = {}
        #: True while the values that code refers to are looked at, where a lock is a tool and not an input.
        self._in_code = False

    def token(self, value: Any) -> bytes:
        """Stable bytes for any value.

        Raises:
            Unstable: There are none, for example for an open file.
        """
        kind = type(value)
        scalar = _SCALARS.get(kind)
        if scalar is not None:
            return bytes(scalar(value))
        key = id(value)
        depth = self._stack.get(key)
        if depth is not None:
            self._lowest = min(self._lowest, depth)
            return b"cycle %d" % (len(self._stack) - depth)
        depth = self._stack[key] = len(self._stack)
        try:
            return self._compound(value, kind)
        except RecursionError:
            raise Unstable(f"{_name_of(kind)} is nested too deeply") from None
        finally:
            del self._stack[key]
            if self._lowest >= depth:
                self._lowest = sys.maxsize

    def kept(self, value: Any) -> bytes:
        """The token of a value that lives through the run, computed once."""
        if type(value) in _SCALARS:
            return self.token(value)
        key = (id(value), self._in_code)
        found = self._kept.get(key)
        if found is None:
            outer, self._refs = self._refs, []
            try:
                token = self.token(value)
                found = (value, token, self._refs)
            finally:
                outer.extend(self._refs)
                self._refs = outer
            if self._lowest == sys.maxsize:  # else it depends on where a cycle was entered
                self._kept[key] = found
            return token
        self._refs.extend(found[2])
        return found[1]

    def _compound(self, value: Any, kind: type) -> bytes:
        if kind is list or kind is tuple:
            return join((kind.__name__.encode(), *self._items(value)))
        if kind is dict or kind is types.MappingProxyType:
            return join((b"dict", *(self.token(part) for pair in value.items() for part in pair)))
        if kind is set or kind is frozenset:
            return join((kind.__name__.encode(), *sorted(map(self.token, value))))
        if kind is bytearray or kind is memoryview:
            return join((kind.__name__.encode(), bytes(value)))
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if isinstance(value, PurePath):
            return self._path(value, kind)
        found = self._code(value)
        if found is not None:
            return found
        if isinstance(value, types.MethodType):
            return join((b"method", self.token(value.__func__), self.token(value.__self__)))
        if kind is OrderedDict:
            return join((b"ordered", *(self.token(part) for pair in value.items() for part in pair)))
        found = self._array(value)
        if found is not None:
            return found
        return self._tool(kind) or self._object(value, kind)

    def _code(self, value: Any) -> bytes | None:
        """The token of a function, a class or what stands for one; None for other values."""
        raise NotImplementedError

    def _tool(self, kind: type) -> bytes | None:
        """The token of what code uses as a tool, such as a lock; None for other values, and in arguments."""
        # some classes of Cython have no text for their module
        if not self._in_code or str(kind.__module__).partition(".")[0] not in _TOOLS:
            return None
        if kind.__module__ in _HOLD or _name_of(kind) in _HOLDERS:
            self._refs.append(Mark("note", f"what {_name_of(kind)} holds"))
        return named("tool", _name_of(kind))

    def _module(self, module: types.ModuleType) -> bytes:
        """A module as a value: what reads it may read anything in it."""
        name = str(getattr(module, "__name__", ""))
        if origin_of_module(module).first_party:
            self._refs.append(Ref(module, Root("module", name)))
        elif self._in_code:
            self._refs.append(Mark("package", name))
        return named("module", name)

    def _path(self, path: PurePath, kind: type) -> bytes:
        """A path as it is written; of an `InputFile` the content counts as well, under `Fingerprint.files`."""
        from .input_file import InputFile

        text = str(path)
        if isinstance(path, InputFile):
            self._refs.append(Mark("file", text, self._digest(text)))
        elif isinstance(path, Path) and os.path.isfile(path):
            self._refs.append(Mark("path", text))
        return named(_name_of(kind), text)

    def _digest(self, path: str) -> str:
        raise NotImplementedError

    def _items(self, items: list[Any] | tuple[Any, ...]) -> list[bytes]:
        kinds = set(map(type, items))
        if len(kinds) == 1:  # many values of one plain type: in one go
            kind = kinds.pop()
            if kind is str:
                text = "".join(items).encode("utf-8", "surrogatepass")
                return [b"str", array("Q", map(len, items)).tobytes(), text]
            if kind is float:
                return [b"float", array("d", items).tobytes()]
            if kind is int:
                return [b"int", ",".join(map(hex, items)).encode()]
        return [b"any", *map(self.token, items)]

    def _array(self, value: Any) -> bytes | None:
        numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
        if numpy is not None:
            if type(value) in (numpy.ndarray, numpy.memmap):
                return self._ndarray(value)
            if isinstance(value, numpy.dtype):
                return named("dtype", repr(value))
            if isinstance(value, numpy.generic) and value.dtype.names is None:
                return join((b"scalar", value.dtype.str.encode(), value.tobytes()))
        if pandas is not None:
            kind = _name_of(type(value)).encode()
            if isinstance(value, pandas.DataFrame):
                columns = [self._column(column.array) for _, column in value.items()]
                rest = (value.columns, value.index, value.attrs)
                return join((kind, *map(self.token, rest), *columns))
            if isinstance(value, pandas.Series):
                rest = (value.name, value.index, value.attrs)
                return join((kind, *map(self.token, rest), self._column(value.array)))
            if isinstance(value, pandas.MultiIndex):
                levels = [value.get_level_values(level) for level in range(value.nlevels)]
                return join((kind, *map(self.token, levels)))
            if isinstance(value, pandas.RangeIndex):
                return join((kind, self.token((value.name, value.start, value.stop, value.step))))
            if isinstance(value, pandas.Index):
                return join((kind, self.token(value.name), self._column(value.array)))
            if isinstance(value, pandas.api.extensions.ExtensionArray):
                return self._column(value)
        return None

    def _ndarray(self, value: Any) -> bytes:
        dtype = value.dtype
        head = (b"array", repr(value.shape).encode())
        if dtype.names is not None:  # field by field: the padding between fields is not part of the value
            fields = [join((name.encode(), self._ndarray(value[name]))) for name in dtype.names]
            return join((*head, b"fields", *fields))
        if dtype.hasobject:
            items = value.reshape(-1).tolist()
            return join((*head, repr(dtype).encode(), *self._items(items)))
        if not dtype.itemsize:
            return join((*head, dtype.str.encode()))
        numpy = sys.modules["numpy"]
        digest = hashlib.sha256(numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8).data)
        return join((*head, f"{dtype.str} {dtype.name}".encode(), digest.digest()))

    def _column(self, column: Any) -> bytes:
        """A pandas array: its type and its values, whatever lies under missing ones."""
        pandas = sys.modules["pandas"]
        dtype = column.dtype
        head = (b"column", str(dtype).encode())
        if isinstance(dtype, pandas.CategoricalDtype):
            return join(
                (*head, self.token(dtype.categories), b"%d" % bool(dtype.ordered), self.token(column.codes))
            )
        if hasattr(column, "asi8"):  # times, with their unit in the type
            return join((*head, self.token(column.asi8)))
        if type(column).__name__ in ("NumpyExtensionArray", "PandasArray"):
            return join((*head, self.token(column.to_numpy())))
        missing = column.isna()
        if isinstance(dtype, pandas.StringDtype):
            # copied here: `to_numpy(copy=True)` gives out the column's own array where it was unpickled
            texts = column.to_numpy(dtype=object).copy()
            texts[missing] = ""
            return join((*head, self.token(missing), *self._items(texts.tolist())))
        if hasattr(dtype, "numpy_dtype") and hasattr(column, "_mask"):
            values = column.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
            return join((*head, self.token(missing), self.token(values)))
        return join((*head, *self._items(column.to_numpy(dtype=object).tolist())))

    def _object(self, value: Any, kind: type) -> bytes:
        """Any other object: what pickle would keep of it."""
        if issubclass(kind, io.IOBase) and not issubclass(kind, io.BytesIO | io.StringIO):
            raise Unstable(f"{_name_of(kind)} is an open file")
        try:
            reducer = copyreg.dispatch_table.get(kind)
            reduced = reducer(value) if reducer else value.__reduce_ex__(4)
        except RecursionError:
            raise
        except Exception as error:
            raise Unstable(
                f"{_name_of(kind)} cannot be compared between runs ({shorten(_say(error))})"
            ) from error
        if isinstance(reduced, str):
            name = named("name", f"{getattr(value, '__module__', '')}.{reduced}")
            return join((name, self.token(kind))) if origin_of(str(kind.__module__)).first_party else name
        make, args, state, items, pairs = (*reduced, None, None, None)[:5]
        return join(
            (
                b"object",
                self.token(make),
                self.token(args),
                self.token(state),
                self.token(None if items is None else list(items)),
                self._pairs(pairs),
            )
        )

    def _pairs(self, pairs: Any) -> bytes:
        if pairs is None:
            return b"none"
        return join(self.token(part) for pair in pairs for part in pair)


def named(what: str, name: str) -> bytes:
    text = f"{what} {name}".encode("utf-8", "surrogatepass")
    return text if len(text) <= 64 else join((text,))


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _say(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"str " + data if len(data) <= 64 else b"text " + hashlib.sha256(data).digest()


def _bytes(value: bytes) -> bytes:
    return b"bytes " + value if len(value) <= 64 else b"blob " + hashlib.sha256(value).digest()


def _whole(value: int) -> bytes:
    text = b"int %x" % value
    return text if len(text) <= 64 else b"long " + hashlib.sha256(text).digest()


_SCALARS: dict[type, Any] = {
    type(None): lambda value: b"None",
    bool: lambda value: b"bool %d" % value,
    int: _whole,
    float: lambda value: b"float " + repr(value).encode(),
    complex: lambda value: b"complex " + repr((value.real, value.imag)).encode(),
    str: _text,
    bytes: _bytes,
    type(Ellipsis): lambda value: b"Ellipsis",
    type(NotImplemented): lambda value: b"NotImplemented",
}
