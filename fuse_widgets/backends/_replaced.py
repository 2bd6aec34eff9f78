"""In the kernel: what the user has put into modules and classes of others (`math.sqrt = mine`), as bytes for the workers."""

from __future__ import annotations

import io
import pickle
import threading
from typing import Any, NamedTuple

from ..engine.errors import message_of
from ..storage._replaced import in_classes, in_modules
from ._originals import Place, note_places
from ._references import ModulePickler, Reached, reference

__all__ = ["Replacements"]

_lock = threading.Lock()
#: What was sent last; None if nothing has ever been replaced.
_last: bytes | None = None


class Replacements(NamedTuple):
    """What is replaced where a run begins.

    Attributes:
        state: All of it, pickled; the same object as in the run before if nothing has changed. None if nothing was ever replaced.
        reached: What it refers to.
    """

    state: bytes | None
    reached: Reached

    @classmethod
    def look(cls) -> Replacements:
        """Find what is replaced now."""
        global _last
        reached = Reached(set(), set())
        with _lock:
            found = _found()
            if not found and _last is None:
                return cls(None, reached)
            note_places({place: container for place, (container, _) in found.items()})
            values = {tuple(place): _pickled(value, reached) for place, (_, value) in found.items()}
            state = pickle.dumps(values, protocol=5)
            if state != _last:
                _last = state
            return cls(_last, reached)


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
