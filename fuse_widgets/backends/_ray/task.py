"""What runs on a Ray worker: one node, and the object of a class node.

A task returns its value and a report, and never raises what a node raised: whoever takes the result of a node that
failed, or was taken back before it began, gets a `Lost` in its place, and passes it on without running.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import ray

from ...engine.errors import FuseError, PluginError, WorkerCrashedError, message_of, shorten
from ...engine.nodes import LEAVES, checked
from ...storage.input_file import InputFileError, check_files
from .._inputs import Again, Compared, refusal
from .._pickling import dumps, portable
from .._stand_in import stand_in
from .._worker import own_traceback
from . import usage
from ._compat import keep_file_names, tries_before
from .deaths import why_lost
from .gate import gate
from .interrupts import interrupts
from .live import Current, Printed, Who, reporter, who
from .pack import Code, load_code, unpack
from .wire import from_wire, read, written

__all__ = ["Lost", "ObjectActor", "Report", "Save", "Spec", "save_result", "work"]


class Lost:
    """Stands for the result of a node that has none, because the node at `root` failed; None: one was taken back.

    Attributes:
        root: The place of that node.
        error: Why it failed, pickled: the driver has it, unless Ray ran the node again for a result that was lost.
    """

    def __init__(self, root: int | None, error: bytes | None = None) -> None:
        self.root, self.error = root, error

    def __reduce__(self) -> tuple[Any, ...]:
        return Lost, (self.root, self.error)


class Save(NamedTuple):
    """Where a result is saved: the arguments of `Storage.save`."""

    storage: Code
    workflow: str
    task: str
    fingerprint: Any


class Spec(NamedTuple):
    """One submission of a node.

    Attributes:
        collector, run: Whom to tell, and of which run.
        place, turn, name: Which node, and the how-many-eth submission of it.
        epoch: How often the run had been held back (paused or cancelled) when this was handed in: if it was since, the node
            does not begin. None: it begins in any case.
        code: Its function; None for a method, whose name is in `more`.
        template, sources: See `pack.unpack`.
        more: What few nodes have: `initialize` (Code), `modules` (Codes), `retries`, `times` (how often Ray tries again), `raises` (after
            which exceptions it does), `method`, `follows` (the place of the call to the object before it), `save`,
            `files` (digests of those it reads, by path).
    """

    collector: str
    run: str
    place: int
    turn: int
    name: str
    epoch: int | None
    code: Code | None
    template: bytes | None
    sources: int
    more: dict[str, Any]


class Report(NamedTuple):
    """How a submission of a node ended.

    Attributes:
        state: `"done"`, `"failed"`, `"skipped"`, `"cancelled"`, or `"recalled"`: it did not begin.
        attempt: Which attempt it was, by Ray's count.
        who, began, seconds, peak, cpu: The worker, seconds since the epoch there, the node's duration, bytes of
            memory at most, and CPU seconds of the process.
        printed, written: The last of what the node printed, and how much it was in all.
        lost: Why the attempt before this one came to no end; empty where there was none.
        missed: `(began, seconds, error)` of attempts that failed before, in the same task.
        error: Pickled, where it failed, or the one at `root` did.
        root: The place of the node that failed first, for one that was skipped.
        saved: What storage said, for the event.
        called: Whether the node's function was called.
        changed: Which of its inputs it changed in place, in words.
    """

    state: str
    attempt: int = 1
    who: Who = Who("", 0, "")
    began: float = 0.0
    seconds: float = 0.0
    peak: int = 0
    cpu: float = 0.0
    printed: str = ""
    written: int = 0
    lost: str = ""
    missed: tuple[tuple[float, float, bytes], ...] = ()
    error: bytes | None = None
    root: int | None = None
    saved: dict[str, Any] | None = None
    called: bool = False
    changed: tuple[str, ...] = ()

    def written_down(self) -> bytes:
        """For the driver."""
        return written((tuple(self.who), *self[:2], *self[3:]))

    @classmethod
    def read(cls, content: bytes) -> Report:
        """What `written_down` wrote."""
        who, state, attempt, *rest = read(content)
        return cls(state, attempt, Who._make(who), *rest)


keep_file_names()
#: How often Ray tries a task again, unless `max_retries` says otherwise.
RETRIES = 3


@ray.remote(num_returns=2)
def work(spec: bytes, *inputs: Any) -> tuple[Any, bytes]:
    """Run a function node."""
    return perform(Spec._make(from_wire(spec)), inputs, None)


@ray.remote
class ObjectActor:
    """Keeps the object of a class node. Its methods come in the order in which the driver calls them."""

    def __init__(self) -> None:
        self._object: Any = None
        self._lost: Lost | None = None
        self._last: int | None = None  # the place of the node that was called last

    def call(self, spec: bytes, *inputs: Any) -> tuple[Any, bytes]:
        """Run the constructor, or a method on the object; none after one that failed, or before its turn."""
        node = Spec._make(from_wire(spec))
        if self._lost is not None:
            return _without(self._lost)
        if node.more["follows"] != self._last:  # what comes before it was taken back
            return _without(Lost(None))
        method = node.more.get("method")
        value, report = perform(node, inputs, None if method is None else self._bound(method))
        if isinstance(value, Lost) and value.root is None:
            return value, report
        self._last = node.place
        if isinstance(value, Lost):
            self._lost = value
        elif method is None:
            self._object, value = value, None
        return value, report

    def _bound(self, method: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(self._object, method)(*args, **kwargs)

        call._fuse_method = getattr(type(self._object), method, None)  # type: ignore[attr-defined]
        return call

    def leave(self) -> None:
        """There will be no further call."""
        stop_listening()

    def peek(self) -> Any:
        """The object, also after a method failed."""
        return self._object

    def snapshot(self, follows: int) -> Any:
        """The object as the call of the node at `follows` has left it."""
        if self._lost is not None:
            return self._lost
        return self._object if follows == self._last else Lost(None)


def stop_listening() -> None:
    """Let this process end: a function, since Ray pickles what a method of an actor refers to, unless it has a name."""
    gate.leave()


def _without(lost: Lost) -> tuple[Lost, bytes]:
    """What comes of a node that does not run."""
    state = "recalled" if lost.root is None else "skipped"
    report = Report(state, root=lost.root, error=lost.error)
    return lost, report.written_down()


def perform(node: Spec, inputs: tuple[Any, ...], call: Callable[..., Any] | None) -> tuple[Any, bytes]:
    """Run a node and report.

    Args:
        node: What to run.
        inputs: The resolved values.
        call: What to call, where it is not the function that came along.
    """
    for value in inputs[: node.sources]:
        if type(value) is Lost:
            return _without(value)
    attempt = tries_before() + 1
    # A later attempt goes on with what had begun, or makes a result anew for whoever waits for it.
    if node.epoch is not None and attempt == 1 and gate.refuses(node.collector, node.run, node.epoch):
        return _without(Lost(None))
    lost = why_lost(node.name) if attempt > 1 else ""
    refused = _refused(node, attempt, lost)
    printed, output = Printed.next(), stand_in(sys.stdout)
    current = Current(node.collector, node.run, node.place, node.turn, attempt, time.time(), printed, lost)
    stdout, stderr = sys.stdout, sys.stderr
    state, failure, saved = "done", None, None
    missed: list[tuple[float, float, bytes]] = []
    changed: tuple[str, ...] = ()
    again = Again(inputs) if node.more.get("retries") else None
    with interrupts:
        output.node, sys.stdout, sys.stderr = printed, output, output  # type: ignore[assignment]
        reporter.begin(current)
        if lost:  # if it has as little time as the one before, this is all that is heard of it
            reporter.running(current)
        before = usage.begin()
        try:
            while True:
                began, start = time.time(), time.perf_counter()
                called, value, error, changed = (
                    _once(node, inputs, call) if refused is None else (False, None, refused, ())
                )
                seconds = time.perf_counter() - start
                if (
                    error is None
                    or error is refused
                    or interrupts.stopping
                    or len(missed) >= node.more.get("retries", 0)
                ):
                    break
                assert again is not None
                given = again.inputs()
                if given is None:  # the node changed what it was given, and it cannot be had again
                    break
                inputs = given
                missed.append((began, seconds, _pickled(error)))
            if error is None:
                saved = _save(node, inputs, value, seconds)
            elif interrupts.stopping and isinstance(error, KeyboardInterrupt):
                state, value = "cancelled", Lost(node.place)
            else:
                if _will_be_tried_again(node, attempt, error):
                    reporter.missed(current, (seconds, _pickled(error)))
                    raise error
                state, failure = "failed", _pickled(error)
                value = Lost(node.place, failure)
        finally:
            sys.stdout, sys.stderr, output.node = stdout, stderr, None
            reporter.end()
    cpu, peak = usage.used(before)
    text, written = printed.tail.since(0) if printed.tail.written else ("", 0)
    report = Report(
        state, attempt, who(), began, seconds, peak, cpu, text, written,
        lost, tuple(missed), failure, None, saved, called, changed,
    )  # fmt: skip
    return value, report.written_down()


def _once(
    node: Spec, inputs: tuple[Any, ...], call: Callable[..., Any] | None
) -> tuple[bool, Any, BaseException | None, tuple[str, ...]]:
    """Whether the function was called, what it returned, what was raised, and which inputs it changed in place."""
    called, compared = False, None
    try:
        for modules in node.more.get("modules", ()):
            _load(modules, inputs, "its function")
        if call is None:
            assert node.code is not None
            call = _load(node.code, inputs, "its function")
        try:
            args, kwargs = unpack(node.template, inputs, node.sources)
        except ImportError as error:
            raise _module_missing("an argument", error) from error
        if "initialize" in node.more:
            _initialize(node.more["initialize"], inputs)
        files = node.more.get("files")
        if files:
            _check_files(files, "after the run began")
        mode, names = node.more.get("check", ("", ()))
        compared = Compared(
            _function_of(call), _to_compare(names, args, kwargs) if mode else (), off=mode == "off"
        )
        called = True
        with compared:
            value = call(*args, **kwargs)
        if mode == "raise" and compared.changed:
            raise refusal(node.name, compared.changed)
        if type(value) not in LEAVES:
            value = checked(call, value)
        if files:
            _check_files(files, "while the node ran")
    except BaseException as error:
        return called, None, own_traceback(error), ()
    return called, value, None, compared.changed


def _function_of(call: Callable[..., Any]) -> Any:
    """The function whose defaults stay as they are."""
    return getattr(call, "_fuse_method", call)


def _to_compare(
    names: tuple[tuple[Any, str], ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[str, Any]]:
    """The arguments that are the result of one node or hold none, by what a person calls them."""
    return [(what, args[place] if isinstance(place, int) else kwargs[place]) for place, what in names]


def _load(code: Code, inputs: tuple[Any, ...], what: str) -> Any:
    try:
        return load_code(Code._make(code), inputs)
    except ImportError as error:
        raise _module_missing(what, error) from error


def _module_missing(what: str, error: ImportError) -> FuseError:
    return FuseError(
        f"{what} cannot be loaded on machine {who().host}: {message_of(error)}. Install the module there, or send "
        "it along: ray_init_args={'runtime_env': {'working_dir': '.'}}, or 'py_modules' or 'pip' in its place"
    )


def _check_files(files: dict[str, str], when: str) -> None:
    try:
        check_files(files, when)
    except InputFileError as error:
        raise InputFileError(f"{message_of(error)} (on machine {who().host})") from None


def _initialize(code: Code, inputs: tuple[Any, ...]) -> None:
    try:
        _load(code, inputs, "its plugin")()
    except PluginError as error:
        error.args = (f"{message_of(error)} (on machine {who().host})", *error.args[1:])
        raise


def _pickled(error: BaseException) -> bytes:
    return dumps(portable(error))


def _will_be_tried_again(node: Spec, attempt: int, error: BaseException) -> bool:
    """Whether Ray runs the task anew where this error is raised."""
    if "raises" not in node.more or not isinstance(error, Exception) or interrupts.stopping:
        return False
    which, times = node.more["raises"], node.more.get("times", RETRIES)
    kinds = (Exception,) if which is True else tuple(pickle.loads(which))
    return isinstance(error, kinds) and bool(times < 0 or attempt <= times)


def _refused(node: Spec, attempt: int, lost: str) -> WorkerCrashedError | None:
    """Ray tries more often than `max_retries` says, for ever, where memory runs out: then this is the error instead."""
    if 0 <= node.more.get("times", RETRIES) < attempt - 1:
        return WorkerCrashedError(
            f"{lost} (tried {attempt - 1} times; remote_args['max_retries'] says how often)"
        )
    return None


# --- storage -------------------------------------------------------------------------------------------------


def _save(node: Spec, inputs: tuple[Any, ...], value: Any, seconds: float) -> dict[str, Any] | None:
    """Save a result from here; None where it is not saved, or by another task."""
    if "save" not in node.more:
        return None
    return _saved(Save._make(node.more["save"]), inputs, value, seconds)


def _saved(save: Save, inputs: tuple[Any, ...], value: Any, seconds: float) -> dict[str, Any]:
    try:
        storage = _load(save.storage, inputs, "the storage")
        storage.save(save.workflow, save.task, value, fingerprint=save.fingerprint, meta={"seconds": seconds})
    except Exception as error:
        text = message_of(error)
        return {"saved": False, "why_not_saved": shorten(f"{text} (on machine {who().host})", 400)}
    return {"saved": True}


@ray.remote
def save_result(save: bytes, value: Any, report: bytes) -> dict[str, Any] | None:
    """Save a result on the machine that storage is on; the value comes there from the worker that made it."""
    how = Report.read(report)
    if how.state != "done":
        return None
    if isinstance(value, Lost):
        return {
            "saved": False,
            "why_not_saved": "the result was lost before it was saved, and could not be made again",
        }
    return _saved(Save._make(from_wire(save)), (), value, how.seconds)
