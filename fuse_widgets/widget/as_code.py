"""Edits as the Python code that does the same."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ..engine.errors import shorten
from ..engine.patterns import shortest_pattern
from .changes import UNSET, canonical, same

__all__ = ["code_of", "name_in_notebook", "raw_literal"]

Edit = tuple[str, str, Any, Any]
#: Characters of a line that the form shows without scrolling.
WIDTH = 44


def code_of(
    edits: Iterable[Edit],
    names: Sequence[str],
    variable: str | None = "wf",
    title: str = "workflow",
    patterns: Iterable[str] = (),
) -> str:
    """Python code that makes edits, one query for each set of nodes.

    Where one change inside of a dict leaves different dicts, or one that holds what is no JSON, a loop makes that change.

    Args:
        edits: Name of a node, key, and its value before and after, or `UNSET`.
        names: All names of the workflow.
        variable: What the workflow is called, as an expression; None where no expression is known, which the code says.
        title: Name of the workflow.
        patterns: Valid patterns that the person has searched with, the newest first; the first one that matches
            exactly the nodes of an edit is used for it, else the shortest that can be found.
    """
    patterns = list(patterns)
    together: dict[tuple[str, str | None], tuple[str, Any, list[str]]] = {}
    loops: dict[tuple[str, str], list[str]] = {}
    for name, key, change, value in _as_whole_or_part(edits):
        if change:
            loops.setdefault((key, change), []).append(name)
            continue
        which = (key, None if value is UNSET else canonical(value))
        together.setdefault(which, (key, value, []))[2].append(name)
    sets: dict[frozenset[str], list[tuple[str, Any]]] = {}
    for key, value, nodes in together.values():
        sets.setdefault(frozenset(nodes), []).append((key, value))

    @cache
    def matched(pattern: str) -> frozenset[str]:
        return frozenset(filter(re.compile(pattern).fullmatch, names))

    blocks = [] if variable else [f"# wf: the workflow {shorten(title)!r}"]

    def query(chosen: frozenset[str]) -> str:
        argument = ""
        if len(chosen) < len(names):
            own = next((pattern for pattern in patterns if matched(pattern) == chosen), None)
            argument = raw_literal(own or _shortest(chosen, names))
        return f"{variable or 'wf'}.query({argument})"

    blocks += [_statement(query(chosen), changes) for chosen, changes in sets.items()]
    for (key, change), nodes in loops.items():
        blocks += [
            f"for node in {query(frozenset(nodes))}:",
            f"    node.backend_info[{_literal(key)}] = {{",
            *(f"        {item}," for item in change.split("\n")),
            "    }",
        ]
    return "\n".join(blocks)


def _as_whole_or_part(edits: Iterable[Edit]) -> list[tuple[str, str, str, Any]]:
    """Name, key, what to change inside of what the key holds ("" for the whole of it), and the whole value."""
    found: list[tuple[str, str, str, Any]] = []
    wholes: dict[tuple[str, str], set[str | None]] = {}
    for name, key, before, after in edits:
        change = ""
        if isinstance(after, dict) and (before is UNSET or before is None or isinstance(before, dict)):
            base = f"(node.backend_info.get({_literal(key)}) or {{}})"
            change = "\n".join(_merged(base, before if isinstance(before, dict) else {}, after))
            wholes.setdefault((key, change), set()).add(canonical(after))
        found.append((name, key, change, after))
    return [
        (name, key, change if change and wholes[key, change] != {canonical(after)} else "", after)
        if change and canonical(after) is not None
        else (name, key, change, after)
        for name, key, change, after in found
    ]


def _merged(base: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The items of a dict display that makes `after` of `before`, which the expression `base` gives."""
    gone = [key for key in before if key not in after]
    if gone:
        kept = f"if key not in {_literal(gone)}"
        items = [f"**{{key: value for key, value in {base}.items() {kept}}}"]
    else:
        items = [f"**{base}"]
    for key, value in after.items():
        old = before.get(key, UNSET)
        if same(old, value):
            continue
        text = _literal(value)
        if canonical(value) is None and isinstance(old, dict) and isinstance(value, dict):
            text = f"{{{', '.join(_merged(f'{base}[{_literal(key)}]', old, value))}}}"
        items.append(f"{_literal(key)}: {text}")
    return items


def _shortest(chosen: frozenset[str], names: Sequence[str]) -> str:
    return shortest_pattern(
        [name for name in names if name in chosen], [name for name in names if name not in chosen]
    )


def _statement(query: str, changes: Sequence[tuple[str, Any]]) -> str:
    """The calls on a query, broken into lines where Black would break them at this width."""
    calls = [("unset_backend_info", _literal(key)) for key, value in changes if value is UNSET]
    calls += [
        ("set_remote_args", _literal(value))
        if key == "remote_args" and isinstance(value, dict)
        else ("set_backend_info", f"{_literal(key)}, {_literal(value)}")
        for key, value in changes
        if value is not UNSET
    ]
    line = query + "".join(f".{method}({arguments})" for method, arguments in calls)
    if len(calls) == 1 and len(line) <= WIDTH:
        return line
    return "\n".join(["(", f"    {query}", *[_call(*call) for call in calls], ")"])


def _call(method: str, arguments: str) -> str:
    line = f"    .{method}({arguments})"
    return line if len(line) <= WIDTH else f"    .{method}(\n        {arguments}\n    )"


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
    if not pattern.isprintable():
        return repr(pattern)
    if '"' not in pattern:
        return f'r"{pattern}"'
    if "'" not in pattern:
        return f"r'{pattern}'"
    return 'r"' + _QUOTE.sub(lambda found: found[1] or r"\x22", pattern) + '"'


#: A double quote, escaped or not; or another escape, which stays as it is.
_QUOTE = re.compile(r'(\\[^"])|\\?"')


def name_in_notebook(workflow: object) -> str | None:
    """What the person calls the workflow: the shortest public name in the notebook that is bound to it.

    Where there is none, an item of a list or dict that has one, as `flows["a"]`; else None.
    """
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    bound: Mapping[str, Any] = dict(getattr(shell, "user_ns", {}))  # a cell may be binding names meanwhile
    public = {
        name: value
        for name, value in bound.items()
        if name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)
    }
    names = [name for name, value in public.items() if value is workflow]
    names = names or [
        f"{name}[{_literal(key)}]"
        for name, value in public.items()
        if name not in _IPYTHON
        for key in _keys_of(value, workflow)
    ]
    return min(names, key=lambda name: (len(name), name), default=None)


#: What IPython keeps of earlier cells.
_IPYTHON = ("In", "Out")


def _keys_of(container: Any, item: object) -> list[str | int]:
    """The keys, texts and whole numbers, that a dict, list or tuple has an item under."""
    if type(container) is dict:
        pairs: Iterable[tuple[Any, Any]] = list(container.items())
    elif type(container) in (list, tuple):
        pairs = enumerate(list(container))
    else:
        return []
    return [key for key, value in pairs if value is item and type(key) in (str, int)]
