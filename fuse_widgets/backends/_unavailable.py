"""What stands in a worker for what it cannot get from the kernel."""

from __future__ import annotations

from typing import Any

from ..engine.errors import FuseError

__all__ = ["Unavailable"]

_RELOAD = "reload the module in the kernel if its file has changed, or "


class Unavailable:
    """Raises where it is used.

    Args:
        module, name: Where it stands.
        why: Why the worker cannot get it.
        own: Whether the module is the user's.
    """

    def __init__(self, module: str, name: str, why: str, *, own: bool = True) -> None:
        self._fuse_message = (
            f"the worker cannot get {name!r} of module {module!r} as it is in the kernel ({why}): "
            f"{_RELOAD if own else ''}run this node with executor 'thread' or 'inline'"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise FuseError(self._fuse_message)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise FuseError(self._fuse_message)
