"""What a run now would compute again is known before anything runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import FileStorage, InputFile
from tests.engine.notebook import Notebook

PIPELINE = """
raw = load().set_name("raw")
cleaned = clean(raw, 2).set_name("cleaned")
other = load().set_name("other")
wf = LocalWorkflow(last(cleaned).set_name("last"), other)
"""


@pytest.fixture(params=[False, True], ids=["memory", "storage"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Notebook:
    book = Notebook()
    book.namespace["storage"] = FileStorage(tmp_path) if request.param else None
    book.run("@workflow\ndef load(): return 10", "load")
    book.run("FACTOR = 1\ndef helper(x): return x * FACTOR", "helper")
    book.run("@workflow\ndef clean(x, k): return helper(x) * k", "clean")
    book.run("@workflow\ndef last(x): return x + 1", "last")
    book.run(PIPELINE + "wf.set_storage(storage)", "build")
    return book


def test_nothing_is_stale_before_the_first_run_and_after_each(book: Notebook) -> None:
    wf = book["wf"]
    assert wf.stale() == {}
    wf.run()
    assert wf.stale() == {}
    book.run("@workflow\ndef clean(x, k): return helper(x) + k", "clean")
    assert set(wf.stale()) == {"cleaned", "last"}
    assert wf.run() == [13, 10]
    assert wf.stale() == {}


def test_running_cells_again_as_they_are_makes_nothing_stale(book: Notebook) -> None:
    book["wf"].run()
    book.run("\n\n@workflow\ndef clean(x, k):\n    # the same\n    return helper(x) * k", "clean")
    book.run("FACTOR = 1\ndef helper(x): return x * FACTOR", "helper")
    assert book["wf"].stale() == {}


@pytest.mark.parametrize(
    ("code", "cell", "stale"),
    [
        ("@workflow\ndef load(): return 11", "load", {"raw", "cleaned", "last", "other"}),
        ("@workflow\ndef last(x): return x + 2", "last", {"last"}),
        ("FACTOR = 1\ndef helper(x): return x * FACTOR + 1", "helper", {"cleaned", "last"}),
        ("FACTOR = 2", "constant", {"cleaned", "last"}),
    ],
)
def test_what_depends_on_a_change_is_stale_until_it_is_undone(
    book: Notebook, code: str, cell: str, stale: set[str]
) -> None:
    wf = book["wf"]
    wf.run()
    book.run(code, cell)
    found = wf.stale()
    assert set(found) == stale
    assert all("changed" in why or "is out of date" in why for why in found.values())
    book.run("@workflow\ndef load(): return 10", "load")
    book.run("FACTOR = 1\ndef helper(x): return x * FACTOR", "helper")
    book.run("@workflow\ndef last(x): return x + 1", "last")
    assert wf.stale() == {}


def test_a_reason_names_the_helper_and_the_parent(book: Notebook) -> None:
    book["wf"].run()
    book.run("def helper(x): return -x", "helper")
    why = book["wf"].stale()
    assert why["cleaned"] in ("helper changed", "helper, FACTOR changed")
    assert "cleaned" in why["last"]


def test_a_function_that_was_put_in_makes_its_node_stale(book: Notebook) -> None:
    wf = book["wf"]
    wf.run()
    wf.replace_func(book["cleaned"], lambda x, k: 0)
    assert set(wf.stale()) == {"cleaned", "last"}
    wf.run()
    assert wf.stale() == {}


def test_nothing_is_stale_while_a_run_is_under_way_and_the_old_code_is_after_it(book: Notebook) -> None:
    book.namespace.update(begun=threading.Event(), go=threading.Event())
    book.run("def wait(): begun.set(); go.wait(20); return 10", "wait")
    wf = book["wf"]
    wf.replace_func(book["other"], book["wait"])
    run = wf.start()
    assert book["begun"].wait(20)
    book.run("@workflow\ndef last(x): return x + 2", "last")
    assert wf.stale() == {}
    book["go"].set()
    run.wait(20)
    assert "last" in wf.stale()


def test_a_node_that_failed_or_never_ran_has_no_result_that_could_be_stale(book: Notebook) -> None:
    book.run("@workflow\ndef clean(x, k): return 1 / 0", "clean")
    with pytest.raises(Exception, match="cleaned"):
        book["wf"].run()
    book.run("@workflow\ndef clean(x, k): return 1", "clean")
    book.run("more = clean(raw, 3)", "more")
    assert book["wf"].stale() == {}


def test_the_nodes_of_a_cell_with_another_argument_are_stale(book: Notebook) -> None:
    book.run("for k in (1, 2): clean(raw, k).set_name(f'k{k}')", "leaves")
    wf = book["wf"]
    wf.run()
    assert wf.stale() == {}
    book.run("for k in (1, 3): clean(raw, k).set_name(f'k{min(k, 2)}')", "leaves")
    assert list(wf.stale()) == ["k2"]
    assert "argument" in wf.stale()["k2"]


def test_constructor_and_methods_are_stale_with_their_class(book: Notebook) -> None:
    model = "@workflow\nclass Model:\n    def __init__(self, x): self.x = x\n    def get(self): return self.x + {}"
    book.run(model.format(0), "model")
    book.run("wf2 = LocalWorkflow(Model(1).get()); wf2.set_storage(storage)", "use")
    assert book["wf2"].run() == 1
    assert book["wf2"].stale() == {}
    book.run(model.format(1), "model")
    assert {name.rpartition("_")[0] for name in book["wf2"].stale()} == {"Model", "Model.get"}
    assert book["wf2"].run() == 2
    assert book["wf2"].stale() == {}


def test_a_node_that_cannot_run_any_more_is_stale_and_says_why(book: Notebook) -> None:
    book["wf"].run()
    book.run("@workflow\ndef clean(x, k, more): return 0", "clean")
    assert "'more'" in book["wf"].stale()["cleaned"]


def test_in_the_next_session_storage_knows_what_is_stale(tmp_path: Path) -> None:
    def session(factor: int) -> Any:
        book = Notebook()
        book.run("@workflow\ndef load(): return 10", "load")
        book.run(f"@workflow\ndef clean(x, k): return x * {factor}", "clean")
        book.run("@workflow\ndef last(x): return x + 1", "last")
        book.run(PIPELINE, "build")
        book["wf"].set_storage(FileStorage(tmp_path))
        return book["wf"]

    wf = session(2)
    assert wf.stale() == {}
    wf.run()
    assert session(2).stale() == {}
    assert set(session(3).stale()) == {"cleaned", "last"}
    session(3).run()
    assert session(2).stale() == {}  # its version is still there


def test_storage_that_goes_by_names_has_nothing_stale_by_its_code(tmp_path: Path) -> None:
    book = Notebook()
    book.namespace["storage"] = FileStorage(tmp_path, match="name")
    book.run("@workflow\ndef load(): return 10", "load")
    book.run("wf = LocalWorkflow(load()); wf.set_storage(storage); wf.run()", "build")
    book.run("@workflow\ndef load(): return 11", "load")
    assert book["wf"].run() == 10
    assert book["wf"].stale() == {}


# --- another cell --------------------------------------------------------------------------------------------


def test_a_function_that_another_cell_defines_again_is_offered_and_taken_when_asked() -> None:
    book = Notebook()
    book.run("@workflow\ndef load(): return 10", "load")
    book.run("node = load(); wf = LocalWorkflow(node); again = load()", "build")
    wf = book["wf"]
    assert wf.newer_functions() == []
    assert wf.update_functions() == []
    book.run("@workflow\ndef load(): return 11", "other")
    (newer,) = wf.newer_functions()
    assert (newer.name, newer.nodes) == ("load", [book["node"]])
    assert newer.where.startswith("<In[")
    assert wf.run() == 10
    assert wf.update_functions() == [book["node"]]
    assert wf.stale() != {}
    assert wf.run() == 11
    assert wf.newer_functions() == []
    book.run("@workflow\ndef load(): return 12", "other")
    assert wf.run() == 12
    assert book.value("LocalWorkflow(again).run()") == 10


def test_only_the_nodes_that_were_asked_for_are_updated() -> None:
    book = Notebook()
    book.run("@workflow\ndef f(x): return x", "f")
    book.run(
        "a, b, c = [f(k).set_name(n) for k, n in enumerate('abc')]; wf = LocalWorkflow(a, b, c)", "build"
    )
    book.run("@workflow\ndef f(x): return -x", "other")
    assert book["wf"].update_functions("b") == [book["b"]]
    assert book["wf"].update_functions([book["c"], book["b"]]) == [book["c"]]
    assert book["wf"].run() == [0, -1, -2]
    book.run("lone = f(1)", "lone")
    with pytest.raises(ValueError, match="is not part of"):
        book["wf"].update_functions(book["lone"])


def test_an_object_is_updated_as_a_whole() -> None:
    model = "@workflow\nclass Model:\n    def get(self): return {}"
    book = Notebook()
    book.run(model.format(1), "model")
    book.run("m = Model(); got = m.get(); wf = LocalWorkflow(got)", "build")
    book.run(model.format(2), "other")
    assert book["wf"].update_functions(book["got"]) == [book["m"], book["got"]]
    assert book["wf"].run() == 2


def test_the_first_cell_executed_again_takes_the_name_back() -> None:
    book = Notebook()
    book.run("@workflow\ndef load(): return 10", "load")
    book.run("wf = LocalWorkflow(load())", "build")
    book.run("@workflow\ndef load(): return 11", "other")
    book.run("@workflow\ndef load(): return 12", "load")
    assert book["wf"].newer_functions() == []
    assert book["wf"].run() == 12


# --- what is left of cells -----------------------------------------------------------------------------------


def test_a_node_of_a_deleted_cell_blocks_nothing() -> None:
    book = Notebook()
    book.run("@workflow\ndef f(x=0): return x + 1\nroot = f()", "root")
    book.run("f(root).set_name('twin')", "deleted")
    book.run("twin = f(f(root)).set_name('twin')", "kept")
    wf = book.value("LocalWorkflow(twin)")
    assert wf.run() == 3
    (left,) = wf.left_out
    assert "has its name" in wf.why_left_out[left]
    assert wf.discard_left_out() == [left]
    assert wf.left_out == []
    assert book.value("BaseWorkflow(root)").find_nodes("twin") == [book["twin"]]


def test_of_two_descendants_of_one_name_the_newer_one_counts_with_what_needs_it() -> None:
    book = Notebook()
    book.run("@workflow\ndef f(x=0): return x + 1\nroot = f()", "root")
    book.run("old = f(root).set_name('twin'); after = f(old)", "deleted")
    book.run("new = f(root).set_name('twin'); more = f(new)", "kept")
    wf = book.value("BaseWorkflow(root)")
    assert wf.find_nodes() == [book["root"], book["new"], book["more"]]
    assert wf.left_out == [book["old"], book["after"]]


def test_functions_are_looked_at_once_however_many_nodes_call_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from fuse_widgets.engine import _stale

    looked: list[Any] = []
    reach = _stale.reach
    monkeypatch.setattr(_stale, "reach", lambda func, nodes: looked.append(func) or reach(func, nodes))
    book = Notebook()
    book.run("@workflow\ndef f(x): return x\n@workflow\nclass M:\n    def g(self, x): return x", "define")
    book.run("m = M(); wf = LocalWorkflow(*[f(k) for k in range(50)], *[m.g(k) for k in range(50)])", "build")
    book["wf"].run()
    assert len(looked) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def helper(x, by=1): return x + by", "def helper(x, by=2): return x + by"),
        ("helper = lambda x: x + 1", "helper = lambda x: x + 2"),
        ("import functools\nhelper = functools.partial(max, 1)", "import functools\nhelper = functools.partial(max, 99)"),
        ("class C:\n    def get(self, x): return x\nhelper = C().get", "class C:\n    def get(self, x): return -x\nhelper = C().get"),
        ("class C:\n    k = 1\ndef helper(x): return x + C.k", "class C:\n    k = 2\ndef helper(x): return x + C.k"),
        (
            "class B:\n    def go(self, x): return x\nclass C(B): pass\nhelper = lambda x: C().go(x)",
            "class B:\n    def go(self, x): return -x\nclass C(B): pass\nhelper = lambda x: C().go(x)",
        ),
        ("TABLE = {'k': [1, (2, 3)]}\ndef helper(x): return x + TABLE['k'][0]", "TABLE = {'k': [2, (2, 3)]}\ndef helper(x): return x + TABLE['k'][0]"),
        ("def deep(x): return x\ndef helper(x): return (lambda: deep(x))()", "def deep(x): return -x\ndef helper(x): return (lambda: deep(x))()"),
        (
            "class C:\n    @property\n    def p(self): return 1\nc = C()\ndef helper(x): return x + c.p",
            "class C:\n    @property\n    def p(self): return 2\nc = C()\ndef helper(x): return x + c.p",
        ),
        ("@workflow\ndef inner(x): return x\ndef helper(x): return inner.func(x)", "@workflow\ndef inner(x): return -x\ndef helper(x): return inner.func(x)"),
    ],
)  # fmt: skip
def test_whatever_a_function_reaches_by_name_makes_its_result_stale(before: str, after: str) -> None:
    book = Notebook()
    book.run(before, "helper")
    book.run("@workflow\ndef f(x): return helper(x)\nwf = LocalWorkflow(f(10).set_name('n'))", "build")
    wf = book["wf"]
    old = wf.run()
    assert wf.stale() == {}
    book.run(after, "helper")
    assert list(wf.stale()) == ["n"]
    assert wf.run() != old
    assert wf.stale() == {}


def test_functions_that_call_each_other_come_to_an_end() -> None:
    book = Notebook()
    book.run("def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)", "helper")
    book.run("@workflow\ndef f(n): return even(n)\nwf = LocalWorkflow(f(4)); wf.run()", "build")
    assert book["wf"].stale() == {}
    book.run("def odd(n): return False", "more")
    assert len(book["wf"].stale()) == 1


def test_a_file_that_has_changed_makes_what_read_it_stale(tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text("one")
    book = Notebook()
    book.namespace.update(storage=FileStorage(tmp_path / "store"), path=InputFile(data))
    book.run("@workflow\ndef read(path): return path.read_text()", "read")
    book.run("wf = LocalWorkflow(read(path).set_name('n')); wf.set_storage(storage)", "build")
    wf = book["wf"]
    assert wf.run() == "one"
    assert wf.stale() == {}
    data.write_text("three")
    assert "data.txt" in wf.stale()["n"]
    assert wf.run() == "three"
    assert wf.stale() == {}
