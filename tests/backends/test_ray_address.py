"""Which cluster an address means, in programs of their own, and what is said where there is none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.programs import run_program, without_ray

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.ray]

#: Clusters of others on this machine are none of ours.
START = """
import ray
from ray._private import services

seen = set()
look = services._find_address_from_flag  # at all processes
services._find_address_from_flag = lambda flag: seen if "gcs" in flag else look(flag)

def run(**options):
    began = time.monotonic()
    try:
        return RayWorkflow(workflow(lambda: os.getpid())(), ray_init_args=options).run() != os.getpid()
    except ClusterError as error:
        return f"{time.monotonic() - began < 30} {error}"
"""


def run(program: str, folder: Path) -> list[str]:
    """What a program prints, that knows of no cluster."""
    environment = without_ray() | {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": str(folder)}
    return run_program(START + program, folder, environment=environment).splitlines()


@pytest.fixture
def folder() -> Iterator[Path]:
    """One with a short name, since that of a socket in it may have 107 characters."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_where_no_cluster_is_to_be_found_one_sentence_says_so_at_once(folder: Path) -> None:
    none, stale, stale_too, named = run(
        """
print(run(address="auto"))
(folder / "ray").mkdir()
(folder / "ray" / "ray_current_cluster").write_text("127.0.0.1:9")
print(run(address="auto"))
print(run())
os.environ["RAY_ADDRESS"] = "127.0.0.1:10"
print(run(address="auto"))
""",
        folder,
    )
    assert none == (
        "True no Ray cluster runs on this machine, which is where {'address': 'auto'} looks for one: start it with "
        "`ray start --head`, or name the address of another one, or use {'address': 'local'} to start Ray on this machine."
    )
    assert stale.startswith("True no Ray cluster answers at '127.0.0.1:9' any more (")
    assert "where `ray start` had started the last one of this machine. Start it again, or use" in stale
    assert stale_too == stale
    assert named.startswith("True no Ray cluster answers at '127.0.0.1:10' (")
    assert "which the environment variable RAY_ADDRESS names. Set another one there, or use" in named


def test_auto_finds_the_cluster_by_process_by_file_and_by_environment(folder: Path) -> None:
    out = run(
        """
from ray.cluster_utils import Cluster

for attempt in range(4):  # it has 30 s to start, which is little on a busy machine
    try:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        break
    except Exception:
        if attempt == 3:
            raise

def connect(how):
    print(how, run(address="auto", log_to_driver=False), ray.get_runtime_context().gcs_address == cluster.address)
    ray.shutdown()

seen.add(cluster.address)
connect("process")
seen.clear()
os.environ["RAY_ADDRESS"] = cluster.address
connect("environment")
del os.environ["RAY_ADDRESS"]
(folder / "ray").mkdir(exist_ok=True)
(folder / "ray" / "ray_current_cluster").write_text(cluster.address)
connect("file")
cluster.shutdown()
""",
        folder,
    )
    assert out == ["process True True", "environment True True", "file True True"]


def test_ray_that_a_thread_has_started_outlives_that_thread(folder: Path) -> None:
    """Linux ends what a thread has started with the thread, where that is asked for as Ray does, and not with its process."""
    out = run(
        """
import threading
from fuse_widgets.storage._ray import connect

args = {"address": "local", "num_cpus": 1, "include_dashboard": False}
thread = threading.Thread(target=connect, args=(args,))  # as that of a run in the background
thread.start()
thread.join()
print(ray.is_initialized(), RayWorkflow(workflow(lambda: 1)()).run())
""",
        folder,
    )
    assert out == ["True 1"]
