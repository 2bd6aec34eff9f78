"""What the driver knows of an object that an actor keeps: the order of calls, and a copy for each reader."""

from __future__ import annotations

from typing import Any

import pytest

from fuse_widgets import LocalWorkflow, workflow
from fuse_widgets.backends._ray.objects import AHEAD, KeptObject, kept_objects


class Actor:
    """Notes which copies were asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    @property
    def snapshot(self) -> Any:
        return self

    def options(self, **_: Any) -> Any:
        return self

    def remote(self, follows: int) -> str:
        self.asked.append(follows)
        return f"after {follows}, {len(self.asked)}"


@pytest.fixture
def kept() -> KeptObject:
    """Called: 0, 2 and 5, of 0, 2, 5 and 9; 3 and 4 read it after 2."""
    kept = KeptObject([0, 2, 5, 9], {3, 4, 10})
    kept.actor = Actor()
    return kept


def test_readers_between_the_same_calls_share_a_copy_that_later_calls_do_not_change(kept: KeptObject) -> None:
    kept.called(0)
    kept.called(2)
    assert kept.copy_for(3) == kept.copy_for(4) == "after 2, 1"
    kept.called(5)
    assert kept.copy_for(3) == "after 2, 1"  # also where it is handed in again
    kept.forget_reader(3)
    assert kept.copy_for(4) == "after 2, 1"
    kept.forget_reader(4)
    assert kept.copy_for(4) is None  # its turn is past: only an object made again has it
    assert kept.copy_for(10) == "after 5, 2"


def test_a_call_that_was_taken_back_takes_the_copies_after_it_along(kept: KeptObject) -> None:
    kept.called(0)
    kept.called(2)
    assert kept.copy_for(3) == "after 2, 1"
    kept.took_back(2)
    assert (kept.calls, kept.call_before(5)) == ([0], 0)
    kept.called(2)
    assert kept.copy_for(3) == "after 2, 2"


def test_calls_go_ahead_of_each_other_where_they_are_quick_and_never_past_one_that_comes_back(
    kept: KeptObject,
) -> None:
    kept.called(0)
    assert not kept.may_call(2)
    kept.ended(0, 0.001)
    for place in (2, 5):
        assert kept.may_call(place)
        kept.called(place)
    kept.ended(2, None)
    kept.took_back(2)
    assert not kept.may_call(2)  # 5 is still to come back
    kept.ended(5, None)
    kept.took_back(5)
    assert kept.may_call(2)
    kept.called(2)
    kept.ended(2, 1.0)
    kept.called(5)
    assert not kept.may_call(9)  # the last one was slow
    many = KeptObject(list(range(AHEAD + 2)), set())
    many.called(0)
    many.ended(0, 0.0)
    for place in range(1, AHEAD + 1):
        assert many.may_call(place)
        many.called(place)
    assert not many.may_call(AHEAD + 1)


def test_an_object_that_is_made_again_has_nothing_of_the_old_one(kept: KeptObject) -> None:
    kept.called(0)
    kept.copy_for(10)
    kept.renew(7)
    assert (kept.actor, kept.calls, kept.made_at, kept.copy_for(10)) == (None, [], 7, None)


def test_who_needs_an_object_is_known_from_the_graph() -> None:
    @workflow
    class Counter:
        def add(self, n: int) -> int:
            return n

    @workflow
    def same(*values: Any) -> Any:
        return values

    counter = Counter()
    reader = same(counter)
    total = counter.add(1)
    after = same(total, reader)
    order = LocalWorkflow(after)._order()
    (kept,) = kept_objects(order).values()
    assert kept.members == [order.place[counter], order.place[total]]
    assert kept.users == {order.place[reader], order.place[after]}
    assert (kept.left, kept.needed) == (2, 4)
