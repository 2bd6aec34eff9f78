"""A workflow on Ray, steered from the widget: options of tasks edited in the form, two workers at once, lanes, the cluster."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

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


def test_options_are_edited_and_two_workers_run_at_once(notebook: Callable[..., Notebook]) -> None:
    book = notebook(
        [
            WORKFLOW,
            "[node.backend_info for node in wf.query('meet .')]",
            "(place / 'go').touch()",
            "print(wf.last_run.wait(60), len({e.worker for e in wf.last_run.events if e.node and e.worker}) > 1)",
            "import ray; ray.shutdown()",
        ],
        width=1500,
    )
    book.page.set_default_timeout(90_000)  # Ray takes its time to start on a busy machine
    book.run(0)
    dag = book.dag()
    dag.wait("+d.fuseNodes === 4 && +d.fusePainted > 0")

    dag.button("search").fill("meet .")
    dag.wait("+d.fuseMatches === 2")
    dag.button("select-matches").click()
    dag.button("inspector").click()
    dag.root.get_by_role("tab", name="backend_info").click()
    cpus = dag.root.locator("[data-fuse-field='remote_args.num_cpus']")
    cpus.fill("-1")
    cpus.press("Enter")
    expect(dag.root.locator(".fuse-form, .fuse-tabarea")).to_contain_text("num_cpus")
    expect(cpus).to_have_attribute("aria-invalid", "true")
    cpus.fill("0.5")
    cpus.press("Enter")
    dag.wait("+d.fuseChanged === 2")
    book.run(1)
    assert book.output(1).count("{'remote_args': {'num_cpus': 0.5}}") == 2
    dag.button("search").fill("")

    dag.button("run").click()
    dag.wait("+d.fuseRunning === 2 && +d.fuseDone === 1")
    dag.button("timeline").click()
    expect(dag.root.locator(".fuse-timeline")).to_contain_text("meet a")
    expect(dag.root.locator(".fuse-timeline")).to_contain_text("meet b")
    expect(dag.button("where")).to_contain_text("2 CPU")
    dag.click("meet a")
    dag.root.get_by_role("tab", name="Printed").click()
    expect(dag.root.locator("[data-fuse-tab='Printed']")).to_contain_text("here is a")

    book.run(2)
    dag.wait("+d.fuseDone === 4 && d.fuseRunState === 'done'")
    book.run(3, 4)
    assert book.output(3) == "42 True"
