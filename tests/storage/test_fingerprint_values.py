"""A fingerprint notices what changes a result, and nothing else: arguments and parents."""

from __future__ import annotations

import datetime
import decimal
import functools
import json
import pathlib
import pickle
import re
import tempfile
import threading
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fuse_widgets.engine.nodes import workflow
from fuse_widgets.storage.fingerprint import Fingerprint, FingerprintCache, fingerprint

from .notebook import fingerprint_all, notebook

#: Texts of any length; numpy before 2.0 keeps them as objects.
VARIABLE = np.dtypes.StringDType() if hasattr(np.dtypes, "StringDType") else np.dtype(object)


@workflow
def f(x=None, y=None, *rest, **more):
    return x


@workflow
def parent(value=0):
    return value


Point = namedtuple("Point", "a b")


class Thing:
    def __init__(self, **values):
        self.__dict__.update(values)


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b=None):
        self.a, self.b = a, b


#: One run of many nodes: each value is a new one, and what the function reaches is looked up once.
RUN = FingerprintCache()


def of(value) -> str:
    return fingerprint(f(value), {}, cache=RUN).arguments["x"]


def long_text():
    """Equal texts that are different objects."""
    return "".join(["abc"] * 40)


def frame(**changes):
    columns = {
        "i": [1, 2, 3],
        "f": [1.5, float("nan"), 3.0],
        "s": ["a", None, long_text()],
        "c": pd.Categorical(["u", "v", "u"]),
        "t": pd.to_datetime(["2020-01-01", "2020-01-02", None]),
        "n": pd.array([1, None, 3], dtype="Int64"),
        "o": np.array([{1, 2}, "x", 3.0], dtype=object),
    }
    return pd.DataFrame({**columns, **changes})


def column_by_column():
    whole, built = frame(), pd.DataFrame(index=frame().index)
    for name in whole:
        built[name] = whole[name]
    return built


def with_cycle():
    loop = Thing(a=1)
    loop.me, loop.held = loop, [loop, Thing(up=loop)]
    return loop


def generator_after(draws):
    generator = np.random.default_rng(7)
    generator.random(draws)
    return generator


def estimator(**options):
    tree = pytest.importorskip("sklearn.tree")
    return tree.DecisionTreeClassifier(random_state=0, **options).fit([[0], [1], [2]], [0, 1, 1])


# Two ways to make the same value.
EQUAL = {
    "texts": (long_text, lambda: "abc" * 40),
    "one text twice": (lambda: [long_text(), long_text()], lambda: (lambda t: [t, t])(long_text())),
    "one list twice": (lambda: [[1], [1]], lambda: (lambda t: [t, t])([1])),
    "dicts": (lambda: {"a": 1, "b": [2]}, lambda: dict(zip("ab", (1, [2]), strict=True))),
    "sets": (lambda: set("abcdef"), lambda: set("fedcba")),
    "frozen sets of tuples": (
        lambda: frozenset([(1, "a"), (2, "b")]),
        lambda: frozenset([(2, "b"), (1, "a")]),
    ),
    "nested": (lambda: {"k": [{"a", "b"}, (1, {"x": 2.0})]}, lambda: {"k": [{"b", "a"}, (1, {"x": 2.0})]}),
    "arrays": (lambda: np.arange(6.0).reshape(2, 3), lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3))),
    "views": (lambda: np.arange(10)[::2], lambda: np.array([0, 2, 4, 6, 8])),
    "object arrays": (
        lambda: np.array([long_text(), long_text(), {1}], dtype=object),
        lambda: (lambda t: np.array([t, t, {1}], dtype=object))(long_text()),
    ),
    "records with padding": (
        lambda: np.array([(1, 2.0)], dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        lambda: np.frombuffer(
            b"\x01" + b"\xff" * 7 + np.float64(2).tobytes(),
            dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True),
        ),
    ),
    "text arrays": (lambda: np.array(["a", "bc"]), lambda: np.array(["a", "xx", "bc"])[::2]),
    "variable texts": (
        lambda: np.array(["a" * 50, "b"], dtype=VARIABLE),
        lambda: np.array(["a" * 50, "b"], dtype=VARIABLE),
    ),
    "empty arrays": (lambda: np.zeros((0, 3)), lambda: np.zeros((0, 3))),
    "frames": (frame, column_by_column),
    "frames pickled": (frame, lambda: pickle.loads(pickle.dumps(frame()))),
    "rows of frames": (lambda: frame().iloc[1:], lambda: frame().iloc[1:].copy()),
    "series": (lambda: frame()["s"], lambda: frame()["s"].copy()),
    "multi-indexes": (
        lambda: pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]),
        lambda: pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("c", 3)])[:2],
    ),
    "hidden values": (
        lambda: pd.array([1, 2, None], dtype="Int64"),
        lambda: pd.arrays.IntegerArray(np.array([1, 2, 99]), np.array([False, False, True])),
    ),
    "objects": (lambda: Thing(a=1, b=[2]), lambda: Thing(a=1, b=[2])),
    "objects with slots": (lambda: Slotted(1, "a"), lambda: Slotted(1, "a")),
    "objects that hold each other": (with_cycle, with_cycle),
    "functions": (
        lambda: notebook("def g(a): return a")["g"],
        lambda: notebook("def g(a):\n\n return a")["g"],
    ),
    "partials": (lambda: functools.partial(int, base=2), lambda: functools.partial(int, base=2)),
    "modules": (lambda: re, lambda: re),
    "generators of random numbers": (lambda: generator_after(3), lambda: generator_after(3)),
    "estimators": (lambda: estimator(max_depth=2), lambda: estimator(max_depth=2)),
    "many plain values": (lambda: list(map(str, range(2000))), lambda: list(map(str, range(2000)))),
    "not a number": (lambda: float("nan"), lambda: float("inf") - float("inf")),
}

# Values that differ from each other, however alike.
DIFFERENT = [
    *(None, 0, 1, True, False, 0.0, -0.0, 1.0, 1 + 0j, "", "1", b"1", "None", 2**70, -(2**70), Ellipsis),
    *(
        [],
        (),
        {},
        set(),
        frozenset(),
        [1],
        (1,),
        {1},
        {1: 1},
        [[1]],
        ["1"],
        [1.0],
        [True],
        ["a", "b"],
        ["ab"],
    ),
    *(["ab", "c"], ["a", "bc"], [1, 23], [12, 3], {"a": "b"}, {"b": "a"}, [["a"], "b"], ["a", ["b"]]),
    *(OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), {"a": 1, "b": 2}, Counter("aab"), defaultdict(int, a=1)),
    *(
        Point(1, 2),
        (1, 2),
        Point(2, 1),
        deque([1]),
        deque([1], maxlen=3),
        range(3),
        slice(1, 2),
        bytearray(b"1"),
    ),
    *(
        datetime.date(2020, 1, 1),
        datetime.datetime(2020, 1, 1),
        decimal.Decimal("1.0"),
        decimal.Decimal("1.00"),
    ),
    *(
        pathlib.PurePosixPath("a"),
        re.compile("a"),
        re.compile("a", re.I),
        uuid.UUID(int=1),
        int,
        str,
        len,
        sorted,
    ),
    *(
        np.float64(1),
        np.float32(1),
        np.int64(1),
        np.array(1),
        np.array([1]),
        np.array([1.0]),
        np.array([[1]]),
    ),
    *(np.array([1], dtype="i4"), np.array([1], dtype=object), np.array(["1"], dtype=object), np.array(["1"])),
    *(
        np.array(["2020"], dtype="M8[D]"),
        np.array(["2020"], dtype="M8[s]"),
        np.zeros((2, 3)),
        np.zeros((3, 2)),
    ),
    *(np.dtype("f4"), np.dtype("f8"), np.array([1, "1"], dtype=VARIABLE)),
    *(np.ma.masked_array([1, 2], [0, 1]), np.ma.masked_array([1, 2], [1, 0])),
    *(pd.Series([1]), pd.Series([1], name="a"), pd.Series([1], index=[1]), pd.Series([1.0]), pd.Index([1])),
    *(pd.Series([1], dtype="Int64"), pd.Series(["a"], dtype="string"), pd.Series(["a"], dtype=object)),
    *(pd.Series(["a", "b"], dtype="category"), pd.Series(pd.Categorical(["a", "b"], ordered=True))),
    *(frame(), frame(i=[1, 2, 4]), frame(s=["a", None, "c"]), frame(s=["a", "", long_text()]), frame().T),
    *(frame().rename(columns={"i": "j"}), frame(n=pd.array([1, 0, 3], dtype="Int64")), frame().iloc[::-1]),
    *(
        frame(t=pd.to_datetime(["2020-01-01", "2020-01-03", None])),
        frame(o=np.array([{1, 3}, "x", 3.0], dtype=object)),
    ),
    *(pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01", tz="UTC"), pd.NaT, pd.NA),
    *({"b": 2, "a": 1}, [{"b": 2, "a": 1}], [{"a": 1, "b": 2}], Counter("baa")),
    *(defaultdict(int, a=1, b=2), defaultdict(int, b=2, a=1), Thing(a=1, b=2), Thing(b=2, a=1)),
    *(Thing(), Thing(a=1), Thing(a=2), Thing(b=1), Slotted(1), Slotted(2), types.SimpleNamespace(a=1)),
    *(generator_after(0), generator_after(1), np.random.RandomState(1), np.random.RandomState(2)),
    *(
        functools.partial(int, base=2),
        functools.partial(int, base=3),
        "a".upper,
        "b".upper,
        [].append,
        [1].append,
    ),
    *(notebook("def g(a): return a")["g"], notebook("def g(a): return b")["g"], lambda: 1, lambda: 2),
    *(long_text(), long_text() + "x", list(range(100)), [*range(99), 100], [1, 1.0], [1.0, 1]),
]


def test_looking_at_a_value_leaves_it_as_it_was():
    for data in (frame(), pickle.loads(pickle.dumps(frame()))):
        before = pickle.dumps(data)
        of(data)
        assert pickle.loads(before).equals(data)
        assert data["s"].isna().tolist() == [False, True, False]
    hidden = pd.arrays.IntegerArray(np.array([1, 2, 99]), np.array([False, False, True]))
    of(hidden)
    assert hidden._data.tolist() == [1, 2, 99]


@pytest.mark.parametrize("case", EQUAL)
def test_equal_values_have_one_fingerprint(case):
    one, other = (make() for make in EQUAL[case])
    assert of(one) == of(other)
    assert fingerprint(f(one), {}).difference(fingerprint(f(other), {})) is None


def test_different_values_have_different_fingerprints():
    entries: dict[str, object] = {}
    for value in DIFFERENT:
        entry = of(value)
        assert not entry.startswith("!"), (value, entry)
        assert entry not in entries, (value, entries[entry])
        entries[entry] = value


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(plain)
def test_a_value_and_its_copy_have_one_fingerprint(value):
    assert of(value) == of(pickle.loads(pickle.dumps(value)))


@given(plain, plain)
def test_one_fingerprint_means_one_value(a, b):
    assert (of(a) == of(b)) == (repr(a) == repr(b) or _alike(a, b))


def _alike(a, b):
    """Equal with equal types at every depth; dicts in one order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(_alike(a[key], b[key]) for key in a)
    return repr(a) == repr(b)


@pytest.mark.slow
@given(st.data())
def test_the_order_of_sets_does_not_count_and_that_of_dicts_does(data):
    """A function can see the order of a dict (`list(d)`), and a set has none."""
    pairs = data.draw(st.dictionaries(st.text(), plain, min_size=2))
    keys = data.draw(st.permutations(list(pairs)))
    assert (of(pairs) == of({key: pairs[key] for key in keys})) == (list(pairs) == keys)
    assert of(set(pairs)) == of(set(keys))


def test_the_order_of_named_parameters_does_not_count_and_that_of_other_keywords_does():
    def made(*args, **kwargs):
        return fingerprint(f(*args, **kwargs), {})

    assert made(x=1, y=2).difference(made(y=2, x=1)) is None
    assert made(y=2, a=1, x=1, b=2).difference(made(x=1, y=2, a=1, b=2)) is None
    one, two = made(a=1, b=2), made(b=2, a=1)
    assert two.difference(Fingerprint.from_json(json.loads(json.dumps(one.to_json())))) == (
        "keyword arguments are in another order"
    )
    assert made(b=2, a=3).difference(one) == "argument a changed"

    @workflow
    def only(*, a, b):
        return a - b

    assert fingerprint(only(a=1, b=2), {}).difference(fingerprint(only(b=2, a=1), {})) is None


def test_a_keyword_named_as_a_positional_only_parameter_counts():
    @workflow
    def both(a, /, **more):
        return a, more

    one, two = (fingerprint(both(1, a=value), {}) for value in (2, 3))
    assert two.difference(one) is not None


@settings(max_examples=50)
@given(arrays(st.sampled_from(["f8", "i4", "u1", "?", "c8", "U3", "M8[s]"]), array_shapes(max_dims=3)))
def test_the_memory_order_of_arrays_does_not_count(array):
    assert of(array) == of(np.asfortranarray(array)) == of(array.copy())
    flat = array.reshape(-1).copy()
    flat[0] = 1 if array.dtype.kind in "fiuc" else flat[0]
    changed = flat.reshape(array.shape)
    assert (of(array) == of(changed)) == (array.tobytes() == changed.tobytes())


UNSTABLE = {
    "a lock": (
        threading.Lock,
        "_thread.lock cannot be compared between runs (cannot pickle '_thread.lock' object)",
    ),
    "an open file in an object": (
        lambda: Thing(lock=tempfile.TemporaryFile()),
        "_io.BufferedRandom is an open file",
    ),
    "a generator in an object": (
        lambda: Thing(lock=(i for i in range(3))),
        "generator cannot be compared between runs (cannot pickle 'generator' object)",
    ),
    "a lock in an object in a list": (
        lambda: [Thing(lock=threading.Lock())],
        "_thread.lock cannot be compared between runs (cannot pickle '_thread.lock' object)",
    ),
}


@pytest.mark.parametrize("case", UNSTABLE)
def test_what_cannot_be_compared_matches_nothing_and_says_why(case):
    make, why = UNSTABLE[case]
    value = make()
    one, same = (fingerprint(f(value), {}) for _ in range(2))
    assert one.difference(same) == f"argument x cannot be fingerprinted: {why}"
    assert (
        one.difference(Fingerprint.from_json(one.to_json())) == f"argument x cannot be fingerprinted: {why}"
    )
    assert one.digest != same.digest
    if hasattr(getattr(value, "lock", None), "close"):
        value.lock.close()


def test_an_object_whose_reduce_and_error_both_raise_is_no_crash():
    class Bad(Exception):
        def __str__(self):
            raise RuntimeError

    class Worst:
        def __reduce_ex__(self, protocol):
            raise Bad

    one = fingerprint(f(Worst()), {})
    assert "argument x cannot be fingerprinted" in one.difference(one)
    assert "(Bad)" in one.difference(one)


def test_nesting_deeper_than_the_stack_is_no_crash():
    class Link:
        pass

    first = last = Link()
    for _ in range(100_000):
        last.next = Link()
        last = last.next
    one = fingerprint(f(first), {})
    assert one.difference(one).endswith("is nested too deeply")
    while hasattr(first, "next"):  # one at a time, or freeing it would be as deep
        first = first.next


def test_arguments_have_the_names_of_the_signature_however_they_are_passed():
    made = fingerprint(f(1, 2, 3, 4, z=5), {})
    assert sorted(made.arguments) == ["rest[0]", "rest[1]", "x", "y", "z"]
    assert fingerprint(f(1, 2), {}).difference(fingerprint(f(y=2, x=1), {})) is None
    assert sorted(fingerprint(workflow(max)(1, 2), {}).arguments) == ["argument[0]", "argument[1]"]


def test_the_reason_names_the_arguments():
    old = fingerprint(f(1, 2), {})

    def why(*args, **kwargs):
        return fingerprint(f(*args, **kwargs), {}).difference(old)

    assert why(1, 2) is None
    assert why(3, 2) == "argument x changed"
    assert why(1) == "argument y removed"
    assert why(1, 2, z=3) == "argument z added"
    assert why(3, 4, a=5, b=6) == "argument x changed, argument y changed, argument a added and 1 more"
    assert fingerprint(f(), {}).difference(None) == "it was saved without a fingerprint"


def test_a_function_as_argument_counts_with_the_helpers_it_refers_to():
    def version(k):
        return of(notebook(f"def h(): return {k}\ndef g(): return h()")["g"])

    assert version(1) == version(1)
    assert version(1) != version(2)
    a, b = (notebook(f"def h(): return {k}\ndef g(): return h()")["g"] for k in (1, 2))
    made, changed = (fingerprint_all(f([parent(), func])) for func in (a, b))
    assert made.arguments["x"] != changed.arguments["x"]


def test_a_changed_parent_is_a_change_of_the_parent_and_not_of_the_argument():
    def child(value, wire=lambda p: p):
        p = parent(value).set_name("p")
        return fingerprint_all(f(wire(p)))

    for wire in (lambda p: p, lambda p: p["a"], lambda p: [1, {"k": (p[0], {p[1]})}]):
        assert child(1, wire).difference(child(1, wire)) is None
        assert child(2, wire).difference(child(1, wire)) == "parent p changed"
    assert child(1, lambda p: p["b"]).difference(child(1, lambda p: p["a"])) == "argument x changed"


def test_a_parent_with_another_name_is_no_change():
    one, two = (fingerprint_all(f(parent(3).set_name(name))) for name in ("p", "q"))
    assert two.difference(one) is None
    assert one.digest == two.digest


def test_parents_that_change_places_are_noticed():
    def nodes():
        return parent(1).set_name("a"), parent(2).set_name("b")

    (a, b), (c, d) = nodes(), nodes()
    one, two = fingerprint_all(f(a, b)), fingerprint_all(f(d, c))
    assert two.difference(one) == "arguments take their values from other parents"
    assert fingerprint_all(f(y=b, x=a)).difference(one) is None


def test_nodes_in_sets_count_in_no_order_and_those_in_dicts_in_theirs():
    def nodes():
        return [parent(i).set_name(f"p{i}") for i in range(6)]

    one, two = nodes(), nodes()[::-1]
    assert fingerprint_all(f(set(one))).difference(fingerprint_all(f(set(two)))) is None
    by_name = [{n.name: n for n in some} for some in (one, two)]
    assert fingerprint_all(f(by_name[0])).difference(fingerprint_all(f(by_name[1]))) is not None
    by_name[1] = {name: by_name[1][name] for name in by_name[0]}
    assert fingerprint_all(f(by_name[0])).difference(fingerprint_all(f(by_name[1]))) is None
    items = [frozenset((n["k"], n) for n in some) for some in (one, two)]
    assert fingerprint_all(f(items[0])).difference(fingerprint_all(f(items[1]))) is None


class Keeps(list):
    """A list that keeps something besides its items."""

    note = None


def keeping(note, *items):
    made = Keeps(items)
    made.note = note
    return made


WITH_NODES = {
    "ordered": lambda p, k: OrderedDict(a=p, b=k),
    "default": lambda p, k: defaultdict(int if k == 1 else str, a=p),
    "list": lambda p, k: keeping(k, p),
    "inside": lambda p, k: [{"a": keeping(k, OrderedDict(a=(p,)))}],
    "named": lambda p, k: Point(p, k),
    "set": lambda p, k: type("Bag", (set,), {"__module__": "__main__", "k": k})([p]),
}


@pytest.mark.parametrize("case", WITH_NODES)
def test_nodes_in_subclasses_of_containers_stand_for_themselves(case):
    def child(value, k, name="p"):
        return fingerprint_all(f(WITH_NODES[case](parent(value).set_name(name), k)))

    assert child(1, 1).difference(child(1, 1)) is None
    assert child(1, 1).difference(child(1, 1, "q")) is None
    assert child(2, 1).difference(child(1, 1)) == "parent p changed"
    assert child(1, 2).difference(child(1, 1)) == "argument x changed"


def test_nodes_nested_deeper_than_the_stack_are_no_crash():
    for depth in (100, 600, 800, 940):
        value = parent().set_name("p")
        for _ in range(depth):
            value = Keeps([value])
        try:
            node = f(value)
        except ValueError:
            continue
        assert fingerprint_all(node).arguments


def test_nodes_in_what_cannot_be_copied_match_nothing_and_say_why():
    class Locked(list):
        def __reduce_ex__(self, protocol):
            raise TypeError("no")

    one = fingerprint_all(f(Locked([parent()])))
    assert one.difference(one) == (
        f"argument x cannot be fingerprinted: {Locked.__qualname__} cannot be copied (TypeError)"
    )


def test_what_comes_after_something_unstable_runs_again_too():
    def chain():
        return fingerprint_all(f(parent(threading.Lock()).set_name("p")))

    assert chain().difference(chain()) == "parent p changed"


def test_a_fingerprint_survives_json():
    made = fingerprint_all(f(parent(1), {"a": np.arange(3)}))
    back = Fingerprint.from_json(json.loads(json.dumps(made.to_json())))
    assert back == made
    assert back.digest == made.digest


def test_a_large_argument_is_read_once_for_all_nodes_of_a_run(monkeypatch):
    reads = []
    original = FingerprintCache._ndarray
    monkeypatch.setattr(FingerprintCache, "_ndarray", lambda self, a: reads.append(1) or original(self, a))
    cache, data = FingerprintCache(), np.zeros(10_000)
    entries = {fingerprint(f(data, i), {}, cache=cache).arguments["x"] for i in range(20)}
    assert (len(entries), len(reads)) == (1, 1)
