"""Nodes of decorated classes: the constructor call, and method calls in their order."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ._definitions import Definition
from ._node import Node
from ._pickled_nodes import by_name
from ._signature import Signature

__all__ = ["MethodCall", "MethodNode", "ObjectNode"]


class ObjectNode(Node):
    """The constructor call of a decorated class. Calling a method of it makes a method node.

    Methods run in the order they were called here. Whoever takes the object as an argument gets it as the
    methods called before have left it, and so does whoever takes a method's result before the next method is
    called: that one waits, since the result may be the object itself, or share parts with it.

    A result that is taken after further methods were called is taken when these have run. Where it shares parts
    with the object, they show what the methods did if all ran in one process, and do not if they ran with the
    executor `"process"`, which hands out copies. A method that returns a copy gives the same everywhere.
    """

    __slots__ = ("_last", "_readers", "cls")

    def __init__(
        self,
        cls: type,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        depth: int = 1,
        made_by: Definition | None = None,
    ) -> None:
        self.cls = cls
        self._last: MethodNode | None = None
        self._readers: dict[Node, None] = {}
        super().__init__(cls, args, kwargs, kind="constructor", depth=depth + 1, made_by=made_by)

    def _use(self, definition: Definition) -> None:
        super()._use(definition)
        self.cls = definition.func

    def _taken_by(self, child: Node) -> None:
        if isinstance(child, MethodNode) and child.object is self:
            return
        if self._last is not None:
            child._need(self._last)
        self._readers[child] = None

    def _left_by(self, child: Node) -> None:
        self._readers.pop(child, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        method = getattr(self.cls, name, None)
        if not callable(method):
            raise AttributeError(
                f"class {self.qualname} has no method {name!r}; attributes of the object are not there "
                "before it runs: read them in a method or in another @workflow function."
            )
        return functools.partial(_call_method, self, name)


class MethodNode(Node):
    """One method call on the object that a constructor node makes. `args[0]` is the constructor node."""

    __slots__ = ("_previous", "object")

    def __init__(
        self, obj: ObjectNode, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, depth: int = 1
    ) -> None:
        self.object = obj
        self._previous = obj._last
        call = MethodCall(obj.cls, name)
        super().__init__(call, (obj, *args), kwargs, kind="method", depth=depth + 1, made_by=obj._made_by)
        if self._previous is not None:
            self._need(self._previous)
        self.after = (*self.after, *(reader for reader in obj._readers if not reader.replaced))
        obj._last = self
        obj._readers = {}

    def _follow(self) -> None:
        made_by, call = self.object._made_by, self._func
        if made_by is None or not isinstance(call, MethodCall):
            return
        cls = made_by.latest.func
        if call.cls is cls:
            return
        method = inspect.getattr_static(cls, call.name, None)
        if not callable(getattr(cls, call.name, None)):
            self._misfit = f"class {cls.__qualname__} has no method {call.name!r} any more"
            return
        self._func = MethodCall(cls, call.name)
        self._misfit = self._why_unfit(Signature(method), self.args)

    def _taken_by(self, child: Node) -> None:
        obj = self.object
        if isinstance(child, MethodNode) and child.object is obj:
            return
        if obj._last is not None and obj._last is not self and obj not in child.parents:
            child.after = (*child.after, obj._last)
        obj._readers[child] = None

    def _left_by(self, child: Node) -> None:
        self.object._readers.pop(child, None)

    def _forgotten(self) -> None:
        """The object is as it was before this call; later calls go on from there once their cells ran again."""
        last = self.object._last
        while last is not None and last is not self:
            last = last._previous
        if last is self:
            self.object._last = self._previous
            self.object._readers = dict.fromkeys(self.after)


class MethodCall:
    """Calls a method by name on the object it gets as first argument; picklable, and readable by `inspect`."""

    def __init__(self, cls: type, name: str) -> None:
        self.cls, self.name = cls, name
        self.__name__ = name
        self.__qualname__ = f"{cls.__qualname__}.{name}"
        self.__module__ = cls.__module__
        self.__doc__ = getattr(cls, name).__doc__

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self.cls, self.name)
        return method

    def __call__(self, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(obj, self.name)(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return MethodCall, (by_name(self.cls), self.name)


def _call_method(obj: ObjectNode, name: str, /, *args: Any, **kwargs: Any) -> MethodNode:
    Signature(inspect.getattr_static(obj.cls, name)).check(f"{obj.qualname}.{name}", (obj, *args), kwargs)
    return MethodNode(obj, name, args, kwargs, depth=2)
