"""Connecting to a Ray cluster, and what storage does on a machine of it."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Mapping
from typing import Any

import cloudpickle
import ray

from ..engine.errors import ClusterError, message_of, shorten
from .base import StorageError

__all__ = ["call_there", "connect", "host", "read_there", "save_there"]

#: Seconds that an address has to answer.
ANSWER = 5.0


def connect(ray_init_args: Mapping[str, Any]) -> None:
    """Use the running connection to a cluster, or make one.

    Args:
        ray_init_args: The arguments of `ray.init`.

    Raises:
        ClusterError: The address does not answer, an argument is wrong, or versions differ.
    """
    if ray.is_initialized():
        return
    address = str(ray_init_args.get("address") or os.environ.get("RAY_ADDRESS") or "")
    try:
        _knock(address)
        try:
            ray.init(**ray_init_args)
        except Exception as error:
            if "timed out during startup" not in message_of(error):
                raise
            ray.shutdown()  # the machine is busy: its second start finds much of the first in memory
            ray.init(**ray_init_args)
    except Exception as error:
        raise ClusterError(_why_not(address, ray_init_args, error)) from error


def _knock(address: str) -> None:
    """Raise OSError where nobody answers; `ray.init` would try for two minutes."""
    host, _, port = address.removeprefix("ray://").partition("?")[0].rpartition(":")
    if host and port.isdigit():
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER):
            pass


def _why_not(address: str, args: Mapping[str, Any], error: Exception) -> str:
    text = shorten(message_of(error), 600)
    if "ray[client]" in text:
        return f'the address {address!r} needs the Ray client: pip install "ray[client]=={ray.__version__}".'
    if "ersion" in text:
        return (
            f"the Ray cluster at {address!r} and this process do not fit together: {text} Install the same versions "
            f"of Ray (here {ray.__version__}) and Python on both sides."
        )
    if isinstance(error, OSError):
        what = f"no Ray cluster answers at {address!r}" if address else "no Ray cluster could be started"
        return (
            f"{what} ({text}). Check the address and that the cluster runs (`ray start --head` starts one), or leave "
            "the address out to start Ray on this machine."
        )
    shown = shorten(repr(dict(args)), 200)
    return f"ray.init refuses ray_init_args={shown}: {type(error).__name__}: {text}"


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


@ray.remote(num_returns=2)
def read_there(storage: bytes, workflow: str, task: str) -> tuple[Any, bytes | None]:
    """A stored result, and the pickled error where it cannot be read."""
    try:
        return pickle.loads(storage).read_task(workflow, task), None
    except Exception as error:
        return None, _pickled(error)


@ray.remote
def call_there(storage: bytes, method: str, args: tuple[Any, ...]) -> tuple[Any, bytes | None]:
    """What a method of a storage returns, and the pickled error where it raises."""
    try:
        return getattr(pickle.loads(storage), method)(*args), None
    except Exception as error:
        return None, _pickled(error)


@ray.remote
def save_there(storage: bytes, workflow: str, task: str, value: Any, more: dict[str, Any]) -> bytes | None:
    """Save a result; the pickled error where that fails."""
    try:
        pickle.loads(storage).save(workflow, task, value, **more)
    except Exception as error:
        return _pickled(error)
    return None


def _pickled(error: Exception) -> bytes:
    if not isinstance(error, StorageError):
        error = StorageError(f"{type(error).__name__}: {message_of(error)}")
    error.args = (f"{error.args[0]} (on machine {host()})", *error.args[1:])
    error.__cause__ = error.__context__ = None
    return bytes(cloudpickle.dumps(error))
