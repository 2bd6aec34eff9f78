"""An argument may have any name, whatever is decorated and wherever it runs."""

from __future__ import annotations

import functools
from typing import Any

from fuse_widgets import workflow

NAMES = (
    *(
        "self",
        "cls",
        "func",
        "args",
        "kwargs",
        "node",
        "depth",
        "kind",
        "obj",
        "name",
        "run",
        "job",
        "spec",
        "value",
    ),
    *(
        "method",
        "inputs",
        "call",
        "made_by",
        "object",
        "initialize",
        "attempt",
        "func_",
        "key",
        "worker",
        "result",
    ),
)


@workflow
def options(**given: Any) -> dict[str, Any]:
    return given


@workflow
def named(func: Any, args: Any, kwargs: Any, node: Any, *, name: Any, depth: Any) -> list[Any]:
    return [func, args, kwargs, node, name, depth]


@workflow
class Holder:
    def __init__(this, **given: Any) -> None:
        this.given = given

    def options(this, **given: Any) -> tuple[Any, Any]:
        return this.given, given

    @staticmethod
    def plain(**given: Any) -> dict[str, Any]:
        return given

    @classmethod
    def of_the_class(this, **given: Any) -> dict[str, Any]:
        return given


class Plain:
    @workflow
    def options(this, **given: Any) -> dict[str, Any]:
        return given

    def __call__(this, **given: Any) -> dict[str, Any]:
        return given


async def awaited(**given: Any) -> dict[str, Any]:
    return given


def test_an_argument_may_have_any_name(make: Any) -> None:
    given = {name: place for place, name in enumerate(NAMES)}
    with_node = {**given, "self": options(**given)}
    holder = Holder(**given)
    nodes = [
        options(**given),
        options(**with_node),
        named(1, args=2, kwargs=3, node=4, name=5, depth=6),
        holder.options(**given),
        holder.plain(**given),
        holder.of_the_class(**given),
        Plain().options(**given),
        workflow(Plain())(**given),
        workflow(functools.partial(options.func, **given))(),
        workflow(awaited)(**given),
    ]
    got = make(*nodes, targets_only=True).run()
    assert got[0] == given
    assert got[1] == {**given, "self": given}
    assert got[2] == [1, 2, 3, 4, 5, 6]
    assert got[3] == (given, given)
    assert got[4:] == [given] * 6
