"""What a person reads about edits of `backend_info`, and what a form shows of a value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..engine.errors import shorten
from ..engine.nodes import Node
from ..engine.run import Run
from ..engine.states import NodeState
from ..view.graph import displayable
from .changes import PLAIN, UNSET, Path, Step, canonical, value_of

__all__ = [
    "agree",
    "as_json",
    "clear",
    "clear_code",
    "counts_from",
    "in_words",
    "label",
    "lost",
    "shown",
    "unfit",
    "where",
]

#: The largest value in bytes as JSON, and how many different values a form shows of a key in which nodes differ.
LARGEST, MIXED = 256 * 1024, 5
_OPEN = (NodeState.PENDING, NodeState.PAUSED)


def clear_code(code: str) -> str:
    """Code as it may travel as JSON: a lone surrogate in a name was escaped, and one in a value is by `repr`."""
    return code.encode("utf-8", "backslashreplace").decode()


def clear(text: str) -> str:
    """A text as it may travel."""
    return displayable(shorten(text, 2000))


def as_json(value: Any) -> str:
    """A value as a person would write it, shortened."""
    try:
        return shorten(json.dumps(value, ensure_ascii=False), 40)
    except (TypeError, ValueError, RecursionError):
        return shorten(repr(value), 40)


def unfit(value: Any) -> str:
    """Why a value cannot be entered, "" where it can."""
    text = canonical(value)
    if text is None:
        return "this is no JSON value that can be kept: it is nested too deeply, or holds a number that is not finite"
    size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > LARGEST:
        return f"{size / 1024:,.0f} kB are too much to be entered here; up to {LARGEST // 1024} kB can be"
    return ""


def lost(node: Node, path: Path, value: Any) -> str:
    """Why an edit would lose a value that cannot be entered again, "" where it would not."""
    for length in range(1, len(path)):
        outer = value_of(node, path[:length])
        if outer is not UNSET and outer is not None and not isinstance(outer, dict):
            which = ".".join(path[:length])
            return f"{which} of node {shorten(node.name, 40)!r} is a {type(outer).__name__}, no dict: set it in Python"
    present = value_of(node, path)
    if value is UNSET or present is UNSET or isinstance(present, PLAIN) or canonical(present) is not None:
        return ""
    what = "holds" if isinstance(present, list | dict | tuple) else "is"
    return f"it {what} what is no JSON in node {shorten(node.name, 40)!r} and would be lost: set it in Python"


def shown(value: Any) -> str:
    """What a form shows of a value, to compare; None is shown as what is not set, and what is no JSON as itself."""
    return "null" if value is UNSET else canonical(value) or _NO_JSON


_NO_JSON = "$repr"


def agree(form: Any, present: Mapping[str, Any]) -> bool:
    """Whether a form that shows this shows what there is."""
    if _NO_JSON in present or (isinstance(form, dict) and _NO_JSON in form):
        return True  # what is no JSON is shown as a text, which cannot be compared
    if len(present) == 1 and shown(form) in present:
        return True
    mixed = form.get("mixed") if isinstance(form, dict) else None
    if not isinstance(mixed, list):
        return False
    texts = {shown(value) for value in mixed}
    return texts <= set(present) and (len(texts) == len(present) or len(texts) >= MIXED)


def in_words(value: Any) -> str:
    """What a form shows, within a sentence."""
    if isinstance(value, dict) and set(value) == {"mixed"}:
        return "several values"
    return "“not set”" if value is UNSET or value is None else as_json(value)


def where(nodes: Sequence[Node]) -> str:
    """The name of the node, or how many there are."""
    return shorten(repr(nodes[0].name), 40) if len(nodes) == 1 else f"{len(nodes):,} nodes"


def label(step: Step) -> str:
    """What a step does: "retries = 3 on 4 nodes"."""
    keys = list(dict.fromkeys(".".join(change.path) for change in step))
    nodes = where(list(dict.fromkeys(change.node for change in step)))
    if len(keys) > 1:
        some = ", ".join(shorten(key, 40) for key in keys[:3])
        return f"{some}{', …' if len(keys) > 3 else ''} on {nodes}"
    after = step[0].after
    key = shorten(keys[0], 40)
    return f"{key} unset on {nodes}" if after is UNSET else f"{key} = {as_json(after)} on {nodes}"


def counts_from(run: Run, nodes: Sequence[Node]) -> str:
    """From which node on an edit counts in a run that is under way."""
    states = run.states
    not_begun = [node for node in nodes if node in run and states.get(node.name) in _OPEN]
    begun = len(nodes) - len(not_begun)
    if not not_begun:
        which = where(nodes) if begun == 1 else f"all {begun:,} nodes"
        if all(states.get(node.name) is NodeState.QUEUED for node in nodes):
            return f"counts from the next run on: {which} {'is' if begun == 1 else 'are'} queued already"
        return f"counts from the next run on: {which} {'has' if begun == 1 else 'have'} begun"
    if len(not_begun) == 1:
        here = f"counts in this run for {where(not_begun)}, which has not begun"
    else:
        here = f"counts in this run for {len(not_begun):,} nodes that have not begun"
    if not begun:
        return here
    return f"{here}; {begun:,} {'has begun and keeps its' if begun == 1 else 'have begun and keep theirs'} until the next run"
