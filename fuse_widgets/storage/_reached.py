"""What a function reaches: the values behind the names that it reads, and behind those that they read.

What counts is what the kernel has in memory: attributes are looked up in the modules as they are now, so a module
that was reloaded or patched is another one, and a file that was edited and not loaded again is not.
"""

from __future__ import annotations

import builtins
import functools
import hashlib
import importlib
import importlib.util
import sys
import types
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..engine.errors import message_of
from ._code import join
from ._functions import FILLABLE, NEVER, Functions, never
from ._origins import Origin, find, is_extension, origin_of, origin_of_globals, origin_of_module
from ._reads import Attributes, Root
from ._replaced import has_own_state, in_classes, in_modules, is_other
from ._values import Mark, Ref, Unstable, named
from .input_file import InputFileError, digest_of

#: What IPython puts into every notebook.
_NOTEBOOK = frozenset(
    {"In", "Out", "get_ipython", "exit", "quit", "open", "_", "__", "___", "_dh", "_ih", "_oh"}
)
#: Of a module: what says where it stands.
_PLACE = frozenset(
    {
        *("__builtins__", "__cached__", "__doc__", "__file__", "__loader__"),
        *("__name__", "__package__", "__path__", "__spec__"),
    }
)
#: What leads to code that is not named, by module and name, with the words for it.
_DYNAMIC = {
    ("builtins", "eval"): "eval()",
    ("builtins", "exec"): "exec()",
    ("builtins", "globals"): "globals()",
    ("importlib", "import_module"): "import_module() with a computed name",
    ("importlib", "reload"): "importlib.reload()",
    ("inspect", "currentframe"): "inspect.currentframe()",
    ("inspect", "stack"): "inspect.stack()",
    ("runpy", "run_module"): "runpy.run_module()",
    ("runpy", "run_path"): "runpy.run_path()",
    ("sys", "_getframe"): "sys._getframe()",
    ("sys", "modules"): "sys.modules",
}
#: Modules of Python that run what is not Python.
_FOREIGN = {"ctypes": "C code that ctypes loads", "subprocess": "programs that subprocess starts"}
_MISSING = object()


@dataclass
class Reached:
    """All that a function reaches.

    Attributes:
        names: Entries of the names that it reads, directly or through each other.
        packages: Versions of the installed packages that it names, by distribution.
        files: Digests of the files that it reads (`InputFile`), by path.
        paths: Other paths that name files, whose content does not count.
        notes: What is not tracked, in words.
    """

    names: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)

    def with_those_of(self, argument: Reached) -> Reached:
        """Add what an argument reaches, whose names count as part of the argument."""
        return Reached(
            self.names,
            {**self.packages, **argument.packages},
            {**self.files, **argument.files},
            self.paths | argument.paths,
            self.notes | argument.notes,
        )


class _Found(NamedTuple):
    """What a read leads to: an entry under a name of a module, or none, and what that reads."""

    owner: str | None
    name: str
    entry: str
    refs: list[Ref | Mark]


_Entry = tuple[str | None, str, str]


class Reach(Functions):
    """Follows what functions read. State: `_found`, what each read leads to, for the run."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[tuple[Any, ...], tuple[Any, _Found]] = {}
        self._digests: dict[str, str] = {}
        self._classes: list[tuple[type, str]] | None = None
        self._modules: dict[str, list[Ref | Mark]] = {}

    def follow(self, refs: list[Ref | Mark], home: str | None) -> Reached:
        """Follow what a function of the module `home` reads, until there is nothing new."""
        reached = Reached()
        names = reached.names
        seen: set[Any] = set()
        waiting = list(refs)
        while waiting:
            ref = waiting.pop()
            if isinstance(ref, Mark):
                if ref not in seen:
                    seen.add(ref)
                    self._mark(ref, reached)
                    waiting += self._replaced(ref)
                continue
            key = (id(ref.space), *ref[1:4])
            if key in seen:
                continue
            seen.add(key)
            known = self._found.get(key)
            if known is None:
                known = self._found[key] = (ref.space, self._look_up(ref))
            found = known[1]
            waiting += found.refs
            if not found.name:
                continue
            shown = found.name if found.owner == home else f"{found.owner}.{found.name}"
            entry = found.entry
            if names.get(shown, entry) != entry:
                entry = join(part.encode() for part in sorted((entry, names[shown]))).hex()
            names[shown] = entry
        reached.names = {
            name: entry if len(entry) <= 32 or entry[0] == NEVER else join((entry.encode(),)).hex()
            for name, entry in sorted(names.items())
        }
        return reached

    def _mark(self, mark: Mark, reached: Reached) -> None:
        kind, text, value = mark
        if kind == "package":
            origin = origin_of(text)
            if origin.distribution:
                reached.packages[origin.distribution] = origin.version
        elif kind == "distribution":
            reached.packages[text] = value
        elif kind == "note":
            reached.notes.add(text)
        elif kind == "file":
            reached.files[text] = value
        elif kind == "path":
            reached.paths.add(text)
            reached.notes.add(f"the content of {text}")
        elif kind == "compiled":
            reached.notes.add(f"C code of {text}")
            reached.names[f"C code of {text}"] = _extension(sys.modules.get(text))

    def _replaced(self, mark: Mark) -> list[Ref | Mark]:
        """What the user has put into modules and classes of others, as far as code may use it that has led to a mark.

        Anything in a package counts that code names; special methods, and methods of a name that is in the code, count in any.
        """
        if mark.kind not in ("names", "package"):
            return []
        if self._classes is None:
            self._classes = [(cls, name) for cls, name, _ in in_classes()]
        if mark.kind == "names":
            return [
                _replacement(cls, f"{cls.__module__}.{cls.__qualname__}", name)
                for cls, name in self._classes
                if name in mark.value or name[:2] == "__"
            ]
        top = mark.text.partition(".")[0]
        found = self._modules.get(top)
        if found is None:
            found = [_replacement(module, module.__name__, name) for module, name, _ in in_modules(top)]
            found += [
                _replacement(cls, f"{cls.__module__}.{cls.__qualname__}", name)
                for cls, name in self._classes
                if cls.__module__.partition(".")[0] == top
            ]
            self._modules[top] = found if top != "builtins" else []  # what is named there counts
        return self._modules[top]

    def _digest(self, path: str) -> str:
        found = self._digests.get(path)
        if found is None:
            try:
                found = digest_of(path)
            except InputFileError as error:
                found = never(Unstable(message_of(error)))
            self._digests[path] = found
        return found

    # --- one read ------------------------------------------------------------------------------------------

    def _look_up(self, ref: Ref) -> _Found:
        before, self._in_code = self._in_code, True
        outer, self._refs = self._refs, []
        try:
            owner, name, entry = self._resolve(ref) or (None, "", "")
            return _Found(owner, name, entry, self._refs)
        finally:
            self._in_code, self._refs = before, outer

    def _resolve(self, ref: Ref) -> _Entry | None:
        """The entry of what a read leads to, with its module and the name there; None if there is none."""
        space, root = ref.space, ref.root
        if root.kind == "patched":
            try:
                entry = self.kept(vars(space)[ref.path[0]]).hex()
            except Unstable as why:
                entry = never(why)
            return root.name, ref.path[0], entry
        if root.kind == "module":
            return self._walk(ref, None, space)
        if root.kind == "import":
            return self._walk(ref, None, self._imported(ref))
        owner = space.get("__name__")
        if root.name not in space:
            return self._undefined(ref, owner)
        if owner == "__main__" and root.name in _NOTEBOOK:
            return None
        return self._walk(ref, owner, space[root.name])

    def _walk(self, ref: Ref, owner: str | None, value: Any) -> _Entry | None:
        """Look up the attributes of a read as long as they are in first-party modules."""
        name, path = ref.root.name, ref.path
        while path and isinstance(value, types.ModuleType) and origin_of_module(value).first_party:
            module, owner, name, path = value, str(value.__name__), path[0], path[1:]
            if is_extension(module):
                self._refs.append(Mark("compiled", owner))
                return None
            if name == "__dict__":
                self._whole(module)
                return None
            if name in _PLACE:
                return None
            value = self._attribute(module, name)
        if isinstance(value, Origin):
            if value.distribution:
                self._refs.append(Mark("distribution", value.distribution, value.version))
            return None
        if value is _MISSING:
            what = f"the module {name}" if owner is None else f"{owner}.{name}"
            self._note(f"{what}, which does not exist yet, in {ref.reader}")
            return owner, name, "undefined"
        if isinstance(value, types.ModuleType):
            return self._of_module(ref, owner, name, value, path)
        return self._of_value(ref, owner, name, value, path)

    def _of_value(
        self, ref: Ref, owner: str | None, name: str, value: Any, path: Attributes
    ) -> _Entry | None:
        """The entry of what is no module; `path` are the attributes of it that are read."""
        if self._is_dynamic(value, ref):
            return None
        if ref.only_filled and not path and type(value) in FILLABLE:
            return None
        try:
            entry = self.kept(value).hex()
            if path and isinstance(value, types.FunctionType) and path[0] in value.__dict__:
                entry = join((entry.encode(), self.kept(value.__dict__[path[0]]))).hex()
                name = f"{name}.{path[0]}"
        except Unstable as why:
            entry = never(why)
        return owner, name, entry

    def _undefined(self, ref: Ref, owner: str | None) -> _Entry | None:
        """The entry of a global name that the module does not have."""
        name = ref.root.name
        if hasattr(builtins, name):
            value = getattr(builtins, name)
            if not self._is_dynamic(value, ref) and is_other(value, name):
                self._refs.append(_replacement(builtins, "builtins", name))
            return None
        if ref.root.kind == "global":
            self._note(f"{name}, which does not exist yet, in {ref.reader}")
        return owner, name, "undefined"

    def _of_module(
        self, ref: Ref, owner: str | None, name: str, module: types.ModuleType, path: Attributes
    ) -> _Entry | None:
        """The entry of a module: of the user's, all of it; of others, its name and version."""
        origin, full = origin_of_module(module), str(module.__name__)
        if origin.first_party:
            self._whole(module)
            return None
        self._refs.append(Mark("package", full))
        if full in _FOREIGN:
            self._note(f"{_FOREIGN[full]}, in {ref.reader}")
        place = module
        for attribute in path:
            if (full, attribute) in _DYNAMIC and place is module:
                self._note(f"{_DYNAMIC[full, attribute]} in {ref.reader}")
            value = vars(place).get(attribute)
            if not isinstance(value, types.ModuleType):
                if not has_own_state(str(place.__name__)) and (
                    is_other(value, attribute) or _is_first_party(value)
                ):
                    self._refs.append(_replacement(place, str(place.__name__), attribute))
                break
            place = value
            self._refs.append(Mark("package", str(place.__name__)))
        if owner is None:  # an import in the function, whose bytecode has the name of the module
            return None
        return owner, name, named("module", full).hex()

    def _whole(self, module: types.ModuleType) -> None:
        """All that a module has counts."""
        name = str(module.__name__)
        if is_extension(module):
            self._refs.append(Mark("compiled", name))
        elif name in ("__main__", "__mp_main__"):
            self._note(f"the module {name} as a value")
        else:
            self._refs += [
                Ref(module, Root("module", name), (attribute,), reader=name)
                for attribute in list(vars(module))
                if attribute not in _PLACE
            ]

    def _attribute(self, module: types.ModuleType, name: str) -> Any:
        """An attribute of a first-party module, as the code would find it."""
        space = vars(module)
        if name in space:
            return space[name]
        if hasattr(module, "__path__"):
            found = self._load(f"{module.__name__}.{name}")
            if found is not _MISSING:
                return found
        if "__getattr__" in space:
            self._refs.append(Ref(space, Root("global", "__getattr__"), reader=str(module.__name__)))
        if "__getattr__" in space or type(module) is not types.ModuleType:
            try:
                return getattr(module, name)
            except Exception:
                return _MISSING
        return _MISSING

    def _imported(self, ref: Ref) -> Any:
        """The module that an import in a function gives: of the user's the module, else where it comes from."""
        name, level = ref.root.name, ref.root.level
        if level:
            space = ref.space
            package = space.get("__package__") or str(space.get("__name__")).rpartition(".")[0]
            try:
                name = importlib.util.resolve_name("." * level + name, package)
            except ImportError:
                return _MISSING
        module = sys.modules.get(name)
        if isinstance(module, types.ModuleType):
            return module
        origin = find(name)
        if origin is not None and not origin.first_party:
            return origin
        return self._load(name)

    def _load(self, name: str) -> Any:
        """Import a first-party module, as the function will when it runs: its code cannot count otherwise."""
        if name in sys.modules:
            return sys.modules[name] or _MISSING
        try:
            if importlib.util.find_spec(name) is None:
                return _MISSING
            return importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException:  # the run says it where the function is called
            return _MISSING

    # --- what is not tracked -------------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        self._refs.append(Mark("note", text))

    def _is_dynamic(self, value: Any, ref: Ref) -> bool:
        """Note what leads to code that is not named."""
        if value is sys.modules:
            key = ("sys", "modules")
        elif isinstance(value, types.FunctionType | types.BuiltinFunctionType):
            key = (str(value.__module__), value.__name__)
        else:
            return False
        if key not in _DYNAMIC:
            return False
        self._note(f"{_DYNAMIC[key]} in {ref.reader}")
        return True


def _replacement(place: Any, shown: str, name: str) -> Ref:
    return Ref(place, Root("patched", shown), (name,))


def _is_first_party(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and origin_of_globals(value.__globals__).first_party


@functools.lru_cache(maxsize=1_000)
def _digest_of_file(file: str) -> str:
    try:
        with open(file, "rb") as content:
            return hashlib.blake2b(content.read(), digest_size=16).hexdigest()
    except OSError:
        return "missing"


def _extension(module: types.ModuleType | None) -> str:
    """An entry for a compiled module: its file as it was first seen, since it cannot be loaded again."""
    return _digest_of_file(str(getattr(module, "__file__", "")))
