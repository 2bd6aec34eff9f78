"""`@workflow`: calls of a decorated function or class build nodes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from ._arguments import Promise
from ._node import Node
from ._objects import ObjectNode
from ._signature import Signature
from .errors import shorten

__all__ = ["WorkflowClass", "WorkflowFunction", "workflow"]


class WorkflowFunction:
    """What `@workflow` makes of a function: a call builds a node and runs nothing.

    Attributes:
        func: The plain function, for calling it directly.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self.__qualname__: str = type(func).__qualname__  # unless the function has one of its own
        functools.update_wrapper(self, func)
        self.func = func
        self._signature = Signature(func)

    def __call__(self, *args: Any, **kwargs: Any) -> Node:
        self._signature.check(self.__qualname__, args, kwargs)
        return Node(self.func, args, kwargs, depth=2)

    def __repr__(self) -> str:
        return f"<workflow function {self.__qualname__}{self._signature}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return WorkflowFunction, (self.func,)


class WorkflowClass:
    """What `@workflow` makes of a class: a call builds the constructor node, method calls on it build nodes.

    Attributes:
        func: The plain class.
    """

    def __init__(self, cls: type) -> None:
        self.__qualname__ = cls.__qualname__
        functools.update_wrapper(self, cls, updated=())
        taken = [name for name in dir(cls) if not name.startswith("_") and hasattr(ObjectNode, name)]
        if taken:
            raise TypeError(
                f"class {cls.__qualname__} has {', '.join(map(repr, taken))}, which nodes have a meaning of "
                "their own for: rename what the class has."
            )
        self.func = cls
        self._signature = Signature(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> ObjectNode:
        self._signature.check(self.__qualname__, args, kwargs)
        return ObjectNode(self.func, args, kwargs, depth=2)

    def __getattr__(self, name: str) -> Any:
        if name == "func" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.func, name)

    def __repr__(self) -> str:
        return f"<workflow class {self.__qualname__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return WorkflowClass, (self.func,)


@overload
def workflow(func: type) -> WorkflowClass: ...  # type: ignore[overload-overlap]
@overload
def workflow(func: Callable[..., Any]) -> WorkflowFunction: ...
def workflow(func: Any) -> Any:
    """Make calls of a function or a class build nodes of a DAG, instead of running.

    Args:
        func: A function, or a class whose constructor and methods become nodes.

    Returns:
        A callable that builds a `Node` and checks the arguments against the signature at once. The plain
        function or class stays there as `.func`.

    Raises:
        TypeError: `func` cannot be called, or is an `async` function.

    Example:
        >>> @workflow
        ... def add(a, b):
        ...     return a + b
        >>> add(add(1, 2), 3).set_name("sum")
        <function node 'sum'>
    """
    if isinstance(func, WorkflowFunction | WorkflowClass):
        return func
    if isinstance(func, type):
        return WorkflowClass(func)
    if isinstance(func, Promise) or not callable(func):
        raise TypeError(f"@workflow takes a function or a class, not {shorten(repr(func))}")
    if inspect.iscoroutinefunction(func):
        raise TypeError(
            f"@workflow cannot run the async function {func.__qualname__}: wrap it in a function that calls "
            "asyncio.run(...)."
        )
    return WorkflowFunction(func)
