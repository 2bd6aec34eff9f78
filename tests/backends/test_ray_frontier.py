"""Which nodes may be handed to Ray: for any graph, in any order of what happens to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import LocalWorkflow, workflow
from fuse_widgets.backends._ray_frontier import Frontier
from fuse_widgets.engine.nodes import Node
from fuse_widgets.engine.order import Order


@workflow
def needs(*parents: object) -> None:
    """A node."""


@workflow
class Counter:
    def add(self, *parents: object) -> None:
        """A method, which follows those before it."""


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """A graph of functions and of methods, which follow one another."""
    nodes: list[Node] = [Counter()]
    for _ in range(draw(st.integers(1, 14))):
        parents = draw(st.lists(st.sampled_from(nodes), max_size=3, unique=True))
        nodes.append(nodes[0].add(*parents) if draw(st.booleans()) else needs(*parents))
    return LocalWorkflow(*nodes)._order()


def before(order: Order, place: int) -> set[int]:
    """Those that a node waits for."""
    return {p for p in range(len(order.nodes)) if place in order.children[p]} | {
        p for p, followers in order.followers.items() if place in followers
    }


@given(orders(), st.data())
def test_each_node_comes_once_as_soon_as_what_it_waits_for_has_left(
    order: Order, data: st.DataObject
) -> None:
    frontier, left, set_aside = Frontier(order), set(), []
    frontier.restart(left)
    while len(left) < len(order.nodes):
        expected = {p for p in range(len(order.nodes)) if p not in left and before(order, p) <= left}
        first = frontier.first()
        assert first == min(expected - set(set_aside), default=None)
        if set_aside and (first is None or data.draw(st.booleans())):
            frontier.add(set_aside.pop())
            continue
        taken = data.draw(st.sampled_from(sorted(expected - set(set_aside))))
        frontier.remove(taken)
        if data.draw(st.booleans()):
            set_aside.append(taken)
        else:
            frontier.leave(taken)
            left.add(taken)
    assert frontier.first() is None


@given(orders(), st.data())
def test_a_restart_is_what_one_would_have_come_to_step_by_step(order: Order, data: st.DataObject) -> None:
    frontier = Frontier(order)
    frontier.restart(())
    left = []
    for _ in range(data.draw(st.integers(0, len(order.nodes)))):
        left.append(frontier.first())
        frontier.remove(left[-1])
        frontier.leave(left[-1])
    again = Frontier(order)
    again.outdated = True
    again.restart(left)
    assert not again.outdated
    while (first := frontier.first()) is not None:
        assert again.first() == first
        for one in (frontier, again):
            one.remove(first)
            one.leave(first)
    assert again.first() is None
