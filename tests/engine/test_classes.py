"""Decorated classes and methods: as classes, in pickles, and in classes that are not decorated."""

from __future__ import annotations

import abc
import copy
import dataclasses
import functools
import pickle
import typing
from typing import Any, Generic, Optional, TypeVar

import cloudpickle
import pytest

from fuse_widgets import LocalWorkflow, workflow

T = TypeVar("T")


@workflow
def one() -> int:
    return 1


@workflow
class Model:
    """A model."""

    rate = 2

    def __init__(self, a: int = 0) -> None:
        self.a = a

    def fit(self, x: int = 1) -> Any:
        self.a += x
        return self

    @classmethod
    def of(cls, a: int) -> Any:
        return cls(a)

    @staticmethod
    def twice(x: int) -> int:
        return 2 * x


@workflow
class Slotted:
    __slots__ = ("a",)

    def __init__(self, a: int = 0) -> None:
        self.a = a


@workflow
@dataclasses.dataclass(frozen=True)
class Record:
    a: int = 0


@workflow
class Listing(list):  # type: ignore[type-arg]
    a = 0


@workflow
class Reduced:
    def __init__(self, a: int = 0) -> None:
        self.a = a

    def __reduce__(self) -> Any:
        return type(self), (self.a,)


@workflow
class Stateful:
    def __init__(self, a: int = 0) -> None:
        self.a, self.lock = a, object

    def __getstate__(self) -> Any:
        return {"a": self.a}


class Outer:
    @workflow
    class Inner:
        def __init__(self, a: int = 0) -> None:
            self.a = a


@workflow
class Box(Generic[T]):
    def __init__(self, a: Any = 0) -> None:
        self.a = a


class Base(Model):  # type: ignore[misc, valid-type]
    def fit(self, x: int = 1) -> Any:
        return super().fit(10 * x)


CLASSES = [Model, Slotted, Record, Listing, Reduced, Stateful, Outer.Inner, Box]


@pytest.mark.parametrize("decorated", CLASSES, ids=lambda cls: cls.__qualname__)
@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
def test_objects_of_decorated_classes_are_pickled_by_reference(decorated: Any, pickler: Any) -> None:
    instance = decorated.func()
    for protocol in range(2, 6):
        written = pickler.dumps(instance, protocol=protocol)
        assert type(pickle.loads(written)) is decorated.func
        assert b"test_classes" in written
        assert len(written) < 400
    assert pickle.loads(pickler.dumps([instance, instance]))[0].a == 0
    assert pickle.loads(pickler.dumps(decorated)) is decorated
    for copied in (copy.copy(instance), copy.deepcopy([instance])[0]):
        assert type(copied) is decorated.func
        assert copied.a == 0


def test_a_class_that_stands_under_its_own_name_is_left_alone() -> None:
    node = workflow(Base)(1)
    assert "__reduce_ex__" not in vars(Base)
    assert LocalWorkflow(node.fit(1)).run().a == 11
    assert type(pickle.loads(pickle.dumps(Base(3)))) is Base


def test_a_decorated_class_is_a_class_to_isinstance_subclasses_and_annotations() -> None:
    instance = Model.func(1)
    assert isinstance(instance, Model)
    assert not isinstance(1, Model)
    assert isinstance(Base(1), Model)
    assert issubclass(Base, Model)
    assert Base.__mro__[1] is Model.func
    assert Base(1).fit(2).a == 21

    def typed(a: Model, b: Model | None, c: Optional[Model], d: list[Model], e: "Model") -> Model: ...  # noqa: UP037, UP045

    hints = typing.get_type_hints(typed, globals(), locals())
    assert hints["a"] is Model
    assert hints["b"] == Model.func | None
    assert isinstance(instance, hints["b"])
    assert (None | Model) == (None | Model.func)
    assert Box[int] == Box.func[int]

    class Mixed(Model, abc.ABC):  # type: ignore[misc, valid-type]
        pass

    assert isinstance(Mixed(), Model)
    assert copy.deepcopy({"m": Model})["m"] is Model


def test_factories_of_a_class_run_at_once_and_refuse_nodes() -> None:
    assert Model.of(3).a == 3
    assert Model.twice(2) == 4
    with pytest.raises(
        TypeError, match=r"Model\.of runs when it is called.*workflow\(Model\.func\.of\) makes nodes"
    ):
        Model.of(one())
    with pytest.raises(TypeError, match="has no value yet"):
        Model.of([one()])
    made = workflow(Model.func.of)(one())
    assert LocalWorkflow(workflow(lambda model: model.a)(made)).run() == 1


def test_a_decorated_class_has_no_decorated_methods() -> None:
    with pytest.raises(TypeError, match="Both is decorated with @workflow, and so is its method 'fit'"):

        @workflow
        class Both:
            @workflow
            def fit(self) -> None: ...


# --- methods of plain classes --------------------------------------------------------------------------------


class Scaler:
    factor = 10

    def __init__(self, factor: int = 10) -> None:
        self.factor = factor

    @workflow
    def apply(self, x: Any = 1) -> Any:
        return self.factor * x

    @staticmethod
    @workflow
    def plain(x: Any) -> Any:
        return x

    @workflow
    @staticmethod
    def below(x: Any) -> Any:
        return -x

    @classmethod
    @workflow
    def name_of(cls, x: Any) -> Any:
        return cls.__name__, x

    @workflow
    @classmethod
    def name_below(cls, x: Any) -> Any:
        return cls.__name__, -x

    @property
    @workflow
    def total(self) -> Any:
        return self.factor + 1


class Doubler(Scaler):
    @workflow
    def apply(self, x: Any = 1) -> Any:
        return 2 * Scaler.apply.func(self, x)

    def parent(self, x: Any) -> Any:
        return super().apply(x)


def test_a_decorated_method_of_a_plain_class_takes_the_object_first(make_local: Any) -> None:
    scaler, doubler = Scaler(), Doubler(5)
    nodes = [
        scaler.apply(2),
        scaler.apply(x=one()),
        Scaler.apply(scaler, 3),
        doubler.apply(1),
        doubler.parent(1),
        scaler.plain(4),
        Scaler.below(5),
        Doubler.name_of(6),
        scaler.name_below(7),
        scaler.total,
    ]
    expected = [20, 10, 30, 10, 5, 4, -5, ("Doubler", 6), ("Scaler", -7), 11]
    assert make_local(*nodes).run() == expected
    assert nodes[0].args == (scaler, 2)
    assert nodes[0].name.startswith("Scaler.apply_")


@pytest.fixture(params=["inline", "process"])
def make_local(request: pytest.FixtureRequest) -> Any:
    return functools.partial(LocalWorkflow, executor=request.param, targets_only=True)


def test_a_method_of_an_object_that_holds_a_node_is_refused() -> None:
    with pytest.raises(TypeError, match=r"argument 'self' holds .* inside a Scaler"):
        Scaler(one()).apply(2)


def test_missing_arguments_of_a_method_are_told_where_it_is_called() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        Doubler.name_of()


def test_workflow_above_a_property_says_how_to_write_it() -> None:
    with pytest.raises(TypeError, match="must stand below @property"):

        class Wrong:
            @workflow  # type: ignore[prop-decorator]
            @property
            def total(self) -> int:
                return 1


def test_what_is_no_function_does_not_bind() -> None:
    class Holder:
        length = workflow(len)
        bound = workflow(functools.partial(max, 3))

    assert LocalWorkflow(Holder().length([1]), Holder().bound(2)).run() == [1, 3]
