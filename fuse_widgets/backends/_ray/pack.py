"""How a node's function and arguments travel to a Ray worker, and how they are put together again there.

Nodes and large values stand in a pickle as persistent ids: numbers of what Ray hands to the task beside it. So Ray
resolves every reference before the task starts, and a large value is stored once, however many nodes take it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.machinery
import io
import pickle
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import cloudpickle
import ray
from ray import cloudpickle as ray_cloudpickle

from ...engine.errors import FuseError, NodeName, message_of, shorten
from ...engine.nodes import MethodNode, Node, NodeItem, Promise
from .._module_state import OwnModules
from .._module_sync import follow_modules
from .._pickling import Pickler, dumps, reducers
from .._references import ModulePickler, Reached, dumps_reached
from ._compat import reduce_ref, ref_types
from .literals import Literals

__all__ = ["Code", "Packed", "Packer", "by_value", "load_code", "unpack", "writable"]

#: Bytes from which a value is put into the object store once, instead of into each task.
LARGE = 100_000
#: Functions that a worker keeps loaded.
KEPT = 256


class Code(NamedTuple):
    """A pickled function or object. `place` is the number of the input that holds it where it is large."""

    digest: bytes
    pickled: bytes | None
    place: int | None = None


NOTHING = Reached(set(), set())


class Packed(NamedTuple):
    """What a task of a node needs: its arguments, and the inputs that Ray resolves.

    Attributes:
        template: The pickled arguments; None where the inputs are the arguments.
        sources: The nodes whose results are the first inputs.
        literals: References to large values, the further inputs.
        reached: What of the user's code the arguments refer to.
    """

    template: bytes | None
    sources: list[Node]
    literals: list[Any]
    reached: Reached = NOTHING


class Packer:
    """Packs the nodes of one run.

    Attributes:
        literals: The large values that went to the object store.
    """

    def __init__(self) -> None:
        self._codes: dict[int, tuple[Any, tuple[Code, Any], tuple[Code, Any] | None]] = {}
        self.literals = Literals()
        self._sized: dict[type, bool] = {}
        self._storage: Code | None = None
        self._modules = OwnModules(texts=False)
        self._states: dict[frozenset[tuple[str, bytes]], tuple[Code, Any]] = {}
        self.ref_types = ref_types()
        reducers.update(dict.fromkeys(self.ref_types, reduce_ref))
        #: Modules that no worker can import by name before it has loaded anything of ours, see `by_value`.
        self.apart = frozenset(cloudpickle.list_registry_pickle_by_value())

    def code(self, func: Any, what: str = "its function") -> tuple[Code, Any]:
        """A function, pickled once in a run, and the reference to it where it is large, else None.

        Raises:
            FuseError: It cannot be pickled.
        """
        found = self._codes.get(id(func))
        if found is None:
            try:
                content, reached = dumps_reached(func, self.apart)
            except Exception as error:
                raise _cannot(what, func, error) from error
            found = self._codes[id(func)] = (func, self._placed(content), self.modules(reached))
        return found[1]

    def modules_of(self, func: Any) -> tuple[Code, Any] | None:
        """The user's modules that a function refers to which `code` has packed; None if it refers to none."""
        return self._codes[id(func)][2]

    def modules(self, reached: Reached) -> tuple[Code, Any] | None:
        """The user's modules that something refers to, once in a run for each set of them; None if there are none."""
        if not any(reached) and not self._modules.states:
            return None
        states = self._modules.closure(reached)
        if not states:
            return None
        key = frozenset(states.items())
        if key not in self._states:
            self._states[key] = self._placed(pickle.dumps(None), states)
        return self._states[key]

    @staticmethod
    def _placed(content: bytes, states: dict[str, bytes] | None = None) -> tuple[Code, Any]:
        """Something pickled, and the reference to it where it is large, else None."""
        code = _code(content, states)
        if len(code.pickled or b"") <= LARGE:
            return code, None
        return code._replace(pickled=None), ray.put(code.pickled)

    def storage(self, storage: Any) -> Code:
        """A storage, pickled once in a run."""
        if self._storage is None:
            there = getattr(storage, "there", None)  # what is made on its machine
            self._storage = _code(self.pickled(storage, "the storage") if there is None else there)
        return self._storage

    @staticmethod
    def pickled(value: Any, what: str) -> bytes:
        """A value as bytes.

        Raises:
            FuseError: It cannot be pickled.
        """
        try:
            return dumps(value)
        except Exception as error:
            raise _cannot(what, value, error) from error

    def arguments(self, node: Node) -> Packed:
        """The arguments of a node; those of a method without the object.

        Raises:
            FuseError: An argument cannot be pickled. Names which.
        """
        node.check_arguments()
        args = node.args[1:] if isinstance(node, MethodNode) else node.args
        if not node.kwargs and all(isinstance(value, Node) for value in args):
            sources = list(dict.fromkeys(args))
            if len(sources) == len(args):
                return Packed(None, sources, [])
        out = io.BytesIO()
        pickler = _Pickler(out, self, node)
        try:
            pickler.dump((args, node.kwargs))
        except FuseError:
            raise
        except Exception as error:
            raise self._culprit(node, error) from error
        if out.tell() > LARGE and self._put_large(args, node.kwargs):
            return self.arguments(node)
        self.literals.take(node, pickler.taken)
        return Packed(out.getvalue(), list(pickler.sources), pickler.literals, pickler.reached)

    def reference(self, value: Any) -> Any:
        """The reference to a value in the object store where it is large, else None."""
        found = self.literals.reference(value)
        if found is not None:
            return found
        kind = type(value)
        sized = self._sized.get(kind)
        if sized is None:
            sized = self._sized[kind] = kind in (bytes, bytearray, str) or hasattr(kind, "nbytes")
        if not sized:
            return None
        size = len(value) if kind in (bytes, bytearray, str) else value.nbytes
        return self.literals.put(value, size) if isinstance(size, int) and size > LARGE else None

    def _put_large(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Put arguments that are large as a whole, without nodes inside; False where there are none."""
        found = False
        for value in (*args, *kwargs.values()):
            if value in self.literals or isinstance(value, Promise):
                continue
            out = io.BytesIO()
            pickler = _Pickler(out, self, None)
            try:
                pickler.dump(value)
            except _NodeInside:
                continue
            if out.tell() > LARGE:
                self.literals.put(value, out.tell())
                found = True
        return found

    def _culprit(self, node: Node, whole: Exception) -> FuseError:
        named = {f"argument {place}": value for place, value in enumerate(node.args)}
        named |= {f"argument {key}": value for key, value in node.kwargs.items()}
        for what, value in named.items():
            try:
                _Pickler(io.BytesIO(), self, node).dump(value)
            except Exception as error:
                return _cannot(what, value, error)
        return FuseError(f"its arguments cannot be pickled for a Ray worker: {message_of(whole)}")


def _code(content: bytes, states: dict[str, bytes] | None = None) -> Code:
    pickled = pickle.dumps((states or {}, content), protocol=5)
    return Code(hashlib.blake2b(pickled, digest_size=16).digest(), pickled)


class _NodeInside(Exception):
    """A value holds a node, so it is not a literal."""


class _Pickler(ModulePickler):
    def __init__(self, out: io.BytesIO, packer: Packer, node: Node | None) -> None:
        super().__init__(out, 5, apart=packer.apart)
        self.packer, self.node = packer, node
        self.sources: dict[Node, int] = {}
        self.literals: list[Any] = []
        self.taken: set[int] = set()
        self.held: list[Any] | None = None
        self.held_at = 0

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Promise):
            return self._promise(value)
        if isinstance(value, self.packer.ref_types):
            return self._held(value)
        ref = self.packer.reference(value)
        if ref is None:
            return None
        self.literals.append(ref)
        self.taken.add(id(value))
        return "literal", len(self.literals) - 1

    def _held(self, ref: Any) -> Any:
        """A reference of the user's stays one, as in every executor; Ray follows it, since it stands in a list among the inputs."""
        if self.held is None:
            self.held = []
            self.held_at = len(self.literals)
            self.literals.append(self.held)
        self.held.append(ref)
        return "held", self.held_at, len(self.held) - 1

    def _promise(self, value: Promise) -> Any:
        if self.node is None:
            raise _NodeInside
        source = value._source()
        if source not in self.node.parents:
            raise FuseError(
                f"an argument of node {shorten(self.node.name)!r} holds node {shorten(source.name)!r} inside an "
                "object of its own, where nodes are not looked for: pass it in a list, tuple, dict or set"
            )
        number = self.sources.setdefault(source, len(self.sources))
        return ("item", number, source.name, value.path) if isinstance(value, NodeItem) else ("node", number)


def unpack(template: bytes | None, inputs: tuple[Any, ...], sources: int) -> tuple[Any, Any]:
    """`(args, kwargs)` of a node on a worker.

    Args:
        template: What `Packer.arguments` made.
        inputs: The resolved values: of `sources` nodes, then of literals.
    """
    if template is None:
        return inputs[:sources], {}
    loaded: tuple[Any, Any] = _Unpickler(template, inputs, sources).load()
    return loaded


class _Unpickler(pickle.Unpickler):
    def __init__(self, template: bytes, inputs: tuple[Any, ...], sources: int) -> None:
        super().__init__(io.BytesIO(template))
        self._inputs, self._sources = inputs, sources

    def persistent_load(self, reference: Any) -> Any:
        kind, number, *item = reference
        if kind == "literal":
            return self._inputs[self._sources + number]
        if kind == "held":
            return self._inputs[self._sources + number][item[0]]
        if kind == "node":
            return self._inputs[number]
        name, path = item
        return NodeItem(NodeName(name, ""), path).take(self._inputs[number])  # type: ignore[arg-type]


_loaded: dict[bytes, Any] = {}
#: The states of the driver's modules that this worker was given.
_given: dict[str, bytes] = {}


def load_code(code: Code, inputs: tuple[Any, ...]) -> Any:
    """A function on a worker; kept loaded for the next node that calls it."""
    if code.digest not in _loaded:
        while len(_loaded) >= KEPT:
            del _loaded[next(iter(_loaded))]
        pickled = inputs[code.place] if code.pickled is None else code.pickled  # type: ignore[index]
        states, content = pickle.loads(pickled)
        changed = {name: state for name, state in states.items() if _given.get(name) != state}
        if changed:
            _loaded.clear()  # what is in there may be of a module as it was before
            follow_modules(changed)
            _given.update(changed)
        _loaded[code.digest] = pickle.loads(content)
    return _loaded[code.digest]


def _cannot(what: str, value: Any, error: Exception) -> FuseError:
    try:
        shown = shorten(repr(value))
    except Exception:
        shown = f"a {type(value).__name__}"
    return FuseError(
        f"{what}, {shown}, cannot be pickled for a Ray worker ({type(error).__name__}: {message_of(error)}); make it "
        "inside the function instead, or return it from a node of a class, whose object stays on its worker"
    )


def writable(value: Any) -> Any:
    """A result as its own function returned it: what Ray hands out shares read-only memory with the object store.

    The memory that arrays share is copied, once; what shares none is returned as it is.
    """
    if type(value) in _ATOMS:
        return value
    buffers: list[pickle.PickleBuffer] = []
    try:
        Pickler(_Nowhere(), protocol=5, buffer_callback=buffers.append).dump(value)
        if not any(buffer.raw().readonly for buffer in buffers):
            return value
        out = io.BytesIO()
        copier = _Copier(out, protocol=5)
        copier.dump(value)
        out.seek(0)
        return _Copied(out, copier.buffers).load()
    except Exception:  # it came as one piece and cannot go as one: then it stays as it is
        return value


_ATOMS = (int, float, bool, str, bytes, type(None))


class _Copier(Pickler):
    """Leaves buffers out of the pickle, and out of its notes which of them are read-only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffers: list[bytearray] = []

    def persistent_id(self, value: Any) -> int | None:
        if type(value) is not pickle.PickleBuffer:
            return None
        self.buffers.append(bytearray(value.raw()))
        return len(self.buffers) - 1


class _Copied(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, buffers: list[bytearray]) -> None:
        super().__init__(file)
        self.persistent_load = buffers.__getitem__  # type: ignore[method-assign]


class _Nowhere(io.RawIOBase):
    """Takes what is written, and keeps nothing of it."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


@contextlib.contextmanager
def by_value() -> Iterator[None]:
    """While entered, what is defined in modules that no fresh process could import by name is pickled by value.

    Workers import the other modules themselves, from what is installed there or from `runtime_env`. Runs in several threads
    may be in here at a time: the last one that needs a module takes it out.
    """
    with _by_value_lock:
        mine = _to_register()
        for kind, module in mine:
            _by_value[kind, module] += 1
            kind.register_pickle_by_value(module)
    try:
        yield
    finally:
        with _by_value_lock:
            for kind, module in mine:
                _by_value[kind, module] -= 1
                if not _by_value[kind, module]:
                    del _by_value[kind, module]
                    with contextlib.suppress(ValueError):  # somebody else has taken it out
                        kind.unregister_pickle_by_value(module)


#: How many runs have registered a module with a pickler.
_by_value: Counter[tuple[Any, ModuleType]] = Counter()
_by_value_lock = threading.Lock()


def _to_register() -> list[tuple[Any, ModuleType]]:
    """Modules that no fresh process could import by name, with each pickler where nobody else has registered them."""
    found = []
    for module in list(sys.modules.values()):
        name, file = getattr(module, "__name__", ""), getattr(module, "__file__", None)
        if (
            not file
            or file.startswith(_INSTALLED)
            or sys.modules.get(name) is not module
            or name == "__main__"
        ):
            continue
        if not _importable(name, file, tuple(sys.path)):
            found += [
                (kind, module)
                for kind in (cloudpickle, ray_cloudpickle)
                if (kind, module) in _by_value or name not in kind.list_registry_pickle_by_value()
            ]
    return found


#: Where Python and what is installed lie.
_INSTALLED = tuple(
    {
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        str(importlib.machinery.__file__).rpartition("/importlib")[0],
    }
)


@functools.lru_cache(maxsize=10_000)
def _importable(name: str, file: str, search: tuple[str, ...]) -> bool:
    """Whether `import name` in a fresh process that searches these folders finds this very file."""
    path: list[str] = list(search)
    spec = None
    for depth in range(name.count(".") + 1):
        try:
            spec = importlib.machinery.PathFinder.find_spec(".".join(name.split(".")[: depth + 1]), path)
        except (ImportError, ValueError):
            return False
        if spec is None:
            return False
        path = list(spec.submodule_search_locations or ())
    return spec is not None and spec.origin == file
