"""Copies and pickles of nodes and workflows."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from fuse_widgets import BaseWorkflow, FileStorage, LocalWorkflow, workflow
from fuse_widgets.engine.nodes import Node

PICKLERS = pytest.mark.parametrize("pickler", [pickle, cloudpickle])


@workflow
def inc(x: Any = 0) -> Any:
    return x + 1


@workflow
def show(*values: Any, **named: Any) -> Any:
    return (*values, *named.values())


@workflow
class Account:
    def __init__(self, total: int = 0) -> None:
        self.total = total

    def put(self, x: int) -> int:
        self.total += x
        return self.total


def chain(length: int) -> Any:
    node: Any = 0
    for _ in range(length):
        node = inc(node)
    return node


def test_a_copy_of_a_node_is_the_node() -> None:
    node = inc().set_name("base")
    for value in (node, node["k"], inc, Account):
        assert copy.copy(value) is value
        assert copy.deepcopy(value) is value
    config = copy.deepcopy({"model": [node], "item": (node[0],)})
    assert config["model"][0] is node
    assert LocalWorkflow(node, show(config["model"])).run() == [1, ([1],)]


@pytest.mark.slow
def test_a_chain_of_20_000_is_pickled() -> None:
    end = pickle.loads(pickle.dumps(chain(20_000)))
    order = LocalWorkflow(end).find_nodes()
    assert len(order) == 20_000
    assert [len(node.parents) for node in order] == [0] + [1] * 19_999
    assert LocalWorkflow(order[-1], targets_only=True).run() == 20_000


@pytest.mark.slow
def test_a_workflow_of_20_000_is_pickled() -> None:
    wf = LocalWorkflow(chain(20_000), workflow_name="long")
    again = pickle.loads(cloudpickle.dumps(wf))
    assert (again.workflow_name, len(again)) == ("long", 20_000)
    assert again.run() == 20_000


@PICKLERS
def test_a_node_brings_its_ancestors_and_no_descendants(pickler: Any) -> None:
    root = inc().set_name("root")
    left, right = inc(root).set_name("left"), inc(root).set_name("right")
    show(left, right)
    left.backend_info["retries"] = 2
    left_again = pickle.loads(pickler.dumps(left))
    assert [node.name for node in LocalWorkflow(left_again).find_nodes()] == ["root", "left"]
    assert left_again.backend_info == {"retries": 2}
    assert left_again.made_at == left.made_at
    assert left_again.func is inc.func or pickler is cloudpickle
    assert LocalWorkflow(show(left_again)).run() == (2,)


@PICKLERS
def test_what_nodes_share_is_shared_in_one_pickle(pickler: Any) -> None:
    root = inc().set_name("root")
    nodes = [inc(root), root, show({"k": [root["a"]]}, inc(root)), root[0]]
    first, root_again, third, item = pickle.loads(pickler.dumps(nodes))
    assert list(first.parents) == [root_again] == [item.node]
    assert third.args[0]["k"][0].node is root_again
    assert len(LocalWorkflow(first, third)) == 4
    separate = pickle.loads(pickler.dumps(root))
    assert separate is not root_again
    assert list(separate.children) == []


@PICKLERS
def test_many_nodes_of_one_pickle_have_one_order(pickler: Any) -> None:
    nodes = [inc(i) for i in range(300)]
    nodes.append(show(*nodes))
    again = pickle.loads(pickler.dumps(nodes[::-1]))
    assert LocalWorkflow(again[0]).find_nodes() == again[::-1]


@PICKLERS
def test_objects_keep_the_order_of_their_methods(pickler: Any) -> None:
    account = Account(1)
    first = account.put(2)
    reader = show(first)
    account.put(3)
    account_again, reader_again = pickle.loads(pickler.dumps((account, reader)))
    last = account_again.put(4)
    assert [node.kind for node in LocalWorkflow(last, targets_only=True).find_nodes()] == [
        "constructor",
        "method",
        "method",
        "method",
    ]
    assert LocalWorkflow(last, reader_again).run() == [10, (3,)]


@PICKLERS
def test_a_workflow_keeps_descendants_storage_and_names_but_no_runs(pickler: Any, tmp_path: Path) -> None:
    base = inc().set_name("base")
    inc(base).set_name("beside")
    wf = LocalWorkflow(show(base).set_name("out"), workflow_name="w", max_workers=3, executor="thread")
    wf.set_storage(FileStorage(tmp_path))
    unsubscribe = wf.subscribe(lambda events: None)
    assert wf.run() == (1,)
    again = pickle.loads(pickler.dumps(wf))
    assert [node.name for node in again.find_nodes()] == ["base", "beside", "out"]
    assert (again.max_workers, again.executor, again.last_run) == (3, "thread", None)
    assert again.run() == (1,)
    assert {row["source"] for row in again.last_run.report()} == {"stored"}
    unsubscribe()
    wf.close()
    again.close()


def test_a_copy_of_a_workflow_has_the_same_nodes_and_runs_of_its_own(tmp_path: Path) -> None:
    wf = LocalWorkflow(inc())
    wf.set_storage(FileStorage(tmp_path))
    wf.run()
    for again in (copy.copy(wf), copy.deepcopy(wf)):
        assert again.find_nodes() == wf.find_nodes()
        assert again.last_run is None
        assert again.run() == 1
    assert wf.last_run.number == 1


class Backend(BaseWorkflow):
    def __init__(self, *nodes: Any, factor: int = 1) -> None:
        super().__init__(*nodes)
        self.factor = factor

    def run(self) -> Any:
        results: dict[Node, Any] = {}
        for _, node in self.graph_traversal():
            results[node] = node.exec(*node.resolve(results.__getitem__))
        return self.factor * results[self.outputs[0]]


def test_a_backend_of_ones_own_is_pickled() -> None:
    assert pickle.loads(pickle.dumps(Backend(inc(1), factor=10))).run() == 20


SCRIPT = """
import pickle, sys
import {pickler} as pickler
from fuse_widgets import LocalWorkflow, workflow

@workflow
def inc(x):
    return x + 1

@workflow
class Account:
    def __init__(self, a): self.a = a
    def put(self, x): return self.a + x

if __name__ == "__main__":
    if sys.argv[1] == "write":
        wf = LocalWorkflow(Account(1).put(inc(1)))
        open(sys.argv[2], "wb").write(pickler.dumps([wf, inc, inc(1)]))
    else:
        wf, again, node = pickle.load(open(sys.argv[2], "rb"))
        assert wf.run() == 3 and LocalWorkflow(again(node)).run() == 3
"""
READER = """
import pickle, sys
wf, again, node = pickle.load(open(sys.argv[1], "rb"))
assert wf.run() == 3
"""


@pytest.mark.slow
@PICKLERS
def test_nodes_of_a_script_are_read_in_another_process(pickler: Any, tmp_path: Path) -> None:
    script, written = tmp_path / "script.py", tmp_path / "written"
    script.write_text(SCRIPT.format(pickler=pickler.__name__))
    for action in ("write", "read"):
        subprocess.run([sys.executable, script, action, written], check=True)
    if pickler is cloudpickle:  # also where the script is not there
        subprocess.run([sys.executable, "-c", READER, written], check=True)
