"""Node: one call of a decorated function, with its place in the DAG; and items of its result.

The idea of building a DAG from calls of decorated functions is that of Function Fuse.
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from . import _definitions, cells
from ._arguments import LEAVES, Promise, map_nodes
from ._results import checked
from ._search import Refused, Search
from ._signature import Signature, name_of_argument
from .errors import FuseError, shorten

if TYPE_CHECKING:
    from ._definitions import Definition
    from .run import Run

__all__ = ["Kind", "Node", "NodeItem", "NodeSet", "ObservedFunction", "forget"]

Kind = Literal["function", "constructor", "method"]

#: Another object whenever any graph has changed, so that what was worked out from one can be kept until then.
edition = object()
#: Open runs of backends that do not report states themselves; replaced as a whole, never changed in place.
observed_runs: tuple[Run, ...] = ()
_serials = itertools.count(1)


def graph_changed() -> None:
    """Say that nodes, edges or names are not what they were."""
    global edition
    edition = object()


_definitions.on_change = graph_changed


class NodeSet(dict["Node", None]):
    """Nodes in the order they were added, each once; adding and looking up take constant time.

    The keys of a dict, and so one object for each set: there are two for each node of a large graph.
    """

    __slots__ = ()

    def add(self, node: Node) -> None:
        """Add a node at the end, unless it is there already."""
        self[node] = None
        graph_changed()

    def discard(self, node: Node) -> None:
        """Remove a node; do nothing where it is not there."""
        self.pop(node, None)
        graph_changed()

    def __eq__(self, other: object) -> bool:
        return self.keys() == (other.keys() if isinstance(other, NodeSet) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __repr__(self) -> str:
        names = [repr(shorten(node.name)) for _, node in zip(range(6), self, strict=False)]
        return f"{{{', '.join(names)}{', …' if len(self) > 6 else ''}}}"


class Node(Promise):
    """One call of a decorated function: what to call, with which arguments, and where it stands in the DAG.

    Nodes are made by calling what `@workflow` returned, not by hand.

    Attributes:
        name: Unique within a workflow; `{qualname}_{index:04d}` until `set_name`.
        kind: `"function"`, `"constructor"` or `"method"`.
        args, kwargs: The arguments as given, with nodes and items in place.
        backend_info: What a backend should know about this node, for example `{"retries": 2}`.
        parents, children: The nodes this one needs, and those that need it, in the order they came.
        after: Nodes that must have ended before this one starts, although it does not need their results
            (readers of an object before the method that changes it, and that before later readers of an earlier
            method's result).
        replaced: True once the notebook cell that made the node was run again.
    """

    __slots__ = (
        "__weakref__",
        "_func",
        "_in_cell",
        "_made_by",
        "_misfit",
        "_name",
        "_serial",
        "_where",
        "_wiring",
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
        made_by: Definition | None = None,
    ) -> None:
        self._func = func
        self._made_by = made_by
        self._misfit = ""
        self.args = args
        self.kwargs: dict[str, Any] = {} if kwargs is None else kwargs
        self.kind: Kind = kind
        self.backend_info: dict[str, Any] = {}
        self.parents = NodeSet()
        self.children = NodeSet()
        self.after: tuple[Node, ...] = ()
        self.replaced = False
        needed = self._wire()  # may raise, and then there is no node
        self._serial = next(_serials)
        frame = sys._getframe(depth)
        self._where = (frame.f_code.co_filename, frame.f_lineno)
        self._in_cell = cells.is_running()
        qualname = getattr(func, "__qualname__", None) or type(func).__qualname__
        self._name = f"{qualname}_{cells.register(self, qualname):04d}"
        for node in needed:
            self._need(node)
            node._taken_by(self)
        graph_changed()

    def _wire(self) -> dict[Node, None]:
        """Return the nodes among the arguments, and note in `_wiring` how `resolve` finds them.

        `""`: the arguments are plain values; `"nodes"`: all are nodes; `"flat"`: nodes and items are arguments of their
        own; `"nested"`: they may be in containers, which can change until the node runs.
        """
        needed: dict[Node, None] = {}
        wiring = ""
        values = (*self.args, *self.kwargs.values()) if self.kwargs else self.args
        for value in values:
            if type(value) in LEAVES:
                continue
            if isinstance(value, Promise):
                wiring = wiring or "flat"
                needed[value._source()] = None
            else:
                wiring = "nested"
                self._search(value, needed)
        if wiring == "flat" and not self.kwargs and all(issubclass(type(value), Node) for value in self.args):
            wiring = "nodes"
        self._wiring = wiring
        return needed

    def _search(self, value: Any, nodes: dict[Node, None]) -> None:
        """Add the nodes in the containers of an argument to `nodes`.

        Raises:
            TypeError: It is or holds an iterator, or it holds a node where nodes are not replaced by their results.
        """
        try:
            Search(nodes).look(value)
        except Refused as found:
            raise TypeError(f"{self._name_of(value)} {_is_or_holds(value, found)}") from None

    def _name_of(self, value: Any) -> str:
        """What to call an argument in an error."""
        return f"{self.qualname}: argument {name_of_argument(self._func, self.args, self.kwargs, value)}"

    def _need(self, node: Node) -> None:
        self.parents[node] = None
        node.children[self] = None

    def _taken_by(self, child: Node) -> None:
        """Called on a node when `child` takes its result as an argument."""

    def _left_by(self, child: Node) -> None:
        """Called on a node when `child`, which took its result, was replaced."""

    def _forgotten(self) -> None:
        """Called on a node that was replaced."""

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
            raise TypeError(
                f"the name of a node must be a string that is not empty, got {shorten(repr(name))}"
            )
        self._name = str.__str__(name)  # also of a numpy.str_, which is a text of its own kind
        graph_changed()
        return self

    def get_name(self) -> str:
        """Return the name, as `name` does; Function Fuse has this method."""
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        """The function to call. While a backend that reports no states runs, calling it reports them."""
        run = _observing(self)
        return self._func if run is None else ObservedFunction(run, self, run.function(self))

    @func.setter
    def func(self, func: Callable[..., Any]) -> None:
        self._func, self._made_by, self._misfit = func, None, ""

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

    def _follow(self) -> None:
        """Use the present definition of the decorated function that made the node."""
        if self._made_by is not None:
            definition = self._made_by.latest
            if definition.func is not self._func:
                self._use(definition)

    def _use(self, definition: Definition) -> None:
        self._func = definition.func
        self._misfit = self._why_unfit(definition.signature, self.args)

    def _why_unfit(self, signature: Signature, args: tuple[Any, ...]) -> str:
        """Why the function cannot be called with the node's arguments any more; "" if it can."""
        try:
            signature.check(self.qualname, args, self.kwargs)
        except TypeError as error:
            return str(error)
        return ""

    def __getitem__(self, key: Any) -> NodeItem:
        return NodeItem(self, (_checked_key(self, key),))

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
        wiring = self._wiring
        if not wiring:
            return self.args, self.kwargs
        if wiring == "nodes":
            return tuple(map(lookup, self.args)), self.kwargs
        if wiring == "flat":
            args = tuple([v._value(lookup) if isinstance(v, Promise) else v for v in self.args])
            kwargs = self.kwargs
            return args, {
                k: v._value(lookup) if isinstance(v, Promise) else v for k, v in kwargs.items()
            } if kwargs else kwargs
        self.check_arguments()
        return (
            tuple([map_nodes(value, lookup) for value in self.args]),
            {key: map_nodes(value, lookup) for key, value in self.kwargs.items()},
        )

    def check_arguments(self) -> None:
        """Search the arguments again, since containers may have changed after the call.

        Raises:
            FuseError: An argument holds an iterator, or a node that it did not hold before.
        """
        if self._wiring != "nested":
            return
        for value in (*self.args, *self.kwargs.values()):
            if type(value) in LEAVES or isinstance(value, Promise):
                continue
            found: dict[Node, None] = {}
            try:
                self._search(value, found)
            except TypeError as error:
                raise FuseError(f"{error}. It has changed since the call.") from None
            new = next((node for node in found if node not in self.parents), None)
            if new is not None:
                raise FuseError(
                    f"{self._name_of(value)} holds {new!r}, which was put there after the call: "
                    "call the function again with the new value"
                )

    def _source(self) -> Node:
        return self

    def _value(self, lookup: Callable[[Node], Any]) -> Any:
        return lookup(self)

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
        func = run.function(self)
        call = functools.partial(self._call, func)
        return run.observe(self, lambda *args, **kwargs: call(args, kwargs), tuple(args), kwargs or {})

    def call(self, args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
        """Call the function on resolved values and report to nobody: for backends that emit events themselves."""
        return self._call(self._func, args, kwargs)

    def _call(self, func: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any] | None) -> Any:
        result = func(*args, **(kwargs or {}))
        return result if type(result) in LEAVES else checked(func, result)

    def __repr__(self) -> str:
        return f"<{self.kind} node {shorten(self.name)!r}>"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle the node with all its ancestors; its descendants stay behind."""
        from ._pickled_nodes import reduce_node

        return reduce_node(self)


class NodeItem(Promise):
    """An item of a node's result that is not there yet: `node["key"]`, `node[0][1]`.

    Attributes:
        node: The node whose result it is taken from.
        path: The keys, outermost first.
    """

    __slots__ = ("node", "path")

    def __init__(self, node: Node, path: tuple[Any, ...]) -> None:
        self.node, self.path = node, path

    def __getitem__(self, key: Any) -> NodeItem:
        return NodeItem(self.node, (*self.path, _checked_key(self, key)))

    def __iter__(self) -> Iterator[Any]:
        raise _not_iterable(repr(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in NodeItem.__slots__:  # these are not there while it is unpickled
            raise AttributeError(name)
        raise AttributeError(
            f"{self!r} has no attribute {name!r}; its value has not been computed yet. "
            "Pass it to a @workflow function, and use the attribute there."
        )

    def _source(self) -> Node:
        return self.node

    def _value(self, lookup: Callable[[Node], Any]) -> Any:
        return self.take(lookup(self.node))

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

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._run.observe(self._node, self._call, args, kwargs)

    def _call(self, /, *args: Any, **kwargs: Any) -> Any:
        result = self._func(*args, **kwargs)
        return result if type(result) in LEAVES else checked(self._func, result)

    def __reduce__(self) -> tuple[Any, ...]:
        return _identity, (self._func,)


def _is_or_holds(value: Any, found: Refused) -> str:
    """What is wrong with an argument, and what to do."""
    if found.instead:
        verb = "is" if found.value is value else "holds"
        return f"{verb} {found.text}: pass {found.instead} instead"
    return (
        f"holds {found.text}: nodes are replaced by their results only in lists, tuples, dicts, sets, deques and slices. "
        "Pass the node as an argument of its own, or build the value in a @workflow function"
    )


def _observing(node: Node) -> Run | None:
    runs = [run for run in observed_runs if node in run]
    here = threading.get_ident()
    return next((run for run in runs if run.thread == here), runs[0] if runs else None)


def _not_iterable(what: str) -> TypeError:
    return TypeError(
        f"{shorten(what)} cannot be iterated or unpacked before it has run: take its items by index, node[0], node[1]."
    )


def refuse_nodes_in(func: Callable[..., Any]) -> None:
    """Raise TypeError if a callable keeps a node or an iterator, as a closure or `functools.partial` can."""
    search = Search()
    try:
        search.look(func)
    except Refused as found:
        name = getattr(func, "__qualname__", None) or shorten(repr(func))
        raise TypeError(f"{name} {_is_or_holds(func, found)}") from None


def _checked_key(promise: Promise, key: Any) -> Any:
    """`key`, unless it is or holds a node."""
    if type(key) not in LEAVES:
        search = Search()
        try:
            search.look(key)
        except Refused as found:
            raise TypeError(f"the index of {promise!r} {_is_or_holds(key, found)}") from None
        for node in search.nodes:
            raise TypeError(
                f"{node!r} has no value yet, so it cannot be an index of {promise!r}: take the item in a @workflow "
                "function that takes both"
            )
    return key


def _identity(value: Any) -> Any:
    return value


def forget(node: Node) -> None:
    """Take a node that was replaced out of the graph: it is no longer anybody's descendant."""
    node.replaced = True
    for parent in node.parents:
        parent.children.pop(node, None)
        parent._left_by(node)
    node._forgotten()
    graph_changed()
