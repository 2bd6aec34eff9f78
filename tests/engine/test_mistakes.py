"""Slips that people make, and the words they get."""

from __future__ import annotations

import copy
from typing import Any

import cloudpickle
import numpy as np
import pytest

from fuse_widgets import FileStorage, LocalWorkflow, RandomStatePlugin, workflow


@workflow
def pair() -> tuple[int, int]:
    return 1, 2


def test_a_node_is_neither_true_nor_false() -> None:
    node = pair().set_name("numbers")
    for promise in (node, node[0]):
        with pytest.raises(TypeError, match="has no value yet, so it is neither true nor false"):
            bool(promise)


def test_setting_something_on_no_node_is_told() -> None:
    wf = LocalWorkflow(pair().set_name("numbers"), workflow_name="w")
    with pytest.warns(UserWarning, match="no node of workflow 'w' has a whole name that matches 'number'"):
        wf.query("number").set_backend_info("retries", 2)
    with pytest.warns(UserWarning, match="so nothing was set"):
        wf.set_plugin("x", RandomStatePlugin(seed=7))


@pytest.mark.parametrize("wrong", ["results", FileStorage, 5])
def test_what_is_no_storage_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"set_storage takes a storage such as FileStorage\('results'\), not"):
        LocalWorkflow(pair()).set_storage(wrong)


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda node: node + 1, "'+'"),
        (lambda node: 1 + node, "'+'"),
        (lambda node: node @ node, "'@'"),
        (lambda node: np.ones(3) * node, "'*'"),
        (lambda node: np.float64(2) ** node, "'**'"),
        (lambda node: node < 1, "'<'"),
        (lambda node: node > 1, "'>'"),
        (lambda node: -node, "'-'"),
        (lambda node: 1 in node, "'in'"),
        (len, "len()"),
        (round, "round()"),
        (float, "float()"),
        (range, "an index"),
        (lambda node: node(3), "a call"),
        (lambda node: f"{node:.2f}", "the format '.2f'"),
        (sorted, "cannot be iterated"),
    ],
)
def test_what_needs_a_value_says_that_there_is_none_yet(use: Any, what: str) -> None:
    node = pair().set_name("numbers")
    for promise in (node, node[0]):
        with pytest.raises(TypeError) as caught:
            use([promise, promise] if use is sorted else promise)
        words = str(caught.value)
        if use is sorted:
            assert "'<' does not work on it" in words
        else:
            assert (
                f"has no value yet, so {what} does not work on it: do that in a @workflow function" in words
            )


@pytest.mark.parametrize(
    "use",
    [
        str,
        "{}".format,
        lambda node: f"{node}",
        lambda node: "%s" % node,  # noqa: UP031
        lambda node: f"{node!s:>9}",
        np.str_,
    ],
)
def test_a_node_cannot_become_part_of_a_string(use: Any) -> None:
    node = pair().set_name("numbers")
    for promise in (node, node[0]):
        with pytest.raises(TypeError, match=r"cannot become part of a string.*repr\(node\) and node.name"):
            use(promise)
        assert f"{promise!r}" == repr(promise)
        assert repr([promise]) == f"[{promise!r}]"


@pytest.mark.parametrize("key", [lambda n: n, lambda n: n[0], lambda n: slice(n, None), lambda n: (0, [n])])
def test_a_node_is_no_index_of_another(key: Any) -> None:
    node, other = pair(), pair().set_name("other")
    for promise in (node, node[0]):
        with pytest.raises(TypeError, match=r"'other'.* has no value yet, so it cannot be an index"):
            promise[key(other)]


def test_an_attribute_of_a_value_that_is_not_there_is_no_attribute() -> None:
    node = pair().set_name("numbers")
    for promise in (node, node[0]):
        with pytest.raises(
            AttributeError, match=r"has no attribute 'shape'; its (result|value) has not been computed"
        ):
            promise.shape  # noqa: B018
        assert not hasattr(promise, "_repr_html_")
        assert not hasattr(promise, "_ipython_display_")
        assert not hasattr(promise, "__array__")


def test_what_nodes_can_do_is_untouched() -> None:
    node = pair().set_name("numbers")
    item = node[0]
    assert node == node
    assert node not in (item, 1)
    assert {node: 1, item: 2}[item] == 2
    assert copy.copy(item) is item
    assert cloudpickle.loads(cloudpickle.dumps(item)).path == (0,)
    assert copy.deepcopy({"a": [node, item]}) == {"a": [node, item]}
    assert np.array([node, node], dtype=object).tolist() == [node, node]
    assert "set_name" in dir(node)


@pytest.mark.parametrize(
    "take", [workflow, lambda other: LocalWorkflow(node := pair()).replace_func(node, other)]
)
def test_a_node_is_no_function(take: Any) -> None:
    with pytest.raises(TypeError, match="takes a function"):
        take(pair())


def test_a_warning_names_the_line_of_the_person() -> None:
    wf = LocalWorkflow(pair())
    for do in (
        lambda: wf.query("x").set_backend_info("retries", 2),
        lambda: wf.query("x").unset_backend_info("retries"),
        lambda: wf.set_plugin("x", RandomStatePlugin(seed=7)),
        lambda: wf.query().set_backend_info("retrys", 2),
    ):
        with pytest.warns(UserWarning, match="nothing") as warned:
            do()
        assert [one.filename for one in warned] == [__file__]


def test_keys_can_be_unset() -> None:
    nodes = [pair().set_name(name) for name in "ab"]
    wf = LocalWorkflow(*nodes)
    query = wf.query().set_backend_info("retries", 2).set_backend_info("cache", False)
    nodes[1].backend_info.pop("retries")
    assert query.unset_backend_info("retries") is query
    assert [node.backend_info for node in nodes] == [{"cache": False}] * 2
    with pytest.warns(UserWarning, match="so nothing was unset"):
        wf.query("x").unset_backend_info("cache")
