"""What the bytecode of a function says, apart from where it stands: its digest, and the names it reads.

Bytecode rather than source: it is there for every function, also of a notebook cell or of `exec`, and comments,
line numbers and blank lines are not in it. It belongs to one Python version; after another is installed, nodes
run again.
"""

from __future__ import annotations

import dis
import hashlib
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType
from typing import Any

#: *args, **kwargs, generator, coroutine, iterable coroutine, async generator.
_FLAGS = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200
#: Names that the compiler stores in every class body, and that say where it stands.
_PLACE = frozenset({"__doc__", "__firstlineno__", "__module__", "__qualname__", "__static_attributes__"})
#: Methods that put something into a container and tell nothing of what is in it.
_PUTS = frozenset({"add", "append", "appendleft", "extend", "insert"})
_GLOBAL_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_CELL_READS = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_GLOBAL_WRITES = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL"})
_CELL_WRITES = frozenset({"STORE_DEREF", "DELETE_DEREF"})
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_NAMED = frozenset(dis.hasname) | frozenset(dis.haslocal) | frozenset(dis.hasfree)
_CONSTS = frozenset(dis.hasconst)


@dataclass(frozen=True)
class CodeFacts:
    """What is known of a code object and the code nested in it.

    Attributes:
        digest: Of its instructions, constants and argument names.
        names: Global names it reads, sorted, without those it assigns itself (its own state, not an input).
        state: Closure names it assigns itself.
        fills: Names whose every use puts something into them (`calls.append(x)`) and reads nothing.
    """

    digest: bytes
    names: tuple[str, ...]
    state: frozenset[str]
    fills: frozenset[str]


_known: weakref.WeakKeyDictionary[CodeType, CodeFacts] = weakref.WeakKeyDictionary()


def facts(code: CodeType, token: Callable[[Any], bytes]) -> CodeFacts:
    """The facts of a code object; computed once, since code objects never change.

    Args:
        code: The code of a function.
        token: Stable bytes for a constant.
    """
    found = _known.get(code)
    if found is None:
        found = _known[code] = _read(code, token)
    return found


def join(parts: Iterable[bytes]) -> bytes:
    """A digest (16 bytes) of a sequence of bytes, each with its length."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _read(code: CodeType, token: Callable[[Any], bytes]) -> CodeFacts:
    steps: list[dis.Instruction] = []
    ordinals: dict[int, int] = {}
    for step in dis.get_instructions(code):
        ordinals[step.offset] = len(steps)
        if step.opcode != dis.EXTENDED_ARG:
            steps.append(step)
    uses = _Uses()
    parts: list[bytes] = []
    for i, step in enumerate(steps):
        uses.note(steps, i)
        if _is_place(steps, i):
            continue
        parts.append(step.opname.encode())
        if isinstance(step.argval, CodeType):
            inner = facts(step.argval, token)
            uses.note_nested(step.argval, inner)
            parts.append(inner.digest)
        elif step.opcode in _CONSTS:
            parts.append(token(step.argval))
        elif step.opcode in _NAMED:
            parts.append(repr(step.argval).encode())
        elif step.opcode in _JUMPS:
            parts.append(b"%d" % ordinals.get(step.argval, -1))
        else:
            parts.append(repr(step.arg).encode())
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS)
    taken = code.co_argcount + code.co_kwonlyargcount + sum(bool(code.co_flags & flag) for flag in (4, 8))
    parts += [
        repr((counts, code.co_varnames[:taken])).encode(),
        getattr(code, "co_exceptiontable", b""),
        b"%d.%d" % sys.version_info[:2],
    ]
    return CodeFacts(
        digest=join(parts),
        names=tuple(
            sorted(n for n in uses.names - uses.own if not (n.startswith("__") and n.endswith("__")))
        ),
        state=frozenset(uses.state),
        fills=frozenset(uses.fills - uses.reads),
    )


class _Uses:
    """What a code object does with names that are not its own: global ones and those of closures."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.own: set[str] = set()
        self.state: set[str] = set()
        self.reads: set[str] = set()
        self.fills: set[str] = set()

    def note(self, steps: list[dis.Instruction], i: int) -> None:
        step = steps[i]
        if step.opname in _GLOBAL_READS or step.opname in _CELL_READS:
            if step.opname in _GLOBAL_READS:
                self.names.add(step.argval)
            (self.fills if _only_fills(steps, i) else self.reads).add(step.argval)
        elif step.opname in _GLOBAL_WRITES:
            self.own.add(step.argval)
        elif step.opname in _CELL_WRITES:
            self.state.add(step.argval)

    def note_nested(self, code: CodeType, inner: CodeFacts) -> None:
        self.names.update(inner.names)
        self.fills.update(inner.fills)
        self.state.update(inner.state)
        self.reads.update({*inner.names, *code.co_freevars} - inner.fills - inner.state)


def _only_fills(steps: list[dis.Instruction], i: int) -> bool:
    """Whether the name loaded at `i` is only filled: `name.append(...)` or `name[key] = ...`."""
    after = steps[i + 1 : i + 3]
    if after and after[0].opname in ("LOAD_METHOD", "LOAD_ATTR") and after[0].argval in _PUTS:
        return True
    return len(after) == 2 and after[0].opname.startswith("LOAD_") and after[1].opname == "STORE_SUBSCR"


def _is_place(steps: list[dis.Instruction], i: int) -> bool:
    """Whether the instruction belongs to `__doc__ = ...` or the like in a class body."""

    def stores(step: dis.Instruction) -> bool:
        return step.opname == "STORE_NAME" and step.argval in _PLACE

    if stores(steps[i]):
        return True
    return i + 1 < len(steps) and steps[i].opname.startswith("LOAD_") and stores(steps[i + 1])
