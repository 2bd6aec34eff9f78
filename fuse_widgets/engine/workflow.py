"""BaseWorkflow: a DAG bound to a backend. Roots, traversal, queries, and the contract of `run`."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from . import _definitions, _node, cells
from ._arguments import Promise
from ._context import copied_context
from ._definitions import Definition, newer_definition
from ._pickled_nodes import NodeTable
from ._reach import changes
from ._signature import Signature
from ._stale import Written, argument_changed, stale_nodes, words
from .errors import FuseError, OutdatedNodeError, PatternError, shorten
from .events import EventHub, Settle, Subscriber
from .nodes import MethodNode, Node, NodeItem, WorkflowFunction
from .order import Order
from .query import Query
from .run import Run
from .views import make_view

__all__ = ["BaseWorkflow", "NewerFunction"]


class NewerFunction(NamedTuple):
    """A function that another cell has defined again.

    Attributes:
        name: Its qualified name.
        where: The cell that defined it last, such as `In[9]`.
        nodes: The nodes that use the older one.
    """

    name: str
    where: str
    nodes: list[Node]


class BaseWorkflow:
    """A DAG of nodes that a subclass, the backend, executes.

    A backend defines `run()` over `graph_traversal()`. Whatever else it does, its runs have states, events and
    controls: `run` is wrapped so that each call is a `Run`, and `Node.exec` reports to it.

    Args:
        *nodes: The outputs, nodes or items of nodes. `run()` returns their results. All that they need is part
            of the workflow, and so is every descendant of the roots that are found this way.
        workflow_name: Names the workflow in storage and on screen.
        targets_only: Leave out descendants that the outputs do not need.
        prefix_prints: Whether the lines that nodes print begin with `[name of the node]` in the cell; what is kept with a
            node has no prefix. None: if several nodes may run at the same time.

    Raises:
        TypeError: An output is not a node, or `prefix_prints` is no boolean.
        DuplicateNodeNameError: Two nodes have one name.
    """

    #: Whether `Node.exec` and `Node.func` report states, for backends that do not emit events themselves.
    observed = True
    #: What a backend understands in `backend_info`, as a class with pydantic's `model_json_schema()`: a widget makes
    #: its form from that. None where the backend does not say.
    backend_info_model: ClassVar[type | None] = None
    #: Attributes that belong to this process; `_set_up` makes them.
    _not_pickled: ClassVar[frozenset[str]] = frozenset(
        {"runs", "_known", "_known_stale", "_left", "_hub", "_starting"}
    )

    def __init__(
        self,
        *nodes: Node | NodeItem,
        workflow_name: str = "workflow",
        targets_only: bool = False,
        prefix_prints: bool | None = None,
    ) -> None:
        if prefix_prints is not None and not isinstance(prefix_prints, bool):
            raise TypeError(f"`prefix_prints` must be True, False or None, got {prefix_prints!r}")
        for node in nodes:
            if not isinstance(node, Node | NodeItem):
                raise TypeError(
                    f"{type(self).__name__} takes nodes, not {shorten(repr(node))}; nodes come from calling "
                    "@workflow functions, and a list of them is passed as *nodes."
                )
        if not isinstance(workflow_name, str) or not workflow_name:
            raise TypeError(f"workflow_name must be a string that is not empty, got {workflow_name!r}")
        self.outputs = nodes
        self.workflow_name = str.__str__(workflow_name)
        self.targets_only = targets_only
        self.prefix_prints = prefix_prints
        self.storage: Any = None
        self.roots: list[Node] = self._find_roots()
        self._set_up()
        self._order()

    def _set_up(self) -> None:
        """Set the attributes in `_not_pickled`. A backend may add to this."""
        self.runs: list[Run] = []
        self._known: tuple[object, Order] | None = None
        self._known_stale: tuple[tuple[Any, ...], Written, dict[Node, str]] | None = None
        #: Nodes that go on after their run has ended: its number, the name; and where.
        self._left: dict[tuple[int, str], str] = {}
        self._hub = EventHub(self.workflow_name)
        self._starting = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle or a copy keeps: all nodes and the storage, but no runs, subscribers or workers."""
        nodes: NodeTable | None = None
        with contextlib.suppress(FuseError):  # two nodes have one name: then the outputs bring what they need
            nodes = NodeTable(self._order().nodes)
        state = {name: value for name, value in self.__dict__.items() if name not in self._not_pickled}
        return {"nodes of the workflow": nodes, **state}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        del self.__dict__["nodes of the workflow"]
        self._set_up()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        run: Any = cls.run  # it may come from a class beside this one
        if run is not BaseWorkflow.run and run not in _driven:
            cls.run = _as_run(run)  # type: ignore[method-assign]

    # --- the graph -----------------------------------------------------------------------------------------

    def _find_roots(self) -> list[Node]:
        """The nodes without parents that the outputs lead back to, in the order they were made."""
        return sorted((node for node in self._needed() if not node.parents), key=lambda node: node._serial)

    def _needed(self) -> dict[Node, None]:
        """The outputs and all their ancestors."""
        stack = [out.node if isinstance(out, NodeItem) else out for out in self.outputs]
        found: dict[Node, None] = dict.fromkeys(stack)
        while stack:
            for parent in stack.pop().parents:
                if parent not in found:
                    found[parent] = None
                    stack.append(parent)
        return found

    def _descendants(self, needed: Mapping[Node, None]) -> dict[Node, None]:
        """The descendants of the roots that are not needed."""
        if self.targets_only:
            return {}
        stack = [node for node in needed if not node.parents]
        seen = set(stack)
        found: dict[Node, None] = {}
        while stack:
            for child in tuple(stack.pop().children):  # another thread may be building nodes
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
                    if child not in needed:
                        found[child] = None
        return found

    def _order(self) -> Order:
        """All nodes of the workflow, parents first; worked out again where a graph was changed."""
        if self._known is None or self._known[0] is not _node.edition:
            _definitions.settle()
            edition = _node.edition
            needed = self._needed()
            self._known = (edition, Order(needed, self._descendants(needed)))
        return self._known[1]

    @property
    def left_out(self) -> list[Node]:
        """Descendants of the roots that are not part of the workflow; `why_left_out` says why."""
        return list(self._order().left_out)

    @property
    def why_left_out(self) -> dict[Node, str]:
        """Why each of `left_out` is: it needs a node that the roots do not lead to, another node has its name, …"""
        return dict(self._order().left_out)

    def graph_traversal(self) -> Iterator[tuple[str, Node]]:
        """Yield `(name, node)` for every node, from the roots down, parents before children.

        The order is that in which the nodes were made, and so the same every time. Nothing is written on the
        nodes: a traversal may be abandoned, or another one started meanwhile. In a run it is the nodes that the
        run began with.
        """
        run = self._run_of_this_thread()
        for node in (self._order() if run is None else run.order).nodes:
            if run is not None:
                run.gate()
            yield node.name, node

    def find_nodes(self, pattern: str | None = None) -> list[Node]:
        """The nodes whose whole names match a pattern.

        Args:
            pattern: A regular expression, matched as `re.fullmatch` does; None for all nodes.

        Raises:
            PatternError: The pattern is no regular expression.
        """
        nodes = self._order().nodes
        if pattern is None:
            return list(nodes)
        match = compile_pattern(pattern).fullmatch
        return [node for node in nodes if match(node.name)]

    def query(self, pattern: str | None = None) -> Query:
        """The nodes that match a pattern, as a `Query` that can set `backend_info` on all of them."""
        return Query(self, pattern, self.find_nodes(pattern))

    def set_plugin(self, pattern: str | None, plugin: Any) -> Query:
        """Set the plugin that runs before each node that matches a pattern."""
        return self.query(pattern).set_plugin(plugin)

    def stale(self) -> dict[str, str]:
        """The nodes whose results are out of date, by name, each with the reason.

        A run now would compute them again because something has changed since their last result, which the last run or
        the storage has: their code, what it refers to, an argument, or a node that they need. Nothing is computed for
        it. Empty while a run is under way.
        """
        run = self.last_run
        if run is not None and not run.state.finished:
            return {}
        _definitions.settle()
        nodes = self._order().nodes
        written = Written(node._func for node in nodes)
        key = (_node.edition, run, self.storage, *self._decides_stale(nodes))
        if self._known_stale is None or self._known_stale[0] != key or self._known_stale[1] != written:
            self._known_stale = (key, written, self._find_stale(nodes, run, written))
        return {node._name: why for node, why in self._known_stale[2].items()}

    def _decides_stale(self, nodes: list[Node]) -> tuple[Any, ...]:
        """What else decides which nodes are stale; a backend may add to this."""
        return ()

    def _find_stale(self, nodes: list[Node], run: Run | None, written: Written) -> dict[Node, str]:
        """The stale nodes with the reasons; a backend with storage knows more."""

        def why(node: Node, old: Node) -> str:
            assert run is not None
            changed = changes(run.written.of(run.function(old)), written.of(node._func))
            return words(changed) or argument_changed(node, old)

        return stale_nodes(nodes, run, why)

    def newer_functions(self) -> list[NewerFunction]:
        """The functions of this workflow that another cell has defined again; its nodes still use the older ones."""
        found: dict[Definition, NewerFunction] = {}
        newer: dict[Definition, Definition | None] = {}
        for node in self._order().nodes:
            if node._made_by is None:
                continue
            present = node._made_by.latest
            if present not in newer:
                newer[present] = newer_definition(present)
            definition = newer[present]
            if definition is not None:
                where = cells.label(definition.file) or definition.file
                name = getattr(definition.func, "__qualname__", "")
                found.setdefault(present, NewerFunction(name, where, [])).nodes.append(node)
        return list(found.values())

    def update_functions(self, nodes: str | Node | Iterable[Node] | None = None) -> list[Node]:
        """Let nodes use the functions of their names as they are defined now, by whichever cell.

        Nodes follow by themselves when the cell that defined their function is executed again. If another cell defines
        a function of that name, they keep what they have until you call this.

        Args:
            nodes: A pattern, a node or several; None for all nodes of this workflow.

        Returns:
            The nodes that use another function now. Those whose arguments it does not take say so in the next run.

        Raises:
            PatternError: The pattern is no regular expression.
            ValueError: A node is not part of this workflow.
        """
        _definitions.settle()
        order = self._order()
        if nodes is None or isinstance(nodes, str):
            chosen = set(self.find_nodes(nodes))
        else:
            chosen = {nodes} if isinstance(nodes, Node) else set(nodes)
        for node in chosen:
            if node not in order.place:
                raise ValueError(f"{node!r} is not part of workflow {self.workflow_name!r}")
        chosen |= {node.object for node in chosen if isinstance(node, MethodNode)}
        updated: dict[Node, Definition] = {}
        for node in order.nodes:
            source = node.object if isinstance(node, MethodNode) else node
            if source in chosen and source._made_by is not None:
                definition = newer_definition(source._made_by.latest)
                if definition is not None:
                    updated[node] = definition
        for node, definition in updated.items():
            node._made_by = definition
        if updated:
            _node.graph_changed()
            self._order()
        return list(updated)

    def discard_left_out(self) -> list[Node]:
        """Take the nodes of `left_out` out of the graph for good, for this and all other workflows of their roots.

        Returns:
            The nodes.
        """
        nodes = self.left_out
        for node in nodes:
            _node.forget(node)
        return nodes

    def replace_func(self, node: Node, func: Callable[..., Any]) -> None:
        """Let a node call another function, with the same arguments.

        Args:
            node: A function node of this workflow.
            func: A function, decorated or plain, that takes the node's arguments.

        Raises:
            TypeError: `func` is no function, or does not take the node's arguments.
            ValueError: The node is not part of this workflow, or is a constructor or method.
        """
        if node not in self._order().place:
            raise ValueError(f"{node!r} is not part of workflow {self.workflow_name!r}")
        if node.kind != "function":
            raise ValueError(f"{node!r} belongs to an object; only function nodes can get another function")
        plain = func.func if isinstance(func, WorkflowFunction) else func
        if isinstance(plain, Promise) or not callable(plain):
            raise TypeError(f"{node!r} takes a function, not {shorten(repr(plain))}")
        name = getattr(plain, "__qualname__", type(plain).__qualname__)
        Signature(plain).check(name, node.args, node.kwargs)
        node.func = plain
        if isinstance(func, WorkflowFunction):
            node._made_by = func._definition

    def set_storage(self, storage: Any) -> None:
        """Keep results in `storage` from the next run on; None for no storage.

        Raises:
            TypeError: `storage` is no storage.
        """
        if storage is not None and (isinstance(storage, type) or not hasattr(storage, "read_task")):
            raise TypeError(
                f"set_storage takes a storage such as FileStorage('results'), not {shorten(repr(storage))}"
            )
        self.storage = storage

    def check_backend_info(self, name: str, info: Mapping[str, Any]) -> None:
        """Raise `BackendInfoError` where this backend cannot work with `info`. A backend overrides this.

        Keys are set one after another: what depends on several of them is for `check_whole_info` to say.
        """

    def check_whole_info(self, name: str, info: Mapping[str, Any]) -> None:
        """Raise `BackendInfoError` where a node could not run with just this `info`. A backend may add to this."""
        self.check_backend_info(name, info)

    def note_keys(self, keys: Mapping[str, int]) -> None:
        """Warn of keys of `backend_info` that this backend does not understand. A backend overrides this.

        Args:
            keys: How many nodes have each key.
        """

    def check(self, nodes: list[Node]) -> None:
        """Raise what would make a run of `nodes` impossible, before anything runs. A backend may add to this."""
        for node in nodes:
            if node.backend_info:
                self.check_backend_info(node.name, node.backend_info)

    def cytoscape(self, **options: Any) -> Any:
        """A live graph of this workflow in ipycytoscape, for up to 300 nodes.

        Args:
            **options: `direction` ("LR" or "TB"), `query` (a pattern to highlight), `selected` (names), `layout` (a dict as
                cytoscape.js takes it, dagre by default) and `style` (a list of style rules, on top of those there are).

        Returns:
            A `CytoscapeGraph`, which is an `ipycytoscape.CytoscapeWidget`.

        Raises:
            TooManyNodesError: The graph is too large for ipycytoscape.
            MissingPackageError: ipycytoscape is not installed.
        """
        return make_view("cytoscape", self, options)

    def prefixes_prints(self, nodes: Sequence[Node]) -> bool:
        """Whether lines of `nodes` begin with the name of their node in the cell, see `prefix_prints`."""
        if self.prefix_prints is None:
            return len(nodes) > 1 and self.runs_several_at_a_time
        return self.prefix_prints

    @property
    def runs_several_at_a_time(self) -> bool:
        """Whether nodes may run at the same time. A backend overrides this."""
        return False

    # --- running -------------------------------------------------------------------------------------------

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run all nodes and return the result of one output, or the list for several."""
        raise NotImplementedError(f"{type(self).__name__} does not define run()")

    def start(self, *args: Any, paused: bool = False, **kwargs: Any) -> Run:
        """Run in a background thread; takes what `run` takes.

        Args:
            paused: Start no node before `resume()` or `step()`.

        Returns:
            The run, at once: `wait()` for its result, or follow and control it.

        Raises:
            FuseError: This process cannot start another thread.
        """
        inspect.signature(self.run).bind(*args, **kwargs)  # a wrong argument is no run
        run = self._open()
        run.background = True
        if paused:
            run.ledger.pause()
        thread = threading.Thread(
            target=copied_context().run,
            args=(run.carry_out, lambda: self.run(*args, **kwargs)),
            name=f"fuse run {run.number} of {self.workflow_name}",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError as error:
            run.drive(functools.partial(_no_thread, error))
        return run

    def subscribe(self, callback: Subscriber, *, settle: Settle | None = None) -> Callable[[], None]:
        """Call `callback` with batches of the events of every run, from the one under way on.

        Args:
            callback: Called from a thread of its own; it cannot slow or break a run.
            settle: If `callback` hands the events on to another thread: waits until that is done with them. `run()` calls it
                with the seconds it may take before it returns.

        Returns:
            A function that ends the subscription.
        """
        with self._starting:
            run = self.active_run
            replay = None if run is None else run.events
            return self._hub.subscribe(callback, replay=replay, settle=settle)

    def drain_events(self, timeout: float = 1.0) -> bool:
        """Wait until subscribers got all events so far.

        Returns:
            False where one was still busy after `timeout` seconds.
        """
        return self._hub.flush(timeout)

    @property
    def last_run(self) -> Run | None:
        """The newest run, under way or ended; None before the first one."""
        return self.runs[-1] if self.runs else None

    @property
    def active_run(self) -> Run | None:
        """The run that is under way, if one is."""
        run = self.last_run
        return None if run is None or run._over.is_set() else run

    def result(self, run: Run) -> Any:
        """What `run()` returns, taken from the values of a run: one output's result, or the list."""
        values = [
            out.take(run.values[out.node]) if isinstance(out, NodeItem) else run.values[out]
            for out in self.outputs
        ]
        return values[0] if len(values) == 1 else values

    def _open(self) -> Run:
        with self._starting:
            active = self.active_run
            if active is not None:
                raise FuseError(
                    f"{active!r} is under way: wait for it, or cancel it with workflow.active_run.cancel()"
                )
            _definitions.settle()  # modules may have been reloaded
            order = self._order()
            if order.unfit:
                raise OutdatedNodeError(order.unfit)
            self.check(order.nodes)
            previous = self.last_run
            run = Run(self, 1 if previous is None else previous.number + 1, order)
            if run.written.nodes:
                raise _reads_nodes(run)
            self.runs = [*self.runs[-KEPT_RUNS + 1 :], run]
            self._hub.open(run.events)
            if previous is not None:
                previous.release()
            return run

    def _run_of_this_thread(self) -> Run | None:
        run = self.active_run
        return run if run is not None and run.thread == threading.get_ident() else None

    def __len__(self) -> int:
        return len(self._order().nodes)

    def __repr__(self) -> str:
        run = self.last_run
        state = f", {run!r}" if run is not None else ", not run yet"
        try:
            nodes = f"{len(self)} nodes"
        except FuseError as error:
            nodes = str(error)
        return f"<{type(self).__name__} {shorten(self.workflow_name)!r}: {nodes}{state}>"


def _no_thread(error: RuntimeError) -> None:
    raise FuseError(
        f"start() needs a thread and this process cannot start one ({error}): end some threads, or use run()"
    ) from error


def _reads_nodes(run: Run) -> FuseError:
    """Say which function reads a node that is not its argument."""
    key, nodes = run.written.nodes[0]
    name, (verb, read) = next(iter(nodes.items()))
    reader = next(
        (
            node
            for node, func in zip(run.nodes, run.functions, strict=True)
            if func is key or getattr(func, "cls", None) is key
        ),
        None,
    )
    who = "a function" if reader is None else f"the function of node {shorten(reader.name)!r}"
    return FuseError(
        f"{who} reads {shorten(name)!r}, which {verb} {read!r}: a node has a value only where it is an argument. "
        "Pass the node as an argument"
    )


#: How many of the newest runs a workflow remembers.
KEPT_RUNS = 10


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """`re.compile`, with an error that names the pattern."""
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern is a text, not {shorten(repr(pattern))}")
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(pattern, str(error)) from None


def _as_run(run: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a backend's `run` so that each call is a `Run`."""

    @functools.wraps(run)
    def driven(self: BaseWorkflow, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if self._run_of_this_thread() is not None:  # start(), or super().run()
            return run(self, *args, **kwargs)
        try:
            inspect.signature(run).bind(self, *args, **kwargs)
        except TypeError as error:  # a wrong argument begins no run
            raise TypeError(f"{run.__qualname__}: {error}") from None
        return self._open().drive(lambda: run(self, *args, **kwargs))

    _driven.add(driven)
    return driven


#: What `_as_run` has made.
_driven: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()
