"""Nodes that change their inputs in place: told, and the same values in every executor and every run."""

from __future__ import annotations

import collections
import logging
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fuse_widgets import (
    BaseWorkflow,
    FileStorage,
    InputChangedError,
    LocalWorkflow,
    NodeExecutionError,
    workflow,
)
from fuse_widgets.backends._digest import digest


class Plain:
    def __init__(self) -> None:
        self.items = [1]


class Slotted:
    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items = [1]


def frame() -> Any:
    return pd.DataFrame({"a": [3, 1, 2], "b": list("xyz"), "c": pd.Categorical(list("aab"))})


def setitem(key: Any, value: Any) -> Callable[[Any], Any]:
    return lambda target: target.__setitem__(key, value)


#: What is made, and what changes it.
KINDS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "list": (lambda: [1], lambda v: v.append(2)),
    "nested list": (lambda: {"a": ([1],)}, lambda v: v["a"][0].append(2)),
    "sorted list": (lambda: [3, 1, 2, 9, 8, 7], lambda v: v.sort()),
    "dict": (lambda: {"a": 1}, lambda v: v.update(a=2)),
    "set": (lambda: {1}, lambda v: v.add(2)),
    "deque": (lambda: collections.deque([1]), lambda v: v.rotate() or v.append(2)),
    "bytearray": (lambda: bytearray(b"a"), lambda v: v.extend(b"b")),
    "records": (lambda: [{"a": 1}, {"a": 2}], lambda v: v[1].update(a=3)),
    "rows": (lambda: [[1, 2], [3, 4]], lambda v: v[1].reverse()),
    "array": (lambda: np.arange(5), lambda v: v.sort() or v.__setitem__(0, 9)),
    "large array": (lambda: np.arange(100_000.0), setitem(77_777, -1.0)),
    "large array in another order": (lambda: np.arange(100_000)[::-1].copy(), lambda v: v.sort()),
    "array of objects": (lambda: np.array([[1], "a"], dtype=object), lambda v: v[0].append(2)),
    "transposed array": (lambda: np.zeros((4, 5)).T, setitem((1, 2), 7)),
    "records of numpy": (lambda: np.zeros(3, [("a", "i4"), ("b", "O")]), lambda v: setitem(0, 1)(v["a"])),
    "masked array": (lambda: np.ma.array([1, 2], mask=[False, True]), lambda v: v.mask.__setitem__(0, True)),
    "frame": (frame, setitem("a", [9, 9, 9])),
    "column of a frame": (frame, lambda v: v.insert(0, "new", 1)),
    "names of a frame": (frame, lambda v: setattr(v, "columns", ["x", "y", "z"])),
    "index of a frame": (frame, lambda v: setattr(v, "index", [7, 8, 9])),
    "category": (frame, lambda v: v.__setitem__("c", v["c"].cat.rename_categories({"a": "z"}))),
    "series": (lambda: pd.Series([1, None]), setitem(0, 5)),
    "object": (Plain, lambda v: v.items.append(2)),
    "attribute of an object": (Plain, lambda v: setattr(v, "other", 2)),
    "slots": (Slotted, lambda v: v.items.append(2)),
    "generator of random numbers": (lambda: np.random.default_rng(1), lambda v: v.random()),
    "random": (lambda: random.Random(1), lambda v: v.random()),
    "Counter": (lambda: collections.Counter("aab"), lambda v: v.update("b")),
    "OrderedDict": (lambda: collections.OrderedDict(a=1, b=2), lambda v: v.move_to_end("a")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_digest_sees_the_change_and_nothing_else(kind: str) -> None:
    make, change = KINDS[kind]
    value, other = make(), make()
    before = digest(value)
    assert digest(value) == before
    assert digest(other) == before
    change(value)
    assert digest(value) != before


@pytest.mark.parametrize(
    ("shared", "draw"),
    [
        (lambda: np.random.rand.__self__, np.random.rand),
        (lambda: random.random.__self__, random.random),
    ],
)
def test_drawing_from_the_generator_that_all_share_changes_no_value_that_holds_it(
    shared: Callable[[], Any], draw: Callable[[], float]
) -> None:
    model = Plain()
    model.items = [shared()]
    before = digest(model)
    draw()
    assert digest(model) == before


def test_drawing_from_a_generator_of_ones_own_is_a_change() -> None:
    for own in (np.random.RandomState(0), random.Random(0), np.random.default_rng(0)):
        before = digest([own])
        own.random()
        assert digest([own]) != before


def test_what_is_worked_out_on_demand_is_no_change() -> None:
    import functools

    class Lazy:
        def __init__(self) -> None:
            self.x = 1

        @functools.cached_property
        def twice(self) -> int:
            return 2 * self.x

    value = Lazy()
    before = digest(value)
    assert value.twice == 2
    assert digest(value) == before
    value.x = 5
    assert digest(value) != before


def test_values_that_cannot_be_looked_into_have_a_digest(tmp_path: Path) -> None:
    ring: list[Any] = [threading.Lock(), open, lambda: 1, (tmp_path / "f").open("w")]
    ring.append(ring)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (ring, deep, iter([1]), object(), np, pd.DataFrame({"a": [[1], None]})):
        assert digest(value) == digest(value), type(value)
    ring[3].close()


def notices(wf: BaseWorkflow) -> list[str]:
    run = wf.last_run
    assert run is not None
    return [event.detail["notice"] for event in run.events if "notice" in (event.detail or {})]


def changer(kind: str) -> Any:
    make, change = KINDS[kind]

    def made() -> Any:
        return make()

    def push(value: Any) -> str:
        change(value)
        return look(value)

    def look(value: Any) -> str:
        if kind == "object":
            return repr(value.items)
        return str(value.bit_generator.state) if "random" in kind else repr(value)

    return [workflow(function) for function in (made, push, look)]


@pytest.mark.parametrize("kind", ["nested list", "array", "frame", "object", "generator of random numbers"])
def test_every_executor_run_and_storage_gives_the_same(
    kind: str, processes: Callable[..., LocalWorkflow], tmp_path: Path
) -> None:
    made, push, look = changer(kind)
    answers = []
    for name, make in (
        ("inline", LocalWorkflow),
        ("thread", lambda *n, **o: LocalWorkflow(*n, executor="thread", max_workers=2, **o)),
        ("process", processes),
    ):
        for stored in (False, True):
            m = made().set_name("m")
            before, p, after = look(m).set_name("a"), push(m).set_name("p"), look(m).set_name("z")
            wf = make(before, p, after, m, workflow_name="w")
            if stored:
                wf.set_storage(FileStorage(tmp_path / name))
            for _ in range(2):
                *texts, result = wf.run()
                answers.append((texts, digest(result)))
            wf.close() if name == "thread" else None
    texts, _ = answers[0]
    assert texts[0] == texts[2]
    assert texts[0] != texts[1]
    assert all(answer == answers[0] for answer in answers), answers


@workflow
def make_list() -> list[int]:
    return [1]


@workflow
def push(xs: list[int]) -> int:
    xs.append(9)
    return len(xs)


@workflow
def look(xs: list[int]) -> list[int]:
    return list(xs)


@pytest.fixture(params=["inline", "thread", "process"])
def make(request: pytest.FixtureRequest) -> Callable[..., LocalWorkflow]:
    if request.param == "process":
        return request.getfixturevalue("processes")  # type: ignore[no-any-return]
    return lambda *nodes, **options: LocalWorkflow(*nodes, executor=request.param, **options)


def test_a_notice_names_the_node_and_what_it_changed(
    make: Callable[..., LocalWorkflow], caplog: pytest.LogCaptureFixture
) -> None:
    m = make_list().set_name("m")
    p = push(m).set_name("p")
    wf = make(p, look(m).set_name("z"))
    with caplog.at_level(logging.WARNING, logger="fuse_widgets"):
        assert wf.run() == [2, [1]]
    (notice,) = notices(wf)
    assert notice.startswith("node 'p' changed the result of node 'm' in place")
    assert "copy" in notice
    assert notice in caplog.text
    (done,) = [e for e in wf.last_run.events if e.node == "p" and e.state == "done"]  # type: ignore[union-attr]
    assert done.detail is not None
    assert done.detail["changed"] == ["the result of node 'm'"]


def test_raise_fails_the_node_and_other_readers_get_the_original(make: Callable[..., LocalWorkflow]) -> None:
    m = make_list().set_name("m")
    z = look(m).set_name("z")
    wf = make(push(m).set_name("p"), z, check_inputs="raise")
    with pytest.raises(NodeExecutionError) as caught:
        wf.run()
    assert type(caught.value.__cause__) is InputChangedError
    assert "node 'p' changed the result of node 'm' in place" in str(caught.value.__cause__)
    assert wf.last_run.results["z"] == [1]  # type: ignore[union-attr]
    assert notices(wf) == []


def test_raise_covers_a_value_with_one_reader_and_the_default_does_not(
    make: Callable[..., LocalWorkflow],
) -> None:
    wf = make(push(make_list()))
    assert (wf.run(), notices(wf)) == (2, [])
    with pytest.raises(NodeExecutionError, match="in place"):
        make(push(make_list()), check_inputs="raise").run()


def test_off_compares_nothing() -> None:
    m = make_list()
    wf = LocalWorkflow(push(m), look(m), check_inputs="off")
    assert (wf.run(), notices(wf)) == ([2, [1, 9]], [])


@pytest.mark.parametrize("mode", ["on", True, 1, "RAISE"])
def test_another_mode_is_refused(mode: Any) -> None:
    with pytest.raises(ValueError, match=r"check_inputs must be 'off', 'notice', 'raise' or None, got"):
        LocalWorkflow(make_list(), check_inputs=mode)


def test_arguments_stay_as_they_were_given_from_run_to_run(
    make: Callable[..., LocalWorkflow], tmp_path: Path
) -> None:
    shared = [1]
    first, second = push(shared).set_name("first"), push(shared).set_name("second")
    named = workflow(lambda a, *, xs: push.func(xs))(make_list(), xs=[1, 2])
    nested = workflow(lambda pair: push.func(pair[1]))([make_list(), [1, 2, 3]])
    wf = make(first, second, named, nested)
    assert wf.run() == [2, 2, 3, 4]
    assert wf.run() == [2, 2, 3, 4]
    assert "node 'first' changed argument 0 in place" in notices(wf)[0]
    wf.set_storage(FileStorage(tmp_path))
    assert wf.run() == [2, 2, 3, 4]
    assert wf.run() == [2, 2, 3, 4]
    assert [str(row["source"]) for row in wf.last_run.report() if row["node"] == "first"] == ["stored"]  # type: ignore[union-attr]


def test_defaults_stay_as_they_were_defined(make: Callable[..., LocalWorkflow]) -> None:
    def collect(x: int, acc: list[int] = [], *, more: dict[int, int] = {}) -> tuple[int, int]:  # noqa: B006
        acc.append(x)
        more[x] = x
        return len(acc), len(more)

    once = workflow(collect)
    wf = make(*[once(number) for number in range(3)])
    for _ in range(2):
        assert wf.run() == [(1, 1)] * 3
    assert "the default of 'acc' and the default of 'more'" in notices(wf)[0]


def test_a_default_of_a_module_in_a_worker_stays_as_it_was_defined(
    processes: Callable[..., LocalWorkflow],
) -> None:
    once = workflow(_collect)
    for _ in range(2):
        assert processes(once(1), once(2)).run() == [1, 1]


def _collect(x: int, acc: list[int] = []) -> int:  # noqa: B006
    acc.append(x)
    return len(acc)


def test_an_item_of_a_result_that_is_changed_is_told() -> None:
    m = workflow(lambda: {"a": [1], "b": 2})().set_name("m")
    wf = LocalWorkflow(push(m["a"]).set_name("p"), look(m["a"]), m)
    assert wf.run() == [2, [1], {"a": [1], "b": 2}]
    assert "node 'p' changed the result of node 'm'" in notices(wf)[0]


def test_a_change_under_another_name_is_found() -> None:
    m = workflow(lambda: np.arange(3))().set_name("m")
    view = workflow(lambda xs: xs[:2])(m).set_name("view")
    same = workflow(lambda xs: xs)(m).set_name("same")

    def overwrite(xs: Any) -> int:
        xs[0] = 77
        return int(xs.sum())

    wf = LocalWorkflow(
        workflow(overwrite)(view).set_name("p"),
        workflow(overwrite)(same).set_name("q"),
        workflow(lambda xs: xs.tolist())(m).set_name("z"),
    )
    for _ in range(2):
        assert wf.run() == [78, 80, [0, 1, 2]]


def test_an_object_keeps_what_it_was_given_and_others_get_the_original(
    make: Callable[..., LocalWorkflow],
) -> None:
    class Stack:
        def __init__(self, items: list[int]) -> None:
            self.items = items

        def push(self, item: int) -> int:
            self.items.append(item)
            return len(self.items)

    m = make_list().set_name("m")
    stack, given = workflow(Stack)(m), workflow(Stack)([1, 2])
    wf = make(stack.push(5), stack.push(6), given.push(1), workflow(look.func)(m).set_name("z"))
    for _ in range(2):
        assert wf.run() == [2, 3, 3, [1]]


def test_methods_change_their_object_without_a_word(make: Callable[..., LocalWorkflow]) -> None:
    class Account:
        def __init__(self) -> None:
            self.total = 0

        def put(self, amount: int) -> list[int]:
            self.total += amount
            return [self.total]

    account = workflow(Account)()
    nodes = [account.put(1), workflow(lambda a: a.total)(account), account.put(2)]
    wf = make(*nodes, check_inputs="raise")
    assert wf.run() == [[1], 1, [3]]
    assert notices(wf) == []


class Unpicklable:
    def __init__(self) -> None:
        self.lock, self.items = threading.Lock(), [1]


def test_what_cannot_be_had_again_is_an_error_that_names_both() -> None:
    m = workflow(_unpicklable)().set_name("m")
    p = workflow(lambda u: u.items.append(2))(m).set_name("p")
    z = workflow(lambda u: len(u.items))(m).set_name("z")
    with pytest.raises(NodeExecutionError) as caught:
        LocalWorkflow(p, z).run()
    assert caught.value.node is z
    assert "the result of node 'm' was changed in place by node 'p'" in str(caught.value.__cause__)
    with pytest.raises(
        InputChangedError, match=r"'m' was changed in place by node 'p', and cannot be returned"
    ):
        LocalWorkflow(m, p, targets_only=True).run()
    m = workflow(_unpicklable)()
    assert LocalWorkflow(workflow(lambda u: u.items)(m), workflow(lambda u: len(u.items))(m)).run() == [
        [1],
        1,
    ]


def _unpicklable() -> Any:
    return Unpicklable()


def test_a_saved_result_is_read_again_from_storage(tmp_path: Path) -> None:
    m = workflow(lambda: list(range(10)))().set_name("m")
    wf = LocalWorkflow(push(m).set_name("p"), look(m).set_name("z"), m, workflow_name="w")
    storage = FileStorage(tmp_path)
    wf.set_storage(storage)
    for _ in range(2):
        assert wf.run() == [11, list(range(10)), list(range(10))]
    m.backend_info["cache"] = False
    assert wf.run() == [11, list(range(10)), list(range(10))]


def test_a_node_that_fails_after_it_changed_its_input_spoils_it_for_nobody() -> None:
    tries: list[list[int]] = []

    def fails_once(xs: list[int]) -> int:
        tries.append(list(xs))
        xs.append(9)
        if len(tries) == 1:
            raise ValueError("once")
        return len(xs)

    m = make_list()
    p = workflow(fails_once)(m).set_name("p")
    p.backend_info["retries"] = 1
    assert LocalWorkflow(p, look(m)).run() == [2, [1]]
    assert tries == [[1], [1]]


def test_a_node_that_had_a_value_while_another_changed_it_runs_again() -> None:
    m = make_list().set_name("m")
    changed, seen = threading.Event(), threading.Event()
    lengths: list[int] = []

    def change(xs: list[int]) -> int:
        xs.append(9)
        changed.set()
        assert seen.wait(30)
        return len(xs)

    def slow(xs: list[int]) -> int:
        assert changed.wait(30)
        lengths.append(len(xs))
        seen.set()
        return len(xs)

    p, z = workflow(change)(m).set_name("p"), workflow(slow)(m).set_name("z")
    wf = LocalWorkflow(p, z, executor="thread", max_workers=2)
    assert wf.run() == [2, 1]
    assert lengths == [2, 1]
    run = wf.last_run
    assert run is not None
    whys = [e.detail["why"] for e in run.events if e.node and "why" in (e.detail or {})]
    assert whys
    assert set(whys) == {"another node changed its inputs in place while it ran"}
    assert any("'p' changed the result of node 'm'" in notice for notice in notices(wf))
    assert not any("'z' changed" in notice for notice in notices(wf))
    wf.close()


def test_a_failure_of_a_node_whose_input_was_changed_meanwhile_does_not_count() -> None:
    m = make_list().set_name("m")
    changed, failed = threading.Event(), threading.Event()

    def change(xs: list[int]) -> int:
        xs.clear()
        changed.set()
        assert failed.wait(30)
        return len(xs)

    def first(xs: list[int]) -> int:
        assert changed.wait(30)
        failed.set()
        return xs[0]

    wf = LocalWorkflow(workflow(change)(m), workflow(first)(m), executor="thread", max_workers=2)
    assert wf.run() == [0, 1]
    wf.close()


def test_many_threads_that_change_one_value_give_what_they_give_one_by_one() -> None:
    m = workflow(lambda: list(range(100)))()

    def shuffled(xs: list[int], seed: int) -> tuple[list[int], int]:
        random.Random(seed).shuffle(xs)
        xs.append(seed)
        return list(xs), len(xs)

    nodes = [workflow(shuffled)(m, seed) for seed in range(8)] + [look(m)]
    expected = LocalWorkflow(*nodes).run()
    assert expected[-1] == list(range(100))
    wf = LocalWorkflow(*nodes, executor="thread", max_workers=4)
    for _ in range(3):
        assert wf.run() == expected
    wf.close()


@workflow
def counts(x: int, acc: list[int] = []) -> int:  # noqa: B006
    acc.append(x)
    return len(acc)


def fails_first(xs: list[int], path: str) -> int:
    xs.append(9)
    if not Path(path).exists():
        Path(path).touch()
        raise ValueError("once")
    return len(xs)


def test_ray_gives_the_same_and_tells_where_it_is_asked(ray_cluster: None, tmp_path: Path) -> None:
    from fuse_widgets import RayWorkflow

    m = make_list().set_name("m")
    retried = workflow(fails_first)(m, str(tmp_path / "tried")).set_name("retried")
    retried.backend_info["retries"] = 1
    nodes = [
        push(m).set_name("p"),
        look(m).set_name("z"),
        *(counts(number) for number in range(6)),
        retried,
        m,
    ]
    wf = RayWorkflow(*nodes)
    assert wf.run() == [2, [1], *[1] * 6, 2, [1]]
    assert sum("changed the default of 'acc' in place" in text for text in notices(wf)) == 6

    asked = RayWorkflow(
        push(m), look([m, [3]]), workflow(push.func)([1, 2]).set_name("q"), check_inputs="notice"
    )
    assert asked.run() == [2, [[1], [3]], 3]
    told = " ".join(notices(asked))
    assert "'p' changed the result of node 'm' in place" in told
    assert "'q' changed argument 0 in place" in told
    with pytest.raises(NodeExecutionError, match="check_inputs='raise'"):
        RayWorkflow(push(m).set_name("r"), targets_only=True, check_inputs="raise").run()


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
def test_a_model_that_is_asked_is_not_changed(algorithm: str, caplog: pytest.LogCaptureFixture) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors", reason="the example extra has scikit-learn")

    def fit() -> Any:
        return neighbors.KNeighborsClassifier(1, algorithm=algorithm).fit([[0], [1], [2]], [0, 1, 1])

    def predict(model: Any, x: float) -> list[int]:
        return [int(label) for label in model.predict([[x]])]

    model = workflow(fit)()
    assert LocalWorkflow(*[workflow(predict)(model, x) for x in (0, 2)]).run() == [[0], [1]]
    assert caplog.text == ""
