"""Messages of threads and signal handlers, each of which is read once."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

import pytest

from fuse_widgets.backends._inbox import Inbox


def test_messages_are_read_in_order_and_then_there_is_none() -> None:
    inbox = Inbox()
    for number in range(3):
        inbox.put((number,))
    assert [inbox.get(0) for _ in range(4)] == [(0,), (1,), (2,), None]
    inbox.put((4,))
    assert (inbox.get(10), inbox.get(0.01)) == ((4,), None)


def test_each_message_of_many_threads_is_read_once() -> None:
    inbox = Inbox()
    threads = [
        threading.Thread(target=lambda name=name: [inbox.put((name, number)) for number in range(2000)])
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    read = [inbox.get(30) for _ in range(8000)]
    assert inbox.get(0) is None
    for name in "abcd":
        assert [message[1] for message in read if message[0] == name] == list(range(2000))
    assert Counter(message[0] for message in read) == dict.fromkeys("abcd", 2000)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_handler_may_put_and_may_take_longer_than_the_reader_waits() -> None:
    """With `queue.SimpleQueue` the reader waits for ever."""
    inbox = Inbox()
    handled: list[str] = []

    def handle(number: int, frame: object) -> None:
        threading.Event().wait(0.2)
        handled.append("yes")
        if number == signal.SIGUSR2:
            inbox.put(("from the handler",))

    before = {number: signal.signal(number, handle) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    try:
        for number, message in ((signal.SIGUSR1, None), (signal.SIGUSR2, ("from the handler",))):
            presser = threading.Timer(0.05, os.kill, (os.getpid(), number))
            presser.start()
            assert inbox.get(0.1) == message
            presser.join()
        assert handled == ["yes", "yes"]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
