"""Modules whose functions call each other in every way: an edit is noticed just where it is reached."""

from __future__ import annotations

import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuse_widgets import FileStorage, LocalWorkflow

from .notebook import fingerprint_all, node_of, notebook

MODULES, FUNCTIONS = 4, 12  # function i is in module i % MODULES, and calls those with higher numbers

#: How function `f{i}` calls `f{j}` of module `graph_{m}`: a line before the function, lines in it, the call. `{p}` is a
#: parameter. Those in LOCAL need both in one module, where `f{j}` stands above.
CALLS = {
    "attribute": ("", "", "graph_{m}.f{j}()"),
    "alias": ("", "", "alias_{m}.f{j}()"),
    "variable": ("", "    v{j} = graph_{m}.f{j}", "v{j}()"),
    "import": ("", "    import graph_{m} as here_{j}", "here_{j}.f{j}()"),
    "import of a name": ("", "    from graph_{m} import f{j} as g{j}", "g{j}()"),
    "import_module": ("", "    import importlib", 'importlib.import_module("graph_{m}").f{j}()'),
    "__import__": ("", "", '__import__("graph_{m}").f{j}()'),
    "lambda": ("", "", "(lambda: graph_{m}.f{j}())()"),
    "comprehension": ("", "", "sum(graph_{m}.f{j}() for _ in range(1))"),
    "nested import": (
        "",
        "    import graph_{m} as outer_{j}\n    def inner_{j}(): return outer_{j}.f{j}()",
        "inner_{j}()",
    ),
    "class in the function": (
        "",
        "    class C{j}:\n        def m(self): return graph_{m}.f{j}()",
        "C{j}().m()",
    ),
    "method": ("class K{i}_{j}:\n    def m(self): return graph_{m}.f{j}()", "", "K{i}_{j}().m()"),
    "callable object": (
        "class O{i}_{j}:\n    def __call__(self): return graph_{m}.f{j}()\no{i}_{j} = O{i}_{j}()",
        "",
        "o{i}_{j}()",
    ),
}
LOCAL = {
    "name": ("", "", "f{j}()"),
    "partial": ("import functools\np{i}_{j} = functools.partial(f{j})", "", "p{i}_{j}()"),
    "table": ('t{i}_{j} = {{"k": [f{j}]}}', "", 't{i}_{j}["k"][0]()'),
    "lambda in a table": ('l{i}_{j} = {{"k": lambda: f{j}()}}', "", 'l{i}_{j}["k"]()'),
    "closure": ("def m{i}_{j}(g):\n    return lambda: g()\nc{i}_{j} = m{i}_{j}(f{j})", "", "c{i}_{j}()"),
    "default": ("def d{i}_{j}(g=f{j}): return g()", "", "d{i}_{j}()"),
    "property": ("class P{i}_{j}:\n    @property\n    def p(self): return f{j}()", "", "P{i}_{j}().p"),
    "wrapped": (
        "import functools\n@functools.wraps(f{j})\ndef w{i}_{j}(): return f{j}()",
        "",
        "w{i}_{j}()",
    ),
}
#: All of the module counts.
WHOLE = {
    "getattr": ("", "", 'getattr(graph_{m}, ("f{j}", "")[0])()'),
    "module in a variable": ("", "    w{j} = graph_{m}", "w{j}.f{j}()"),
    "module as a value": ("", "", "[graph_{m}][0].f{j}()"),
}
KINDS = {**CALLS, **LOCAL, **WHOLE}


@dataclass(frozen=True)
class Graph:
    """Which function calls which, and how."""

    calls: tuple[tuple[int, int, str], ...]

    def sources(self, numbers: dict[int, int]) -> list[str]:
        """The source of each module; `numbers` is what functions add."""
        sources = []
        for module in range(MODULES):
            lines = [f"import graph_{m}, graph_{m} as alias_{m}" for m in range(MODULES)]
            for i in reversed(range(module, FUNCTIONS, MODULES)):
                lines += self.function(i, numbers.get(i, 1))
            sources.append("\n".join(lines) + "\n")
        return sources

    def function(self, i: int, number: int) -> list[str]:
        """The lines of a function, and of what it needs beside itself."""
        before, inside, calls = [], [], [str(number)]
        for caller, j, kind in self.calls:
            if caller == i:
                parts = [part.format(i=i, j=j, m=j % MODULES) for part in KINDS[kind]]
                before += parts[:1]
                inside += parts[1:2]
                calls += parts[2:]
        return [
            *filter(None, before),
            f"def f{i}():",
            *filter(None, inside),
            f"    return {' + '.join(calls)}",
        ]

    def reached(self) -> set[int]:
        """The functions that `f0` reaches: that it calls, or that are in a module which counts as a whole."""
        found, waiting = set(), [0]
        while waiting:
            i = waiting.pop()
            if i in found:
                continue
            found.add(i)
            for caller, j, kind in self.calls:
                if caller == i:
                    # a whole module has all modules in it, since each imports them all
                    waiting += range(FUNCTIONS) if kind in WHOLE else [j]
        return found


@st.composite
def graphs(draw: Any) -> Graph:
    found = {}
    for i, j in draw(
        st.lists(st.tuples(st.integers(0, FUNCTIONS - 2), st.integers(1, FUNCTIONS - 1)), max_size=20)
    ):
        if i < j:
            whole = draw(st.integers(0, 9)) == 0
            kinds = [*(WHOLE if whole else CALLS), *(LOCAL if (j - i) % MODULES == 0 and not whole else ())]
            found[i, j] = draw(st.sampled_from(sorted(kinds)))
    return Graph(tuple((i, j, kind) for (i, j), kind in sorted(found.items())))


@contextmanager
def loaded(graph: Graph, numbers: dict[int, int]) -> Iterator[Any]:
    """The function of a notebook that calls `f0`, with modules as after a restart."""
    names = [f"graph_{m}" for m in range(MODULES)]
    modules = [types.ModuleType(name) for name in names]
    sys.modules.update(zip(names, modules, strict=True))
    try:
        for module, source in zip(modules, graph.sources(numbers), strict=True):
            exec(compile(source, module.__name__, "exec"), module.__dict__)
        yield notebook("import graph_0\ndef f(): return graph_0.f0()")["f"]
    finally:
        for name in names:
            del sys.modules[name]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.integers(0, FUNCTIONS - 1))
def test_an_edit_is_noticed_just_where_it_is_reached_and_every_value_is_that_of_the_present_code(
    graph: Graph, edited: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def run(numbers: dict[int, int]) -> tuple[Any, str]:
            with loaded(graph, numbers) as func:
                node = node_of(func).set_name("node")
                wf = LocalWorkflow(node, workflow_name="w")
                wf.set_storage(FileStorage(folder))
                value, expected = wf.run(), func()
                assert value == expected
                return fingerprint_all(node), wf.last_run.report()[0]["source"]

        before, _ = run({})
        again, source = run({})
        assert again.difference(before) is None
        assert source == "stored"
        assert before.not_tracked == ()
        reached = graph.reached()
        after, source = run({edited: 2})
        if edited in reached:
            assert f"graph_{edited % MODULES}." in str(after.difference(before))
            assert source == "computed"
        else:
            assert after.difference(before) is None
            assert source == "stored"
