"""When a run counts as one in which nothing can run, since objects hold what the rest needs; without Ray."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray")

from fuse_widgets import LocalWorkflow, NodeState, Run, workflow
from fuse_widgets.backends._ray.objects import kept_objects
from fuse_widgets.backends._ray.standstill import Standstill
from fuse_widgets.backends.info import RayInfo

MACHINES = [{"Alive": True, "Resources": {"CPU": 2.0, "late": 1.0}, "Labels": {}}]


class Keeper:
    def take(self, *values: Any) -> None: ...


@workflow
def use(*values: Any) -> None: ...


class Scene:
    """An object that holds all there is of a resource, a node that needs it, and others."""

    def __init__(self) -> None:
        self.keeper = workflow(Keeper)().set_name("keeper")
        self.made = use().set_name("made")
        self.method = self.keeper.take(self.made).set_name("method")
        self.next = self.keeper.take().set_name("next")
        self.stuck = use().set_name("stuck")
        self.other = use(self.made).set_name("other")
        self.quick = use(self.other).set_name("quick")
        wf = LocalWorkflow(self.next, self.stuck, self.other, self.quick)
        self.run = Run(wf, 1, wf._order())
        self.place = {node.name: place for place, node in enumerate(self.run.nodes)}
        late = RayInfo.model_validate({"remote_args": {"resources": {"late": 1}}})
        self.infos = {self.keeper: late, self.stuck: late}
        self.lacks: set[Any] = set()
        self.objects = kept_objects(self.run.order)
        self.objects[self.keeper].actor = object()
        self.sent: dict[int, Any] = {}
        self.over: dict[int, NodeState] = {}
        self.done("keeper")
        workflow_ = SimpleNamespace(
            infos=self.infos, lacking=lambda node, machines: "no" if node in self.lacks else None
        )
        submitter = SimpleNamespace(objects=self.objects)
        self.standstill = Standstill(self.run, workflow_, submitter, self.sent, self.over)  # type: ignore[arg-type]

    def done(self, *names: str) -> None:
        for name in names:
            self.run.ledger.states[self.place[name]] = NodeState.DONE
            self.over[self.place[name]] = NodeState.DONE
            self.sent.pop(self.place[name], None)
            self.objects[self.keeper].flying.discard(self.place[name])

    def queued(self, *names: str) -> None:
        for name in names:
            self.run.ledger.states[self.place[name]] = NodeState.QUEUED
            self.sent[self.place[name]] = None
            if name in ("method", "next"):
                self.objects[self.keeper].flying.add(self.place[name])

    def looks(self, times: int = 2) -> list[tuple[int, str] | None]:
        return [self.standstill.look(MACHINES) for _ in range(times)]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(importlib.import_module("fuse_widgets.backends._ray.standstill"), "LOOK", 0.0)
    return Scene()


def test_it_is_told_at_the_second_look_and_why(scene: Scene) -> None:
    scene.queued("stuck")
    why = "needs late: 1, and object 'keeper' holds 1 of 1 until the last method has run"
    assert scene.looks(3) == [None, (scene.place["stuck"], why), (scene.place["stuck"], why)]


def test_a_method_that_has_all_it_needs_will_run(scene: Scene) -> None:
    scene.done("made")
    scene.queued("stuck", "method", "next")
    assert scene.looks() == [None, None]


def test_a_method_behind_one_that_waits_will_not(scene: Scene) -> None:
    scene.queued("stuck", "method", "next")  # `made` was not handed in, say for a bound
    assert scene.looks()[1] is not None


def test_a_node_for_which_there_is_room_will_run(scene: Scene) -> None:
    scene.done("made")
    scene.queued("stuck", "other")
    assert scene.looks() == [None, None]


def test_a_node_that_no_machine_can_hold_will_not(scene: Scene) -> None:
    scene.done("made")
    scene.queued("stuck", "other")
    scene.lacks.add(scene.other)
    assert scene.looks()[1] is not None


def test_nodes_that_end_between_two_looks_ran(scene: Scene) -> None:
    scene.queued("stuck", "made", "other", "quick")
    scene.run.ledger.states[scene.place["made"]] = NodeState.PENDING  # too quick for the state to tell
    for name in ("made", "other", "quick"):
        assert scene.looks(1) == [None]
        scene.done(name)
    assert scene.looks()[1] is not None
