"""A worker process runs the code that the kernel has: reloaded, edited, changed from outside, or made without a file."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import time
import types
from typing import Any

import psutil
import pytest

from fuse_widgets import LocalWorkflow, NodeExecutionError, workflow

from .project import Project


@pytest.fixture
def same(processes: Any) -> Any:
    """Runs a function inline and in a process, checks that both give the same, and returns it."""

    def run(func: Any, *args: Any) -> Any:
        node = workflow(func)(*args)
        here = node.func(*args)
        there = processes(node).run()
        assert there == here
        return there

    return run


STEPS = """
from fuse_widgets import workflow
import helpers

def helper(x): return x * {n}

@workflow
def step(x): return helper(x), {n}, helpers.clean(x), helpers.LIMIT
"""
HELPERS = """
import deeper
LIMIT = {n}
def clean(x): return deeper.scale(x) + {n}
"""


def test_what_was_reloaded_reaches_a_worker_before_the_next_node(project: Project, same: Any) -> None:
    project.edit("deeper", "FACTOR = 2\ndef scale(x): return x * FACTOR")
    project.edit("helpers", HELPERS.format(n=1))
    project.edit("steps", STEPS.format(n=10))
    steps = project.load("steps")
    assert same(steps.step, 1) == (10, 10, 3, 1)
    steps = project.remake("steps", STEPS.format(n=77))
    assert same(steps.step, 1) == (77, 77, 3, 1)
    project.remake("helpers", HELPERS.format(n=5))
    assert same(steps.step, 1) == (77, 77, 7, 5)
    project.remake("deeper", "FACTOR = 3\ndef scale(x): return x * FACTOR + 100")
    assert same(steps.step, 1) == (77, 77, 108, 5)


def test_what_was_edited_and_not_reloaded_does_not(project: Project, same: Any) -> None:
    project.edit("helpers", "LIMIT = 1\ndef clean(x): return x + LIMIT")
    helpers = project.load("helpers")
    project.edit("helpers", "LIMIT = 2\ndef clean(x): return x * LIMIT + 50\nADDED = 1")
    assert same(helpers.clean, 1) == 2  # the worker imports it for the first time now
    project.edit("helpers", "this is no Python")
    assert same(helpers.clean, 1) == 2
    assert same(lambda: sorted(n for n in vars(helpers) if not n.startswith("__"))) == ["LIMIT", "clean"]


def test_a_module_that_cannot_be_executed_any_more_is_made_of_what_the_kernel_has(
    project: Project, same: Any
) -> None:
    project.edit(
        "models",
        """
        import attrs, collections, enum, functools, typing
        from dataclasses import dataclass, field

        class Kind(enum.Enum):
            FEW, MANY = 1, 2

        @dataclass
        class Base:
            kind: Kind = Kind.FEW
            items: list = field(default_factory=list)
            def size(self): return len(self.items)

        class Model(Base):
            def size(self): return super().size() * 10
            @property
            def twice(self): return 2 * self.size()
            @classmethod
            def of(cls, *items): return cls(items=list(items))
            @staticmethod
            def name(): return __name__

        class Pair(typing.NamedTuple):
            left: int
            right: int = 2

        Point = collections.namedtuple("Point", "x y")

        @attrs.define
        class Attrs:
            x: int = attrs.field(converter=int)

        class Abstract(typing.Protocol):
            def size(self): ...

        T = typing.TypeVar("T")
        class Box(typing.Generic[T]):
            def __init__(self, item): self.item = item

        @functools.lru_cache(maxsize=3)
        def cached(n): return Model.of(*range(n))

        @functools.singledispatch
        def show(value): return "other"

        @show.register
        def _(value: int): return "int"

        DEFAULT = Model.of(1, 2)
        TABLE = {"cached": cached, "none": lambda: None}

        def use():
            same = cached(3) is TABLE["cached"](3)
            return (DEFAULT.size(), DEFAULT.twice, Model.name(), isinstance(DEFAULT, Base), DEFAULT.kind is Kind.FEW,
                    same, show(1), show("1"), Pair(1), Point(1, 2).y, Attrs("3").x, Box[int](4).item, cached.cache_parameters()["maxsize"])
        """,
    )
    models = project.load("models")
    (project.folder / "models.py").unlink()
    importlib.invalidate_caches()
    assert same(models.use) == (20, 40, "models", True, True, True, "int", "other", (1, 2), 2, 3, 4, 3)
    made = same(lambda: models.Model.of(models.Kind.MANY))
    assert type(made) is models.Model
    assert made.items[0] is models.Kind.MANY


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "FACTOR", 3),
        lambda m: m.OPTIONS.update(factor=5),
        lambda m: m.OPTIONS["deep"].append(5),
        lambda m: setattr(m, "helper", lambda x: -x),
        lambda m: setattr(m.helper, "__code__", (lambda x: x - 40).__code__),
        lambda m: setattr(m.helper, "__defaults__", (9,)),
        lambda m: setattr(m.Tool, "run", lambda self: 7),
        lambda m: m.Tool.SETTINGS.update(a=8),
        lambda m: setattr(m, "Tool", type("Tool", (), {"run": lambda self: 12, "__module__": "settings"})),
        lambda m: setattr(m.TOOL, "size", 4),
        lambda m: setattr(m, "ADDED", 1),
        lambda m: delattr(m, "UNUSED"),
        lambda m: m.TABLE.update(f=lambda x: x + 1000),
        lambda m: setattr(m, "os", types.SimpleNamespace(sep="!")),
    ],
)
def test_what_was_changed_from_outside_reaches_a_worker(project: Project, same: Any, change: Any) -> None:
    project.edit(
        "settings",
        """
        import os
        FACTOR, OPTIONS, UNUSED = 2, {"factor": 1, "deep": [1]}, 0
        class Tool:
            SETTINGS = {"a": 1}
            size = 1
            def run(self): return self.size + self.SETTINGS["a"]
        TOOL = Tool()
        def helper(x, y=1): return x * FACTOR + y
        def double(x): return 2 * x
        TABLE = {"f": double}
        def use(x):
            return (helper(x), OPTIONS, Tool().run(), TOOL.run(), type(TOOL).__name__, TABLE["f"](x), os.sep,
                    sorted(name for name in globals() if name[:1] != "_"))
        """,
    )
    settings = project.load("settings")
    before = same(settings.use, 10)
    change(settings)
    assert same(settings.use, 10) != before
    project.reload("settings")
    assert same(sys.modules["settings"].use, 10) in (before, sys.modules["settings"].use(10))


def test_a_module_without_a_file_works_in_a_worker(project: Project, same: Any) -> None:
    package, module = types.ModuleType("made"), types.ModuleType("made.inside")
    sys.modules |= {"made": package, "made.inside": module}
    exec(
        "COUNT = 1\nclass Value:\n    pass\ndef get(): return COUNT, type(Value()).__name__", module.__dict__
    )
    package.inside = module  # type: ignore[attr-defined]
    assert same(lambda: (package.inside.get(), module.COUNT)) == ((1, "Value"), 1)
    module.COUNT = 2  # type: ignore[attr-defined]
    assert same(module.get) == (2, "Value")
    assert same(lambda: importlib.import_module("made.inside").COUNT) == 2


def test_a_module_that_is_imported_only_by_name_while_a_node_runs_is_the_kernels(
    project: Project, processes: Any
) -> None:
    def late(name: str) -> Any:
        import importlib

        return importlib.import_module(name).VALUE

    project.edit("plugin_of_mine", "VALUE = 1")
    project.load("plugin_of_mine").VALUE = 2
    assert processes(workflow(late)("plugin_of_mine")).run() == 2
    project.edit("not_yet", "VALUE = 3")
    assert processes(workflow(late)("not_yet")).run() == 3


def test_functions_of_a_module_share_its_globals_while_it_is_unchanged(
    project: Project, processes: Any
) -> None:
    project.edit(
        "model",
        """
        from fuse_widgets import workflow
        LOADED, CALLS = None, []
        def load():
            global LOADED
            if LOADED is None:
                LOADED = object()
            return LOADED
        @workflow
        def first(): return id(load()), len(CALLS), CALLS.append(1)
        @workflow
        def second(_): return id(load()), len(CALLS)
        """,
    )
    project.edit("beside", "X = 1")
    model, beside = project.load("model"), project.load("beside")

    def run() -> Any:
        first = model.first()
        return processes(model.second(first)).run()

    loaded, calls = run()
    assert calls == 1
    beside.X = 2  # another module
    assert run() == (loaded, 2)
    model.load = lambda: model.LOADED
    assert run()[1] == 1  # it is as in the kernel again


def test_what_an_unchanged_module_took_from_another_stays_what_the_kernel_has(
    project: Project, same: Any
) -> None:
    project.edit("origin", "def f(): return 1\nclass C: number = 1")
    project.edit(
        "user",
        "from origin import f, C\nONE = C()\ndef use(): return f(), C.number, type(ONE).number, type(ONE) is C",
    )
    user = project.load("user")
    assert same(user.use) == (1, 1, 1, True)
    project.remake("origin", "def f(): return 2\nclass C: number = 2")
    assert same(user.use) == (1, 1, 1, True)
    project.reload("user")
    assert same(user.use) == (2, 2, 2, True)
    origin = project.remake("origin", "def f(): return 3\nclass C: number = 3")
    assert same(lambda: (user.use(), origin.f(), origin.C.number)) == ((2, 2, 2, True), 3, 3)


def test_objects_are_of_the_kernels_classes_before_and_after_a_reload(
    project: Project, processes: Any
) -> None:
    source = """
        from dataclasses import dataclass
        from fuse_widgets import workflow
        class Plain:
            def __init__(self, n): self.n = n
            def get(self): return self.n * {n}
        @workflow
        class Decorated(Plain): pass
        class Outer:
            class Inner(Plain): pass
        @dataclass(slots=True)
        class Slotted:
            n: int
            def get(self): return self.n * {n}
        class Trouble(Exception): pass
        def make(n): return Plain(n), Decorated.func(n), Outer.Inner(n), Slotted(n), Plain
        def read(*values): return [v.get() for v in values]
        def fail(): raise Trouble("no luck")
        """
    project.edit("classes", source.format(n=1))
    classes = project.load("classes")

    def check() -> Any:
        made = processes(workflow(classes.make)(3)).run()
        kinds = [classes.Plain, classes.Decorated.func, classes.Outer.Inner, classes.Slotted]
        assert [type(value) for value in made[:4]] == kinds
        assert made[4] is classes.Plain
        with pytest.raises(NodeExecutionError) as caught:
            processes(workflow(classes.fail)()).run()
        assert type(caught.value.__cause__) is classes.Trouble
        return made[:4]

    before = check()
    assert processes(workflow(classes.read)(*before)).run() == [3] * 4
    old = classes.Plain
    project.remake("classes", source.format(n=10))
    after = check()
    # Old objects keep the old class, as in the kernel.
    assert processes(workflow(classes.read)(*before, *after)).run() == [3] * 4 + [30] * 4
    back = processes(workflow(lambda values: values)(before)).run()
    assert [type(value) for value in back] == [type(value) for value in before]
    assert type(back[0]) is old


def test_modules_that_import_each_other_follow_as_well(project: Project, same: Any) -> None:
    project.edit("ping", "import pong\nN = 1\ndef f(): return N, pong.g()")
    project.edit("pong", "import ping\nN = 10\ndef g(): return N, ping.N\nTABLE = {'f': lambda: ping.f}")
    ping = project.load("ping")
    pong = sys.modules["pong"]
    ping.N, pong.N = 2, 20
    assert same(ping.f) == (2, (20, 2))
    pong.TABLE["f"] = ping.f
    ping.N = 3
    assert same(lambda: pong.TABLE["f"]()) == (3, (20, 3))


def test_what_cannot_be_pickled_is_the_workers_own_unless_it_is_code(
    project: Project, processes: Any
) -> None:
    project.edit(
        "resources",
        """
        import threading
        LOCK, LOCAL, HANDLE = threading.Lock(), threading.local(), open(__file__)
        N = 1
        def use():
            with LOCK:
                LOCAL.x = N
                return LOCAL.x, HANDLE.readline()
        """,
    )
    resources = project.load("resources")
    resources.HANDLE.close()
    assert processes(workflow(resources.use)()).run() == (1, "\n")
    resources.N = 2
    assert processes(workflow(resources.use)()).run()[0] == 2

    def bind(lock: Any) -> Any:
        return lambda: (lock, 5)[1]

    resources.use = bind(resources.LOCK)
    with pytest.raises(
        NodeExecutionError, match=r"cannot get 'use' of module 'resources' as it is in the kernel"
    ):
        processes(workflow(lambda: resources.use())()).run()
    assert processes(workflow(lambda: resources.N)()).run() == 2
    project.reload("resources")
    assert processes(workflow(lambda: resources.N)()).run() == 1
    resources.HANDLE.close()


def test_a_package_its_submodules_and_relative_imports_follow(project: Project, same: Any) -> None:
    project.edit("shop.__init__", "from .prices import price\nfrom . import tax")
    project.edit("shop.prices", "from .tax import RATE\ndef price(x): return x + RATE")
    project.edit(
        "shop.tax", "RATE = 1\ndef total(x):\n    from . import prices\n    return prices.price(x) * RATE"
    )
    shop = project.load("shop")
    assert same(lambda: (shop.price(1), shop.tax.total(1))) == (2, 2)
    shop.tax.RATE = 3
    assert same(lambda: (shop.price(1), shop.tax.total(1))) == (2, 6)
    project.reload("shop.prices")
    project.reload("shop")
    assert same(lambda: (shop.price(1), shop.tax.total(1))) == (4, 12)


def test_only_what_is_reached_and_has_changed_is_sent(project: Project) -> None:
    from fuse_widgets.backends._kernel_state import NOTHING, KernelState
    from fuse_widgets.backends._references import dumps_reached

    project.edit(
        "quiet",
        "import json, under\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n    x: int = 1\n    def f(self): return json.dumps(self.x)\nDATA = {'a': [1]}\ndef g(): pass",
    )
    project.edit("under", "def h():\n    import late\n    return late")
    project.edit("late", "X = 1")
    project.edit("apart", "X = 1")
    quiet = project.load("quiet")
    project.load("late")
    project.load("apart")

    def take() -> KernelState:
        state = KernelState.take(1)
        state.modules.reach(dumps_reached(quiet.g)[1])
        return state

    def sent(content: bytes | None) -> set[str]:
        return set(pickle.loads(content or b"")[1]) - {""}  # what stands in modules of others

    first = take()
    content, has = first.since(NOTHING)
    assert sent(content) == {"quiet", "under", "late"}
    assert first.since(has)[0] is None
    content, has = take().since(has)
    assert sent(content) == set()
    quiet.DATA["a"].append(2)
    content, has = take().since(has)
    assert sent(content) == {"quiet"}
    sys.modules["under"].h = lambda: importlib.import_module("apart")  # type: ignore[attr-defined]
    assert "apart" in sent(take().since(has)[0])


def test_a_class_by_value_needs_a_private_function_of_cloudpickle(project: Project) -> None:
    """Without it a class that has changed reaches no worker: the name leads to the class of the worker."""
    from fuse_widgets.backends._compat import class_by_value, function_by_value
    from fuse_widgets.backends._references import ModulePickler

    project.edit("kinds", "import collections\nclass A: x = 1\nP = collections.namedtuple('P', 'x')")
    kinds = project.load("kinds")
    assert class_by_value(kinds.A) is not None
    assert function_by_value(ModulePickler(io.BytesIO(), 5), kinds.P.__new__) is not None


def test_a_process_that_loky_has_replaced_is_sent_everything_again(
    project: Project, monkeypatch: Any
) -> None:
    """loky ends a worker between two jobs once it has grown by 300 MB, and starts another one in its place."""
    monkeypatch.setenv("SETTING", "old")
    project.edit(
        "settings", "N = 1\ndef use(keep=0):\n    import os\n    return N, os.environ['SETTING'], os.getpid()"
    )
    settings = project.load("settings")
    wf = LocalWorkflow(workflow(settings.use)(), executor="process")
    settings.N = 2
    monkeypatch.setenv("SETTING", "new")
    pid = wf.run()[2]
    (process,) = wf.processes._processes.values()
    process.pool._call_queue.put(None)  # as it ends one that is idle
    until = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.01)
    project.edit("settings", "no Python")
    again = wf.run()
    assert again[:2] == (2, "new")
    assert again[2] != pid
    assert wf.run() == again
    wf.close()


def test_loky_ends_no_worker_because_it_has_grown(processes: Any) -> None:
    """Without the private name in loky, a worker with a large model would be replaced, and load it again."""

    def limit() -> int:
        from loky import process_executor

        return process_executor._MAX_MEMORY_LEAK_SIZE

    assert processes(workflow(limit)()).run() == sys.maxsize


def test_a_decorator_of_a_module_can_be_used_in_a_notebook(
    project: Project, same: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit(
        "decorators",
        """
        import functools
        def plus_one(func):
            @functools.wraps(func)
            def wrapper(*args):
                return func(*args) + 1
            return wrapper
        """,
    )
    space: dict[str, Any] = {"__name__": "__main__", "decorators": project.load("decorators")}
    exec(
        "@decorators.plus_one\ndef helper(x): return x\n"
        "@decorators.plus_one\ndef node(x): return 10 * helper(x)\n",
        space,
    )
    main = sys.modules["__main__"]
    for name in ("helper", "node"):
        monkeypatch.setattr(main, name, space[name], raising=False)
    assert same(space["node"], 1) == 21
