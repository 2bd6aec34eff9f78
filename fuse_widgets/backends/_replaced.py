"""In the kernel: what the user has put into modules and classes of others (`math.sqrt = mine`), as bytes for the workers."""

from __future__ import annotations

import io
import pickle
import threading
from typing import Any

from ..engine.errors import message_of
from ..storage._replaced import in_classes, in_modules, is_other
from ._originals import Place, note_places
from ._references import ModulePickler, Reached, reference

__all__ = ["Replacements"]

_lock = threading.Lock()
#: Whether anything has ever been sent to workers.
_sent = False
#: What was sent: the same bytes are the same object, by which `KernelState` knows them.
_states: dict[bytes, bytes] = {}
_KEPT = 16


class Replacements:
    """What is replaced where a run begins.

    Args:
        texts: Whether strings in modules of others are those of the kernel. On other machines they are paths and versions.

    Attributes:
        state: All of it, pickled; the same object as in the run before if nothing has changed. None if nothing was ever replaced.
        reached: What it refers to.
    """

    def __init__(self, texts: bool) -> None:
        self._texts = texts
        self.reached = Reached(set(), set(), set())
        self.state: bytes | None = None
        self._seen: set[Place] = set()
        with _lock:
            found = _found()
            self._containers = {place: container for place, (container, _) in found.items()}
            if found or _sent:
                note_places(self._containers)
            self._values = {
                tuple(place): _pickled(value, self.reached) for place, (_, value) in found.items()
            }
            if found or _sent:
                self._renew()

    def add(self, places: set[Place]) -> bool:
        """Add what stands at places that code reads, unless it stands there in every process. Whether there was any."""
        new = places - self._seen
        if not new:
            return False
        self._seen |= new
        found = {}
        for place in sorted(new):
            container = place.container()
            value = None if container is None else vars(container).get(place.path[-1])
            if tuple(place) in self._values or not is_other(value, place.path[-1]):
                continue
            if self._texts or not isinstance(value, str | bytes):
                found[place] = (container, value)
        with _lock:
            self._containers |= {place: container for place, (container, _) in found.items()}
            note_places(self._containers)
            more = {tuple(place): _pickled(value, self.reached) for place, (_, value) in found.items()}
            more = {place: pickled for place, pickled in more.items() if pickled[0] is not None}
            self._values.update(more)
            if more:
                self._renew()
        return bool(more)

    def _renew(self) -> None:
        global _sent
        _sent = True
        state = pickle.dumps(dict(sorted(self._values.items())), protocol=5)
        while len(_states) >= _KEPT:
            del _states[next(iter(_states))]
        self.state = _states.setdefault(state, state)


def _found() -> dict[Place, tuple[Any, Any]]:
    """By place, the module or class and what stands there."""
    found: dict[Place, tuple[Any, Any]] = {}
    for module, name, value in in_modules():
        found[Place(module.__name__, (name,))] = (module, value)
    for cls, name, value in in_classes():
        home = reference(cls)
        if home is not None:
            found[Place(home.module, (*home.path, name))] = (cls, value)
    return dict(sorted(found.items()))


def _pickled(value: Any, reached: Reached) -> tuple[bytes | None, str]:
    out = io.BytesIO()
    pickler = ModulePickler(out, 5)
    try:
        pickler.dump(value)
    except Exception as error:
        return None, f"it cannot be pickled: {type(error).__name__}: {message_of(error)}"
    reached.modules.update(pickler.reached.modules)
    reached.names.update(pickler.reached.names)
    return out.getvalue(), ""
