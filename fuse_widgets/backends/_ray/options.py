"""Options of Ray: what Ray itself says of them, and which go to a task and which to an actor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import ray
from ray.runtime_env import RuntimeEnv

__all__ = ["actor_options", "task_options", "wrong_options"]

#: What this backend sets itself, and why nobody else may.
OWN = {
    "name": "the node's name is used",
    "num_returns": "a node has one result",
    "max_calls": "Ray takes it in a decorator only",
    "max_concurrency": "the methods of an object run one after another",
    "concurrency_groups": "the methods of an object run one after another",
    "allow_out_of_order_execution": "the methods of an object run one after another",
    "max_pending_calls": "max_pending_tasks of run() is for that",
    "lifetime": "an object lives until its last method has run",
    "get_if_exists": "each run makes its objects anew",
    "namespace": "each run makes its objects anew",
    "max_restarts": "an object is made again from its constructor and methods, as often as max_retries says",
    "max_task_retries": "an object is made again from its constructor and methods, as often as max_retries says",
}
#: Options of tasks that mean something else, or nothing, for the actor that keeps an object.
_TASKS_ONLY = ("max_retries", "retry_exceptions")
#: What people set most, for a misspelt key.
_COMMON = [
    "num_cpus",
    "num_gpus",
    "memory",
    "resources",
    "max_retries",
    "retry_exceptions",
    "runtime_env",
    "scheduling_strategy",
    "label_selector",
    "accelerator_type",
]


def _nothing() -> None: ...


_probe = ray.remote(_nothing)


def wrong_options(options: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with options, by name; empty where Ray takes them all."""
    wrong = {}
    for name, value in options.items():
        if name in OWN:
            wrong[name] = f"this cannot be set here: {OWN[name]}"
        elif value is not None:
            try:
                _probe.options(**{name: value})
            except Exception as error:
                wrong[name] = _reason(name, error)
            else:
                unknown = _unknown_part(value) if name == "runtime_env" else None
                if unknown is not None:
                    wrong[name] = unknown
    if not wrong:
        try:  # what goes together
            _probe.options(**task_options(options))
        except Exception as error:
            wrong[next(iter(options), "")] = str(error)
    return wrong


def _unknown_part(runtime_env: Mapping[str, Any]) -> str | None:
    """What is unknown in a runtime_env, which Ray would only put into a log."""
    known = set(RuntimeEnv.known_fields)
    for name in runtime_env:
        if name not in known and "RAY_RUNTIME_ENV_PLUGINS" not in os.environ:
            near = get_close_matches(name, sorted(known), 1)
            way_out = (
                f"did you mean {near[0]!r}?"
                if near
                else "use 'pip', 'working_dir', 'py_modules', 'env_vars', …"
            )
            return f"a runtime_env has no {name!r}: {way_out}"
    return None


def _reason(name: str, error: Exception) -> str:
    text = str(error)
    if "nvalid option keyword" not in text:
        return text
    near = get_close_matches(name, _COMMON, 1)
    way_out = f"did you mean {near[0]!r}?" if near else f"use {', '.join(map(repr, _COMMON))}, …"
    return f"Ray has no such option: {way_out}"


def task_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options for the task of a function node."""
    return {name: value for name, value in options.items() if value is not None}


def actor_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options for the actor of a class node."""
    return {name: value for name, value in options.items() if value is not None and name not in _TASKS_ONLY}
