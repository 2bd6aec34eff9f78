"""Definitions of decorated functions: which one takes the place of which when a cell or a module is executed again.

A `Definition` is what one execution of `workflow(func)` defined. A *unit* is what can be executed again: a notebook
cell, or a module. When a unit has been executed again, its definitions succeed those of the execution before:

- A definition that a name is bound to succeeds the one that the name was bound to. Names tell functions apart best,
  since they survive reordering; but in a loop only the last function keeps the name, so there they do not count.
- The others are matched by their order within the unit: first the `def` statements of one qualified name, then the
  functions that each statement made (a loop or a factory makes several).
- If there are more or fewer than before, they are matched around those that are written alike, and around those that
  captured equal values.

A definition that nothing succeeds stays what it is. Nodes follow successors when the order of a workflow is worked
out (`Node._follow`), so that nothing here knows nodes.

State: changed by whoever executes cells or imports modules, or starts a run, under `_lock`.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeVar

from ._signature import Signature

__all__ = [
    "Decorated",
    "Definition",
    "Unit",
    "begin_cell",
    "define",
    "end_cell",
    "newer_definition",
    "settle",
]


class Decorated:
    """The base of what `@workflow` returns.

    Attributes:
        func: The plain function or class.
    """

    _definition: Definition
    func: Any

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def _redefine(self, definition: Definition) -> None:
        """Use another definition from now on."""
        raise NotImplementedError


class Definition:
    """A decorated function or class, as one execution of its cell or module defined it.

    Attributes:
        func: The plain function or class.
        successor: The definition that took its place; None if it is the present one.
        unit: The cell or module that it belongs to; None outside of both.
    """

    __slots__ = ("__weakref__", "_decorated", "_signature", "func", "older", "successor", "unit")

    def __init__(self, func: Any, unit: Unit | None) -> None:
        self.func = func
        self.unit = unit
        self.successor: Definition | None = None
        self.older: weakref.WeakSet[Definition] = weakref.WeakSet()
        self._decorated: list[weakref.ref[Decorated]] = []
        self._signature: Signature | None = None

    @property
    def latest(self) -> Definition:
        """The present definition: this one, or the last of its successors."""
        latest = self
        while latest.successor is not None:
            latest = latest.successor
        return latest

    @property
    def signature(self) -> Signature:
        if self._signature is None:
            self._signature = Signature(self.func)
        return self._signature

    @property
    def file(self) -> str:
        """The file of the source; "" if unknown."""
        code = _code_of(self.func)
        return "" if code is None else code.co_filename

    def held_by(self, decorated: Decorated) -> None:
        """Note that `decorated` calls this definition."""
        self._decorated = [ref for ref in self._decorated if ref() is not None]
        self._decorated.append(weakref.ref(decorated))

    def succeed(self, old: Definition) -> None:
        """Take the place of `old`, also for those who call it by a reference they kept."""
        if old.latest is self:
            return
        for one in (old, *old.older):
            one.successor = self
            self.older.add(one)
        self._redefine_all()

    def restore(self) -> None:
        """Be the present definition again."""
        successor, self.successor = self.successor, None
        if successor is not None:
            successor.older.discard(self)
            for one in self.older:
                successor.older.discard(one)
                one.successor = self
            self._redefine_all()

    def become(self, func: Any) -> None:
        """Use another function: its module was reloaded."""
        self.func, self._signature = func, None
        self._redefine_all()

    def _redefine_all(self) -> None:
        for one in (self, *self.older):
            for ref in one._decorated:
                if (decorated := ref()) is not None:
                    decorated._redefine(self)


_Key = tuple[str, str]
_serials = itertools.count()


class _Record(NamedTuple):
    """One definition among those of an execution.

    Attributes:
        serial: Tells it from all others, also when its definition is gone.
        key: Kind and qualified name.
        statement: Number of its `def` statement among those of the execution.
        names: What the definition was bound to at the end of the execution.
    """

    serial: int
    definition: weakref.ref[Definition]
    decorated: weakref.ref[Decorated]
    key: _Key
    statement: int
    names: frozenset[str] = frozenset()


class Unit:
    """What can be executed again: a cell, or a module.

    Attributes:
        execution: Identifies the present execution; for a module, the code that is executed.
        thread: The thread that executes it.
    """

    def __init__(self) -> None:
        self.execution: object = None
        self.thread = 0
        self._before: dict[_Key, list[_Record]] = {}
        self._present: list[_Record] = []
        self._statements: dict[int, int] = {}  # by identity of the code, which `_codes` keeps
        self._codes: list[CodeType] = []
        self._namespace: dict[str, Any] = {}
        self._pairs: list[tuple[_Record, _Record]] = []
        self._restored: set[_Key] = set()  # of those, names are bound to definitions of the execution before
        self._settled = self._complete = True

    def begin(self, execution: object) -> None:
        """A new execution starts."""
        if not self._settled:
            self.settle()
        self._let_go()
        for key, records in _by_key(self._present).items():
            whole = self._complete and key not in self._restored
            self._before[key] = records if whole else self._merged(key, records)
        self._present, self._pairs, self._statements, self._codes = [], [], {}, []
        self.execution, self._complete = execution, True

    def end(self, *, complete: bool) -> None:
        """The execution has ended; not `complete` if an error ended it, so that later definitions are missing."""
        self._complete = complete
        self.settle()
        self._let_go()

    def _let_go(self) -> None:
        """Drop the functions that others have taken the place of, and what they captured."""
        for before, _ in self._pairs:
            definition = before.definition()
            if definition is not None and definition.successor is not None:
                definition.func = None

    def _merged(self, key: _Key, present: list[_Record]) -> list[_Record]:
        """The definitions of an execution that an error ended, and those before that it did not come to."""
        successors = {before.serial: after for before, after in self._pairs}
        merged = []
        for record in self._before.get(key, ()):
            after = successors.get(record.serial)
            merged.append(record if after is None else after._replace(statement=record.statement))
        return merged or present

    def add(self, definition: Definition, decorated: Decorated, namespace: dict[str, Any]) -> bool:
        """Note a definition of the present execution. Whether it may succeed one."""
        self._namespace, self._settled, self.thread = namespace, False, threading.get_ident()
        code = _code_of(definition.func)
        statement = len(self._present)
        if code is not None:
            if id(code) not in self._statements:
                self._statements[id(code)] = statement
                self._codes.append(code)
            statement = self._statements[id(code)]
        key = _key(definition.func)
        self._present.append(
            _Record(next(_serials), weakref.ref(definition), weakref.ref(decorated), key, statement)
        )
        return key in self._before

    def is_executing(self) -> bool:
        """Whether a module is still being executed, so that further definitions may come."""
        frame = sys._current_frames().get(self.thread)
        while frame is not None and frame.f_code is not self.execution:
            frame = frame.f_back
        return frame is not None

    def settle(self) -> bool:
        """Let the definitions of the present execution succeed those before. Whether anything changed."""
        self._settled = True
        bound = self._names()
        self._present = [
            record._replace(names=frozenset(bound.get(id(record.decorated()), ())))
            for record in self._present
        ]
        pairs: list[tuple[_Record, _Record]] = []
        self._restored = set()
        for key, new in _by_key(self._present).items():
            before = self._before.get(key, [])
            old = [record for record in before if not _still_bound(record, bound)]
            if len(old) < len(before):
                self._restored.add(key)
            pairs += _match(old, new)
        if pairs == self._pairs:
            return False
        successors = {old_one.serial: after.serial for old_one, after in pairs}
        for old_one, after in self._pairs:
            definition = old_one.definition()
            if definition is not None and successors.get(old_one.serial) != after.serial:
                definition.restore()
        self._pairs = pairs
        for old_one, after in pairs:
            definition, new_one = old_one.definition(), after.definition()
            if definition is not None and new_one is not None:
                new_one.succeed(definition)
        return True

    def _names(self) -> dict[int, set[str]]:
        """The names that the decorated functions of this unit are bound to, by their identity."""
        records = [*self._present, *(record for before in self._before.values() for record in before)]
        ours = {id(one) for record in records if (one := record.decorated()) is not None}
        bound: dict[int, set[str]] = {}
        for name, value in list(self._namespace.items()):
            if id(value) in ours:
                bound.setdefault(id(value), set()).add(name)
        return bound


_lock = threading.RLock()
#: The cells that run now, each within the one before.
_cells: list[Unit] = []
_modules: dict[tuple[str, str], Unit] = {}
_unsettled: set[Unit] = set()
#: Definitions of plain functions and classes of modules, decorated elsewhere, with the name they have there.
_taken: weakref.WeakKeyDictionary[Definition, tuple[str, str]] = weakref.WeakKeyDictionary()


def on_change() -> None:
    """Called when nodes may have to follow another definition; the module of the nodes sets it."""


def begin_cell(cell: Unit) -> None:
    """A cell starts: what is decorated from now on belongs to it."""
    with _lock:
        cell.begin(object())
        _cells.append(cell)


def end_cell(*, complete: bool) -> None:
    """The cell that started last has ended; not `complete` if an error ended it."""
    with _lock:
        if _cells:
            cell = _cells.pop()
            cell.end(complete=complete)
            _unsettled.discard(cell)
    settle()


def define(decorated: Decorated, func: Any) -> Definition:
    """The definition of a function that is being decorated."""
    with _lock:
        unit, namespace = _unit_of(sys._getframe(2))
        definition = Definition(func, unit)
        definition.held_by(decorated)
        if unit is not None:
            _unsettled.add(unit)
            if unit.add(definition, decorated, namespace):
                on_change()
        home = _home_of(func)
        if home is not None:
            _taken[definition] = home
        return definition


def settle() -> None:
    """Let new definitions take the place of those they succeed, as far as their cells and modules have come."""
    with _lock:
        changed = False
        for unit in tuple(_unsettled):
            changed = unit.settle() or changed
            if not unit.is_executing():
                _unsettled.discard(unit)
        for definition, home in list(_taken.items()):
            present = _reloaded(definition.func, home)
            if present is not None:
                definition.become(present)
                changed = True
        if changed:
            on_change()


def newer_definition(definition: Definition) -> Definition | None:
    """The definition that the name of a function is bound to now, if another cell made that; else None."""
    inner = inner_function(definition.func)
    name, namespace = getattr(inner, "__qualname__", ""), _namespace_of(inner)
    if not name.isidentifier() or namespace.get("__name__") != "__main__":
        return None
    found = namespace.get(name)
    if not isinstance(found, Decorated):
        return None
    newer = found._definition
    return None if newer is definition or newer.unit is definition.unit else newer


def _unit_of(frame: FrameType | None) -> tuple[Unit | None, dict[str, Any]]:
    """The module that is being executed further up the stack, else the running cell; and its namespace."""
    while frame is not None:
        if frame.f_code.co_name.startswith(_TOP_LEVEL):
            namespace = frame.f_globals
            name = namespace.get("__name__")
            if name == "__main__":
                break
            if namespace is getattr(sys.modules.get(name or ""), "__dict__", None):
                unit = _modules.setdefault((str(name), frame.f_code.co_filename), Unit())
                if unit.execution is not frame.f_code:
                    unit.begin(frame.f_code)
                return unit, namespace
        frame = frame.f_back
    return (_cells[-1] if _cells else None), frame.f_globals if frame is not None else {}


#: What IPython on Python 3.10 calls the code of a cell comes second.
_TOP_LEVEL = ("<module>", "<cell line")


# --- functions -----------------------------------------------------------------------------------------------


def inner_function(func: Any) -> Any:
    """The function or class that somebody wrote, inside of wrappers and partials."""
    for _ in range(_WRAPPERS):
        if isinstance(func, functools.partial):
            func = func.func
        elif isinstance(func, type) or "__wrapped__" not in getattr(func, "__dict__", ()):
            break
        else:
            func = func.__wrapped__
    return func


#: Wrappers that are looked into, since they may be a ring.
_WRAPPERS = 50


def _code_of(func: Any) -> CodeType | None:
    """The code that tells one `def` or `class` statement from another; None if Python has none."""
    inner = inner_function(func)
    if isinstance(inner, type):
        functions = [getattr(value, "__func__", value) for value in vars(inner).values()]
    else:
        functions = [inner]
    codes = (getattr(function, "__code__", None) for function in functions)
    return next((code for code in codes if isinstance(code, CodeType)), None)


def _key(func: Any) -> _Key:
    inner = inner_function(func)
    kind = "class" if isinstance(func, type) else "function"
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return kind, f"{getattr(inner, '__module__', None)}:{name}"


def _namespace_of(inner: Any) -> dict[str, Any]:
    """The global names that a function, or the methods of a class, refer to."""
    functions = [inner]
    if isinstance(inner, type):
        functions = [getattr(value, "__func__", value) for value in vars(inner).values()]
    found = (getattr(function, "__globals__", None) for function in functions)
    namespace = next((one for one in found if isinstance(one, dict)), None)
    if namespace is None:
        namespace = getattr(sys.modules.get(getattr(inner, "__module__", None) or ""), "__dict__", {})
    return namespace


def _home_of(func: Any) -> tuple[str, str] | None:
    """Module and name of a function or class that is an attribute of a module; None for others and for notebooks."""
    inner = inner_function(func)
    module, name = getattr(inner, "__module__", None), getattr(inner, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    return (module, name) if _attribute(module, name) is func else None


def _attribute(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, "__dict__", {}).get(part) if found is not None else None
    return found


def _reloaded(func: Any, home: tuple[str, str]) -> Any:
    """What the module has in place of `func` since it was executed again; None if it was not, or was patched."""
    present = _attribute(*home)
    if present is func or present is None or isinstance(present, type) is not isinstance(func, type):
        return None
    new, old = inner_function(present), inner_function(func)
    code, before = _code_of(present), _code_of(func)
    if code is None or before is None or code is before or type(new) is not type(old):
        return None
    same = (new.__module__, new.__qualname__) == home and code.co_filename == before.co_filename
    return present if same else None


# --- matching ------------------------------------------------------------------------------------------------


def _by_key(records: Iterable[_Record]) -> dict[_Key, list[_Record]]:
    found: dict[_Key, list[_Record]] = {}
    for record in records:
        found.setdefault(record.key, []).append(record)
    return found


def _still_bound(record: _Record, bound: dict[int, set[str]]) -> bool:
    """Whether a name that a definition had is still its: the module was restored after it failed to load."""
    decorated = record.decorated()
    return decorated is not None and bool(record.names & bound.get(id(decorated), set()))


def _match(old: list[_Record], new: list[_Record]) -> Iterator[tuple[_Record, _Record]]:
    """Pairs of definitions of one qualified name, see the module."""
    by_name = {name: record for record in _told_apart(old) for name in record.names}
    for record in _told_apart(new):
        before = next((by_name[name] for name in sorted(record.names) if name in by_name), None)
        if before is not None:
            yield before, record
            by_name = {name: one for name, one in by_name.items() if one is not before}
            old = [one for one in old if one is not before]
            new = [one for one in new if one is not record]
    for olds, news in _aligned(_statements(old), _statements(new), _written_alike):
        yield from _aligned(olds, news, _captured)


def _statements(records: list[_Record]) -> list[list[_Record]]:
    by_statement: dict[int, list[_Record]] = {}
    for record in records:
        by_statement.setdefault(record.statement, []).append(record)
    return list(by_statement.values())


def _told_apart(records: list[_Record]) -> list[_Record]:
    """Those that names tell apart: of a loop, where only the last function keeps the name, none."""
    return [
        record
        for statement in _statements(records)
        if len(statement) == 1 or all(record.names for record in statement)
        for record in statement
    ]


_T = TypeVar("_T")


def _aligned(old: list[_T], new: list[_T], mark: Callable[[_T], Hashable]) -> Iterator[tuple[_T, _T]]:
    """Pairs by order; if there are not as many as before, around those that have equal marks."""
    if len(old) == len(new):
        yield from zip(old, new, strict=True)
        return
    marks = list(map(mark, old)), list(map(mark, new))
    for kind, i, j, k, m in difflib.SequenceMatcher(None, *marks, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and j - i == m - k):
            yield from zip(old[i:j], new[k:m], strict=True)


def _written_alike(statement: list[_Record]) -> Hashable:
    """Equal for statements with the same code."""
    definition = statement[0].definition()
    code = None if definition is None else _code_of(definition.func)
    return object() if code is None else code_key(code)


def code_key(code: CodeType) -> Hashable:
    """Equal for codes that do the same, wherever they stand."""
    constants = tuple(
        code_key(value) if isinstance(value, CodeType) else (type(value), repr(value))
        for value in code.co_consts
    )
    return (
        code.co_code,
        constants,
        *(code.co_names, code.co_varnames, code.co_freevars, code.co_flags),
        *(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
    )


def _captured(record: _Record) -> Hashable:
    """Equal for functions of one statement that captured equal values in closures, defaults and partials."""
    definition = record.definition()
    return object() if definition is None else tuple(map(_value_key, captured(definition.func)))


def captured(func: Any) -> list[Any]:
    """What tells functions with one code apart: values in closures, defaults and partials."""
    found: list[Any] = []
    while isinstance(func, functools.partial):
        found += [*func.args, *(item for pair in sorted(func.keywords.items()) for item in pair)]
        func = func.func
    inner = inner_function(func)
    functions: Iterable[Any] = (inner,)
    if isinstance(inner, type):
        functions = (value for value in vars(inner).values() if inspect.isfunction(value))
    for function in functions:
        found += getattr(function, "__defaults__", None) or ()
        found += [item for pair in (getattr(function, "__kwdefaults__", None) or {}).items() for item in pair]
        for cell in getattr(function, "__closure__", None) or ():
            try:
                found.append(cell.cell_contents)
            except ValueError:  # not filled yet
                found.append(None)
    return found


def _value_key(value: Any) -> Hashable:
    """Equal for values that are the same, as far as that can be asked without calling code of others."""
    kind = type(value)
    if kind in (tuple, list):
        return (kind, *map(_value_key, value))
    return (kind, value) if kind in _PLAIN else (kind, id(value))


_PLAIN = (int, float, complex, str, bytes, bool, type(None))
