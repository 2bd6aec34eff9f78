"""What is private in Ray and used here may be gone in a later version: what breaks then, and what goes on."""

from __future__ import annotations

import types
from collections import ChainMap
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from fuse_widgets.backends._ray import _compat, deaths  # noqa: E402
from fuse_widgets.backends._ray.live import Who  # noqa: E402


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    _compat._count.cache_clear()
    yield
    _compat._count.cache_clear()


@pytest.mark.parametrize(
    "path",
    [
        "_private",
        "_private.worker",
        "_private.worker.global_worker",
        "_private.worker.global_worker.core_worker",
    ],
)
def test_without_the_count_of_tries_a_node_runs_as_the_first_try(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    *parents, last = path.split(".")
    space: Any = ray
    for part in parents:
        space = getattr(space, part)
    monkeypatch.setattr(space, last, types.SimpleNamespace(), raising=False)
    assert _compat.tries_before() == 0


def test_a_count_of_tries_that_raises_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise RuntimeError("no task")

    core = types.SimpleNamespace(get_current_task_attempt_number=fails)
    worker = types.SimpleNamespace(global_worker=types.SimpleNamespace(core_worker=core))
    monkeypatch.setattr(ray, "_private", types.SimpleNamespace(worker=worker))
    assert _compat.tries_before() == 0


def test_without_records_of_dead_workers_a_loss_is_told_in_general(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "_private", types.SimpleNamespace())
    with pytest.raises(AttributeError):
        list(_compat.dead_workers())
    assert deaths.why_lost("a") == "its worker was lost"
    assert deaths.Deaths().of(Who("host", 1, "node")) is None


def test_without_word_of_the_client_this_process_is_on_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray.util, "client", None)
    assert _compat.is_client() is False


class Task:
    """Stands for a remote function."""

    def __init__(self, quick: Any = None) -> None:
        self.calls: list[Any] = []
        if quick is not None:
            self._remote = quick

    def options(self, **options: Any) -> Any:
        return types.SimpleNamespace(remote=lambda *args: (options, args))


def takes_other_arguments(args: Any) -> Any:
    raise AssertionError


@pytest.mark.parametrize("quick", [None, takes_other_arguments])
def test_without_the_quick_way_a_task_is_submitted_the_public_way(quick: Any) -> None:
    assert _compat.submit(Task(quick), (1, 2), "a") == ({"name": "a"}, (1, 2))


def test_code_that_ray_pickles_keeps_its_file_name_also_if_its_pickler_drops_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = _compat.ray_cloudpickle.CloudPickler.dispatch_table
    reduce = table[types.CodeType]

    def drops(code: types.CodeType) -> Any:
        make, args = reduce(code)
        place = args.index(code.co_filename)
        return make, (*args[:place], "<dynamic-code>", *args[place + 1 :])

    changed = ChainMap({types.CodeType: drops}, table)
    monkeypatch.setattr(_compat.ray_cloudpickle.CloudPickler, "dispatch_table", changed)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("def f():\n    return lambda: 1\n", "<cell 1>", "exec"), space)
    dumps, loads = _compat.ray_cloudpickle.dumps, _compat.ray_cloudpickle.loads
    assert loads(dumps(space["f"])).__code__.co_filename == "<dynamic-code>"
    _compat.keep_file_names()
    again = loads(dumps(space["f"]))
    assert (again.__code__.co_filename, again().__code__.co_filename) == ("<cell 1>", "<cell 1>")


def test_another_pickler_of_ray_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compat, "ray_cloudpickle", types.SimpleNamespace())
    _compat.keep_file_names()
