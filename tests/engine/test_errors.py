"""Errors leave their process whole, or with names where nodes cannot be pickled."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from fuse_widgets import (
    BackendInfoError,
    BaseWorkflow,
    DuplicateNodeNameError,
    FuseError,
    LocalWorkflow,
    NodeExecutionError,
    PatternError,
    workflow,
)


@workflow
def divide(x: int) -> float:
    return 1 / x


def plain(x: int) -> float:
    return 1 / x


def again(error: Any) -> Any:
    read = pickle.loads(pickle.dumps(error))
    assert type(read) is type(error)
    assert str(read) == str(error)
    return read


def raised(kind: type[FuseError], action: Any) -> Any:
    with pytest.raises(kind) as caught:
        action()
    return caught.value


def test_a_wrong_backend_info_and_a_wrong_pattern_can_be_pickled() -> None:
    error = again(BackendInfoError("n", "retries", -1, "it has to be more"))
    assert (error.node, error.key, error.value, error.reason) == ("n", "retries", -1, "it has to be more")
    assert again(BackendInfoError("n", "plugin", threading.Lock(), "no")).value.startswith("<unlocked")
    error = again(raised(PatternError, lambda: BaseWorkflow(divide(1)).find_nodes("(")))
    assert error.pattern == "("


@pytest.mark.parametrize("function", [workflow(plain), workflow(lambda x: 1 / x)])
def test_two_nodes_of_one_name_can_be_pickled_or_are_named(function: Any) -> None:
    a, b = function(1).set_name("twin"), function(2).set_name("twin")
    error = again(raised(DuplicateNodeNameError, lambda: BaseWorkflow(a, b)))
    assert [node.name for node in error.nodes] == ["twin", "twin"]
    assert [node.made_at for node in error.nodes] == [a.made_at, b.made_at]


def test_a_failure_can_be_pickled_and_replayed() -> None:
    wf = LocalWorkflow(workflow(plain)(0).set_name("a"), divide(0).set_name("b"))
    error = again(raised(NodeExecutionError, wf.run))
    assert [failure.node.name for failure in error.failures] == ["a", "b"]
    assert error.failures[0] is error
    assert type(error.__cause__) is ZeroDivisionError
    assert error.inputs == ((0,), {})
    with pytest.raises(ZeroDivisionError):
        error.replay()


class Odd(Exception):
    def __init__(self, lock: Any, more: Any) -> None:
        super().__init__("odd")


def test_a_failure_of_what_cannot_be_pickled_keeps_names_and_texts() -> None:
    def fail(lock: Any) -> None:
        raise Odd(lock, 1)

    wf = LocalWorkflow(workflow(fail)(threading.Lock()).set_name("a"))
    error = again(raised(NodeExecutionError, wf.run))
    assert (error.node.name, error.inputs) == ("a", None)
    assert (type(error.__cause__), error.__cause__.args) == (Odd, ("odd",))
    with pytest.raises(FuseError, match="'a'"):
        error.replay()


def test_a_workflow_with_a_name_too_many_shows_that() -> None:
    node = divide(1)
    wf = BaseWorkflow(node.set_name("twin"))
    divide(node).set_name("twin")
    assert "two nodes of this workflow are named 'twin'" in repr(wf)
