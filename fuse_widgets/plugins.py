"""Plugins: functions that run before a node's own, for state that a machine or a random generator needs.

The protocol is that of Function Fuse: `local_initialize()` is called in the main process when a node is
submitted, and the function that `remote_initialize()` returns is called where the node runs, just before it.
"""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Callable, Iterable
from typing import Any

from .engine.errors import PluginError, message_of, shorten

__all__ = ["InitializerPlugin", "Plugin", "PluginCollection", "RandomStatePlugin", "prepare"]

Initializer = Callable[[], Any]


class Plugin:
    """The base of plugins. Each function does nothing unless a subclass overrides it."""

    def for_node(self, name: str) -> Plugin:
        """The plugin to use for one node; one that keeps something per node returns a copy made for it.

        Args:
            name: Name of the node.
        """
        return self

    def local_initialize(self) -> None:
        """Called in the main process when the node is submitted."""

    def remote_initialize(self) -> Initializer | None:
        """The function, without arguments, to call where the node runs, before it. It may have to be pickled."""
        return None

    def effect(self) -> Any:
        """What the plugin, bound to a node, does to the node's result, as a value that a fingerprint can be made of."""
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class InitializerPlugin(Plugin):
    """Calls a function where the node runs, before the node's own.

    Args:
        func: Takes no arguments; what it returns is not used.
    """

    def __init__(self, func: Initializer) -> None:
        if not callable(func):
            raise TypeError(
                f"InitializerPlugin takes a function without arguments, not {shorten(repr(func))}"
            )
        self.func = func

    def remote_initialize(self) -> Initializer:
        return self.func

    def __repr__(self) -> str:
        return f"InitializerPlugin({getattr(self.func, '__qualname__', repr(self.func))})"


class RandomStatePlugin(Plugin):
    """Seeds random generators before a node, each node with a number of its own.

    The number comes from `seed` and the node's name alone (SHA-256), so it is the same on every backend, in
    every order of execution, and where some nodes come from storage. In the thread executor generators that
    belong to the whole process are shared by the nodes that run at one time: there, let `seed_func` seed
    something of the thread's own.

    Args:
        min, max: The numbers are at least `min` and below `max`.
        seed: Another seed gives other numbers.
        seed_func: Called with the number; by default it seeds `random` and numpy's global generator.

    Raises:
        ValueError: `max` is not above `min`.
    """

    def __init__(
        self,
        min: int = 0,
        max: int = 2**32,
        seed: int = 0,
        seed_func: Callable[[int], Any] | None = None,
    ) -> None:
        if not max > min:
            raise ValueError(f"RandomStatePlugin: max ({max}) must be above min ({min})")
        self.min, self.max, self.seed = min, max, seed
        self.seed_func = seed_everything if seed_func is None else seed_func
        self._draws: random.Random | None = random.Random(seed)
        self._number: int | None = None

    def for_node(self, name: str) -> RandomStatePlugin:
        digest = hashlib.sha256(f"{self.seed}:{name}".encode("utf-8", "surrogatepass")).digest()
        plugin = RandomStatePlugin(self.min, self.max, self.seed, self.seed_func)
        plugin._number = self.min + int.from_bytes(digest, "big") % (self.max - self.min)
        plugin._draws = None
        return plugin

    def local_initialize(self) -> None:
        """Draw the next number, for a backend that does not ask `for_node`."""
        if self._draws is not None:
            self._number = self._draws.randrange(self.min, self.max)

    def remote_initialize(self) -> Initializer:
        if self._number is None:
            self.local_initialize()
        assert self._number is not None
        return functools.partial(self.seed_func, self._number)

    def effect(self) -> Any:
        if type(self) is not RandomStatePlugin:
            return self
        return RandomStatePlugin, self.seed_func, self._number

    def __repr__(self) -> str:
        return f"RandomStatePlugin(min={self.min}, max={self.max}, seed={self.seed})"


class PluginCollection(Plugin):
    """Several plugins as one; they are called in the order given.

    Args:
        plugins: The plugins.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.plugins = tuple(plugins)

    def for_node(self, name: str) -> PluginCollection:
        return PluginCollection(bind(plugin, name) for plugin in self.plugins)

    def local_initialize(self) -> None:
        for plugin in self.plugins:
            plugin.local_initialize()

    def remote_initialize(self) -> Initializer:
        functions = [plugin.remote_initialize() for plugin in self.plugins]
        return functools.partial(_call_all, [function for function in functions if function is not None])

    def effect(self) -> Any:
        if type(self) is not PluginCollection:
            return self
        return [plugin.effect() if isinstance(plugin, Plugin) else plugin for plugin in self.plugins]

    def __repr__(self) -> str:
        return f"PluginCollection({list(self.plugins)!r})"


def seed_everything(number: int) -> None:
    """Seed `random` and numpy's global generator, which a function may first import when it runs."""
    import numpy as np

    random.seed(number)
    np.random.seed(number % 2**32)


def bind(plugin: Any, name: str) -> Any:
    """The plugin for one node; a plugin with just the seed's two functions serves all nodes as it is."""
    for_node = getattr(plugin, "for_node", None)
    return plugin if for_node is None else for_node(name)


def prepare(plugin: Any, name: str) -> Initializer:
    """Do a plugin's part in the main process, and return what has to be called where the node runs.

    Args:
        plugin: A `Plugin`, or anything with its two functions.
        name: Name of the node.

    Raises:
        PluginError: The plugin raised, here or in the function that is returned. Names plugin and node.
    """
    try:
        plugin = bind(plugin, name)
        plugin.local_initialize()
        function = plugin.remote_initialize()
    except Exception as error:
        raise _plugin_error(repr(plugin), name, error) from error
    return functools.partial(_initialize, function, repr(plugin), name)


def _initialize(function: Initializer | None, plugin: str, name: str) -> None:
    if function is not None:
        try:
            function()
        except Exception as error:
            raise _plugin_error(plugin, name, error) from error


def _plugin_error(plugin: str, name: str, error: Exception) -> PluginError:
    return PluginError(
        f"plugin {shorten(plugin)} of node {shorten(name)!r} raised {type(error).__name__}: {message_of(error)}"
    )


def _call_all(functions: list[Initializer]) -> None:
    for function in functions:
        function()
