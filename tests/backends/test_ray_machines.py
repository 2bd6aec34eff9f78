"""RayWorkflow on clusters of several machines: one that is lost, and a whole cluster that is. Each in a program of its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.backends.programs import run_program

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.ray]

START = """
import contextlib
import ray
from ray.cluster_utils import Cluster

def cluster_of(*machines):
    for attempt in range(4):  # each has 30 s to start, which is little on a busy machine
        try:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
            nodes = [cluster.add_node(num_cpus=1, resources=resources) for resources in machines]
            ray.init(address=cluster.address, log_to_driver=False)
            return cluster, nodes
        except Exception:
            ray.shutdown()
            if attempt == 3:
                raise
"""


def test_a_machine_that_is_lost_in_the_middle_of_a_run_costs_no_result(tmp_path: Path) -> None:
    out = run_program(
        START
        + """
cluster, (lost, other) = cluster_of({"lost": 1}, {"other": 1})

def make(folder, name):
    count = len(list(Path(folder).glob(name + "*")))
    Path(folder, f"{name}{count}").touch()
    return [name] * 1_000_000  # large enough to stay on its machine

def slow(folder, part):
    Path(folder, f"slow{len(list(Path(folder).glob('slow*')))}").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.02)
    return len(part)

class Counter:
    def __init__(self, start):
        self.value = start
    def add(self, n, *after):
        self.value += n
        return self.value

made = workflow(make)(str(folder), "made").set_name("made")
running = workflow(slow)(str(folder), made).set_name("running")
counter = workflow(Counter)(1).set_name("counter")
first = counter.add(2).set_name("first")
second = counter.add(3, running).set_name("second")
total = workflow(lambda a, b, c: a + b + len(c))(running, second, made).set_name("total")
wf = RayWorkflow(total, first)
# Ray takes it to the machine that has room for it, and elsewhere when that is gone.
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
there = NodeAffinitySchedulingStrategy(lost.node_id, soft=True)
wf.query("made|running|counter").set_remote_args({"scheduling_strategy": there, "num_cpus": 0.4})
run = wf.start()
until(lambda: run.states["running"] == "running" and run.states["first"] == "done")
cluster.remove_node(lost)
(folder / "go").touch()
print("result", run.wait(180))
print("attempt", {row["node"]: row["attempt"] for row in run.report()}["running"])
for event in run.events:
    if event.detail and "notice" in event.detail:
        print("notice", event.detail["notice"])
machines = [e.detail["cluster"]["machines"] for e in run.events if e.detail and "cluster" in e.detail]
print("machines", machines)
ray.shutdown()
cluster.shutdown()
""",
        tmp_path,
    )
    assert f"result [{1_000_000 + 6 + 1_000_000}, 3]" in out
    assert "attempt 2" in out
    assert "the object is made again" in out
    assert "was lost" in out
    assert "machines [3, 2]" in out


def test_the_loss_of_the_cluster_ends_the_run_and_the_next_goes_on_from_storage(tmp_path: Path) -> None:
    out = run_program(
        START
        + """
cluster, _ = cluster_of()

def early():
    return 1

def late(x, folder):
    Path(folder, "begun").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.02)
    return x + 1

wf = RayWorkflow(workflow(late)(workflow(early)().set_name("early"), str(folder)).set_name("late"))
wf.set_storage(FileStorage(folder / "store"))
run = wf.start()
until(lambda: run.states["late"] == "running")
began = time.monotonic()
for kind in ("raylet", "gcs_server"):
    for process in cluster.head_node.all_processes[kind]:
        os.kill(process.process.pid, 9)
try:
    run.wait(180)
except ClusterError as error:
    print("told", round(time.monotonic() - began) <= 60, error)
print("states", *run.states.values())
with contextlib.suppress(ProcessLookupError):  # the worker that was left alone would still save its result
    os.kill(next(e.detail["pid"] for e in run.events if e.node == "late" and e.state == "running"), 9)
cluster, _ = cluster_of()
(folder / "go").touch()
print("again", wf.run())
print("sources", *[row["source"] for row in wf.last_run.report()])
ray.shutdown()
cluster.shutdown()
""",
        tmp_path,
    )
    assert "told True the Ray cluster does not answer any more" in out
    assert "states done cancelled" in out
    assert "again 2" in out
    assert "sources stored computed" in out


def test_a_machine_out_of_memory_says_so_and_ends_the_run(tmp_path: Path) -> None:
    out = run_program(
        START
        + """
from ray._private.utils import get_system_memory, get_used_memory

def eat():
    held = []
    for _ in range(15):  # three times what the machine has left; Ray looks ten times a second
        held.append(b"x" * (left // 5))
        time.sleep(0.1)
    return len(held)

class Eater:
    def eat(self):
        return eat()

os.environ["RAY_memory_monitor_refresh_ms"] = "0"
cluster, _ = cluster_of()
os.environ["RAY_memory_monitor_refresh_ms"] = "100"
# Other programs on this machine may take some of what is left, and give back more, without a difference.
left = min(2**31, (get_system_memory() - get_used_memory()) // 5)
os.environ["RAY_memory_usage_threshold"] = str((get_used_memory() + left) / get_system_memory())
cluster.add_node(num_cpus=1, resources={"small": 1})
node, method = workflow(eat)().set_name("node"), workflow(Eater)().set_name("object").eat().set_name("method")
for output in (node, method):
    wf = RayWorkflow(output)
    wf.query().set_remote_args({"resources": {"small": 1}, "max_retries": 1})
    try:
        wf.run()
    except NodeExecutionError as error:
        print("failed", error)
    for event in wf.last_run.events:
        detail = event.detail or {}
        if event.node and "why" in detail:
            print("again", event.attempt, detail["why"])
        if "notice" in detail:
            print("notice", detail["notice"])
ray.shutdown()
cluster.shutdown()
""",
        tmp_path,
    )
    said = r"out of memory: Ray ended its worker on [\d.]+ \(node \w{8}\), where [\d.]+GB of [\d.]+GB were in use.*'memory'"
    assert re.search(rf"failed node 'node' .*{said}.*tried \d+ times", out), out
    assert re.search(rf"again \d+ {said}", out), out
    assert re.search(
        r"notice the machine or worker of object 'object' ran out of memory; the object is made again", out
    )
    assert re.search(rf"failed node '(method|object)' .*{said}", out), out


def test_what_only_a_lost_machine_had_is_told_and_holds_no_run(tmp_path: Path) -> None:
    out = run_program(
        START
        + """
cluster, (disk, other) = cluster_of({"disk": 1}, {"other": 1})
there = {"resources": {"disk": 0.01}, "num_cpus": 0.1}
store = RayFileStorage(str(folder / "store"), there)

def slow(folder):
    while not Path(folder, "go").exists():
        time.sleep(0.02)
    return 1

def numbers():
    return [1] * 1_000_000

made = workflow(numbers)().set_name("made")
running = workflow(slow)(str(folder)).set_name("running")
running.backend_info["remote_args"] = {"resources": {"other": 0.1}}
waits = workflow(lambda x: x)(running).set_name("waits")
waits.backend_info["remote_args"] = made.backend_info["remote_args"] = there
after = workflow(lambda x, made: x + len(made))(running, made).set_name("after")
wf = RayWorkflow(after, waits)
wf.set_storage(store)
run = wf.start()
until(lambda: run.states["running"] == "running" and run.states["made"] == "done")
cluster.remove_node(disk)
(folder / "go").touch()
began = time.monotonic()
notices = lambda: [e.detail["notice"] for e in run.events[:] if e.detail and "notice" in e.detail]
until(lambda: sum("the cluster has none" in text for text in notices()) and run.states["running"] == "done")
print("told", time.monotonic() - began < 30, *notices())
print("saved", *[e.detail["why_not_saved"] for e in run.events[:] if e.node == "running" and e.state == "done"])
run.cancel()
run.cancel()
try:
    run.wait(180)
except RunCancelledError as error:
    print("cancelled")
began = time.monotonic()
try:
    store.list_tasks("workflow")
except StorageError as error:
    print("storage", time.monotonic() - began < 30, error)
wf = RayWorkflow(workflow(lambda: 5)().set_name("node"))
wf.set_storage(store)
print("without", wf.run(), *[e.detail.get("why_not_saved") for e in wf.last_run.events if e.state == "done" and e.node])

(folder / "go").unlink()
made, held = workflow(numbers)().set_name("made"), workflow(slow)(str(folder)).set_name("held")
made.backend_info["remote_args"] = {"resources": {"other": 0.1}}
wf = RayWorkflow(made, held)
run = wf.start()
until(lambda: run.states["made"] == "done" and run.states["held"] == "running")
cluster.remove_node(other)
(folder / "go").touch()
try:
    run.wait(180)
except NodeExecutionError as error:
    print("output", error)
ray.shutdown()
cluster.shutdown()
""",
        tmp_path,
    )
    gone = (
        "the machine of the storage is not there: it needs disk: 0.01, the cluster has none. Start it again"
    )
    assert "told True" in out
    assert (
        "node 'waits' needs disk: 0.01, the cluster has none: it waits until a machine that has it joins"
        in out
    )
    assert f"saved {gone}" in out
    assert "cancelled" in out
    assert f"storage True {gone}" in out
    assert f"without 5 {gone}" in out
    made = "its result was lost with its machine, and nothing can make it again: it needs other: 0.1, the cluster has none"
    assert f"output node 'made' failed with FuseError: {made}" in out


def test_what_waits_for_a_machine_is_told_and_taken_back_when_it_joins(tmp_path: Path) -> None:
    out = run_program(
        START
        + """
cluster, _ = cluster_of()
def hold():
    while not (folder / "go").exists():
        time.sleep(0.02)
    return 5
nodes = [workflow(hold)().set_name(f"node{i}") for i in range(3)]
nodes.append(workflow(dict)().set_name("object").keys().set_name("method"))
wf = RayWorkflow(*nodes)
wf.query("node.*|object").set_remote_args({"resources": {"late": 1}})
run = wf.start()
notices = lambda: [e.detail["notice"] for e in run.events[:] if e.detail and "notice" in e.detail]
def told():
    why = {f"node{i}": [] for i in range(3)}
    for e in run.events[:]:
        if e.node in why and "waits" in (e.detail or {}):
            why[e.node].append(e.detail["why"])
    return sorted(why.values(), key=len)
until(notices)
cluster.add_node(num_cpus=1)  # not the one that is waited for
until(lambda: sum("cluster" in (e.detail or {}) for e in run.events[:]) == 2)
cluster.add_node(num_cpus=1, resources={"late": 1})
until(lambda: len(told()[1]) == len(notices()) == 2)  # one of the three may run before the new machine is seen
(folder / "go").touch()
print("result", run.wait(180))
print("notices", notices())
print("told", told()[1:])
ray.shutdown()
cluster.shutdown()
""",
        tmp_path,
    )
    said = dict(line.partition(" ")[::2] for line in out.splitlines())  # some may be Ray's
    assert ast.literal_eval(said["told"]) == [["needs late: 1, the cluster has none", None]] * 2
    assert said["result"] == "[5, 5, 5, dict_keys([])]"
    waits, goes_on = ast.literal_eval(said["notices"])
    assert (
        waits
        == "node 'node0' needs late: 1, the cluster has none: it waits until a machine that has it joins"
    )
    assert re.fullmatch(r"node 'node0' can run now: machine \S+ \(node \w{8}\) joined", goes_on)


def test_what_is_made_again_after_its_machine_was_lost_may_fail_and_does_not_mind_a_pause(
    tmp_path: Path,
) -> None:
    out = run_program(
        START
        + """
cluster, (lost,) = cluster_of({"lost": 2})

def made(folder, name, fails):
    path = Path(folder, name)
    if path.exists() and fails:
        raise ValueError("not a second time")
    path.touch()
    return [name] * 1_000_000  # large enough to stay on its machine

class Kept:
    def __init__(self, folder, name):
        self.value = made(folder, name, True)
    def size(self, *after):
        return len(self.value)

def hold(folder):
    Path(folder, "holds").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.02)

def use(x, *after):
    return len(x)

def on(where, node, name):
    node.backend_info["remote_args"] = {"resources": {where: 0.1}, "num_cpus": 0.1}
    return node.set_name(name)

held = on("node:__internal_head__", workflow(hold)(str(folder)), "held")
paused, twice, output = [on("lost", workflow(made)(str(folder), n, n != "paused"), n) for n in ("paused", "twice", "output")]
kept = on("lost", workflow(Kept)(str(folder), "kept"), "kept")
nodes = [
    on("node:__internal_head__", workflow(use)(paused, held), "use paused"),
    on("node:__internal_head__", workflow(use)(twice, held), "use twice"),
    kept.size().set_name("first"),
    kept.size(held).set_name("second"),
]
runs = [RayWorkflow(*nodes, workflow_name="use").start(), RayWorkflow(output, held, workflow_name="take").start()]
until(lambda: all(
    sum(state == "done" for state in run.states.values()) == done and run.states["held"] == "running"
    for run, done in zip(runs, (4, 1))
))
runs[0].pause()
runs[0].resume()
cluster.remove_node(lost)
cluster.add_node(num_cpus=1, resources={"lost": 2})
until(lambda: len(ray.nodes()) == 3 and sum(machine["Alive"] for machine in ray.nodes()) == 2)
(folder / "go").touch()
for run in runs:
    try:
        run.wait(90)
    except NodeExecutionError as error:
        print([f"{failure.node.name}: {failure.__cause__}" for failure in error.failures or [error]])
    print({name: str(state) for name, state in run.states.items()})
print([node.name for node in runs[1].values])
ray.shutdown()
cluster.shutdown()
""",
        tmp_path,
    )
    lost = "the result of node {!r} was lost with its machine, and the node failed as it was run again: ValueError: not a second time"
    use, states, take, _, values = out.splitlines()
    assert sorted(ast.literal_eval(use)) == [
        f"first: {lost.format('kept')}",
        "kept: not a second time",
        f"second: {lost.format('kept')}",
        f"use twice: {lost.format('twice')}",
    ]
    assert ast.literal_eval(states) == {
        **dict.fromkeys(("held", "paused", "twice", "kept", "use paused", "first"), "done"),
        **dict.fromkeys(("use twice", "second"), "failed"),
    }
    assert ast.literal_eval(take) == [f"output: {lost.format('output')}"]
    assert values == "['held']"
