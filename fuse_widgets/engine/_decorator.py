"""`@workflow`: calls of a decorated function or class build nodes."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any, overload

from ._arguments import Promise
from ._by_name import decorated_of, pickle_instances_by_name, pickled_by_value
from ._definitions import Decorated, Definition, define
from ._node import Node, refuse_nodes_in
from ._objects import ObjectNode
from ._search import Refused, Search
from .errors import shorten

__all__ = ["WorkflowClass", "WorkflowFunction", "workflow"]


class WorkflowFunction(Decorated):
    """What `@workflow` makes of a function: a call builds a node and runs nothing.

    Attributes:
        func: The plain function, for calling it directly. When the cell or the module that defines it is executed
            again, it is the new one.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self._redefine(define(self, func))

    def _redefine(self, definition: Definition) -> None:
        func = definition.func
        self.__qualname__: str = type(func).__qualname__  # unless the function has one of its own
        functools.update_wrapper(self, func)
        self.func = func
        self._definition = definition
        self._signature = definition.signature
        self._to_search = not isinstance(func, types.FunctionType) or func.__closure__ is not None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Node:
        self._signature.check(self.__qualname__, args, kwargs)
        if self._to_search:
            refuse_nodes_in(self.func)
            self._to_search = False
        return Node(self.func, args, kwargs, depth=2, made_by=self._definition)

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """Bind as the function does: on an object, a call takes the object as its first argument."""
        if obj is None or isinstance(self.func, functools.partial) or not hasattr(type(self.func), "__get__"):
            return self
        return types.MethodType(self, obj)

    def __repr__(self) -> str:
        return f"<workflow function {self.__qualname__}{self._signature}>"

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        if (
            "list_registry_pickle_by_value" in sys._getframe(1).f_globals
            or decorated_of(self.func) is not self
        ):
            return WorkflowFunction, (self.func,)
        return str(self.func.__qualname__)


class WorkflowClass(Decorated):
    """What `@workflow` makes of a class: a call builds the constructor node, method calls on it build nodes.

    Attributes:
        func: The plain class.
    """

    def __init__(self, cls: type) -> None:
        taken = [name for name in dir(cls) if not name.startswith("_") and hasattr(ObjectNode, name)]
        if taken:
            raise TypeError(
                f"class {cls.__qualname__} has {', '.join(map(repr, taken))}, which nodes have a meaning of "
                "their own for: rename what the class has."
            )
        for name in dir(cls):
            if isinstance(inspect.getattr_static(cls, name, None), WorkflowFunction):
                raise TypeError(
                    f"class {cls.__qualname__} is decorated with @workflow, and so is its method {name!r}: "
                    "decorate only one of the two"
                )
        self._redefine(define(self, cls))

    def _redefine(self, definition: Definition) -> None:
        cls = definition.func
        self.__qualname__ = cls.__qualname__
        functools.update_wrapper(self, cls, updated=())
        self.func = cls
        pickle_instances_by_name(cls)
        self._definition = definition
        self._signature = definition.signature

    def __call__(self, /, *args: Any, **kwargs: Any) -> ObjectNode:
        self._signature.check(self.__qualname__, args, kwargs)
        return ObjectNode(self.func, args, kwargs, depth=2, made_by=self._definition)

    def __getattr__(self, name: str) -> Any:
        if name in ("func", "_definition") or name.startswith("__"):
            raise AttributeError(f"{self!r} has no attribute {name!r}; the plain class is its attribute func")
        try:
            value = getattr(self.func, name)
        except AttributeError as error:
            raise error.with_traceback(None) from None
        if isinstance(value, types.MethodType | types.FunctionType):
            return _refusing_nodes(value, f"{self.__qualname__}.{name}")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Without an error, IPython's %autoreload would believe that it has put a new method into the class.
        if not name.startswith("_") and name != "func":
            raise AttributeError(f"set {name!r} on the class itself: {self.__qualname__}.func.{name} = ...")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<workflow class {self.__qualname__}>"

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        if pickled_by_value(self.__module__, sys._getframe(1)) or decorated_of(self.func) is not self:
            return WorkflowClass, (self.func,)
        return str(self.func.__qualname__)

    # --- what people do with classes -----------------------------------------------------------------------

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self.func)

    def __subclasscheck__(self, cls: type) -> bool:
        return issubclass(cls, self.func)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        """Let a class that names this one as its base derive from the plain class."""
        return (self.func,)

    def __or__(self, other: Any) -> Any:
        return self.func | other

    def __ror__(self, other: Any) -> Any:
        return other | self.func

    def __getitem__(self, parameters: Any) -> Any:
        """The plain generic class with type parameters, for annotations."""
        return self.func[parameters]


def _refusing_nodes(func: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Let a function of a class, which runs at once, refuse nodes."""

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        search = Search()
        try:
            for value in (*args, *kwargs.values()):
                search.look(value)
            node = next(iter(search.nodes), None)
        except Refused as found:
            node = None if found.instead else found.value
        if node is not None:
            raise TypeError(
                f"{name} runs when it is called, and {node!r} has no value yet: "
                f"workflow({name.replace('.', '.func.', 1)}) makes nodes of its calls"
            )
        return func(*args, **kwargs)

    return call


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
        TypeError: `func` cannot be called, or has a default that is a node or an iterator.

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
    if isinstance(func, classmethod | staticmethod):
        return type(func)(workflow(func.__func__))
    if isinstance(func, property | functools.cached_property):
        raise TypeError("@workflow must stand below @property, next to the function")
    if isinstance(func, Promise) or not callable(func):
        raise TypeError(f"@workflow takes a function or a class, not {shorten(repr(func))}")
    return WorkflowFunction(func)
