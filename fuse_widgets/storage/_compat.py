"""What storage uses of Ray that is not public there, each guarded. `tests/storage/test_compat.py` says what breaks.

Imports Ray, and is imported by what uses Ray alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import ray

__all__ = ["address_on_this_machine", "ping", "unsaid"]

#: "Are you there?" to the server of Ray clients, the first thing that `ray.init` asks it: service, method, and the request as protobuf.
_SERVICE, _METHOD, _REQUEST = "RayletDriver", "ClusterInfo", b"\x08\x06"


def address_on_this_machine(address: str | None, folder: Any) -> str | None:
    """Return the address of the cluster that runs on this machine, as `ray.init` finds it; "" if there is none.

    Args:
        address: `"auto"` if there has to be one, else None.
        folder: The argument `_temp_dir` of `ray.init`.

    Returns:
        None if Ray does not say: then `ray.init` finds the cluster by itself, and says less where it cannot.

    Raises:
        ConnectionError: There has to be one, and there is none.
    """
    try:
        services: Any = ray._private.services
        find, known = services.get_ray_address_from_environment, services.find_gcs_addresses
    except AttributeError:
        return None
    if hasattr(known, "cache_clear"):  # what ran when this was asked last may be gone
        known.cache_clear()
    try:
        return find(address, folder) or ""
    except TypeError:  # it takes other arguments now
        return None


def ping(channel: Any, timeout: float) -> None:
    """Ask the server of Ray clients at the other end of a gRPC channel whether it is there.

    The path is private to Ray. If the client of the Ray that is installed here knows no such question, nothing is asked:
    `ray.init` then takes longer to say what is wrong.

    Raises:
        grpc.RpcError: It is not there, or refuses this process.
    """
    if _knows_ping():
        channel.unary_unary(f"/ray.rpc.{_SERVICE}/{_METHOD}")(_REQUEST, timeout=timeout)


def _knows_ping() -> bool:
    try:
        from ray.core.generated import ray_client_pb2

        ray_client_pb2.DESCRIPTOR.services_by_name[_SERVICE].methods_by_name[_METHOD]
        request = ray_client_pb2.ClusterInfoRequest(type=ray_client_pb2.ClusterInfoType.PING)
        return bool(
            ray_client_pb2.DESCRIPTOR.package == "ray.rpc" and request.SerializeToString() == _REQUEST
        )
    except Exception:
        return False


@contextlib.contextmanager
def unsaid(text: str) -> Iterator[None]:
    """Keep one warning of Ray's out of the log. Where Ray logs it elsewhere, it is said."""
    import logging

    log = logging.getLogger("ray._private.worker")

    def other(record: logging.LogRecord) -> bool:
        return text not in record.getMessage()

    log.addFilter(other)
    try:
        yield
    finally:
        log.removeFilter(other)
