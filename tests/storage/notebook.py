"""A notebook in miniature: cells run in a namespace of their own, as a kernel's `__main__` would."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any

from fuse_widgets.engine.nodes import Node, WorkflowFunction, workflow
from fuse_widgets.storage.fingerprint import Fingerprint, FingerprintCache, fingerprint

_count = itertools.count()


def notebook(*cells: str, **names: Any) -> dict[str, Any]:
    """Run cells from the beginning; their file name differs each time, as in a kernel."""
    space: dict[str, Any] = {"__name__": "__main__", **names}
    for cell in cells:
        code = compile(textwrap.dedent(cell), f"<ipython-input-{next(_count)}>", "exec", dont_inherit=True)
        exec(code, space)
    return space


def node_of(func: Any, *args: Any, **kwargs: Any) -> Node:
    """A node that calls `func`, decorated or not."""
    if not hasattr(func, "func") or not isinstance(func, WorkflowFunction):
        func = workflow(func)
    return func(*args, **kwargs)


def fingerprint_all(node: Node, cache: FingerprintCache | None = None) -> Fingerprint:
    """The fingerprint of a node, with those of its ancestors computed first."""
    cache = cache or FingerprintCache()
    digests: dict[Node, str] = {}

    def digest(one: Node) -> Fingerprint:
        for parent in one.parents:
            if parent not in digests:
                digests[parent] = digest(parent).digest
        return fingerprint(one, digests, cache=cache)

    return digest(node)


def difference(before: str, after: str, name: str = "f") -> str | None:
    """Why a result of `f()` in the notebook `before` may not be used in the notebook `after`."""
    old, new = (fingerprint_all(node_of(notebook(cell)[name])) for cell in (before, after))
    return new.difference(Fingerprint.from_json(old.to_json()))
