"""Nodes and iterators inside of values: replaced by results, or refused where the call is written."""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
import functools
import io
import itertools
import logging
import os
import re
import sqlite3
import tempfile
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import pydantic
import pytest

from fuse_widgets import FuseError, LocalWorkflow, workflow
from fuse_widgets.engine.nodes import Node


@workflow
def one() -> int:
    return 1


@workflow
def show(x: Any) -> str:
    return repr(x)


@workflow
def same(*values: Any, **named: Any) -> Any:
    return (*values, *named.values())


@dataclasses.dataclass
class Config:
    model: Any
    rate: float = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    model: Any


@attrs.define
class Attrs:
    model: Any


@attrs.frozen(slots=False)
class AttrsFrozen:
    model: Any


class Model(pydantic.BaseModel):
    model: Any


class Slotted:
    __slots__ = ("model",)

    def __init__(self, model: Any) -> None:
        self.model = model


class Plain:
    def __init__(self, model: Any) -> None:
        self.model = model

    def method(self) -> Any:
        return self.model


class Point(NamedTuple):
    x: Any
    y: Any


class Listing(list):  # type: ignore[type-arg]
    note: Any = None


def closure(node: Any) -> Callable[[], Any]:
    return lambda: node


def listing(node: Any) -> Listing:
    made = Listing([1])
    made.note = node
    return made


global_node: Any = None


def by_global_name() -> Any:
    return global_node


def with_global(node: Any) -> Callable[[], Any]:
    global global_node
    global_node = node
    return by_global_name


@pytest.mark.parametrize(
    "rebuild",
    [
        lambda x: [x, (x, {"k": x})],
        lambda x: Point(x, [x]),
        lambda x: collections.deque([0, x], maxlen=2),
        lambda x: slice(x, None),
        lambda x: [slice(None, x, 2)],
        lambda x: collections.defaultdict(list, k=x),
        lambda x: collections.OrderedDict(k=x, z=1),
        lambda x: collections.Counter({x: 2}),
        lambda x: {x: frozenset({x, 5})},
    ],
)
def test_nodes_in_builtin_containers_are_replaced_by_their_results(rebuild: Any) -> None:
    (got,) = LocalWorkflow(same(rebuild(one())), targets_only=True).run()
    assert got == rebuild(1)
    assert type(got) is type(rebuild(1))
    assert repr(got) == repr(rebuild(1))


HIDING: dict[str, Callable[[Any], Any]] = {
    "a dataclass": Config,
    "a frozen dataclass with slots": Frozen,
    "attrs": Attrs,
    "frozen attrs": AttrsFrozen,
    "pydantic": lambda node: Model(model=node),
    "slots": Slotted,
    "an object": Plain,
    "an object in a list in an object": lambda node: Plain([Plain({"k": node})]),
    "SimpleNamespace": lambda node: types.SimpleNamespace(a=[node]),
    "an object array": lambda node: np.array([1, node], dtype=object),
    "an object array in a list": lambda node: [np.array([[node]], dtype=object)],
    "a masked array": lambda node: np.ma.masked_array([node, 1], mask=[False, True], dtype=object),
    "a series": lambda node: pd.Series([1, node]),
    "a frame": lambda node: pd.DataFrame({"a": [1.0], "b": [node]}),
    "an index": lambda node: pd.Index([node, 2], dtype=object),
    "MappingProxyType": lambda node: types.MappingProxyType({"a": node}),
    "ChainMap": lambda node: collections.ChainMap({}, {"a": node}),
    "UserDict": lambda node: collections.UserDict(a=node),
    "UserList": lambda node: collections.UserList([node]),
    "dict.values()": lambda node: {"a": node}.values(),
    "dict.items()": lambda node: {"a": node}.items(),
    "dict.keys()": lambda node: {node: "a"}.keys(),
    "OrderedDict.values()": lambda node: collections.OrderedDict(a=node).values(),
    "a partial": lambda node: functools.partial(max, node),
    "a partial's keyword": lambda node: functools.partial(dict, a=[node]),
    "a closure": closure,
    "a default": lambda node: lambda x=node: x,
    "a keyword-only default": lambda node: lambda *, x=[node]: x,
    "a global name": with_global,
    "a bound method": lambda node: Plain(node).method,
    "a method of a list": lambda node: [node].append,
    "a method of a node": lambda node: node.set_name,
    "a weak reference": weakref.ref,
    "a WeakSet": lambda node: weakref.WeakSet([node]),
    "an attribute of a list of one's own": listing,
    "a factory of a defaultdict": lambda node: collections.defaultdict(closure(node)),
    "a cache": lambda node: functools.lru_cache(closure(node)),
    "an item in a dataclass": lambda node: Config(node["k"][0]),
    "a dataclass in a dict key": lambda node: {Frozen(node): 1},
}


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_a_node_in_hiding_is_refused_where_the_call_is_written(hide: Callable[[Any], Any]) -> None:
    node = one().set_name("a node")
    with pytest.raises(
        TypeError, match=r"show: argument 'x' holds <.*'a node'.* inside .*Pass the node as an argument"
    ):
        show(hide(node))
    with pytest.raises(TypeError, match=r"same: argument 'key' holds <.*'a node'"):
        same(1, key=[hide(node)])


def test_a_weak_proxy_of_a_node_stands_for_the_node() -> None:
    node = one()
    proxy = weakref.proxy(node)
    assert LocalWorkflow(same(proxy, [proxy]), targets_only=True).run() == (1, [1])


def test_a_position_is_told_where_there_is_no_name() -> None:
    with pytest.raises(TypeError, match="same: argument 1 holds"):
        same(1, Config(one()))


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_values_that_hold_no_node_arrive_as_the_same_object(hide: Callable[[Any], Any]) -> None:
    value = hide(Node(lambda: 1, ())) if hide in (HIDING["a method of a node"],) else None
    for fill in ({"k": [1]}, Plain(2)):
        try:
            value = hide(fill)
        except (TypeError, AttributeError):
            continue
        (got,) = LocalWorkflow(same(value)).run()
        assert got is value


def test_what_a_notebook_defines_is_not_searched_through_the_machinery() -> None:
    stream = logging.StreamHandler()
    logger = logging.getLogger("of a test")
    logger.held = one()  # type: ignore[attr-defined]
    wf = LocalWorkflow(one())
    compiled = re.compile("a")
    got = LocalWorkflow(same(logger, stream, wf, compiled, os, Config)).run()
    assert got == (logger, stream, wf, compiled, os, Config)


def test_objects_that_refer_to_each_other_are_searched_once() -> None:
    a, b = Config(None), Plain(None)
    a.model, b.model = [b], {"a": a}
    (got,) = LocalWorkflow(same(a)).run()
    assert got is a
    b.model["node"] = one()  # type: ignore[index]
    with pytest.raises(TypeError, match="inside a Config"):
        same(a)


def test_what_is_put_into_an_argument_after_the_call_is_told_by_the_run() -> None:
    values: list[Any] = [1]
    config = Config(1)
    node, other = same(values, one()).set_name("first"), show(config).set_name("second")
    values.append(one().set_name("late"))
    with pytest.raises(
        FuseError, match=r"node 'first' failed .*argument 0 holds .*'late'.* put there after the call"
    ):
        LocalWorkflow(node, targets_only=True).run()
    config.model = one()
    with pytest.raises(
        FuseError, match=r"node 'second' failed .*inside a Config.* has changed since the call"
    ):
        LocalWorkflow(other, targets_only=True).run()
    config.model = iter([1])
    with pytest.raises(FuseError, match="read only once"):
        LocalWorkflow(other, targets_only=True).run()


@pytest.mark.parametrize(
    "hide",
    [lambda x: x, lambda x: x["k"], lambda x: [x], lambda x: {"a": (x,)}, Config, Plain, closure, lambda x: {x},
     lambda x: pd.Series([x])],
)  # fmt: skip
def test_a_result_holds_no_node(hide: Callable[[Any], Any]) -> None:
    inner = one().set_name("inner")
    bag = {"node": inner}
    node = workflow(lambda: hide(bag["node"]))
    global_bag["node"] = inner
    outer = workflow(functools.partial(from_the_bag, hide if hide is not closure else closure))().set_name(
        "outer"
    )
    with pytest.raises(
        FuseError, match=r"node 'outer' failed with FuseError: it.* <.*'inner'.* instead of a value.*`\.func`"
    ):
        LocalWorkflow(outer).run()
    assert node is not None


global_bag: Any = collections.UserDict()  # in which the search of functions does not look


def from_the_bag(hide: Callable[[Any], Any]) -> Any:
    return hide(global_bag["node"])


def test_a_result_may_contain_itself() -> None:
    def loop() -> list[Any]:
        made: list[Any] = [1]
        made.append(made)
        return made

    def deep() -> list[Any]:
        made: list[Any] = []
        for _ in range(5000):
            made = [made]
        return made

    assert LocalWorkflow(workflow(loop)()).run()[1][1][0] == 1
    assert LocalWorkflow(workflow(lambda x: len(x))(workflow(deep)())).run() == 1


def test_a_function_that_keeps_a_node_is_refused() -> None:
    node = one().set_name("kept")
    with pytest.raises(TypeError, match="holds <function node 'kept'>"):
        workflow(functools.partial(show.func, node))()
    with pytest.raises(TypeError, match="holds <function node 'kept'>"):
        workflow(Plain(node).method)()

    def make() -> Any:
        return workflow(lambda: repr(node))

    with pytest.raises(TypeError, match="holds <function node 'kept'> inside"):
        make()()
    for default in (node, [node], Config(node)):
        with pytest.raises(
            TypeError, match=r"the default of 'x' (is|holds) .*'kept'.*pass it as an argument"
        ):

            @workflow
            def takes(x: Any = default) -> Any: ...


# --- iterators -----------------------------------------------------------------------------------------------


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> None: ...


async def async_generator() -> Any:
    yield 1


def cursor() -> sqlite3.Cursor:
    return sqlite3.connect(":memory:").execute("select 1")


class Countdown:
    def __init__(self) -> None:
        self.at = 3

    def __iter__(self) -> Countdown:
        return self

    def __next__(self) -> int:
        self.at -= 1
        if self.at < 0:
            raise StopIteration
        return self.at


ITERATORS: dict[str, Callable[[], Any]] = {
    "generator": generator,
    "generator expression": lambda: (x for x in (1, 2)),
    "list iterator": lambda: iter([1]),
    "dict iterator": lambda: iter({1: 2}),
    "map": lambda: map(str, [1]),
    "zip": lambda: zip([1], [2], strict=True),
    "filter": lambda: filter(None, [1]),
    "enumerate": lambda: enumerate([1]),
    "reversed": lambda: reversed([1]),
    "chain": lambda: itertools.chain([1], [2]),
    "islice": lambda: itertools.islice([1], 1),
    "count": itertools.count,
    "tee": lambda: itertools.tee([1])[0],
    "groupby": lambda: itertools.groupby("aab"),
    "finditer": lambda: re.finditer("a", "aa"),
    "csv.reader": lambda: csv.reader(["a,b"]),
    "csv.DictReader": lambda: csv.DictReader(["a,b"]),
    "open file": lambda: open(__file__),
    "binary file": lambda: open(__file__, "rb"),
    "temporary file": lambda: tempfile.NamedTemporaryFile(),
    "StringIO": lambda: io.StringIO("a"),
    "BytesIO": lambda: io.BytesIO(b"a"),
    "scandir": lambda: os.scandir(Path(__file__).parent),
    "glob": lambda: Path(__file__).parent.glob("*.py"),
    "cursor": cursor,
    "an iterator of one's own": Countdown,
    "chunks of a frame": lambda: pd.read_csv(io.StringIO("a\n1\n2"), chunksize=1),
    "nditer": lambda: np.nditer(np.arange(3)),
    "async generator": async_generator,
}
INSIDE: dict[str, Callable[[Any], Any]] = {
    "itself": lambda x: x,
    "a list": lambda x: [1, x],
    "a dict in a tuple": lambda x: ({"k": x},),
    "a dataclass": Config,
    "attrs": Attrs,
    "slots": Frozen,
    "a namedtuple": lambda x: Point(1, x),
    "a mapping": lambda x: types.MappingProxyType({"a": x}),
    "a partial": lambda x: functools.partial(max, x),
    "a namespace": lambda x: types.SimpleNamespace(x=x),
    "an object array": lambda x: np.array([x, None], dtype=object)[[0]] if not hasattr(x, "dtype") else [x],
}


@pytest.mark.parametrize("make", ITERATORS.values(), ids=ITERATORS)
def test_an_iterator_is_refused_as_an_argument_and_as_a_result(make: Callable[[], Any]) -> None:
    with contextlib.ExitStack() as stack:
        iterator = make()
        if isinstance(iterator, sqlite3.Cursor):
            stack.callback(iterator.connection.close)
        if hasattr(iterator, "close"):
            stack.callback(iterator.close)
        with pytest.raises(TypeError, match=r"show: argument 'x' (is|holds) an? .* once: pass .* instead"):
            show(iterator)
        with pytest.raises(TypeError, match=r"same: argument 'key' holds an? .* once: pass .* instead"):
            same(key=[1, iterator])
        kept = [lambda: iterator]
        made = workflow(lambda: kept[0]())().set_name("made")
        with pytest.raises(FuseError, match=r"node 'made' failed with FuseError: .* once: return .* instead"):
            LocalWorkflow(show(made), show(made)).run()


@pytest.mark.parametrize("put", INSIDE.values(), ids=INSIDE)
def test_an_iterator_in_data_is_refused(put: Callable[[Any], Any]) -> None:
    for make in (generator, lambda: zip([1], [2], strict=True), Countdown):
        with pytest.raises(TypeError, match=r"once: pass .* instead"):
            show(put(make()))
        with pytest.raises(FuseError, match=r"once: return .* instead"):
            LocalWorkflow(workflow(lambda make=make: put(make()))()).run()


def test_an_iterator_as_a_default_is_refused() -> None:
    with pytest.raises(
        TypeError, match="the default of 'x' is a list_iterator, which can be read only once: use a list"
    ):

        @workflow
        def takes(x: Any = iter([1])) -> Any: ...  # noqa: B008

    with pytest.raises(TypeError, match="once"):
        workflow(functools.partial(show.func, generator()))()


def test_a_coroutine_is_no_argument() -> None:
    started = coroutine()
    with pytest.raises(TypeError, match="is a coroutine, which can be used only once: pass what it gives"):
        show(started)
    started.close()


class Ids:
    """Keeps an iterator for itself."""

    def __init__(self) -> None:
        self._next = itertools.count()


@dataclasses.dataclass
class WithIds:
    _next: Any = dataclasses.field(default_factory=itertools.count)


class Reread:
    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])


def test_what_can_be_read_again_passes(tmp_path: Path) -> None:
    archive = tmp_path / "a.npz"
    np.savez(archive, a=np.arange(3))
    with open(tmp_path / "out", "w") as writing, np.load(archive) as arrays:
        for value in (Reread(), Ids(), WithIds(), range(3), {}.keys(), {1: 2}.items(), np.arange(3).data, Path("a"),
                      writing, arrays, np.random.default_rng(), pd.DataFrame({"a": ["x"]}), bytearray(b"a")):  # fmt: skip
            (got,) = LocalWorkflow(same(value)).run()
            assert got is value
            assert LocalWorkflow(workflow(lambda value=value: value)()).run() is value


# --- what a function reads by itself -------------------------------------------------------------------------

free: Any = None


class Holder:
    node: Any = None
    nodes: Any = ()

    def method(self) -> bool:
        return bool(self.node == 3)

    def other(self) -> int:
        return 1


holder = types.SimpleNamespace(node=None)
instance = Plain(None)
listed: list[Any] = []
tree: dict[str, Any] = {}


def helper() -> str:
    return repr(free)


def nested() -> list[bool]:
    return [free == i for i in range(2)]


READERS: dict[str, tuple[Callable[[], Any], str]] = {
    "repr": (lambda: repr(free), "'free', which is"),
    "==": (lambda: free == 3, "'free', which is"),
    "!=": (lambda: free != 3, "'free', which is"),
    "is": (lambda: free is None, "'free', which is"),
    "hash": (lambda: hash(free), "'free', which is"),
    "if": (lambda: 1 if free else 2, "'free', which is"),
    "an f-string": (lambda: f"{free!r}", "'free', which is"),
    "a list": (lambda: len([free]), "'free', which is"),
    "in a list": (lambda: free in [3], "'free', which is"),
    "type": (lambda: type(free).__name__, "'free', which is"),
    "a helper": (lambda: helper(), "'free', which is"),
    "nested code": (nested, "'free', which is"),
    "a class attribute": (lambda: Holder.node == 3, "'Holder.node', which is"),
    "a list in a class attribute": (lambda: repr(Holder.nodes), "'Holder.nodes', which holds"),
    "a method of a class with one": (lambda: Holder().method(), "'Holder.node', which is"),
    "an attribute of an object": (lambda: instance.model == 3, "'instance.model', which is"),
    "a namespace": (lambda: repr(holder), "'holder', which holds"),
    "a list of nodes": (lambda: listed == [3], "'listed', which holds"),
    "a dict of dicts": (lambda: str(tree), "'tree', which holds"),
}


@pytest.fixture
def global_nodes(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = one().set_name("read")
    monkeypatch.setitem(globals(), "free", node)
    monkeypatch.setattr(Holder, "node", node)
    monkeypatch.setattr(Holder, "nodes", [node])
    monkeypatch.setattr(holder, "node", node)
    monkeypatch.setattr(instance, "model", node)
    monkeypatch.setitem(globals(), "listed", [node])
    monkeypatch.setitem(globals(), "tree", {"a": {"b": node}})
    return node


@pytest.mark.usefixtures("global_nodes")
@pytest.mark.parametrize("kind", READERS)
def test_a_function_that_reads_a_node_by_a_global_name_is_refused(kind: str) -> None:
    func, what = READERS[kind]
    node = workflow(func)().set_name("reader")
    with pytest.raises(
        FuseError,
        match=rf"the function of node 'reader' reads {what} <function node 'read'>: .* Pass the node as an argument",
    ):
        LocalWorkflow(node, targets_only=True).run()


def test_a_method_of_a_decorated_class_with_a_node_is_refused(global_nodes: Node) -> None:
    class Keeps:
        node = global_nodes

        def method(self) -> bool:
            return bool(self.node == 3)

    with pytest.raises(FuseError, match=r"reads '.*Keeps\.node', which is <function node 'read'>"):
        LocalWorkflow(workflow(Keeps)().method(), targets_only=True).run()


@pytest.mark.usefixtures("global_nodes")
@pytest.mark.parametrize(
    "func",
    [
        lambda x: x.free,
        lambda free: free,
        lambda x: Holder().other(),
        lambda x: [(lambda free: free)(x)],
    ],
)
def test_a_name_that_means_something_else_is_no_node(func: Any) -> None:
    value = types.SimpleNamespace(free=1)
    assert LocalWorkflow(workflow(func)(value)).run() in (1, value, [value])
