"""The public face: which names there are, and what it costs to import them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fuse_widgets

NAMES = [
    "BackendInfoError",
    "BackendInfoForm",
    "BaseWorkflow",
    "ClusterError",
    "DAGWidget",
    "DamagedTaskError",
    "DuplicateNodeNameError",
    "ExceptionStandIn",
    "FileStorage",
    "FuseError",
    "GraphView",
    "InitializerPlugin",
    "InputChangedError",
    "InputFile",
    "InputFileError",
    "Inspector",
    "Keep",
    "LocalWorkflow",
    "NodeExecutionError",
    "NodeState",
    "NodeTable",
    "NodeTimeoutError",
    "OutdatedNodeError",
    "PatternError",
    "Plugin",
    "PluginCollection",
    "PluginError",
    "ProgressBar",
    "Query",
    "RandomStatePlugin",
    "RayFileStorage",
    "RayWorkflow",
    "Run",
    "RunCancelledError",
    "RunEvent",
    "StorageError",
    "TaskNotFoundError",
    "UnsaveableResultError",
    "WorkerCrashedError",
    "storage_factory",
    "workflow",
]
HEAVY = (
    "IPython",
    "anywidget",
    "ipycytoscape",
    "ipywidgets",
    "joblib",
    "loky",
    "numpy",
    "pydantic",
    "ray",
    "traitlets",
)


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_public_names_are_these() -> None:
    assert sorted(fuse_widgets.__all__) == NAMES


def test_every_public_name_is_there_and_documented() -> None:
    undocumented = [
        name for name in fuse_widgets.__all__ if not (getattr(fuse_widgets, name).__doc__ or "").strip()
    ]
    assert undocumented == []


def test_every_exception_has_the_common_base() -> None:
    errors = [name for name in NAMES if name.endswith("Error")]
    assert [
        name for name in errors if not issubclass(getattr(fuse_widgets, name), fuse_widgets.FuseError)
    ] == []


def test_completion_offers_the_public_names() -> None:
    assert set(NAMES) <= set(dir(fuse_widgets))


def test_an_unknown_name_raises_and_is_named() -> None:
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        getattr(fuse_widgets, "nothing_of_this_name")  # noqa: B009


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = run_python(f"import sys, fuse_widgets; print(*[m for m in {HEAVY!r} if m in sys.modules])")
    assert loaded.split() == []


def test_the_decorator_alone_needs_only_the_standard_library() -> None:
    loaded = run_python(
        f"import sys\nfrom fuse_widgets import workflow, BaseWorkflow\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert loaded.split() == []


@pytest.mark.parametrize("name", ["RayWorkflow", "RayFileStorage"])
def test_without_ray_the_error_says_what_to_install(name: str) -> None:
    code = f"""import sys
sys.modules["ray"] = None
import fuse_widgets
try:
    fuse_widgets.{name}
except ImportError as error:
    print(error)
"""
    assert run_python(code).strip() == f'{name} needs ray: pip install "fuse_widgets[ray]"'
