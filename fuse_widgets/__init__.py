"""See, steer and debug DAGs of Python functions inside JupyterLab.

Decorate functions with `workflow`, call them to build a DAG, and give its outputs to a backend such as
`LocalWorkflow`. A workflow at the end of a notebook cell shows itself as a `DAGWidget`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from .engine import views as _views

if TYPE_CHECKING:
    from .backends.local import LocalWorkflow
    from .backends.ray import RayWorkflow
    from .engine.errors import (
        BackendInfoError,
        ClusterError,
        DuplicateNodeNameError,
        ExceptionStandIn,
        FuseError,
        InputChangedError,
        NodeExecutionError,
        NodeTimeoutError,
        OutdatedNodeError,
        PatternError,
        PluginError,
        RunCancelledError,
        WorkerCrashedError,
    )
    from .engine.events import RunEvent
    from .engine.nodes import workflow
    from .engine.query import Query
    from .engine.run import Run
    from .engine.states import NodeState
    from .engine.workflow import BaseWorkflow
    from .plugins import InitializerPlugin, Plugin, PluginCollection, RandomStatePlugin
    from .storage.base import (
        DamagedTaskError,
        StorageError,
        TaskNotFoundError,
        UnsaveableResultError,
        storage_factory,
    )
    from .storage.file import FileStorage
    from .storage.input_file import InputFile, InputFileError
    from .storage.keep import Keep
    from .storage.ray import RayFileStorage
    from .widget.dag import DAGWidget
    from .widget.parts import BackendInfoForm, GraphView, Inspector, NodeTable, ProgressBar

__version__ = "0.1.0"

_HOMES = {
    "workflow": "engine.nodes",
    "BaseWorkflow": "engine.workflow",
    "LocalWorkflow": "backends.local",
    "RayWorkflow": "backends.ray",
    "Query": "engine.query",
    "Run": "engine.run",
    "RunEvent": "engine.events",
    "NodeState": "engine.states",
    "Plugin": "plugins",
    "InitializerPlugin": "plugins",
    "RandomStatePlugin": "plugins",
    "PluginCollection": "plugins",
    "FileStorage": "storage.file",
    "InputFile": "storage.input_file",
    "RayFileStorage": "storage.ray",
    "Keep": "storage.keep",
    "storage_factory": "storage.base",
    "DAGWidget": "widget.dag",
    "GraphView": "widget.parts",
    "NodeTable": "widget.parts",
    "Inspector": "widget.parts",
    "BackendInfoForm": "widget.parts",
    "ProgressBar": "widget.parts",
    "FuseError": "engine.errors",
    "BackendInfoError": "engine.errors",
    "ClusterError": "engine.errors",
    "DuplicateNodeNameError": "engine.errors",
    "ExceptionStandIn": "engine.errors",
    "InputChangedError": "engine.errors",
    "NodeExecutionError": "engine.errors",
    "NodeTimeoutError": "engine.errors",
    "OutdatedNodeError": "engine.errors",
    "PatternError": "engine.errors",
    "PluginError": "engine.errors",
    "RunCancelledError": "engine.errors",
    "WorkerCrashedError": "engine.errors",
    "InputFileError": "storage.input_file",
    "StorageError": "storage.base",
    "TaskNotFoundError": "storage.base",
    "DamagedTaskError": "storage.base",
    "UnsaveableResultError": "storage.base",
}

#: Left out of `__all__` unless ray is installed, so that a star import does not need it.
_OF_RAY = ("RayWorkflow", "RayFileStorage")

__all__ = [name for name in _HOMES if name not in _OF_RAY or importlib.util.find_spec("ray") is not None]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def _cytoscape(workflow: BaseWorkflow, **options: Any) -> Any:
    from .widget.cytoscape import CytoscapeGraph

    return CytoscapeGraph(workflow, **options)


_views.register_view("cytoscape", _cytoscape)

if "IPython" in sys.modules:
    from . import _ipython

    _ipython.register()
