"""Ray's workers run the code that the driver has, as worker processes on this machine do."""

from __future__ import annotations

import importlib
import types
from typing import Any

import pytest

pytest.importorskip("ray")

from fuse_widgets import RayWorkflow, workflow

from .project import Project

pytestmark = pytest.mark.usefixtures("ray_cluster")

STEPS = """
from fuse_widgets import workflow
import helpers_on_ray

KEPT = []

class Box:
    def __init__(self, n): self.n = n
    def get(self): return self.n * {n}

@workflow
def step(x): return helpers_on_ray.clean(x), {n}

@workflow
def box(n): return Box(n)

@workflow
def call(func, x): return func(x)

@workflow
def count():
    import os
    KEPT.append(1)
    return os.getpid(), len(KEPT)
"""


def run(*nodes: Any) -> Any:
    return RayWorkflow(*nodes).run()


def test_a_ray_worker_runs_the_code_that_the_driver_has(project: Project) -> None:
    project.edit("helpers_on_ray", "LIMIT = 1\ndef clean(x): return x + LIMIT")
    project.edit("steps_on_ray", STEPS.format(n=1))
    steps = project.load("steps_on_ray")
    helpers = importlib.import_module("helpers_on_ray")
    assert run(steps.step(1)) == (2, 1)
    helpers.LIMIT = 10  # changed from outside
    assert run(steps.step(1)) == (11, 1)
    project.edit("helpers_on_ray", "no Python")  # edited and not loaded again
    assert run(steps.step(1), steps.call(helpers.clean, 5)) == [(11, 1), 15]
    helpers = project.remake("helpers_on_ray", "LIMIT = 3\ndef clean(x): return x * LIMIT")
    assert run(steps.step(2), steps.call(helpers.clean, 5)) == [(6, 1), 15]
    before = run(steps.box(3))
    assert type(before) is steps.Box
    steps = project.remake("steps_on_ray", STEPS.format(n=7))
    after = run(steps.box(3))
    assert type(after) is steps.Box
    assert run(steps.step(2), steps.call(steps.Box.get, after), steps.call(type(before).get, before)) == [
        (6, 7),
        21,
        3,
    ]
    project.remake("steps_on_ray", STEPS.format(n=1))  # and back
    assert run(steps.step(2)) == (6, 1)


def test_functions_of_a_module_share_its_globals_in_a_ray_worker(project: Project) -> None:
    project.edit("helpers_on_ray", "")
    project.edit("steps_on_ray", STEPS.format(n=1))
    steps = project.load("steps_on_ray")
    seen: dict[int, list[int]] = {}
    for _ in range(3):
        for pid, number in run(*[steps.count() for _ in range(3)]):
            seen.setdefault(pid, []).append(number)
    assert all(sorted(numbers) == list(range(1, len(numbers) + 1)) for numbers in seen.values())


def test_a_module_without_a_file_works_in_a_ray_worker(project: Project, monkeypatch: Any) -> None:
    import sys

    module = types.ModuleType("made_on_ray")
    exec("COUNT = 2\ndef get(): return COUNT", module.__dict__)
    monkeypatch.setitem(sys.modules, "made_on_ray", module)
    assert run(workflow(module.get)()) == 2
    module.COUNT = 3  # type: ignore[attr-defined]
    assert run(workflow(module.get)()) == 3
