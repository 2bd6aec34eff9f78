"""Fingerprints: what a result was computed from, so that a saved one is used only where it still holds."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..engine._arguments import nodes_inside
from ..engine.errors import shorten
from ..engine.nodes import Node, NodeItem, ObservedFunction
from ._code import join
from ._functions import NEVER, never
from ._reached import Reach, Reached
from ._values import Unstable

__all__ = ["Fingerprint", "FingerprintCache", "fingerprint"]

#: Rises when fingerprints are made in another way.
VERSION = 2


@dataclass(frozen=True)
class Fingerprint:
    """What a node's result depends on, as digests.

    Attributes:
        code: Of the function itself: its body, closure values and defaults.
        arguments: By name (by position where a function does not tell its names), nodes standing for themselves.
            Their order counts: parameters sorted, then what a function takes by `**`, in the order it sees.
        parents: Digests of the parents' fingerprints, by name, in the order the arguments use them.
        names: Of the first-party functions, classes and constants that the function reaches, in whatever module they
            are, by name.
        plugin: Of what its plugin does; empty where it has none.
        packages: Versions of the installed packages that the code names, by distribution.
        files: Digests of the contents of files (`InputFile`), by path.
        not_tracked: What the function may depend on and no fingerprint covers, in words. It is no part of the digest.
        plain_paths: Paths of existing files in the arguments that are no `InputFile`. They are no part of the digest either.
        version: How fingerprints were made then; one made in another way matches nothing.

    An entry that begins with `!` stands for something that cannot be compared, with the reason; it matches nothing.
    """

    code: str
    arguments: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    plugin: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    not_tracked: tuple[str, ...] = field(default=(), compare=False)
    plain_paths: tuple[str, ...] = field(default=(), compare=False)
    version: int = VERSION

    @functools.cached_property
    def digest(self) -> str:
        """One digest of everything, 32 hexadecimal digits. It does not change where a parent is only renamed."""
        digest = hashlib.blake2b(f"{self.version}\0{self.code}".encode(), digest_size=16)
        for group, order in ((self.names, sorted(self.names)), (self.arguments, self.arguments)):
            digest.update(b"\0\0")
            for name in order:
                digest.update(f"\0{name}\0{group[name]}".encode("utf-8", "surrogatepass"))
        digest.update("\0\0".join(self.parents.values()).encode())
        for what, group in (("packages", self.packages), ("files", self.files)):
            for name in sorted(group):
                digest.update(f"\0\0{what}\0{name}\0{group[name]}".encode("utf-8", "surrogatepass"))
        if self.plugin:
            digest.update(f"\0\0plugin\0{self.plugin}".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values; `from_json` turns it back."""
        groups = {"names": self.names, "arguments": self.arguments, "parents": self.parents}
        few = {"plugin": self.plugin, "packages": self.packages, "files": self.files}
        notes = {"not_tracked": list(self.not_tracked)} if self.not_tracked else {}
        some = {name: value for name, value in few.items() if value}
        return {"version": self.version, "code": self.code, **groups, **some, **notes}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fingerprint:
        """The fingerprint that `to_json` described.

        Raises:
            TypeError: `data` is something else.
        """
        names = ("arguments", "parents", "names", "packages", "files")
        groups: dict[str, Any] = {name: dict(data.get(name, {})) for name in names}
        texts = [data["code"], data.get("plugin", ""), *data.get("not_tracked", ())]
        texts += [text for group in groups.values() for pair in group.items() for text in pair]
        version = data.get("version", 1)
        if type(version) is not int or not all(isinstance(text, str) for text in texts):
            raise TypeError("a fingerprint must consist of strings")
        return cls(
            code=data["code"],
            plugin=data.get("plugin", ""),
            not_tracked=tuple(data.get("not_tracked", ())),
            version=version,
            **groups,
        )

    def difference(self, old: Fingerprint | None) -> str | None:
        """Why a result with the fingerprint `old` may not be used here, in words; None where it may.

        For example `code changed`, `helpers.clean changed` for a function, class or constant of that name, `argument x
        changed`, `parent y changed`, `file data.csv changed`, `numpy 2.1 -> 2.2`; the first three, if there are more.
        """
        if old is None:
            return "it was saved without a fingerprint"
        reasons = list(self._unstable())
        if not reasons and self.digest == old.digest:
            return None
        if self.version != old.version:
            return "it was stored by another version of fuse_widgets, which compared other things"
        if self.code != old.code and not self.code.startswith(NEVER):
            reasons.append("code changed")
        elif not self.code.startswith(NEVER):
            names = [name for name, _ in _changes(self.names, old.names)]
            if names:
                reasons.append(f"{_some(names)} changed")
        for what, new, before in (
            ("argument", self.arguments, old.arguments),
            ("parent", self.parents, old.parents),
            ("file", self.files, old.files),
        ):
            reasons += [
                f"{what} {shorten(name, 200 if what == 'file' else 60)} {verb}"
                for name, verb in _changes(new, before)
            ]
        reasons += [
            f"{name} {old.packages.get(name, 'not used')} -> {self.packages.get(name, 'not used')}"
            for name, _ in _changes(self.packages, old.packages)
        ]
        if self.plugin != old.plugin and not self.plugin.startswith(NEVER):
            reasons.append("plugin changed")
        if reasons:
            return _some(reasons)
        if list(self.arguments) != list(old.arguments):
            return "keyword arguments are in another order"
        return "arguments take their values from other parents"

    def _unstable(self) -> Iterable[str]:
        entries = {"code": self.code}
        entries.update({f"code ({name})": entry for name, entry in self.names.items()})
        entries.update({f"argument {name}": entry for name, entry in self.arguments.items()})
        entries["plugin"] = self.plugin
        for what, entry in entries.items():
            if entry.startswith(NEVER):
                yield f"{shorten(what, 70)} cannot be fingerprinted: {entry.partition(' ')[2]}"
        yield from (entry.partition(" ")[2] for entry in self.files.values() if entry.startswith(NEVER))


def _changes(new: Mapping[str, str], old: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, entry in new.items():
        if name not in old:
            yield name, "added"
        elif entry != old[name] and not entry.startswith(NEVER):
            yield name, "changed"
    for name in old:
        if name not in new:
            yield name, "removed"


def _some(texts: list[str]) -> str:
    more = len(texts) - 3
    return ", ".join(texts[:3]) + (f" and {more} more" if more > 0 else "")


@dataclass
class Parameters:
    """The parameters of a function: those given by position, those given by keyword, and the one of `*`."""

    positional: list[str] = field(default_factory=list)
    keywords: set[str] = field(default_factory=set)
    rest: str = "argument"


class FingerprintCache(Reach):
    """What was found out about functions, classes and large values during one run.

    Make a new one for each run: a helper may be defined anew, and a list may change, between two runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._roots: dict[int, tuple[Any, str, Reached]] = {}
        self._parameters: dict[int, tuple[Any, Parameters]] = {}

    def code_of(self, func: Any) -> tuple[str, Reached]:
        """`Fingerprint.code` of a node's function, and what it reaches."""
        found = self._roots.get(id(func))
        if found is None:
            self._in_code, self._refs = True, []
            reached = Reached()
            try:
                code = self.kept(func).hex()
                reached = self.follow(self._refs, _home(func))
            except Unstable as why:
                code = never(why)
            finally:
                self._in_code = False
            found = self._roots[id(func)] = (func, code, reached)
        return found[1], found[2]

    def entry(self, func: Any, make: Callable[[Any], bytes], value: Any) -> tuple[str, Reached | None]:
        """The entry of an argument of `func`, and what functions in it reach; `make` gives its token."""
        self._refs = []
        try:
            token = make(value)
            if not self._refs:
                return (token.hex() if len(token) <= 16 else join((token,)).hex()), None
            reached = self.follow(self._refs, _home(func))
        except Unstable as why:
            return never(why), None
        except (RecursionError, ValueError):  # of `nodes_inside`, which had more room when the node was made
            return never(Unstable("it is nested too deeply")), None
        names = reached.names
        unstable = next((entry for entry in names.values() if entry.startswith(NEVER)), None)
        if unstable is not None:
            return unstable, reached
        return join((token, *(f"{name} {names[name]}".encode() for name in sorted(names)))).hex(), reached

    def plugin_of(self, plugin: Any, name: str) -> str:
        """`Fingerprint.plugin` of the node `name`; a plugin that cannot be compared matches nothing."""
        self._in_code = True  # a lock in it is a tool, as in code
        try:
            return self.entry(type(plugin), self.token, _effect(plugin, name))[0]
        except Exception as error:  # its own code: the run says it where the node begins
            return never(Unstable(f"it raised {type(error).__name__}"))
        finally:
            self._in_code = False

    def parameters(self, func: Any) -> Parameters:
        """What the function says of its parameters; nothing where it does not tell them."""
        found = self._parameters.get(id(func))
        if found is None:
            names = Parameters()
            try:
                for parameter in inspect.signature(func).parameters.values():
                    if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                        names.positional.append(parameter.name)
                    elif parameter.kind is parameter.VAR_POSITIONAL:
                        names.rest = parameter.name
                    if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                        names.keywords.add(parameter.name)
            except (TypeError, ValueError):
                pass
            found = self._parameters[id(func)] = (func, names)
        return found[1]


def fingerprint(
    node: Node,
    parent_digests: Mapping[Node, str],
    *,
    cache: FingerprintCache | None = None,
    plugin: Any = None,
    func: Any = None,
) -> Fingerprint:
    """What the result of a node depends on.

    Args:
        node: The node; its function counts with all first-party code that it reaches.
        parent_digests: `Fingerprint.digest` of each parent.
        cache: Shared by the nodes of one run, so that a function or a large argument is looked at once.
        plugin: The node's plugin.
        func: What the node calls, if that is not its present function.

    Returns:
        The fingerprint. It is the same in another process and after a restart of the kernel. Where something
        cannot be compared between runs (an open file, a lock) it matches nothing, and `difference` says why.
    """
    cache = FingerprintCache() if cache is None else cache
    func = node.func if func is None else func
    if isinstance(func, ObservedFunction):
        func = func._func
    code, reached = cache.code_of(func)
    paths: set[str] = set()
    arguments: dict[str, str] = {}
    order: dict[Node, int] = {}
    if node.args or node.kwargs:
        known = cache.parameters(func)
        count = len(known.positional)
        given = {name: value for name, value in node.kwargs.items() if name in known.keywords}
        for i, value in enumerate(node.args):
            given[known.positional[i] if i < count else f"{known.rest}[{i - count}]"] = value
        given = {name: given[name] for name in sorted(given)}
        for name, value in node.kwargs.items():  # the rest lands in **kwargs, where a function sees the order
            if name not in known.keywords:
                given[f"**{name}" if name in given else name] = value
        wired = _Wiring(cache, parent_digests, order)
        for name, value in given.items():
            arguments[name], more = cache.entry(func, wired, value)
            if more is not None:
                reached = reached.with_those_of(more)
                paths |= more.paths
    for parent in node.parents:
        order.setdefault(parent, len(order))
    parents: dict[str, str] = {}
    for parent in order:
        name = parent.name
        while name in parents:
            name += "'"
        parents[name] = parent_digests[parent]
    entry = "" if plugin is None else cache.plugin_of(plugin, node.name)
    return Fingerprint(
        code,
        arguments,
        parents,
        reached.names,
        entry,
        reached.packages,
        reached.files,
        tuple(sorted(reached.notes)),
        tuple(sorted(paths)),
    )


def _effect(plugin: Any, name: str) -> Any:
    """What a plugin does to one node, where it says so; one with just the seed's two functions stands for itself."""
    bound = plugin.for_node(name) if hasattr(plugin, "for_node") else plugin
    return bound.effect() if hasattr(bound, "effect") else bound


def _parts(container: Any) -> Iterable[Any]:
    if isinstance(container, dict):
        return (part for pair in container.items() for part in pair)
    return container  # type: ignore[no-any-return]


class _Wiring:
    """Tokens of arguments with nodes in them.

    Each node counts by its place among the parents, so that another result of a parent is a change of the parent
    and not of the argument, and a new name of it is no change.
    """

    def __init__(self, cache: FingerprintCache, digests: Mapping[Node, str], order: dict[Node, int]) -> None:
        self._cache, self._digests, self._order = cache, digests, order

    def __call__(self, value: Any) -> bytes:
        if isinstance(value, NodeItem):
            return join((b"item", self(value.node), self._cache.token(value.path)))
        if isinstance(value, Node):
            return b"node %d" % self._order.setdefault(value, len(self._order))
        if not nodes_inside(value):
            return self._cache.kept(value)
        items = sorted(value, key=self._rank) if isinstance(value, set | frozenset) else _parts(value)
        return join((self._kind(value), *map(self, items)))

    def _kind(self, value: Any) -> bytes:
        """What a container is besides its items, as the engine keeps it where it fills in the results."""
        kind = type(value)
        if kind in (list, tuple, dict, set, frozenset):
            return kind.__name__.encode()
        if isinstance(value, tuple | frozenset):
            return self._cache.token(kind)
        try:
            empty = copy.copy(value)
            empty.clear()
        except Exception as error:
            raise Unstable(f"{kind.__qualname__} cannot be copied ({type(error).__name__})") from error
        return self._cache.token(empty)

    def _rank(self, value: Any) -> bytes:
        """Sorts what has no order of its own, before its nodes have a place."""
        if isinstance(value, NodeItem):
            return join((self._rank(value.node), self._cache.token(value.path)))
        if isinstance(value, Node):
            return self._digests[value].encode()
        if nodes_inside(value):
            ranks = list(map(self._rank, _parts(value)))
            return join(sorted(ranks) if isinstance(value, set | frozenset) else ranks)
        return self._cache.kept(value)


def _home(func: Any) -> str | None:
    while isinstance(func, functools.partial):
        func = func.func
    return getattr(func, "__module__", None)
