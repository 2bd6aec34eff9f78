"""What is told of nodes: previews that call nothing foreign, code, failures, settings, printed text."""

from __future__ import annotations

import json
import textwrap
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuse_widgets import FileStorage, LocalWorkflow, NodeExecutionError, RunEvent, workflow
from fuse_widgets.engine.nodes import Node
from fuse_widgets.engine.output import Display, Tail
from fuse_widgets.engine.states import NodeState
from fuse_widgets.view._bundle import form_of_display
from fuse_widgets.view._failure import frames
from fuse_widgets.view._preview import facts_of, preview
from fuse_widgets.view._text import plain
from fuse_widgets.view.details import attempts_of, node_details, selection_key
from fuse_widgets.view.printed import printed
from fuse_widgets.view.settings import settings_of, shown


class Hostile:
    """Notes whatever is called of it."""

    called: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> Any:
        Hostile.called.append(name)
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        Hostile.called.append("repr")
        return "hostile"

    def __eq__(self, other: object) -> bool:
        Hostile.called.append("==")
        return self is other

    __hash__ = None  # type: ignore[assignment]


class HostileList(list[Any]):
    def __iter__(self) -> Any:
        Hostile.called.append("iter")
        return super().__iter__()

    def __repr__(self) -> str:
        Hostile.called.append("repr")
        return "hostile"


def uncalled(tell: Callable[..., Any], *args: Any) -> Any:
    """What `tell` gives, which must not have called anything of a hostile value."""
    Hostile.called.clear()
    told = tell(*args)
    assert Hostile.called == []
    return told


class Colour(Enum):
    RED = 1


@dataclass
class Options:
    rate: float
    deep: Any = None


@workflow
def add(a: int, b: int = 1, *rest: Any, **options: Any) -> int:
    """Add.

    Both.
    """
    return a + b


@workflow
class Model:
    """Learns."""

    def __init__(self, size: int = 3) -> None:
        self.size = size

    def fit(self, data: Any, *, rate: float = 0.5) -> Any:
        """Fit it."""
        return data

    @staticmethod
    def version(plain: int) -> int:
        return plain


def details(node: Node, wf: LocalWorkflow, *, storage: bool = False) -> dict[str, Any]:
    index = {name: place for place, (name, _) in enumerate(wf.graph_traversal())}
    run = wf.last_run
    events = [] if run is None else run.events.of(node.name)
    return node_details(node, index, run, events, storage=storage)


# --- previews --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (True, "True"),
        (None, "None"),
        (1.5, "1.5"),
        ("a'b", '"a\'b"'),
        (b"x", "b'x'"),
        ([1, [2, (3,)]], "[1, [2, (3,)]]"),
        ({"a": {1}}, "{'a': {1}}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, … 92 more]"),
        ([[[[[[1]]]]]], "[[[[[…]]]]]"),
        (10**1000, "<int of 3,322 bits>"),
        (Path("/a/b"), "PosixPath('/a/b')"),
        (Colour.RED, "Colour.RED"),
        (Options(0.5, [1]), "Options(rate=0.5, deep=[1])"),
        (int, "<class int>"),
        (len, "<function len>"),
        (json, "<module json>"),
        (np.zeros((1000, 3)), "<ndarray 1000 x 3, float64>"),
        (np.float64(2.5), repr(np.float64(2.5))),
        (Hostile(), "<Hostile>"),
        ([Hostile()], "[<Hostile>]"),
        (HostileList([1]), "<HostileList>"),
        (Options(0.5, Hostile()), "Options(rate=0.5, deep=<Hostile>)"),
        ("a\x1b[31mred\x00\ud800", "'a\\x1b[31mred\\x00\\ud800'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_preview_is_short_and_calls_nothing_foreign(value: Any, text: str) -> None:
    assert uncalled(preview, value) == text


def test_a_preview_of_a_long_text_or_a_list_that_contains_itself_is_short() -> None:
    itself: list[Any] = []
    itself.append(itself)
    assert preview(itself) == "[[[[[…]]]]]"
    for value in ("x" * 10_000_000, b"x" * 10_000_000, ["y" * 1000] * 1000, {"k" * 1000: "v" * 1000}):
        assert len(preview(value)) <= 240


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(Hostile()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(values)
def test_whatever_the_value_is_its_preview_is_one_line_of_text(value: Any) -> None:
    text = uncalled(preview, value)
    assert len(text) <= 240
    assert "\n" not in text
    text.encode()


def test_facts_of_frames_and_arrays_come_without_formatting() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.zeros(1000), "b": Hostile()}, columns=["a", "b"])
    facts = facts_of(frame)
    assert (facts["type"], facts["shape"], facts["detail"]) == ("DataFrame", "1000 x 2", "2 columns")
    assert facts["bytes"] > 16_000
    assert facts_of(np.zeros((2, 3), "f4")) == {
        "type": "ndarray",
        "shape": "2 x 3",
        "detail": "float32",
        "bytes": 24,
    }
    assert facts_of([1, 2]) == {"type": "list", "shape": "", "detail": "2 items", "bytes": None}
    assert uncalled(facts_of, Hostile()) == {"type": "Hostile", "shape": "", "detail": "", "bytes": None}


# --- text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown_text"),
    [
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("0 %\r50 %\r100 %\n", "100 %\n"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("a\x00b\x08\x9bc\td", "abc\td"),
        ("\ud800x", "?x"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_text_travels_without_what_a_terminal_would_act_on(text: str, shown_text: str) -> None:
    assert plain(text) == shown_text


def test_10_mb_in_one_line_are_cut_at_the_end_that_is_asked_for() -> None:
    text = "begin" + "ü" * 10_000_000 + "end"
    assert plain(text, 1000).startswith("begin")
    assert plain(text, 1000, end=True).endswith("end")
    assert all(990 < len(plain(text, 1000, end=end).encode()) <= 1000 for end in (False, True))


@given(st.text(), st.integers(10, 100), st.booleans())
def test_text_is_never_longer_than_its_bound(text: str, limit: int, end: bool) -> None:
    assert len(plain(text, limit, end=end).encode()) <= limit


def test_printed_text_is_the_end_from_a_line_on_and_says_how_much_went_before() -> None:
    assert printed(None) == {"pieces": [], "cut": 0, "dropped": 0}
    tail = Tail()
    tail.write("short\n")
    assert printed(tail) == {"pieces": ["short\n"], "cut": 0, "dropped": 0}
    whole = "short\n"
    for number in range(10_000):
        whole += f"line {number}\n"
        tail.write(f"line {number}\n")
    told = printed(tail)
    (text,) = told["pieces"]
    assert text.startswith("line ")
    assert told["cut"] + len(text) == len(whole)
    assert whole.endswith(text)
    assert 30_000 < len(text) <= 32_768


def test_printed_text_in_one_line_is_cut_in_the_middle() -> None:
    tail = Tail()
    tail.write("é" * 100_000)
    told = printed(tail)
    (text,) = told["pieces"]
    assert len(text.encode()) <= 32_772
    assert told["cut"] + len(text) == 100_000


def test_displays_stand_where_they_were_among_what_was_printed() -> None:
    tail = Tail()
    tail.write("first\n" * 20_000)
    tail.display(Display({"text/plain": "1"}, display_id="a"))
    tail.write("then\n")
    for number in range(2, 18):
        tail.display(Display({"text/plain": str(number)}))
    tail.update(Display({"text/plain": "again"}, display_id="a"))
    told = printed(tail)
    text, *rest = told["pieces"]
    assert text.endswith("first\nthen\n")  # the first display is not kept any more
    assert rest == [{"number": number, "edition": 0} for number in range(2, 18)]
    assert told["dropped"] == 1
    assert told["cut"] + len(text) == 120_005
    tail.clear()
    tail.write("new\n")
    tail.display(Display({"text/plain": "18"}, display_id="b"))
    tail.update(Display({"text/plain": "19"}, display_id="b"))
    assert printed(tail) == {"pieces": ["new\n", {"number": 18, "edition": 1}], "cut": 0, "dropped": 0}


@pytest.mark.parametrize(
    ("data", "form"),
    [
        ({"text/plain": "x", "text/html": "<b>x</b>"}, ("html", "<b>x</b>", "")),
        (
            {"text/html": "<script>1</script>"},
            ("html", "<script>1</script>", "Its scripts run in the cell only."),
        ),
        ({"text/plain": "Figure", "image/png": b"\x89PNG"}, ("png", "iVBORw==", "")),
        ({"text/plain": "Figure", "image/png": "iVBO\nRw==\n"}, ("png", "iVBORw==", "")),
        ({"text/plain": "p", "image/png": "no base64!", "image/jpeg": b"jpeg"}, ("jpeg", "anBlZw==", "")),
        ({"image/svg+xml": ["<svg>", "</svg>"]}, ("svg", "<svg></svg>", "")),
        ({"text/markdown": "# title", "text/plain": "x"}, ("text", "# title", "")),
        ({"text/plain": "\x1b[31mred\x1b[0m"}, ("text", "red", "")),
        ({"application/x": 1}, ("text", "", "It is shown in the cell only: application/x.")),
        ({}, ("text", "", "Nothing yet.")),
        (
            {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"},
            ("text", "IntSlider()", "An ipywidget is shown in the cell only."),
        ),
    ],
)
def test_a_display_has_the_form_that_a_cell_shows(data: dict[str, Any], form: tuple[str, str, str]) -> None:
    assert tuple(form_of_display(Display(data)).values()) == form


def test_a_display_that_is_too_large_says_so() -> None:
    tail = Tail()
    tail.display(Display({"text/html": "x" * 2_500_000}))
    display = tail.find_display(1)
    assert display is not None
    assert form_of_display(display)["note"] == "A display of 2.5 MB was not kept: at most 1 MB of each are."


@given(st.lists(st.text(max_size=20), max_size=30), st.integers(0, 60), st.integers(1, 40))
def test_the_end_of_a_tail_is_the_end_of_its_text(parts: list[str], count: int, limit: int) -> None:
    tail = Tail(limit)
    for part in parts:
        tail.write(part)
    whole = "".join(parts)
    kept = whole[len(whole) - min(count, limit, len(whole)) :]
    assert tail.pieces(count) == ([kept] if kept else [], len(whole) - len(kept))


# --- code and arguments ----------------------------------------------------------------------------------


def test_a_function_is_told_with_signature_docstring_source_and_place() -> None:
    node = add(1, 2, 3.5, deep={"x": [add(1).set_name("one")["k"]]}).set_name("sum")
    told = details(node, LocalWorkflow(node))
    assert (told["index"], told["name"], told["kind"]) == (1, "sum", "function")
    assert (told["function"], told["module"]) == ("add", __name__)
    assert told["signature"] == "(a: int, b: int = 1, *rest: Any, **options: Any) -> int"
    assert told["docstring"] == "Add.\n\nBoth."
    assert told["source"].startswith("@workflow\ndef add(")
    assert told["file"] == __file__
    assert Path(__file__).read_text().splitlines()[told["line"] - 1] == "@workflow"
    assert told["made"].startswith(f"{__file__}:")
    assert told["arguments"] == [
        {"name": "a", "text": "1", "nodes": []},
        {"name": "b", "text": "2", "nodes": []},
        {"name": "*rest", "text": "(3.5,)", "nodes": []},
        {"name": "**options", "text": "{'deep': {'x': [one['k']]}}", "nodes": [0]},
    ]


def test_constructors_and_methods_are_told_as_they_stand_in_the_class() -> None:
    model = Model(4)
    fit = model.fit([1], rate=0.1)
    version = model.version(7)
    wf = LocalWorkflow(fit, version)
    made, fitted, static = (details(node, wf) for node in (model, fit, version))
    assert (made["kind"], made["signature"], made["docstring"]) == (
        "constructor",
        "(size: int = 3) -> None",
        "Learns.",
    )
    assert made["source"].startswith("@workflow\nclass Model:")
    assert (fitted["kind"], fitted["function"], fitted["docstring"]) == ("method", "Model.fit", "Fit it.")
    assert fitted["signature"] == "(self, data: Any, *, rate: float = 0.5) -> Any"
    assert fitted["source"].startswith("def fit(self")
    assert [argument["name"] for argument in fitted["arguments"]] == ["self", "data", "rate"]
    assert fitted["arguments"][0]["nodes"] == [0]
    assert [argument["name"] for argument in static["arguments"]] == ["self", "plain"]
    for told in (made, fitted, static):
        assert told["made"].startswith(__file__), told["made"]


def test_functions_without_source_or_signature_are_told_as_far_as_python_knows() -> None:
    space: dict[str, Any] = {}
    exec("def made(x): return x", space)
    for func in (space["made"], max, dict, Callable_(), print):
        node = workflow(func)(1)
        told = details(node, LocalWorkflow(node))
        assert told["arguments"][0]["text"] in ("1", "(1,)")
        json.dumps(told)


class Callable_:
    """Not a function."""

    def __call__(self, x: Any = Hostile()) -> Any:  # noqa: B008
        return x


def test_a_default_or_docstring_that_is_hostile_is_told_without_asking_it() -> None:
    def func(x: Any = Hostile(), y: Any = 10**5000) -> None: ...  # noqa: B008

    func.__doc__ = "<img src=x>\x1b[31m\x00" + "d" * 10_000_000
    told = uncalled(lambda: details(node := workflow(func)(), LocalWorkflow(node)))
    assert told["signature"] == "(x: Any = <Hostile>, y: Any = <int of 16,610 bits>) -> None"
    assert told["docstring"].startswith("<img src=x>ddd")
    other = lambda: None  # noqa: E731
    other.__doc__ = Hostile()  # type: ignore[assignment]
    again = workflow(other)()
    assert uncalled(details, again, LocalWorkflow(again))["docstring"] == ""


def test_details_of_a_node_with_the_longest_texts_stay_small() -> None:
    def fail(**options: Any) -> None:
        raise ValueError("m" * 10_000_000)

    fail.__doc__ = "ü" * 1_000_000
    node = workflow(fail)(**{f"key{i}": "v" * 1000 for i in range(1000)}).set_name("n" * 100_000)
    wf = LocalWorkflow(node)
    with pytest.raises(NodeExecutionError):
        wf.run()
    assert len(json.dumps(details(node, wf), ensure_ascii=False).encode()) < 256 * 1024


def test_many_nodes_in_one_argument_are_bounded() -> None:
    many = [add(i) for i in range(6000)]
    node = add(1, 2, many)
    told = details(node, LocalWorkflow(node))
    assert len(told["arguments"][2]["nodes"]) == 5000


def test_the_key_of_a_selection_is_that_of_the_browser() -> None:
    assert selection_key([]) == "00000000"
    assert selection_key(["a", "ü"]) == format(zlib.crc32("a\nü".encode()), "08x")
    assert len(selection_key(["\ud800" * 5000])) == 8


# --- attempts and failures -------------------------------------------------------------------------------


def test_attempts_are_folded_from_the_events() -> None:
    error = {"type": "OSError", "message": "gone\nfor \x1b[31mever", "traceback": ""}
    events = [
        RunEvent(0, 1.0, "n", NodeState.QUEUED, 1),
        RunEvent(1, 2.0, "n", NodeState.RUNNING, 1, "process 2"),
        RunEvent(2, 4.0, "n", NodeState.QUEUED, 1, None, {"seconds": 1.5, "error": error}),
        RunEvent(3, 5.0, "n", NodeState.RUNNING, 2, "process 1"),
        RunEvent(4, 7.0, "n", NodeState.CANCELLED, 2),
        RunEvent(5, 8.0, "n", NodeState.RUNNING, 3),
    ]
    rows = [tuple(attempt.values()) for attempt in attempts_of(events)]
    assert rows == [
        (1, "failed", "process 2", 2.0, 1.5, "OSError: gone for ever"),
        (2, "cancelled", "process 1", 5.0, 2.0, ""),
        (3, "running", "", 8.0, None, ""),
    ]
    assert attempts_of([RunEvent(0, 1.0, "n", NodeState.CACHED, 0, None, {"why": "stored"})]) == []


def test_an_attempt_whose_worker_was_lost_does_not_run_for_ever() -> None:
    events = [
        RunEvent(0, 1.0, "n", NodeState.QUEUED, 1, None, {"why": "needs GPU: 1, the cluster has none"}),
        RunEvent(1, 2.0, "n", NodeState.RUNNING, 1, "vm:7"),
        RunEvent(2, 6.0, "n", NodeState.QUEUED, 1, None, {"why": "its worker was lost"}),
    ]
    assert [tuple(attempt.values()) for attempt in attempts_of(events)] == [
        (1, "failed", "vm:7", 2.0, 4.0, "its worker was lost")
    ]


def test_an_attempt_whose_result_is_being_saved_is_the_same_attempt() -> None:
    events = [
        RunEvent(0, 1.0, "n", NodeState.RUNNING, 1, "vm:7"),
        RunEvent(1, 3.0, "n", NodeState.RUNNING, 1, None, {"seconds": 2.0, "saving": True}),
        RunEvent(2, 9.0, "n", NodeState.DONE, 1, None, {"seconds": 2.0}),
    ]
    for count, state in ((2, "running"), (3, "done")):
        rows = [tuple(attempt.values()) for attempt in attempts_of(events[:count])]
        assert rows == [(1, state, "vm:7", 1.0, 2.0, "")]


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_failure_is_told_with_its_frames_innermost_first(executor: Any) -> None:
    def inner(x: int) -> float:
        return 1 / x

    def outer(x: int) -> float:
        return inner(x)

    bad = workflow(outer)(0).set_name("bad")
    late = add(bad).set_name("late")
    wf = LocalWorkflow(late, executor=executor)
    with pytest.raises(NodeExecutionError):
        wf.run()
    wf.close()
    failed = details(bad, wf)["failure"]
    assert (failed["type"], failed["message"], failed["root"]) == (
        "ZeroDivisionError",
        "division by zero",
        None,
    )
    mine = [frame for frame in failed["frames"] if not frame["inner"]]
    assert [(frame["function"], frame["code"]) for frame in mine] == [
        ("inner", "return 1 / x"),
        ("outer", "return inner(x)"),
    ]
    assert {frame["file"] for frame in mine} == {__file__}
    assert failed["text"].rstrip().endswith("ZeroDivisionError: division by zero")
    skipped = details(late, wf)
    assert skipped["failure"] == {
        "type": "ZeroDivisionError",
        "message": "division by zero",
        "frames": [],
        "text": "",
        "root": 0,
    }
    assert skipped["why_no_result"] == "It was skipped, since a node that it needs failed."


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_frames_are_told_beside_10_mb_in_one_line(executor: Any) -> None:
    def fails() -> None:
        raise ValueError("z" * 10_000_000)

    bad = workflow(fails)().set_name("n")
    wf = LocalWorkflow(bad, executor=executor)
    with pytest.raises(NodeExecutionError):
        wf.run()
    wf.close()
    told = details(bad, wf)["failure"]
    assert "fails" in [frame["function"] for frame in told["frames"] if not frame["inner"]]
    assert "Traceback (most recent call last)" in told["text"]
    assert len(told["text"]) < 70_000


def test_frames_of_libraries_that_run_nodes_are_inner_and_others_are_not() -> None:
    site = "/env/lib/python3.11/site-packages"
    text = textwrap.dedent(f"""\
        Traceback (most recent call last):
          File "/home/me/mine.py", line 3, in mine
            work()
            ^^^^^^
          File "{site}/pandas/core/frame.py", line 7, in __getitem__
            look()
          File "{json.__file__}", line 8, in loads
            raise
          File "{site}/loky/process_executor.py", line 9, in run
            pass
        KeyError: 'x'
          File "/not/a/frame.py", line 1, in message
        """)
    found = frames(text)
    assert [(frame["function"], frame["code"], frame["inner"]) for frame in found] == [
        ("run", "pass", True),
        ("loads", "raise", True),
        ("__getitem__", "look()", False),
        ("mine", "work()", False),
    ]


def test_the_last_of_several_tracebacks_is_the_one_whose_frames_are_told() -> None:
    def fail() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    node = workflow(fail)()
    wf = LocalWorkflow(node)
    with pytest.raises(NodeExecutionError):
        wf.run()
    failed = details(node, wf)["failure"]
    assert [frame["code"] for frame in failed["frames"]] == ['raise ValueError("second") from error']
    assert "KeyError: 'first'" in failed["text"]


@given(st.text())
def test_any_text_can_be_looked_through_for_frames(text: str) -> None:
    assert isinstance(frames("Traceback (most recent call last):\n" + text), list)


def test_a_message_full_of_what_a_browser_or_terminal_acts_on_is_plain_text() -> None:
    def fail() -> None:
        raise ValueError("<script>alert(1)</script>\x1b[31m\x00\ud800")

    node = workflow(fail)()
    wf = LocalWorkflow(node)
    with pytest.raises(NodeExecutionError):
        wf.run()
    failed = details(node, wf)["failure"]
    assert failed["message"] == "<script>alert(1)</script>?"
    assert "\x1b" not in failed["text"]


def test_what_storage_cannot_compare_is_listed_within_a_bound(tmp_path: Path) -> None:
    def plain(x: int) -> int:
        return x

    def dynamic(x: int) -> int:
        return int(eval("x"))

    many = [f"late_{i}" for i in range(40)]
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("def many(x=0):\n" + "".join(f"    if x: {name}()\n" for name in many) + "    return 1", space)
    nodes = [workflow(func)(*args) for func, args in ((plain, (1,)), (dynamic, (2,)), (space["many"], ()))]
    wf = LocalWorkflow(*nodes, workflow_name="w")
    assert [details(node, wf)["not_tracked"] for node in nodes] == [[], [], []]
    wf.set_storage(FileStorage(tmp_path))
    for _ in range(2):  # computed, then stored
        wf.run()
        first, second, third = (details(node, wf)["not_tracked"] for node in nodes)
        assert first == []
        assert len(second) == 1
        assert second[0].startswith("eval() in ")
        assert len(third) == 21
        assert third[0] == "late_0, which does not exist yet, in many"
        assert third[-1] == "20 more"


# --- results ---------------------------------------------------------------------------------------------


def test_a_result_is_told_or_why_there_is_none() -> None:
    node = add(1)
    wf = LocalWorkflow(node)
    assert details(node, wf)["why_no_result"] == "It has not run yet."
    wf.run()
    told = details(node, wf)
    assert told["result"] == {"type": "int", "shape": "", "detail": "", "bytes": None}
    assert told["why_no_result"] == ""
    late = add(node)
    assert "made after the last run began" in details(late, wf)["why_no_result"]
    run = wf.start(paused=True)
    assert "what an earlier run gave was let go" in details(node, wf)["why_no_result"]
    run.cancel()
    with pytest.raises(Exception, match="cancelled"):
        run.wait(10)


def test_a_result_that_is_only_in_storage_can_be_had_from_there(tmp_path: Path) -> None:
    from fuse_widgets import FileStorage

    first = add(1)
    last = add(first)
    for _ in range(2):
        wf = LocalWorkflow(last)
        wf.set_storage(FileStorage(tmp_path))
        wf.run()
    assert (
        details(first, wf)["why_no_result"] == "Its result is in storage, which this workflow no longer has."
    )
    told = details(first, wf, storage=True)
    assert told["result"]["type"] == ""
    assert "in storage" in told["result"]["detail"]
    assert details(last, wf)["result"]["type"] == "int"


# --- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, True, 3, 2.5, "text", [1, "a"], {"a": {"b": [None]}}, "\x1b[31m<b>", 2**53 - 1]
)
def test_json_values_are_shown_as_they_are(value: Any) -> None:
    assert shown(value) == value
    assert type(shown(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, 2), [1, 2]),
        (float("nan"), {"$repr": "nan"}),
        (2**53, {"$repr": "9007199254740992"}),
        ({1: 2}, {"$repr": "{1: 2}"}),
        ({"$repr": "x"}, {"$repr": "{'$repr': 'x'}"}),
        ({"deep": Hostile()}, {"deep": {"$repr": "<Hostile>"}}),
        ("\ud800", {"$repr": "'\\ud800'"}),
    ],
)
def test_other_values_are_shown_by_their_previews(value: Any, text: Any) -> None:
    assert uncalled(shown, value) == text


def test_huge_and_endless_values_are_shortened() -> None:
    itself: dict[str, Any] = {}
    itself["again"] = itself
    for value in ("x" * 100_000, ["y" * 1000] * 100, list(range(100_000)), itself):
        told = shown(value)
        assert set(told) == {"$repr"}
        assert len(told["$repr"]) <= 240


@given(values)
def test_what_is_shown_is_json(value: Any) -> None:
    assert len(json.dumps(uncalled(shown, value), allow_nan=False, ensure_ascii=False).encode()) <= 9000


def nodes_with(*infos: dict[Any, Any]) -> list[Node]:
    nodes = [add(1) for _ in infos]
    for node, info in zip(nodes, infos, strict=True):
        node.backend_info.update(info)
    return nodes


def test_settings_are_common_or_mixed() -> None:
    plugin = Hostile()
    nodes = nodes_with(
        {"same": [1], "differs": 1, "some": True, "plugin": plugin, "typed": 1, "odd": 1},
        {"same": [1], "differs": 2, "plugin": plugin, "typed": True, "odd": 1},
        {"same": [1], "differs": 1, "some": True, "plugin": plugin, "typed": 1.0, "odd": 1},
    )
    told = uncalled(settings_of, nodes, lambda keys: [key for key in keys if key == "odd"])
    assert told["values"] == {"same": [1], "plugin": {"$repr": "<Hostile>"}, "odd": 1}
    assert told["mixed"] == {"differs": [1, 2], "some": [True, None], "typed": [1, True, 1.0]}
    assert [type(value) for value in told["mixed"]["typed"]] == [int, bool, float]
    assert told["unknown"] == ["odd"]


def test_at_most_five_different_values_are_told_and_null_is_among_them() -> None:
    nodes = nodes_with(*[{"a": i, "b": i} for i in range(20)], {"a": 20})
    mixed = settings_of(nodes, lambda keys: [])["mixed"]
    assert mixed == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2, 3, None]}


def test_settings_with_hostile_keys_and_values_are_told() -> None:
    itself: list[Any] = []
    itself.append(itself)
    other: list[Any] = []
    other.append(other)
    nodes = nodes_with({5: 1, "\ud800": Hostile(), "x": itself}, {5: 1, "\ud800": Hostile(), "x": other})
    told = uncalled(settings_of, nodes, lambda keys: list(keys))
    assert told["values"] == {"5": 1}
    assert set(told["mixed"]) == {"?", "x"}
    json.dumps(told)
