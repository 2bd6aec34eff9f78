"""What is said, and what is not, as Ray is connected to; nothing here starts it."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import Any

import pytest

from fuse_widgets import ClusterError
from fuse_widgets.storage._staying import run_on_thread_that_stays

ray = pytest.importorskip("ray")

from fuse_widgets.storage._ray import connect  # noqa: E402


def refused_by_ray(error: Exception, monkeypatch: Any) -> str:
    """The traceback of a connection that `ray.init` refuses, as Python shows it."""

    def init(**args: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ClusterError) as caught:
        connect({"address": "local"})
    return "".join(traceback.format_exception(caught.value))


def test_what_ray_says_to_a_connection_is_told_once_in_our_words(monkeypatch: Any) -> None:
    versions = "Version mismatch: started with:\n Ray: 2.9\n Python: 3.12.1\nThis process:\n Ray: 2.60.0\n Python: 3.11.7"
    shown = refused_by_ray(RuntimeError(versions), monkeypatch)
    assert "runs Ray 2.9 on Python 3.12.1" in shown
    assert "RuntimeError" not in shown
    assert shown.count("Traceback") == 1


def test_ray_that_starts_on_another_thread_does_not_warn_of_its_signal_handler(
    monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("ray._private.worker")

    def init(**args: Any) -> None:
        log.warning("SIGTERM handler is not set because current thread is not the main thread.")
        log.warning("the disk is full")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    log.addHandler(caplog.handler)  # Ray's loggers hand nothing on
    try:
        connect({"address": "local"})
        log.warning("SIGTERM handler is not set")
    finally:
        log.removeHandler(caplog.handler)
    assert set(caplog.messages) == {"the disk is full", "SIGTERM handler is not set"}


def test_what_threads_start_is_started_on_one_thread_that_stays() -> None:
    told: list[threading.Thread] = []

    def start() -> None:
        told.append(run_on_thread_that_stays(threading.current_thread))

    for thread in [threading.Thread(target=start), threading.Thread(target=start)]:
        thread.start()
        thread.join()
    assert told[0] is told[1]
    assert told[0].is_alive()
    assert told[0].daemon
    assert run_on_thread_that_stays(threading.current_thread) is threading.current_thread()


def test_what_is_raised_on_the_thread_that_stays_reaches_the_caller_and_it_goes_on() -> None:
    caught: list[Any] = []

    def start() -> None:
        try:
            run_on_thread_that_stays(lambda: 1 / 0)
        except ZeroDivisionError as error:
            caught.append(error)
        caught.append(run_on_thread_that_stays(lambda: 2))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert [type(value) for value in caught] == [ZeroDivisionError, int]
