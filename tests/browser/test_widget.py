"""The widget in a real JupyterLab: shown, run, followed, stopped, failed, reloaded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

#: Three nodes in a row whose middle one waits until a file appears, so that no test depends on time.
CHAIN = """
import pathlib, tempfile, time
from fuse_widgets import LocalWorkflow, workflow
gate = pathlib.Path(tempfile.mkdtemp()) / "go"

@workflow
def load():
    return 20

@workflow
def wait(x):
    while not gate.exists():
        time.sleep(0.01)
    return x + 1

@workflow
def double(x):
    return 2 * x

data = load().set_name("data")
middle = wait(data).set_name("wait here")
end = double(middle).set_name("double")
wf = LocalWorkflow(end, workflow_name="chain")
wf
"""
OPEN_GATE = "gate.write_text('')"


def test_a_workflow_at_the_end_of_a_cell_shows_its_graph(notebook: Open) -> None:
    book = notebook([CHAIN])
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fuseNodes === 3 && +d.fusePainted > 0")
    assert (dag.number("done"), dag.number("failed"), dag.number("running")) == (0, 0, 0)
    assert dag.button("run").is_enabled()


def test_run_in_the_widget_streams_states_and_leaves_the_kernel_free(notebook: Open) -> None:
    book = notebook([CHAIN, OPEN_GATE, "print(wf.last_run.wait(120))"])
    book.run(0)
    dag = book.dag()
    dag.button("run").click()
    dag.wait("+d.fuseDone === 1 && +d.fuseRunning === 1")
    book.run(1)  # the kernel is free while the run is under way
    dag.wait("+d.fuseDone === 3 && +d.fuseRunning === 0")
    book.run(2)
    assert book.output(2) == "42"


def test_run_in_a_cell_streams_while_it_blocks_and_stop_ends_it(notebook: Open) -> None:
    assert_stop_works_during_a_blocking_cell(notebook([CHAIN, "wf.run()", "wf.last_run.states['wait here']"]))


@pytest.mark.parametrize("kernel", ["ipykernel-7.3"])
def test_stop_works_on_an_older_ipykernel(notebook: Open, lab: object, kernel: str) -> None:
    lab.need_kernel(kernel)  # type: ignore[attr-defined]
    cells = [CHAIN, "wf.run()", "wf.last_run.states['wait here']"]
    book = notebook([*cells, "import ipykernel; ipykernel.__version__"], kernel=kernel)
    assert_stop_works_during_a_blocking_cell(book)
    book.run(3)
    assert book.output(3).startswith("'7.3.")


def assert_stop_works_during_a_blocking_cell(book: Notebook) -> None:
    book.run(0)
    dag = book.dag()
    book.start(1)
    dag.wait("+d.fuseDone === 1 && +d.fuseRunning === 1")
    assert book.prompt(1) == "[*]:"
    dag.button("stop").click()
    dag.wait("d.fuseRunState === 'stopping'")
    assert dag.number("running") == 1  # asked once, the running node may finish
    dag.button("stop").click()
    dag.wait("d.fuseRunState === 'cancelled' && +d.fuseRunning === 0")
    book.finished(1)
    book.run(2)
    assert "CANCELLED" in book.output(2)
    assert "RunCancelledError" in book.output(1)


def test_a_failed_node_shows_its_error_and_the_nodes_after_it_are_skipped(notebook: Open) -> None:
    fail = "@workflow\ndef double(x):\n    raise ValueError('x is <b>too</b> large')\nwf.replace_func(end, double)"
    after = "more = workflow(lambda x: x)(end).set_name('after'); gate.write_text('')"
    book = notebook([CHAIN, fail, after, "wf"])
    book.run(0, 1, 2, 3)
    dag = book.dag(1)
    dag.wait("+d.fuseNodes === 4")
    dag.button("run").click()
    dag.wait("+d.fuseFailed === 1 && +d.fuseDone === 2")
    assert "double" in dag.root.inner_text()
    assert "ValueError: x is <b>too</b> large" in dag.root.inner_text()
    dag.hover("after")
    dag.wait("root.innerText.includes('after') && root.innerText.includes('skipped')")
    assert dag.root.locator("b").count() == 0


def test_a_reloaded_page_shows_the_same_truth_during_and_after_a_run(notebook: Open) -> None:
    book = notebook([CHAIN, OPEN_GATE])
    book.run(0)
    book.dag().button("run").click()
    book.dag().wait("+d.fuseRunning === 1")
    book.page.keyboard.press("Control+s")
    book.page.locator(".jp-mod-current.jp-mod-dirty, .lm-mod-current.jp-mod-dirty").wait_for(state="detached")
    book.load()
    dag = book.dag()
    dag.wait("+d.fuseDone === 1 && +d.fuseRunning === 1")
    book.run(1)
    dag.wait("+d.fuseDone === 3 && +d.fuseRunning === 0")


RETRIED = """
import threading
from fuse_widgets import LocalWorkflow, workflow
gate, tried = threading.Event(), threading.Event()

@workflow
def flaky():
    if not tried.is_set():
        tried.set()
        threading.Event().wait(0.5)
        raise OSError("busy")
    gate.wait(60)

node = flaky().set_name("flaky")
node.backend_info["retries"] = 1
wf = LocalWorkflow(node, executor="thread")
wf
"""


def test_every_attempt_is_in_the_timeline_also_on_a_reloaded_page(notebook: Open) -> None:
    book = notebook([RETRIED, "gate.set()"])
    book.run(0)
    dag = book.dag()
    dag.button("timeline").click()
    dag.button("run").click()
    notice = dag.button("notice")
    expect(notice).to_have_text("flaky runs again (attempt 2), after OSError: busy (thread 1)")
    assert any(said.endswith("attempt 1: OSError: busy") for said in dag.told_by_bars())
    book.page.keyboard.press("Control+s")
    book.page.locator(".jp-mod-current.jp-mod-dirty, .lm-mod-current.jp-mod-dirty").wait_for(state="detached")
    book.load()
    dag = book.dag()
    notice = dag.button("notice")
    expect(notice).to_have_text("flaky runs again (attempt 2), after OSError: busy (thread 1)")
    book.run(1)
    dag.wait("+d.fuseDone === 1 && d.fuseRunState === 'done'")
    expect(notice).to_contain_text("Drag to move")
    assert any(said.endswith("attempt 1: OSError: busy") for said in dag.told_by_bars())


def test_two_views_show_the_same_and_share_the_selection(notebook: Open) -> None:
    book = notebook([CHAIN, "wf", OPEN_GATE, "wf._dag_widget.selected"])
    book.run(0, 1)
    first, second = book.dag(0), book.dag(1)
    second.wait("+d.fusePainted > 0")
    second.root.scroll_into_view_if_needed()
    second.click("wait here")
    first.wait("+d.fuseSelected === 1")
    book.run(3)
    assert book.output(3) == "['wait here']"
    first.button("run").click()
    second.wait("+d.fuseRunning === 1")
    book.run(2)
    for dag in (first, second):
        dag.wait("+d.fuseDone === 3")


def test_a_cell_that_runs_again_shows_the_new_graph_with_the_same_names(notebook: Open) -> None:
    book = notebook([CHAIN.replace('.set_name("double")', ""), "[node.name for node in wf.find_nodes()]"])
    book.run(0, 0, 1)
    assert book.output(1) == "['data', 'wait here', 'double_0000']"
    book.dag().wait("+d.fuseNodes === 3")


def test_what_a_node_prints_reaches_the_cell_and_stays_with_the_node(notebook: Open) -> None:
    cells = [
        "from fuse_widgets import LocalWorkflow, workflow\n"
        "from IPython.display import HTML, display\n"
        "@workflow\ndef talk():\n    print('hello from the node')\n    display(HTML('<i>shown</i>'))\n"
        "wf = LocalWorkflow(talk())\nwf.run()",
        "tail = wf.last_run.outputs['talk_0000']; print(repr(tail.text), tail.displays[0]['text/html'])",
    ]
    book = notebook(cells)
    book.run(0, 1)
    assert "hello from the node" in book.output(0)
    assert "shown" in book.output(0)
    assert book.output(1) == r"'hello from the node\n' <i>shown</i>"


def test_a_pattern_typed_in_the_widget_highlights_its_matches_while_a_cell_blocks(notebook: Open) -> None:
    book = notebook([CHAIN, "wf.run()", "wf._dag_widget.query, wf._dag_widget.matches", OPEN_GATE])
    book.run(0)
    dag = book.dag()
    book.start(1)
    dag.wait("+d.fuseRunning === 1")
    dag.button("search").fill("d.*")
    dag.wait("+d.fuseMatches === 2")
    assert "2 of 3" in dag.root.inner_text()
    dag.button("search").fill("d.*(")
    dag.wait("root.innerText.includes('is not a regular expression')")
    assert dag.number("matches") == 2  # the last good ones
    dag.button("search").fill("d.*a")
    dag.wait("+d.fuseMatches === 1")
    dag.button("select-matches").click()
    dag.wait("+d.fuseSelected === 1")
    for _ in range(2):
        dag.button("stop").click()
    book.finished(1)
    book.run(2)
    assert book.output(2) == "('d.*a', ['data'])"


def test_keys_pressed_in_the_widget_do_nothing_to_the_notebook(notebook: Open) -> None:
    book = notebook([CHAIN, "1 + 1"])
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fusePainted > 0")
    for focus in (
        lambda: dag.click("data"),
        lambda: dag.button("fit").click(),
        lambda: dag.button("run").focus(),
    ):
        focus()
        book.page.keyboard.type("bxmd")
    assert dag.root.is_visible()
    assert book.page.locator(".jp-Notebook .jp-Cell").count() == 2
    assert book.page.locator(".jp-Notebook .jp-CodeCell").count() == 2


def test_a_message_with_wrong_types_is_answered_in_words_and_the_kernel_lives(notebook: Open) -> None:
    book = notebook([CHAIN, "wf._dag_widget.selected, wf.find_nodes()[0].name"])
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fusePainted > 0")
    dag.root.evaluate(
        "root => { root.fuse.model.set('selected', ['nobody']); root.fuse.model.save_changes(); }"
    )
    dag.wait("root.innerText.includes(\"no node 'nobody'\")")
    book.run(1)
    assert book.output(1) == "([], 'data')"
