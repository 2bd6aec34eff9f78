"""Hostile and broken input in a real JupyterLab: told in words, nothing executed, nothing lost, the kernel alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Dag, Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

#: Collects what a kernel would have logged: errors of our own, and of threads.
WATCH = """
import logging, threading, time
seen = []
class Keep(logging.Handler):
    def emit(self, record):
        seen.append(self.format(record))
logging.getLogger("fuse_widgets").addHandler(Keep(logging.ERROR))
threading.excepthook = lambda args: seen.append(repr(args.exc_value))
"""
SEEN = "print(seen)"

HOSTILE = r'''
from fuse_widgets import DAGWidget, LocalWorkflow, workflow
EVIL = "<img src=x onerror='document.title=1'><script>document.title=1</script>\x1b[31mred\x1b[0m\x00\x07\u202e"

@workflow
def talk(*inputs, **options):
    """<b>doc</b> <script>document.title=1</script>"""
    print(EVIL)
    print("half \ud800")
    print("y" * 10_000_000)
    return Drawn()

@workflow
def fail(x):
    raise ValueError(EVIL + "z" * 10_000_000)

@workflow
def give(x, *after):
    return x

class Drawn:
    def _repr_html_(self):
        return f"<b>whole</b>{EVIL}<a href='javascript:parent.document.title=1'>a</a><meta http-equiv=refresh content='0;url=/x'>"
class Raises:
    def _repr_html_(self): raise RuntimeError(EVIL)
    def __repr__(self): raise RuntimeError(EVIL)
class Hangs:
    def _repr_html_(self):
        while True: time.sleep(0.01)
class Large:
    def _repr_html_(self): return "<b>" + "q" * 20_000_000
    def __repr__(self): return "r" * 20_000_000

talks = talk(EVIL, opt=EVIL).set_name("evil " + EVIL)
nodes = [give(kind(), talks).set_name(kind.__name__) for kind in (Raises, Hangs, Large)]
wf = LocalWorkflow(give(fail(talks).set_name("<b>bad</b>\n\nname")), talk(talks).set_name("N" * 20_000), *nodes)
widget = DAGWidget(wf, height=500)
widget.panels = ["inspector"]
widget
'''
RUN = """
try:
    wf.run()
except Exception as error:
    print(type(error).__name__)
"""

FORM = """
from typing import Literal
from pydantic import BaseModel, Field
from fuse_widgets import DAGWidget, LocalWorkflow, workflow
from fuse_widgets.backends.info import LocalInfo

class Disk(BaseModel):
    size: float = Field(default=1, gt=0)
    kind: Literal["ssd", "hdd"] = "ssd"
class Resources(BaseModel):
    cpus: int = Field(default=1, ge=1, le=64, strict=True)
    gpu: str | None = None
    disk: Disk = Field(default_factory=Disk)
    labels: dict[str, str] = {}
class Info(LocalInfo):
    resources: Resources = Field(default_factory=Resources, description="What <b>it</b> needs")
    ratio: float = Field(default=0.5, ge=0, le=1)
class Cluster(LocalWorkflow):
    backend_info_model = Info

@workflow
def step(*inputs):
    return 1
first = step().set_name("first")
second = step(first).set_name("second")
wf = Cluster(step(second).set_name("last"))
widget = DAGWidget(wf, height=600)
widget.panels = ["inspector"]
widget
"""
INFO = "print(second.backend_info)"


class Form:
    """The form of a widget on the page."""

    def __init__(self, dag: Dag) -> None:
        self.dag = dag
        self.root = dag.root.locator(".fuse-inspector")

    def about(self, name: str) -> Form:
        self.dag.click(name)
        expect(self.root.locator("h3")).to_have_text(name)
        return self.tab()

    def tab(self) -> Form:
        self.dag.button("tab-backend_info").click()
        expect(self.root.locator(".fuse-editing")).to_have_attribute("aria-busy", "false")
        return self

    def field(self, path: str) -> Locator:
        return self.root.locator(f"[data-fuse-field='{path}']")

    def wrong(self, path: str) -> Locator:
        return self.root.locator(f".fuse-setting:has([data-fuse-field='{path}']) .fuse-wrong-text")

    def enter(self, path: str, text: str, words: str = "") -> None:
        """Enter a value that is taken, or refused with these words."""
        self.field(path).fill(text)
        self.field(path).press("Enter")
        if words:
            expect(self.wrong(path)).to_contain_text(words)
        else:
            expect(self.root.locator(".fuse-pending")).to_have_count(0)
            expect(self.wrong(path)).to_have_count(0)

    def raw(self, text: str, words: str) -> None:
        self.dag.button("raw-text").evaluate(
            "(area, text) => { area.value = text; area.dispatchEvent(new Event('input', {bubbles: true})); }",
            text,
        )
        self.dag.button("apply").click()
        expect(self.root.locator(".fuse-raw .fuse-wrong-text")).to_contain_text(words)


def shown(book: Notebook, nth: int = 0) -> Dag:
    dag = book.dag(nth)
    dag.wait("+d.fusePainted > 0")
    dag.root.scroll_into_view_if_needed()
    return dag


def select(dag: Dag, place: int) -> None:
    dag.root.evaluate(
        "(root, place) => { const { model } = root.fuse; model.set('selected', [model.get('_graph').names[place]]);"
        " model.save_changes(); }",
        place,
    )
    dag.wait("d.fuseSelected === '1'")
    expect(dag.root.get_by_role("tabpanel")).to_have_attribute("aria-busy", "false")


def nothing_was_executed(book: Notebook, cell: int) -> None:
    """No script ran, no error was left to the log, and the kernel answers."""
    assert book.page.title() != "1"
    book.run(cell)
    assert book.output(cell) == "[]"


def test_hostile_names_texts_and_results_are_shown_as_text(notebook: Open) -> None:
    book = notebook([WATCH + HOSTILE, RUN, SEEN], width=1400)
    book.run(0, 1)
    dag = shown(book)
    dag.wait("+d.fuseFailed === 1")
    area, result = dag.root.get_by_role("tabpanel"), dag.root.locator(".fuse-preview")
    names = dag.root.evaluate("root => root.fuse.model.get('_graph').names.map((name) => name.slice(0, 6))")

    def preview(name: str) -> None:
        select(dag, names.index(name))
        dag.button("tab-Result").click()
        dag.button("show-result").click()

    preview("NNNNNN")
    expect(area.locator("iframe").content_frame.locator("b")).to_have_text("whole")
    dag.button("tab-Output").click()
    expect(dag.button("printed")).to_contain_text("yyyy")
    preview("Large")
    expect(result).to_contain_text("HTML form of 20 MB is too large")
    expect(result).to_contain_text("rrrr")
    preview("Raises")
    expect(result).to_contain_text("repr raised RuntimeError: <img src=x")
    preview("Hangs")
    expect(area).to_contain_text("takes longer than 2 s and was given up")
    dag.button("tab-Overview").click()
    select(dag, names.index("<b>bad"))
    expect(area.locator(".fuse-error")).to_contain_text("ValueError: <img src=x")
    expect(area.locator(".fuse-frames > li").first).to_contain_text("raise ValueError")
    assert dag.root.locator("img, script, b").count() == 0
    nothing_was_executed(book, 2)


def test_a_nested_form_takes_what_is_right_and_tells_what_is_wrong(notebook: Open) -> None:
    book = notebook([WATCH + FORM, INFO, SEEN], width=1400)
    book.run(0)
    form = Form(shown(book)).about("second")
    form.enter("resources.cpus", "4")
    for text, words in [("99", "64 or less"), ("2.5", "whole number"), ("1e999", "too large")]:
        form.enter("resources.cpus", text, words)
    form.field("resources.cpus").press("Escape")
    form.enter("resources.gpu", "<b>a100</b>")
    form.enter("resources.disk.size", "-1", "more than 0")
    form.enter("resources.disk.size", "2")
    form.enter("resources.labels", "{'a': 1}", "a key in double quotes is expected here (line 1, column 2)")
    form.enter("resources.labels", '{"a": 1}', "has to be a text")
    form.enter("resources.labels", '{"a": "b"}')
    book.run(1)
    resources = {"cpus": 4, "gpu": "<b>a100</b>", "disk": {"size": 2}, "labels": {"a": "b"}}
    assert book.output(1) == str({"resources": resources})
    form.dag.button("raw-json").click()
    for text, words in [
        ("{", "(line 1, column 2)"),
        ("[1]", "not an object"),
        ('{"ratio": 1e999}', "too large to be sent exactly"),
        ('{"resources": {"disk": {"kind": "tape"}}}', "resources.disk.kind"),
        ('{"team": "' + "x" * 11_000_000 + '"}', "11.0 MB are too much to send"),
    ]:
        form.raw(text, words)
    form.dag.button("raw-json").click()
    form.dag.button("undo").click()
    form.dag.button("undo").click()
    expect(form.field("resources.disk.size")).to_have_value("")
    form.dag.button("copy-code").click()
    expect(form.dag.button("code")).to_contain_text('"resources", {"cpus": 4, "gpu": "<b>a100</b>"}')
    assert form.dag.root.get_attribute("data-fuse-selected") == "1"
    nothing_was_executed(book, 2)


def test_messages_and_traits_that_make_no_sense_leave_all_as_it_is(notebook: Open) -> None:
    nonsense = """
import warnings
warnings.simplefilter("ignore")  # it tells of groups that there are not
for name, value in [("collapsed", 5), ("collapsed", ["half \\ud800"]), ("panels", ["x"]), ("selected", ["gone"]),
                    ("query", "x" * 11_000_000), ("query", "half \\ud800"), ("query", "("), ("height", -1)]:
    try:
        setattr(widget, name, value)
    except Exception as error:
        print(type(error).__name__)
"""
    book = notebook([WATCH + FORM, nonsense, INFO, SEEN], width=1400)
    book.run(0)
    dag = shown(book)
    Form(dag).about("second")
    messages: list[Any] = [
        {"name": "edit", "args": {"nodes": [999], "version": 1, "set": {"ratio": 1}}},
        {"name": "edit", "args": {"nodes": ["a"], "version": 1, "set": {"ratio": 1}}},
        {"name": "edit", "args": {"nodes": [1], "version": 77, "set": {"ratio": 1}}},
        {"name": "preview", "args": {"node": 10**30, "version": 1}},
        {"name": "<b>", "args": [1]},
        {"name": "undo", "args": None, "id": {"a": 1}},
    ]
    for message in messages:
        dag.root.evaluate("(root, m) => root.fuse.model.send({kind: 'command', ...m})", message)
    dag.root.evaluate("root => { for (const junk of ['text', [1], 5]) root.fuse.model.send(junk); }")
    for change, words in [
        ({"selected": ["zz"]}, "no node 'zz'"),
        ({"collapsed": 5}, "collapsed"),
        ({"panels": ["x"]}, "panels"),
        ({"height": 1e9}, "height"),
    ]:
        dag.root.evaluate(
            "(root, change) => { root.fuse.model.set(change); root.fuse.model.save_changes(); }", change
        )
        expect(dag.root.locator(".fuse-footer")).to_contain_text(words)
    book.run(1)
    assert set(book.output(1).splitlines()) == {"TraitError"}
    dag.wait("root.innerText.includes('is not a regular expression')")
    dag.button("search").evaluate(
        "field => { field.value = 'x'.repeat(11_000_000);"
        " field.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    dag.wait("root.innerText.includes('at most 10,000 characters, this 11,000,000')")
    dag.button("search").press("Escape")
    assert dag.number("selected") == 1
    expect(dag.root.locator(".fuse-inspector")).to_be_visible()
    book.run(2)
    assert book.output(2) == "{}"
    nothing_was_executed(book, 3)


def test_two_browsers_edit_one_field_and_a_saved_page_comes_back(notebook: Open, chromium: Any) -> None:
    book = notebook([WATCH + FORM, INFO, SEEN], width=1400)
    book.run(0)
    mine = Form(shown(book)).about("second")
    mine.field("ratio").fill("0.3")
    mine.field("ratio").press("Control+s")
    book.page.locator(".lm-mod-current.jp-mod-dirty").wait_for(state="detached")
    other = Notebook(book.lab, book.page.context.new_page(), name=book.name)
    yours = Form(shown(other)).tab()
    mine.enter("ratio", "0.3")
    expect(yours.field("ratio")).to_have_value("0.3")
    yours.field("ratio").fill("0.9")
    mine.enter("ratio", "0.4")
    yours.enter("ratio", "0.9", "changed meanwhile from 0.3 to 0.4; enter it again to overwrite")
    yours.enter("ratio", "0.9")
    expect(mine.field("ratio")).to_have_value("0.9")
    book.load()
    expect(Form(shown(book)).tab().field("ratio")).to_have_value("0.9")
    nothing_was_executed(book, 2)
    assert other.problems == []


@pytest.mark.parametrize("kernel", ["python3", "ipykernel-7.3"])
def test_an_edit_during_a_blocking_cell_is_made_and_a_restart_loses_no_text(
    notebook: Open, lab: Any, kernel: str, tmp_path: Any
) -> None:
    if kernel != "python3":
        lab.need_kernel(kernel)
    gate = tmp_path / "go"
    block = f"import os\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    book = notebook([WATCH + FORM, block, INFO, SEEN], width=1400, kernel=kernel)
    book.run(0)
    form = Form(shown(book)).about("second")
    book.start(1)
    form.enter("ratio", "0.6")
    expect(form.dag.button("undo")).to_be_enabled()
    assert book.prompt(1) == "[*]:"
    gate.touch()
    book.finished(1)
    book.run(2)
    assert book.output(2) == "{'ratio': 0.6}"
    nothing_was_executed(book, 3)
    form.field("ratio").fill("0.11")
    session = next(one for one in lab.api("sessions") if one["path"] == book.name)
    lab.api(f"kernels/{session['kernel']['id']}/restart", "POST")
    form.dag.wait("root.innerText.includes('restarted')")
    expect(form.field("ratio")).to_have_attribute("aria-disabled", "true")
    expect(form.field("ratio")).to_have_attribute(
        "title", "Not now: the kernel was restarted; run the cell again to go on"
    )
    expect(form.field("ratio")).to_have_value("0.11")


def test_nodes_that_are_rebuilt_or_gone_take_no_other_with_them(notebook: Open) -> None:
    fewer = """
count = globals().get("count", 3) - 1
more = [step(first).set_name(f"more {n}") for n in range(count)]
widget.refresh(); print(widget.selected)
"""
    book = notebook([WATCH + FORM, fewer, SEEN, INFO], width=1400)
    book.run(0, 1)
    form = Form(shown(book))
    form.dag.wait("+d.fuseNodes === 5")
    form.about("more 1").field("ratio").fill("0.2")
    book.run(1)  # the node goes while it is selected and its field is left
    assert book.output(1) == "[]"
    form.dag.wait("+d.fuseNodes === 4 && +d.fuseSelected === 0")
    expect(form.root).to_contain_text("Nothing is selected")
    book.run(0)
    again = Form(shown(book))
    again.dag.wait("+d.fuseNodes === 3 && +d.fuseSelected === 0")
    again.about("second").enter("ratio", "0.7")
    expect(again.dag.button("undo")).to_be_enabled()
    book.run(3)
    assert book.output(3) == "{'ratio': 0.7}"
    nothing_was_executed(book, 2)
