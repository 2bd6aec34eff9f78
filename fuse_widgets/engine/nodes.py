"""`@workflow`, the nodes that calls of decorated functions and classes build, and items of their results.

The idea of building a DAG from calls of decorated functions is that of Function Fuse.
"""

from __future__ import annotations

import functools
import heapq
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, MutableSet
from typing import TYPE_CHECKING, Any, Literal, overload

from . import cells
from .errors import FuseError, shorten

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Node", "NodeItem", "NodeSet", "map_nodes", "workflow"]

Kind = Literal["function", "constructor", "method"]


class NodeSet(MutableSet["Node"]):
    """Nodes in the order they were added, each once; adding and looking up take constant time."""

    __slots__ = ("_nodes",)

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._nodes: dict[Node, None] = dict.fromkeys(nodes)

    def __contains__(self, node: object) -> bool:
        return node in self._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def add(self, value: Node) -> None:
        """Add a node at the end, unless it is there already."""
        self._nodes[value] = None

    def discard(self, value: Node) -> None:
        """Remove a node; do nothing where it is not there."""
        self._nodes.pop(value, None)

    def __repr__(self) -> str:
        names = [repr(shorten(node.name)) for _, node in zip(range(6), self, strict=False)]
        return f"{{{', '.join(names)}{', …' if len(self) > 6 else ''}}}"


class _Serial:
    """Numbers that rise with every node made, also after nodes of another session were unpickled."""

    def __init__(self) -> None:
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    def pass_over(self, number: int) -> None:
        with self._lock:
            self._next = max(self._next, number)


_serial = _Serial()
#: Open runs of backends that do not report states themselves; replaced as a whole, never changed in place.
observed_runs: tuple[Run, ...] = ()


class Node:
    """One call of a decorated function: what to call, with which arguments, and where it stands in the DAG.

    Nodes are made by calling what `@workflow` returned, not by hand.

    Attributes:
        name: Unique within a workflow; `{qualname}_{index:04d}` until `set_name`.
        kind: `"function"`, `"constructor"` or `"method"`.
        args, kwargs: The arguments as given, with nodes and items in place.
        backend_info: What a backend should know about this node, for example `{"retries": 2}`.
        parents, children: The nodes this one needs, and those that need it, in the order they came.
        after: Nodes that must have ended before this one starts, although it does not need their results
            (readers of an object before the method that changes it).
        replaced: True once the notebook cell that made the node was run again.
    """

    __slots__ = (
        "__weakref__",
        "_func",
        "_name",
        "_nested",
        "_serial",
        "_where",
        "after",
        "args",
        "backend_info",
        "children",
        "kind",
        "kwargs",
        "parents",
        "replaced",
    )

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        kind: Kind = "function",
        depth: int = 1,
    ) -> None:
        self._func = func
        self.args = args
        self.kwargs: dict[str, Any] = {} if kwargs is None else kwargs
        self.kind: Kind = kind
        self.backend_info: dict[str, Any] = {}
        self.parents = NodeSet()
        self.children = NodeSet()
        self.after: tuple[Node, ...] = ()
        self.replaced = False
        self._serial = _serial.take()
        self._nested = False
        frame = sys._getframe(depth)
        self._where = (frame.f_code.co_filename, frame.f_lineno)
        qualname = getattr(func, "__qualname__", None) or type(func).__qualname__
        self._name = f"{qualname}_{cells.register(self, qualname):04d}"
        self._link()

    def _link(self) -> None:
        values: Iterable[Any] = (*self.args, *self.kwargs.values()) if self.kwargs else self.args
        for value in values:
            if isinstance(value, Node):
                self._need(value)
            elif isinstance(value, NodeItem):
                self._need(value.node)
            elif type(value) in _CONTAINERS or isinstance(value, tuple):
                for node in _nodes_inside(value):
                    self._nested = True
                    self._need(node)

    def _need(self, node: Node) -> None:
        self.parents.add(node)
        node.children.add(self)
        node._taken_by(self)

    def _taken_by(self, child: Node) -> None:
        """Called on a node when `child` takes its result as an argument."""

    @property
    def name(self) -> str:
        return self._name

    def set_name(self, name: str) -> Node:
        """Give the node a name of its own.

        Args:
            name: Any text that is not empty; unique within each workflow the node is part of.

        Returns:
            The node itself, so that calls can be chained.
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name of a node is a text that is not empty, not {shorten(repr(name))}")
        self._name = name
        return self

    @property
    def func(self) -> Callable[..., Any]:
        """The function to call. While a backend that reports no states runs, calling it reports them."""
        run = _observing(self)
        return self._func if run is None else ObservedFunction(run, self, self._func)

    @func.setter
    def func(self, func: Callable[..., Any]) -> None:
        self._func = func

    @property
    def qualname(self) -> str:
        """The qualified name of the node's function."""
        return getattr(self._func, "__qualname__", None) or type(self._func).__qualname__

    @property
    def made_at(self) -> str:
        """Where the node was made: the notebook cell or the file, and the line."""
        file, line = self._where
        cell = cells.label(file)
        return f"{cell}, line {line}" if cell else f"{file}:{line}"

    def __getitem__(self, key: Any) -> NodeItem:
        return NodeItem(self, (key,))

    def __iter__(self) -> Iterator[Any]:
        raise _not_iterable(self.name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(
            f"node {shorten(self.name)!r} has no attribute {name!r}; its result has not been computed yet. "
            "Pass the node to another @workflow function, and use the attribute there."
        )

    def resolve(self, lookup: Callable[[Node], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with every node and item replaced by its value.

        Args:
            lookup: Gives the result of a parent, for example `results.__getitem__`.

        Returns:
            `(args, kwargs)` for `exec`. Arguments without nodes are the same objects as given.
        """
        if self._nested:
            return (
                tuple(map_nodes(value, lookup) for value in self.args),
                {key: map_nodes(value, lookup) for key, value in self.kwargs.items()},
            )
        args = tuple(_resolve_flat(value, lookup) for value in self.args)
        return args, {key: _resolve_flat(value, lookup) for key, value in self.kwargs.items()}

    def exec(self, args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
        """Run the node on resolved values, reporting its state to the run under way.

        Args:
            args, kwargs: The values, as `resolve` gives them.

        Returns:
            What the node's function returns.
        """
        run = _observing(self)
        if run is None:
            return self.call(args, kwargs)
        return run.observe(self, self.call, (args, kwargs), {})

    def call(self, args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
        """Call the function on resolved values and report to nobody: for backends that emit events themselves."""
        return check_result(self.name, self._func(*args, **(kwargs or {})))

    def __repr__(self) -> str:
        return f"<{self.kind} node {shorten(self.name)!r}>"

    def __getstate__(self) -> dict[str, Any]:
        slots = {slot for cls in type(self).__mro__ for slot in getattr(cls, "__slots__", ())}
        return {slot: getattr(self, slot) for slot in slots - {"__weakref__"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for slot, value in state.items():
            setattr(self, slot, value)
        _serial.pass_over(self._serial)


class ObjectNode(Node):
    """The constructor call of a decorated class. Calling a method of it makes a method node.

    Methods run in the order they were called here. Whoever takes the object as an argument gets it as the
    methods called before have left it.
    """

    __slots__ = ("_last", "_readers")

    def __init__(self, cls: type, args: tuple[Any, ...], kwargs: dict[str, Any], *, depth: int = 1) -> None:
        self._last: MethodNode | None = None
        self._readers: list[Node] = []
        super().__init__(cls, args, kwargs, kind="constructor", depth=depth + 1)

    def _taken_by(self, child: Node) -> None:
        if isinstance(child, MethodNode) and child.object is self:
            return
        if self._last is not None:
            child.parents.add(self._last)
            self._last.children.add(child)
        self._readers.append(child)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        method = getattr(self._func, name, None)
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
        super().__init__(
            MethodCall(obj._func, name), (obj, *args), kwargs, kind="method", depth=depth + 1
        )
        if self._previous is not None:
            self.parents.add(self._previous)
            self._previous.children.add(self)
        self.after = tuple(reader for reader in obj._readers if not reader.replaced)
        obj._last = self
        obj._readers = []


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
        return getattr(self.cls, self.name)

    def __call__(self, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(obj, self.name)(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return MethodCall, (self.cls, self.name)


class NodeItem:
    """An item of a node's result that is not there yet: `node["key"]`, `node[0][1]`.

    Attributes:
        node: The node whose result it is taken from.
        path: The keys, outermost first.
    """

    __slots__ = ("node", "path")

    def __init__(self, node: Node, path: tuple[Any, ...]) -> None:
        self.node, self.path = node, path

    def __getitem__(self, key: Any) -> NodeItem:
        return NodeItem(self.node, (*self.path, key))

    def __iter__(self) -> Iterator[Any]:
        raise _not_iterable(repr(self))

    def take(self, result: Any) -> Any:
        """The item of `result`, the value of the node.

        Raises:
            FuseError: The result has no such item. Names the node, the key and what the result is.
        """
        value = result
        for depth, key in enumerate(self.path):
            try:
                value = value[key]
            except (LookupError, TypeError) as error:
                where = "".join(f"[{part!r}]" for part in self.path[:depth])
                raise FuseError(
                    f"the result of node {shorten(self.node.name)!r}{where} is a {type(value).__name__} and has "
                    f"no item {shorten(repr(key))}: {type(error).__name__}: {shorten(str(error))}"
                ) from error
        return value

    def __repr__(self) -> str:
        return f"<{shorten(self.node.name)!r}{''.join(f'[{shorten(repr(key))}]' for key in self.path)}>"


class ObservedFunction:
    """A node's function that reports to a run; pickles as the plain function, since a run stays where it is."""

    def __init__(self, run: Run, node: Node, func: Callable[..., Any]) -> None:
        functools.update_wrapper(self, func, updated=())
        self._run, self._node, self._func = run, node, func

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run.observe(self._node, self._func, args, kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _identity, (self._func,)


class WorkflowFunction:
    """What `@workflow` makes of a function: a call builds a node and runs nothing.

    Attributes:
        func: The plain function, for calling it directly.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        functools.update_wrapper(self, func)
        self.func = func
        self._signature = _signature(func)

    def __call__(self, *args: Any, **kwargs: Any) -> Node:
        if self._signature is not None:
            self._signature.bind(*args, **kwargs)
        return Node(self.func, args, kwargs, depth=2)

    def __repr__(self) -> str:
        return f"<workflow function {self.__qualname__}{self._signature or '(...)'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return WorkflowFunction, (self.func,)


class WorkflowClass:
    """What `@workflow` makes of a class: a call builds the constructor node, method calls on it build nodes.

    Attributes:
        func: The plain class.
    """

    def __init__(self, cls: type) -> None:
        functools.update_wrapper(self, cls, updated=())
        taken = [name for name in dir(cls) if not name.startswith("_") and hasattr(ObjectNode, name)]
        if taken:
            raise TypeError(
                f"class {cls.__qualname__} has {', '.join(map(repr, taken))}, which nodes have a meaning of "
                "their own for: rename what the class has."
            )
        self.func = cls
        self._signature = _signature(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> ObjectNode:
        if self._signature is not None:
            self._signature.bind(*args, **kwargs)
        return ObjectNode(self.func, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "func" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.func, name)

    def __repr__(self) -> str:
        return f"<workflow class {self.__qualname__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return WorkflowClass, (self.func,)


@overload
def workflow(func: type) -> WorkflowClass: ...
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
    if not callable(func):
        raise TypeError(f"@workflow takes a function or a class, not {shorten(repr(func))}")
    if inspect.iscoroutinefunction(func):
        raise TypeError(
            f"@workflow cannot run the async function {func.__qualname__}: wrap it in a function that calls "
            "asyncio.run(...)."
        )
    return WorkflowFunction(func)


def map_nodes(value: Any, lookup: Callable[[Node], Any]) -> Any:
    """`value` with each node in it, at any depth of list, tuple, dict and set, replaced by `lookup(node)`.

    Items take their path from what `lookup` gives for their node. What holds no nodes is returned as it is,
    the same object.
    """
    if isinstance(value, Node):
        return lookup(value)
    if isinstance(value, NodeItem):
        return value.take(lookup(value.node))
    kind = type(value)
    if kind is dict:
        pairs = [(map_nodes(k, lookup), map_nodes(v, lookup)) for k, v in value.items()]
        same = all(k is a and v is b for (k, v), (a, b) in zip(value.items(), pairs, strict=True))
        return value if same else dict(pairs)
    if kind in _CONTAINERS or isinstance(value, tuple):
        items = [map_nodes(item, lookup) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return kind(*items) if hasattr(kind, "_fields") else kind(items)
    return value


def check_result(name: str, result: Any) -> Any:
    """`result`, unless it is a node: then the function called a decorated function, and wants the plain one."""
    if isinstance(result, Node | NodeItem):
        raise FuseError(
            f"node {shorten(name)!r} returned {result!r} instead of a value: inside a node, call the plain "
            "function, which is there as `.func`."
        )
    return result


def ordered(nodes: Iterable[Node], needs: Callable[[Node], Iterable[Node]]) -> list[Node]:
    """`nodes` with what each needs before it, otherwise in the order they were made (Kahn, 1962).

    Nodes that need something which is not among `nodes`, or what depends on such, are not in the result.
    """
    members = dict.fromkeys(nodes)
    missing: dict[Node, int] = {}
    children: dict[Node, list[Node]] = {}
    heap: list[tuple[int, int, Node]] = []
    for place, node in enumerate(members):
        count = 0
        for parent in needs(node):
            count += 1
            if parent in members:
                children.setdefault(parent, []).append(node)
        missing[node] = count
        if not count:
            heap.append((node._serial, place, node))
    places = {node: place for place, node in enumerate(members)}
    heapq.heapify(heap)
    result = []
    while heap:
        node = heapq.heappop(heap)[2]
        result.append(node)
        for child in children.get(node, ()):
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(heap, (child._serial, places[child], child))
    return result


def forget(node: Node) -> None:
    """Take a node that was replaced out of the graph: it is no longer anybody's descendant."""
    node.replaced = True
    for parent in node.parents:
        parent.children.discard(node)
    if isinstance(node, MethodNode) and not node.object.replaced:
        node.object._last = node._previous


def _call_method(obj: ObjectNode, name: str, /, *args: Any, **kwargs: Any) -> MethodNode:
    signature = _signature(inspect.getattr_static(obj._func, name))
    if signature is not None:
        signature.bind(obj, *args, **kwargs)
    return MethodNode(obj, name, args, kwargs)


def _signature(func: Callable[..., Any]) -> inspect.Signature | None:
    """The signature, or None where there is none to check against (some built-ins, class and static methods)."""
    if isinstance(func, classmethod | staticmethod):
        return None
    try:
        return inspect.signature(func)
    except (ValueError, TypeError):
        return None


def _observing(node: Node) -> Run | None:
    runs = [run for run in observed_runs if node in run]
    here = threading.get_ident()
    return next((run for run in runs if run.thread == here), runs[0] if runs else None)


def _resolve_flat(value: Any, lookup: Callable[[Node], Any]) -> Any:
    if isinstance(value, Node):
        return lookup(value)
    if isinstance(value, NodeItem):
        return value.take(lookup(value.node))
    return value


def _nodes_inside(value: Any) -> list[Node]:
    found: list[Node] = []

    def note(node: Node) -> Node:
        found.append(node)
        return node

    try:
        _visit(value, note)
    except RecursionError:
        raise ValueError("an argument contains itself, or is nested too deeply to look for nodes in it") from None
    return found


def _visit(value: Any, note: Callable[[Node], Any]) -> None:
    if isinstance(value, Node):
        note(value)
    elif isinstance(value, NodeItem):
        note(value.node)
    elif type(value) is dict:
        for key, item in value.items():
            _visit(key, note)
            _visit(item, note)
    elif type(value) in _CONTAINERS or isinstance(value, tuple):
        for item in value:
            _visit(item, note)


def _not_iterable(what: str) -> TypeError:
    return TypeError(
        f"{shorten(what)} cannot be iterated or unpacked before it has run: take its items by index, node[0], node[1]."
    )


def _identity(value: Any) -> Any:
    return value


_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})
