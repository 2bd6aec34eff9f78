"""What the bytecode of a function says, apart from where it stands: its digest, and (in `_reads`) what it reads.

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
from types import CodeType
from typing import Any

from ._reads import CodeFacts, Uses

#: *args, **kwargs, generator, coroutine, iterable coroutine, async generator.
_FLAGS = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200
#: Names that the compiler stores in every class body, and that say where it stands.
_PLACE = frozenset({"__doc__", "__firstlineno__", "__module__", "__qualname__", "__static_attributes__"})
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_NAMED = frozenset(dis.hasname) | frozenset(dis.haslocal) | frozenset(dis.hasfree)
_CONSTS = frozenset(dis.hasconst)


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
    uses = Uses(code)
    parts: list[bytes] = []
    for i, step in enumerate(steps):
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
    uses.note_all(steps)
    return uses.facts(join(parts))


def _is_place(steps: list[dis.Instruction], i: int) -> bool:
    """Whether the instruction belongs to `__doc__ = ...` or the like in a class body."""

    def stores(step: dis.Instruction) -> bool:
        return step.opname == "STORE_NAME" and step.argval in _PLACE

    if stores(steps[i]):
        return True
    return i + 1 < len(steps) and steps[i].opname.startswith("LOAD_") and stores(steps[i + 1])
