"""In a worker: the user's modules are those of the kernel.

A module is imported from its file, as it would be without us, and compared with what the kernel has; names that differ get the
kernel's value, in the module's own namespace, so that its functions go on to share it. A module that the kernel has without a
file, or that cannot be executed here, is made of the kernel's values alone. What a function keeps in its module, such as a loaded
model, stays from node to node, until the kernel's module changes.
"""

from __future__ import annotations

import abc
import contextlib
import importlib.util
import os
import pickle
import sys
import threading
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from ..engine.errors import message_of
from ._module_state import SYSTEM, ModuleState, tokens_of
from ._originals import REPLACED, follow_replaced, originals
from ._unavailable import Unavailable

__all__ = ["follow_modules"]

_states: dict[str, ModuleState] = {}
#: The digests of the modules here that are as in the kernel.
_applied: dict[str, bytes] = {}
_here = threading.local()


def follow_modules(changed: dict[str, bytes]) -> None:
    """Have the kernel's modules: those that are imported now, the others as they are imported.

    What cannot be had as it is in the kernel raises where it is used.

    Args:
        changed: Pickled states of those that are new, or have changed; under `REPLACED`, what the user has put into other modules.
    """
    if not changed:
        return
    with originals():
        _follow_modules({name: state for name, state in changed.items() if name != REPLACED})
        if REPLACED in changed:
            follow_replaced(changed[REPLACED])


def _follow_modules(changed: dict[str, bytes]) -> None:
    for name, pickled in changed.items():
        _states[name] = ModuleState(*pickle.loads(pickled))
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    late = [
        state for name, state in _states.items() if name in sys.modules and _applied.get(name) != state.digest
    ]
    failed = {state.name: _follow(sys.modules[state.name], state) for state in late}
    for name, reasons in failed.items():
        if reasons:  # one may have needed what another has got since
            _give_up(name, _follow(sys.modules[name], _states[name]))


class _Finder:
    """Finds the user's modules for the import system."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        state = _states.get(name)
        if state is None:
            return None
        spec = _spec(state, path, target) if state.executable else None
        if spec is None or spec.loader is None:
            spec = ModuleSpec(name, None, origin=state.file)
            spec.submodule_search_locations = None if state.folders is None else list(state.folders)
        spec.loader = _Loader(spec.loader, state)  # type: ignore[assignment]
        if spec.submodule_search_locations is None and any(other.startswith(f"{name}.") for other in _states):
            spec.submodule_search_locations = []  # modules can be put beneath any name
        return spec


_finder = _Finder()


def _spec(
    state: ModuleState, path: Sequence[str] | None, target: types.ModuleType | None
) -> ModuleSpec | None:
    """How the module is imported without us: from the kernel's file, where this machine has it."""
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if finder is _finder or find is None:
            continue
        spec: ModuleSpec | None = find(state.name, path, target)
        if spec is not None:
            if spec.origin == state.file:
                return spec
            break
    if state.file is not None and os.path.isfile(state.file):
        return importlib.util.spec_from_file_location(
            state.name, state.file, submodule_search_locations=state.folders
        )
    return spec


class _Loader:
    """Executes a module's file, if there is a loader for it, and has the module follow the kernel's."""

    def __init__(self, loader: Any, state: ModuleState) -> None:
        self._loader, self._state = loader, state

    def create_module(self, spec: ModuleSpec) -> Any:
        return None if self._loader is None else self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        state, waiting = self._state, _waiting()
        outermost = not waiting
        waiting[state.name] = {}
        try:
            with originals():
                if self._loader is None:
                    module.__file__ = state.file
                else:
                    self._restore(module)
                    self._execute(module)
                waiting[state.name] = _follow(module, state, fresh=True)
                if outermost:  # those that were imported meanwhile may have needed what has come since
                    for name, reasons in list(waiting.items()):
                        if reasons and name in sys.modules:
                            _give_up(name, _follow(sys.modules[name], _states[name], fresh=True))
        finally:
            if outermost:
                waiting.clear()

    def _restore(self, module: types.ModuleType) -> None:
        """Leave no trace of us in the module."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader

    def _execute(self, module: types.ModuleType) -> None:
        try:
            self._loader.exec_module(module)
        except Exception:  # it has been edited since, or needs what is in the kernel only
            missing = [name for name, value in self._state.values.items() if value is None]
            if missing:
                raise


def _waiting() -> dict[str, dict[str, str]]:
    """The modules that this thread is importing, with the names that are missing and why."""
    found: dict[str, dict[str, str]] | None = getattr(_here, "waiting", None)
    if found is None:
        found = _here.waiting = {}
    return found


def _follow(
    module: types.ModuleType, state: ModuleState, *, fresh: bool = False, whole: bool = False
) -> dict[str, str]:
    """Give a module what the kernel's has; the names that could not be had, and why.

    Args:
        module, state: The module here, and as it is in the kernel.
        fresh: Whether its file was executed just now.
        whole: Whether names that do not seem to differ get the kernel's values as well.
    """
    differ = list(state.values) if whole else _different(module, state)
    if not fresh and not whole and _lost(state, differ) and state.executable:
        with contextlib.suppress(Exception):  # what cannot be pickled may be in the file by now
            module.__spec__.loader.exec_module(module)  # type: ignore[union-attr]
        differ = _different(module, state)
    failed = {} if whole else dict.fromkeys(_lost(state, differ), "it cannot be pickled")
    _remove_others(module, state)
    if (
        not fresh and state.file is not None and os.path.isfile(state.file)
    ):  # another one, if it was imported again
        module.__file__ = state.file
        if state.folders is not None:
            module.__path__ = list(state.folders)
    missing, replaced = _load(vars(module), state, differ)
    failed |= missing
    if not failed:
        _applied[state.name] = state.digest
    if replaced and not whole:  # whatever refers to the class that was there before, in any module
        for name in [*(_applied.keys() & sys.modules.keys()) - {state.name}, state.name]:
            failed |= _follow(sys.modules[name], _states[name], whole=True)
    return failed


def _lost(state: ModuleState, names: list[str]) -> list[str]:
    """Those of the names that are code, and that the kernel cannot send."""
    return [name for name in names if name in state.code and state.values[name] is None]


def _remove_others(module: types.ModuleType, state: ModuleState) -> None:
    """Remove names that the kernel's module has not."""
    for name, value in list(vars(module).items()):
        submodule = sys.modules.get(f"{state.name}.{name}") is value
        if name not in state.tokens and name not in SYSTEM and not submodule:
            delattr(module, name)


def _load(space: dict[str, Any], state: ModuleState, names: list[str]) -> tuple[dict[str, str], bool]:
    """Give a module the kernel's values; those that could not be had and why, and whether a class was replaced."""
    waiting = {name: value for name in names if (value := state.values[name]) is not None}
    failed: dict[str, str] = {}
    replaced = False
    while waiting:
        failed = {}
        for name, pickled in waiting.items():
            try:
                replaced |= _put(space, name, pickle.loads(pickled))
            except Exception as error:  # it may need one that comes later
                failed[name] = f"{type(error).__name__}: {message_of(error)}"
        if len(failed) == len(waiting):
            break
        waiting = {name: waiting[name] for name in failed}
    return failed, replaced


def _put(space: dict[str, Any], name: str, value: Any) -> bool:
    """Set a name of a module. Whether that replaced a class that there may be instances of."""
    before = space.get(name)
    replaced = (
        isinstance(before, type)
        and isinstance(value, type)
        and before is not value
        and before.__qualname__ == value.__qualname__
        and before.__module__ == value.__module__ == space["__name__"]
    )
    if replaced and _update_class(before, value):  # type: ignore[arg-type]
        return False
    space[name] = value
    return replaced


#: Of a class: what is its own, whatever it contains.
_OWN = frozenset({"__dict__", "__weakref__", "_abc_impl", "__module__", "__qualname__"})


def _update_class(cls: type, wanted: type) -> bool:
    """Give a class the contents of another, so that its instances and subclasses follow; False where that cannot be."""
    if type(cls) is not type(wanted) or type(cls) not in (type, abc.ABCMeta):
        return False
    if vars(cls).get("__slots__") != vars(wanted).get("__slots__"):
        return False
    try:
        if cls.__bases__ != wanted.__bases__:
            cls.__bases__ = wanted.__bases__
        for name in vars(cls).keys() - vars(wanted).keys() - _OWN:
            delattr(cls, name)
        for name, value in list(vars(wanted).items()):
            if name in _OWN or isinstance(value, types.MemberDescriptorType):
                continue
            before = vars(cls).get(name)
            if (
                isinstance(value, type)
                and isinstance(before, type)
                and before.__qualname__ == value.__qualname__
            ):
                if before is not value and not _update_class(before, value):
                    return False
                continue
            _adopt(value, wanted, cls)
            setattr(cls, name, value)
    except (TypeError, AttributeError):
        return False
    return True


def _adopt(value: Any, before: type, cls: type) -> None:
    """Let the `super()` of a method mean another class."""
    for func in (
        value,
        *(getattr(value, part, None) for part in ("__func__", "fget", "fset", "fdel", "__wrapped__")),
    ):
        if isinstance(func, types.FunctionType):
            for cell in func.__closure__ or ():
                with contextlib.suppress(ValueError):
                    if cell.cell_contents is before:
                        cell.cell_contents = cls


def _different(module: types.ModuleType, state: ModuleState) -> list[str]:
    """The names whose values differ from those in the kernel, in the order they have there."""
    mine = tokens_of(module)
    found = []
    for name, token in state.tokens.items():
        if name not in mine:
            if state.values[name] is not None or name in state.code:
                found.append(name)
        elif token is not None:
            # What cannot be pickled, such as a connection, is this process's own, unless it is code.
            if mine[name] != token and (state.values[name] is not None or name in state.code):
                found.append(name)
        elif state.values[name] is not None:
            found.append(name)
    return found


def _give_up(name: str, failed: dict[str, str]) -> None:
    for what, why in failed.items():
        setattr(sys.modules[name], what, Unavailable(name, what, why))
    _applied[name] = _states[name].digest
