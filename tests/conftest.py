"""What every test may rely on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine takes its time for an example, too.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Tests that start a kernel or a JupyterLab use the kernel of this environment, whatever the user has installed,
# and are not told about it.
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
# Ray's workers have a low priority: beside other tests they would hardly run.
os.environ.setdefault("RAY_worker_niceness", "0")

# A shell starts what it puts in the background with Ctrl-C ignored, and Python leaves it so.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
BROWSER_FILES = sorted((ROOT / "tests" / "browser").glob("test_*.py"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One Ray cluster for the whole session, with a resource `disk`; started where a test first needs it.

    RAY_ADDRESS names one that is there already: `ray start --head --num-cpus=2 --resources '{"disk": 1}'`.
    """
    ray = pytest.importorskip("ray")
    new = {"num_cpus": 2, "resources": {"disk": 1}, "include_dashboard": False, "object_store_memory": 10**9}
    address = os.environ.get("RAY_ADDRESS", "local")
    for attempt in range(4):  # it has 30 s to start, which is little on a busy machine
        try:
            ray.init(address, log_to_driver=False, **(new if address == "local" else {}))
            break
        except Exception:
            ray.shutdown()
            if attempt == 3:
                raise
    yield
    ray.shutdown()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what drives a browser, uses the Ray cluster, or starts processes or a server, so that no test can forget to.

    To pytest-xdist (`--dist loadgroup`) Ray is one group, and each half of the browser's files another: one process runs a group,
    with one cluster or JupyterLab. It looks for groups as soon as all tests are collected.
    """
    if (ROOT / "tests" / "browser") in item.path.parents:
        item.add_marker(pytest.mark.browser)
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if "ray_cluster" in getattr(item, "fixturenames", ()) or params.get("make") == "ray":
        item.add_marker(pytest.mark.ray)
    starts = {
        *getattr(item, "fixturenames", ()),
        *(value for value in params.values() if isinstance(value, str)),
    }
    if starts & {"processes", "process", "s3"}:
        item.add_marker(pytest.mark.slow)
    if item.get_closest_marker("ray"):
        item.add_marker(pytest.mark.xdist_group("ray"))
    elif item.get_closest_marker("browser"):
        part = BROWSER_FILES.index(item.path) % 2 if item.path in BROWSER_FILES else 1
        item.add_marker(pytest.mark.xdist_group(f"browser {part}"))
