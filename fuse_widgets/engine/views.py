"""Views of a workflow that other rooms provide: the engine knows their names, and who makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import FuseError

if TYPE_CHECKING:
    from .workflow import BaseWorkflow

__all__ = ["MissingPackageError", "make_view", "register_view"]

_makers: dict[str, Callable[..., Any]] = {}


class MissingPackageError(FuseError, ImportError):
    """A package that is needed for what was asked is not installed."""

    def __init__(self, wish: str, package: str) -> None:
        super().__init__(f"{wish} needs the package {package!r}, which is not there: pip install {package}")


def register_view(name: str, maker: Callable[..., Any]) -> None:
    """Provide a view of workflows.

    Args:
        name: What it is called, as a method of `BaseWorkflow`.
        maker: Called with the workflow and the options; it imports what it needs when it is called.
    """
    _makers[name] = maker


def make_view(name: str, workflow: BaseWorkflow, options: dict[str, Any]) -> Any:
    """The view that is registered under `name`.

    Raises:
        FuseError: There is none of this name.
        MissingPackageError: It needs a package that is not installed.
    """
    maker = _makers.get(name)
    if maker is None:
        raise FuseError(f"there is no view {name!r} of workflows; import fuse_widgets first")
    try:
        return maker(workflow, **options)
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"workflow.{name}()", (error.name or "").split(".")[0]) from error
