"""RayWorkflow through the Ray client (`ray://`), in a program of its own, with a cluster of its own."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.programs import run_program, without_ray

pytest.importorskip("ray")
pytest.importorskip("grpc", reason='the Ray client needs grpcio: pip install "ray[client]"')
pytestmark = [pytest.mark.slow, pytest.mark.ray]

START = """
import signal, threading

address = sys.argv[2]

def on_ray(*nodes, **more):
    return RayWorkflow(*nodes, ray_init_args={"address": address}, **more)

def add(*xs):
    return sum(xs)

def wait_for(path, x):
    print("waiting for", x, flush=True)
    while not os.path.exists(path):
        time.sleep(0.02)
    return x

class Counter:
    def __init__(self, value):
        self.value = value
    def add(self, n):
        if n < 0:
            raise ValueError(f"{n} is less than nothing")
        self.value += n
        return self.value

add, wait_for, Counter = workflow(add), workflow(wait_for), workflow(Counter)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a cluster with a client server, which asks for a token, and the environment that has it."""
    folder = Path("/tmp") if Path("/tmp").is_dir() else tmp_path_factory.mktemp("ray")
    environment = without_ray() | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # For each connection Ray starts a process, which has 30 s otherwise.
    environment["RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"] = "180"
    port, client_port = _free_port(), _free_port()
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}"),
        *(f"--ray-client-server-port={client_port}", "--node-ip-address=127.0.0.1", "--num-cpus=2"),
        *("--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=200000000"),
        *("--resources", '{"disk": 1}'),
    ]
    with open(tmp_path_factory.mktemp("log") / "ray.log", "w+") as log:
        for attempt in range(4):  # each has 30 s to start, which is little on a busy machine
            ray = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
            if _answers(client_port, ray):
                break
            ray.terminate()
            ray.wait(60)
            assert attempt < 3, Path(log.name).read_text()
        yield f"ray://127.0.0.1:{client_port}", environment | {"HEAD": f"127.0.0.1:{port}"}
        ray.terminate()  # it ends what it has started
        ray.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    pause = threading.Event()
    for _ in range(900):
        if process.poll() is not None:
            return False
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        pause.wait(0.2)
    return False


def test_a_run_through_the_client_is_like_any_other(
    cluster: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    address, environment = cluster
    out = run_program(
        START
        + """
# --- values are those of Local, an object keeps its state, large arguments and arrays arrive
import numpy as np
big = np.arange(100_000.0)
counter = Counter(add(1, 2))
nodes = [counter.add(4), counter.add(5), add(add(2), 3), workflow(lambda x: x * 2)(big), counter]
for kind in (LocalWorkflow, on_ray):
    first, second, third, array, final = kind(*nodes).run()
    print(kind.__name__, first, second, third, array.sum(), array.flags.writeable, final.value)

# --- `running` and what is printed come while the node runs; a pause holds what follows
held = wait_for(str(folder / "go"), 7).set_name("held")
wf = on_ray(add(held, 1).set_name("after"))
wf.query("held").set_remote_args({"num_cpus": 1, "resources": {"disk": 0.1}})
run = wf.start()
until(lambda: run.states["held"] == "running" and "held" in run.outputs)
print("printed", run.outputs["held"].text.strip())
running = next(e for e in run.events if e.node == "held" and e.state == "running")
print("running", sorted(running.detail), running.detail["pid"] != os.getpid())
run.pause()
(folder / "go").touch()
until(lambda: run.states["after"] == "paused")
run.resume()
print("resumed", run.wait(180))

# --- errors in words, with the inputs
bad = Counter(1).add(-3).set_name("bad")
try:
    on_ray(add(bad).set_name("lost"), add(8).set_name("good")).run()
except NodeExecutionError as error:
    print("error", error, error.inputs[0][1:])
try:
    on_ray(workflow(lambda: threading.Lock())().set_name("lock")).run()
except NodeExecutionError as error:
    print("error", error)

# --- storage on the machine that remoteArgs picks
def stored():
    wf = on_ray(add(add(1).set_name("one"), 1).set_name("two"), workflow_name="w")
    wf.set_storage(RayFileStorage(folder / "store", {"resources": {"disk": 0.1}}))
    return wf.run(), *map(str, wf.last_run.states.values())
print("stored", stored(), stored())

# --- cancel, and Ctrl-C in the middle of handing in
run = on_ray(add(wait_for(str(folder / "never"), 1).set_name("never")).set_name("then")).start()
until(lambda: run.states["never"] == "running")
run.cancel()
run.cancel()
try:
    run.wait(180)
except RunCancelledError:
    print("cancelled", *run.states.values())
last = add(0)
for _ in range(300):
    last = add(last, 1)
wf = on_ray(last)
asked = threading.Event()
def interrupt(events):
    if len(wf.active_run.events) > 60 and not asked.is_set():
        asked.set()
        os.kill(os.getpid(), signal.SIGINT)
wf.subscribe(interrupt)
try:
    print("result", wf.run())
except KeyboardInterrupt:
    print("interrupted", "queued" in wf.last_run.states.values())
print("usable", on_ray(add(4, 5)).run())

import ray
ray.shutdown()
print("connects anew", on_ray(add(5, 5)).run())
""",
        tmp_path,
        address,
        environment=environment,
    )
    assert "LocalWorkflow 7 12 5 9999900000.0 True 12" in out
    assert "on_ray 7 12 5 9999900000.0 True 12" in out
    assert "running ['host', 'node_id', 'pid'] True" in out
    assert "printed waiting for 7" in out
    assert "resumed 8" in out
    assert "error node 'bad' failed with ValueError: -3 is less than nothing" in out
    assert "node 'lock' failed with FuseError: its result cannot be pickled to leave its worker" in out
    assert "stored (2, 'done', 'done') (2, 'cached', 'cached')" in out
    assert "cancelled cancelled pending" in out
    assert "interrupted False" in out
    assert "usable 9" in out
    assert "connects anew 10" in out


def test_an_address_that_cannot_be_used_is_told_at_once(
    cluster: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    address, environment = cluster
    without = {key: value for key, value in environment.items() if not key.startswith("RAY_AUTH")}
    without |= {"HOME": str(tmp_path)}  # where Ray makes a token of its own
    out = run_program(
        START
        + """
import socket

def tell(what, address):
    began = time.monotonic()
    try:
        RayWorkflow(add(1), ray_init_args={"address": address}).run()
    except ClusterError as error:
        print(what, time.monotonic() - began < 60, error)

tell("token", address)
with socket.socket() as listening:
    listening.bind(("127.0.0.1", 0))
    nobody = f"ray://127.0.0.1:{listening.getsockname()[1]}"
    tell("nobody", nobody)
    listening.listen()
    tell("silent", nobody)
tell("direct", os.environ["HEAD"])
""",
        tmp_path,
        address,
        environment=without,
    )
    token, nobody, silent, direct = (
        line for line in out.splitlines() if line.startswith(("token", "nobody", "silent", "direct"))
    )
    assert token.startswith(f"token True the Ray cluster at {address!r} asks for a token")
    assert "RAY_AUTH_MODE=token" in token
    assert nobody.startswith("nobody True no Ray cluster answers at 'ray://127.0.0.1:")
    assert "what listens there is no Ray client server" in silent
    assert silent.startswith("silent True")
    assert direct.startswith(f"direct True the Ray cluster at {environment['HEAD']!r} asks for a token")
