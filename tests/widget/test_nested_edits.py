"""Edits inside of `remote_args`: each node keeps the rest of its own, and what is no JSON is never lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fuse_widgets import DAGWidget, RayWorkflow
from fuse_widgets.engine.nodes import Node
from fuse_widgets.widget import changes
from fuse_widgets.widget.bridge import bridge
from fuse_widgets.widget.commands import CommandError
from tests.widget.test_editing import Quiet, ask, chain, code, infos

STRATEGY = NodeAffinitySchedulingStrategy("a" * 56, soft=True)


def open_widget(*nodes: Node) -> DAGWidget:
    return DAGWidget(RayWorkflow(*nodes))


@pytest.fixture
def two() -> list[Node]:
    nodes = chain("fit", "score")
    nodes[0].backend_info["remote_args"] = {"num_cpus": 1, "resources": {"a": 1}}
    nodes[1].backend_info["remote_args"] = {"num_gpus": 0.5}
    return nodes


def edit(
    widget: DAGWidget, nodes: list[int], unset: Any = (), at: Any = ("remote_args",), **args: Any
) -> Any:
    was = {"was": args.pop("was")} if "was" in args else {}
    change = {"nodes": nodes, "version": widget._graph["version"], "at": list(at)}
    return ask(widget, "edit", **change, set=args, unset=list(unset), **was)


def selected(widget: DAGWidget, *names: str) -> dict[str, Any]:
    widget.selected = list(names)
    assert bridge.wait_idle()
    told: dict[str, Any] = widget._details["settings"]
    return told


# --- what the form says ---------------------------------------------------------------------------------------


def test_a_form_can_edit_the_alternatives_that_are_json() -> None:
    properties = open_widget(*chain("a"))._schema["$defs"]["RemoteArgs"]["properties"]
    marked = {
        name: [bool(way.get("x-fuse-shown-only")) for way in properties[name]["anyOf"]]
        for name in ("retry_exceptions", "scheduling_strategy")
    }
    assert marked == {"retry_exceptions": [False, True, False], "scheduling_strategy": [False, True, False]}
    assert properties["scheduling_strategy"]["anyOf"][0]["enum"] == ["DEFAULT", "SPREAD"]


def test_where_nodes_differ_in_an_object_its_keys_are_told_one_by_one(two: list[Node]) -> None:
    told = selected(open_widget(two[-1]), "fit", "score")
    assert told["mixed"] == {"remote_args": [{"num_cpus": 1, "resources": {"a": 1}}, {"num_gpus": 0.5}]}
    inside = told["inside"]["remote_args"]
    assert inside["values"] == {}
    assert inside["mixed"] == {"num_cpus": [1, None], "resources": [{"a": 1}, None], "num_gpus": [0.5, None]}
    assert inside["inside"]["resources"]["mixed"] == {"a": [1, None]}


@pytest.mark.parametrize(("other", "objects"), [(None, True), ({}, True), ([1], False), ("x", False)])
def test_keys_are_told_one_by_one_only_where_all_are_objects(other: Any, objects: bool) -> None:
    nodes = chain("a", "b")
    nodes[0].backend_info["remote_args"] = {"num_cpus": 1}
    nodes[1].backend_info["remote_args"] = other
    told = selected(open_widget(nodes[-1]), "a", "b")
    assert ("remote_args" in told["inside"]) is objects


# --- one key of an object -------------------------------------------------------------------------------------


def test_a_key_inside_is_set_and_the_rest_of_each_node_stays_its_own(two: list[Node]) -> None:
    widget = open_widget(two[-1])
    answer = edit(widget, [0, 1], num_cpus=2, was={"num_cpus": {"mixed": [1, None]}})
    assert (answer["ok"], answer["text"]) == (True, "remote_args.num_cpus = 2 on 2 nodes")
    assert infos(two) == [
        {"remote_args": {"num_cpus": 2, "resources": {"a": 1}}},
        {"remote_args": {"num_cpus": 2, "num_gpus": 0.5}},
    ]
    ask(widget, "undo")
    assert infos(two) == [
        {"remote_args": {"num_cpus": 1, "resources": {"a": 1}}},
        {"remote_args": {"num_gpus": 0.5}},
    ]
    ask(widget, "redo")
    assert [node.backend_info["remote_args"]["num_cpus"] for node in two] == [2, 2]


def test_nodes_that_share_one_dict_are_changed_one_by_one() -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    widget.workflow.query().set_remote_args({"num_cpus": 1})
    edit(widget, [0], num_cpus=2)
    assert infos(nodes) == [{"remote_args": {"num_cpus": 2}}, {"remote_args": {"num_cpus": 1}}]


def test_nothing_empty_is_left_behind_and_undo_restores_it() -> None:
    (node,) = chain("a")
    node.backend_info["remote_args"] = {"num_cpus": 1}
    widget = open_widget(node)
    edit(widget, [0], ["num_cpus"])
    assert node.backend_info == {}
    ask(widget, "undo")
    assert node.backend_info == {"remote_args": {"num_cpus": 1}}


@pytest.mark.parametrize("before", [{}, {"remote_args": None}, {"remote_args": {}}])
def test_undo_gives_back_what_stood_in_place_of_the_object(before: dict[str, Any]) -> None:
    (node,) = chain("a")
    node.backend_info.update(before)
    widget = open_widget(node)
    edit(widget, [0], num_cpus=2, num_gpus=1)
    assert node.backend_info == {"remote_args": {"num_cpus": 2, "num_gpus": 1}}
    ask(widget, "undo")
    assert node.backend_info == before
    assert widget._edits["changed"] == b""
    ask(widget, "redo")
    assert node.backend_info == {"remote_args": {"num_cpus": 2, "num_gpus": 1}}


def test_undo_leaves_what_python_has_set_beside_it_since(two: list[Node]) -> None:
    widget = open_widget(two[-1])
    edit(widget, [1], num_cpus=2)
    two[1].backend_info["remote_args"] = {**two[1].backend_info["remote_args"], "max_retries": 1}
    ask(widget, "undo")
    assert two[1].backend_info == {"remote_args": {"num_gpus": 0.5, "max_retries": 1}}


def test_what_python_has_set_beside_it_meanwhile_is_no_conflict(two: list[Node]) -> None:
    widget = open_widget(two[-1])
    two[0].backend_info["remote_args"]["max_retries"] = 5
    assert edit(widget, [0], num_cpus=2, was={"num_cpus": 1})["ok"]
    answer = edit(widget, [0], num_cpus=3, was={"num_cpus": 1})
    assert answer["errors"] == {
        "remote_args.num_cpus": "changed meanwhile from 1 to 2; enter it again to overwrite"
    }


def test_a_wrong_value_inside_is_refused_at_its_field(two: list[Node]) -> None:
    widget = open_widget(two[-1])
    before = [dict(info) for info in infos(two)]
    assert edit(widget, [0, 1], num_cpus=-1)["errors"] == {"remote_args.num_cpus": "has to be 0 or more"}
    wrong = edit(widget, [0, 1], scheduling_strategy="SPRAED")["errors"]
    assert wrong == {
        "remote_args.scheduling_strategy": "has to be one of 'DEFAULT', 'SPREAD', or a strategy of "
        "ray.util.scheduling_strategies"
    }
    wrong = edit(widget, [0, 1], retry_exceptions="yes")["errors"]
    assert wrong == {"remote_args.retry_exceptions": "has to be true or false, or a list"}
    assert infos(two) == before


@pytest.mark.parametrize("at", ["remote_args", [1], ["a"] * 13, {"a": 1}])
def test_a_place_that_makes_no_sense_is_answered_in_words(two: list[Node], at: Any) -> None:
    widget = open_widget(two[-1])
    args = {"nodes": [0], "version": 1, "at": at, "set": {"num_cpus": 1}}
    assert "where to set it is a list of up to 12 keys" in ask(widget, "edit", **args)["text"]


def test_a_place_in_something_that_is_no_dict_is_refused() -> None:
    (node,) = chain("a")
    node.backend_info["x"] = [1]
    widget = DAGWidget(Quiet(node))
    answer = edit(widget, [0], at=["x"], y=1)
    assert answer["errors"] == {"x.y": "x of node 'a' is a list, no dict: set it in Python"}
    assert node.backend_info == {"x": [1]}


# --- beside what is no JSON -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "setting"),
    [
        ("retry_exceptions", [ValueError], True),
        ("scheduling_strategy", STRATEGY, "SPREAD"),
    ],
)
def test_what_is_no_json_is_shown_and_kept(key: str, value: Any, setting: Any) -> None:
    nodes = chain("a", "b")
    nodes[0].backend_info["remote_args"] = {key: value, "num_cpus": 1}
    widget = open_widget(nodes[-1])
    assert "$repr" in str(selected(widget, "a")["values"]["remote_args"][key])

    assert edit(widget, [0, 1], num_cpus=2)["ok"]
    assert nodes[0].backend_info["remote_args"][key] is value
    for at, change in ((("remote_args",), {key: setting}), ((), {"remote_args": {"num_cpus": 3}})):
        answer = edit(widget, [0, 1], at=at, **change)
        assert not answer["ok"]
        assert "no JSON in node 'a' and would be lost: set it in Python" in answer["text"]
    assert nodes[0].backend_info == {"remote_args": {key: value, "num_cpus": 2}}
    assert edit(widget, [1], **{key: setting})["ok"]

    assert edit(widget, [0], [key])["ok"]
    assert nodes[0].backend_info == {"remote_args": {"num_cpus": 2}}
    for _ in range(3):
        ask(widget, "undo")
    assert infos(nodes) == [{"remote_args": {key: value, "num_cpus": 1}}, {}]
    assert nodes[0].backend_info["remote_args"][key] is value
    assert widget._edits["changed"] == b""


# --- as code --------------------------------------------------------------------------------------------------


def executed(text: str, build: Any) -> list[dict[str, Any]]:
    same = build()
    exec(text, {"wf": same})
    return infos(same.find_nodes())


def test_the_code_of_one_change_in_different_objects_is_a_loop(two: list[Node]) -> None:
    before = [dict(info) for info in infos(two)]
    widget = open_widget(two[-1])
    edit(widget, [0, 1], num_cpus=2)
    assert code(widget) == "\n".join(
        [
            "for node in wf.query():",
            '    node.backend_info["remote_args"] = {',
            '        **(node.backend_info.get("remote_args") or {}),',
            '        "num_cpus": 2,',
            "    }",
        ]
    )

    def build() -> Quiet:
        nodes = chain("fit", "score")
        for node, info in zip(nodes, before, strict=True):
            node.backend_info.update(info)
        return Quiet(nodes[-1])

    assert executed(code(widget), build) == infos(two)
    edit(widget, [0], ["resources"])
    assert executed(code(widget), build) == infos(two)


def test_the_code_of_one_object_for_all_is_a_query(two: list[Node]) -> None:
    nodes = chain("a", "b")
    widget = open_widget(nodes[-1])
    edit(widget, [0, 1], num_cpus=2)
    assert code(widget) == 'wf.query().set_remote_args({"num_cpus": 2})'


leaves = st.integers(0, 2) | st.sampled_from([STRATEGY, ValueError, "x", "2", None])
objects = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from("abc"), leaves | inner | st.lists(leaves, max_size=2), max_size=3
    ),
    max_leaves=6,
)
paths = st.lists(st.sampled_from("abc"), max_size=3)
values = st.integers(0, 2) | st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=2)
one_edit = st.tuples(
    st.lists(st.integers(0, 2), min_size=1, unique=True),
    paths,
    st.dictionaries(st.sampled_from("abc"), values, max_size=2),
    st.lists(st.sampled_from("abc"), max_size=2),
)


@settings(max_examples=80)
@given(st.lists(objects, min_size=3, max_size=3), st.lists(one_edit, min_size=1, max_size=5))
def test_code_and_undo_are_exact_whatever_was_edited(before: list[Any], edits: list[Any]) -> None:
    def build() -> Quiet:
        nodes = chain("p", "q", "r")
        for node, info in zip(nodes, before, strict=True):
            node.backend_info.update(info)
        return Quiet(nodes[-1])

    widget = DAGWidget(build())
    nodes = widget.workflow.find_nodes()
    for places, at, to_set, unset in edits:
        unset = [key for key in unset if key not in to_set]
        args = {"nodes": places, "version": 1, "at": at, "set": to_set, "unset": unset}
        widget.editing.edit(args)
    try:
        text = code(widget)
    except CommandError:
        text = ""
    for mine, theirs in zip(executed(text, build), infos(nodes), strict=True):
        assert changes.same(mine, theirs), text
    while widget.editing._undo:
        assert ask(widget, "undo")["ok"]
    for node, info in zip(nodes, before, strict=True):
        assert changes.same(node.backend_info, info)
    assert not list(widget.editing._ledger)
    widget.close()
