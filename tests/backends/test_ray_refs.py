"""References to objects of Ray that a person gives to nodes stay references, which `ray.get` reads."""

from __future__ import annotations

from typing import Any

import pytest

from fuse_widgets import NodeExecutionError, RayWorkflow, workflow

ray: Any = pytest.importorskip("ray")

pytestmark = pytest.mark.usefixtures("ray_cluster")


class Keeper:
    def __init__(self, ref: Any) -> None:
        self.ref = ref

    def read(self) -> Any:
        return ray.get(self.ref, timeout=60)


def read(value: Any) -> Any:
    """What a reference in some container refers to."""
    if isinstance(value, list | tuple):
        return [read(one) for one in value]
    if isinstance(value, dict):
        return read(list(value.values()))
    return ray.get(value, timeout=60)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda ref: ref,
        lambda ref: [ref],
        lambda ref: {"a": ref},
        lambda ref: (ref, [ref]),
    ],
    ids=["alone", "list", "dict", "twice"],
)
def test_a_reference_in_an_argument(wrap: Any) -> None:
    expected = read(wrap(ray.put(7)))
    assert RayWorkflow(workflow(read)(wrap(ray.put(7)))).run() == expected
    assert RayWorkflow(workflow(read)(value=wrap(ray.put(7)))).run() == expected


def test_a_reference_beside_results_and_large_values() -> None:
    @workflow
    def add(a: int, ref: Any, large: bytes, more: list[Any]) -> int:
        return a + ray.get(ref, timeout=60) + len(large) + sum(ray.get(more, timeout=60))

    one = workflow(lambda: 1)()
    assert RayWorkflow(add(one, ray.put(10), bytes(200_000), [ray.put(2), ray.put(3)])).run() == 200_016


def test_a_reference_in_a_global_name_a_closure_and_a_default() -> None:
    ref, table = ray.put(7), [ray.put(8)]
    space: dict[str, Any] = {"__name__": "__main__", "ray": ray, "ref": ref}
    exec("def by_name(): return ray.get(ref, timeout=60)", space)

    def by_closure() -> Any:
        return ray.get([ref, *table], timeout=60)

    def by_default(given: Any = ref) -> Any:
        return ray.get(given, timeout=60)

    nodes = [workflow(f)() for f in (space["by_name"], by_closure, by_default)]
    assert RayWorkflow(*nodes).run() == [7, [7, 8], 7]


def test_a_reference_in_an_object_and_one_that_a_node_gives() -> None:
    assert RayWorkflow(workflow(Keeper)(ray.put(7)).read()).run() == 7

    @workflow
    def put() -> list[Any]:
        return [ray.put(9)]

    assert RayWorkflow(workflow(read)(put())).run() == [9]


def test_the_reference_of_a_task_that_fails_fails_the_node() -> None:
    @ray.remote(max_retries=0)
    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(NodeExecutionError, match="nothing there"):
        RayWorkflow(workflow(read)([fail.remote()]).set_name("reads")).run()


def test_an_object_stays_as_long_as_a_node_may_read_it() -> None:
    """The only reference is the node's: what it refers to must be there when the node runs."""

    @workflow
    def slow() -> int:
        return 1

    @workflow
    def reads(_: int, refs: list[Any]) -> Any:
        return ray.get(refs, timeout=60)

    node = reads(slow(), [ray.put(list(range(50_000)))])
    assert RayWorkflow(node).run() == [list(range(50_000))]
