"""A fingerprint notices what changes a result, and nothing else: the code half."""

from __future__ import annotations

import functools
import gc
import json
import os
import subprocess
import sys
import textwrap

import pytest

from fuse_widgets.engine.nodes import Node, workflow
from fuse_widgets.storage.fingerprint import FingerprintCache, fingerprint
from tests.lines import lines_run

from .notebook import difference, fingerprint_all, node_of, notebook

CHANGES = {
    "body": ("def f(): return 1 + x\nx = 1", "def f(): return 2 + x\nx = 1", "code changed"),
    "operator": ("def f(a=1): return a < 1", "def f(a=1): return a > 1", "code changed"),
    "constant type": ("def f(): return 1", "def f(): return 1.0", "code changed"),
    "sign of zero": ("def f(): return 0.0", "def f(): return -0.0", "code changed"),
    "default": ("def f(a=1): return a", "def f(a=2): return a", "code changed"),
    "keyword default": ("def f(*, a=1): return a", "def f(*, a=2): return a", "code changed"),
    "argument name": ("def f(a=1): return 0", "def f(b=1): return 0", "code changed"),
    "nested function": (
        "def f():\n def g(): return 1\n return g()",
        "def f():\n def g(): return 2\n return g()",
        "code changed",
    ),
    "lambda": ("f = lambda: (lambda: 1)()", "f = lambda: (lambda: 2)()", "code changed"),
    "comprehension": (
        "def f(): return [i for i in range(3) if i > 1]",
        "def f(): return [i for i in range(3) if i > 2]",
        "code changed",
    ),
    "except moved": (
        "def f():\n try:\n  a(); b()\n except ValueError: pass\na = b = int",
        "def f():\n try:\n  a()\n except ValueError: pass\n b()\na = b = int",
        "code changed",
    ),
    "set constant": (
        "def f(a=1): return a in {'x', 'y'}",
        "def f(a=1): return a in {'x', 'z'}",
        "code changed",
    ),
    "closure": (
        "def make(k):\n def f(): return k\n return f\nf = make(1)",
        "def make(k):\n def f(): return k\n return f\nf = make(2)",
        "code changed",
    ),
    "function in a closure": (
        "def make(k):\n def f(): return k()\n return f\nf = make(lambda: 1)",
        "def make(k):\n def f(): return k()\n return f\nf = make(lambda: 2)",
        "code changed",
    ),
    "decorator's wrapped function": (
        "import functools\ndef twice(g):\n @functools.wraps(g)\n def w(): return 2 * g()\n return w\n"
        "@twice\ndef f(): return 1",
        "import functools\ndef twice(g):\n @functools.wraps(g)\n def w(): return 2 * g()\n return w\n"
        "@twice\ndef f(): return 3",
        "code changed",
    ),
    "helper": (
        "def g(): return 1\ndef f(): return g()",
        "def g(): return 2\ndef f(): return g()",
        "g changed",
    ),
    "helper of a helper": (
        "def h(): return 1\ndef g(): return h()\ndef f(): return g()",
        "def h(): return 2\ndef g(): return h()\ndef f(): return g()",
        "h changed",
    ),
    "helper used inside a nested function": (
        "def g(): return 1\ndef f(): return (lambda: g())()",
        "def g(): return 2\ndef f(): return (lambda: g())()",
        "g changed",
    ),
    "helper in a closure's default": (
        "def g(): return 1\ndef h(k=g): return k()\ndef f(): return h()",
        "def g(): return 2\ndef h(k=g): return k()\ndef f(): return h()",
        "h changed",
    ),
    "decorated helper": (
        "@workflow\ndef g(): return 1\ndef f(): return g.func()",
        "@workflow\ndef g(): return 2\ndef f(): return g.func()",
        "g changed",
    ),
    "constant": ("N = 10\ndef f(): return N", "N = 11\ndef f(): return N", "N changed"),
    "constant of a helper": (
        "N = 10\ndef g(): return N\ndef f(): return g()",
        "N = 11\ndef g(): return N\ndef f(): return g()",
        "N changed",
    ),
    "global list": ("L = [1, 2]\ndef f(): return L", "L = [1, 3]\ndef f(): return L", "L changed"),
    "order in a dict": (
        "D = {'a': 1, 'b': 2}\ndef f(): return D",
        "D = {'b': 2, 'a': 1}\ndef f(): return D",
        "D changed",
    ),
    "global frame": (
        "import pandas as pd\nD = pd.DataFrame({'a': range(1000)})\ndef f(): return D.sum()",
        "import pandas as pd\nD = pd.DataFrame({'a': range(1, 1001)})\ndef f(): return D.sum()",
        "D changed",
    ),
    "function in a global dict": (
        "T = {'a': lambda: 1}\ndef f(): return T['a']()",
        "T = {'a': lambda: 2}\ndef f(): return T['a']()",
        "T changed",
    ),
    "method of a class": (
        "class H:\n def m(self): return 1\ndef f(): return H().m()",
        "class H:\n def m(self): return 2\ndef f(): return H().m()",
        "H changed",
    ),
    "static method": (
        "class H:\n @staticmethod\n def m(): return 1\ndef f(): return H.m()",
        "class H:\n @staticmethod\n def m(): return 2\ndef f(): return H.m()",
        "H changed",
    ),
    "property": (
        "class H:\n @property\n def m(self): return 1\ndef f(): return H().m",
        "class H:\n @property\n def m(self): return 2\ndef f(): return H().m",
        "H changed",
    ),
    "class attribute": (
        "class H: k = 1\ndef f(): return H.k",
        "class H: k = 2\ndef f(): return H.k",
        "H changed",
    ),
    "base class": (
        "class B:\n def m(self): return 1\nclass H(B): pass\ndef f(): return H().m()",
        "class B:\n def m(self): return 2\nclass H(B): pass\ndef f(): return H().m()",
        "H changed",
    ),
    "helper of a method": (
        "def g(): return 1\nclass H:\n def m(self): return g()\ndef f(): return H().m()",
        "def g(): return 2\nclass H:\n def m(self): return g()\ndef f(): return H().m()",
        "g changed",
    ),
    "data class field": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n a: int = 1\ndef f(): return P()",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n a: int = 2\ndef f(): return P()",
        "P changed",
    ),
    "enum member": (
        "from enum import Enum\nclass E(Enum):\n A = 1\ndef f(): return E.A",
        "from enum import Enum\nclass E(Enum):\n A = 2\ndef f(): return E.A",
        "E changed",
    ),
    "cached helper": (
        "import functools\n@functools.lru_cache\ndef g(): return 1\ndef f(): return g()",
        "import functools\n@functools.lru_cache\ndef g(): return 2\ndef f(): return g()",
        "g changed",
    ),
    "partial helper": (
        "import functools\ndef h(a): return a\ng = functools.partial(h, 1)\ndef f(): return g()",
        "import functools\ndef h(a): return a\ng = functools.partial(h, 2)\ndef f(): return g()",
        "g changed",
    ),
    "function of another package": (
        "from math import sin as g\ndef f(): return g(1)",
        "from math import cos as g\ndef f(): return g(1)",
        "g changed",
    ),
    "another module": (
        "import json as m\ndef f(): return m",
        "import math as m\ndef f(): return m",
        "m changed",
    ),
    "two things": (
        "N = 1\ndef g(): return 1\ndef f(): return g() + N",
        "N = 2\ndef g(): return 2\ndef f(): return g() + N",
        "N, g changed",
    ),
    "mutual recursion": (
        "def g(n): return n and f(n - 1)\ndef f(n=3): return g(n)",
        "def g(n): return n and f(n - 2)\ndef f(n=3): return g(n)",
        "g changed",
    ),
    "callable object": (
        "class C:\n def __init__(self, k): self.k = k\n def __call__(self): return self.k\nf = C(1)",
        "class C:\n def __init__(self, k): self.k = k\n def __call__(self): return self.k\nf = C(2)",
        "code changed",
    ),
    "method of a callable object": (
        "class C:\n def __call__(self): return 1\nf = C()",
        "class C:\n def __call__(self): return 2\nf = C()",
        "code changed",
    ),
    "bound method": (
        "class C:\n def __init__(self, k): self.k = k\n def m(self): return self.k\nf = C(1).m",
        "class C:\n def __init__(self, k): self.k = k\n def m(self): return self.k\nf = C(2).m",
        "code changed",
    ),
    "class as a node": (
        "class f:\n def __init__(self): self.k = 1",
        "class f:\n def __init__(self): self.k = 2",
        "code changed",
    ),
}

SAME = {
    "comment": ("def f():\n # one\n return 1", "def f():\n\n # two\n\n return 1"),
    "line": ("def f(): return 1", "\n\n\ndef f():\n    return 1"),
    "docstring": ("def f(a=1):\n return a", "def f(a=1):\n 'Gives a.'\n return a"),
    "docstring changed": ("def f():\n 'One.'\n return None", "def f():\n 'Two.'\n return None"),
    "docstring of a class": (
        "class H:\n k = 1\n def m(self): return 1\ndef f(): return H",
        "class H:\n 'Helps.'\n k = 1\n def m(self):\n  'One.'\n  return 1\ndef f(): return H",
    ),
    "docstring of a class in a function": (
        "def f():\n class H:\n  'One.'\n  k = 1\n return H.k",
        "def f():\n\n\n class H:\n  'Two.'\n  k = 1\n return H.k",
    ),
    "order of definition": (
        "N = 1\ndef g(): return N\ndef h(): return 2\ndef f(): return g() + h()",
        "def f(): return g() + h()\ndef h(): return 2\ndef g(): return N\nN = 1",
    ),
    "order of methods": (
        "class H:\n def a(self): return 1\n def b(self): return 2\ndef f(): return H",
        "class H:\n def b(self): return 2\n def a(self): return 1\ndef f(): return H",
    ),
    "unused helper": ("def f(): return 1", "def g(): return 2\nN = 3\ndef f(): return 1"),
    "annotation": ("def f(a=1): return a", "def f(a: int = 1) -> int: return a"),
    "equal closure": (
        "def make(k):\n def f(): return k\n return f\nf = make('ab' * 20)",
        "def make(k):\n def f(): return k\n return f\nf = make(''.join(['ab'] * 20))",
    ),
    "decorated or not": ("def f(): return 1", "@workflow\ndef f(): return 1"),
    "what it collects": (
        "seen = []\nby = {}\ndef f(a=1):\n seen.append(a)\n by[a] = 1\n return a",
        "seen = [1, 2]\nby = {1: 1}\ndef f(a=1):\n seen.append(a)\n by[a] = 1\n return a",
    ),
    "what it collects in a closure": (
        "def make(seen):\n def f(a=1): seen.append(a)\n return f\nf = make([])",
        "def make(seen):\n def f(a=1): seen.append(a)\n return f\nf = make([5])",
    ),
    "its own counter": (
        "n = 0\ndef f():\n global n\n n += 1\n return 7",
        "n = 5\ndef f():\n global n\n n += 1\n return 7",
    ),
    "locks and loggers": (
        "import threading, logging\nlock = threading.Lock()\nlog = logging.getLogger('a')\ndone = threading.Event()\n"
        "def f():\n with lock: log.info(''); done.set()",
        "import threading, logging\nlock = threading.Lock()\nlog = logging.getLogger('a')\ndone = threading.Event()\n"
        "def f():\n with lock: log.info(''); done.set()",
    ),
    "classes of all kinds": (
        """
        import abc, collections, dataclasses, enum, functools, typing
        @dataclasses.dataclass(order=True)
        class D:
            a: int
            b: list = dataclasses.field(default_factory=list)
        class A(abc.ABC):
            @abc.abstractmethod
            def m(self): ...
        class S(A):
            __slots__ = ("a", "b")
            def m(self): return super().m()
            @classmethod
            def make(cls): return S()
            @functools.cached_property
            def p(self): return 1
        class N(typing.NamedTuple):
            a: int = 1
        class E(enum.Flag):
            X = enum.auto()
            Y = enum.auto()
        class I(enum.IntEnum):
            X = 1
        P = collections.namedtuple("P", "a b")
        T = typing.TypeVar("T")
        class G(typing.Generic[T]):
            x: typing.List[T]
        class M(type):
            def __call__(cls): return super().__call__()
        class K(metaclass=M):
            me: "K"
        K.me = K
        K.one = K()
        def f(): return D, A, S, N, E.X, I, P, G, K
        """,
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_noticed_and_named(case):
    before, after, reason = CHANGES[case]
    head = "from fuse_widgets.engine.nodes import workflow\n"
    assert difference(head + before, head + after) == reason


@pytest.mark.parametrize("case", [*CHANGES, *SAME])
def test_what_does_not_change_a_result_is_not_noticed(case):
    sources = SAME.get(case) or CHANGES[case][:1]
    head = "from fuse_widgets.engine.nodes import workflow\n"
    before, after = (head + textwrap.dedent(sources[i]) for i in (0, -1))
    assert difference(before, after) is None


@pytest.mark.slow
def test_the_same_in_processes_with_other_hash_seeds(tmp_path):
    """Every case above, in the `__main__` of two processes that hash strings differently."""
    cells = {name: textwrap.dedent(case[0]) for name, case in {**CHANGES, **SAME}.items()}
    script = textwrap.dedent(
        """
        import json, sys, textwrap
        from fuse_widgets.engine.nodes import workflow
        from fuse_widgets.storage.fingerprint import fingerprint
        import numpy as np, pandas as pd
        from pathlib import Path
        digests = {}
        cells = json.loads(sys.stdin.read())
        for name in cells:
            space = {"__name__": "__main__", "workflow": workflow}
            exec(compile(cells[name], f"<{sys.argv[1]}>", "exec"), space)
            digests[name] = fingerprint(workflow(space["f"])(), {}).digest
        @workflow
        def g(*args, **kwargs): return args in {"a", "b", "c", "d"} or kwargs in [{"e", "f"}]
        values = dict(
            s={"alpha", "beta", "gamma"}, f=frozenset("abcdef"), d={"x": {1, 2, "3"}}, p=Path("a/b"), fn=lambda q: q in {"u", "v"},
            a=np.arange(6).reshape(2, 3), o=np.array(["a", {"b", "c"}], dtype=object), r=np.random.default_rng(3),
            df=pd.DataFrame({"a": [1.5, None], "b": ["x", "y"], "c": pd.Categorical(["u", "v"])}), nested=[{"k": ({"s", "t"},)}],
        )
        node = g(**values)
        digests["values"] = fingerprint(node, {}).digest
        print(json.dumps(digests))
        """
    )
    (tmp_path / "kernel.py").write_text(script)
    found = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "kernel.py"), seed],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, two = (json.loads(process.communicate(json.dumps(cells))[0]) for process in found)
    assert one == two
    assert len(one) == len(cells) + 1
    here = {
        name: fingerprint_all(node_of(notebook(cells[name], workflow=workflow)["f"])).digest for name in cells
    }
    assert here == {name: one[name] for name in cells}


def test_a_function_defined_anew_is_noticed_by_the_next_run_and_so_is_its_helper():
    space = notebook("def g(): return 1\ndef f(): return g()")
    node = node_of(space["f"])
    before = fingerprint_all(node)
    exec("def g(): return 2", space)
    assert fingerprint_all(node).difference(before) == "g changed"
    exec("def g(): return 1", space)
    assert fingerprint_all(node).difference(before) is None


def test_replace_func_is_noticed():
    space = notebook("def f(): return 1\ndef g(): return 2")
    node = node_of(space["f"])
    before = fingerprint_all(node)
    node.func = space["g"]
    assert fingerprint_all(node).difference(before) == "code changed"


def test_a_function_of_an_installed_package_counts_by_its_name():
    first, again = fingerprint_all(node_of(json.dumps, 1)), fingerprint_all(node_of(json.dumps, 1))
    assert again.difference(first) is None
    assert fingerprint_all(node_of(json.loads, "1")).difference(first) is not None
    assert first.names == {}
    assert fingerprint_all(node_of(len, [])).difference(fingerprint_all(node_of(len, []))) is None


def test_a_partial_of_a_notebook_function_counts_its_code_and_values():
    def version(body, value):
        return fingerprint_all(node_of(functools.partial(notebook(f"def f(a): return {body}")["f"], value)))

    assert version("a", 1).difference(version("a", 1)) is None
    assert version("a", 1).difference(version("a + 1", 1)) == "code changed"
    assert version("a", 1).difference(version("a", 2)) == "code changed"


def test_a_value_whose_class_does_not_name_its_module_behind_a_global_name():
    """As the functions of Cython 3.1 on Python 3.10 do: the one that seeds numpy, for example."""
    cell = (
        "class Odd:\n def __reduce__(self): return 'odd'\nOdd.__module__ = property(lambda self: '')\n"
        "odd = Odd()\ndef f(): return odd"
    )
    assert difference(cell, cell) is None


def test_an_open_file_behind_a_global_name_matches_nothing_and_says_why(tmp_path):
    with (tmp_path / "a.txt").open("w") as file:
        space = notebook("def f(): return db", db=file)
        before = fingerprint_all(node_of(space["f"]))
        assert before.difference(before) == (
            "code (db) cannot be fingerprinted: _io.TextIOWrapper is an open file"
        )


def test_an_open_file_in_a_closure_matches_nothing_and_says_why(tmp_path):
    with (tmp_path / "a.txt").open("w") as file:
        space = notebook("def make(db):\n def f(): return db\n return f")
        before = fingerprint_all(node_of(space["make"](file)))
        assert before.difference(before) == (
            "code cannot be fingerprinted: closure value db: _io.TextIOWrapper is an open file"
        )


def test_a_function_that_holds_itself_has_a_fingerprint_whatever_was_looked_at_before():
    cell = """
    def make():
        def fact(n=3):
            return n and fact(n - 1)
        def other(n=3):
            return fact(n)
        return fact, other
    f, g = make()
    registry = [f, g]
    def h(): return registry
    registry.append(h)
    """

    def digests(order):
        space, cache = notebook(cell), FingerprintCache()
        return {name: fingerprint_all(node_of(space[name]), cache).digest for name in order}

    assert digests("fgh") == digests("hgf") == digests("ghf")


def test_methods_and_constructors_of_decorated_classes():
    def nodes(body="self.k", k=1):
        Model = workflow(
            notebook(f"class Model:\n def __init__(self, k): self.k = k\n def fit(self, x): return {body}\n")[
                "Model"
            ]
        )
        model = Model(k).set_name("model")
        return model, model.fit(3)

    def both(*args):
        return tuple(map(fingerprint_all, nodes(*args)))

    (made, fit), (made_again, fit_again) = both(), both()
    assert (made_again.difference(made), fit_again.difference(fit)) == (None, None)
    made_2, fit_2 = both("self.k", 2)
    assert made_2.difference(made) == "argument k changed"
    assert fit_2.difference(fit) == "parent model changed"
    made_3, fit_3 = both("self.k + 1")
    assert made_3.difference(made) == "code changed"
    assert fit_3.difference(fit) == "code changed, parent model changed"


def test_a_node_that_is_watched_has_the_fingerprint_of_its_plain_function():
    from fuse_widgets.engine.nodes import ObservedFunction

    node = node_of(notebook("def f(): return 1")["f"])
    plain = fingerprint_all(node)
    node.func = ObservedFunction(None, node, node.func)
    assert fingerprint_all(node).difference(plain) is None


def test_the_cache_of_code_keeps_no_function_alive():
    import weakref

    func = notebook("def f(): return 1")["f"]
    ref = weakref.ref(func)
    node = node_of(func)
    fingerprint_all(node)
    del func, node
    gc.collect()
    assert ref() is None


def test_a_node_without_arguments_is_little_work():
    nodes: list[Node] = [node_of(notebook("def g(): return 1\ndef f(): return g()")["f"])]
    nodes += [workflow(nodes[0].func)() for _ in range(2000)]
    cache = FingerprintCache()
    fingerprint(nodes[0], {}, cache=cache)  # looks at what is imported, once in a run
    work = lines_run(lambda: [fingerprint(node, {}, cache=cache).digest for node in nodes])
    assert work / len(nodes) < 100  # 56 today
