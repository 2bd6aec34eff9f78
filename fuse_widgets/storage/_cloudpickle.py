"""What picklers rely on of cloudpickle that is not public, guarded. `tests/backends/test_slots.py` says what breaks."""

from __future__ import annotations

import types
import typing
from typing import Any

__all__ = ["with_slots"]


def with_slots(cls: type, reduced: Any) -> Any:
    """What cloudpickle has made to pickle a class by value, so that the class gets its slots.

    cloudpickle makes the class without slots and sets `__slots__` afterwards, as an attribute like others. If what it makes has
    another form, it is returned as it is: the class then has a `__dict__` where it is unpickled.
    """
    if "__slots__" not in vars(cls) or not isinstance(reduced, tuple) or len(reduced) < 3:
        return reduced
    made, state = reduced[1], reduced[2]
    if not (isinstance(made, tuple) and len(made) > 3 and made[0] is type(cls) and isinstance(made[3], dict)):
        return reduced
    if typing.NamedTuple in vars(cls).get("__orig_bases__", ()):  # whose classes have slots by themselves
        return reduced
    if not (isinstance(state, tuple) and state and isinstance(state[0], dict)):
        return reduced
    attributes = state[0]
    slots = [
        name
        for name, value in vars(cls).items()
        if isinstance(value, types.MemberDescriptorType) and value.__objclass__ is cls
    ]
    for name in slots:  # one with two underscores has another name here than in `__slots__`
        attributes.pop(name, None)
    attributes.pop("__slotnames__", None)
    slots += [name for name in ("__dict__", "__weakref__") if name in vars(cls)]
    made[3]["__slots__"] = tuple(slots)
    if not isinstance(
        attributes.get("__slots__"), str | tuple | list | dict
    ):  # an iterator, which is used up
        attributes.pop("__slots__", None)
    return reduced
