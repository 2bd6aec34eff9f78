"""An exception is the same wherever its node ran: class, attributes, notes, causes, groups, traceback."""

from __future__ import annotations

import builtins
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from fuse_widgets import BaseWorkflow, LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.backends._pickling import dumps, portable
from fuse_widgets.engine.errors import ExceptionStandIn, FuseError

groups = pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
Group: Any = getattr(builtins, "ExceptionGroup", None)


class Quota(Exception):
    def __init__(self, used: int, *, limit: int) -> None:
        super().__init__(f"{used} of {limit}")
        self.used, self.limit = used, limit


class Refusing(Quota):
    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("used", "limit"):
            raise AttributeError("frozen")
        super().__setattr__(name, value)


class Slotted(Exception):
    __slots__ = ("code", "unset")

    def __init__(self, code: int) -> None:
        self.code = code


class WithoutText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class WithLock(Exception):
    def __init__(self, lock: Any) -> None:
        super().__init__("locked", lock)
        self.lock, self.count = lock, 3


class LockInText(Exception):
    def __init__(self, lock: Any) -> None:
        self.lock = lock

    def __str__(self) -> str:
        return f"held: {type(self.lock).__name__}"


class NoReduce(Exception):
    def __reduce__(self) -> Any:
        raise RuntimeError("not me")


class OwnReduce(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        self.both = first, second
        self.seen = "by the constructor"

    def __reduce__(self) -> Any:
        return OwnReduce, self.both


class WrongReduce(Exception):
    def __reduce__(self) -> Any:
        return str, ("something else",)


class Linked(Exception):
    def __init__(self, other: BaseException) -> None:
        super().__init__("linked")
        self.others = [other]


def sent(error: BaseException) -> Any:
    """The error after it travelled."""
    try:
        raise error
    except BaseException as raised:
        return pickle.loads(dumps(portable(raised)))


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


@pytest.mark.parametrize(
    "make_error",
    [
        lambda: Quota(9, limit=5),
        lambda: Refusing(9, limit=5),
        lambda: ValueError(),
        lambda: KeyError("k", 1),
        lambda: OSError(2, "no such file", "f", None, "g"),
        lambda: PermissionError("plain"),
        lambda: BlockingIOError(11, "later", 5),
        lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        lambda: SyntaxError("wrong", ("f.py", 3, 2, "a b", 3, 4)),
        lambda: ImportError("no", name="n", path="/p"),
        lambda: NameError("no x", name="x"),
        lambda: StopIteration(7),
        lambda: SystemExit(3),
        lambda: KeyboardInterrupt("twice"),
        lambda: GeneratorExit(),
        lambda: OwnReduce(1, 2),
        lambda: NoReduce(1, 2),
        lambda: WrongReduce(1, 2),
        lambda: FuseError("ours"),
    ],
)
def test_class_arguments_attributes_and_text_are_those_of_the_original(
    make_error: Callable[[], BaseException],
) -> None:
    error = make_error()
    again = sent(error)
    assert type(again) is type(error)
    assert (again.args, vars(again), str(again)) == (error.args, vars(error), str(error))
    assert shown(again) == shown(error)
    names = [
        name for name in dir(type(error)) if name[:2] != "__" and not callable(getattr(error, name, None))
    ]
    assert {name: getattr(again, name, None) for name in names if name != "obj"} == {
        name: getattr(error, name, None) for name in names if name != "obj"
    }


def test_slots_that_are_set_are_kept_and_those_that_are_not_stay_unset() -> None:
    again = sent(Slotted(7))
    assert again.code == 7
    assert not hasattr(again, "unset")


def test_a_text_that_raises_does_so_still() -> None:
    again = sent(WithoutText(1))
    assert (type(again), again.args) == (WithoutText, (1,))


def test_what_cannot_be_pickled_is_left_out_and_a_note_says_so() -> None:
    again = sent(WithLock(threading.Lock()))
    assert (type(again), again.count, again.args[0]) == (WithLock, 3, "locked")
    assert again.args[1].startswith("<unlocked")
    assert not hasattr(again, "lock")
    (note,) = again.__notes__
    assert "attribute 'lock' (<unlocked" in note
    assert "args[1]" in note


def test_a_text_made_of_what_was_left_out_is_in_the_note() -> None:
    again = sent(LockInText(threading.Lock()))
    assert type(again) is LockInText
    assert "its message was 'held: lock'" in again.__notes__[0]


class _Vanishing:
    """Can be pickled, and cannot be read again."""

    def __reduce__(self) -> Any:
        return _gone, ()


def _gone() -> None:
    raise ModuleNotFoundError("No module named 'only_there'")


def test_what_can_only_be_read_where_it_was_raised_is_left_out_and_a_note_says_so() -> None:
    error = Quota(9, limit=5)
    error.part = _Vanishing()  # type: ignore[attr-defined]
    again = sent(error)
    assert (type(again), again.used) == (Quota, 9)
    assert "attribute 'part' (ModuleNotFoundError: No module named 'only_there')" in again.__notes__[0]


def test_causes_contexts_and_their_suppression_are_kept() -> None:
    try:
        try:
            try:
                raise Quota(1, limit=2)
            except Quota:
                raise KeyError("context")  # noqa: B904
        except KeyError as cause:
            raise OwnReduce(1, 2) from cause
    except OwnReduce as error:
        again, text = pickle.loads(dumps(portable(error))), shown(error)
    assert shown(again) == text
    assert again.__suppress_context__
    assert again.__cause__ is again.__context__
    assert type(again.__cause__.__context__) is Quota
    assert again.__cause__.__context__.limit == 2
    try:
        raise ValueError("alone") from None
    except ValueError as error:
        again = pickle.loads(dumps(portable(error)))
    assert (again.__cause__, again.__suppress_context__) == (None, True)


def test_rings_of_causes_and_of_attributes_stay_rings() -> None:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    again = sent(first)
    assert again.__cause__.__cause__ is again
    one = Linked(ValueError())
    one.others = [one]
    again = sent(one)
    assert again.others == [again]


def test_an_error_in_an_attribute_is_the_one_in_the_chain() -> None:
    other = Quota(1, limit=2)
    error = Linked(other)
    error.__cause__ = other
    again = sent(error)
    assert again.others[0] is again.__cause__
    assert again.__cause__.used == 1


def test_notes_are_kept() -> None:
    error = OwnReduce(1, 2)
    error.__notes__ = ["one", "two"]  # type: ignore[attr-defined]
    assert sent(error).__notes__ == ["one", "two"]


def test_thousands_of_causes_travel() -> None:
    error: BaseException = ValueError(0)
    for number in range(1, 3_000):
        last, error = error, ValueError(number)
        error.__context__ = last
    again = sent(error)
    for number in range(2_999, 2_990, -1):
        assert again.args == (number,)
        again = again.__context__


@groups
def test_groups_keep_their_members_however_they_are_nested() -> None:
    members = [Quota(1, limit=2), Group("inner", [OwnReduce(1, 2), NoReduce(3)])]
    members[0].__notes__ = ["a note"]
    again = sent(Group("outer", members))
    assert type(again) is Group
    assert again.message == "outer"
    first, inner = again.exceptions
    assert (first.used, first.__notes__, inner.message) == (1, ["a note"], "inner")
    assert [type(member) for member in inner.exceptions] == [OwnReduce, NoReduce]
    assert again.args == ("outer", [first, inner])


@groups
def test_groups_of_ones_own_are_kept() -> None:
    again = sent(Errors([Quota(1, limit=2)], 7))
    assert (type(again), again.code, again.exceptions[0].used) == (Errors, 7, 1)
    assert again.split(Quota)[0].exceptions[0] is again.exceptions[0]


if Group is not None:

    class Errors(Group):  # type: ignore[misc]
        def __new__(cls, errors: list[Exception], code: int) -> Any:
            made = super().__new__(cls, f"{code}", errors)
            made.code = code
            return made

        def derive(self, errors: Any) -> Any:
            return Errors(list(errors), self.code)


class OnlyThere(ValueError):
    pass


def test_an_exception_whose_class_is_not_here_comes_as_a_stand_in_that_says_so() -> None:
    error = OnlyThere("lost", 1)
    error.__notes__ = ["a note"]  # type: ignore[attr-defined]
    error.__cause__ = Quota(1, limit=2)
    packed = dumps(portable(error))
    module = sys.modules[__name__]
    kind = module.__dict__.pop("OnlyThere")
    try:
        again = pickle.loads(packed)
    finally:
        module.__dict__["OnlyThere"] = kind
    assert type(again) is ExceptionStandIn
    assert again.type_name == f"{__name__}.OnlyThere"
    assert again.message == "('lost', 1)"
    assert "stands in for" in str(again)
    assert "OnlyThere: ('lost', 1)" in str(again)
    assert again.__notes__ == ["a note"]
    assert again.__cause__.used == 1
    assert type(sent(again)) is ExceptionStandIn


@groups
def test_a_group_whose_class_is_not_here_keeps_its_members() -> None:
    packed = dumps(portable(Errors([Quota(1, limit=2)], 7)))
    module = sys.modules[__name__]
    kind = module.__dict__.pop("Errors")
    try:
        again = pickle.loads(packed)
    finally:
        module.__dict__["Errors"] = kind
    assert type(again) is Group
    assert again.exceptions[0].used == 1
    assert "stands in for" in again.__notes__[0]


def fails_in_many_ways(way: str) -> None:
    """Raises; what is defined in here is defined anew in each call."""

    class Local(LookupError):
        def __init__(self, code: int, reason: str) -> None:
            super().__init__(f"{code}: {reason}")
            self.code = code

    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as cause:
        if way == "local":
            raise Local(7, "strange") from cause
        error = Quota(9, limit=5)
        error.__notes__ = ["a note"]  # type: ignore[attr-defined]
        if way == "group":
            raise Group("two", [error, Group("inner", [Local(7, "strange")])]) from cause
        if way == "exit":
            raise SystemExit(3) from cause
        raise error from cause


def test_every_executor_gives_the_same_exception(make: Callable[..., BaseWorkflow]) -> None:
    ways = ["plain", "local", "exit"] + (["group"] if Group else [])
    wf = make(*[workflow(fails_in_many_ways)(way).set_name(way) for way in ways])
    with pytest.raises(NodeExecutionError) as caught:
        wf.run()
    errors = {failure.node.name: failure.__cause__ for failure in caught.value.failures}
    assert sorted(errors) == sorted(ways)
    plain: Any = errors["plain"]
    assert (type(plain), plain.used, plain.limit, plain.__notes__) == (Quota, 9, 5, ["a note"])
    assert type(plain.__cause__) is ZeroDivisionError
    assert plain.__cause__.__cause__ is None
    local: Any = errors["local"]
    assert (type(local).__name__, local.code, str(local)) == ("Local", 7, "7: strange")
    assert isinstance(local, LookupError)
    assert (type(errors["exit"]), errors["exit"].code) == (SystemExit, 3)  # type: ignore[union-attr]
    if Group:
        group: Any = errors["group"]
        assert [type(member).__name__ for member in group.exceptions] == ["Quota", "ExceptionGroup"]
        assert group.exceptions[1].exceptions[0].code == 7
    for name, error in errors.items():
        assert error is not None
        frames = traceback.extract_tb(error.__traceback__)
        assert [frame.name for frame in frames] == ["fails_in_many_ways"], name
        assert "raise " in (frames[0].line or "")
    events = {e.node: e.detail["error"] for e in wf.last_run.events if e.node and "error" in (e.detail or {})}  # type: ignore[union-attr]
    assert "Quota" in events["plain"]["type"]
    assert events["plain"]["traceback"] == shown(plain)


def test_classes_of_a_notebook_are_the_same_after_the_round_trip(
    make: Callable[..., BaseWorkflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    import __main__

    monkeypatch.setattr(__main__, "Limit", None, raising=False)
    monkeypatch.setattr(__main__, "limited", None, raising=False)
    code = (
        "class Limit(Exception):\n"
        "    def __init__(self, used, *, limit):\n"
        "        self.used, self.limit = used, limit\n"
        "def limited():\n"
        "    raise Limit(9, limit=5)\n"
    )
    exec(code, __main__.__dict__)
    with pytest.raises(NodeExecutionError) as caught:
        make(workflow(__main__.limited)()).run()
    cause: Any = caught.value.__cause__
    assert type(cause) is __main__.Limit
    assert (cause.used, cause.limit) == (9, 5)


def test_a_class_that_the_pickler_does_not_know_again_is_the_one_of_that_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import __main__

    code = "class Limit(Exception):\n    pass\n"
    exec(code, __main__.__dict__)
    here = __main__.Limit
    exec(code, __main__.__dict__)  # as another pickler would rebuild it in a worker
    packed = dumps(portable(__main__.Limit(1)))
    monkeypatch.setattr(__main__, "Limit", here)
    module = __import__("cloudpickle.cloudpickle", fromlist=["_"])
    known = module._DYNAMIC_CLASS_TRACKER_BY_ID
    monkeypatch.setattr(module, "_DYNAMIC_CLASS_TRACKER_BY_ID", type(known)())
    assert type(pickle.loads(packed)) is here
    delattr(__main__, "Limit")


def test_an_error_of_a_run_within_a_node_keeps_its_cause(processes: Callable[..., LocalWorkflow]) -> None:
    def outer() -> None:
        LocalWorkflow(workflow(fails_in_many_ways)("plain").set_name("inner")).run()

    with pytest.raises(NodeExecutionError) as caught:
        processes(workflow(outer)()).run()
    inner: Any = caught.value.__cause__
    assert (type(inner), inner.node.name) == (NodeExecutionError, "inner")
    assert (type(inner.__cause__), inner.__cause__.used) == (Quota, 9)
