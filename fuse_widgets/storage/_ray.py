"""Connecting to a Ray cluster, and what storage does on a machine of it."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cloudpickle
import ray

from ..engine.errors import ClusterError, message_of, shorten
from ._compat import address_on_this_machine, ping, unsaid
from ._machines import missing
from ._staying import run_on_thread_that_stays
from .base import DamagedTaskError, StorageError, log_damage

__all__ = [
    "address_of",
    "answer",
    "asked",
    "call_there",
    "call_there_soon",
    "check_there",
    "connect",
    "host",
    "load_error",
    "not_there",
    "read_there",
    "save_there",
]

#: Seconds that an address has to answer.
ANSWER = 5.0
#: Seconds that a Ray client tries to get a lost connection back, where the user's environment does not say.
GRACE = ("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "15")
#: What Ray says where a machine was too busy to start it, or the server of a client, in time.
_BUSY = (
    "timed out during startup",
    "Starting Ray client server failed",
    "Proxy failed to Connect to backend",
    "ZombieProcess",
)
#: What Ray warns of on any thread but the main one, as in `start()` and after a click on Run; nobody is to do anything about it.
_NO_HANDLER = "SIGTERM handler is not set"
#: How often that is tried: what the one before has loaded is in memory then.
TRIES = 3
#: How Ray tells of versions that differ: of the cluster, then of this process.
_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")
#: Seconds between two looks whether the machine of a storage is still there.
LOOK = 2.0
#: Seconds between two looks whether the caller still waits.
POLL = 0.2
#: Seconds to wait for what nobody depends on.
SOON = 2.0


def connect(ray_init_args: Mapping[str, Any]) -> None:
    """Use the running connection to a cluster, or make one.

    Args:
        ray_init_args: The arguments of `ray.init`.

    Raises:
        ClusterError: The address does not answer, an argument is wrong, or versions differ.
    """
    if ray.is_initialized():
        return
    address = address_of(ray_init_args)
    os.environ.setdefault(*GRACE)
    came = False
    try:
        address = _found(address, ray_init_args)
        _knock(address)
        if address.startswith("ray://"):
            _ping(address)
        came = True
        _init(ray_init_args)
    except ClusterError:
        raise
    except Exception as error:
        if (
            came
            and address not in ("", "local")
            and "://" not in address
            and isinstance(error, ConnectionError)
        ):
            raise ClusterError(_not_joined(address, error)) from None
        raise ClusterError(_why_not(address, ray_init_args, error)) from None  # it says all that Ray said


def address_of(ray_init_args: Mapping[str, Any]) -> str:
    """The address that `ray.init` takes; empty for a cluster that is there already, else a new one, on this machine."""
    address = str(ray_init_args.get("address") or "")
    return os.environ.get("RAY_ADDRESS") or address if address in ("", "auto") else address


def _found(address: str, ray_init_args: Mapping[str, Any]) -> str:
    """The address of the cluster on this machine, where none is named; empty where there is none to be had.

    Raises:
        ConnectionError: There has to be one, and there is none.
    """
    if address not in ("", "auto"):
        return address
    found = address_on_this_machine(address or None, ray_init_args.get("_temp_dir"))
    return address if found is None else found


def _init(ray_init_args: Mapping[str, Any]) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            with unsaid(_NO_HANDLER):
                if address_of(ray_init_args) in ("", "local"):
                    run_on_thread_that_stays(partial(ray.init, **ray_init_args))
                else:
                    ray.init(**ray_init_args)
            return
        except Exception as error:
            ray.shutdown()  # what was begun would stay in the way of the next attempt
            if attempt == TRIES or not any(text in message_of(error) for text in _BUSY):
                raise


def _knock(address: str) -> None:
    """Raise OSError where nobody answers; `ray.init` would try for two minutes."""
    host, _, port = address.removeprefix("ray://").partition("?")[0].rpartition(":")
    if host and port.isdigit():
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER):
            pass


def _ping(address: str) -> None:
    """Raise ClusterError where no server of Ray clients lets this process in; Ray would try for half a minute."""
    try:
        import grpc
    except ImportError:  # `ray.init` says so
        return
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return
    with grpc.insecure_channel(address.removeprefix("ray://").partition("?")[0]) as channel:
        try:
            ping(channel, ANSWER)
        except grpc.RpcError as error:
            code = error.code()
        else:
            return
    if code is grpc.StatusCode.UNIMPLEMENTED:
        raise ClusterError(
            f"the Ray cluster at {address!r} has no Ray client server at this port: use that of "
            "`ray start --head --ray-client-server-port` (10001 unless it was set), or leave ray:// out where this "
            "process runs on a machine of the cluster."
        )
    if code is grpc.StatusCode.UNAVAILABLE or code is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise ConnectionError(f"what listens there is no Ray client server: {code.name.lower()}")
    if code is grpc.StatusCode.UNAUTHENTICATED and os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        raise ClusterError(_wants_token(address))


def _wants_token(address: str) -> str:
    return (
        f"the Ray cluster at {address!r} asks for a token, and this process shows none, or another one. Set the "
        "environment variables RAY_AUTH_MODE=token and, where the token is not in ~/.ray/auth_token, "
        "RAY_AUTH_TOKEN_PATH, and start Python anew."
    )


def _why_not(address: str, args: Mapping[str, Any], error: Exception) -> str:
    text = shorten(message_of(error), 600)
    if "ray[client]" in text:
        return f'the address {address!r} needs the Ray client: pip install "ray[client]=={ray.__version__}".'
    versions = _VERSIONS.findall(message_of(error))
    if len(versions) == 2:
        (ray_there, python_there), (ray_here, python_here) = versions
        where = (
            "the Ray cluster of this machine"
            if address in ("", "auto")
            else f"the Ray cluster at {address!r}"
        )
        client = "[client]" if address.startswith("ray://") else ""
        return (
            f"{where} runs Ray {ray_there} on Python {python_there}, and this process Ray {ray_here} on Python "
            f"{python_here}, which do not fit together: install the same here, Python {python_there} with pip install "
            f'"ray{client}=={ray_there}", or start the cluster with the versions of this process.'
        )
    if "ersion" in text:
        return (
            f"the Ray cluster at {address!r} and this process do not fit together: {text} Install the same versions "
            f"of Ray (here {ray.__version__}) and Python on both sides."
        )
    if "Initialization failure from server" in text:
        said = message_of(error).strip().splitlines()[-1]
        return (
            f"the Ray client server at {address!r} answers, but could not start a session for this process: "
            f"{shorten(said, 300)} Its logs are on the head node, in session_latest/logs of Ray's folder; a "
            "'runtime_env' in ray_init_args that cannot be set up there is a common cause."
        )
    if isinstance(error, OSError):
        return f"{_nobody(address, args, text)}, or use {{'address': 'local'}} to start Ray on this machine."
    shown = shorten(repr(dict(args)), 200)
    return f"ray.init refuses ray_init_args={shown}: {type(error).__name__}: {text}"


def _not_joined(address: str, error: ConnectionError) -> str:
    """Somebody listens, and Ray could not connect: most often since it wants a part of the cluster on each machine."""
    said = message_of(error.__cause__ or error)
    if "token" in said.lower():
        return _wants_token(address)
    return (
        f"something listens at {address!r}, and this process could not join a Ray cluster there "
        f"({shorten(said, 300)}): from a machine that is no part of the cluster the address is "
        "ray://host:10001, where the head was started with `ray start --head --ray-client-server-port=10001`."
    )


def _nobody(address: str, args: Mapping[str, Any], text: str) -> str:
    """Who does not answer, who named it, and what to do."""
    if address == "auto":
        return (
            "no Ray cluster runs on this machine, which is where {'address': 'auto'} looks for one: start it with "
            "`ray start --head`, or name the address of another one"
        )
    if not address:
        return f"no Ray cluster could be started ({text}): try again"
    given = args.get("address")
    if given == address:
        return f"no Ray cluster answers at {address!r} ({text}). Check the address and that the cluster runs (`ray start --head` starts one)"
    if os.environ.get("RAY_ADDRESS") == address:
        return f"no Ray cluster answers at {address!r} ({text}), which the environment variable RAY_ADDRESS names. Set another one there"
    return f"no Ray cluster answers at {address!r} any more ({text}), where `ray start` had started the last one of this machine. Start it again"


def check_there(remote_args: Mapping[str, Any]) -> None:
    """Look whether a machine can run the tasks of a storage.

    Raises:
        StorageError: None can.
    """
    why = missing(remote_args, ray.nodes())
    if why is not None:
        raise StorageError(not_there(why))


def answer(ref: Any, remote_args: Mapping[str, Any], look: Callable[[], None] = lambda: None) -> Any:
    """What a task on the machine of a storage gives.

    Args:
        ref: The reference that is waited for.
        remote_args: The options of the task.
        look: Called again and again; what it raises ends the waiting.

    Raises:
        StorageError: No machine of the cluster can run it any more, or Ray lost it.
    """
    check_at = time.monotonic() + LOOK
    try:
        while not ray.wait([ref], timeout=POLL)[0]:
            look()
            if time.monotonic() > check_at:
                check_there(remote_args)
                check_at = time.monotonic() + LOOK
    except KeyboardInterrupt:  # a Ray client may not be asked anything now
        raise
    except BaseException:  # it must not be done later, when a machine that can joins
        with contextlib.suppress(Exception):
            ray.cancel(ref)
        raise
    try:
        return ray.get(ref)
    except ray.exceptions.RayError as error:
        text = " ".join(shorten(message_of(error), 400).split())
        raise StorageError(
            f"the machine of the storage did not answer: {type(error).__name__}: {text}. Check remoteArgs="
            f"{dict(remote_args)!r}, or give the storage another machine."
        ) from error


def not_there(why: str) -> str:
    """Says that the machine of a storage is gone."""
    return (
        f"the machine of the storage is not there: it {why}. Start it again with what remoteArgs names, or give the "
        "storage another machine."
    )


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


@ray.remote(num_returns=2)
def read_there(storage: bytes, workflow: str, task: str, fingerprint: Any) -> tuple[Any, bytes | None]:
    """A stored result, and the pickled error where it cannot be read."""
    try:
        return pickle.loads(storage).read_task(workflow, task, **asked(fingerprint)), None
    except Exception as error:
        return None, _pickled(error)


def asked(fingerprint: Any) -> dict[str, Any]:
    """Return the argument that asks for one fingerprint; none for a storage that is asked by name."""
    return {} if fingerprint is None else {"fingerprint": fingerprint}


@ray.remote
def call_there(
    storage: bytes, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, bytes | None]:
    """What a method of a storage returns, and the pickled error where it raises."""
    try:
        return getattr(pickle.loads(storage), method)(*args, **kwargs), None
    except Exception as error:
        return None, _pickled(error)


def call_there_soon(
    storage: bytes, method: str, args: tuple[Any, ...], remote_args: Mapping[str, Any]
) -> None:
    """Call a method of a storage, and wait for it a moment at most; whether it can be done is not told."""
    try:
        check_there(remote_args)
        ref = call_there.options(**remote_args).remote(storage, method, args, {})
        ray.wait([ref], timeout=SOON)
    except Exception:
        pass


@ray.remote
def save_there(storage: bytes, workflow: str, task: str, value: Any, more: dict[str, Any]) -> bytes | None:
    """Save a result; the pickled error where that fails."""
    try:
        pickle.loads(storage).save(workflow, task, value, **more)
    except Exception as error:
        return _pickled(error)
    return None


def load_error(error: bytes) -> Exception:
    """Return the exception that a storage raised on its machine; damage is logged here, too."""
    raised: Exception = pickle.loads(error)
    if isinstance(raised, DamagedTaskError):
        log_damage(str(raised), raised.path or "", raised.reason, raised.set_aside)
    return raised


def _pickled(error: Exception) -> bytes:
    if not isinstance(error, StorageError):
        error = StorageError(f"{type(error).__name__}: {message_of(error)}")
    error.args = (f"{error.args[0]} (on machine {host()})", *error.args[1:])
    error.__cause__ = error.__context__ = None
    return bytes(cloudpickle.dumps(error))
