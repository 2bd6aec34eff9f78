"""Edits of `backend_info` from the browser, with undo and redo, and as Python code. Called on the bridge thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..engine import _node
from ..engine.errors import BackendInfoError, FuseError, shorten
from ..engine.nodes import Node
from ..engine.run import Run
from ..engine.workflow import BaseWorkflow
from . import live
from .as_code import code_of, name_in_notebook
from .bridge import bridge
from .changes import UNSET, Ledger, Path, Step, change_of, put, same, take, value_of, with_value
from .commands import ANSWERED, CommandError
from .edit_words import (
    agree,
    as_json,
    clear,
    clear_code,
    counts_from,
    in_words,
    label,
    lost,
    shown,
    unfit,
    where,
)

if TYPE_CHECKING:
    from .dag import DAGWidget

__all__ = ["Editing", "schema_of"]

log = logging.getLogger("fuse_widgets")
#: How many steps can be taken back, of how many graphs the names are kept, and how many patterns of searches.
STEPS, GRAPHS, QUERIES = 200, 8, 20
#: How deep in `backend_info` the object may be in which keys are set.
DEEPEST = 12


def schema_of(workflow: BaseWorkflow) -> dict[str, Any]:
    """The JSON schema of what a workflow's backend understands in `backend_info`, and its name; {} where it does not say."""
    make = getattr(workflow.backend_info_model, "model_json_schema", None)
    if make is None:
        return {}
    try:
        return {**make(), "x-fuse-backend": type(workflow).__name__}
    except Exception as error:  # a type that JSON has no schema for; raw JSON can still be edited
        log.warning("%s has no form: %s: %s", type(workflow).__name__, type(error).__name__, error)
        return {}


class EditError(CommandError):
    """An edit that was refused.

    Args:
        text: For the person.
        errors: What is wrong, by field; "" for the whole.
    """

    def __init__(self, text: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.errors = dict(errors or {"": text})


class _Request(NamedTuple):
    """What an `edit` asks for."""

    nodes: list[Node]
    #: By path; `UNSET` takes it away.
    values: dict[Path, Any]
    was: dict[Path, Any]


class Editing:
    """Changes `backend_info` as a person asks for it, and remembers what it was.

    Args:
        widget: The widget in which it is edited.
    """

    def __init__(self, widget: DAGWidget) -> None:
        self._widget = widget
        self._undo: deque[Step] = deque(maxlen=STEPS)
        self._redo: list[Step] = []
        self._ledger = Ledger()
        self._answer: dict[str, Any] | None = None
        self._counts_from = ""
        self._run: Run | None = None  # under way when the newest edit was made
        self._queries: deque[str] = deque(maxlen=QUERIES)  # that edits were made with
        self._names: dict[int, Sequence[str]] = {}  # by version of the graph
        self._edition: object = None
        self._published = self._stale = False
        self._answered = False  # with an answer that has not gone out
        self.look_again()

    def look_again(self) -> None:
        """The graph may be another, or `backend_info` may have been changed in Python."""
        version = self._widget._graph["version"]
        if version not in self._names:
            self._names[version] = self._widget.graph.names
            for old in list(self._names)[:-GRAPHS]:
                del self._names[old]
            self._stale = self._published
        if not self._published:
            return
        try:
            members = set(self._widget.workflow.find_nodes())
        except FuseError:  # such as two nodes of one name; the widget says that already
            return
        if self._edition is not _node.edition:
            self._edition = _node.edition
            self._undo = deque(_within(self._undo, members), STEPS)
            self._redo = _within(self._redo, members)
            self._stale = True
        if self._ledger.look_again(members):
            self._stale = True

    def publish(self) -> None:
        """Set `_edits` where it has changed; called at most 30 times a second."""
        if self._run is not None and self._run.state.finished:
            self._run, self._counts_from, self._stale = None, "", True
        if not self._stale:
            return
        self._published, self._stale, self._answered = True, False, False
        index = self._widget.graph.index
        changed = sorted(index[node.name] for node in self._ledger.nodes if node.name in index)
        self._widget._edits = {
            "version": self._widget._graph["version"],
            "undo": label(self._undo[-1]) if self._undo else "",
            "redo": label(self._redo[-1]) if self._redo else "",
            "counts_from": self._counts_from,
            "answer": self._answer,
            "changed": np.array(changed, "<u4").tobytes(),
        }

    # --- commands ------------------------------------------------------------------------------------------

    def edit(self, args: dict[str, Any]) -> object:
        """Set and unset keys of some nodes, all or none; the answer goes out with `_edits`."""
        return self._answering(args, lambda: self._edit(self._request(args)))

    def undo(self, args: dict[str, Any]) -> object:
        """Take the newest edit back, on the nodes that are still as it left them."""
        return self._answering(args, lambda: self._take(back=True))

    def redo(self, args: dict[str, Any]) -> object:
        """Do again what was undone last."""
        return self._answering(args, lambda: self._take(back=False))

    def code(self, _args: dict[str, Any]) -> Future[dict[str, Any]]:
        """All edits that hold, as Python code: `{"code": text}`; worked out on a thread of its own."""
        self.look_again()
        edits = [(node.name, key, before, after) for node, key, before, after in self._ledger]
        if not edits:
            raise CommandError(
                "there is nothing to copy: backend_info is as it was before it was edited here"
            )
        names = [node.name for node in self._widget.workflow.find_nodes()]
        workflow = self._widget.workflow
        variable, title = name_in_notebook(workflow), workflow.workflow_name
        patterns = list(filter(None, dict.fromkeys([self._query(), *reversed(self._queries)])))
        answer: Future[dict[str, Any]] = Future()

        def work() -> None:
            try:
                answer.set_result({"code": clear_code(code_of(edits, names, variable, title, patterns))})
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=work, name="fuse code", daemon=True).start()
        return answer

    def _query(self) -> str:
        """The pattern in force, "" where there is none or it is broken; it was tried, so that it takes no long time."""
        found = self._widget._matches
        query = self._widget.query
        return query if found.get("query") == query and not found.get("error") else ""

    def _answering(self, args: dict[str, Any], do: Callable[[], str]) -> object:
        if self._answered:
            self._widget.flush()  # there is room for one answer: the one before goes out first
        errors: dict[str, str] = {}
        try:
            text = do()
        except BackendInfoError as error:
            text, errors = str(error), error.reasons
        except EditError as error:
            text, errors = str(error), error.errors
        except FuseError as error:
            text = str(error)
            errors = {"": text}
        except Exception as error:
            log.exception("an edit could not be made")
            text = f"{type(error).__name__}: {error}"
            errors = {"": text}
        self._answer = {
            "id": str(args.get("id", "")),
            "ok": not errors,
            "text": clear(text),
            "errors": {clear(name): clear(reason) for name, reason in errors.items()},
        }
        self._stale = self._answered = True
        self._widget.inspection.selected()
        return ANSWERED

    # --- reading a message ---------------------------------------------------------------------------------

    def _request(self, args: dict[str, Any]) -> _Request:
        to_set, unset, was = args.get("set") or {}, args.get("unset") or [], args.get("was") or {}
        if not isinstance(to_set, dict):
            raise EditError(f'backend_info is an object such as {{"retries": 2}}, not {as_json(to_set)}')
        if not isinstance(unset, list) or not all(isinstance(key, str) for key in unset):
            raise EditError(f"what to unset is a list of keys, not {as_json(unset)}")
        if not isinstance(was, dict):
            raise EditError(f"what the form showed is an object, not {as_json(was)}")
        at = args.get("at") or []
        if not isinstance(at, list) or not all(isinstance(key, str) for key in at) or len(at) > DEEPEST:
            raise EditError(f"where to set it is a list of up to {DEEPEST} keys, not {as_json(at)}")
        values: dict[Path, Any] = {}
        for key, value in (*to_set.items(), *((key, UNSET) for key in unset)):
            path = (*at, key)
            if path in values and key in to_set:
                raise EditError(
                    f"{'.'.join(path)!r} cannot be set and unset at once",
                    {".".join(path): "set and unset at once"},
                )
            values[path] = value
        wrong = {
            path: reason for path, value in values.items() if value is not UNSET and (reason := unfit(value))
        }
        if wrong:
            raise _at(wrong, ": ")
        if not values:
            raise EditError("there is nothing to set or unset")
        return _Request(self._nodes(args), values, {(*at, key): value for key, value in was.items()})

    def _nodes(self, args: dict[str, Any]) -> list[Node]:
        version, places = args.get("version"), args.get("nodes")
        names = self._names.get(version) if isinstance(version, int) else None
        if names is None:
            raise EditError("the graph has changed since: select the nodes again")
        if not isinstance(places, list) or not places:
            raise EditError("no node is selected")
        for place in places:
            if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(names):
                raise EditError(f"there is no node {as_json(place)} in this graph of {len(names)} nodes")
        found = {node.name: node for node in self._widget.workflow.find_nodes()}
        wanted = dict.fromkeys(names[place] for place in places)
        gone = [name for name in wanted if name not in found]
        if gone:
            raise EditError(
                f"node {shorten(gone[0])!r} is no longer part of the workflow: select the nodes again"
            )
        return [found[name] for name in wanted]

    # --- doing it ------------------------------------------------------------------------------------------

    def _edit(self, request: _Request) -> str:
        nodes, values = request.nodes, request.values
        self._check_meanwhile(request)
        for node in nodes:
            self._check(node, values)
        changes, wholes = [], []
        for node in nodes:
            for path, value in values.items():
                before = value_of(node, path)
                if not same(before, value):
                    change = change_of(node, path, before, value)
                    changes.append(change)
                    wholes.append(put(node, change.path, change.after))
        if not changes:
            return "nothing has changed: it was like this already"
        self._undo.append(changes)
        self._redo.clear()
        query = self._query()
        if query and query not in self._queries:
            self._queries.append(query)
        self._done(changes, wholes)
        return f"{label(changes)}{self._not_understood(values)}"

    def _take(self, *, back: bool) -> str:
        self.look_again()
        steps = self._undo if back else self._redo
        if not steps:
            raise EditError(f"there is nothing to {'undo' if back else 'redo'}")
        step = steps.pop()
        done, left, wholes = take(step, back=back)
        since = (
            "was changed since and is left as it is"
            if len(left) == 1
            else "were changed since and are left as they are"
        )
        since = f"{where(left)} {since}" if left else ""
        if not done:
            raise EditError(f"{label(step)}: nothing to {'undo' if back else 'redo'}, {since}")
        (self._redo if back else self._undo).append(done)
        self._done(done, wholes)
        return f"{'undone' if back else 'done again'}: {label(done)}{f'; {since}' if left else ''}"

    def _done(self, changes: Step, wholes: Step) -> None:
        self._ledger.note(wholes)
        self._run = self._widget.workflow.active_run
        nodes = list(dict.fromkeys(change.node for change in changes))
        self._counts_from = "" if self._run is None else counts_from(self._run, nodes)
        for other in live.widgets(self._widget.workflow):
            if other is not self._widget:
                bridge.post(other, other.look_again)

    def _check(self, node: Node, values: Mapping[Path, Any]) -> None:
        if not isinstance(node.backend_info, dict):
            raise EditError(
                f"node {shorten(node.name)!r}: backend_info is a {type(node.backend_info).__name__}, no dict"
            )
        gone = {path: reason for path, value in values.items() if (reason := lost(node, path, value))}
        if gone:
            raise _at(gone, ": ")
        info: Any = node.backend_info
        for path, value in values.items():
            info = with_value(info, path, value)
        self._widget.workflow.check_whole_info(node.name, {} if info is UNSET else info)

    def _check_meanwhile(self, request: _Request) -> None:
        """Refuse where the form showed something else than there is: another person, or Python, was quicker."""
        errors = {}
        for path in request.values:
            if path not in request.was:
                continue
            form = request.was[path]
            present = {shown(value_of(node, path)): value_of(node, path) for node in request.nodes}
            if not agree(form, present):
                now = "several values" if len(present) > 1 else in_words(next(iter(present.values())))
                errors[path] = (
                    f"changed meanwhile from {in_words(form)} to {now}; enter it again to overwrite"
                )
        if errors:
            raise _at(errors, " was ")

    def _not_understood(self, values: Mapping[Path, Any]) -> str:
        fields = self._widget._schema.get("properties")
        unknown = [
            path[0]
            for path, value in values.items()
            if fields and path[0] not in fields and value is not UNSET
        ]
        if not unknown:
            return ""
        backend = type(self._widget.workflow).__name__
        which = ", ".join(shorten(repr(key), 40) for key in unknown[:3]) + (", …" if len(unknown) > 3 else "")
        return f"; {which} is kept, and changes nothing: {backend} does not understand it"


def _at(reasons: Mapping[Path, str], separator: str) -> EditError:
    """What is wrong, each at its field, and the first of it in a sentence."""
    errors = {".".join(path): reason for path, reason in reasons.items()}
    field, reason = next(iter(errors.items()))
    return EditError(f"{shorten(field)}{separator}{reason}", errors)


def _within(steps: Iterable[Step], members: Container[Node]) -> list[Step]:
    """Steps without the nodes that are gone."""
    parts = ([change for change in step if change.node in members] for step in steps)
    return [part for part in parts if part]
