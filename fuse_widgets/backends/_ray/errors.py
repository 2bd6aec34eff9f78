"""What Ray's exceptions mean for a node, in words with the machine and the way out."""

from __future__ import annotations

import re
from typing import Any

from ray import exceptions

from ... import __version__
from ...engine.errors import FuseError, WorkerCrashedError, message_of, shorten
from .deaths import out_of_memory

__all__ = ["cause_of", "is_cancelled", "is_loss", "is_of_input", "is_out_of_memory", "plain", "why_not_saved"]

_LOSSES = (
    exceptions.RayActorError,
    exceptions.WorkerCrashedError,
    exceptions.OutOfMemoryError,
    exceptions.NodeDiedError,
    exceptions.ObjectLostError,
    exceptions.OwnerDiedError,
    exceptions.LocalRayletDiedError,
)


def cause_of(error: BaseException) -> BaseException:
    """What a task raised or could not be given, out of what Ray wraps it in."""
    while isinstance(error, exceptions.RayTaskError) and isinstance(error.cause, Exception):
        error = error.cause
    return error


def is_cancelled(error: BaseException) -> bool:
    """Whether a task was cancelled, or one that it needs."""
    return isinstance(cause_of(error), exceptions.TaskCancelledError)


def is_loss(error: BaseException) -> bool:
    """Whether a worker, a machine or a result was lost."""
    return isinstance(cause_of(error), _LOSSES)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Ray ended the worker because its machine ran out of memory."""
    return isinstance(cause_of(error), exceptions.OutOfMemoryError)


def is_of_input(error: BaseException) -> bool:
    """Whether it was an input that was lost, and not the worker of the task itself."""
    return isinstance(error, exceptions.RayTaskError | exceptions.ObjectLostError)


def plain(error: BaseException) -> BaseException:
    """What is raised for a node in place of Ray's own exception, which is its cause."""
    inner = cause_of(error)
    where = _where(error) or _where(inner)
    text = _in_words(error, inner, where)
    if text is None:
        return inner
    new = (WorkerCrashedError if is_loss(error) else FuseError)(text)
    new.__cause__ = error
    return new


def why_not_saved(error: BaseException) -> str:
    """Why a result was not saved, where Ray has no answer of the task that saves it on the machine of its storage.

    Args:
        error: What Ray has in place of the answer.
    """
    inner = cause_of(error)
    where = _where(error) or _where(inner)
    if is_cancelled(error):
        return "the run was cancelled before it was saved"
    if is_of_input(error) and is_loss(error):
        return "the result was lost before it was saved, and could not be made again"
    if isinstance(inner, exceptions.OutOfMemoryError):
        return (
            f"the machine that was saving it ran out of memory{_NOT_LOST}. remoteArgs={{'memory': bytes}} of the storage "
            "reserves more"
        )
    if isinstance(inner, exceptions.NodeDiedError):
        return f"the machine that was saving it was lost{_NOT_LOST}"
    if isinstance(inner, exceptions.WorkerCrashedError):
        return (
            f"the worker process{where} that was saving it died, which happens when it is killed or runs out of memory"
            f"{_NOT_LOST}. remoteArgs={{'max_retries': n}} of the storage lets Ray try again"
        )
    if isinstance(error, exceptions.RayError) and not is_of_input(error):
        return (
            f"Ray could not run the task that saves it{where}: {type(inner).__name__}{_ends(inner)}{_NOT_LOST}. Check "
            "remoteArgs of the storage"
        )
    return message_of(plain(error))


_NOT_LOST = "; the result itself is not lost"


def _in_words(error: BaseException, inner: BaseException, where: str) -> str | None:
    said = shorten(" ".join(message_of(inner).split()), 600)
    if isinstance(inner, exceptions.RaySystemError) and "traceback:" in message_of(inner):
        last = message_of(inner).strip().splitlines()[-1]
        return (
            f"a result cannot be read{where} ({shorten(last.strip(), 400)}): it was pickled where it was made, and what "
            "unpickles it fails here. Return plain values, or install the same modules on all machines"
        )
    if isinstance(inner, exceptions.OutOfMemoryError):
        return out_of_memory(message_of(inner))
    if isinstance(inner, exceptions.WorkerCrashedError):
        return (
            f"the worker process{where} died while it ran this node; that happens when it is killed, runs out of memory, "
            "or when compiled code crashes. remote_args={'max_retries': n} lets Ray try again"
        )
    if isinstance(inner, exceptions.NodeDiedError):
        return f"the machine{where} was lost while it ran this node ({said})"
    if isinstance(inner, exceptions.RayActorError):
        return f"the actor that keeps the object was lost{where} ({said})"
    if isinstance(inner, exceptions.ObjectLostError | exceptions.OwnerDiedError):
        return (
            f"a result that this node needs was lost with its machine, and could not be made again ({said})"
        )
    if isinstance(inner, exceptions.RuntimeEnvSetupError):
        return f"the runtime_env of this node could not be set up{where}{_ends(inner)}. Check remote_args['runtime_env']"
    if isinstance(inner, exceptions.TaskUnschedulableError | exceptions.ActorUnschedulableError):
        said = said.partition(" lease_id=")[0].removesuffix(".")
        return f"no machine may run this node: {said}. Check remote_args['scheduling_strategy']"
    if isinstance(inner, exceptions.TaskPlacementGroupRemoved | exceptions.ActorPlacementGroupRemoved):
        return "the placement group of this node was removed. Check remote_args['scheduling_strategy']"
    if isinstance(error, exceptions.RayTaskError):
        return _raised_by_ray(error, inner, where, said)
    if isinstance(inner, exceptions.RayError):
        return f"Ray could not run this node{where}: {type(inner).__name__}: {said}"
    return None


def _raised_by_ray(error: Any, inner: BaseException, where: str, said: str) -> str | None:
    """A task returns what its node raised: what is raised by the task comes from around it."""
    text = message_of(error)
    if "store_task_outputs" in text or "serialize" in text.lower() or "pickle" in said:
        if "copy of the object" in text:
            return (
                f"an object of a class cannot be copied from its worker{where}, since it cannot be pickled "
                f"({type(inner).__name__}: {said}). Pass on what a method of the object returns, or let "
                "__getstate__ of its class leave out what cannot be pickled"
            )
        return (
            f"its result cannot be pickled to leave its worker{where} ({type(inner).__name__}: {said}). Return what can "
            "be pickled, or keep it in the object of a @workflow class"
        )
    if isinstance(inner, ImportError) or "failed to import" in text or "No module named" in text:
        return (
            f"a module is missing on the machine{where} ({said}). Install fuse_widgets {__version__} and what your functions "
            "import there, or send it along: ray_init_args={'runtime_env': {'pip': [...]}}"
        )
    return None


def _ends(error: BaseException) -> str:
    """The machine, and the first and the last line of a long message: its subject, and the reason under a traceback."""
    lines = [line.strip() for line in message_of(error).splitlines() if line.strip()]
    ends = lines if len(lines) < 3 else [lines[0], "…", lines[-1]]
    node = _NODE.search(message_of(error))
    return (f" on {node[1]}: " if node else ": ") + shorten(" ".join(ends), 600).removesuffix(".")


#: A machine, and a process there, as Ray writes them into messages.
_NODE, _PROCESS = re.compile(r"\[Node ([^\]]+)\]"), re.compile(r"\(pid=(\d+), ip=([^,)]+)")


def _where(error: BaseException) -> str:
    ip, pid = getattr(error, "ip", None), getattr(error, "pid", None)
    said = None if ip else list(_PROCESS.finditer(message_of(error)))
    if said:  # the last one: where it came from
        pid, ip = said[-1].groups()
    return f" on {ip} (process {pid})" if ip else ""
