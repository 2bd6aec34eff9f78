"""Finding one's way in a real JupyterLab, and what the widget knows of the kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.lab import Dag, Notebook
from tests.browser.test_widget import CHAIN, OPEN_GATE

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

#: A thousand nodes in 25 layers, one layer feeding the next.
THOUSAND = """
from fuse_widgets import DAGWidget, LocalWorkflow, workflow

@workflow
def step(*before):
    return len(before)

layer = []
for depth in range(25):
    layer = [step(*layer[k : k + 2]).set_name(f"{depth:02d}-{k:02d}") for k in range(40)]
import inspect
plain = {"collapsed": []} if "collapsed" in inspect.signature(DAGWidget).parameters else {}
widget = DAGWidget(LocalWorkflow(*layer, workflow_name="thousand"), height=480, **plain)
widget
"""
#: Blocks the main thread until the gate is open.
BLOCK = "while not gate.exists(): time.sleep(0.01)"


def shown(book: Notebook, cell: int = 0) -> Dag:
    book.run(cell)
    dag = book.dag()
    dag.wait("+d.fusePainted > 0")
    dag.root.scroll_into_view_if_needed()
    return dag


def kernel_says(dag: Dag, text: str) -> None:
    dag.button("kernel").filter(has_text=text).wait_for()


def middle(dag: Dag) -> dict[str, float]:
    box = dag.root.locator(".fuse-stage").bounding_box()
    assert box
    return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


def test_a_rectangle_drawn_with_shift_selects_what_it_touches(notebook: Open) -> None:
    book = notebook([CHAIN, "wf._dag_widget.selected"])
    dag = shown(book)
    first, second = dag.centre("data"), dag.centre("wait here")
    mouse = book.page.mouse
    book.page.keyboard.down("Shift")
    mouse.move(first["x"], first["y"] + 40)
    mouse.down()
    mouse.move(second["x"], second["y"] - 40, steps=5)
    assert dag.root.locator(".fuse-band").is_visible()
    mouse.up()
    book.page.keyboard.up("Shift")
    dag.wait("+d.fuseSelected === 2")
    assert dag.root.locator(".fuse-band").is_hidden()
    book.page.keyboard.down("Control")
    dag.click("double")
    dag.click("data")
    book.page.keyboard.up("Control")
    dag.wait("+d.fuseSelected === 2")
    book.run(1)
    assert book.output(1) == "['wait here', 'double']"


def test_a_double_click_centres_a_node_and_beside_the_nodes_fits_the_graph(notebook: Open) -> None:
    dag = shown(notebook([THOUSAND]))
    whole = dag.root.evaluate("root => root.fuse.zoom()")
    at = dag.centre("12-20")
    dag.page.mouse.dblclick(at["x"], at["y"])
    dag.wait("root.fuse.zoom() >= 0.8")
    there, wanted = dag.centre("12-20"), middle(dag)
    assert abs(there["x"] - wanted["x"]) < 2
    assert abs(there["y"] - wanted["y"]) < 2
    assert dag.number("selected") == 1
    between = {"x": there["x"], "y": (there["y"] + dag.centre("12-21")["y"]) / 2}
    dag.page.mouse.dblclick(between["x"], between["y"])
    dag.wait(f"Math.abs(root.fuse.zoom() - {whole}) < 0.02")


def test_the_menu_selects_descendants_and_the_path_between_two_nodes(notebook: Open) -> None:
    book = notebook([CHAIN, "wf._dag_widget.selected"])
    dag = shown(book)
    dag.click("data", button="right")
    menu = dag.root.get_by_role("menu")
    menu.wait_for()
    inside, root = menu.bounding_box(), dag.root.bounding_box()
    assert inside
    assert root
    assert inside["y"] >= root["y"]
    assert inside["y"] + inside["height"] <= root["y"] + root["height"]
    dag.button("menu-descendants").click()
    dag.wait("+d.fuseSelected === 2")
    menu.wait_for(state="hidden")
    dag.click("data")
    book.page.keyboard.down("Shift")
    dag.click("double")
    book.page.keyboard.up("Shift")
    dag.button("selection").click()
    book.page.keyboard.press("ArrowUp")
    book.page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    dag.button("selection").click()
    dag.button("menu-path").click()
    dag.wait("+d.fuseSelected === 3")
    book.run(1)
    assert book.output(1) == "['data', 'wait here', 'double']"


def test_the_small_map_moves_the_view_and_is_there_only_where_it_is_needed(notebook: Open) -> None:
    dag = shown(notebook([THOUSAND]))
    small = dag.button("minimap")
    assert small.is_hidden()
    dag.root.locator(".fuse-stage").focus()
    for _ in range(8):
        dag.page.keyboard.press("+")
    small.wait_for()
    before = dag.centre("12-20")
    window, box = small.locator(".fuse-window").bounding_box(), small.bounding_box()
    assert window
    assert box
    start = {"x": window["x"] + window["width"] / 2, "y": window["y"] + window["height"] / 2}
    dag.page.mouse.move(start["x"], start["y"])
    dag.page.mouse.down()
    dag.page.mouse.move(start["x"] - 40, start["y"] - 10, steps=4)
    dag.page.mouse.up()
    after = dag.centre("12-20")
    assert after["x"] > before["x"] + 200
    assert after["y"] > before["y"] + 10
    dag.page.mouse.click(box["x"] + box["width"] - 6, box["y"] + box["height"] - 6)
    last, wanted = dag.centre("24-39"), middle(dag)
    assert abs(last["x"] - wanted["x"]) < 400
    assert dag.number("selected") == 0
    dag.button("fit").click()
    small.wait_for(state="hidden")


def test_during_a_blocking_cell_the_view_goes_on_and_commands_are_done(notebook: Open) -> None:
    book = notebook([CHAIN, BLOCK])
    dag = shown(book)
    kernel_says(dag, "kernel idle · live")
    book.start(1)
    kernel_says(dag, "kernel busy · live")
    dag.button("run").click()  # handled in a subshell, beside the cell
    dag.wait("+d.fuseRunning === 1")
    dag.button("pause").click()
    dag.wait("d.fuseRunState === 'paused'")
    kernel_says(dag, "kernel busy · live")
    before = dag.centre("data")
    stage = middle(dag)
    dag.page.mouse.move(stage["x"], stage["y"] + 60)
    dag.page.mouse.down()
    dag.page.mouse.move(stage["x"] + 50, stage["y"] + 60, steps=3)
    dag.page.mouse.up()
    assert dag.centre("data")["x"] == before["x"] + 50
    dag.click("wait here")
    dag.wait("+d.fuseSelected === 1")
    assert book.prompt(1) == "[*]:"
    for _ in range(2):
        dag.button("stop").click()
    dag.wait("d.fuseRunState === 'cancelled'")
    session = next(one for one in book.lab.api("sessions") if one["path"] == book.name)
    book.lab.api(f"kernels/{session['kernel']['id']}/interrupt", "POST")
    kernel_says(dag, "kernel idle · live")


def test_a_run_in_the_background_leaves_the_kernel_idle_and_one_in_a_cell_does_not(notebook: Open) -> None:
    book = notebook([CHAIN, OPEN_GATE + "; gate.unlink()", "_ = wf.start()", "wf.run()", OPEN_GATE])
    dag = shown(book)
    book.run(2)
    dag.wait("+d.fuseRunning === 1")
    kernel_says(dag, "kernel idle · live")
    book.run(4)
    dag.wait("+d.fuseDone === 3")
    book.run(1)
    book.start(3)
    dag.wait("+d.fuseRunning === 1")
    kernel_says(dag, "kernel busy · live")
    dag.button("stop").click()
    dag.button("stop").click()
    dag.wait("d.fuseRunState === 'cancelled'")
    kernel_says(dag, "kernel idle · live")


def test_after_a_restart_what_was_known_stays_and_the_way_out_is_told(notebook: Open) -> None:
    book = notebook([CHAIN])
    dag = shown(book)
    dag.button("run").click()
    dag.wait("+d.fuseRunning === 1")
    session = next(one for one in book.lab.api("sessions") if one["path"] == book.name)
    book.lab.api(f"kernels/{session['kernel']['id']}/restart", "POST")
    kernel_says(dag, "kernel restarted · last known")
    dag.wait("+d.fuseDone === 1")  # what waits may be cancelled by the kernel's end, or not be told of it
    for role in ("run", "stop", "pause", "step", "direction"):
        assert dag.button(role).is_disabled(), role
        assert "run the cell again" in (dag.button(role).get_attribute("title") or "")
    assert "run the cell again" in dag.button("notice").inner_text()
    dag.click("wait here")
    dag.wait("+d.fuseSelected === 1")
    dag.button("search").fill("d.*")
    dag.button("fit").click()
    book.start(0)
    book.dag().wait("+d.fusePainted > 0 && +d.fuseDone === 0 && +d.fuseNodes === 3")
    kernel_says(book.dag(), "kernel idle · live")


def test_without_a_kernel_it_says_so(notebook: Open) -> None:
    book = notebook([CHAIN])
    dag = shown(book)
    session = next(one for one in book.lab.api("sessions") if one["path"] == book.name)
    book.lab.api(f"kernels/{session['kernel']['id']}", "DELETE")
    kernel_says(dag, "kernel gone · last known")
    dag.click("data")
    dag.wait("+d.fuseSelected === 1")
    assert dag.button("run").is_disabled()
