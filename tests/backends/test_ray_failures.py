"""What goes wrong on a Ray cluster is told with node, machine and way out, and holds no run."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fuse_widgets
from fuse_widgets import (
    BackendInfoError,
    FileStorage,
    LocalWorkflow,
    NodeExecutionError,
    Plugin,
    RandomStatePlugin,
    RayFileStorage,
    RayWorkflow,
    RunCancelledError,
    StorageError,
    workflow,
)
from fuse_widgets.storage._machines import missing
from tests.backends.waiting import notices, until

placed = pytest.importorskip("fuse_widgets.backends._ray.placed")
unread = pytest.importorskip("fuse_widgets.backends._ray.unread")

pytestmark = pytest.mark.usefixtures("ray_cluster")
HERE = socket.gethostname()


def same(x: Any = 0) -> Any:
    return x


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def give(self) -> Any:
        return self.lock

    def fine(self) -> int:
        return 3


class FailsThere:
    """Can be pickled, and not be unpickled."""

    def __reduce__(self) -> Any:
        return int, ("x",)


class Raises(Plugin):
    def local_initialize(self) -> None: ...

    def remote_initialize(self) -> Any:
        def initialize() -> None:
            raise KeyError("there")

        return initialize


LACKED = """
class Thing:
    def ask(self):
        return 1

class Init:
    def local_initialize(self): ...
    def remote_initialize(self):
        return Thing
"""


def only_here(folder: Path, monkeypatch: Any, name: str) -> Any:
    """A module in a folder that no worker looks in."""
    folder.mkdir()
    (folder / f"{name}.py").write_text(LACKED)
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module(name)


def uses(module: Any) -> list[Any]:
    planned = workflow(same)(1)
    planned.backend_info["plugin"] = module.Init()
    return [workflow(module.Thing)().ask(), workflow(same)(module.Thing()), planned]


def test_a_package_that_a_worker_lacks_is_told_for_classes_arguments_and_plugins(
    tmp_path: Path, monkeypatch: Any
) -> None:
    packages = tmp_path / "site-packages"
    module = only_here(packages, monkeypatch, "lacked_there")
    metadata = packages / "lacked_there-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lacked_there\nVersion: 1.0\n")
    (metadata / "RECORD").write_text("lacked_there.py,,\n")
    for node, what in zip(uses(module), ("its function", "an argument", "its plugin"), strict=True):
        with pytest.raises(
            NodeExecutionError,
            match=rf"{what} cannot be loaded on machine {HERE}: No module named 'lacked_there'.*working_dir",
        ):
            RayWorkflow(node).run()


def test_a_module_of_the_users_own_needs_not_be_on_a_worker(tmp_path: Path, monkeypatch: Any) -> None:
    module = only_here(tmp_path / "mine", monkeypatch, "mine_only_here")
    asked, thing, planned = RayWorkflow(*uses(module)).run()
    assert (asked, type(thing), planned) == (1, module.Thing, 1)


def test_another_version_of_this_package_on_a_worker_is_told_with_the_machine(tmp_path: Path) -> None:
    there = shutil.copytree(
        Path(fuse_widgets.__file__).parent, tmp_path / "fuse_widgets", ignore=lambda *_: ["static"]
    )
    init = there / "__init__.py"
    init.write_text(init.read_text().replace(f'"{fuse_widgets.__version__}"', '"99.9"'))
    nodes = [workflow(same)().set_name("task"), workflow(Locked)().set_name("object").fine()]
    wf = RayWorkflow(*nodes)
    (tmp_path / "sitecustomize.py").write_text(
        "import fuse_widgets"
    )  # before the worker knows where the driver's is
    wf.query("task|object").set_remote_args({"runtime_env": {"env_vars": {"PYTHONPATH": str(tmp_path)}}})
    with pytest.raises(NodeExecutionError) as caught:
        wf.run()
    said = (
        f"the driver has fuse_widgets {fuse_widgets.__version__}, the worker on machine {HERE} has 99.9: install the "
        "same version there, or send it along: ray_init_args={'runtime_env': {'py_modules': [fuse_widgets]}}"
    )
    assert {failure.node.name: str(failure.__cause__) for failure in caught.value.failures} == {
        "task": said,
        "object": said,
    }


def test_what_cannot_be_pickled_is_told_with_its_machine(states: Any) -> None:
    obj = workflow(Locked)().set_name("object")
    given = obj.give().set_name("given")
    with pytest.raises(
        NodeExecutionError,
        match=r"'given' .*its result cannot be pickled to leave its worker on [\d.]+ .*lock",
    ):
        RayWorkflow(given).run()
    obj = workflow(Locked)().set_name("object")
    wf = RayWorkflow(workflow(same)(obj).set_name("takes"), obj.fine().set_name("fine"))
    copied = r"an object of a class cannot be copied from its worker on [\d.]+ .*lock.*__getstate__"
    with pytest.raises(NodeExecutionError, match=rf"'takes' .*{copied}"):
        wf.run()
    assert states(wf.last_run) == {"object": "done", "takes": "failed", "fine": "done"}
    with pytest.raises(NodeExecutionError, match=rf"its result cannot be read here: {copied}"):
        RayWorkflow(workflow(Locked)()).run()


def test_outputs_that_cannot_be_fetched_cost_no_other_and_are_told_together() -> None:
    objects = [workflow(Locked)().set_name(f"object {i}") for i in range(2)]
    fine, fails = workflow(same)(5).set_name("fine"), workflow(lambda: 1 / 0)().set_name("fails")
    for outputs, failed in ((objects, []), ([*objects, fails], ["fails"])):
        wf = RayWorkflow(*outputs, fine)
        with pytest.raises(NodeExecutionError) as caught:
            wf.run()
        assert [failure.node.name for failure in caught.value.failures] == [*failed, "object 0", "object 1"]
        assert wf.last_run.results == {"fine": 5}


def test_no_time_is_made_up_for_a_node_that_no_worker_has_told_of(check_log: Any) -> None:
    wf = RayWorkflow(workflow(threading.Lock)().set_name("lock"))
    with pytest.raises(NodeExecutionError, match="cannot be pickled"):
        wf.run()
    check_log(wf.last_run)
    told = [event for event in wf.last_run.events if event.node == "lock"]
    assert [event for event in told if event.state == "running" and event.worker is None] == []
    assert told[-1].state == "failed"


@pytest.mark.parametrize("stored", [False, True])
def test_ray_says_nothing_of_its_own_beside_what_is_told(
    stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def die() -> None:
        os._exit(1)

    said: list[str] = []
    monkeypatch.setattr(unread, "END", 60.0)  # however busy the machine is
    monkeypatch.setattr(ray._private.worker, "_unhandled_error_handler", lambda e: said.append(str(e)))
    for bad in (threading.Lock, die):
        first = workflow(bad)().set_name("quiet first")
        first.backend_info["remote_args"] = {"max_retries": 0}
        between = workflow(same)(first).set_name("quiet between")
        after = workflow(same)(between).set_name("quiet after")
        both = workflow(lambda a, b: 1)(first, after).set_name("quiet both")
        wf = RayWorkflow(after, workflow(bad)().set_name("quiet leaf"), both)
        wf.query("quiet leaf").set_remote_args({"max_retries": 0})
        if stored:
            wf.set_storage(RayFileStorage(tmp_path / "store", {"num_cpus": 0}))
        with pytest.raises(NodeExecutionError, match=r"cannot be pickled|worker process died"):
            wf.run()
        gc.collect()
    assert [text for text in said if "quiet" in text] == []  # others may be of an earlier run


@pytest.mark.parametrize("stored", [False, True])
def test_ray_says_nothing_of_its_own_where_an_object_is_made_again(
    stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    class Frail:
        def die_once(self, mark: Path) -> None:
            if not mark.exists():
                mark.touch()
                os._exit(1)

        def add(self, n: int) -> int:
            return n

    said: list[str] = []
    monkeypatch.setattr(unread, "END", 60.0)  # however busy the machine is
    monkeypatch.setattr(ray._private.worker, "_unhandled_error_handler", lambda e: said.append(str(e)))
    frail = workflow(Frail)().set_name("quiet object")
    calls = [frail.die_once(tmp_path / "mark"), *[frail.add(n) for n in range(4)]]
    wf = RayWorkflow(*[call.set_name(f"quiet {n}") for n, call in enumerate(calls)])
    if stored:
        wf.set_storage(RayFileStorage(tmp_path / "store", {"num_cpus": 0}))
    assert wf.run() == [None, 0, 1, 2, 3]
    gc.collect()
    assert [text for text in said if "quiet" in text] == []  # others may be of an earlier run


def test_a_result_that_cannot_be_unpickled_is_told_where_it_is_read() -> None:
    made = workflow(lambda: FailsThere())
    with pytest.raises(NodeExecutionError, match=r"'after' .*a result cannot be read on [\d.]+ .*ValueError"):
        RayWorkflow(workflow(same)(made()).set_name("after")).run()


def test_a_plugin_that_raises_on_a_worker_names_the_machine() -> None:
    node = workflow(same)().set_name("n")
    node.backend_info["plugin"] = Raises()
    with pytest.raises(
        NodeExecutionError, match=rf"of node 'n' raised KeyError: 'there' \(on machine {HERE}\)"
    ):
        RayWorkflow(node).run()


def test_a_runtime_env_is_checked_where_it_is_set_and_told_where_it_fails() -> None:
    node = workflow(same)().set_name("n")
    query = RayWorkflow(node).query("n")
    for wrong, reason in (
        ({"workingdir": "."}, "did you mean 'working_dir'"),
        ({"working_dir": "/no/such/folder"}, "/no/such/folder is not a valid path"),
    ):
        with pytest.raises(BackendInfoError, match=reason) as caught:
            query.set_remote_args({"runtime_env": wrong})
        assert list(caught.value.reasons) == ["remote_args.runtime_env"]
    query.set_remote_args({"runtime_env": {"pip": ["/no/such/wheel-1.0-py3-none-any.whl"]}})
    with pytest.raises(
        NodeExecutionError,
        match=r"'n' .*runtime_env of this node could not be set up on [\d.]+: .*Check remote_args",
    ):
        RayWorkflow(node).run()


def test_a_machine_that_is_named_and_not_there_is_told() -> None:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node = workflow(same)().set_name("n")
    node.backend_info["remote_args"] = {
        "scheduling_strategy": NodeAffinitySchedulingStrategy("ab" * 28, soft=False)
    }
    with pytest.raises(NodeExecutionError, match=r"no machine may run this node: .*doesn't exist.*strategy"):
        RayWorkflow(node).run()


def test_a_storage_on_a_machine_that_is_not_there_raises_and_holds_no_run(tmp_path: Path) -> None:
    storage = RayFileStorage(tmp_path, {"resources": {"tape": 0.1}})
    gone = r"the machine of the storage is not there: it needs tape: 0.1, the cluster has none"
    with pytest.raises(StorageError, match=gone):
        storage.save("w", "a", 1)
    wf = RayWorkflow(workflow(same)(5))
    wf.set_storage(storage)
    assert wf.run() == 5
    (done,) = [e for e in wf.last_run.events if e.node and e.state == "done"]
    assert gone in done.detail["why_not_saved"]


MACHINES = [
    {"Alive": True, "Resources": {"CPU": 4, "memory": 8 * 2**30, "a": 1}, "Labels": {"zone": "x"}},
    {"Alive": True, "Resources": {"CPU": 2, "GPU": 1, "b": 1}, "Labels": {"zone": "y"}},
    {"Alive": False, "Resources": {"CPU": 64, "tape": 1}, "Labels": {"zone": "z"}},
]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"num_cpus": 4, "resources": {"a": 0.5}}, None),
        ({"label_selector": {"zone": "in(y, q)"}, "num_gpus": 1}, None),
        ({"label_selector": {"zone": "!x"}}, None),
        ({"num_cpus": 5}, "needs CPU: 5, the largest machine has 4"),
        ({"resources": {"tape": 1}}, "needs tape: 1, the cluster has none"),
        ({"accelerator_type": "A100"}, "needs accelerator_type:A100, the cluster has none"),
        ({"label_selector": {"zone": "z"}}, "needs a machine with label zone: z, the cluster has none"),
        ({"memory": 2**35}, "needs memory: 32 GiB, the largest machine has 8 GiB"),
        (
            {"resources": {"a": 1, "b": 1}},
            "needs CPU: 1, a: 1, b: 1 on one machine, and no machine of the cluster has all of it",
        ),
        (
            {"num_cpus": 3, "label_selector": {"zone": "y"}},
            "needs CPU: 3, label zone: y on one machine, and no machine of the cluster has all of it",
        ),
    ],
)
def test_what_no_machine_can_hold_is_told_in_words(options: Any, why: str | None) -> None:
    assert missing(options, MACHINES) == why


def group(bundles: list[dict[str, float]], strategy: str = "PACK", state: str = "PENDING") -> Any:
    return {"bundles": dict(enumerate(bundles)), "strategy": strategy, "state": state}


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (None, None),
        ({}, None),
        (group([{"tape": 1}], state="CREATED"), None),
        (group([{"tape": 1}], state="REMOVED"), None),
        (group([{"CPU": 1}]), placed.NOT_PLACED),
        (group([{"CPU": 1}], state="RESCHEDULING"), placed.NOT_PLACED),
        (group([{"CPU": 1}, {"tape": 1}]), "needs a placement group with tape: 1, the cluster has none"),
        (group([{"CPU": 5}]), "needs a placement group with CPU: 5, the largest machine has 4"),
        (group([{"CPU": 4}] * 2), "needs a placement group with CPU: 8 in all, the cluster has 6"),
        (
            group([{"CPU": 3}] * 2, "STRICT_PACK"),
            "needs a placement group with CPU: 6, the largest machine has 4",
        ),
        (group([{"CPU": 2}] * 2, "STRICT_PACK"), placed.NOT_PLACED),
        (
            group([{"CPU": 1}] * 3, "STRICT_SPREAD"),
            "needs a placement group with 3 machines, the cluster has 2",
        ),
    ],
)
def test_why_a_placement_group_is_not_there_is_told_in_words(table: Any, why: str | None) -> None:
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    options = {"scheduling_strategy": PlacementGroupSchedulingStrategy(SimpleNamespace(is_empty=False))}  # type: ignore[arg-type]
    assert placed.unplaced(options, MACHINES, lambda group: table) == why


@pytest.mark.parametrize(
    ("operator", "values", "why"),
    [
        ("In", ["x", "q"], None),
        ("NotIn", ["x"], None),
        ("Exists", [], None),
        ("DoesNotExist", [], "needs a machine with label zone: DoesNotExist(), the cluster has none"),
        ("In", ["z"], "needs a machine with label zone: In(z), the cluster has none"),
        ("NotIn", ["x", "y"], "needs a machine with label zone: NotIn(x, y), the cluster has none"),
    ],
)
def test_labels_that_a_scheduling_strategy_asks_for_are_looked_for(
    operator: str, values: list[str], why: str | None
) -> None:
    from ray.util import scheduling_strategies

    wanted = getattr(scheduling_strategies, operator)(*values)
    strategy = scheduling_strategies.NodeLabelSchedulingStrategy(hard={"zone": wanted})
    assert placed.unplaced({"scheduling_strategy": strategy}, MACHINES, lambda group: None) == why


def test_a_node_whose_placement_group_cannot_be_says_so_in_the_cell_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from ray.util import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    groups = [placement_group([{"CPU": 1}, {"GPU": 2}]), placement_group([{"CPU": 2}])]
    groups[1].wait(30)
    groups.append(placement_group([{"CPU": 1, "disk": 0.5}]))  # which the one before leaves no room for
    nodes = [workflow(same)(i).set_name(f"n{i}") for i in range(3)]
    for node, place in zip(nodes, [0, 0, 2], strict=True):
        strategy = PlacementGroupSchedulingStrategy(groups[place])
        node.backend_info["remote_args"] = {"scheduling_strategy": strategy}
    run = RayWorkflow(*nodes).start()
    until(lambda: len(notices(run)) == 2)
    never = "node 'n0' needs a placement group with GPU: 2, the cluster has none: it waits until a machine that has it joins"
    waits = (
        "node 'n2' needs a placement group that Ray has not placed yet, since what it reserves is in use: it waits "
        "until Ray places that"
    )
    assert notices(run) == [never, waits]
    assert [record.getMessage() for record in caplog.records if record.name == "fuse_widgets"] == [never]
    remove_placement_group(groups[1])
    until(lambda: run.states["n2"] == "done")
    until(lambda: "node 'n2' can run now: its placement group is there" in notices(run))
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(120)
    for one in (groups[0], groups[2]):
        remove_placement_group(one)


class Keeper:
    def take(self, x: Any) -> Any:
        return x


def test_objects_that_leave_no_room_for_what_they_need_are_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.import_module("fuse_widgets.backends._ray.standstill"), "LOOK", 0.5)
    keepers = [workflow(Keeper)().set_name(name) for name in ("left", "right")]
    both = workflow(same)([keeper.take(1) for keeper in keepers]).set_name("both")
    wf = RayWorkflow(*[keeper.take(both) for keeper in keepers])
    for keeper in keepers:
        keeper.backend_info["remote_args"] = {"num_cpus": 1}
    run = wf.start()
    why = "needs CPU: 1, and objects 'left', 'right' hold 2 of 2 until the last method has run"
    until(lambda: any(why in notice for notice in notices(run)))
    assert [event.detail for event in run.events if event.node == "both" and event.detail] == [
        {"why": why, "waits": True}
    ]
    assert [record.getMessage() for record in caplog.records if record.name == "fuse_widgets"] == [
        f"nothing runs: node 'both' {why}. Let objects hold less, for example remote_args={{'num_cpus': 0}}, "
        "have fewer of them at a time, or add a machine"
    ]
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(60)
    keepers[1].backend_info["remote_args"] = {"num_cpus": 0}
    assert wf.run() == [[1, 1], [1, 1]]


def test_the_processes_of_objects_end_with_a_run_that_was_stopped_though_python_collects_nothing() -> None:
    keepers = [workflow(Keeper)().set_name(name) for name in ("left", "right")]
    both = workflow(same)([keeper.take(1) for keeper in keepers]).set_name("both")
    wf = RayWorkflow(*[keeper.take(both) for keeper in keepers])
    for keeper in keepers:
        keeper.backend_info["remote_args"] = {"num_cpus": 1}
    gc.disable()
    try:
        run = wf.start()
        until(lambda: [run.states[name] for name in ("left", "right", "both")] == ["done", "done", "queued"])
        run.cancel()
        with pytest.raises(RunCancelledError):
            run.wait(60)
        began = [event.detail for event in run.events if event.node in ("left", "right")]
        pids = {detail["pid"] for detail in began if detail and "pid" in detail}
        assert len(pids) == 2
        until(lambda: all(map(ended, pids)))
    finally:
        gc.enable()


class Dice:
    def roll(self) -> list[float]:
        return list(np.random.random(3))


def test_random_numbers_are_those_of_the_local_backend_also_for_methods_and_later_attempts(
    tmp_path: Path,
) -> None:
    def draw(folder: str, mark: str, how: str) -> list[float]:
        numbers = list(np.random.random(3))
        path = Path(folder, mark)
        if how and not path.exists():
            path.touch()
            if how == "killed":
                os._exit(1)
            raise ValueError("again")
        return numbers

    def build(kind: Any, name: str) -> list[Any]:
        how = ["", "raised", "killed" if kind is RayWorkflow else ""]
        nodes = [workflow(draw)(str(tmp_path), f"{name}{i}", h).set_name(f"n{i}") for i, h in enumerate(how)]
        obj = workflow(Dice)().set_name("dice")
        nodes += [obj.roll().set_name("first"), obj.roll().set_name("second")]
        wf = kind(*nodes)
        wf.query("n1").set_backend_info("retries", 1)
        wf.set_plugin(".*", RandomStatePlugin(seed=7))
        return list(wf.run())

    local = build(LocalWorkflow, "local")
    assert build(RayWorkflow, "ray") == local
    assert len({tuple(numbers) for numbers in local}) == 5


def test_a_file_storage_that_workers_cannot_write_to_names_node_and_machine(tmp_path: Path) -> None:
    wf = RayWorkflow(workflow(same)(1).set_name("n"))
    wf.set_storage(FileStorage(tmp_path / "store"))
    (tmp_path / "store").write_text("in the way")
    assert wf.run() == 1
    (done,) = [e for e in wf.last_run.events if e.node and e.state == "done"]
    assert "task 'n'" in done.detail["why_not_saved"]
    assert f"(on machine {HERE})" in done.detail["why_not_saved"]


def test_what_failed_with_an_old_input_runs_again_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_log: Any
) -> None:
    """An actor dies in `die_once`; `after` has failed on account of it, and is heard of only when its parent has run again."""
    reports = importlib.import_module("fuse_widgets.backends._ray.reports")

    class Frail:
        def die_once(self, mark: Path) -> int:
            if not mark.exists():
                mark.touch()
                os._exit(1)
            return 1

    called = workflow(Frail)().die_once(tmp_path / "mark")
    between = workflow(same)(called).set_name("between")
    after = workflow(same)(between).set_name("after")
    wf = RayWorkflow(after)
    place = {node.name: number for number, (_, node) in enumerate(wf.graph_traversal())}
    take = reports.Reports.take
    held: list[Any] = []
    late: list[bool] = []

    def take_late(self: Any, **options: Any) -> Any:
        for number, content in take(self, **options):
            if number == place["after"] and isinstance(content, Exception) and not late:
                held.append((number, content))
                continue
            yield number, content
            if held and wf.last_run.states["between"] == "done":
                late.append(True)
                yield held.pop()

    monkeypatch.setattr(reports.Reports, "take", take_late)
    assert wf.run() == 1
    assert late == [True], "the report did not come late"
    check_log(wf.last_run)
