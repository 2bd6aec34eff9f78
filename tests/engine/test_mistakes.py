"""Slips that people make, and the words they get."""

from __future__ import annotations

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
