"""Exceptions on their way to another process, with their class, attributes, notes, causes, groups and tracebacks.

Python pickles an exception as its class and `args`, and calls the class with them: that fails for most constructors with other
arguments, and loses causes, notes and tracebacks. Here an exception is a record. It is rebuilt by the `__new__` of the
built-in class it derives from, which takes no arguments, and gets what it had one by one, so that one value that cannot be pickled costs
that value and nothing else. What refers to another exception, a cause as well as an attribute, refers to its record.
"""

from __future__ import annotations

import builtins
import functools
import io
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from . import _tracebacks
from ._node import Node
from .errors import ExceptionStandIn, FuseError, NodeName, message_of, shorten

__all__ = ["Carried", "carried"]

#: Exceptions that travel with one; a chain of causes may be longer.
MOST = 1_000
#: Flag of a class that is made while Python runs, and not one of the interpreter's own.
_HEAP = 1 << 9
_NOTES = "__notes__"
_FIELDS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_PICKLING = (
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
)
#: None before Python 3.11; the groups of the package `exceptiongroup` keep their members in attributes.
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", None)
#: Fields that do not travel: Python's own pickling leaves out the first as well, which may be anything, as a table without that
#: column; those of groups are set as the group is made.
_NOT_SENT = {(AttributeError, "obj"), (_GROUP, "message"), (_GROUP, "exceptions")}


class _Record(NamedTuple):
    """One exception as data. Others are numbers of records; values are pickles, None for one that cannot be pickled.

    Attributes:
        kind: The pickled class; None if it cannot be pickled.
        module, qualname: Of the class.
        message: What `str` says of it.
        whole: It as its own `__reduce__` wants it, if its class has one that works.
        members: The exceptions of a group; None if it is none.
        title: The message of a group.
        shown: The missing arguments, as texts.
        left_out: What is missing, in words.
    """

    kind: bytes | None
    module: str
    qualname: str
    message: str
    whole: bytes | None
    args: tuple[bytes | None, ...]
    shown: dict[int, str]
    attributes: dict[str, bytes]
    members: tuple[int, ...] | None
    title: str
    cause: int | None
    context: int | None
    suppress: bool
    frames: tuple[_tracebacks.Frame, ...]
    left_out: tuple[str, ...]


def carried(error: BaseException, pickler: Any = pickle.Pickler) -> Carried:
    """Return what travels in place of an exception, and unpickles as the exception.

    Args:
        error: The exception. It stays as it is.
        pickler: The class of the pickler for classes and values.
    """
    packer = _Packer(pickler)
    packer.number(error)
    try:
        lines = _tracebacks.lines_of(frame for record in packer.records() for frame in record.frames)
    except Exception:  # a file that cannot be read
        lines = {}
    return Carried(packer.done, lines)


class Carried:
    """An exception as data; pickles, and unpickles as the exception. See `carried`."""

    def __init__(self, records: list[_Record], lines: _tracebacks.Lines) -> None:
        self.records, self.lines = records, lines

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, ([tuple(record) for record in self.records], self.lines)


class _Packer:
    """Makes records of an exception and all that it refers to."""

    def __init__(self, pickler: Any) -> None:
        self._pickler = pickler
        self._found: list[BaseException] = []
        self._numbers: dict[int, int] = {}
        self.done: list[_Record] = []

    def number(self, error: BaseException | None) -> int | None:
        """The number of an exception's record; None for one too many."""
        if error is None:
            return None
        number = self._numbers.get(id(error))
        if number is None and len(self._found) < MOST:
            number = self._numbers[id(error)] = len(self._found)
            self._found.append(error)
        return number

    def records(self) -> Iterator[_Record]:
        """Make the records, those of exceptions that turn up meanwhile as well."""
        while len(self.done) < len(self._found):
            self.done.append(self._record(self._found[len(self.done)]))
            yield self.done[-1]

    def _record(self, error: BaseException) -> _Record:
        cls = type(error)
        left_out: list[str] = []
        members, title = _group(error)
        args, shown = self._args(error, left_out)
        attributes = {}
        for name, value in _attributes(error):
            pickled = self._try(value)
            if pickled is None:
                instead, known = _substitute(error, value)
                pickled = self._try(instead) if known else None
                if not known:
                    left_out.append(f"attribute {name!r} ({_shown(value)})")
            if pickled is not None:
                attributes[name] = pickled
        numbers = None
        if (
            members is not None
        ):  # those that are one too many are missed by nobody: there are a thousand others
            numbers = tuple(n for member in members if (n := self.number(member)) is not None)
        return _Record(
            self._try(cls),
            str(cls.__module__),
            cls.__qualname__,
            message_of(error),
            self._whole(error),
            args,
            shown,
            attributes,
            numbers,
            title,
            self.number(error.__cause__),
            self.number(error.__context__),
            bool(error.__suppress_context__),
            _tracebacks.frames_of(error.__traceback__),
            tuple(left_out),
        )

    def _args(
        self, error: BaseException, left_out: list[str]
    ) -> tuple[tuple[bytes | None, ...], dict[int, str]]:
        args, shown = [], {}
        for place, value in enumerate(error.args):
            pickled = self._try(value)
            if pickled is None:
                instead, known = _substitute(error, value)
                pickled = self._try(instead) if known else None
                if pickled is None:
                    shown[place] = _shown(value)
                    left_out.append(f"args[{place}] ({shown[place]})")
            args.append(pickled)
        return tuple(args), shown

    def _whole(self, error: BaseException) -> bytes | None:
        """The exception as its own class wants it pickled, if that works here; its causes and notes travel in any case."""
        if not _has_own_reduce(type(error)):
            return None
        pickled = self._try(error, root=error)
        if pickled is None:
            return None
        try:
            again = _Unpickler(pickled, lambda number: self._found[number]).load()
        except BaseException:
            return None
        return pickled if type(again) is type(error) else None

    def _try(self, value: Any, root: BaseException | None = None) -> bytes | None:
        out = io.BytesIO()
        try:
            _pickler(self._pickler)(out, self, root).dump(value)
        except BaseException:  # whatever a `__reduce__` raises
            return None
        return out.getvalue()


@functools.lru_cache(maxsize=8)
def _pickler(base: Any) -> Any:
    class Pickler(base):  # type: ignore[misc]
        """Writes exceptions as numbers of records."""

        def __init__(self, out: io.BytesIO, packer: _Packer, root: BaseException | None) -> None:
            super().__init__(out, protocol=5)
            self._packer, self._root = packer, root

        def persistent_id(self, value: Any) -> Any:
            if not isinstance(value, BaseException) or value is self._root:
                return None
            number = self._packer.number(value)
            return number if number is not None else (type(value).__qualname__, message_of(value))

    return Pickler


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: bytes, exception: Callable[[int], BaseException]) -> None:
        super().__init__(io.BytesIO(pickled))
        self._exception = exception

    def persistent_load(self, reference: Any) -> BaseException:
        if isinstance(reference, int):
            return self._exception(reference)
        name, message = reference
        return ExceptionStandIn(name, message, f"it came with more than {MOST:,} others")


def _group(error: BaseException) -> tuple[tuple[BaseException, ...] | None, str]:
    """The members and the message of an exception group of Python 3.11+; `(None, "")` for others."""
    if _GROUP is None or not isinstance(error, _GROUP):
        return None, ""
    return tuple(error.exceptions), error.message


def _has_own_reduce(cls: type) -> bool:
    """Whether a class says itself how it is pickled."""
    if issubclass(cls, FuseError):
        return False
    for name in _PICKLING:
        home = next((base for base in cls.__mro__ if name in vars(base)), None)
        if home is not None and home.__module__ != "builtins":
            return True
    return False


def _attributes(error: BaseException) -> Iterator[tuple[str, Any]]:
    """What an exception has besides `args`: fields of built-in classes, slots, and its `__dict__`."""
    for cls in type(error).__mro__:
        built_in = not cls.__flags__ & _HEAP
        for name, field in list(vars(cls).items()):
            special = name == "args" or (name[:2] == "__" and name[-2:] == "__")
            if special or not isinstance(field, _FIELDS) or (cls, name) in _NOT_SENT:
                continue
            try:
                value = field.__get__(error)
            except Exception:  # not set
                continue
            if not (built_in and value is None):  # as it is unless it was set
                yield name, value
    try:
        own = dict(object.__getattribute__(error, "__dict__"))
    except Exception:
        return
    yield from own.items()


def _substitute(error: BaseException, value: Any) -> tuple[Any, bool]:
    """What stands for a node, or for any value in an error of ours; and whether something does."""
    if isinstance(value, Node):
        return NodeName(value.name, value.made_at), True
    if isinstance(value, tuple) and value and all(isinstance(item, Node) for item in value):
        return tuple(NodeName(node.name, node.made_at) for node in value), True
    if isinstance(error, FuseError):
        return _shown(value), True
    return None, False


def _shown(value: Any) -> str:
    try:
        return shorten(repr(value))
    except Exception:
        return f"a {type(value).__name__}"


def _arrived(fields: list[tuple[Any, ...]], lines: _tracebacks.Lines) -> BaseException:
    """The exception that was carried. What cannot be rebuilt becomes a stand-in; nothing raises."""
    return _Builder([_Record(*field) for field in fields], lines).build(0)


class _Builder:
    """Makes exceptions of records."""

    def __init__(self, records: list[_Record], lines: _tracebacks.Lines) -> None:
        self.records, self.lines = records, lines
        self._made: dict[int, BaseException] = {}
        self._empty: list[int] = []
        self._complete: set[int] = set()  # those that came as a whole

    def build(self, root: int) -> BaseException:
        """The exception of a record, with all that it refers to."""
        error = self._shell(root)
        while self._empty:  # filling one makes others
            number = self._empty.pop()
            self._fill(number, self.records[number], self._made[number])
        return error

    def _shell(self, number: int) -> BaseException:
        """The exception of a record, to be filled later."""
        found = self._made.get(number)
        if found is None:
            record = self.records[number]
            # Only a ring of exceptions with a `__reduce__` of their own meets this one.
            self._made[number] = _stand_in(record, "it refers to itself")
            found = self._made[number] = self._new(number, record)
            self._empty.append(number)
        return found

    def _new(self, number: int, record: _Record) -> BaseException:
        if record.whole is not None:
            try:
                whole = self._load(record.whole)
                if isinstance(whole, BaseException):
                    self._complete.add(number)
                    return whole
            except BaseException:  # what it needs is not here; its parts may be
                pass
        members = None if record.members is None else [self._shell(member) for member in record.members]
        try:
            cls = _class_of(record)
            base: Any = next(kind for kind in cls.__mro__ if not kind.__flags__ & _HEAP)
            made: BaseException = (
                base.__new__(cls) if members is None else base.__new__(cls, record.title, members)
            )
        except BaseException as error:
            instead = _stand_in(record, f"{type(error).__name__}: {message_of(error)}")
            if members is None or _GROUP is None:
                return instead
            group: BaseException = _GROUP(record.title, members)
            _add_note(group, message_of(instead))
            return group
        return made

    def _fill(self, number: int, record: _Record, error: BaseException) -> None:
        lost = list(record.left_out)
        if number in self._complete or isinstance(error, ExceptionStandIn):
            lost.clear()
            if _NOTES in record.attributes:
                self._set(error, _NOTES, record.attributes[_NOTES], lost)
        else:
            self._set_args(error, record, lost)
            for name, pickled in record.attributes.items():
                self._set(error, name, pickled, lost)
        # By the descriptors of the base, since a class may refuse to be changed, as a frozen dataclass does.
        for name, other in (("__cause__", record.cause), ("__context__", record.context)):
            vars(BaseException)[name].__set__(error, None if other is None else self._shell(other))
        vars(BaseException)["__suppress_context__"].__set__(error, record.suppress)
        vars(BaseException)["__traceback__"].__set__(error, _traceback(record, self.lines))
        if lost:
            if message_of(error) != record.message:
                lost.append(f"its message was {shorten(record.message, 400)!r}")
            _add_note(error, f"Not carried over from the process that raised this: {'; '.join(lost)}")

    def _set_args(self, error: BaseException, record: _Record, lost: list[str]) -> None:
        args: list[Any] = []
        for place, pickled in enumerate(record.args):
            try:
                args.append(record.shown[place] if pickled is None else self._load(pickled))
            except BaseException as broken:
                args.append(f"<args[{place}]>")
                lost.append(f"args[{place}] ({type(broken).__name__}: {message_of(broken)})")
        vars(BaseException)["args"].__set__(error, tuple(args))

    def _set(self, error: BaseException, name: str, pickled: bytes, lost: list[str]) -> None:
        try:
            value = self._load(pickled)
            field = getattr(type(error), name, None)
            if isinstance(field, _FIELDS):
                field.__set__(error, value)
            else:
                error.__dict__[name] = value
        except BaseException as broken:
            lost.append(f"attribute {name!r} ({type(broken).__name__}: {message_of(broken)})")

    def _load(self, pickled: bytes) -> Any:
        return _Unpickler(pickled, self._shell).load()


def _class_of(record: _Record) -> Any:
    """The class of an exception: the one that this process has, or a copy if there is none.

    A class of a notebook or a script travels by value, and the pickler knows most of those again that came from here. One it does
    not know again is a new copy; the class of the same name is meant, or `except` would not catch it.
    """
    if record.kind is None:
        raise FuseError("it could not be pickled")
    named = _find(sys.modules.get(record.module), record.qualname)
    before: list[type] = named.__bases__[0].__subclasses__() if isinstance(named, type) else []
    cls = pickle.loads(record.kind)
    if isinstance(named, type) and issubclass(named, BaseException):
        return cls if any(cls is kind for kind in before) else named
    if cls.__qualname__ != record.qualname:  # cloudpickle does not keep it
        cls.__qualname__ = record.qualname
    return cls


def _find(space: Any, qualname: str) -> Any:
    """The object of a qualified name in a module; None if there is none."""
    for part in qualname.split("."):
        space = getattr(space, part, None)
    return space


def _stand_in(record: _Record, why: str) -> ExceptionStandIn:
    name = f"{record.module}.{record.qualname}".removeprefix("builtins.")
    return ExceptionStandIn(name, record.message, why)


def _traceback(record: _Record, lines: _tracebacks.Lines) -> types.TracebackType | None:
    try:
        return _tracebacks.traceback_of(record.frames, lines)
    except Exception:  # names that Python's own compiler does not take
        return None


def _add_note(error: BaseException, text: str) -> None:
    try:
        own = error.__dict__  # not `add_note`: a class may refuse to be changed, and Python 3.10 has none
        own[_NOTES] = [*own.get(_NOTES, ()), text]
    except Exception:
        return
