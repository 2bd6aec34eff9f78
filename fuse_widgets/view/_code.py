"""What can be told of a node's function: signature, docstring, source, and where it stands."""

from __future__ import annotations

import functools
import inspect
import textwrap
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from ..engine import cells
from ..engine.nodes import MethodNode, Node
from ._preview import preview
from ._text import BLOCK, one_line, plain

__all__ = ["Code", "code_of", "named_arguments"]

#: Bytes of a docstring that are told.
DOCSTRING = BLOCK // 2


class Code(NamedTuple):
    """What can be told of a function without calling it; "" where Python does not know."""

    module: str
    file: str
    line: int | None
    signature: str
    docstring: str
    source: str


#: By the identity of the function, since whether functions are equal is not for us to ask; with the code that it had,
#: since %autoreload gives functions other code.
_known: dict[int, tuple[weakref.ref[Any], Any, Code]] = {}


def code_of(node: Node) -> Code:
    """What can be told of a node's function; looked up once for each function."""
    func = node._func
    known = _known.get(id(func))
    written = getattr(_written(func), "__code__", None)
    if known is not None and known[0]() is func and known[1] is written:
        return known[2]
    code = _read(node)
    try:
        ref = weakref.ref(func, functools.partial(_forget, id(func)))
    except TypeError:  # built in
        return code
    _known[id(func)] = (ref, written, code)
    return code


def _forget(key: int, _ref: Any) -> None:
    _known.pop(key, None)


def _read(node: Node) -> Code:
    func = _written(node._func)
    signature = _signature(node)
    doc = _try(lambda: func.__doc__)
    lines, line = _try(lambda: inspect.getsourcelines(func)) or (None, None)
    file = _try(lambda: inspect.getsourcefile(func)) or _try(lambda: inspect.getfile(func))
    return Code(
        module=_text(_try(lambda: func.__module__), 400),
        file=_text((cells.label(file) or file) if type(file) is str else None, 2_000),
        line=max(line, 1) if isinstance(line, int) else None,
        signature="" if signature is None else one_line(_try(lambda: str(_readable(signature))) or "", 2_000),
        docstring=plain(inspect.cleandoc(doc[: 4 * DOCSTRING]), DOCSTRING) if type(doc) is str else "",
        source=plain(textwrap.dedent("".join(lines))) if lines else "",
    )


def _written(func: Any) -> Any:
    """The function, method or class that somebody wrote, inside of wrappers; for other callables their class."""
    func = _try(lambda: inspect.unwrap(func)) or func
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.isroutine(func) or isinstance(func, type):
        return func
    return type(func)


def _signature(node: Node) -> inspect.Signature | None:
    if isinstance(node, MethodNode):
        found = _try(lambda: inspect.signature(getattr(node.object.cls, node._func.name)))  # type: ignore[attr-defined]
    else:
        found = _try(lambda: inspect.signature(node._func))
    return found if isinstance(found, inspect.Signature) else None


class _Written(str):
    """Stands in a signature for a value; its `repr` is what is to be read there."""

    def __repr__(self) -> str:
        return str(self)


def _readable(signature: inspect.Signature) -> inspect.Signature:
    """The signature with its defaults and annotations as texts, so that printing it calls no `repr` of others."""
    empty = inspect.Parameter.empty
    parameters = [
        parameter.replace(
            default=empty if parameter.default is empty else _Written(preview(parameter.default, 80)),
            annotation=_annotation(parameter.annotation),
        )
        for parameter in signature.parameters.values()
    ]
    return signature.replace(
        parameters=parameters, return_annotation=_annotation(signature.return_annotation)
    )


def _annotation(annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty:
        return annotation
    if isinstance(annotation, str):
        return _Written(annotation)
    if type(annotation).__module__ in ("builtins", "types", "typing"):
        return _Written(inspect.formatannotation(annotation))
    return _Written(preview(annotation, 80))


def named_arguments(node: Node) -> list[tuple[str, Any]]:
    """The arguments of a node by the names that its function has for them, as given: `x`, `*rest`, `**options`."""
    args, kwargs = node.args, node.kwargs
    pairs: list[tuple[str, Any]] = []
    if isinstance(node, MethodNode):
        method = inspect.getattr_static(node.object.cls, node._func.name, None)  # type: ignore[attr-defined]
        if isinstance(method, classmethod | staticmethod):
            pairs, args = [("self", args[0])], args[1:]
    signature = _signature(node)
    try:
        if signature is None:
            raise TypeError("Python does not know what it takes")
        bound = signature.bind_partial(*args, **kwargs).arguments
    except TypeError:
        return [*pairs, *((str(place), value) for place, value in enumerate(args)), *kwargs.items()]
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    kinds = signature.parameters
    return pairs + [(f"{stars.get(kinds[name].kind, '')}{name}", value) for name, value in bound.items()]


def _try(read: Callable[[], Any]) -> Any:
    """What `read` returns; None where it raises, since what others have written may do anything."""
    try:
        return read()
    except Exception:
        return None


def _text(value: Any, limit: int) -> str:
    return one_line(value, limit) if type(value) is str else ""
