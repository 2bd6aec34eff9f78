"""A class that travels by value has the slots that it has in the kernel."""

from __future__ import annotations

import io
import pickle
import sys
import types
from typing import Any

import pytest

from fuse_widgets import workflow
from fuse_widgets.storage import _cloudpickle

SOURCE = """
import abc, collections, dataclasses, typing, weakref
class Both:
    __slots__ = ("v", "__dict__")
class Text:
    __slots__ = "v"
class Mangled:
    __slots__ = ("__v", "__weakref__")
    def set(self, v): self.__v = v
    def get(self): return self.__v
class Sub(Mangled):
    __slots__ = ("x",)
class Open(Mangled):
    pass
class Listed:
    __slots__ = ["v", "w"]
class Described:
    __slots__ = {"v": "what it is"}
class Empty:
    __slots__ = ()
class All:
    __slots__ = ("v", "__dict__", "__weakref__")
class Used:
    __slots__ = iter(("v",))
class Number(int):
    __slots__ = ()
class Table(dict):
    __slots__ = ("v",)
class Further(Both):
    __slots__ = ("x",)
class Abstract(abc.ABC):
    __slots__ = ("v",)
@dataclasses.dataclass(slots=True)
class Data:
    v: int = 1
@dataclasses.dataclass(slots=True, frozen=True, kw_only=True)
class Frozen:
    x: int = 2
Pair = collections.namedtuple("Pair", "v w", defaults=(1, 2))
class Typed(typing.NamedTuple):
    v: int = 1
class Box(typing.Generic[typing.TypeVar("T")]):
    __slots__ = ("v",)
CLASSES = [Typed, Box, Both, Text, Mangled, Sub, Open, Listed, Described, Empty, All, Used, Number, Table, Further, Abstract, Data, Frozen, Pair]
def describe():
    found = {}
    for cls in CLASSES:
        made = cls()
        can = []
        for name in ("v", "w", "x", "other"):
            try:
                setattr(made, name, name)
                can.append((name, getattr(made, name)))
            except (AttributeError, TypeError) as error:
                can.append(type(error).__name__)
        if hasattr(made, "set"):
            made.set(5)
            can.append(made.get())
        try:
            weakref.ref(made)
        except TypeError:
            can.append("no weak reference")
        slots = sorted(k for k, v in vars(cls).items() if type(v).__name__ == "member_descriptor")
        declared = cls.__slots__ if cls is not Used and "__slots__" in vars(cls) else None
        found[cls.__name__] = (can, slots, declared, sorted(getattr(made, "__dict__", ["none"])))
    return found
def same_objects(both, mangled, data):
    return both.v, both.new, vars(both), mangled.get(), hasattr(mangled, "__dict__"), data, type(data).__slots__
"""


@pytest.mark.parametrize("module", ["__main__", "own"])
def test_a_class_has_its_slots_in_a_process(
    module: str, processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = types.ModuleType(module)
    if module == "own":
        monkeypatch.setitem(sys.modules, "own", made)
    exec(compile(SOURCE, f"<{module}>", "exec", dont_inherit=True), vars(made))
    assert processes(workflow(made.describe)()).run() == made.describe()
    both, mangled, data = made.Both(), made.Sub(), made.Frozen(x=7)
    both.v, both.new = 1, 2
    mangled.set(3)
    there = processes(workflow(made.same_objects)(both, mangled, data)).run()
    assert there == made.same_objects(both, mangled, data)
    assert there[:5] == (1, 2, {"new": 2}, 3, False)


def test_what_cloudpickle_makes_in_another_form_is_left_as_it_is() -> None:
    """The class is then made as cloudpickle makes it: with a `__dict__`."""

    class Slotted:
        __slots__ = ("v",)

    for reduced in ("name", (dict, ()), (dict, (), {}), (dict, (type, "S", (), None), ({},)), (dict, (type, "S", (), {}), None)):  # fmt: skip
        assert _cloudpickle.with_slots(Slotted, reduced) is reduced
    assert _cloudpickle.with_slots(int, (dict, (type, "S", (), {}), ({},))) == (
        dict,
        (type, "S", (), {}),
        ({},),
    )


def test_a_stored_object_of_a_class_that_is_gone_has_its_slots() -> None:
    from cloudpickle import cloudpickle

    from fuse_widgets.storage._pickling import FilePickler

    made: dict[str, Any] = {"__name__": "__main__"}
    exec("class Gone:\n    __slots__ = ('__v', 'w')\n    def set(self): self.__v = 1; self.w = 2", made)
    value = made["Gone"]()
    value.set()
    out = io.BytesIO()
    FilePickler(out).dump(value)
    tracked = getattr(cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_ID", {})
    tracked.clear()  # as in another session
    read = pickle.loads(out.getvalue())
    assert type(read) is not made["Gone"]
    assert (read._Gone__v, read.w, hasattr(read, "__dict__")) == (1, 2, False)
