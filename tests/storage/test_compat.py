"""What is private in Ray and used by storage may be gone in a later version: what breaks then, and what goes on."""

from __future__ import annotations

import logging
import types
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from fuse_widgets.storage import _compat, _ray  # noqa: E402


def changed(**functions: Any) -> Any:
    return types.SimpleNamespace(services=types.SimpleNamespace(**functions))


def other_arguments() -> str:
    raise AssertionError


@pytest.mark.parametrize(
    "private",
    [
        types.SimpleNamespace(),
        changed(),
        changed(get_ray_address_from_environment=other_arguments, find_gcs_addresses=None),
    ],
)
def test_without_rays_search_ray_init_gets_the_address_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch, private: Any
) -> None:
    monkeypatch.setattr(ray, "_private", private)
    assert _compat.address_on_this_machine("auto", None) is None
    assert _ray._found("auto", {}) == "auto"
    assert _ray._found("", {}) == ""


class Channel:
    """Stands for a gRPC channel: keeps what is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def unary_unary(self, path: str) -> Any:
        return lambda request, timeout: self.asked.append((path, request, timeout))


def test_the_question_to_the_client_server_is_the_one_of_the_installed_ray() -> None:
    channel = Channel()
    _compat.ping(channel, 3.0)
    assert channel.asked == [("/ray.rpc.RayletDriver/ClusterInfo", b"\x08\x06", 3.0)]


@pytest.mark.parametrize("gone", ["_SERVICE", "_METHOD", "_REQUEST"])
def test_a_question_that_the_installed_ray_does_not_know_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    monkeypatch.setattr(_compat, gone, b"\x08\x63" if gone == "_REQUEST" else "Gone")
    channel = Channel()
    _compat.ping(channel, 3.0)
    assert channel.asked == []


def test_a_warning_of_rays_log_is_kept_out_of_it(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("ray._private.worker")
    log.addHandler(caplog.handler)
    try:
        with _compat.unsaid("no handler"):
            log.warning("there is no handler here")
            log.warning("something else")
        log.warning("no handler again")
    finally:
        log.removeHandler(caplog.handler)
    said = {record.getMessage() for record in caplog.records}
    assert said == {"something else", "no handler again"}
