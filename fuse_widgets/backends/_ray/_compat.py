"""What the Ray backend uses of Ray that is not public there, each guarded. `tests/backends/test_ray_compat.py` says what breaks."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray import cloudpickle as ray_cloudpickle

__all__ = [
    "dead_workers",
    "is_client",
    "keep_file_names",
    "ran_out_of_memory",
    "reduce_ref",
    "ref_types",
    "submit",
    "tries_before",
]


def tries_before() -> int:
    """How often the present task was tried before.

    Without an answer of Ray it is 0: the node runs, and that its worker was lost before is not told.
    """
    try:
        return int(_count()())
    except Exception:
        return 0


@functools.cache
def _count() -> Callable[[], int]:
    try:
        core: Any = ray._private.worker.global_worker.core_worker
    except AttributeError:
        return int
    count: Callable[[], int] = getattr(core, "get_current_task_attempt_number", int)
    return count


def dead_workers() -> Iterator[Any]:
    """Ray's records of the workers that are no more.

    Without them a lost attempt ends as its loss was noticed, and why it was lost is told in general.

    Raises:
        Exception: Ray does not have them, or does not answer.
    """
    from ray.core.generated import gcs_pb2

    for raw in ray._private.state.state._connect_and_get_accessor().get_worker_table():
        worker = gcs_pb2.WorkerTableData.FromString(raw)
        if not worker.is_alive:
            yield worker


def ran_out_of_memory(worker: Any) -> bool:
    """Whether Ray ended a worker, given its record, because its machine ran out of memory."""
    from ray.core.generated import common_pb2

    return bool(worker.exit_type == common_pb2.WorkerExitType.NODE_OUT_OF_MEMORY)


def reduce_ref(ref: Any) -> Any:
    """Reduce a reference to an object as Ray's own pickler does: with its owner, without whom `ray.get` waits for ever.

    Ray keeps the object until the process that owns it ends.

    Raises:
        TypeError: Ray's pickler does not say how.
    """
    reduce = getattr(ray_cloudpickle.CloudPickler, "dispatch", {}).get(type(ref))
    if reduce is None:
        raise TypeError(
            f"a {type(ref).__name__} in a function, a global name or a result cannot travel here: pass it to the node as an "
            "argument, or return what it refers to"
        )
    return reduce(ref)


def ref_types() -> tuple[type, ...]:
    """Return the types of references to objects: through the Ray client there is one more."""
    if not is_client():
        return (ray.ObjectRef,)
    from ray.util.client.common import ClientObjectRef

    return ray.ObjectRef, ClientObjectRef


def is_client() -> bool:
    """Whether this process is connected through the Ray client; False if Ray does not say."""
    try:
        import ray.util.client as client

        return bool(client.ray.is_connected())
    except Exception:
        return False


def submit(task: Any, args: tuple[Any, ...], name: str) -> Any:
    """Submit a task with two results. `options()`, the public way, makes a class each time: 40 microseconds."""
    try:
        quick = task._remote
    except AttributeError:
        return task.options(name=name).remote(*args)
    try:
        return quick(args=args, kwargs={}, name=name, num_returns=2)
    except TypeError:  # it takes other arguments now
        return task.options(name=name).remote(*args)


def keep_file_names() -> None:
    """Let code that Ray itself pickles, as in a result that holds a function, keep its file name; without, errors show no lines.

    Nothing is done while Ray's own pickler keeps it, as that of 2.60 does and cloudpickle 3.1.3 does not.
    """
    try:
        table: Any = ray_cloudpickle.CloudPickler.dispatch_table
        reduce = table[types.CodeType]
        here = keep_file_names.__code__
        make, args = reduce(here)
        if make is not types.CodeType or make(*args).co_filename == here.co_filename:
            return
        place = args.index(make(*args).co_filename)

        def located(code: types.CodeType) -> Any:
            make, args = reduce(code)
            return make, (*args[:place], code.co_filename, *args[place + 1 :])

        table[types.CodeType] = located
    except Exception:  # another pickler altogether
        return
