"""RayWorkflow on one real cluster: what is its own beside what all backends share (see test_conformance.py)."""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import signal
import socket
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pytest

from fuse_widgets import (
    BackendInfoError,
    ClusterError,
    FileStorage,
    NodeExecutionError,
    NodeState,
    RayFileStorage,
    RayWorkflow,
    RunCancelledError,
    RunEvent,
    WorkerCrashedError,
    workflow,
)
from fuse_widgets.backends._ray.live import Who
from fuse_widgets.storage import _ray
from fuse_widgets.view.details import attempts_of
from fuse_widgets.view.state import StatusColumns
from tests.backends.waiting import gate, notices, until

pytestmark = pytest.mark.usefixtures("ray_cluster")


@workflow
def plus(x: int = 0) -> int:
    return x + 1


def test_the_task_carries_the_name_of_its_node() -> None:
    def name() -> Any:
        import ray

        return ray.get_runtime_context().get_task_name()

    class Named:
        def ask(self) -> Any:
            return name()

    method = workflow(Named)().ask().set_name("method of it")
    assert RayWorkflow(workflow(name)().set_name("my node"), method).run() == ["my node", "method of it"]


def test_status_comes_while_a_node_runs_with_machine_and_process(tmp_path: Path, check_log: Any) -> None:
    def speak(folder: str) -> int:
        print("hello", flush=True)
        gate(folder, "first")
        return os.getpid()

    wf = RayWorkflow(workflow(speak)(str(tmp_path)).set_name("node"))
    run = wf.start()
    until(lambda: run.states["node"] == "running")
    (event,) = [e for e in run.events[:] if e.node and e.state is NodeState.RUNNING]
    until(lambda: "node" in run.outputs)
    assert run.outputs["node"].text == "hello\n"
    (tmp_path / "go").touch()
    pid = run.wait(120)
    assert event.worker == f"{event.detail['host']}:{pid}"
    assert event.detail["pid"] == pid
    assert len(event.detail["node_id"]) > 20
    assert run.outputs["node"].text == "hello\n"
    (done,) = [e for e in run.events if e.node and e.state is NodeState.DONE]
    assert done.detail["peak_memory"] > 10_000_000
    assert done.detail["cpu_seconds"] >= 0
    assert event.time <= done.time
    check_log(run)


def test_a_run_sleeps_only_where_there_is_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reports = importlib.import_module("fuse_widgets.backends._ray.reports")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr(reports, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    wf = RayWorkflow(workflow(abs)(-1))
    assert wf.run() == 1
    wf.set_storage(RayFileStorage(str(tmp_path), {"resources": {"disk": 0.1}}))
    assert wf.run() == 1
    assert wf.storage.list_tasks("workflow") != []  # saved by another task, which is waited for
    assert slept == []
    run = RayWorkflow(workflow(abs)(-1)).start(paused=True)
    until(lambda: slept)
    run.resume()
    assert run.wait(120) == 1


def test_the_run_says_what_the_cluster_has() -> None:
    wf = RayWorkflow(plus())
    wf.run()
    (cluster,) = [e.detail["cluster"] for e in wf.last_run.events if e.detail and "cluster" in e.detail]
    assert (cluster["machines"], cluster["resources"]["CPU"]) == (1, 2.0)
    assert [e.detail["where"] for e in wf.last_run.events if e.detail and "where" in e.detail] == [
        "1 machine, 2 CPUs"
    ]


def test_results_stay_in_the_cluster_where_nobody_asks_for_them() -> None:
    wf = RayWorkflow(plus(plus()))
    assert wf.run(return_results=False) is None
    assert wf.last_run.values == {}
    assert set(wf.last_run.states.values()) == {"done"}


@pytest.mark.parametrize("most", [1, 3])
def test_a_bound_on_pending_tasks_is_kept(most: int, check_log: Any) -> None:
    nodes = [plus(i) for i in range(12)]
    wf = RayWorkflow(*[plus(node) for node in nodes])
    assert wf.run(max_pending_tasks=most) == [i + 2 for i in range(12)]
    pending = highest = 0
    for event in wf.last_run.events:
        if event.node:
            pending += (event.state is NodeState.QUEUED) - (event.state is NodeState.DONE)
            highest = max(highest, pending)
    assert highest <= most
    check_log(wf.last_run)
    with pytest.raises(ValueError, match="max_pending_tasks is a whole number from 0 up, not -1"):
        wf.run(max_pending_tasks=-1)


def test_a_large_literal_is_stored_once(monkeypatch: Any) -> None:
    import ray

    from fuse_widgets.backends._ray import pack

    put: list[Any] = []
    monkeypatch.setattr(pack.ray, "put", lambda value, real=ray.put: (put.append(value), real(value))[1])
    array, text, numbers = np.arange(100_000), "x" * 200_000, list(range(100_000))
    total = workflow(lambda *parts: sum(len(part) for part in parts))
    nodes = [total(array, [text], numbers) for _ in range(5)]
    assert RayWorkflow(*nodes).run() == [200_001] * 5
    literals = [value for value in put if type(value) is not bytes]  # which is code
    assert sorted(type(value).__name__ for value in literals) == ["list", "ndarray", "str"]


def test_large_literals_leave_the_cluster_when_what_takes_them_is_over(monkeypatch: Any) -> None:
    from fuse_widgets.backends._ray.literals import Literals

    packers: list[Any] = []
    sizes: list[int] = []
    real = Literals.put

    def put(literals: Any, value: Any, size: int) -> Any:
        packers.append(literals)
        sizes.append(literals.size)
        return real(literals, value, size)

    monkeypatch.setattr("fuse_widgets.backends._ray.literals.SPARE", 300_000)
    monkeypatch.setattr(Literals, "put", put)
    shared = np.ones(25_000)
    size = workflow(lambda own, shared: len(own) + len(shared))
    nodes = [size("x" * 200_000 + str(i), shared) for i in range(10, 40)]
    assert RayWorkflow(*nodes).run(max_pending_tasks=2) == [225_002] * 30
    assert len(sizes) == 31
    assert max(sizes) < 300_000 + 5 * 200_010
    assert packers[0].size <= 300_000


def test_a_large_array_goes_from_task_to_task_and_not_through_the_driver() -> None:
    import resource

    def grow(n: int) -> Any:
        return np.ones(n, dtype="u1")

    def touch(array: Any) -> Any:
        return np.add(array, 1)

    node: Any = workflow(grow)(50_000_000)
    for _ in range(4):
        node = workflow(touch)(node)
    wf = RayWorkflow(workflow(lambda array: int(array[-1]))(node))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert wf.run() == 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_outputs_can_be_changed_in_place() -> None:
    result = RayWorkflow(workflow(lambda: {"array": np.zeros(100_000)})()).run()
    result["array"][0] = 5
    assert result["array"].sum() == 5


def test_outputs_are_copied_once() -> None:
    import ray

    from fuse_widgets.backends._ray.pack import writable

    array = np.ones((2000, 1000), order="F")
    value = ray.get(ray.put({"a": [array], "same": array, "text": ["x"] * 100_000}))
    tracemalloc.start()
    copy = writable(value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert copy["a"][0] is copy["same"]
    assert copy["same"].flags.writeable
    assert copy["same"].flags.f_contiguous
    assert peak < 1.3 * array.nbytes
    unshared = ["x"] * 1000
    assert writable(unshared) is unshared


def test_remote_args_are_honoured_by_tasks_and_actors() -> None:
    def assigned() -> Any:
        import ray

        return ray.get_runtime_context().get_assigned_resources()

    class Holder:
        def ask(self) -> Any:
            return assigned()

    task, obj = workflow(assigned)(), workflow(Holder)()
    answer = obj.ask()
    wf = RayWorkflow(task, answer)
    wf.query(".*assigned.*|.*Holder.*").set_remote_args({"num_cpus": 2, "resources": {"disk": 0.25}})
    assert wf.run() == [{"CPU": 2.0, "disk": 0.25}] * 2


def test_remote_args_that_change_during_a_run_count_for_what_has_not_begun(tmp_path: Path) -> None:
    def disk(*_: Any) -> float:
        import ray

        return ray.get_runtime_context().get_assigned_resources().get("disk", 0.0)

    first = workflow(gate)(str(tmp_path), "first")
    gained, lost = workflow(disk)(first), workflow(disk)(first)
    wf = RayWorkflow(gained, lost)
    lost.backend_info["remote_args"] = {"resources": {"disk": 0.5}}
    run = wf.start(max_pending_tasks=1)
    until((tmp_path / "first").exists)
    gained.backend_info["remote_args"] = {"resources": {"disk": 0.25}}
    del lost.backend_info["remote_args"]
    (tmp_path / "go").touch()
    assert run.wait(120) == [0.25, 0.0]


def test_what_is_edited_while_a_node_is_handed_in_does_not_count_by_halves(monkeypatch: Any) -> None:
    def cpus() -> float:
        import ray

        return float(ray.get_runtime_context().get_assigned_resources()["CPU"])

    node = workflow(cpus)()
    node.backend_info["remote_args"] = {"num_cpus": 2, "resources": {"disk": 0.1}}

    def and_edited(wf: RayWorkflow, node: Any, real: Any = RayWorkflow.info_now) -> Any:
        info = real(wf, node)
        node.backend_info.clear()  # as the thread of a widget may at any time
        return info

    monkeypatch.setattr(RayWorkflow, "info_now", and_edited)
    assert RayWorkflow(node).run() == 2


def test_what_only_this_process_has_goes_by_value_as_long_as_one_run_needs_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    from fuse_widgets.backends._ray.pack import by_value

    (tmp_path / "of_this_process.py").touch()
    with monkeypatch.context() as path:
        path.syspath_prepend(str(tmp_path))
        module = importlib.import_module("of_this_process")
    registered = cloudpickle.list_registry_pickle_by_value
    first, second = by_value(), by_value()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert module.__name__ in registered()
    second.__exit__(None, None, None)
    assert module.__name__ not in registered()
    cloudpickle.register_pickle_by_value(module)
    with by_value():
        pass
    assert module.__name__ in registered()
    cloudpickle.unregister_pickle_by_value(module)
    monkeypatch.delitem(sys.modules, module.__name__)


def test_a_run_that_is_paused_when_nothing_is_left_ends(tmp_path: Path) -> None:
    run = RayWorkflow(workflow(gate)(str(tmp_path), "last")).start()
    until((tmp_path / "last").exists)
    run.pause()
    (tmp_path / "go").touch()
    assert run.wait(120) == "last"


def test_an_actor_is_released_when_its_last_method_is_done() -> None:
    class Holder:
        def pid(self) -> int:
            return os.getpid()

    holders = [workflow(Holder)() for _ in range(2)]
    pids = [holder.pid() for holder in holders]
    # Each actor takes both CPUs as long as it lives, and so does what comes after them.
    wf = RayWorkflow(workflow(lambda first, second: first != second)(*pids))
    wf.query().set_remote_args({"num_cpus": 2})
    assert wf.run() is True


def test_after_a_failure_the_results_of_the_other_outputs_are_there() -> None:
    @workflow
    def fail(_: Any) -> None:
        raise OSError("no disk")

    fine, inner = plus().set_name("fine"), plus().set_name("inner")
    wf = RayWorkflow(fine, fail(inner).set_name("bad"))
    with pytest.raises(NodeExecutionError, match="'bad' failed with OSError: no disk"):
        wf.run()
    assert wf.last_run is not None
    assert set(wf.last_run.results) == {"fine"}
    with pytest.raises(NodeExecutionError):
        wf.run(return_results=False)
    assert wf.last_run.results == {}


def test_what_no_machine_can_hold_is_told_and_the_run_can_be_cancelled() -> None:
    node = plus().set_name("big")
    node.backend_info["remote_args"] = {"num_gpus": 1}
    run = RayWorkflow(node).start()
    until(lambda: notices(run), 10)
    assert notices(run) == [
        "node 'big' needs GPU: 1, the cluster has none: it waits until a machine that has it joins"
    ]
    (queued,) = [e for e in run.events[:] if e.node and e.state is NodeState.QUEUED]
    assert queued.detail == {"why": "needs GPU: 1, the cluster has none", "waits": True}
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(120)
    assert run.states["big"] == "pending"


# --- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "field", "reason"),
    [
        ({"num_cpu": 2}, "remote_args.num_cpu", "did you mean 'num_cpus'"),
        ({"num_cpus": -1}, "remote_args.num_cpus", "has to be 0 or more"),
        ({"num_gpus": "two"}, "remote_args.num_gpus", "has to be a number"),
        ({"resources": {"GPU": 1}}, "remote_args.resources", "'num_cpus' and 'num_gpus' keyword"),
        ({"label_selector": {"zone": "in("}}, "remote_args.label_selector", "label selector"),
        (
            {"scheduling_strategy": 3},
            "remote_args.scheduling_strategy",
            "has to be one of 'DEFAULT', 'SPREAD'",
        ),
        ({"name": "mine"}, "remote_args.name", "the node's name is used"),
        ({"max_concurrency": 4}, "remote_args.max_concurrency", "one after another"),
        ("two", "remote_args", "dictionary"),
    ],
)
def test_wrong_remote_args_are_refused_at_the_field_when_they_are_set(
    args: Any, field: str, reason: str
) -> None:
    node = plus().set_name("n")
    wf = RayWorkflow(node)
    with pytest.raises(BackendInfoError, match=r"node 'n': backend_info\['remote_args'\]") as caught:
        wf.query("n").set_backend_info("remote_args", args)
    assert list(caught.value.reasons) == [field]
    assert reason in caught.value.reasons[field]
    assert node.backend_info == {}


def test_a_result_that_cannot_be_pickled_fails_its_node_in_words(states: Any) -> None:
    made = workflow(threading.Lock)().set_name("made")
    wf = RayWorkflow(workflow(repr)(made).set_name("after"))
    with pytest.raises(
        NodeExecutionError, match=r"'made' .*its result cannot be pickled .*lock.*Return what can"
    ):
        wf.run()
    assert states(wf.last_run) == {"made": "failed", "after": "skipped"}


def test_an_argument_that_cannot_be_pickled_is_named(states: Any) -> None:
    lock = threading.Lock()
    wf = RayWorkflow(plus([lock]).set_name("takes"), plus().set_name("fine"))
    with pytest.raises(
        NodeExecutionError, match=r"'takes' .*argument 0, .*lock.* cannot be pickled for a Ray worker"
    ):
        wf.run()
    assert states(wf.last_run) == {"takes": "failed", "fine": "done"}


def test_a_storage_that_a_worker_cannot_write_to_names_the_machine(tmp_path: Path) -> None:
    wf = RayWorkflow(plus().set_name("n"))
    wf.set_storage(FileStorage(tmp_path / "store"))
    (tmp_path / "store").write_text("in the way")
    assert wf.run() == 1
    (done,) = [e for e in wf.last_run.events if e.node and e.state is NodeState.DONE]
    assert "(on machine " in done.detail["why_not_saved"]


def test_an_address_that_does_not_answer_is_told_at_once(monkeypatch: Any) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # the cluster of these tests stays
    began = time.monotonic()
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9"):
        with pytest.raises(ClusterError, match=f"no Ray cluster answers at '{address}'.*Check the address"):
            RayWorkflow(plus(), ray_init_args={"address": address}).run()
    assert time.monotonic() - began < 15


def test_versions_that_differ_are_told(monkeypatch: Any) -> None:
    import ray

    def init(**_: Any) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with: Ray: 2.9.0")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # the cluster of these tests stays
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(_ray, "_found", lambda address, args: address)  # whatever has run on this machine
    with pytest.raises(
        ClusterError, match=r"do not fit together: Version mismatch.*Install the same versions"
    ):
        RayWorkflow(plus(), ray_init_args={"address": "auto"}).run()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_another_python_on_the_cluster_is_told_as_ray_finds_it(address: str, monkeypatch: Any) -> None:
    import ray
    from ray._private.utils import check_version_info

    def init(**_: Any) -> None:
        check_version_info({"ray_version": ray.__version__, "python_version": "3.9.1"}, "Ray Client")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # the cluster of these tests stays
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(_ray, "_knock", lambda address: None)
    monkeypatch.setattr(_ray, "_ping", lambda address: None)
    ours = platform.python_version()
    with pytest.raises(ClusterError) as caught:
        RayWorkflow(plus(), ray_init_args={"address": address}).run()
    assert str(caught.value).startswith(
        f"the Ray cluster at {address!r} runs Ray {ray.__version__} on Python 3.9.1, and this process Ray {ray.__version__} on Python {ours}, "
        "which do not fit together: install the same here, Python 3.9.1 with pip install"
    )


def test_a_machine_that_is_no_part_of_the_cluster_is_told_which_address_is_for_it(monkeypatch: Any) -> None:
    import ray

    def init(**_: Any) -> None:
        raise ConnectionError("Failed to connect") from RuntimeError("No node info found")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # the cluster of these tests stays
    monkeypatch.setattr(ray, "init", init)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(
            ClusterError, match=rf"listens at '{address}'.*\(No node info found\).*ray://host"
        ):
            RayWorkflow(plus(), ray_init_args={"address": address}).run()


def test_an_unknown_argument_of_ray_init_is_told(monkeypatch: Any) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # the cluster of these tests stays
    with pytest.raises(TypeError, match="ray_init_args is a dict"):
        RayWorkflow(plus(), ray_init_args="auto")  # type: ignore[arg-type]


# --- lost workers --------------------------------------------------------------------------------------------


def die_once(folder: str) -> str:
    mark = Path(folder, "died")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def test_a_node_whose_worker_is_killed_runs_again_as_attempt_2(tmp_path: Path, check_log: Any) -> None:
    wf = RayWorkflow(workflow(die_once)(str(tmp_path)).set_name("n"))
    assert wf.run() == "alive"
    (row,) = wf.last_run.report()
    assert row["attempt"] == 2
    check_log(wf.last_run)


def wait_once(folder: str) -> str:
    mark = Path(folder, "began")
    if not mark.exists():
        mark.touch()
        threading.Event().wait(60)  # until it is killed
    return "alive"


def killed_in_attempt_1(folder: Path, **remote_args: Any) -> tuple[Any, list[float]]:
    """A workflow whose worker is killed once its node runs, and when that was."""
    wf = RayWorkflow(workflow(wait_once)(str(folder)).set_name("n"))
    wf.query("n").set_remote_args(remote_args)
    killed: list[float] = []

    def kill_first(events: list[RunEvent]) -> None:
        for event in events:
            if event.state is NodeState.RUNNING and event.node and event.attempt == 1 and event.detail:
                killed.append(time.time())
                os.kill(event.detail["pid"], signal.SIGKILL)

    wf.subscribe(kill_first)
    return wf, killed


def test_an_attempt_whose_worker_was_killed_is_kept_with_its_worker_and_why_it_ended(tmp_path: Path) -> None:
    wf, killed = killed_in_attempt_1(tmp_path)
    assert wf.run() == "alive"
    lost, again = [e for e in wf.last_run.events.of("n") if e.detail and e.state in ("queued", "running")][1:]
    assert killed[0] - 0.01 < lost.time < again.time  # as the worker died, and not as that was noticed
    columns = StatusColumns(["n"])
    columns.apply(list(wf.last_run.events))
    status = columns.to_wire()
    missed = status["missed"]
    assert missed["why"] == ["its worker was lost"]
    assert np.frombuffer(missed["attempt"], "<u2").tolist() == [1]
    (worker,) = np.frombuffer(missed["worker"], "<u2")
    assert status["workers"][worker - 1] != status["workers"][columns.worker[0] - 1]
    (began,), (lasted,) = (np.frombuffer(missed[name], "<f4") for name in ("begin", "seconds"))
    assert 0 < began <= began + lasted <= columns.begin[0] + 1e-3
    attempts = [(a["attempt"], a["state"], a["error"]) for a in attempts_of(wf.last_run.events.of("n"))]
    assert attempts == [(1, "failed", "its worker was lost"), (2, "done", "")]


def test_the_last_attempt_ends_as_its_worker_was_killed(tmp_path: Path) -> None:
    wf, killed = killed_in_attempt_1(tmp_path, max_retries=0)
    with pytest.raises(NodeExecutionError, match="worker process died"):
        wf.run()
    columns = StatusColumns(["n"])
    columns.apply(list(wf.last_run.events))
    began, failed = [e.time for e in wf.last_run.events.of("n") if e.state in ("running", "failed")]
    assert killed[0] - 0.01 < failed
    assert columns.seconds[0] == pytest.approx(failed - began, abs=1e-3)


def test_ray_is_not_waited_for_where_it_does_not_say_when_a_worker_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deaths = importlib.import_module("fuse_widgets.backends._ray.deaths")
    silent, asked = threading.Event(), []

    def dead() -> list[Any]:
        asked.append(1)
        silent.wait(60)
        raise RuntimeError

    monkeypatch.setattr(deaths, "dead_workers", dead)
    monkeypatch.setattr(deaths, "ANSWER", 0.01)
    monkeypatch.setattr(deaths, "AGAIN", 0.0)
    waited: list[str] = []
    join = threading.Thread.join

    def count(thread: threading.Thread, timeout: float | None = None) -> None:
        waited.append(thread.name)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", count)
    known = deaths.Deaths()
    assert [known.of(Who("vm", pid, "a")) for pid in range(3)] == [None] * 3
    assert len(asked) == waited.count("fuse deaths") == 1
    silent.set()
    known._asking.join()
    assert known.of(Who("vm", 1, "a")) is None
    assert len(asked) == 2


def test_a_node_that_kills_its_worker_each_time_fails_in_words(states: Any) -> None:
    node = workflow(lambda: os.kill(os.getpid(), 9))().set_name("n")
    node.backend_info["remote_args"] = {"max_retries": 0}
    wf = RayWorkflow(plus(node).set_name("after"))
    with pytest.raises(
        NodeExecutionError, match=r"'n' failed with WorkerCrashedError: .*max_retries"
    ) as caught:
        wf.run()
    assert isinstance(caught.value.__cause__, WorkerCrashedError)
    assert states(wf.last_run) == {"n": "failed", "after": "skipped"}


def test_ray_tries_again_what_retry_exceptions_says(tmp_path: Path, check_log: Any) -> None:
    def flaky(folder: str) -> int:
        count = len(list(Path(folder).iterdir()))
        Path(folder, str(count)).touch()
        if count < 2:
            raise KeyError(f"fault {count}")
        return count

    node = workflow(flaky)(str(tmp_path)).set_name("flaky")
    wf = RayWorkflow(plus(node))
    node.backend_info["remote_args"] = {"max_retries": 1, "retry_exceptions": [KeyError]}
    with pytest.raises(NodeExecutionError, match="fault 1"):
        wf.run()
    node.backend_info["remote_args"] = {"max_retries": 3, "retry_exceptions": [ValueError]}
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(NodeExecutionError, match="fault 0"):
        wf.run()
    for path in tmp_path.iterdir():
        path.unlink()
    node.backend_info["remote_args"] = {"max_retries": 3, "retry_exceptions": True}
    assert wf.run() == 3
    assert {row["node"]: row["attempt"] for row in wf.last_run.report()}["flaky"] == 3
    check_log(wf.last_run)


class Counter:
    def __init__(self, start: int) -> None:
        self.value = start

    def add(self, n: int) -> int:
        self.value += n
        return self.value

    def die_once(self, folder: str) -> int:
        die_once(folder)
        return self.value


@pytest.mark.parametrize(
    "info", [{"retries": 2}, {"remote_args": {"retry_exceptions": True, "max_retries": 2}}]
)
def test_what_is_printed_is_kept_once_however_often_a_node_is_tried(tmp_path: Path, info: Any) -> None:
    def talk(folder: str) -> None:
        attempt = len(list(Path(folder).iterdir()))
        Path(folder, str(attempt)).touch()
        for line in range(3):
            print(f"{attempt}: {line}")
            time.sleep(0.15)  # long enough to be told while it runs
        print("last words")
        if attempt < 2:
            raise ValueError("no luck")

    node = workflow(talk)(str(tmp_path)).set_name("talk")
    node.backend_info.update(info)
    wf = RayWorkflow(node)
    wf.run()
    said = [f"{attempt}: {line}" for attempt in range(3) for line in range(3)]
    lines = wf.last_run.outputs["talk"].text.splitlines()
    assert [line for line in lines if line != "last words"] == said
    assert lines.count("last words") == 3


def test_an_object_whose_worker_is_killed_is_made_again(tmp_path: Path, check_log: Any) -> None:
    counter = workflow(Counter)(1)
    first = counter.add(2)
    middle = counter.die_once(str(tmp_path))
    last = counter.add(3)
    wf = RayWorkflow(first, plus(middle), last, plus(last))
    assert wf.run() == [3, 4, 6, 7]
    assert any("the object is made again" in text for text in notices(wf.last_run))
    check_log(wf.last_run)


@pytest.mark.parametrize("for_good", [False, True])
def test_the_loss_of_the_collector_loses_nothing(check_log: Any, tmp_path: Path, for_good: bool) -> None:
    import ray

    from fuse_widgets.backends._ray.channel import Channel

    first = workflow(gate)(str(tmp_path), "first").set_name("first")
    wf = RayWorkflow(plus(workflow(len)(first)))
    run = wf.start()
    until(lambda: run.states["first"] == "running")
    for _, collector in Channel._collectors.values():
        ray.kill(collector, no_restart=for_good)
    (tmp_path / "go").touch()
    assert run.wait(120) == 6
    assert set(run.states.values()) == {"done"}
    check_log(run)


# --- stopping ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stubborn", [False, True])
def test_cancelled_twice_what_runs_is_interrupted_and_the_cluster_stays_usable(
    tmp_path: Path, states: Any, check_log: Any, stubborn: bool
) -> None:
    def busy(folder: str, stubborn: bool) -> None:
        Path(folder, "begun").touch()
        while stubborn:
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(60)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass

    first = workflow(busy)(str(tmp_path), stubborn).set_name("busy")
    obj = workflow(Counter)(1).set_name("object")
    wf = RayWorkflow(plus(first).set_name("after"), obj.add(1).set_name("method"))
    wf.set_storage(FileStorage(tmp_path / "store"))
    run = wf.start()
    until(lambda: run.states["busy"] == "running" and run.states["method"] == "done")
    run.cancel()
    run.cancel()
    with pytest.raises(RunCancelledError, match="goes on from what is in storage"):
        run.wait(120)
    assert states(run) == {"object": "done", "method": "done", "busy": "cancelled", "after": "pending"}
    check_log(run)
    assert wf.storage.list_tasks("workflow") == ["method"]
    assert RayWorkflow(plus(plus())).run() == 2


def test_a_method_that_runs_is_stopped_with_its_actor(tmp_path: Path, states: Any) -> None:
    class Slow:
        def wait(self, folder: str) -> None:
            Path(folder, "begun").touch()
            time.sleep(60)

    wf = RayWorkflow(workflow(Slow)().set_name("object").wait(str(tmp_path)).set_name("method"))
    run = wf.start()
    until(lambda: run.states["method"] == "running")
    run.cancel()
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(120)
    assert states(run) == {"object": "done", "method": "cancelled"}


def test_a_second_ctrl_c_does_not_wait_for_what_does_not_end(
    tmp_path: Path, states: Any, monkeypatch: Any
) -> None:
    import ray

    monkeypatch.setattr(ray, "cancel", lambda *_, **__: None)  # as where nothing listens
    wf = RayWorkflow(workflow(gate)(str(tmp_path), "first").set_name("first"))

    def press() -> None:
        until(lambda: wf.last_run is not None and wf.last_run.states["first"] == "running")
        for times in (1, 2):
            os.kill(os.getpid(), signal.SIGINT)
            until(lambda times=times: wf.last_run.cancelled >= times)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        wf.run()
    presser.join()
    (tmp_path / "go").touch()
    assert states(wf.last_run) == {"first": "cancelled"}


def test_ctrl_c_ends_the_run_and_the_cluster_stays_usable(tmp_path: Path, states: Any) -> None:
    first = workflow(gate)(str(tmp_path), "first").set_name("first")
    wf = RayWorkflow(plus(first).set_name("after"))

    def press() -> None:
        until(lambda: wf.last_run is not None and wf.last_run.states["first"] == "running")
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        wf.run()
    presser.join()
    assert states(wf.last_run) == {"first": "cancelled", "after": "pending"}
    assert RayWorkflow(plus()).run() == 1
