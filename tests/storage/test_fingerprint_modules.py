"""A fingerprint covers what a function reaches in other modules of the user's."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import FileStorage, LocalWorkflow
from fuse_widgets.storage.fingerprint import Fingerprint, FingerprintCache, fingerprint
from tests.lines import lines_run

from .notebook import fingerprint_all, node_of, notebook
from .project import Project

#: A module `helpers`, where `N` is the number that is edited; a cell; the reason. `helpers` is also in a package, `pkg.sub.helpers`.
REACHED = {
    "attribute": ("def clean(x): return x * N", "import helpers\ndef f(): return helpers.clean(1)"),
    "alias": ("def clean(x): return x * N", "import helpers as h\ndef f(): return h.clean(1)"),
    "from import": ("def clean(x): return x * N", "from helpers import clean\ndef f(): return clean(1)"),
    "from import as": ("def clean(x): return x * N", "from helpers import clean as c\ndef f(): return c(1)"),
    "star import": ("def clean(x): return x * N", "from helpers import *\ndef f(): return clean(1)"),
    "import in the function": (
        "def clean(x): return x * N",
        "def f():\n import helpers\n return helpers.clean(1)",
    ),
    "from import in the function": (
        "def clean(x): return x * N",
        "def f():\n from helpers import clean as c\n return c(1)",
    ),
    "import as in the function": (
        "def clean(x): return x * N",
        "def f():\n import helpers as h\n return h.clean(1)",
    ),
    "conditional import": (
        "def clean(x): return x * N",
        "def f(a=0):\n if a:\n  import helpers\n else:\n  helpers = None\n return helpers and helpers.clean(1)",
    ),
    "import or something else": (
        "def clean(x): return x * N",
        "def f():\n try:\n  import no_such_module as h\n except ImportError:\n  import helpers as h\n return h.clean(1)",
    ),
    "import_module": (
        "def clean(x): return x * N",
        "import importlib\ndef f(): return importlib.import_module('helpers').clean(1)",
    ),
    "import_module kept in a variable": (
        "def clean(x): return x * N",
        "from importlib import import_module\ndef f():\n m = import_module('helpers')\n return m.clean(1)",
    ),
    "__import__": ("def clean(x): return x * N", "def f(): return __import__('helpers').clean(1)"),
    "import in a nested function": (
        "def clean(x): return x * N",
        "def f():\n import helpers\n def g(): return helpers.clean(1)\n return g()",
    ),
    "import in a class in the function": (
        "def clean(x): return x * N",
        "def f():\n class A:\n  import helpers\n return A.helpers.clean(1)",
    ),
    "comprehension": (
        "def clean(x): return x * N",
        "import helpers\ndef f(): return [helpers.clean(i) for i in range(3)]",
    ),
    "lambda in the function": (
        "def clean(x): return x * N",
        "import helpers\ndef f(): return sorted([1], key=lambda i: helpers.clean(i))",
    ),
    "helper of a helper": (
        "def clean(x): return deep(x)\ndef deep(x): return x * N",
        "import helpers\ndef f(): return helpers.clean(1)",
    ),
    "constant": ("RATE = N", "import helpers\ndef f(): return helpers.RATE"),
    "constant of a helper": (
        "RATE = N\ndef clean(x): return x * RATE",
        "import helpers\ndef f(): return helpers.clean(1)",
    ),
    "method": ("class C:\n def m(self): return N", "import helpers\ndef f(): return helpers.C().m()"),
    "inherited method": (
        "class B:\n def m(self): return N\nclass C(B): pass",
        "import helpers\ndef f(): return helpers.C().m()",
    ),
    "subclass in the notebook": (
        "class B:\n def m(self): return N",
        "from helpers import B\nclass C(B): pass\ndef f(): return C().m()",
    ),
    "mixin": (
        "class M:\n def m(self): return N\nclass B: pass",
        "import helpers\nclass C(helpers.B, helpers.M): pass\ndef f(): return C().m()",
    ),
    "metaclass": (
        "class M(type):\n def m(cls): return N",
        "import helpers\nclass C(metaclass=helpers.M): pass\ndef f(): return C.m()",
    ),
    "class attribute": ("class C: k = N", "import helpers\ndef f(): return helpers.C.k"),
    "static method": (
        "class C:\n @staticmethod\n def m(): return N",
        "import helpers\ndef f(): return helpers.C.m()",
    ),
    "property": (
        "class C:\n @property\n def p(self): return N",
        "import helpers\ndef f(): return helpers.C().p",
    ),
    "cached property": (
        "import functools\nclass C:\n @functools.cached_property\n def p(self): return N",
        "import helpers\ndef f(): return helpers.C().p",
    ),
    "data class": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n a: int = N",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "default factory": (
        "from dataclasses import dataclass, field\ndef make(): return N\n@dataclass\nclass P:\n a: int = field(default_factory=make)",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "metadata of a field": (
        "from dataclasses import dataclass, field\n@dataclass\nclass P:\n a: int = field(default=1, metadata={'unit': N})",
        "import dataclasses, helpers\ndef f(): return dataclasses.fields(helpers.P)[0].metadata",
    ),
    "named tuple": (
        "from typing import NamedTuple\nclass P(NamedTuple):\n a: int = N",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "enum": ("import enum\nclass E(enum.Enum):\n A = N", "import helpers\ndef f(): return helpers.E.A"),
    "attrs": (
        "import attrs\n@attrs.define\nclass P:\n a: int = N",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "pydantic model": (
        "import pydantic\nclass P(pydantic.BaseModel):\n a: int = N",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "pydantic validator": (
        "import pydantic\nclass P(pydantic.BaseModel):\n a: int = 1\n @pydantic.field_validator('a')\n def v(cls, a): return a * N",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "instance": (
        "class C:\n def m(self): return N\nthe = C()",
        "import helpers\ndef f(): return helpers.the.m()",
    ),
    "state of an instance": (
        "class C:\n def __init__(self, k): self.k = k\nthe = C(N)",
        "import helpers\ndef f(): return helpers.the.k",
    ),
    "slots of an instance": (
        "class C:\n __slots__ = ('k',)\n def __init__(self, k): self.k = k\nthe = C(N)",
        "import helpers\ndef f(): return helpers.the.k",
    ),
    "instance that pickles by name": (
        "class C:\n def m(self): return N\n def __reduce__(self): return 'the'\nthe = C()",
        "import helpers\ndef f(): return helpers.the.m()",
    ),
    "callable object": (
        "class C:\n def __call__(self): return N\nthe = C()",
        "import helpers\ndef f(): return helpers.the()",
    ),
    "bound method": (
        "class C:\n def m(self): return N\nm = C().m",
        "import helpers\ndef f(): return helpers.m()",
    ),
    "decorator": (
        "import functools\ndef twice(g):\n @functools.wraps(g)\n def w(): return N * g()\n return w",
        "import helpers\n@helpers.twice\ndef f(): return 1",
    ),
    "what a decorator wraps": (
        "import functools\ndef twice(g):\n @functools.wraps(g)\n def w(): return g()\n return w\n@twice\ndef clean(): return N",
        "import helpers\ndef f(): return helpers.clean()",
    ),
    "class as a decorator": (
        "class twice:\n def __init__(self, g): self.g = g\n def __call__(self): return self.g()\n@twice\ndef clean(): return N",
        "import helpers\ndef f(): return helpers.clean()",
    ),
    "decorator with an argument": (
        "def times(n):\n def deco(g):\n  def w(): return n * g()\n  return w\n return deco\n@times(N)\ndef clean(): return 1",
        "import helpers\ndef f(): return helpers.clean()",
    ),
    "wrapper that says it is of another package": (
        "import functools, json\n@functools.wraps(json.dumps)\ndef dump(x): return N",
        "import helpers\ndef f(): return helpers.dump(1)",
    ),
    "lru_cache": (
        "import functools\n@functools.lru_cache\ndef clean(x): return N",
        "import helpers\ndef f(): return helpers.clean(1)",
    ),
    "partial": (
        "import functools\ndef clean(k, x): return k * x\nhalf = functools.partial(clean, N)",
        "import helpers\ndef f(): return helpers.half(1)",
    ),
    "function of a partial": (
        "def clean(k, x): return N",
        "import functools, helpers\nhalf = functools.partial(helpers.clean, 1)\ndef f(): return half(1)",
    ),
    "partialmethod": (
        "import functools\nclass C:\n def m(self, k): return k\n n = functools.partialmethod(m, N)",
        "import helpers\ndef f(): return helpers.C().n()",
    ),
    "default argument": ("def clean(x, k=N): return k", "import helpers\ndef f(): return helpers.clean(1)"),
    "function as a default argument": (
        "def clean(): return N",
        "import helpers\ndef f(g=helpers.clean): return g()",
    ),
    "module as a default argument": (
        "def clean(): return N",
        "import helpers\ndef f(h=helpers): return h.clean()",
    ),
    "closure": (
        "def make(k):\n def g(): return k\n return g\ng = make(N)",
        "import helpers\ndef f(): return helpers.g()",
    ),
    "closure of the node's function": (
        "def clean(): return N",
        "import helpers\ndef make(g):\n def f(): return g()\n return f\nf = make(helpers.clean)",
    ),
    "module in a closure": (
        "def clean(): return N",
        "def make():\n import helpers\n def f(): return helpers.clean()\n return f\nf = make()",
    ),
    "dispatch table": (
        "TABLE = {'a': lambda: N, 'b': lambda: 2}",
        "import helpers\ndef f(k='a'): return helpers.TABLE[k]()",
    ),
    "list of functions": (
        "def a(): return N\nSTEPS = [a]",
        "import helpers\ndef f(): return [step() for step in helpers.STEPS]",
    ),
    "registry that a decorator fills": (
        "REG = {}\ndef reg(g):\n REG[g.__name__] = g\n return g\n@reg\ndef a(): return N",
        "import helpers\ndef f(k='a'): return helpers.REG[k]()",
    ),
    "singledispatch": (
        "import functools\n@functools.singledispatch\ndef g(x): return 0\n@g.register\ndef _(x: int): return N",
        "import helpers\ndef f(): return helpers.g(1)",
    ),
    "singledispatchmethod": (
        "import functools\nclass C:\n @functools.singledispatchmethod\n def g(self, x): return 0\n"
        " @g.register\n def _(self, x: int): return N",
        "import helpers\ndef f(): return helpers.C().g(1)",
    ),
    "generator": (
        "def many():\n yield N",
        "import helpers\ndef f(): return list(helpers.many())",
    ),
    "coroutine": (
        "async def later(): return N",
        "import asyncio, helpers\ndef f(): return asyncio.run(helpers.later())",
    ),
    "nested function": (
        "def clean():\n def inner(): return N\n return inner()",
        "import helpers\ndef f(): return helpers.clean()",
    ),
    "recursion": (
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != N and even(n - 1)",
        "import helpers\ndef f(): return helpers.even(4)",
    ),
    "attribute of a function": (
        "def clean(): pass\nclean.rate = N",
        "import helpers\ndef f(): return helpers.clean.rate",
    ),
    "attribute of a function that is handed on": (
        "def clean(): pass\nclean.rate = N",
        "import helpers\ndef use(g): return g.rate\ndef f(): return use(helpers.clean)",
    ),
    "attribute that a decorator gives to the node's function": (
        "def rated(g):\n g.rate = N\n return g",
        "import helpers\n@helpers.rated\ndef f(): return f.rate",
    ),
    "context manager": (
        "import contextlib\n@contextlib.contextmanager\ndef scaled():\n yield N",
        "import helpers\ndef f():\n with helpers.scaled() as k: return k",
    ),
    "module as an argument of a helper": (
        "def clean(): return N",
        "import helpers\ndef run(m): return m.clean()\ndef f(): return run(helpers)",
    ),
    "module in a variable": (
        "def clean(): return N",
        "import helpers\ndef f():\n m = helpers\n return m.clean()",
    ),
    "module in a list": (
        "def clean(): return N",
        "import helpers\nALL = [helpers]\ndef f(): return ALL[0].clean()",
    ),
    "module of a choice": (
        "def clean(): return N",
        "import helpers, json\ndef f(a=1): return (helpers if a else json).clean()",
    ),
    "getattr": ("def clean(): return N", "import helpers\ndef f(n='clean'): return getattr(helpers, n)()"),
    "getattr of an import": (
        "def clean(): return N",
        "def f(n='clean'):\n import helpers\n return getattr(helpers, n)()",
    ),
    "vars": ("def clean(): return N", "import helpers\ndef f(n='clean'): return vars(helpers)[n]()"),
    "__dict__": ("def clean(): return N", "import helpers\ndef f(n='clean'): return helpers.__dict__[n]()"),
    "attrgetter": (
        "def clean(): return N",
        "import helpers, operator\nget = operator.attrgetter('clean')\ndef f(): return get(helpers)()",
    ),
    "walrus": ("def clean(): return N", "import helpers\ndef f(): return (m := helpers).clean() or m"),
    "__getattr__ of a module": (
        "def __getattr__(name):\n if name == 'clean': return N\n raise AttributeError(name)",
        "import helpers\ndef f(): return helpers.clean",
    ),
    "instance of a class made by type()": (
        "C = type('C', (), {'m': lambda self: N})",
        "import helpers\ndef f(): return helpers.C().m()",
    ),
    "make_dataclass": (
        "import dataclasses\nP = dataclasses.make_dataclass('P', [('a', int, N)])",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "descriptor": (
        "class D:\n def __get__(self, obj, cls): return N\nclass C:\n d = D()",
        "import helpers\ndef f(): return helpers.C().d",
    ),
    "__init_subclass__": (
        "class B:\n def __init_subclass__(cls): cls.k = N\nclass C(B): pass",
        "import helpers\ndef f(): return helpers.C.k",
    ),
    "generic class": (
        "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass C(Generic[T]):\n def m(self): return N",
        "import helpers\ndef f(): return helpers.C[int]().m()",
    ),
    "abstract class": (
        "import abc\nclass B(abc.ABC):\n @abc.abstractmethod\n def m(self): ...\n def n(self): return N\n"
        "class C(B):\n def m(self): return 1",
        "import helpers\ndef f(): return helpers.C().n()",
    ),
    "workflow function": (
        "from fuse_widgets import workflow\n@workflow\ndef step(): return N",
        "import helpers\ndef f(): return helpers.step.func()",
    ),
    "the node's own function": (
        "def step(): return N",
        "from helpers import step as f",
    ),
    "pydantic model in a pydantic model": (
        "import pydantic\nclass Q(pydantic.BaseModel):\n b: int = N\nclass P(pydantic.BaseModel):\n q: Q = None",
        "import helpers\ndef f(): return helpers.P()",
    ),
    "function of a module that makes its attributes up": (
        "import sys, types\ndef clean(): return N\nclass M(types.ModuleType):\n def __getattr__(self, name):\n"
        "  return clean\nsys.modules[__name__].__class__ = M",
        "import helpers\ndef f(): return helpers.made_up()",
    ),
    "object in the place of a module": (
        "import sys\nclass M:\n def clean(self): return N\nsys.modules[__name__] = M()",
        "import helpers\ndef f(): return helpers.clean()",
    ),
    "vectorize": (
        "import numpy as np\n@np.vectorize\ndef clean(x): return x * N",
        "import helpers\ndef f(): return helpers.clean([1])",
    ),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path, monkeypatch)
    yield made
    made.forget()


@pytest.mark.parametrize("case", REACHED)
def test_a_change_in_another_module_is_noticed_and_nothing_else_is(case: str, project: Project) -> None:
    source, cell = REACHED[case]
    first, second = f"N = 1\n{source}\n", f"N = 2\n{source}\n"
    before = project.write(helpers=first).fingerprint(cell)
    again = project.write(helpers=f"\n# moved down\nUNUSED = 1\n{first}").forget().fingerprint(cell)
    whole = any("helpers.UNUSED" in name for name in again.names)
    assert again.difference(before) == ("helpers.UNUSED changed" if whole else None)
    same = project.write(helpers=first).forget().fingerprint(cell)
    assert same.difference(before) is None
    changed = project.write(helpers=second).forget().fingerprint(cell)
    reason = changed.difference(before)
    assert reason is not None
    assert "changed" in reason
    assert "cannot be fingerprinted" not in reason


#: What people keep in modules; with `getattr(helpers, name)` all of it counts.
KEPT = """
import collections, contextvars, dataclasses, datetime, decimal, enum, fractions, functools, itertools, json, logging
import operator, pathlib, random, re, string, threading, typing, uuid, weakref
import attrs, numpy as np, pandas as pd, pydantic
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple, NewType, Optional, Protocol, TypedDict, TypeVar, Union
log, lock, local, T = logging.getLogger(__name__), threading.Lock(), threading.local(), TypeVar("T")
var, cell, weak = contextvars.ContextVar("var", default=3), itertools.count, weakref.WeakValueDictionary()
names, frozen, pattern = {"alpha", "beta", "gamma"}, frozenset("abcdef"), re.compile(r"a+b", re.I)
by_name = collections.defaultdict(list, {"a": [1], "b": [{"x", "y"}]})
when, money, part, path = datetime.datetime(2020, 1, 1), decimal.Decimal("1.5"), fractions.Fraction(1, 3), pathlib.Path("a")
Alias, Maybe, Choice, Id = dict[str, list[int]], Optional[int], Literal["a", "b"], NewType("Id", int)
array, frame, dtype = np.arange(6.0), pd.DataFrame({"a": [1, 2], "b": ["x", None]}), np.dtype([("a", "f8"), ("b", "U3")])
getter, add, rng, seed = operator.itemgetter(1), np.add, np.random.default_rng(3), uuid.UUID(int=3)
class Color(enum.Flag):
    RED = enum.auto()
    BLUE = enum.auto()
class Shape(Protocol):
    def area(self) -> float: ...
class Row(TypedDict, total=False):
    a: int
class Point(NamedTuple):
    x: int = 1
@attrs.define
class A:
    x: int = attrs.field(default=1, validator=attrs.validators.instance_of(int), converter=int)
class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    x: int = pydantic.Field(1, gt=0)
    inner: Optional["Model"] = None
    @pydantic.field_validator("x")
    def check(cls, x): return x
    @pydantic.computed_field
    def double(self) -> int: return 2 * self.x
@dataclasses.dataclass(frozen=True, order=True)
class D:
    x: list = dataclasses.field(default_factory=list, metadata={"unit": {"m", "s"}})
class Generic(typing.Generic[T]):
    x: T
the_a, the_model, the_d, the_point, many = A(2), Model(x=2), D([1]), Point(3), [A(i) for i in range(3)]
rounded, ufunc = functools.partial(round, ndigits=2), np.frompyfunc(lambda x: x in {"u", "v"}, 1, 1)
@functools.singledispatch
def show(x): return ""
@show.register(int)
@show.register(str)
def _(x): return "x"
def own(): return own.calls
own.calls = 3
"""


@pytest.mark.slow
def test_the_same_in_another_process_and_folder_with_another_hash_seed(tmp_path: Path) -> None:
    script = """
import json, sys
from pathlib import Path
from tests.storage.project import Project
class Patch:
    syspath_prepend = lambda self, path: sys.path.insert(0, path)
    setattr = lambda self, target, name, value: setattr(target, name, value)
project, digests = Project(Path(sys.argv[1]), Patch()), {}
for name, (source, cell) in json.loads(sys.stdin.read()).items():
    found = project.write(helpers=source).forget().fingerprint(cell)
    assert found.difference(found) is None, (name, found.difference(found))
    digests[name] = [found.digest, found.names]
print(json.dumps(digests))
"""
    cases = {name: (f"N = 1\n{source}", cell) for name, (source, cell) in REACHED.items()}
    cases["all kinds of values"] = (KEPT, "import helpers\ndef f(n='log'): return getattr(helpers, n)")
    found = []
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        process = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            input=json.dumps(cases),
            capture_output=True,
            text=True,
        )
        assert process.returncode == 0, process.stderr
        found.append(json.loads(process.stdout))
    different = {
        (case, name)
        for case, (digest, names) in found[0].items()
        for name in names
        if digest != found[1][case][0] and names[name] != found[1][case][1].get(name)
    }
    assert different == set()
    assert found[0] == found[1]


#: Modules, a cell, an edit of a module.
TREES: dict[str, tuple[dict[str, str], str, dict[str, str], str]] = {
    "a module in a package": (
        {"pkg/sub/mod": "def f(): return 1"},
        "import pkg.sub.mod\ndef f(): return pkg.sub.mod.f()",
        {"pkg/sub/mod": "def f(): return 2"},
        "pkg.sub.mod.f changed",
    ),
    "a module in a package, imported as": (
        {"pkg/sub/mod": "def f(): return 1"},
        "def f():\n import pkg.sub.mod as m\n return m.f()",
        {"pkg/sub/mod": "def f(): return 2"},
        "pkg.sub.mod.f changed",
    ),
    "a module in a package, imported in the function": (
        {"pkg/sub/mod": "def f(): return 1"},
        "def f():\n import pkg.sub.mod\n return pkg.sub.mod.f()",
        {"pkg/sub/mod": "def f(): return 2"},
        "pkg.sub.mod.f changed",
    ),
    "a module from a package": (
        {"pkg/mod": "def f(): return 1"},
        "def f():\n from pkg import mod\n return mod.f()",
        {"pkg/mod": "def f(): return 2"},
        "pkg.mod.f changed",
    ),
    "a relative import at the top": (
        {"pkg/a": "from .b import g\ndef f(): return g()", "pkg/b": "def g(): return 1"},
        "import pkg.a\ndef f(): return pkg.a.f()",
        {"pkg/b": "def g(): return 2"},
        "pkg.a.g changed",
    ),
    "a relative import in a function": (
        {"pkg/a": "def f():\n from . import b\n return b.g()", "pkg/b": "def g(): return 1"},
        "import pkg.a\ndef f(): return pkg.a.f()",
        {"pkg/b": "def g(): return 2"},
        "pkg.b.g changed",
    ),
    "import_module with a relative name": (
        {
            "pkg/a": "import importlib\ndef f(): return importlib.import_module('.b', __package__).g()",
            "pkg/b": "def g(): return 1",
        },
        "import pkg.a\ndef f(): return pkg.a.f()",
        {"pkg/b": "def g(): return 2"},
        "pkg.b.g changed",
    ),
    "a package that gives out names of its modules": (
        {"pkg/__init__": "from .impl import clean", "pkg/impl": "def clean(): return 1"},
        "import pkg\ndef f(): return pkg.clean()",
        {"pkg/impl": "def clean(): return 2"},
        "pkg.clean changed",
    ),
    "a package that imports its modules when they are needed": (
        {
            "pkg/__init__": "import importlib\ndef __getattr__(name):\n"
            " return getattr(importlib.import_module('.impl', __name__), name)",
            "pkg/impl": "def clean(): return 1",
        },
        "import pkg\ndef f(): return pkg.clean()",
        {"pkg/impl": "def clean(): return 2"},
        "pkg.clean, pkg.impl.clean changed",
    ),
    "modules that import each other": (
        {
            "a": "import b\ndef f(n=3): return n and b.g(n - 1)",
            "b": "import a\ndef g(n): return n and a.f(n - 1)",
        },
        "import a\ndef f(): return a.f()",
        {"b": "import a\ndef g(n): return n and a.f(n - 2)"},
        "b.g changed",
    ),
    "a class in one module, its base in another": (
        {"a": "import b\nclass C(b.B): pass", "b": "class B:\n def m(self): return 1"},
        "import a\ndef f(): return a.C().m()",
        {"b": "class B:\n def m(self): return 2"},
        "a.C changed",
    ),
    "a constant that another module computes": (
        {"a": "from b import make\nRATE = make()", "b": "def make(): return 1"},
        "import a\ndef f(): return a.RATE",
        {"b": "def make(): return 2"},
        "a.RATE changed",
    ),
    "a whole package": (
        {"pkg/mod": "def f(): return 1"},
        "import pkg.mod\ndef f(n='mod'): return getattr(pkg, n).f()",
        {"pkg/mod": "def f(): return 2"},
        "pkg.mod.f changed",
    ),
    "a module that a whole module imports": (
        {"a": "import b", "b": "def g(): return 1"},
        "import a\ndef f(n='b'): return getattr(a, n).g()",
        {"b": "def g(): return 2"},
        "b.g changed",
    ),
}


@pytest.mark.parametrize("case", TREES)
def test_modules_in_packages_and_modules_of_modules_are_followed(case: str, project: Project) -> None:
    files, cell, edit, reason = TREES[case]
    before = project.write(**files).fingerprint(cell)
    assert project.forget().fingerprint(cell).difference(before) is None
    assert project.write(**edit).forget().fingerprint(cell).difference(before) == reason


def test_what_a_function_does_not_reach_in_a_module_is_no_change(project: Project) -> None:
    cell = "import helpers\nfrom helpers import clean\ndef f(): return helpers.clean(1)"
    source = "import json\n{}\ndef clean(x): return x\nclass Other:\n k = {}\ndef other(): return {}\n"
    before = project.write(helpers=source.format("A = 1", 1, 1)).fingerprint(cell)
    after = project.write(helpers=source.format("B = 2", 2, 2)).forget().fingerprint(cell)
    assert after.difference(before) is None


def test_what_counts_is_what_the_kernel_has_and_not_the_file(project: Project) -> None:
    project.write(helpers="def clean(): return 1")
    space = notebook("import helpers\ndef f(): return helpers.clean()")
    node, helpers = node_of(space["f"]), space["helpers"]
    before = fingerprint_all(node)
    project.write(helpers="def clean(): return 2")
    assert fingerprint_all(node).difference(before) is None
    importlib.reload(helpers)
    assert fingerprint_all(node).difference(before) == "helpers.clean changed"
    helpers.clean = lambda: 3
    assert fingerprint_all(node).difference(before) == "helpers.clean changed"
    project.write(helpers="def clean(): return 1")
    importlib.reload(helpers)
    assert fingerprint_all(node).difference(before) is None


def test_a_function_that_somebody_put_into_an_installed_package_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell = "import json\ndef f(): return json.dumps(1)"
    before = fingerprint_all(node_of(notebook(cell)["f"]))
    monkeypatch.setattr("json.dumps", lambda value: "patched")
    assert fingerprint_all(node_of(notebook(cell)["f"])).difference(before) == "json.dumps changed"


def test_modules_without_a_file_in_a_zip_file_and_without_an_init_count(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(number: int) -> Any:
        module = types.ModuleType("made_by_hand")
        exec(f"def clean(): return {number}", module.__dict__)
        return module

    cell = "import helpers\ndef f(): return helpers.clean()"
    one, two = (project.fingerprint("def f(): return m.clean()", m=made(number)) for number in (1, 2))
    assert two.difference(one) == "made_by_hand.clean changed"

    found = []
    for number in (1, 2):
        archive = tmp_path / f"lib{number}.zip"
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("helpers.py", f"def clean(): return {number}")
        monkeypatch.syspath_prepend(str(archive))
        found.append(project.forget().fingerprint(cell))
    assert found[1].difference(found[0]) == "helpers.clean changed"
    project.forget()

    (tmp_path / "space").mkdir()
    cell = "import space.mod\ndef f(): return space.mod.clean()"
    found = []
    for number in (1, 2):
        (tmp_path / "space" / "mod.py").write_text(f"def clean(): return {number}")
        found.append(project.forget().fingerprint(cell))
    assert found[1].difference(found[0]) == "space.mod.clean changed"


def test_a_module_that_is_in_no_list_and_named_as_one_of_python_counts(tmp_path: Path) -> None:
    found = []
    for number in (1, 2):
        file = tmp_path / f"{number}.py"
        file.write_text(f"RATE = {number}\ndef clean(): return RATE\n")
        spec = importlib.util.spec_from_file_location("queue", file)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        assert spec.loader is not None
        spec.loader.exec_module(module)
        found.append(fingerprint_all(node_of(notebook("def f(): return clean()", clean=module.clean)["f"])))
    assert found[1].difference(found[0]) == "queue.RATE changed"


def distribution(folder: Path, package: str, version: str, name: str = "", *, lists: bool = True) -> None:
    """Write metadata as installers do."""
    info = folder / f"{name or package}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name or package}\nVersion: {version}\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n{info.name}/METADATA,,\n" if lists else "")


@pytest.mark.parametrize("folder", ["site-packages", "target"])
def test_an_installed_package_counts_by_its_version_where_a_function_names_it(
    folder: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = "import lib\ndef f(): return lib.clean()"
    inside = "def f():\n from lib import clean\n return clean()"
    unused = "import lib\ndef f(): return 1"
    found: dict[tuple[str, str], Fingerprint] = {}
    for version in ("2.1", "2.2"):
        place = tmp_path / version / folder
        (place / "lib").mkdir(parents=True)
        (place / "lib" / "__init__.py").write_text(f"def clean(): return {version}")
        distribution(place, "lib", version, "Lib_of-others")
        monkeypatch.syspath_prepend(str(place))
        for text in (cell, inside, unused):
            found[text, version] = project.forget().fingerprint(text)
    assert found[cell, "2.2"].difference(found[cell, "2.1"]) == "Lib_of-others 2.1 -> 2.2"
    assert found[inside, "2.2"].difference(found[inside, "2.1"]) == "Lib_of-others 2.1 -> 2.2"
    assert found[unused, "2.2"].difference(found[unused, "2.1"]) is None


def test_a_package_in_site_packages_that_no_distribution_lists_is_first_party(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "site-packages"
    (place / "loose").mkdir(parents=True)
    distribution(place, "lib", "1.0")
    monkeypatch.syspath_prepend(str(place))
    found = []
    for number in (1, 2):
        (place / "loose" / "__init__.py").write_text(f"def clean(): return {number}")
        found.append(project.forget().fingerprint("import loose\ndef f(): return loose.clean()"))
    assert found[1].difference(found[0]) == "loose.clean changed"


def test_numpy_counts_by_its_version_and_only_where_it_is_named() -> None:
    import numpy

    named = fingerprint_all(node_of(notebook("import numpy as np\ndef f(): return np.zeros(3)")["f"]))
    helper = fingerprint_all(
        node_of(notebook("from numpy import zeros\ndef g(): return zeros(3)\ndef f(): return g()")["f"])
    )
    given = fingerprint_all(node_of(notebook("def f(x): return x")["f"], numpy.zeros(3)))
    assert (named.packages, helper.packages, given.packages) == (
        {"numpy": numpy.__version__},
        {"numpy": numpy.__version__},
        {},
    )


NOT_TRACKED = {
    "eval": ("def f(): return eval('1')", "eval() in f"),
    "exec": ("def f(): exec('1')", "exec() in f"),
    "globals": ("def f(n='g'): return globals()[n]", "globals() in f"),
    "sys.modules": ("import sys\ndef f(n='g'): return sys.modules[n]", "sys.modules in f"),
    "modules of sys": ("from sys import modules as m\ndef f(n='g'): return m[n]", "sys.modules in f"),
    "import_module": (
        "import importlib\ndef f(n): return importlib.import_module(n)",
        "import_module() with a computed name in f",
    ),
    "import_module under another name": (
        "from importlib import import_module as im\ndef f(n): return im(n)",
        "import_module() with a computed name in f",
    ),
    "__import__": ("def f(n): return __import__(n)", "__import__() with a computed name in f"),
    "getattr": ("def f(x, n): return getattr(x, n)", "getattr() with a computed name in f"),
    "getattr of a call": (
        "def g(): pass\ndef f(n): return getattr(g(), n)",
        "getattr() with a computed name in f",
    ),
    "__globals__": ("def g(): pass\ndef f(n): return g.__globals__[n]", "__globals__ in f"),
    "__subclasses__": ("class B: pass\ndef f(): return B.__subclasses__()", "__subclasses__ in f"),
    "in a helper": ("def g(): return eval('1')\ndef f(): return g()", "eval() in g"),
    "in a nested function": ("def f(): return (lambda: eval('1'))()", "eval() in f"),
    "in a method": (
        "class C:\n def m(self): return eval('1')\ndef f(): return C().m()",
        "eval() in C.m",
    ),
    "not there yet": ("def f(): return later()", "later, which does not exist yet, in f"),
    "module that is not there": (
        "def f():\n import no_such_module\n return no_such_module.g()",
        "the module no_such_module, which does not exist yet, in f",
    ),
    "state": (
        "n = 0\ndef f():\n global n\n n += 1\n return n",
        "the value of n at the start, which f assigns itself",
    ),
    "state of a closure": (
        "def make():\n n = 0\n def f():\n  nonlocal n\n  n += 1\n  return n\n return f\nf = make()",
        "the value of n at the start, which make.<locals>.f assigns itself",
    ),
    "queue": ("import queue\nq = queue.Queue()\ndef f(): return q.get()", "what queue.Queue holds"),
    "context variable": (
        "import contextvars\nv = contextvars.ContextVar('v', default=1)\ndef f(): return v.get()",
        "what _contextvars.ContextVar holds",
    ),
    "thread's own": (
        "import threading\nown = threading.local()\nown.x = 1\ndef f(): return own.x",
        "what _thread._local holds",
    ),
    "ctypes": ("import ctypes\ndef f(): return ctypes.CDLL('x.so')", "C code that ctypes loads, in f"),
}
TRACKED = {
    "getattr of a constant": "def f(x): return getattr(x, 'real')",
    "getattr of self": "class C:\n def m(self, n): return getattr(self, n)\ndef f(): return C()",
    "plain": "import json\ndef f(x): return json.dumps(len(x))",
    "import_module of a constant": "import importlib\ndef f(): return importlib.import_module('json')",
    "tools": (
        "import functools, logging, threading\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "log, lock, pool = logging.getLogger('a'), threading.Lock(), ThreadPoolExecutor(1)\n"
        "@functools.singledispatch\ndef show(x): pass\n"
        "def f():\n with lock: log.info(pool.submit(show, 1))"
    ),
    "what it sets and never reads": "n = 0\ndef f(x):\n global n\n n = x",
    "printing": "def f(x): print(f'{x!r}', sep=''); return [y for y in range(3)], sorted(x), isinstance(x, str)",
    "class in a function": "def f():\n class A:\n  k = 1\n  def m(self): return super().__init__(), __class__\n return A()",
}


@pytest.mark.parametrize("case", NOT_TRACKED)
def test_what_cannot_be_followed_is_listed(case: str) -> None:
    cell, note = NOT_TRACKED[case]
    found = Fingerprint.from_json(fingerprint_all(node_of(notebook(cell)["f"], *needed(cell))).to_json())
    assert found.not_tracked == (note,)


@pytest.mark.parametrize("case", TRACKED)
def test_what_is_followed_is_not_listed(case: str) -> None:
    assert fingerprint_all(node_of(notebook(TRACKED[case])["f"], *needed(TRACKED[case]))).not_tracked == ()


def needed(cell: str) -> list[str]:
    """Texts for the parameters of `f` without a default."""
    parameters = inspect.signature(notebook(cell)["f"]).parameters.values()
    return ["a" for parameter in parameters if parameter.default is parameter.empty]


def test_compiled_modules_of_the_user_are_listed_and_count_by_their_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import _heapq

    monkeypatch.setitem(sys.modules, "fastlib", compiled := types.ModuleType("fastlib"))
    compiled.__file__ = str(tmp_path / f"fastlib{importlib.machinery.EXTENSION_SUFFIXES[0]}")
    compiled.__dict__["heappush"] = _heapq.heappush
    Path(compiled.__file__).write_bytes(b"one")
    found = project.fingerprint("import fastlib\ndef f(): return fastlib.heappush([], 1)")
    assert found.not_tracked == ("C code of fastlib",)
    assert "C code of fastlib" in found.names


def test_an_import_in_a_function_has_the_same_fingerprint_before_and_after_it_ran(project: Project) -> None:
    project.write(helpers="def clean(): return 1")
    cell = "def f():\n import helpers\n return helpers.clean()"
    before = project.fingerprint(cell)
    node = node_of(notebook(cell)["f"])
    assert LocalWorkflow(node).run() == 1
    assert fingerprint_all(node).difference(before) is None


def test_a_function_that_counts_in_a_module_does_not_change_its_own_fingerprint(project: Project) -> None:
    project.write(helpers="count, log, rate = 0, [], 3")
    space = notebook(
        "import helpers\ndef f():\n helpers.count += 1\n helpers.log.append(1)\n helpers.last = 5\n return helpers.rate"
    )
    node = node_of(space["f"])
    before = fingerprint_all(node)
    assert before.not_tracked == ("the value of helpers.count at the start, which f assigns itself",)
    space["f"]()
    assert fingerprint_all(node).difference(before) is None
    space["helpers"].rate = 4
    assert fingerprint_all(node).difference(before) == "helpers.rate changed"


def test_a_decorator_that_counts_calls_does_not_change_the_fingerprint() -> None:
    cell = """
    import functools
    def counted(g):
        @functools.wraps(g)
        def w():
            w.calls += 1
            return g()
        w.calls = 0
        return w
    @counted
    def f(): return 1
    """
    func = notebook(cell)["f"]
    before = fingerprint_all(node_of(func))
    func()
    assert fingerprint_all(node_of(func)).difference(before) is None


def test_a_variable_of_a_nested_function_hides_no_closure_value_of_the_same_name() -> None:
    cell = """
    def make(k):
        def f():
            def g():
                k = 0
                return lambda: k
            return g, h()
        h = lambda: k
        return f
    f = make({})
    """
    one, two = (fingerprint_all(node_of(notebook(cell.format(number))["f"])) for number in (1, 2))
    assert two.difference(one) == "code changed"


def test_an_edited_helper_makes_the_node_run_again_and_the_report_says_which(
    project: Project, tmp_path: Path
) -> None:
    project.write(helpers="def clean(x): return x * 2")
    space = notebook("import helpers\ndef f(x): return helpers.clean(x)")
    wf = LocalWorkflow(node_of(space["f"], 1).set_name("node"), workflow_name="w")
    wf.set_storage(FileStorage(tmp_path / "store"))
    assert (wf.run(), wf.run()) == (2, 2)
    assert wf.last_run.report()[0]["source"] == "stored"
    project.write(helpers="def clean(x): return x * 3")
    importlib.reload(space["helpers"])
    assert wf.run() == 3
    assert wf.last_run.report()[0]["why"] == "helpers.clean changed"


def test_many_helpers_in_many_modules_are_looked_at_once(project: Project) -> None:
    """1,000 helpers in 50 modules, each calling the next; 1,000 nodes of one function."""
    files = {
        f"many_{i}": f"import many_{(i + 1) % 50} as after\n"
        + "".join(f"def h{j}(n): return n and after.h{j}(n - 1)\n" for j in range(20))
        for i in range(50)
    }
    body = "".join(f" many_0.h{j}(1)\n" for j in range(20))
    func = project.write(**files) and notebook(f"import many_0\ndef f():\n{body}")["f"]
    nodes = [node_of(func) for _ in range(1000)]
    fingerprint(nodes[0], {})  # the first look at what is imported takes longer
    cache = FingerprintCache()
    first = lines_run(lambda: fingerprint(nodes[0], {}, cache=cache).digest)
    assert len(fingerprint(nodes[0], {}, cache=cache).names) == 1000
    assert first < 400 * 1000
    others = lines_run(lambda: [fingerprint(node, {}, cache=cache) for node in nodes[1:]])
    assert others / len(nodes) < 60
