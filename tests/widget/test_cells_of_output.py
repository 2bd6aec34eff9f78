"""In a real kernel: what the nodes of a background run print and display reaches the cell that began it, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

SETUP = """
import threading
from IPython.display import HTML, display
from fuse_widgets import LocalWorkflow, workflow
from fuse_widgets.engine.output import in_no_cell

other_cell = threading.Event()

@workflow
def talk():
    other_cell.wait(30)
    print("printed")
    display(HTML("<b>displayed</b>"))

def make(executor):
    other_cell.clear()
    return LocalWorkflow(talk().set_name(f"talk {executor}"), executor=executor)
"""
OTHER = "other_cell.set(); run.wait(30); print('own')"


class Kernel:
    """A kernel, and what each of its cells has put out."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.outputs: dict[str, list[Any]] = defaultdict(list)

    def run(self, code: str) -> str:
        """Run a cell; returns its number."""
        cell = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            parent, content = message["parent_header"].get("msg_id"), message["content"]
            if message["msg_type"] == "status":
                if content["execution_state"] == "idle" and parent == cell:
                    return str(cell)
            elif message["msg_type"] == "stream":
                self.outputs[parent].append(content["text"])
            elif message["msg_type"] == "display_data":
                self.outputs[parent].append(content["data"]["text/html"])
            elif message["msg_type"] == "error":
                self.outputs[parent].append(f"{content['ename']}: {content['evalue']}")


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel()
    kernel = Kernel(client)
    cell = kernel.run(SETUP)
    assert kernel.outputs[cell] == []
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_start_prints_into_its_own_cell_also_while_another_runs(kernel: Kernel, executor: str) -> None:
    first = kernel.run(f"run = make({executor!r}).start()")
    second = kernel.run(OTHER)
    kernel.run("import sys; sys.stdout.flush()")
    assert kernel.outputs[second] == ["own\n"]
    assert "".join(kernel.outputs[first]) == "printed\n<b>displayed</b>"


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_run_without_a_cell_prints_into_none(kernel: Kernel, executor: str) -> None:
    first = kernel.run(f"with in_no_cell(): run = make({executor!r}).start()")
    second = kernel.run(OTHER)
    kept = kernel.run(
        f"print(run.outputs['talk {executor}'].text, len(run.outputs['talk {executor}'].displays))"
    )
    assert (kernel.outputs[first], kernel.outputs[second]) == ([], ["own\n"])
    assert "".join(kernel.outputs[kept]) == "printed\n 1\n"


def test_input_in_a_background_run_says_to_run_it_from_a_cell(kernel: Kernel) -> None:
    cell = kernel.run("LocalWorkflow(workflow(lambda: input())().set_name('asks')).start().wait(30)")
    (error,) = kernel.outputs[cell]
    assert error.endswith(
        "node 'asks' asks for input, and no cell waits for its run: call workflow.run() in a cell"
    )
