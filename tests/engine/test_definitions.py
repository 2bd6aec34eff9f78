"""A cell or a module that is executed again gives its nodes the new code."""

from __future__ import annotations

import gc
import importlib
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fuse_widgets import OutdatedNodeError
from tests.engine.notebook import Notebook

CLEAN = "@workflow\ndef clean(x): return x * {}"


@pytest.fixture
def book() -> Notebook:
    return Notebook()


def test_the_next_run_uses_the_function_of_the_cell_as_it_was_executed_last(book: Notebook) -> None:
    book.run(CLEAN.format(2), "define")
    book.run("node = clean(10); wf = LocalWorkflow(node)", "build")
    assert book["wf"].run() == 20
    for factor in (3, 4):
        book.run(CLEAN.format(factor), "define")
        assert book["wf"].run() == 10 * factor
    assert book["node"].func is book["clean"].func


def test_nodes_that_no_workflow_has_yet_follow_as_well(book: Notebook) -> None:
    book.run(CLEAN.format(2), "define")
    book.run("node = clean(10)", "build")
    book.run(CLEAN.format(3), "define")
    book.run("wf = LocalWorkflow(node)", "more")
    assert book["wf"].run() == 30


def test_a_run_in_the_cell_that_defines_uses_the_new_code(book: Notebook) -> None:
    book.run(CLEAN.format(2), "define")
    book.run("wf = LocalWorkflow(clean(10))", "build")
    book.run(CLEAN.format(3) + "\nresult = wf.run()", "define")
    assert book["result"] == 30


def test_a_run_under_way_keeps_the_functions_it_began_with(book: Notebook) -> None:
    book.namespace.update(begun=threading.Event(), go=threading.Event())
    book.run("@workflow\ndef hold(): begun.set(); go.wait(20); return 10", "hold")
    book.run(CLEAN.format(2), "define")
    book.run("wf = LocalWorkflow(clean(hold())); run = wf.start(); begun.wait(20)", "build")
    book.run(CLEAN.format(3), "define")
    book["go"].set()
    assert book["run"].wait(20) == 20
    assert book["wf"].run() == 30


def test_another_cell_changes_nothing(book: Notebook) -> None:
    book.run(CLEAN.format(2), "define")
    book.run("wf = LocalWorkflow(clean(10))", "build")
    book.run(CLEAN.format(3), "other")
    assert book["wf"].run() == 20
    book.run(CLEAN.format(4), "define")
    assert book["wf"].run() == 40


def test_a_name_that_was_kept_calls_the_new_function(book: Notebook) -> None:
    book.run(CLEAN.format(2), "define")
    book.run("steps = [clean]", "keep")
    book.run("@workflow\ndef clean(x, factor=3):\n    'new'\n    return x * factor", "define")
    book.run("wf = LocalWorkflow(steps[0](10, factor=5))", "build")
    assert book["wf"].run() == 50
    assert book["steps"][0].__doc__ == "new"


@pytest.mark.parametrize(
    "code",
    [
        "clean = workflow(lambda x: x * {})",
        "def plain(x): return x * {}\nclean = workflow(plain)",
        "import functools\n@workflow\n@functools.lru_cache\ndef clean(x): return x * {}",
        "import functools\n@workflow\n@functools.wraps(len)\ndef clean(x): return x * {}",
        "import functools\nclean = workflow(functools.partial(lambda k, x: x * k, {}))",
        "def twice(f): return lambda x: f(f(x)) // {0}\n@workflow\n@twice\ndef clean(x): return x * {0}",
        "def make(k):\n    @workflow\n    def inner(x): return x * k\n    return inner\nclean = make({})",
        "class Times:\n    def __init__(self, k): self.k = k\n    def __call__(self, x): return x * self.k\n"
        "clean = workflow(Times({}))",
        "class Box:\n    @staticmethod\n    def f(x): return x * {}\nclean = workflow(Box.f)",
        "@workflow\nclass Model:\n    def __init__(self, x): self.x = x\n    def get(self): return self.x * {}\n"
        "clean = lambda x: Model(x).get()",
        "%%",
    ],
)
def test_however_a_function_is_decorated_its_nodes_follow(book: Notebook, code: str) -> None:
    code = "exec('@workflow\\ndef clean(x): return x * {}')" if code == "%%" else code
    book.run(code.format(2), "define")
    book.run("wf = LocalWorkflow(clean(10))", "build")
    assert book["wf"].run() == 20
    book.run("\n\n" + code.format(3), "define")
    assert book["wf"].run() == 30


LOOP = "fs = []\nfor k in {}:\n    @workflow\n    def times(x, k=k): return x * k + {}\n    fs.append(times)"


@pytest.mark.parametrize(
    ("before", "after", "values"),
    [
        ("(1, 2, 3)", "(1, 2, 3)", [11, 21, 31]),
        ("(1, 2, 3)", "(10, 20, 30)", [101, 201, 301]),
        ("(1, 2, 3)", "(0, 1, 2, 3)", [11, 21, 31]),
        ("(1, 2, 3)", "(1, 2, 3, 4)", [11, 21, 31]),
        ("(1, 2, 3)", "(1, 3)", [11, 20, 31]),
        ("(1, 2, 3)", "(3,)", [10, 20, 31]),
        ("(1,)", "(5, 1)", [11]),
    ],
)
def test_functions_of_a_loop_are_not_mixed_up(
    book: Notebook, before: str, after: str, values: list[int]
) -> None:
    book.run(LOOP.format(before, 0), "define")
    book.run("wf = LocalWorkflow(*[f(10) for f in fs])", "build")
    book["wf"].run()
    book.run(LOOP.format(after, 1), "define")
    result = book["wf"].run()
    assert (result if isinstance(result, list) else [result]) == values


def test_closures_of_a_factory_are_told_apart_by_their_names(book: Notebook) -> None:
    code = "def make(k):\n    @workflow\n    def f(x): return x * k + {}\n    return f\n"
    book.run(code.format(0) + "double = make(2); triple = make(3)", "define")
    book.run("wf = LocalWorkflow(double(10), triple(10))", "build")
    book.run(code.format(1) + "triple = make(3); half = make(0); double = make(2)", "define")
    assert book["wf"].run() == [21, 31]


def test_lambdas_that_swap_places_keep_their_names(book: Notebook) -> None:
    book.run("a = workflow(lambda x: x + 1); b = workflow(lambda x: x + 2)", "define")
    book.run("wf = LocalWorkflow(a(10), b(10))", "build")
    book.run("b = workflow(lambda x: x + 20); a = workflow(lambda x: x + 10)", "define")
    assert book["wf"].run() == [20, 30]


def test_lambdas_in_a_list_are_matched_around_those_that_are_written_alike(book: Notebook) -> None:
    book.run("fs = [workflow(f) for f in (lambda x: x + 1, lambda x: x + 2)]", "define")
    book.run("wf = LocalWorkflow(*[f(10) for f in fs])", "build")
    book.run("fs = [workflow(f) for f in (lambda x: x, lambda x: x + 1, lambda x: x + 20)]", "define")
    assert book["wf"].run() == [11, 30]


def test_a_function_defined_twice_in_a_cell_follows_the_one_that_keeps_the_name(book: Notebook) -> None:
    first = "@workflow\ndef f(x): return x\n"
    book.run(first + "g = f\n@workflow\ndef f(x): return x + 1", "define")
    book.run("wf = LocalWorkflow(g(10), f(10))", "build")
    book.run("@workflow\ndef f(x): return x + 2", "define")
    assert book["wf"].run() == [10, 12]
    book.run(first + "g = f\n@workflow\ndef f(x): return x + 3", "define")
    assert book["wf"].run() == [10, 13]


def test_a_cell_that_failed_half_way_loses_no_function(book: Notebook) -> None:
    code = LOOP.format("(1, 2, 3)", "{}") + "\n@workflow\ndef last(x): return -x - {}"
    book.run(code.format(0, 0), "define")
    book.run("wf = LocalWorkflow(*[f(10) for f in fs], last(10))", "build")
    with pytest.raises(ZeroDivisionError):
        book.run("1/0\n" + code.format(1, 1), "define")
    with pytest.raises(ZeroDivisionError):
        book.run(code.replace("fs.append", "k == 2 and 1/0; fs.append").format(2, 2), "define")
    assert book["wf"].run() == [12, 22, 30, -10]
    book.run(code.format(3, 3), "define")
    assert book["wf"].run() == [13, 23, 33, -13]


def test_the_first_execution_that_failed_counts_as_well(book: Notebook) -> None:
    with pytest.raises(ZeroDivisionError):
        book.run(CLEAN.format(2) + "\n1/0", "define")
    book.run("wf = LocalWorkflow(clean(10))", "build")
    book.run(CLEAN.format(3), "define")
    assert book["wf"].run() == 30


def test_without_an_id_a_cell_is_another_cell(book: Notebook) -> None:
    book.run(CLEAN.format(2))
    book.run("wf = LocalWorkflow(clean(10))")
    book.run(CLEAN.format(3))
    assert book["wf"].run() == 20


def test_a_plain_helper_counts_by_its_name(book: Notebook) -> None:
    book.run("def helper(x): return x * 2", "helper")
    book.run("@workflow\ndef clean(x): return helper(x)\nwf = LocalWorkflow(clean(10))", "define")
    book.run("def helper(x): return x * 3", "helper")
    assert book["wf"].run() == 30


def test_a_function_that_the_person_put_in_stays(book: Notebook) -> None:
    book.run(CLEAN.format(2), "define")
    book.run("node = clean(10); wf = LocalWorkflow(node); wf.replace_func(node, lambda x: -x)", "build")
    book.run(CLEAN.format(3), "define")
    assert book["wf"].run() == -10


def test_a_decorated_function_that_the_person_put_in_follows_its_cell(book: Notebook) -> None:
    book.run(CLEAN.format(2), "define")
    book.run("@workflow\ndef other(x): return x + 1", "other")
    book.run("node = clean(10); wf = LocalWorkflow(node); wf.replace_func(node, other)", "build")
    assert book["wf"].run() == 11
    book.run("@workflow\ndef other(x): return x + 2", "other")
    book.run(CLEAN.format(3), "define")
    assert book["wf"].run() == 12


# --- signatures that change ----------------------------------------------------------------------------------


def test_a_function_that_no_longer_takes_the_arguments_is_refused_before_anything_runs(
    book: Notebook,
) -> None:
    book.run("ran = []\n@workflow\ndef load(): ran.append(1); return 10", "load")
    book.run(CLEAN.format(2), "define")
    book.run("wf = LocalWorkflow(clean(load(), ).set_name('cleaned'))", "build")
    book.run("@workflow\ndef clean(x, factor): return x * factor", "define")
    with pytest.raises(OutdatedNodeError) as caught:
        book["wf"].run()
    assert "'cleaned'" in str(caught.value)
    assert "'factor'" in str(caught.value)
    assert "clean(<function node 'load_" in str(caught.value)
    assert book["ran"] == []
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
    book.run("@workflow\ndef clean(x, factor=4): return x * factor", "define")
    assert book["wf"].run() == 40


def test_a_descendant_that_cannot_run_is_left_out_and_says_why(book: Notebook) -> None:
    book.run("@workflow\ndef load(): return 10\nroot = load()", "load")
    book.run(CLEAN.format(2), "define")
    book.run("side = clean(root); after = clean(side)", "side")
    book.run("@workflow\ndef clean(): return 0", "define")
    book.run("wf = LocalWorkflow(root)", "build")
    assert book["wf"].run() == 10
    why = book["wf"].why_left_out
    assert list(why) == [book["side"], book["after"]]
    assert "too many positional arguments" in why[book["side"]]
    assert book["side"].name in why[book["after"]]


MODEL = """
@workflow
class Model:
    def __init__(self, start): self.value = start * {0}
    def add(self, more): self.value += more * {0}; return self.value
    def get(self): return self.value
"""


def test_constructor_and_method_nodes_follow_the_class(book: Notebook) -> None:
    book.run(MODEL.format(1), "define")
    book.run("model = Model(1); model.add(2); got = model.get(); wf = LocalWorkflow(got)", "build")
    assert book["wf"].run() == 3
    book.run(MODEL.format(10), "define")
    assert book["wf"].run() == 30
    book.run("wf2 = LocalWorkflow(model.add(3))", "more")
    assert book["wf2"].run() == 60


def test_a_method_that_is_gone_is_named(book: Notebook) -> None:
    book.run(MODEL.format(1), "define")
    book.run("model = Model(1); added = model.add(2); wf = LocalWorkflow(added)", "build")
    book.run(MODEL.format(1).replace("def add", "def plus"), "define")
    with pytest.raises(OutdatedNodeError, match="class Model has no method 'add' any more"):
        book["wf"].run()
    book.run(MODEL.format(2), "define")
    assert book["wf"].run() == 6


@pytest.mark.parametrize(
    ("old", "new"), [("def add(self, more)", "def add(self)"), ("__init__(self, start)", "__init__(self)")]
)
def test_a_method_that_takes_other_arguments_is_refused(book: Notebook, old: str, new: str) -> None:
    book.run(MODEL.format(1), "define")
    book.run("wf = LocalWorkflow(Model(1).add(2))", "build")
    book.run(MODEL.format(1).replace(old, new), "define")
    with pytest.raises(OutdatedNodeError, match="too many positional arguments"):
        book["wf"].run()


# --- modules -------------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Writes the text of a module, and imports or reloads it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    name = f"fuse_steps_{tmp_path.name.replace('-', '_')}"

    def write(text: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text("from fuse_widgets import workflow\n" + text)
        importlib.invalidate_caches()
        found = sys.modules.get(name)
        return importlib.import_module(name) if found is None else importlib.reload(found)

    yield write
    sys.modules.pop(name, None)


def test_a_module_that_was_reloaded_counts_as_it_is_now(
    book: Notebook, module: Callable[[str], ModuleType]
) -> None:
    book.namespace["steps"] = module(CLEAN.format(2))
    book.run("from fuse_steps import clean" if False else "clean = steps.clean", "import")
    book.run("wf = LocalWorkflow(clean(10))", "build")
    assert book["wf"].run() == 20
    module(CLEAN.format(3))
    assert book["wf"].run() == 30
    book.run("wf2 = LocalWorkflow(clean(10))", "old name")
    assert book["wf2"].run() == 30


def test_a_plain_function_of_a_module_that_was_reloaded_counts_as_it_is_now(
    book: Notebook, module: Callable[[str], ModuleType]
) -> None:
    book.namespace["steps"] = module("def clean(x): return x * 2\nclass Box:\n    def get(self): return 2")
    book.run("clean = workflow(steps.clean); box = workflow(steps.Box)", "decorate")
    book.run("wf = LocalWorkflow(clean(10), box().get())", "build")
    assert book["wf"].run() == [20, 2]
    module("def clean(x): return x * 3\nclass Box:\n    def get(self): return 3")
    assert book["wf"].run() == [30, 3]


def test_a_function_that_was_patched_into_a_module_changes_no_node(
    book: Notebook, module: Callable[[str], ModuleType]
) -> None:
    steps = book.namespace["steps"] = module(CLEAN.format(2) + "\ndef plain(x): return x + 2")
    book.run("wf = LocalWorkflow(steps.clean(10), workflow(steps.plain)(10))", "build")
    book.run("@workflow\ndef clean(x): return -x\nsteps.clean = clean; steps.plain = lambda x: -x", "patch")
    assert book["wf"].run() == [20, 12]
    book.run("patched = LocalWorkflow(steps.clean(10))", "use")
    module(CLEAN.format(3) + "\ndef plain(x): return x + 3")
    assert book["wf"].run() == [30, 13]
    assert book["patched"].run() == -10
    assert steps.clean is not book["clean"]


def test_functions_that_a_module_makes_in_a_loop_keep_their_places(
    book: Notebook, module: Callable[[str], ModuleType]
) -> None:
    book.namespace["steps"] = module(LOOP.format("(1, 2, 3)", 0))
    book.run("wf = LocalWorkflow(*[f(10) for f in steps.fs])", "build")
    assert book["wf"].run() == [10, 20, 30]
    module(LOOP.format("(1, 2, 3)", 1))
    assert book["wf"].run() == [11, 21, 31]


def test_a_module_that_fails_half_way_counts_as_far_as_it_came(
    book: Notebook, module: Callable[[str], ModuleType]
) -> None:
    one, two = CLEAN, CLEAN.replace("clean", "scale")
    book.namespace["steps"] = module(f"{one}\n{two}".format(2, 2))
    book.run("wf = LocalWorkflow(steps.clean(10), steps.scale(10))", "build")
    with pytest.raises(ZeroDivisionError):
        module(f"{one}\n1/0\n{two}".format(3, 3))
    assert book["wf"].run() == [30, 20]
    module(f"{one}\n{two}".format(4, 4))
    assert book["wf"].run() == [40, 40]


def test_functions_of_a_factory_in_a_module_belong_to_the_cell_that_calls_it(
    book: Notebook, module: Callable[[str], ModuleType]
) -> None:
    book.namespace["steps"] = module("def make(k):\n    @workflow\n    def f(x): return x * k\n    return f")
    book.run("f = steps.make(2)", "make")
    book.run("wf = LocalWorkflow(f(10))", "build")
    book.run("f = steps.make(3)", "make")
    assert book["wf"].run() == 30


# --- memory --------------------------------------------------------------------------------------------------


def test_a_function_that_nobody_uses_any_more_is_let_go(book: Notebook) -> None:
    code = "import numpy\ndef make(big):\n    @workflow\n    def f(): return big.sum()\n    return f\nf = make(numpy.ones(3))"
    book.run(code, "define")
    book.run("wf = LocalWorkflow(f())", "build")
    funcs = [weakref.ref(book["f"].func)]
    for _ in range(3):
        book.run(code, "define")
        assert book["wf"].run() == 3
        funcs.append(weakref.ref(book["f"].func))
    gc.collect()
    assert [ref() is not None for ref in funcs] == [False, False, False, True]
