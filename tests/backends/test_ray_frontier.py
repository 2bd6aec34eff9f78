"""Which nodes may be handed to Ray: for any graph, in any order of what happens to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import LocalWorkflow, workflow
from fuse_widgets.backends._ray.frontier import Frontier
from fuse_widgets.engine.nodes import MethodNode, Node, ObjectNode
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
    """A graph of functions and of methods, which follow those before them on their objects."""
    objects: list[Node] = [Counter() for _ in range(draw(st.integers(1, 5)))]
    nodes = list(objects)
    for _ in range(draw(st.integers(1, 14))):
        parents = draw(st.lists(st.sampled_from(nodes), max_size=3, unique=True))
        obj = draw(st.sampled_from(objects))
        nodes.append(obj.add(*parents) if draw(st.booleans()) else needs(*parents))  # type: ignore[attr-defined]
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


def members(order: Order) -> dict[int, set[int]]:
    """The constructors of objects, each with its methods and itself."""
    found = {place: {place} for place, node in enumerate(order.nodes) if isinstance(node, ObjectNode)}
    for place, node in enumerate(order.nodes):
        if isinstance(node, MethodNode):
            found[order.place[node.object]].add(place)
    return found


@given(orders(), st.integers(1, 3), st.integers(1, 3), st.data())
def test_objects_come_while_there_is_room_and_one_by_one_where_nothing_else_can(
    order: Order, most_objects: int, most_sent: int, data: st.DataObject
) -> None:
    objects = members(order)
    sent: list[int] = []
    left: set[int] = set()
    over: set[int] = set()

    def live() -> int:
        return sum(constructor in left and not methods <= over for constructor, methods in objects.items())

    def room(alone: bool) -> bool:
        return live() < most_objects or (alone and not sent)

    frontier = Frontier(order, objects.__contains__, room)
    frontier.restart(())
    while len(over) < len(order.nodes):
        first = frontier.first()
        ready = {p for p in range(len(order.nodes)) if p not in left and before(order, p) <= left}
        others = ready - objects.keys()
        fits = live() < most_objects or not (others or sent)
        assert first == min(ready if fits else others, default=None)
        assert first is not None or sent  # else nothing would ever come
        if first is not None and len(sent) < most_sent and (not sent or data.draw(st.booleans())):
            frontier.remove(first)
            frontier.leave(first)
            sent.append(first)
            left.add(first)
        elif data.draw(st.booleans()) or first is None or len(sent) == most_sent:
            able = [p for p in sent if before(order, p) <= over]
            ended = data.draw(st.sampled_from(able))
            sent.remove(ended)
            over.add(ended)
        else:  # a pause: what had not begun comes back
            left = set(over)
            sent.clear()
            frontier.restart(left)
    assert frontier.first() is None


def test_a_constructor_that_waits_for_room_is_not_looked_at_for_each_node_that_comes() -> None:
    counters = [Counter() for _ in range(200)]
    others = [needs() for _ in range(200)]
    order = LocalWorkflow(*counters, *others)._order()
    asked: list[int] = []
    frontier = Frontier(order, lambda place: asked.append(place) or place < 200, lambda alone: alone)
    frontier.restart(())
    came = []
    while (first := frontier.first()) is not None:
        frontier.remove(first)
        frontier.leave(first)
        came.append(first)
    assert came == [*range(200, 400), *range(200)]
    assert len(asked) == 400


def test_a_node_that_is_wanted_is_no_object_without_room() -> None:
    order = LocalWorkflow(Counter(), needs(), needs())._order()
    frontier = Frontier(order, lambda place: place == 0, lambda alone: alone)
    frontier.restart(())
    assert frontier.first(lambda place: place != 1) == 2
    assert frontier.first(lambda place: place == 0) is None  # not alone: others can be handed in
    for place in (2, 1):
        frontier.remove(place)
        frontier.leave(place)
    assert frontier.first(lambda place: place == 0) == 0
