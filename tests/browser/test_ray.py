"""A workflow on Ray, steered from the widget: options of tasks edited in the form, two workers at once, one that is lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Two nodes that wait for each other, so that both run at the same time or the test ends without them.
WORKFLOW = """
import pathlib, tempfile, time
from fuse_widgets import RayWorkflow, workflow
place = pathlib.Path(tempfile.mkdtemp())

@workflow
def load():
    return 20

@workflow
def meet(x, me, other):
    print("here is", me)
    (place / me).touch()
    while not (place / other).exists() or not (place / "go").exists():
        time.sleep(0.02)
    return x + 1

@workflow
def both(a, b):
    return a + b

data = load().set_name("data")
a = meet(data, "a", "b").set_name("meet a")
b = meet(data, "b", "a").set_name("meet b")
wf = RayWorkflow(both(a, b).set_name("both"), workflow_name="on ray",
                 ray_init_args={"address": "local", "num_cpus": 2, "include_dashboard": False, "log_to_driver": False})
wf
"""


#: Kills the worker that has "meet a", and says which one it was.
KILL = """
import os, signal
last = [e for e in wf.last_run.events if e.node == "meet a" and e.worker][-1]
os.kill(last.detail["pid"], signal.SIGKILL)
print(last.worker)
"""


def test_options_are_edited_and_two_workers_run_at_once(notebook: Callable[..., Notebook]) -> None:
    book = notebook(
        [
            WORKFLOW,
            "a.backend_info['remote_args'] = {'resources': {}, 'retry_exceptions': [OSError]}",
            "print([node.backend_info for node in wf.query('meet .')])",
            KILL,
            "(place / 'go').touch()",
            "print(wf.last_run.wait(120), len({e.worker for e in wf.last_run.events if e.node and e.worker}) > 1)",
            "import ray; ray.shutdown()",
        ],
        width=1500,
    )
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fuseNodes === 4 && +d.fusePainted > 0")
    book.run(1)

    dag.button("search").fill("meet .")
    dag.wait("+d.fuseMatches === 2")
    dag.button("select-matches").click()
    dag.button("inspector").click()
    dag.root.get_by_role("tab", name="backend_info").click()

    def field(name: str) -> Locator:
        return dag.root.locator(f"[data-fuse-field='remote_args.{name}']")

    cpus = field("num_cpus")
    cpus.fill("-1")
    cpus.press("Enter")
    expect(cpus).to_have_attribute("aria-invalid", "true")
    cpus.fill("0.5")
    cpus.press("Enter")
    dag.wait("+d.fuseChanged === 2")
    expect(field("retry_exceptions")).to_contain_text("OSError")  # no JSON: shown, and kept
    field("scheduling_strategy").select_option(label="SPREAD")
    expect(field("scheduling_strategy")).to_have_value('"SPREAD"')
    book.run(2)
    both = "'num_cpus': 0.5, 'scheduling_strategy': 'SPREAD'}}"
    assert book.output(2) == (
        f"[{{'remote_args': {{'resources': {{}}, 'retry_exceptions': [<class 'OSError'>], {both}, "
        f"{{'remote_args': {{{both}]"
    )
    dag.button("search").fill("")

    dag.button("run").click()
    dag.wait("+d.fuseRunning === 2 && +d.fuseDone === 1")
    dag.button("timeline").click()
    lanes = dag.root.locator(".fuse-timeline .fuse-spoken")  # what the canvas shows
    expect(lanes).to_contain_text(": meet a")
    expect(lanes).to_contain_text(": meet b")
    at = {node: worker for worker, node in re.findall(r"(\S+:\d+): (meet .)", lanes.inner_text())}
    assert set(at) == {"meet a", "meet b"}
    assert at["meet a"] != at["meet b"]
    expect(dag.button("where")).to_have_text("1 machine, 2 CPUs")
    dag.click("meet a")
    head = dag.root.locator(".fuse-head")
    expect(head).to_contain_text(at["meet a"])
    expect(head).to_contain_text("attempt 1")
    dag.root.get_by_role("tab", name="Output").click()
    expect(dag.root.locator("[data-fuse-tab='Output']")).to_contain_text("here is a")

    book.run(3)
    assert at["meet a"] in book.output(3).splitlines()  # Ray may say there as well that a worker died
    expect(head).to_contain_text("attempt 2")
    expect(head).not_to_contain_text(at["meet a"])
    expect(head).to_contain_text("tried again: ")
    expect(lanes).to_contain_text(f"{at['meet b']}: meet b")
    told = f"meet a runs again (attempt 2), after its worker was lost ({at['meet a']})"
    expect(dag.button("notice")).to_have_text(told)

    book.run(4)
    dag.wait("+d.fuseDone === 4 && d.fuseRunState === 'done'")
    expect(dag.button("notice")).not_to_contain_text("attempt 2")
    assert any("meet a" in said and "attempt 1: its worker was lost" in said for said in dag.told_by_bars())
    book.run(5, 6)
    assert book.output(5) == "42 True"
