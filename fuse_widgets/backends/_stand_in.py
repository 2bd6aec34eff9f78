"""What stands in for `sys.stdout` and `sys.stderr` in a worker process while a node runs."""

from __future__ import annotations

from typing import Any

__all__ = ["StandIn", "stand_in"]


class StandIn:
    """Passes on what is printed to the node that runs now, and between nodes to the stream that it stands in for.

    There is one for each stream, as long as the process lives: whoever keeps `sys.stdout`, as a handler of `logging` does,
    prints for the node that runs then. Bytes that go to `buffer` pass by the node, to the stream.

    Args:
        stream: What it stands in for.

    Attributes:
        node: Has `write`; None between nodes.
    """

    def __init__(self, stream: Any) -> None:
        self.stream, self.node = stream, None

    def write(self, text: str) -> int:
        node: Any = self.node
        (self.stream if node is None else node).write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self.node is None:
            self.stream.flush()

    def isatty(self) -> bool:
        return False

    def close(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_latest: StandIn | None = None


def stand_in(stream: Any) -> StandIn:
    """What stands in for a stream: the same one each time, unless the process has another stream since."""
    global _latest
    if isinstance(stream, StandIn):
        return stream
    if _latest is None or _latest.stream is not stream:
        _latest = StandIn(stream)
    return _latest
