"""Nodes: what calls of decorated functions and classes build, and how arguments are resolved."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fuse_widgets import BaseWorkflow, FuseError, LocalWorkflow, workflow
from fuse_widgets.engine.nodes import Node, NodeItem, map_nodes


@workflow
def add(a: Any, b: Any = 0) -> Any:
    return a + b


@workflow
def collect(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def test_a_call_builds_a_node_and_runs_nothing() -> None:
    ran: list[int] = []
    node = workflow(ran.append)(1)
    assert isinstance(node, Node)
    assert ran == []
    assert LocalWorkflow(node).run() is None
    assert ran == [1]


def test_automatic_names_are_numbered_for_each_qualified_name() -> None:
    @workflow
    def numbered() -> None: ...

    @workflow
    def other() -> None: ...

    here = "test_automatic_names_are_numbered_for_each_qualified_name.<locals>"
    first, second, third = numbered(), other(), numbered()
    start = int(first.name[-4:])
    assert first.name == f"{here}.numbered_{start:04d}"
    assert third.name == f"{here}.numbered_{start + 1:04d}"
    assert second.name.startswith(f"{here}.other_")


def test_two_closures_of_one_factory_have_different_names() -> None:
    def factory(step: int) -> Any:
        @workflow
        def grow(x: int) -> int:
            return x + step

        return grow

    small, large = factory(1)(1), factory(100)(1)
    assert small.name != large.name
    assert LocalWorkflow(small, large).run() == [2, 101]


def test_set_name_returns_the_node() -> None:
    node = add(1, 2)
    assert node.set_name("three") is node
    assert (node.name, repr(node)) == ("three", "<function node 'three'>")


def test_a_name_of_a_kind_of_text_of_its_own_becomes_a_plain_one() -> None:
    class Text(str): ...

    node = workflow(lambda: 1)().set_name(Text("a"))
    assert type(node.name) is str
    assert type(LocalWorkflow(node, workflow_name=Text("w")).workflow_name) is str


@pytest.mark.parametrize("name", ["", 3, None])
def test_a_name_is_a_text_that_is_not_empty(name: Any) -> None:
    with pytest.raises(TypeError, match="the name of a node must be a string that is not empty"):
        add(1).set_name(name)


def test_arguments_that_do_not_fit_raise_where_the_call_is_written() -> None:
    with pytest.raises(TypeError, match=r"add\(a.*missing a required argument: 'a'"):
        add()
    with pytest.raises(TypeError, match="too many positional arguments"):
        add(1, 2, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'c'"):
        add(1, c=2)


def test_a_call_that_raises_uses_up_no_number() -> None:
    @workflow
    def once(x: Any) -> Any: ...

    loop: list[Any] = []
    loop.append(loop)
    first = once(1)
    with pytest.raises(TypeError):
        once()
    with pytest.raises(ValueError, match="contains itself"):
        once(loop)
    assert int(once(2).name[-4:]) == int(first.name[-4:]) + 1


@pytest.mark.parametrize("wrong", [3, None, "add"])
def test_only_functions_and_classes_can_be_decorated(wrong: Any) -> None:
    with pytest.raises(TypeError, match="@workflow takes a function or a class"):
        workflow(wrong)


def test_decorating_twice_changes_nothing_and_the_plain_function_stays_reachable() -> None:
    assert workflow(add) is add
    assert add.func(2, 3) == 5


def test_unpacking_a_node_gives_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"cannot be iterated or unpacked.*node\[0\], node\[1\]"):
        _a, _b = add(1, 2)
    with pytest.raises(TypeError, match="cannot be iterated"):
        list(add(1, 2)["x"])
    with pytest.raises(AttributeError, match=r"has no attribute 'shape'; its result has not been computed"):
        add(1, 2).shape  # noqa: B018


def test_items_reach_into_results_at_any_depth() -> None:
    table = workflow(lambda: {"rows": [(1, 2), (3, 4)]})()
    item = table["rows"][1][0]
    assert isinstance(item, NodeItem)
    assert (item.node, item.path) == (table, ("rows", 1, 0))
    assert LocalWorkflow(add(item, table["rows"][0][1])).run() == 5
    assert LocalWorkflow(item).run() == 3


def test_an_item_that_is_not_there_names_node_key_and_type() -> None:
    table = workflow(lambda: {"rows": [1]})().set_name("table")
    bad = LocalWorkflow(add(table["rows"][7]))
    with pytest.raises(
        FuseError, match=r"result of node 'table'\['rows'\] is a list and has no item 7: IndexError"
    ):
        bad.run()


class Point(NamedTuple):
    x: Any
    y: Any


def test_nodes_stand_anywhere_inside_containers() -> None:
    one, two, three = add(1).set_name("one"), add(2).set_name("two"), add(3).set_name("three")
    counted: collections.OrderedDict[str, Any] = collections.OrderedDict(z=1, a=[three])
    filled: collections.defaultdict[str, Any] = collections.defaultdict(list, k=two)
    node = collect([1, (one, {two: {"deep": {three}}})], point=Point(one, [two]), od=counted, dd=filled)
    assert list(node.parents) == [one, two, three]
    args, kwargs = LocalWorkflow(node).run()
    assert args == ([1, (1, {2: {"deep": {3}}})],)
    assert kwargs["point"] == Point(1, [2])
    assert type(kwargs["point"]) is Point
    assert list(kwargs["od"].items()) == [("z", 1), ("a", [3])]
    assert type(kwargs["od"]) is collections.OrderedDict
    assert (kwargs["dd"], kwargs["dd"].default_factory) == ({"k": 2}, list)


def test_arguments_without_nodes_are_the_same_objects() -> None:
    big, inner = [1, 2], {"x": [3]}
    (first, second), _ = LocalWorkflow(collect(big, [inner, add(1)])).run()
    assert first is big
    assert second[0] is inner
    assert map_nodes(big, lambda node: node) is big


def test_each_parent_is_listed_once_and_in_the_order_of_the_arguments() -> None:
    a, b = add(1), add(2)
    node = collect(b, [a, b], again=a)
    assert list(node.parents) == [b, a]
    assert list(a.children) == [node]
    assert (len(node.parents), a in node.parents, node in node.parents) == (2, True, False)
    assert node.parents == {a, b} == collect(a, b).parents
    assert node.parents != {a}


def test_a_function_that_returns_a_node_is_told_to_call_the_plain_one() -> None:
    node = workflow(lambda: add(1, 2))().set_name("outer")
    with pytest.raises(
        FuseError, match=r"node 'outer' failed .* it returned .* instead of a value.*`\.func`"
    ):
        LocalWorkflow(node).run()


def scale(x: int) -> int:
    return 3 * x


def test_nodes_can_be_pickled_and_new_ones_come_after_them() -> None:
    node = Node(scale, (Node(scale, (2,)),))
    copy = pickle.loads(pickle.dumps(node))
    assert LocalWorkflow(Node(scale, (copy,))).run() == 54


# --- classes -----------------------------------------------------------------------------------------------


@workflow
class Account:
    """Adds up."""

    bank = "B"

    def __init__(self, start: int = 0) -> None:
        self.total = start
        self.seen: list[str] = []

    def put(self, amount: int) -> int:
        self.total += amount
        self.seen.append(f"put {amount}")
        return self.total

    @classmethod
    def named(cls) -> str:
        return cls.bank

    @staticmethod
    def twice(x: int) -> int:
        return 2 * x


@workflow
def history(account: Any) -> tuple[int, list[str]]:
    return account.total, list(account.seen)


@workflow
def history_of_all(accounts: list[Any]) -> list[Any]:
    return [history.func(account) for account in accounts]


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_methods_run_in_the_order_they_were_called(executor: Any) -> None:
    account = Account(10)
    first, second = account.put(1), account.put(add(1, 1))
    assert [node.kind for node in (account, first, second)] == ["constructor", "method", "method"]
    assert list(second.parents) == [account, second.args[1], first]
    assert LocalWorkflow(
        second, first, executor=executor, max_workers=1 if executor == "inline" else 4
    ).run() == [13, 11]


def test_a_reader_gets_the_object_as_the_methods_called_before_have_left_it() -> None:
    account = Account()
    empty = history(account)
    account.put(1)
    one = history_of_all([account])
    last = account.put(2)
    two = history(account)
    assert last.after == (one,)
    for _ in range(3):
        wf = LocalWorkflow(empty, one, two, max_workers=4, executor="thread")
        assert wf.run() == [(0, []), [(1, ["put 1"])], (3, ["put 1", "put 2"])]


@workflow
class Log:
    def __init__(self) -> None:
        self.lines: list[int] = []

    def fit(self, line: int) -> Any:
        self.lines.append(line)
        return self


@workflow
def lines_of(log: Any) -> list[int]:
    return list(log.lines)


@pytest.mark.parametrize("options", [{}, {"executor": "thread", "max_workers": 4}, {"executor": "process"}])
def test_who_takes_what_a_method_returned_comes_before_the_next_method(options: dict[str, Any]) -> None:
    log = Log()
    fitted = log.fit(1)
    earlier = lines_of(fitted)
    last = log.fit(2)
    assert last.after == (earlier,)
    wf = LocalWorkflow(earlier, lines_of(log), **options)
    try:
        assert wf.run() == [[1], [1, 2]]
    finally:
        wf.close()


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_who_takes_an_earlier_result_later_waits_for_the_methods_called_before(executor: Any) -> None:
    for _ in range(20):
        log = Log()
        fitted = log.fit(1)
        last = log.fit(2)
        later = lines_of(fitted)
        assert later.after == (last,)
        assert last not in later.parents
        assert LocalWorkflow(
            later, executor=executor, max_workers=1 if executor == "inline" else 4
        ).run() == [1, 2]


def test_method_arguments_are_checked_where_the_call_is_written() -> None:
    with pytest.raises(TypeError, match=r"Account\.put.*missing a required argument: 'amount'"):
        Account().put()
    with pytest.raises(AttributeError, match="class Account has no method 'take'"):
        Account().take(1)
    with pytest.raises(TypeError, match="too many positional"):
        Account(1, 2)


def test_class_and_static_methods_are_nodes_as_well() -> None:
    account = Account()
    assert LocalWorkflow(account.named(), account.twice(4)).run() == ["B", 8]


def test_a_class_with_a_name_that_nodes_use_is_refused() -> None:
    with pytest.raises(TypeError, match="'parents', which nodes have a meaning of their own for"):

        @workflow
        class Family:
            def parents(self) -> None: ...


def test_the_decorated_class_offers_what_the_class_has() -> None:
    assert Account.bank == "B"
    assert Account.__doc__ == "Adds up."
    assert Account.func(5).put(1) == 6


def test_replace_func_takes_plain_and_decorated_functions() -> None:
    node = add(2, 3)
    wf = LocalWorkflow(node)
    wf.replace_func(node, lambda a, b: a * b)
    assert wf.run() == 6
    wf.replace_func(node, add)
    assert wf.run() == 5


def test_replace_func_refuses_other_nodes_and_methods() -> None:
    account = Account()
    put = account.put(1)
    wf = LocalWorkflow(put)
    with pytest.raises(ValueError, match="not part of workflow"):
        wf.replace_func(add(1), add)
    with pytest.raises(ValueError, match="belongs to an object"):
        wf.replace_func(put, add)


def test_replace_func_refuses_at_once_what_the_node_cannot_call() -> None:
    node = add(2, b=3)
    wf = LocalWorkflow(node)
    with pytest.raises(TypeError, match="takes a function, not 5"):
        wf.replace_func(node, 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'b'"):
        wf.replace_func(node, lambda a: a)
    with pytest.raises(TypeError, match="missing a required argument: 'c'"):
        wf.replace_func(node, workflow(lambda a, b, c: a))
    assert wf.run() == 5


def test_outputs_that_are_no_nodes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"takes nodes, not \[.*\*nodes"):
        BaseWorkflow([add(1)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="workflow_name must be a string"):
        BaseWorkflow(add(1), workflow_name="")


def test_a_node_knows_the_line_that_made_it_whatever_its_kind() -> None:
    account = Account()
    nodes = [add(1), account, account.put(1)]
    lines = Path(__file__).read_text().splitlines()
    for node, code in zip(nodes, ["nodes =", "account =", "nodes ="], strict=True):
        file, line = node.made_at.rsplit(":", 1)
        assert (file, lines[int(line) - 1].strip()[: len(code)]) == (__file__, code)
