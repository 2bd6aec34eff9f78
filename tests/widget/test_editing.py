"""Editing `backend_info` from the browser: validation, undo and redo, what changed, and the same as Python."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from fuse_widgets import BaseWorkflow, DAGWidget, LocalWorkflow, Run, RunCancelledError, workflow
from fuse_widgets.backends.info import BackendInfo, parse
from fuse_widgets.engine._node import forget
from fuse_widgets.engine.errors import BackendInfoError
from fuse_widgets.engine.nodes import Node
from fuse_widgets.engine.states import NodeState
from fuse_widgets.widget import live
from fuse_widgets.widget.as_code import raw_literal
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.commands import CommandError, execute
from fuse_widgets.widget.edit_words import counts_from
from tests.backends.waiting import until
from tests.lines import lines_run


@workflow
def step(*_inputs: Any) -> int:
    return 1


class Quiet(BaseWorkflow):
    """A backend that does not say what it understands."""

    def run(self) -> list[str]:
        return [name for name, _ in self.graph_traversal()]


def open_widget(*nodes: Node, **options: Any) -> DAGWidget:
    return DAGWidget(LocalWorkflow(*nodes, **options))


def count(widget: DAGWidget) -> list[dict[str, Any]]:
    """The messages on the widget's comm from now on."""
    sent: list[dict[str, Any]] = []
    assert widget.comm is not None
    widget.comm.publish_msg = lambda kind, data=None, **_: sent.append({"kind": kind, **(data or {})})  # type: ignore[method-assign]
    return sent


numbers = itertools.count(1)


def ask(widget: DAGWidget, name: str, **args: Any) -> dict[str, Any]:
    """Send `edit`, `undo` or `redo` as the browser does, and give the answer."""
    number = str(next(numbers))
    message = {"kind": "command", "id": number, "name": name, "args": args}
    widget._handle_custom_msg(message, [])
    assert bridge.wait_idle()
    answer: dict[str, Any] = widget._edits["answer"]
    assert answer["id"] == number
    return answer


def edit(
    widget: DAGWidget, nodes: Sequence[Any], unset: Any = (), was: Any = None, **to_set: Any
) -> dict[str, Any]:
    was = {} if was is None else {"was": was}
    version = widget._graph["version"]
    return ask(widget, "edit", nodes=list(nodes), version=version, set=to_set, unset=list(unset), **was)


def changed(widget: DAGWidget) -> list[int]:
    return np.frombuffer(widget._edits["changed"], "<u4").tolist()


def buttons(widget: DAGWidget) -> tuple[str, str]:
    return widget._edits["undo"], widget._edits["redo"]


def infos(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    return [node.backend_info for node in nodes]


def chain(*names: str) -> list[Node]:
    nodes = [step().set_name(names[0])]
    for name in names[1:]:
        nodes.append(step(nodes[-1]).set_name(name))
    return nodes


# --- the schema ----------------------------------------------------------------------------------------------


def test_the_form_is_made_from_the_schema_of_the_backend() -> None:
    schema = DAGWidget(LocalWorkflow(step()))._schema
    assert schema["x-fuse-backend"] == "LocalWorkflow"
    fields = schema["properties"]
    assert list(fields) == ["cache", "plugin", "executor", "retries", "timeout"]
    assert (fields["retries"]["default"], fields["retries"]["maximum"]) == (0, 1000)
    assert fields["executor"]["anyOf"][0]["enum"] == ["inline", "thread", "process"]
    assert [name for name, field in fields.items() if field.get("x-fuse-shown-only")] == ["plugin"]
    assert all(field["title"] and field["description"] for field in fields.values())


def test_a_backend_that_does_not_say_what_it_understands_has_an_empty_schema() -> None:
    assert DAGWidget(Quiet(step()))._schema == {}


def test_nested_and_optional_fields_are_in_the_schema() -> None:
    class Args(BaseModel):
        num_cpus: float | None = None

    class Info(BaseModel):
        remote_args: Args | None = None

    class Nested(Quiet):
        backend_info_model: ClassVar[type | None] = Info

    schema = DAGWidget(Nested(step()))._schema
    assert schema["$defs"]["Args"]["properties"]["num_cpus"]["anyOf"][0] == {"type": "number"}


def test_a_model_without_a_json_schema_leaves_the_form_empty(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(BaseModel, arbitrary_types_allowed=True):
        thing: Quiet | None = None

    class Remote(Quiet):
        backend_info_model: ClassVar[type | None] = Odd

    assert DAGWidget(Remote(step()))._schema == {}
    assert "Remote has no form" in caplog.text


# --- one edit ------------------------------------------------------------------------------------------------


def test_an_edit_sets_a_key_of_several_nodes() -> None:
    nodes = chain("a", "b", "c")
    widget = open_widget(nodes[-1])
    answer = edit(widget, [0, 2], retries=3)
    assert (answer["ok"], answer["text"], answer["errors"]) == (True, "retries = 3 on 2 nodes", {})
    assert infos(nodes) == [{"retries": 3}, {}, {"retries": 3}]
    assert changed(widget) == [0, 2]
    assert buttons(widget) == ("retries = 3 on 2 nodes", "")


def test_several_keys_are_set_and_unset_at_once() -> None:
    (node,) = chain("a")
    node.backend_info.update(cache=False, retries=1)
    widget = open_widget(node)
    assert (
        edit(widget, [0], ["cache"], retries=2, executor="thread")["text"]
        == "retries, executor, cache on 'a'"
    )
    assert node.backend_info == {"retries": 2, "executor": "thread"}
    assert edit(widget, [0], ["retries"])["text"] == "retries unset on 'a'"
    assert node.backend_info == {"executor": "thread"}


def test_every_node_gets_a_value_of_its_own() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], remote_args={"num_cpus": 1})
    nodes[0].backend_info["remote_args"]["num_cpus"] = 2
    assert nodes[1].backend_info == {"remote_args": {"num_cpus": 1}}
    ask(widget, "undo")
    assert infos(nodes) == [{"remote_args": {"num_cpus": 2}}, {}]


@pytest.mark.parametrize("value", [1, 1.0])
def test_what_was_like_this_already_is_no_change(value: Any) -> None:
    (node,) = chain("a")
    node.backend_info["retries"] = 1
    widget = open_widget(node)
    node.backend_info["x"] = value
    answer = edit(widget, [0], ["cache"], retries=1, x=1)
    assert (answer["ok"], answer["text"]) == (True, "nothing has changed: it was like this already")
    assert (changed(widget), buttons(widget)) == ([], ("", ""))
    assert type(node.backend_info["x"]) is type(value)


def test_a_key_that_the_backend_does_not_understand_is_kept_and_told() -> None:
    (node,) = chain("a")
    widget = open_widget(node)
    answer = edit(widget, [0], colour="red")
    assert node.backend_info == {"colour": "red"}
    assert answer["ok"]
    assert answer["text"] == (
        "colour = \"red\" on 'a'; 'colour' is kept, and changes nothing: LocalWorkflow does not understand it"
    )


# --- what is refused -----------------------------------------------------------------------------------------


class Args(BaseModel, extra="forbid"):
    num_cpus: float = Field(1, ge=0)


class RemoteInfo(BackendInfo):
    remote_args: Args | None = None


class Remote(Quiet):
    backend_info_model: ClassVar[type | None] = RemoteInfo

    def check_backend_info(self, name: str, info: Mapping[str, Any]) -> None:
        parse(RemoteInfo, name, info)


def test_a_wrong_value_is_refused_at_its_field_and_no_node_is_changed() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    answer = edit(widget, [0, 1], retries=-1, cache="yes")
    assert not answer["ok"]
    assert answer["errors"] == {
        "cache": "has to be true or false",
        "retries": "has to be 0 or more",
    }
    assert "node 'a': backend_info['cache'] is 'yes'" in answer["text"]
    assert infos(nodes) == [{}, {}]
    assert (changed(widget), buttons(widget)) == ([], ("", ""))


def test_one_node_that_refuses_keeps_all_as_they_are() -> None:
    nodes = chain("a", "b")
    nodes[1].backend_info["retries"] = "wrong"
    widget = open_widget(nodes[-1])
    answer = edit(widget, [0, 1], cache=False)
    assert list(answer["errors"]) == ["retries"]
    assert "node 'b'" in answer["text"]
    assert infos(nodes) == [{}, {"retries": "wrong"}]


def test_what_a_backend_derived_from_another_refuses_is_refused() -> None:
    class Strict(LocalWorkflow):
        def check_backend_info(self, name: str, info: Any) -> None:
            if "team" not in info:
                raise BackendInfoError(name, "team", None, "every node needs a team")

    widget = DAGWidget(Strict(*chain("a")))
    assert "every node needs a team" in edit(widget, [0], retries=1)["text"]
    assert edit(widget, [0], retries=1, team="vision")["ok"]


def test_edits_that_come_at_once_are_answered_one_by_one() -> None:
    widget = DAGWidget(LocalWorkflow(*chain("a")))
    answers: list[tuple[str, bool]] = []
    widget.observe(
        lambda change: answers.append((change["new"]["answer"]["id"], change["new"]["answer"]["ok"])),
        "_edits",
    )

    def both() -> None:
        for number, value in (("1", 2), ("2", -1), ("3", 4)):
            message = {"nodes": [0], "version": 1, "set": {"retries": value}}
            execute(
                widget, {"kind": "command", "id": number, "name": "edit", "args": message}, lambda reply: None
            )

    bridge.post(widget, both)
    assert bridge.wait_idle()
    assert answers == [("1", True), ("2", False), ("3", True)]


def test_errors_of_nested_fields_have_their_path() -> None:
    widget = DAGWidget(Remote(*chain("a")))
    answer = edit(widget, [0], remote_args={"num_cpus": -1, "cpus": 1})
    assert list(answer["errors"]) == ["remote_args.num_cpus", "remote_args.cpus"]
    assert edit(widget, [0], remote_args={"num_cpus": 2})["ok"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"set": [1]}, 'backend_info is an object such as {"retries": 2}, not [1]'),
        ({"set": "x"}, 'backend_info is an object such as {"retries": 2}, not "x"'),
        ({"unset": "retries"}, "what to unset is a list of keys"),
        ({"unset": [1]}, "what to unset is a list of keys"),
        ({"was": 3}, "what the form showed is an object"),
        ({"unset": ["retries"]}, "'retries' cannot be set and unset at once"),
        ({"set": {}}, "there is nothing to set or unset"),
        ({"nodes": []}, "no node is selected"),
        ({"nodes": "all"}, "no node is selected"),
        ({"nodes": [9]}, "there is no node 9 in this graph of 1 nodes"),
        ({"nodes": [-1]}, "there is no node -1"),
        ({"nodes": [True]}, "there is no node true"),
        ({"nodes": ["a"]}, 'there is no node "a"'),
        ({"nodes": [None]}, "there is no node null"),
        ({"version": 7}, "the graph has changed since"),
        ({"version": [1]}, "the graph has changed since"),
        ({"version": None}, "the graph has changed since"),
        ({"set": {"x": "y" * 300_000}}, "x: 293 kB are too much to be entered here; up to 256 kB can be"),
        ({"set": {"x": float("nan")}}, "holds a number that is not finite"),
    ],
)
def test_a_message_that_makes_no_sense_is_answered_in_words(change: dict[str, Any], words: str) -> None:
    (node,) = chain("a")
    widget = open_widget(node)
    args = {"nodes": [0], "version": 1, "set": {"retries": 1}, "unset": [], **change}
    answer = ask(widget, "edit", **args)
    assert not answer["ok"]
    assert words in answer["text"]
    assert any(words in f"{field}: {text}" or text in words for field, text in answer["errors"].items())
    assert node.backend_info == {}


def test_a_value_that_is_nested_too_deeply_is_refused() -> None:
    value: Any = []
    for _ in range(5000):
        value = [value]
    widget = open_widget(*chain("a"))
    assert "nested too deeply" in edit(widget, [0], x=value)["errors"]["x"]


def test_backend_info_that_is_no_dict_is_refused_in_words() -> None:
    (node,) = chain("a")
    widget = open_widget(node)
    node.backend_info = [1]  # type: ignore[assignment]
    assert edit(widget, [0], retries=1)["text"] == "node 'a': backend_info is a list, no dict"


def test_a_backend_whose_check_breaks_is_answered() -> None:
    class Broken(Quiet):
        def check_backend_info(self, name: str, info: Mapping[str, Any]) -> None:
            raise RuntimeError("oh")

    answer = edit(DAGWidget(Broken(*chain("a"))), [0], x=1)
    assert (answer["ok"], answer["errors"]) == (False, {"": "RuntimeError: oh"})


def test_a_node_that_is_gone_is_named() -> None:
    first, second = chain("a", "b")
    widget = open_widget(second)
    first.set_name("new")
    assert "node 'a' is no longer part of the workflow" in edit(widget, [0], retries=1)["text"]


def test_an_edit_may_be_about_the_graph_as_it_was_drawn_before() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    widget.direction = "TB"
    assert bridge.wait_idle()
    assert widget._graph["version"] == 2
    assert ask(widget, "edit", nodes=[1], version=1, set={"retries": 1})["ok"]
    assert infos(nodes) == [{}, {"retries": 1}]
    assert widget._edits["version"] == 2


# --- changed meanwhile ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "was"),
    [
        ((1, 1), 1),
        ((1, 1), 1.0),
        ((None, None), None),
        ((1, 2), {"mixed": [2, 1]}),
        ((1, None), {"mixed": [None, 1]}),
        (({"mixed": [1]},) * 2, {"mixed": [1]}),
        ((2, 2.0), {"mixed": [2, 2]}),
        ((1, 2, 3, 4, 5, 6), {"mixed": [1, 2, 3, 4, 5]}),
    ],
)
def test_what_the_form_showed_and_there_is_may_be_edited(values: Sequence[Any], was: Any) -> None:
    nodes = chain(*"abcdef"[: len(values)])
    for node, value in zip(nodes, values, strict=True):
        if value is not None:
            node.backend_info["x"] = value
    widget = open_widget(nodes[-1])
    assert edit(widget, range(len(values)), was={"x": was}, x=9)["ok"]


@pytest.mark.parametrize(
    ("values", "was", "words"),
    [
        ((3,), 1, "changed meanwhile from 1 to 3; enter it again to overwrite"),
        ((3,), None, "changed meanwhile from “not set” to 3; enter it again to overwrite"),
        ((None,), 3, "changed meanwhile from 3 to “not set”; enter it again to overwrite"),
        ((True,), 1, "changed meanwhile from 1 to true; enter it again to overwrite"),
        ((1, 2), 1, "changed meanwhile from 1 to several values; enter it again to overwrite"),
        (
            (1, 1),
            {"mixed": [1, 2]},
            "changed meanwhile from several values to 1; enter it again to overwrite",
        ),
        (
            (1, 2, 3),
            {"mixed": [1, 2]},
            "changed meanwhile from several values to several values; enter it again to overwrite",
        ),
    ],
)
def test_what_was_changed_meanwhile_is_not_overwritten(values: Sequence[Any], was: Any, words: str) -> None:
    nodes = chain(*"abcdef"[: len(values)])
    for node, value in zip(nodes, values, strict=True):
        if value is not None:
            node.backend_info["x"] = value
    before = [dict(info) for info in infos(nodes)]
    widget = open_widget(nodes[-1])
    answer = edit(widget, range(len(values)), was={"x": was}, x=9)
    assert (answer["ok"], answer["errors"]) == (False, {"x": words})
    assert infos(nodes) == before
    assert edit(widget, range(len(values)), x=9)["ok"]


# --- messages ------------------------------------------------------------------------------------------------


def test_an_edit_of_a_thousand_nodes_is_one_message_each_way_and_little_work() -> None:
    nodes = chain(*[f"n{i}" for i in range(1000)])
    widget = open_widget(nodes[-1])
    widget.selected = [node.name for node in nodes]
    assert bridge.wait_idle()
    sent = count(widget)
    edit(widget, range(1000), retries=1)  # the first one warms up
    del sent[:]

    def work(nodes: int, value: int) -> int:
        def edit_and_tell() -> None:
            change = {"nodes": list(range(nodes)), "version": 1, "set": {"retries": value}, "id": "x"}
            widget.editing.edit(change)
            widget.editing.publish()
            widget.inspection.publish()

        return lines_run(edit_and_tell)

    assert work(1000, 2) < 200 * 1000  # 150 lines for each node today
    del sent[:]
    edit(widget, range(1000), retries=9)
    assert [message["kind"] for message in sent] == ["comm_msg"]
    assert sent[0]["method"] == "update"
    assert sent[0]["state"]["_edits"]["answer"]["ok"]
    assert sent[0]["state"]["_details"]["settings"]["values"] == {"retries": 9}
    assert {node.backend_info["retries"] for node in nodes} == {9}


# --- undo and redo -------------------------------------------------------------------------------------------


def test_undo_and_redo_go_back_and_forth() -> None:
    nodes = chain("a", "b")
    nodes[0].backend_info["retries"] = 7
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=1)
    edit(widget, [1], ["retries"], cache=False)
    assert ask(widget, "undo")["text"] == "undone: cache, retries on 'b'"
    assert infos(nodes) == [{"retries": 1}, {"retries": 1}]
    assert buttons(widget) == ("retries = 1 on 2 nodes", "cache, retries on 'b'")
    ask(widget, "undo")
    assert infos(nodes) == [{"retries": 7}, {}]
    assert (changed(widget), buttons(widget)) == ([], ("", "retries = 1 on 2 nodes"))
    assert ask(widget, "undo")["errors"] == {"": "there is nothing to undo"}
    assert ask(widget, "redo")["text"] == "done again: retries = 1 on 2 nodes"
    assert changed(widget) == [0, 1]
    edit(widget, [0], retries=4)
    assert ask(widget, "redo")["text"] == "there is nothing to redo"
    assert infos(nodes) == [{"retries": 4}, {"retries": 1}]


def test_undo_puts_back_what_is_no_json() -> None:
    thing = object()
    (node,) = chain("a")
    node.backend_info["thing"] = thing
    widget = open_widget(node)
    edit(widget, [0], ["thing"])
    ask(widget, "undo")
    assert node.backend_info["thing"] is thing


def test_undo_leaves_what_was_changed_since() -> None:
    nodes = chain("a", "b", "c")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1, 2], retries=1)
    nodes[1].backend_info["retries"] = 5
    answer = ask(widget, "undo")
    assert answer["text"] == "undone: retries = 1 on 2 nodes; 'b' was changed since and is left as it is"
    assert infos(nodes) == [{}, {"retries": 5}, {}]
    ask(widget, "redo")
    assert infos(nodes) == [{"retries": 1}, {"retries": 5}, {"retries": 1}]


def test_undo_of_what_was_changed_everywhere_says_so() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=1)
    for node in nodes:
        node.backend_info["retries"] = 5
    answer = ask(widget, "undo")
    assert answer["text"] == (
        "retries = 1 on 2 nodes: nothing to undo, 2 nodes were changed since and are left as they are"
    )
    assert (answer["ok"], buttons(widget)) == (False, ("", ""))


def test_steps_survive_a_graph_that_grew_and_forget_nodes_that_are_gone() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=1)
    early = step().set_name("early")
    wf = widget.workflow
    wf.outputs = (*wf.outputs, early)
    nodes[0].set_name("renamed")
    forget(nodes[1])
    wf.outputs = (nodes[0], early)
    widget.refresh()
    assert buttons(widget)[0] == "retries = 1 on 'renamed'"
    assert changed(widget) == [widget.graph.names.index("renamed")]
    ask(widget, "undo")
    assert infos(nodes) == [{}, {"retries": 1}]


def test_two_hundred_steps_are_kept() -> None:
    widget = open_widget(*chain("a"))
    for value in range(205):
        widget.editing.edit({"nodes": [0], "version": 1, "set": {"retries": value + 1}})
    for _ in range(200):
        assert ask(widget, "undo")["ok"]
    assert not ask(widget, "undo")["ok"]
    assert widget.workflow.find_nodes()[0].backend_info == {"retries": 5}


# --- net changes ---------------------------------------------------------------------------------------------


def test_what_is_back_to_what_it_was_is_no_change() -> None:
    nodes = chain("a", "b")
    nodes[0].backend_info["retries"] = 1
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=2)
    edit(widget, [0], retries=1)
    assert changed(widget) == [1]
    edit(widget, [1], ["retries"])
    assert changed(widget) == []


def test_what_was_changed_in_python_since_is_no_change_of_the_widget() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=2)
    nodes[0].backend_info["retries"] = 3
    widget.refresh()
    assert changed(widget) == [1]
    edit(widget, [0], retries=4)
    assert changed(widget) == [0, 1]
    edit(widget, [0], retries=3)
    assert changed(widget) == [1]


def test_the_end_of_a_cell_shows_what_python_has_changed() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=2)
    nodes[0].backend_info["retries"] = 3
    step(nodes[-1]).set_name("late")
    live.cell_ended()
    assert bridge.wait_idle()
    assert changed(widget) == [1]
    assert list(widget.states) == ["a", "b", "late"]


def test_a_graph_that_cannot_be_drawn_at_the_end_of_a_cell_is_told_until_it_can() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    double = step(nodes[0]).set_name("b")
    live.cell_ended()
    assert bridge.wait_idle()
    assert "two nodes of this workflow are named 'b'" in widget.get_state("_status")["_status"]["notice"]
    double.set_name("c")
    live.cell_ended()
    assert bridge.wait_idle()
    assert widget.get_state("_status")["_status"]["notice"] == ""


def test_the_end_of_a_cell_costs_nothing_that_is_sent_where_nothing_has_changed() -> None:
    widget = open_widget(*chain("a"))
    edit(widget, [0], retries=2)
    sent = count(widget)
    live.cell_ended()
    assert bridge.wait_idle()
    assert sent == []


def test_an_edit_in_one_widget_is_known_to_the_other_of_the_same_workflow() -> None:
    nodes = chain("a", "b")
    first = open_widget(nodes[-1])
    second = DAGWidget(first.workflow)
    edit(first, [0, 1], retries=1)
    edit(second, [0], retries=2)
    assert (changed(first), changed(second)) == ([1], [0])
    first.close()
    assert live.widgets(second.workflow) == [second]


# --- during a run --------------------------------------------------------------------------------------------


@pytest.fixture
def running() -> Iterator[tuple[DAGWidget, Run, threading.Event]]:
    """A widget of three nodes of which the first runs, until the event is set."""
    begun, go = threading.Event(), threading.Event()

    @workflow
    def hold() -> None:
        begun.set()
        assert go.wait(20)

    first = hold().set_name("a")
    widget = open_widget(step(step(first).set_name("b")).set_name("c"))
    run = widget.workflow.start()
    assert begun.wait(10)
    yield widget, run, go
    go.set()
    run.wait(10)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([1, 2], "counts in this run for 2 nodes that have not begun"),
        ([1], "counts in this run for 'b', which has not begun"),
        (
            [0, 1, 2],
            "counts in this run for 2 nodes that have not begun; 1 has begun and keeps its until the next run",
        ),
        (
            [0, 1],
            "counts in this run for 'b', which has not begun; 1 has begun and keeps its until the next run",
        ),
        ([0], "counts from the next run on: 'a' has begun"),
    ],
)
def test_an_edit_during_a_run_says_where_it_counts(running: Any, nodes: list[int], words: str) -> None:
    widget, run, go = running
    edit(widget, nodes, retries=1)
    assert widget._edits["counts_from"] == words
    go.set()
    run.wait(10)
    assert widget.workflow.drain_events(5)
    assert bridge.wait_idle()
    assert widget._edits["counts_from"] == ""


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["queued"], "'a' is queued already"),
        (["queued", "queued"], "all 2 nodes are queued already"),
        (["queued", "done"], "all 2 nodes have begun"),
    ],
)
def test_of_a_node_that_was_handed_to_the_backend_it_does_not_say_that_it_runs(
    states: list[str], words: str
) -> None:
    nodes = chain(*"ab"[: len(states)])
    run = LocalWorkflow(*nodes).start(paused=True)
    until(lambda: run.states["a"] == "paused")
    for node, state in zip(nodes, states, strict=True):
        run.emit(node, NodeState.RUNNING if state == "done" else NodeState(state))
        run.emit(node, NodeState(state))
    assert counts_from(run, nodes) == f"counts from the next run on: {words}"
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(10)


def test_without_a_run_it_says_nothing_of_it() -> None:
    widget = open_widget(*chain("a"))
    edit(widget, [0], retries=1)
    assert widget._edits["counts_from"] == ""


def test_what_a_run_would_refuse_is_told_at_the_field() -> None:
    widget = open_widget(*chain("a"))
    answer = edit(widget, [0], timeout=2)
    assert not answer["ok"]
    assert "executor" in answer["errors"]["timeout"]
    assert edit(widget, [0], executor="process", timeout=2)["ok"]
    assert not edit(widget, [0], ["executor"])["ok"]
    node = widget.workflow.find_nodes()[0]
    assert node.backend_info == {"executor": "process", "timeout": 2}


def test_keys_that_belong_together_can_still_be_set_one_after_another_in_python() -> None:
    wf = LocalWorkflow(*chain("a"))
    wf.query().set_backend_info("timeout", 120).set_backend_info("executor", "process")
    assert wf.run()


def test_two_nodes_of_one_name_end_no_cell_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    edit(widget, [0], retries=1)
    nodes[0].set_name("b")
    live.cell_ended()
    assert bridge.wait_idle()
    caplog.clear()
    live.cell_ended()
    assert bridge.wait_idle()
    assert not caplog.records
    nodes[0].set_name("a")
    live.cell_ended()
    assert bridge.wait_idle()
    assert changed(widget) == [0]


# --- as code -------------------------------------------------------------------------------------------------


def code(widget: DAGWidget) -> str:
    found: str = widget.editing.code({}).result(10)["code"]
    return found.removeprefix("# wf: the workflow 'workflow'\n")


def test_code_says_what_wf_is_where_nothing_is_bound_to_the_workflow() -> None:
    widget = open_widget(*chain("a"))
    edit(widget, [0], retries=3)
    assert widget.editing.code({}).result(10)["code"] == (
        "# wf: the workflow 'workflow'\nwf.query().set_backend_info(\"retries\", 3)"
    )


def test_edits_are_given_as_python() -> None:
    nodes = chain("moons-fit", "moons-score", "circles-fit", 'with "quotes"', 'it\'s "both"')
    nodes[2].backend_info["cache"] = False
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=3, remote_args={"num_cpus": 0.5})
    edit(widget, [2], ["cache"], executor="thread")
    edit(widget, [3], retries=1)
    edit(widget, [4], retries=2)
    assert code(widget) == "\n".join(
        [
            "(",
            '    wf.query(r"moons.*")',
            '    .set_backend_info("retries", 3)',
            '    .set_remote_args({"num_cpus": 0.5})',
            ")",
            "(",
            '    wf.query(r"circles-fit")',
            '    .unset_backend_info("cache")',
            '    .set_backend_info("executor", "thread")',
            ")",
            "(",
            """    wf.query(r'with "quotes"')""",
            '    .set_backend_info("retries", 1)',
            ")",
            "(",
            """    wf.query(r"it's \\x22both\\x22")""",
            '    .set_backend_info("retries", 2)',
            ")",
        ]
    )


def test_code_for_all_nodes_needs_no_pattern() -> None:
    nodes = chain("a", "b\n")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], retries=3)
    assert code(widget) == 'wf.query().set_backend_info("retries", 3)'


def test_without_edits_there_is_nothing_to_copy() -> None:
    widget = open_widget(*chain("a"))
    with pytest.raises(CommandError, match="nothing to copy"):
        code(widget)


def test_the_workflow_is_called_what_the_person_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = open_widget(*chain("a"))
    names = {"_": 1, "_w": 2, "pipeline": 3, "p2": 4, "other": 5, "if": 6, "not a name": 7}
    space = {name: widget.workflow if name != "other" else None for name in names}
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(user_ns=space))
    edit(widget, [0], retries=3)
    assert code(widget) == 'p2.query().set_backend_info("retries", 3)'


@pytest.mark.parametrize(
    ("place", "written"),
    [
        (lambda wf: {"models": {"b": 1, "a": wf}}, 'models["a"]'),
        (lambda wf: {"models": {7: wf, (1, 2): wf}}, "models[7]"),
        (lambda wf: {"flows": [None, wf], "Out": {3: wf}, "_oh": {3: wf}}, "flows[1]"),
        (lambda wf: {"flows": [[wf]], "Out": {3: wf}}, "wf"),
    ],
)
def test_a_workflow_in_a_container_is_called_by_its_place(
    monkeypatch: pytest.MonkeyPatch, place: Any, written: str
) -> None:
    widget = open_widget(*chain("a"))
    space = place(widget.workflow)
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(user_ns=space))
    edit(widget, [0], retries=3)
    assert f"{written}.query()" in code(widget)
    exec(code(widget), {"wf": widget.workflow, **space})


def test_the_pattern_that_was_searched_with_is_kept_in_the_code() -> None:
    widget = open_widget(chain("moons-fit", "moons-score", "circles-fit", "iris-fit")[-1])
    widget.query = "(moons|circles)-fit"
    edit(widget, [0, 2], retries=3)
    assert code(widget) == '(\n    wf.query(r"(moons|circles)-fit")\n    .set_backend_info("retries", 3)\n)'
    widget.query = "(moons"  # broken: what was searched with at the time of the edit still holds
    assert 'r"(moons|circles)-fit"' in code(widget)
    widget.query = "[mc].*-fit"
    assert 'r"[mc].*-fit"' in code(widget), "the present one comes first"
    edit(widget, [3], cache=False)
    assert 'r"iris.*"' in code(widget) or 'r"iris-fit"' in code(widget)


@given(st.text(alphabet="ab\\\"'\n.", max_size=8))
def test_a_pattern_as_a_literal_matches_what_it_matches(pattern: str) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error:
        return
    read = re.compile(eval(raw_literal(pattern)))
    for text in ['"', "'", '\\"', "a", "\"'", "'\"", "\n", "\\", "\"'\\", "a\"'b", "b\\'\"", "\\\"'"]:
        assert bool(read.fullmatch(text)) == bool(compiled.fullmatch(text))


def test_the_code_comes_as_the_reply_to_its_command() -> None:
    widget = open_widget(*chain("a"))
    edit(widget, [0], retries=3)
    sent: list[Any] = []
    replied = threading.Event()
    widget.send = lambda content, buffers=None: (sent.append(content), replied.set())  # type: ignore[method-assign]
    widget._handle_custom_msg({"kind": "command", "id": "7", "name": "code", "args": {}}, [])
    assert replied.wait(10)
    assert sent == [
        {
            "kind": "reply",
            "id": "7",
            "ok": True,
            "text": "",
            "data": {"code": "# wf: the workflow 'workflow'\nwf.query().set_backend_info(\"retries\", 3)"},
        }
    ]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
keys = st.sampled_from(["x", "y", "it's", "\n"])
names = st.lists(
    st.text(min_size=1, max_size=4) | st.sampled_from(["a-1", "a-2", "b-1", '"', "'\"", "\\", "\n"]),
    min_size=1,
    max_size=6,
    unique=True,
)


class Edits(NamedTuple):
    names: list[str]
    before: list[dict[str, Any]]
    edits: list[tuple[list[int], dict[str, Any], list[str]]]


@st.composite
def edits(draw: st.DrawFn) -> Edits:
    found = draw(names)
    before = [draw(st.dictionaries(keys, json_values, max_size=2)) for _ in found]
    places = st.lists(st.integers(0, len(found) - 1), min_size=1, unique=True)
    one = st.tuples(places, st.dictionaries(keys, json_values, max_size=2), st.lists(keys, max_size=2))
    return Edits(found, before, draw(st.lists(one, min_size=1, max_size=5)))


@settings(max_examples=60)
@given(edits())
def test_the_code_does_to_another_workflow_what_the_edits_did(given: Edits) -> None:
    def build() -> Quiet:
        nodes = chain(*given.names)
        for node, before in zip(nodes, given.before, strict=True):
            node.backend_info.update(before)
        return Quiet(nodes[-1])

    widget = DAGWidget(build())
    for places, to_set, unset in given.edits:
        unset = [key for key in unset if key not in to_set]
        widget.editing.edit({"nodes": places, "version": 1, "set": to_set, "unset": unset})
    same = build()
    try:
        text = code(widget)
    except CommandError:
        text = ""
    exec(text, {"wf": same})
    assert infos(same.find_nodes()) == infos(widget.workflow.find_nodes())
    widget.close()
