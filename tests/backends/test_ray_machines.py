"""RayWorkflow on clusters of several machines: one that is lost, and a whole cluster that is. Each in a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

START = """
import contextlib, os, sys, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from fuse_widgets import ClusterError, FileStorage, RayWorkflow, workflow

folder = Path(sys.argv[1])

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

def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
"""


def run_program(program: str, folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_ADDRESS")}
    environment.pop("RAY_AUTH_MODE", None)
    done = subprocess.run(
        [sys.executable, "-c", START + program, str(folder)],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    return done.stdout


def test_a_machine_that_is_lost_in_the_middle_of_a_run_costs_no_result(tmp_path: Path) -> None:
    out = run_program(
        """
cluster, (lost, other) = cluster_of({"lost": 1}, {"other": 1})

def make(folder, name):
    count = len(list(Path(folder).glob(name + "*")))
    Path(folder, f"{name}{count}").touch()
    return [name] * 100_000  # large enough to stay on its machine

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
print("result", run.wait(120))
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
    assert f"result [{100_000 + 6 + 100_000}, 3]" in out
    assert "attempt 2" in out
    assert "the object is made again" in out
    assert "was lost" in out
    assert "machines [3, 2]" in out


def test_the_loss_of_the_cluster_ends_the_run_and_the_next_goes_on_from_storage(tmp_path: Path) -> None:
    out = run_program(
        """
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
    run.wait(60)
except ClusterError as error:
    print("told", round(time.monotonic() - began) <= 30, error)
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
