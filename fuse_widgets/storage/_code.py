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
    instructions = []
    ordinals: dict[int, int] = {}
    for instruction in dis.get_instructions(code):
        ordinals[instruction.offset] = len(instructions)
        if instruction.opcode != dis.EXTENDED_ARG:
            instructions.append(instruction)
    reads: set[str] = set()
    fills: set[str] = set()
    state: set[str] = set()
    own: set[str] = set()
    global_names: set[str] = set()
    parts: list[bytes] = []
    for i, step in enumerate(instructions):
        name = step.opname
        if name in _GLOBAL_READS or name in _CELL_READS:
            if name in _GLOBAL_READS:
                global_names.add(step.argval)
            (fills if _only_fills(instructions, i) else reads).add(step.argval)
        elif name in _GLOBAL_WRITES:
            own.add(step.argval)
        elif name in _CELL_WRITES:
            state.add(step.argval)
        if _is_place(instructions, i):
            continue
        parts.append(name.encode())
        if step.opcode in _CONSTS:
            if isinstance(step.argval, CodeType):
                inner = facts(step.argval, token)
                parts.append(inner.digest)
                global_names.update(inner.names)
                reads.update(set(inner.names) - inner.fills)
                reads.update(set(step.argval.co_freevars) - inner.fills - inner.state)
                fills.update(inner.fills)
                state.update(inner.state)
            else:
                parts.append(token(step.argval))
        elif step.opcode in _NAMED:
            parts.append(repr(step.argval).encode())
        elif step.opcode in _JUMPS:
            parts.append(b"%d" % ordinals.get(step.argval, -1))
        else:
            parts.append(repr(step.arg).encode())
    count = code.co_argcount + code.co_kwonlyargcount + sum(bool(code.co_flags & flag) for flag in (4, 8))
    parts += [
        repr(
            (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS)
        ).encode(),
        repr(code.co_varnames[:count]).encode(),
        getattr(code, "co_exceptiontable", b""),
        b"%d.%d" % sys.version_info[:2],
    ]
    return CodeFacts(
        digest=join(parts),
        names=tuple(sorted(n for n in global_names - own if not (n.startswith("__") and n.endswith("__")))),
        state=frozenset(state),
        fills=frozenset(fills - reads),
    )


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
