"""backend_info as a contract: what is understood, what is kept, and what is refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from fuse_widgets import BackendInfoError, LocalWorkflow, workflow
from fuse_widgets.backends.info import BackendInfo, LocalInfo, not_understood, parse


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("retries", -1, "has to be 0 or more. "),
        ("retries", 1001, "has to be 1000 or less"),
        ("retries", "2", "has to be a whole number"),
        ("retries", True, "has to be a whole number"),
        ("timeout", 0, "has to be more than 0"),
        ("timeout", float("nan"), "has to be a finite number"),
        ("timeout", "1 s", "has to be a number"),
        ("executor", "gpu", "has to be one of 'inline', 'thread', 'process'"),
        ("cache", "yes", "has to be true or false"),
        ("plugin", 3, "a plugin has the functions local_initialize and remote_initialize"),
    ],
)
def test_a_wrong_value_raises_before_anything_runs_and_says_what_is_allowed(
    key: str, value: Any, allowed: str
) -> None:
    ran: list[int] = []
    first, second = workflow(ran.append)(1).set_name("first"), workflow(ran.append)(2).set_name("second")
    second.backend_info[key] = value
    wf = LocalWorkflow(first, second)
    for action in (wf.run, wf.start):
        with pytest.raises(BackendInfoError) as caught:
            action()
        text = str(caught.value)
        assert f"node 'second': backend_info[{key!r}] is {value!r}, but" in text
        assert allowed in text
        assert LocalInfo.model_fields[key].description in text
        assert ".." not in text
        assert (caught.value.node, caught.value.key) == ("second", key)
    assert (ran, wf.runs) == ([], [])


def test_a_query_refuses_a_wrong_value_and_changes_no_node() -> None:
    nodes = [workflow(lambda: 1)().set_name(f"n{i}") for i in range(3)]
    wf = LocalWorkflow(*nodes)
    with pytest.raises(BackendInfoError, match=r"node 'n0': backend_info\['retries'\] is 'many'"):
        wf.query().set_backend_info("retries", "many")
    assert [node.backend_info for node in nodes] == [{}, {}, {}]


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_timeout_is_refused_where_it_cannot_be_kept(executor: Any) -> None:
    node = workflow(lambda: 1)().set_name("slow")
    node.backend_info["timeout"] = 5
    with pytest.raises(BackendInfoError) as caught:
        LocalWorkflow(node, executor=executor).run()
    assert f"this node runs with executor '{executor}': set backend_info['executor'] to 'process'" in str(
        caught.value
    )
    node.backend_info["executor"] = executor
    with pytest.raises(BackendInfoError):
        LocalWorkflow(node, executor="process").run()


def test_unknown_keys_are_kept_and_told() -> None:
    node = workflow(lambda: 1)()
    info = {"retries": 1, "num_gpus": 2, "copy": 3, "model_config": 4, "json": 5, "": 6}
    node.backend_info.update(info)
    with pytest.warns(UserWarning, match="backend_info"):
        assert LocalWorkflow(node).run() == 1
    assert node.backend_info == info
    assert not_understood(LocalInfo, info) == ["num_gpus", "copy", "model_config", "json", ""]


def test_an_unknown_key_is_told_once_with_the_nearest_that_is_understood() -> None:
    nodes = [workflow(lambda: 1)() for _ in range(3)]
    wf = LocalWorkflow(*nodes)

    def use() -> None:
        wf.query().set_backend_info("retrys", 2)
        wf.query().set_backend_info("retrys", 3)
        wf.run()
        wf.start().wait(5)

    with pytest.warns(UserWarning, match="backend_info") as caught:
        use()
    (warning,) = caught
    assert str(warning.message) == (
        "LocalWorkflow does not understand backend_info['retrys'], which 3 nodes have: did you mean 'retries'? "
        "It is kept, and changes nothing."
    )
    assert warning.filename == __file__
    assert nodes[0].backend_info == {"retrys": 3}


@pytest.mark.parametrize("action", ["run", "start"])
def test_an_unknown_key_that_was_set_on_the_node_itself_is_told_where_it_runs(action: str) -> None:
    node = workflow(lambda: 1)()
    node.backend_info["colour"] = "red"
    wf = LocalWorkflow(node)
    with pytest.warns(
        UserWarning, match=r"\['colour'\], which 1 node has: it understands 'cache', 'plugin'"
    ) as caught:
        getattr(wf, action)()
    assert [warning.filename for warning in caught] == [__file__]
    wf.drain_events()


def test_options_of_other_backends_are_no_mistake(recwarn: pytest.WarningsRecorder) -> None:
    wf = LocalWorkflow(workflow(lambda: 1)())
    wf.query().set_remote_args({"num_cpus": 2}).set_backend_info("retries", 1)
    assert wf.run() == 1
    assert len(recwarn) == 0


@pytest.mark.parametrize("info", [[1, 2], "retries", {3: 4}])
def test_what_is_no_dict_of_texts_is_refused_in_words(info: Any) -> None:
    node = workflow(lambda: 1)().set_name("odd")
    node.backend_info = info
    with pytest.raises(BackendInfoError, match=r"'odd'.*a dict whose keys are texts"):
        LocalWorkflow(node).run()


def test_every_key_has_a_default_and_a_sentence() -> None:
    assert parse(LocalInfo, "n", {}).model_dump() == {
        "cache": True,
        "plugin": None,
        "executor": None,
        "retries": 0,
        "timeout": None,
    }
    for name, field in LocalInfo.model_fields.items():
        assert len(field.description or "") > 20, name


def test_whole_numbers_do_for_a_timeout() -> None:
    assert parse(LocalInfo, "n", {"timeout": 3}).timeout == 3.0


class _Args(BaseModel, extra="forbid"):
    num_cpus: float = Field(1, ge=0)
    name: str | list[int] = ""


class _Nested(BackendInfo):
    remote_args: _Args | None = None
    limit: int


@pytest.mark.parametrize(
    ("info", "fields"),
    [
        ({"limit": "x", "cache": 3}, ["cache", "limit"]),
        ({}, ["limit"]),
        ({"limit": 1, "remote_args": {"num_cpus": -1}}, ["remote_args.num_cpus"]),
        (
            {"limit": 1, "remote_args": {"cpus": 1, "num_cpus": "x"}},
            ["remote_args.num_cpus", "remote_args.cpus"],
        ),
        ({"limit": 1, "remote_args": {"name": {}}}, ["remote_args.name"]),
        ({"limit": 1, "remote_args": {"name": [1, "x"]}}, ["remote_args.name", "remote_args.name.1"]),
        ({"limit": 1, "remote_args": 5}, ["remote_args"]),
    ],
)
def test_an_error_tells_every_field_that_is_wrong(info: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(BackendInfoError) as caught:
        parse(_Nested, "node", info)
    assert list(caught.value.reasons) == fields
    assert all(caught.value.reasons.values())


def test_a_backend_of_ones_own_extends_the_model_of_the_backend_it_is_made_from() -> None:
    class Info(LocalInfo):
        ratio: float = 0.5

    class Own(LocalWorkflow):
        backend_info_model = Info

    node = workflow(lambda: 1)()
    with pytest.raises(BackendInfoError, match="ratio"):
        Own(node).query().set_backend_info("ratio", "much")
    with pytest.raises(TypeError, match="must be a subclass of LocalInfo"):
        type("Wrong", (LocalWorkflow,), {"backend_info_model": BackendInfo})
