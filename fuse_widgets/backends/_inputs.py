"""Nodes that change what they are given: found out, told, and kept from others.

Whatever a node changes in place (the result of another node, an argument, a default), other nodes and later runs get as it was, as
they do where processes hand out copies. A value that may have been changed is compared with its digest before a node gets it and after;
a changed one is replaced, from storage or from a copy, for those who come later. Nodes that had it in threads meanwhile run again.

Objects of decorated classes change by design: neither they nor what their methods return is compared.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal

from ..engine.errors import InputChangedError, shorten
from ..engine.nodes import MethodNode, Node, NodeItem, ObjectNode, Promise
from ._digest import digest, is_constant
from ._pickling import Pickler

if TYPE_CHECKING:
    from ..engine.run import Run
    from ._stored import Stored
    from .local import LocalWorkflow

__all__ = ["Again", "CheckInputs", "Compared", "Guard", "check_mode", "refusal", "told"]

CheckInputs = Literal["off", "notice", "raise"]
Resolved = tuple[tuple[Any, ...], dict[str, Any]]
#: Bytes of a copy that is kept of one value, and of all of a run.
COPY, COPIES = 1 << 26, 1 << 29
#: How often a node runs again since others changed its input meanwhile.
AGAIN = 3


def check_mode(mode: Any) -> None:
    """Refuse what is no value of `check_inputs`.

    Raises:
        ValueError: Names the values.
    """
    if mode is not None and mode not in ("off", "notice", "raise"):
        raise ValueError(f"check_inputs must be 'off', 'notice', 'raise' or None, got {mode!r}")


class _Input:
    """A value that nodes read, as it is meant to be.

    Attributes:
        what: What a person calls it.
        value: What readers get.
        digest: Of the value as it is meant to be.
        copy: It as a pickle; None if there is none.
        put: Replaces the value for all who read it later.
        again: Reads it from storage; None if it is not there.
        users: The places of nodes that have it now, and may see what others do to it.
        suspects: Of those, the ones that had it while it was changed.
        checked: How many nodes had ended when it was compared last.
        lost: Why it cannot be had any more, in words.
        left: How many nodes are yet to read it.
    """

    def __init__(self, what: str, value: Any, put: Callable[[Any], object], left: int) -> None:
        self.what, self.value, self.put, self.left = what, value, put, left
        self.digest = digest(value)
        self.copy: tuple[bytes, list[Promise]] | None = None
        self.again: Callable[[], Any] | None = None
        self.users: set[int] = set()
        self.suspects: set[int] = set()
        self.checked = 0
        self.lost = ""

    def is_changed(self, value: Any) -> bool:
        try:
            return digest(value) != self.digest
        except Exception:  # it changes this very moment, in another thread
            return True

    def original(self) -> Any:
        """The value as it is meant to be, in a copy of its own; raises if there is none."""
        if self.copy is not None:
            value = _loaded(*self.copy)
        elif self.again is not None:
            value = self.again()
        else:
            raise LookupError("it cannot be pickled, or is too large to keep a copy of")
        if digest(value) != self.digest:
            raise LookupError("what was kept of it is not the same")
        return value


class Guard:
    """The inputs of the nodes of one run; used by the scheduler's thread alone.

    Args:
        workflow: Its `check_inputs` is the mode; None for `"notice"` where it matters: with storage, or for what has several readers.
        run: The run; results in its `values` are replaced if they were changed.
        stored: Where results can be read again.

    Attributes:
        any: Whether there is anything to compare; while there is not, nodes cost nothing.
        mode: `"off"`, `"notice"` or `"raise"`.
    """

    def __init__(self, workflow: LocalWorkflow, run: Run, stored: Stored) -> None:
        self.order, self.functions, self.values, self.stored = run.order, run.functions, run.values, stored
        self.mode: CheckInputs = workflow.check_inputs or "notice"
        self.any = False
        #: How many readers a result needs to be compared.
        self._readers = 1 if workflow.check_inputs is not None or stored.storage is not None else 2
        self._workflow = workflow
        self._results: dict[Node, _Input] = {}
        self._given: dict[int, list[_Input]] = {}  # arguments and defaults, by the place of the reader
        self._private: dict[int, dict[int, tuple[_Input, Any]]] = {}
        self._again: dict[int, int] = {}
        self._ended: list[int] = []
        self._room = COPIES

    @functools.cached_property
    def _outputs(self) -> set[Node]:
        return {out.node if isinstance(out, NodeItem) else out for out in self._workflow.outputs}

    def look_at_arguments(self, skip: set[int]) -> None:
        """Take the digests of arguments and defaults, before any node runs.

        Args:
            skip: Places of nodes that will not run.
        """
        if self.mode == "off":
            return
        nodes, functions = self.order.nodes, self.functions
        defaults: dict[int, list[_Input]] = {}
        for number, func in {id(func): func for func in functions}.items():
            found = [_default(*default, room=self._room) for default in _defaults_of(func)]
            if found:
                defaults[number] = found
        if defaults:
            for place, func in enumerate(functions):
                if id(func) in defaults and place not in skip:
                    self._given[place] = defaults[id(func)]
        arguments: dict[int, _Input] = {}
        for place, node in enumerate(nodes):
            if node._wiring != "nodes" and (node.args or node.kwargs) and place not in skip:
                given = list(self._arguments_of(node, arguments))
                if given:
                    self._given[place] = [*self._given.get(place, ()), *given]
        self.any = self.any or bool(self._given)

    def _arguments_of(self, node: Node, known: dict[int, _Input]) -> Iterator[_Input]:
        named = [(str(number), value) for number, value in enumerate(node.args)]
        named += [(repr(key), value) for key, value in node.kwargs.items()]
        for name, value in named:
            if is_constant(value):
                continue
            found = known.get(id(value))
            if found is None:
                readers: list[Node] = []
                put = _Arguments(value, readers)
                found = known[id(value)] = self._kept(_Input(f"argument {name}", value, put, 0))
            assert isinstance(found.put, _Arguments)
            found.put.readers.append(node)
            yield found

    def made(self, place: int, node: Node, value: Any, *, saved: bool) -> None:
        """A node has its result; called only for what `is_constant` does not say of itself."""
        if self.mode == "off" or isinstance(node, ObjectNode | MethodNode):
            return
        children = len(self.order.children[place])
        few = 1 if node in self._outputs else self._readers
        if children < few and not (self.any and self._is_alias(node, value)):
            return
        made = _Input(
            f"the result of node {shorten(node._name)!r}", value, _Result(self.values, node), children
        )
        made.checked = len(self._ended)
        if saved:
            made.again = lambda: self.stored.again(node)
        else:
            self._kept(made)
        self._results[node] = made
        self.any = True

    def _is_alias(self, node: Node, value: Any) -> bool:
        """Whether a result is an input of its node, or a view of one."""
        base = getattr(value, "base", None)
        return any(
            found.value is value or (base is not None and found.value is base)
            for found in self._inputs_of(self.order.place[node], node)
        )

    def _kept(self, made: _Input) -> _Input:
        """Keep a copy, within bounds."""
        made.copy = _copy(made.value, self._room)
        if made.copy is not None:
            self._room -= len(made.copy[0])
        return made

    def _inputs_of(self, place: int, node: Node) -> list[_Input]:
        results = self._results
        found = [results[parent] for parent in node.parents if parent in results] if results else []
        return [*found, *self._given.get(place, ())]

    # --- around a node -------------------------------------------------------------------------------------

    def begin(self, place: int, node: Node, *, shares: bool) -> Resolved:
        """The inputs of a node that is about to run, as they are meant to be.

        Args:
            shares: Whether it gets the values themselves, and not copies in another process.

        Raises:
            InputChangedError: An input was changed and cannot be had any more.
        """
        found = self._inputs_of(place, node)
        for one in found:
            if one.users or one.checked != len(self._ended):
                self._verify(one)
            if one.lost:
                raise InputChangedError(
                    f"node {shorten(node._name)!r} cannot run: {one.what} was changed in place by {one.lost}. "
                    "Copy it there before changing it"
                )
        own: dict[Node, Any] = {}
        if shares and place in self._again:
            private = self._private[place] = {}
            for one in found:
                if isinstance(one.put, _Result):
                    private[id(one)] = one, one.original()
                    own[one.put.node] = private[id(one)][1]
        if shares:
            for one in found:
                one.users.add(place)
        if not own:
            return node.resolve(self.values.__getitem__)
        return node.resolve(lambda parent: own[parent] if parent in own else self.values[parent])

    def shown(self, place: int, node: Node) -> tuple[tuple[str, Any], ...]:
        """What a process is to compare, by what a person calls it."""
        return tuple(
            (one.what, one.value)
            for one in self._inputs_of(place, node)
            if not one.what.startswith("the default")
        )

    def handed_over(self, place: int, node: Node) -> None:
        """The inputs went to a process as copies: those that a thread has at the same time may have been changed meanwhile."""
        for one in self._inputs_of(place, node):
            if one.users and one.is_changed(one.value):
                one.suspects.add(place)

    def end(self, place: int, node: Node, *, shares: bool) -> tuple[list[str], bool]:
        """What a node changed, and whether it has to run again since others changed its inputs meanwhile.

        Args:
            shares: As it was said to `begin`.

        Raises:
            InputChangedError: They did so too often.
        """
        changed: list[str] = []
        again = False
        private = self._private.pop(place, {})
        self._ended.append(place)
        for one in self._inputs_of(place, node):
            one.users.discard(place)
            if id(one) in private:
                one.suspects.discard(place)
                if one.is_changed(private[id(one)][1]):
                    changed.append(one.what)
                continue
            if place in one.suspects:
                one.suspects.discard(place)
                again = True
                continue
            if not shares:
                continue
            if not one.is_changed(one.value):
                one.checked = len(self._ended)
                continue
            if one.users:  # one of several
                again = True
            else:
                changed.append(one.what)
            self._replace(one, f"node {shorten(node._name)!r}")
        if not again:
            self._read(node)
            return changed, False
        times = self._again[place] = self._again.get(place, 0) + 1
        if times > AGAIN:
            raise InputChangedError(
                f"other nodes changed the inputs of node {shorten(node._name)!r} in place each of the {times} times it ran: "
                "let them copy what they change"
            )
        return changed, True

    def is_lost(self, place: int, node: Node) -> bool:
        """Whether an input of a node cannot be had any more."""
        return any(one.lost for one in self._inputs_of(place, node))

    def forget(self, place: int, node: Node) -> None:
        """A node did not run after all, or was given up."""
        self._private.pop(place, None)
        for one in self._inputs_of(place, node):
            one.users.discard(place)
            one.suspects.discard(place)

    def _read(self, node: Node) -> None:
        """Let go of what nobody reads any more."""
        for parent in node.parents:
            one = self._results.get(parent)
            if one is not None:
                one.left -= 1
                if one.left <= 0 and parent not in self._outputs:
                    del self._results[parent]
                    if one.copy is not None:
                        self._room += len(one.copy[0])

    # --- what was changed ----------------------------------------------------------------------------------

    def _verify(self, one: _Input) -> None:
        """Replace a value that was changed since it was compared last, by somebody who had it under another name."""
        if one.lost:
            return
        if one.is_changed(one.value):
            self._replace(one, self._culprits(one))
        one.checked = len(self._ended)

    def _replace(self, one: _Input, who: str) -> None:
        one.suspects |= one.users
        one.users = set()
        try:
            one.value = one.original()
        except Exception:
            one.lost = who
        else:
            one.put(one.value)
            one.checked = len(self._ended)

    def _culprits(self, one: _Input) -> str:
        """Who may have changed a value: those that had it, and those that ended since it was compared last."""
        places = [*one.users, *self._ended[one.checked :]]
        names = [repr(shorten(self.order.nodes[place]._name)) for place in dict.fromkeys(places)]
        if not names:
            return "something outside of the nodes"
        if len(names) == 1:
            return f"node {names[0]}"
        return f"one of the nodes {', '.join(names[-5:])}"

    def finish(self) -> list[str]:
        """Compare what is returned, and what the next run reads; what was changed under another name, and by whom.

        Raises:
            InputChangedError: A result that is returned was changed, and cannot be had any more.
        """
        told: list[str] = []
        results = [one for node, one in self._results.items() if node in self._outputs]
        given = {id(one): one for many in self._given.values() for one in many}
        for one in [*results, *given.values()]:
            if not one.lost and one.checked != len(self._ended) and one.is_changed(one.value):
                who = self._culprits(one)
                self._replace(one, who)
                told.append(f"{who} changed {one.what} in place")
        for one in results:
            if one.lost:
                raise InputChangedError(
                    f"{one.what} was changed in place by {one.lost}, and cannot be returned as it was. Copy it there "
                    "before changing it"
                )
        return told


class _Result:
    """Replaces the result of a node."""

    def __init__(self, values: dict[Node, Any], node: Node) -> None:
        self.values, self.node = values, node

    def __call__(self, value: Any) -> None:
        self.values[self.node] = value


class _Arguments:
    """Replaces an argument of the nodes that were given it."""

    def __init__(self, value: Any, readers: list[Node]) -> None:
        self.value, self.readers = value, readers

    def __call__(self, value: Any) -> None:
        old, self.value = self.value, value
        for node in self.readers:
            node.args = tuple(value if given is old else given for given in node.args)
            node.kwargs = {key: value if given is old else given for key, given in node.kwargs.items()}


def _defaults_of(func: Any) -> list[tuple[str, Any, Callable[[Any], None]]]:
    """The defaults of a function that can change: name of the argument, value, and what replaces it."""
    if isinstance(func, type):
        func = vars(func).get("__init__")
    try:
        func = inspect.unwrap(func)
    except Exception:  # a ring
        return []
    if not isinstance(func, FunctionType) or not (func.__defaults__ or func.__kwdefaults__):
        return []
    found: list[tuple[str, Any, Callable[[Any], None]]] = []
    defaults = func.__defaults__ or ()
    code = func.__code__
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    for place, (name, value) in enumerate(zip(names, defaults, strict=True)):
        if not is_constant(value):

            def put(value: Any, place: int = place) -> None:
                old = func.__defaults__ or ()
                func.__defaults__ = (*old[:place], value, *old[place + 1 :])

            found.append((name, value, put))
    for name, value in (func.__kwdefaults__ or {}).items():
        if not is_constant(value):

            def put_named(value: Any, name: str = name) -> None:
                (func.__kwdefaults__ or {})[name] = value

            found.append((name, value, put_named))
    return found


class Compared:
    """Around the call of a function in a worker process: finds out what it changes of its inputs, in `changed`.

    A worker calls one function for many nodes, so defaults that it changed are put back.

    Args:
        func: The function.
        inputs: What to compare, by what a person calls it.
        off: Compare nothing.
    """

    def __init__(self, func: Any, inputs: Sequence[tuple[str, Any]], *, off: bool = False) -> None:
        self.changed: tuple[str, ...] = ()
        self._inputs = [_Input(what, value, _nothing, 0) for what, value in (() if off else inputs)]
        self._defaults = [] if off else [_default(*default, room=COPY) for default in _defaults_of(func)]

    def __enter__(self) -> Compared:
        return self

    def __exit__(self, *_: object) -> None:
        changed = [one for one in (*self._inputs, *self._defaults) if one.is_changed(one.value)]
        self.changed = tuple(one.what for one in changed)
        for one in changed:
            with contextlib.suppress(Exception):  # it stays as the function left it, and that is told
                one.put(one.original())


class Again:
    """What a node is given, as it was before its first attempt."""

    def __init__(self, inputs: tuple[Any, ...]) -> None:
        self._inputs = _Input("the inputs", inputs, _nothing, 0)
        self._inputs.copy = None if is_constant(inputs) else _copy(inputs, COPY)

    def inputs(self) -> tuple[Any, ...] | None:
        """It again, for another attempt; None if an attempt changed it and no copy could be kept."""
        one = self._inputs
        if not one.is_changed(one.value):
            return tuple(one.value)
        try:
            one.value = one.original()
        except Exception:
            return None
        return tuple(one.value)


def _nothing(value: Any) -> None: ...


def _default(name: str, value: Any, put: Callable[[Any], None], *, room: int) -> _Input:
    made = _Input(f"the default of {name!r}", value, put, 0)
    made.copy = _copy(value, room)
    return made


def _copy(value: Any, room: int) -> tuple[bytes, list[Promise]] | None:
    """A value as a pickle; None if it cannot be pickled, or is larger."""
    out = _Bounded(min(COPY, room))
    pickler = _Copier(out)
    try:
        pickler.dump(value)
    except Exception:
        return None
    return out.getvalue(), pickler.promises


class _Bounded(io.BytesIO):
    """Refuses more than a number of bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > self._most:
            raise OverflowError
        return super().write(data)


class _Copier(Pickler):
    """Leaves nodes and items in arguments as they are."""

    def __init__(self, out: io.BytesIO) -> None:
        super().__init__(out, protocol=5)
        self.promises: list[Promise] = []

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, Promise):
            return None
        self.promises.append(value)
        return len(self.promises) - 1


class _Reader(pickle.Unpickler):
    def __init__(self, pickled: bytes, promises: list[Promise]) -> None:
        super().__init__(io.BytesIO(pickled))
        self._promises = promises

    def persistent_load(self, number: int) -> Promise:
        return self._promises[number]


def _loaded(pickled: bytes, promises: list[Promise]) -> Any:
    return _Reader(pickled, promises).load()


def refusal(name: str, changed: Sequence[str]) -> InputChangedError:
    """The error of a node that changed its inputs, if `check_inputs` is `"raise"`."""
    return InputChangedError(
        f"node {shorten(name)!r} changed {' and '.join(changed)} in place, and check_inputs='raise' forbids it: "
        "copy it first, for example with copy.deepcopy(x) or x.copy()"
    )


def told(name: str, changed: Sequence[str], lost: bool = False) -> str:
    """What a person is told of a node that changed its inputs.

    Args:
        name: The node.
        changed: What it changed.
        lost: Whether some of that cannot be had any more as it was.
    """
    then = (
        "it cannot be restored, so nodes that read it later fail" if lost else "other nodes get it as it was"
    )
    return (
        f"node {shorten(name)!r} changed {' and '.join(changed)} in place; {then}. Copy it first, for example with "
        "copy.deepcopy(x) or x.copy()"
    )
