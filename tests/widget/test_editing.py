"""Editing `backend_info` from the browser: validation, undo and redo, what changed, and the same as Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from ipywidgets import Widget
from pydantic import BaseModel

from fuse_widgets import BaseWorkflow, DAGWidget, LocalWorkflow, workflow
from fuse_widgets.engine.nodes import Node


@workflow
def step(*_inputs: Any) -> int:
    return 1


@pytest.fixture(autouse=True)
def close_widgets() -> Iterator[None]:
    yield
    Widget.close_all()


class Quiet(BaseWorkflow):
    """A backend that does not say what it understands."""

    def run(self) -> list[str]:
        return [name for name, _ in self.graph_traversal()]


def chain(*names: str) -> list[Node]:
    nodes = [step().set_name(names[0])]
    for name in names[1:]:
        nodes.append(step(nodes[-1]).set_name(name))
    return nodes


# --- the schema ----------------------------------------------------------------------------------------------


def test_the_form_is_made_from_the_schema_of_the_backend() -> None:
    fields = DAGWidget(LocalWorkflow(step()))._schema["properties"]
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

    class Remote(Quiet):
        backend_info_model: ClassVar[type | None] = Info

    schema = DAGWidget(Remote(step()))._schema
    assert schema["$defs"]["Args"]["properties"]["num_cpus"]["anyOf"][0] == {"type": "number"}


def test_a_model_without_a_json_schema_leaves_the_form_empty(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(BaseModel, arbitrary_types_allowed=True):
        thing: Quiet | None = None

    class Remote(Quiet):
        backend_info_model: ClassVar[type | None] = Odd

    assert DAGWidget(Remote(step()))._schema == {}
    assert "Remote has no form" in caplog.text
