"""The exceptions of the engine, each naming the node and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .nodes import Node

    Inputs = tuple[tuple[Any, ...], dict[str, Any]]

__all__ = [
    "BackendInfoError",
    "ClusterError",
    "DuplicateNodeNameError",
    "ExceptionStandIn",
    "FuseError",
    "InputChangedError",
    "NodeExecutionError",
    "NodeTimeoutError",
    "OutdatedNodeError",
    "PatternError",
    "PluginError",
    "RunCancelledError",
    "WorkerCrashedError",
]


def shorten(text: str, limit: int = 80) -> str:
    """`text` with its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def message_of(error: BaseException) -> str:
    """`str(error)`, also where that raises."""
    try:
        return str(error)
    except Exception as broken:
        return f"(its message cannot be shown: {type(broken).__name__})"


class FuseError(Exception):
    """The base of every exception that `fuse_widgets` defines.

    All can be pickled, with their causes: where a part cannot, a `NodeName` stands for a node, and a string for a value.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        from .carried import carried

        return carried(self).__reduce__()


class ExceptionStandIn(FuseError):
    """Stands for an exception of another process whose class cannot be rebuilt here.

    Its notes, its causes and its traceback are those of the exception.

    Attributes:
        type_name: The full name of the exception's class.
        message: What `str` said of it.
        reason: Why it could not be rebuilt.
    """

    def __init__(self, type_name: str, message: str, reason: str) -> None:
        self.type_name, self.message, self.reason = type_name, message, reason
        super().__init__(
            f"{type_name}: {message} (stands in for the exception, whose class cannot be rebuilt in this process: {reason})"
        )


class NodeName:
    """Stands for a node in an error that came from another process, where the node itself could not come along."""

    def __init__(self, name: str, made_at: str) -> None:
        self.name, self.made_at = name, made_at

    def call(self, *_: Any) -> Any:
        """A node would run."""
        raise FuseError(f"node {shorten(self.name)!r} could not be pickled, and is not here")

    def __repr__(self) -> str:
        return f"<name of node {shorten(self.name)!r}>"


class DuplicateNodeNameError(FuseError, ValueError):
    """Two live nodes of one workflow carry the same name."""

    def __init__(self, first: Node, second: Node) -> None:
        self.nodes = (first, second)
        super().__init__(
            f"two nodes of this workflow are named {shorten(first.name)!r}: one made at {first.made_at}, "
            f"the other at {second.made_at}. Give one of them another name with node.set_name(...)."
        )


class OutdatedNodeError(FuseError, TypeError):
    """The function of a node was defined again, and no longer takes the node's arguments.

    Attributes:
        nodes: The nodes that cannot run.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)
        node = nodes[0]
        others = len(nodes) - 1
        more = (
            f" {others} more node{'s cannot run either' if others > 1 else ' cannot run either'}."
            if others
            else ""
        )
        super().__init__(
            f"node {shorten(node.name)!r}, made at {node.made_at}, cannot run, since its function was defined again: "
            f"{node._misfit}. It was called as {_call_of(node)}. Make the node again, or change the function.{more}"
        )


def _call_of(node: Node) -> str:
    """How a node was called, with the values that are quick to show."""
    parts = [_argument(value) for value in node.args] + [
        f"{k}={_argument(v)}" for k, v in node.kwargs.items()
    ]
    return shorten(f"{node.qualname}({', '.join(parts)})", 300)


def _argument(value: Any) -> str:
    from ._arguments import Promise

    if isinstance(value, Promise) or type(value) in (int, float, complex, str, bytes, bool, type(None)):
        return shorten(repr(value))
    return f"<{type(value).__name__}>"


class PatternError(FuseError, ValueError):
    """A pattern that is no regular expression."""

    def __init__(self, pattern: str, reason: str) -> None:
        self.pattern = pattern
        super().__init__(
            f"{shorten(pattern)!r} is not a regular expression: {reason}. "
            "re.escape(name) turns a plain name into a pattern."
        )


class BackendInfoError(FuseError, ValueError):
    """A value in `backend_info` that the backend cannot work with.

    Args:
        node: Name of the node.
        key: The key in `backend_info`; None where the whole is wrong.
        value: What stands there.
        reason: What is allowed, in words.
        reasons: All that is wrong, where there is more than that: reasons by field, nested ones as `"a.b"`.

    Attributes:
        reasons: As given; never empty. The field is `""` where the whole is wrong.
    """

    def __init__(
        self, node: str, key: str | None, value: Any, reason: str, reasons: Mapping[str, str] | None = None
    ) -> None:
        self.node, self.key, self.value, self.reason = node, key, value, reason
        self.reasons = dict(reasons or {key or "": reason})
        end = "" if reason.endswith(("?", ".")) else "."
        super().__init__(
            f"node {shorten(node)!r}: backend_info{'' if key is None else f'[{key!r}]'} is {shorten(repr(value))}, "
            f"but {reason}{end}"
        )


class NodeExecutionError(FuseError):
    """A node's function raised. The original exception is `__cause__`, with its traceback.

    Attributes:
        node: The node that failed.
        inputs: `(args, kwargs)` that the function was called with, kept for `replay()`; None where it was not. Where
            they are on another machine they are fetched when they are first asked for.
        failures: Every failure of the run, this one first.
    """

    def __init__(
        self, node: Node, cause: BaseException, inputs: Inputs | Callable[[], Inputs | None] | None
    ) -> None:
        self.node = node
        self._inputs: Inputs | Callable[[], Inputs | None] | str | None = inputs
        self.failures: Sequence[NodeExecutionError] = (self,)
        message = f"node {shorten(node.name)!r} failed with {type(cause).__name__}: {shorten(message_of(cause), 400)}"
        super().__init__(message)
        self.__cause__ = cause

    @property
    def inputs(self) -> Inputs | None:
        """See the class."""
        if isinstance(self._inputs, str):  # could not be pickled
            self._inputs = None
        if callable(self._inputs):
            self._inputs = self._inputs()
        return self._inputs

    def __str__(self) -> str:
        others = len(self.failures) - 1
        more = f" ({others} more node{'s' * (others > 1)} failed: see .failures)" if others else ""
        return f"{self.args[0]}{more}"

    def replay(self) -> Any:
        """Call the node's function again with the same inputs, for example under `%debug` or `pdb.runcall`.

        Returns:
            The result of the function.

        Raises:
            FuseError: The node failed before its function was called, so there are no inputs.
        """
        if self.inputs is None:
            raise FuseError(f"node {shorten(self.node.name)!r} failed before its function was called")
        args, kwargs = self.inputs
        return self.node.call(args, kwargs)


class ClusterError(FuseError, ConnectionError):
    """The cluster cannot be reached, or is lost."""


class NodeTimeoutError(FuseError, TimeoutError):
    """A node ran longer than its `timeout` and its process was killed."""


class WorkerCrashedError(FuseError, RuntimeError):
    """The process that ran a node died."""


class InputChangedError(FuseError):
    """A node changed one of its inputs in place, and `check_inputs` forbids that; or needs one that was changed and is lost."""


class PluginError(FuseError, RuntimeError):
    """A plugin raised before the node's function was called. The original exception is `__cause__`."""


class RunCancelledError(FuseError):
    """The run was cancelled before its outputs were there."""
