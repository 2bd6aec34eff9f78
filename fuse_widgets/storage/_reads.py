"""What code reads beside its arguments, found in its bytecode: global names, attributes of modules, imports.

`helpers.clean(x)` reads `clean` of the module, and nothing else of it. A module that is used as a value
(`getattr(helpers, name)`, `run(helpers)`) counts as a whole; so says a read whose path is empty.
"""

from __future__ import annotations

import dis
from dataclasses import dataclass
from types import CodeType
from typing import Any, NamedTuple


class Root(NamedTuple):
    """What an expression such as `helpers.clean` begins with.

    Attributes:
        kind: `"global"`; `"name"`, a global name unless the class body has it; `"import"`, a module.
        name: Of the variable or the module.
        level: The number of dots before it in a relative import.
    """

    kind: str
    name: str
    level: int = 0


#: The attributes that are looked up one after another.
Attributes = tuple[str, ...]


class Read(NamedTuple):
    """A value that code reads: `helpers.clean` is the root `helpers` with the path `("clean",)`.

    Attributes:
        only_filled: Whether each use puts something into it (`calls.append(x)`) and reads nothing.
    """

    root: Root
    path: Attributes
    only_filled: bool = False


@dataclass(frozen=True)
class CodeFacts:
    """What is known of a code object and the code nested in it.

    Attributes:
        digest: Of its instructions, constants and argument names.
        reads: What it reads of global names and imports, sorted, without what it assigns itself (its own state, not
            an input).
        cells: What it reads of each closure variable.
        state: Closure names it assigns itself.
        fills: Closure names whose every use puts something into them.
        notes: Lookups whose target is known only when the code runs, in words.
        assigned: Attributes that it assigns, of whatever.
        names: The names in it that may be those of attributes.
    """

    digest: bytes
    reads: tuple[Read, ...]
    cells: dict[str, frozenset[Attributes]]
    state: frozenset[str]
    fills: frozenset[str]
    notes: tuple[str, ...]
    assigned: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


#: Methods that put something into a container and tell nothing of what is in it.
_PUTS = frozenset({"add", "append", "appendleft", "extend", "insert"})
_VERBS = {
    **dict.fromkeys(("LOAD_GLOBAL",), "global"),
    **dict.fromkeys(("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"), "name"),
    **dict.fromkeys(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"), "cell"),
    **dict.fromkeys(("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_FAST_AND_CLEAR"), "local"),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD"), "attribute"),
    **dict.fromkeys(("LOAD_CONST", "LOAD_SMALL_INT"), "constant"),
    **dict.fromkeys(("STORE_GLOBAL", "DELETE_GLOBAL"), "store global"),
    **dict.fromkeys(("STORE_DEREF", "DELETE_DEREF"), "store cell"),
    **dict.fromkeys(("STORE_FAST", "STORE_FAST_MAYBE_NULL"), "store local"),
    **dict.fromkeys(("STORE_ATTR", "DELETE_ATTR"), "store attribute"),
    "STORE_NAME": "store name",
    "STORE_SUBSCR": "store item",
    "IMPORT_NAME": "import",
    "IMPORT_FROM": "from",
    "DUP_TOP": "copy",
    "SWAP": "swap",
    "ROT_TWO": "swap",
    "POP_TOP": "pop",
}
_SKIPPED = frozenset({"NOP", "PUSH_NULL", "PRECALL", "RESUME", "CACHE"})
_LOADS = frozenset({"global", "name", "cell", "local"})
#: Attributes through which code finds what it does not name.
_DYNAMIC_ATTRIBUTES = frozenset({"__globals__", "__subclasses__", "f_globals", "f_locals"})


class _Step(NamedTuple):
    verb: str
    arg: Any


def _simple(steps: list[dis.Instruction]) -> list[_Step]:
    """The instructions in words that are the same for every Python version."""
    found: list[_Step] = []
    for step in steps:
        name, arg = step.opname, step.argval
        if name in _SKIPPED:
            continue
        if (
            isinstance(arg, tuple) and name.count("_FAST") == 2
        ):  # two in one: LOAD_FAST_LOAD_FAST and the like
            verbs = ["local" if part == "LOAD" else "store local" for part in name.split("_") if part in _TWO]
            found += map(_Step, verbs, arg)
        elif name == "COPY":
            found.append(_Step("copy" if step.arg == 1 else "other", None))
        elif name.startswith("CALL"):
            found.append(_Step("call", step.arg))
        else:
            found.append(_Step(_VERBS.get(name, "other"), arg))
    return found


#: Begins a note on a variable that code reads and assigns itself: its state, whose value at the start does not count.
OWN = "assigned: "
_TWO = frozenset({"LOAD", "STORE"})
_IMPORTERS = frozenset({"import_module", "__import__"})
Target = tuple[Root, Attributes]


class Uses:
    """What a code object does with names that are not its own: global ones, imported ones, those of closures."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.captured = {*code.co_cellvars, *code.co_freevars}
        self.reads: set[Target] = set()
        self.fills: set[Target] = set()
        self.own: set[Target] = set()
        self.cell_reads: dict[str, set[Attributes]] = {}
        self.cell_fills: set[str] = set()
        self.state: set[str] = set()
        self.notes: set[str] = set()
        self.steps: list[_Step] = []
        #: Variables that imports are bound to, what counts if they are not used, those that are, and attributes
        #: that are assigned.
        self.bound: dict[str, set[Target]] = {}
        self.unused: dict[str, set[Target]] = {}
        self.used: set[str] = set()
        self.assigned: set[str] = set()
        self.names: set[str] = set(code.co_names)
        self._inner: list[CodeFacts] = []

    def note_nested(self, code: CodeType, inner: CodeFacts) -> None:
        """Take over what nested code does."""
        self._inner.append(inner)

    def note_all(self, steps: list[dis.Instruction]) -> None:
        """Look at all instructions, in their order."""
        self.steps = _simple(steps)
        self.assigned = {step.arg for step in self.steps if step.verb == "store attribute"}
        for i, step in enumerate(self.steps):
            if step.verb == "import":
                self._note_import(i)
        for i in range(len(self.steps)):
            self._note_import_module(i)
        for i, step in enumerate(self.steps):
            if step.verb in _LOADS:
                self._note_load(i)
            elif step.verb == "store global":
                self.own.add((Root("global", step.arg), ()))
            elif step.verb == "store cell":
                self.state.add(step.arg)
            elif step.verb == "attribute" and step.arg in _DYNAMIC_ATTRIBUTES:
                self.notes.add(step.arg)
        for inner in self._inner:
            self._take_over(inner)
        for name in self.bound.keys() - self.used:  # imported for what the import does
            self.reads |= self.unused[name]

    def facts(self, digest: bytes) -> CodeFacts:
        """All that was found."""
        reads = {
            (root, path)
            for root, path in self.reads | self.fills
            if not (root.name[:2] == root.name[-2:] == "__" and root.kind != "import")
            and not any((root, path[:i]) in self.own for i in range(len(path) + 1))
        }
        looked_into = {(root, path[:i]) for root, path in self.reads for i in range(len(path) + 1)}
        own = {".".join((root.name, *path)) for root, path in self.own & looked_into}
        own |= {name for name in self.state & self.cell_reads.keys() if name in self.code.co_freevars}
        self.notes |= {f"{OWN}{name}" for name in own}
        read_cells = {name for name, paths in self.cell_reads.items() if paths}
        free = frozenset(self.code.co_freevars)
        return CodeFacts(
            digest=digest,
            reads=tuple(Read(root, path, (root, path) not in looked_into) for root, path in sorted(reads)),
            cells={name: frozenset(paths) for name, paths in self.cell_reads.items() if name in free},
            state=free & self.state,
            fills=free & (self.cell_fills - read_cells),
            notes=tuple(sorted(self.notes)),
            assigned=frozenset(self.assigned),
            names=frozenset(self.names),
        )

    def _take_over(self, inner: CodeFacts) -> None:
        for read in inner.reads:
            (self.fills if read.only_filled else self.reads).add((read.root, read.path))
        self.notes.update(inner.notes)
        self.assigned |= inner.assigned
        self.names |= inner.names
        self.state.update(inner.state)
        for name, paths in inner.cells.items():
            if name in self.bound:
                self.used.add(name)
                self.reads.update((root, base + path) for root, base in self.bound[name] for path in paths)
            elif name in self.captured and name not in inner.state:
                if name in inner.fills:
                    self.cell_fills.add(name)
                self.cell_reads.setdefault(name, set()).update(paths)

    # --- one instruction -----------------------------------------------------------------------------------

    def _verb(self, i: int) -> str:
        return self.steps[i].verb if i < len(self.steps) else ""

    def _attributes(self, i: int) -> tuple[Attributes, int]:
        """The attributes that are looked up from instruction `i` on, and the instruction after them."""
        path: list[str] = []
        while self._verb(i) == "attribute":
            path.append(self.steps[i].arg)
            i += 1
        return tuple(path), i

    def _note_import(self, i: int) -> None:
        """`import a.b`, `import a.b as c`, `from .a import b, c as d`: which variables hold what."""
        name, level, names = self.steps[i].arg, self.steps[i - 2].arg, self.steps[i - 1].arg
        if names:
            base: Target = (Root("import", name, level), ())
            i += 1
            while self._verb(i) == "from":
                self._bind(i + 1, (base[0], (self.steps[i].arg,)))
                i += 2
            return
        top = name.partition(".")[0]
        path: Attributes = ()
        i += 1
        while self._verb(i) in ("from", "swap", "pop"):
            if self._verb(i) == "from":
                path = (*path, self.steps[i].arg)
            i += 1
        # `import a.b` binds `a`: unless the code goes on with `a`, it is for what the import of `a.b` does
        self._bind(i, (Root("import", top), path), None if path else (Root("import", name), ()))

    def _bind(self, i: int, target: Target, unused: Target | None = None) -> None:
        """Instruction `i` takes an import off the stack; `unused` counts if nothing reads the variable."""
        if self._verb(i) in ("store local", "store cell"):
            self.bound.setdefault(self.steps[i].arg, set()).add(target)
            self.unused.setdefault(self.steps[i].arg, set()).add(unused or target)
        else:  # kept in a global name, in a class, in a list: wherever it is used from there
            self.reads.add(target)

    def _note_import_module(self, i: int) -> None:
        """`importlib.import_module("a.b")`, `__import__("a")`: as an import, where the name is a constant."""
        step = self.steps[i]
        if step.verb not in (*_LOADS, "attribute") or step.arg not in _IMPORTERS:
            return
        name = self.steps[i + 1].arg if self._verb(i + 1) == "constant" else None
        after = i + 2
        level = 0
        if step.arg == "import_module" and isinstance(name, str) and name[:1] == ".":
            level = len(name) - len(name.lstrip("."))
            package = self.steps[after] if after < len(self.steps) else _Step("", None)
            if package.arg in ("__package__", "__name__"):
                after += 1
            elif package.verb == "constant" and isinstance(package.arg, str):
                name, level, after = _absolute(name, level, package.arg), 0, after + 1
        if not isinstance(name, str) or self._verb(after) != "call":
            self.notes.add(f"{step.arg}()")
            return
        bare = name.lstrip(".")
        root = Root("import", bare.partition(".")[0] if step.arg == "__import__" else bare, level)
        path, after = self._attributes(after + 1)
        if path:
            self.reads.add((root, path))
        else:
            self._bind(after, (root, ()))

    def _note_load(self, i: int) -> None:
        verb, name = self.steps[i]
        if verb == "local" and name in self.captured:
            return  # on its way into the closure of a nested function
        path, after = self._attributes(i + 1)
        if name in _IMPORTERS or (path and path[-1] in _IMPORTERS):
            self.used.add(name)
            return
        if name == "__builtins__":
            self.notes.add(name)
        if name == "getattr" and verb in ("global", "name"):
            self._note_getattr(i)
        if self._verb(after) == "copy" and self._verb(after + 1) == "attribute":
            attribute = self.steps[after + 1].arg
            if attribute in self.assigned:  # `helpers.count += 1`
                self._add(verb, name, (*path, attribute), self.own)
                self._add(verb, name, (*path, attribute), self.reads)
                return
        if self._verb(after) == "store attribute":  # `helpers.count = 1`
            self._add(verb, name, (*path, self.steps[after].arg), self.own)
            return
        filled = len(path) > 0 and path[-1] in _PUTS
        stored = self._verb(after + 1) == "store item" and self._verb(after) in (*_LOADS, "constant")
        if filled or stored:
            self._add(verb, name, path[:-1] if filled else path, self.fills)
        else:
            self._add(verb, name, path, self.reads)

    def _add(self, verb: str, name: str, path: Attributes, where: set[Target]) -> None:
        if name in self.bound and verb in ("local", "cell"):
            self.used.add(name)
            where.update((root, base + path) for root, base in self.bound[name])
        elif verb == "cell":
            if where is self.fills and not path:
                self.cell_fills.add(name)
                self.cell_reads.setdefault(name, set())
            elif where is not self.own or not path:
                self.cell_reads.setdefault(name, set()).add(path)
            else:
                self.cell_reads.setdefault(name, set())
        elif verb in ("global", "name"):
            where.add((Root(verb, name), path))

    def _note_getattr(self, i: int) -> None:
        """`getattr(x, name)`, unless all of `x` counts or the name is a constant."""
        if self._verb(i + 1) not in _LOADS:
            self.notes.add("getattr()")
            return
        verb, name = self.steps[i + 1]
        _, after = self._attributes(i + 2)
        literal = self._verb(after) == "constant" and isinstance(self.steps[after].arg, str)
        tracked = verb != "local" or name in self.bound or name in ("self", "cls")
        if not ((literal or tracked) and self._is_an_argument(after)):
            self.notes.add("getattr()")

    def _is_an_argument(self, after: int) -> bool:
        """Whether what was loaded before is the first argument of the next call, and not what that calls."""
        end = after
        while self._verb(end) not in ("call", ""):
            end += 1
        verbs = [step.verb for step in self.steps[after:end]]
        pushed = sum(verb == "constant" or verb in _LOADS for verb in verbs)
        return end < len(self.steps) and ("other" in verbs or pushed == self.steps[end].arg - 1 > 0)


def _absolute(name: str, level: int, package: str) -> str:
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], name[level:]]).strip(".")
