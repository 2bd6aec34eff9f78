"""Edits as the Python code that does the same."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..engine.patterns import shortest_pattern
from .changes import UNSET, canonical

__all__ = ["code_of", "name_in_notebook", "raw_literal"]

Edit = tuple[str, str, Any]
#: Characters of a line that the form shows without scrolling.
WIDTH = 44


def code_of(edits: Iterable[Edit], names: Sequence[str], variable: str = "wf") -> str:
    """Python code that makes edits, one query for each set of nodes.

    Args:
        edits: Name of a node, key, and its value or `UNSET`.
        names: All names of the workflow.
        variable: What the workflow is called.
    """
    together: dict[tuple[str, str | None], tuple[str, Any, list[str]]] = {}
    for name, key, value in edits:
        which = (key, None if value is UNSET else canonical(value))
        together.setdefault(which, (key, value, []))[2].append(name)
    sets: dict[frozenset[str], list[tuple[str, Any]]] = {}
    for key, value, nodes in together.values():
        sets.setdefault(frozenset(nodes), []).append((key, value))
    blocks = []
    for chosen, changes in sets.items():
        pattern = shortest_pattern(
            [name for name in names if name in chosen], [name for name in names if name not in chosen]
        )
        everything = len(chosen) == len(names)
        query = f"{variable}.query({'' if everything else raw_literal(pattern)})"
        blocks += _statements(query, changes)
    return "\n".join(blocks)


def _statements(query: str, changes: Sequence[tuple[str, Any]]) -> list[str]:
    gone = [key for key, value in changes if value is UNSET]
    arguments = [f"{_literal(key)}, {_literal(value)}" for key, value in changes if value is not UNSET]
    found = []
    if gone:
        pops = [f"    node.backend_info.pop({_literal(key)}, None)" for key in gone]
        found.append("\n".join([f"for node in {query}:", *pops]))
    if arguments:
        found.append(_chain(query, arguments))
    return found


def _chain(query: str, arguments: Sequence[str]) -> str:
    """The calls on a query, broken into lines where Black would break them at this width."""
    line = query + "".join(f".set_backend_info({some})" for some in arguments)
    if len(arguments) == 1 and len(line) <= WIDTH:
        return line
    return "\n".join(["(", f"    {query}", *map(_call, arguments), ")"])


def _call(arguments: str) -> str:
    line = f"    .set_backend_info({arguments})"
    return line if len(line) <= WIDTH else f"    .set_backend_info(\n        {arguments}\n    )"


def _literal(value: Any) -> str:
    """A JSON value as Python, its texts in double quotes unless these would have to be escaped."""
    if isinstance(value, str):
        text = repr(value)
        return text if '"' in value else f'"{text[1:-1]}"'
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def raw_literal(pattern: str) -> str:
    """A regular expression as a raw string; a quote in it that would end the string is written as `\\x22`."""
    if '"' not in pattern:
        return f'r"{pattern}"'
    if "'" not in pattern:
        return f"r'{pattern}'"
    return 'r"' + pattern.replace('"', r"\x22") + '"'


def name_in_notebook(workflow: object) -> str:
    """What the person calls the workflow: the shortest public name in the notebook that is bound to it, else `wf`."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    bound: Mapping[str, Any] = dict(getattr(shell, "user_ns", {}))  # a cell may be binding names meanwhile
    names = [
        name
        for name, value in bound.items()
        if value is workflow
        and name.isidentifier()
        and not name.startswith("_")
        and not keyword.iskeyword(name)
    ]
    return min(names, key=lambda name: (len(name), name), default="wf")
