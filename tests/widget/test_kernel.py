"""In a real kernel: interrupts end runs, outputs are renewed, and nothing lands in a later cell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

SETUP = """
import threading, time
from fuse_widgets import DAGWidget, LocalWorkflow, RunCancelledError, workflow
go = threading.Event()
def loops():
    while True:
        try:
            while not go.is_set():
                time.sleep(0.001)
            print("late")
            return "late"
        except BaseException:
            pass
def listens():
    while not go.is_set():
        pass
"""


class Kernel:
    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def start(self, code: str, cell: str = "") -> str:
        """Begin to run a cell, as a person does."""
        message = self.client.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": True,
            },
            metadata={"cellId": cell} if cell else {},
        )
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(self, number: str) -> list[dict[str, Any]]:
        """What a cell put out, once it has ended."""
        found: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return found
            if kind not in ("status", "execute_input"):
                found.append({"kind": kind, **content})

    def run(self, code: str, cell: str = "") -> str:
        """The text that a cell prints; fails if it raises."""
        found = self.finish(self.start(code, cell))
        errors = ["\n".join(one["traceback"]) for one in found if one["kind"] == "error"]
        assert not errors, errors[0]
        return "".join(one["text"] for one in found if one["kind"] == "stream")


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(extra_arguments=["--IPKernelApp.log_level=ERROR"])
    kernel = Kernel(manager, client)
    kernel.run(SETUP)
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_kernel_s_interrupt_ends_a_run_in_the_background(kernel: Kernel) -> None:
    kernel.run("run = LocalWorkflow(workflow(listens)().set_name('fit')).start()")
    kernel.manager.interrupt_kernel()
    code = "try: run.wait(20)\nexcept RunCancelledError: print(run.states['fit'])"
    assert kernel.run(code) == "cancelled\n"
    kernel.manager.interrupt_kernel()  # nothing runs, and nothing comes of it
    assert kernel.run("print(1)") == "1\n"


def test_stop_and_the_kernel_s_interrupt_free_the_cell_whatever_the_thread_does(kernel: Kernel) -> None:
    kernel.run("wf = LocalWorkflow(workflow(loops)().set_name('fit'), executor='thread')")
    stop = """
def stop():
    while wf.active_run is None or wf.active_run.states["fit"] != "running": time.sleep(0.01)
    wf.active_run.cancel()
    print("stopped", flush=True)
threading.Thread(target=stop).start()
wf.run()
"""
    number = kernel.start(stop)
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if "stopped" in str(message["content"].get("text")):
            break
    began = time.monotonic()
    kernel.manager.interrupt_kernel()
    found = kernel.finish(number)
    assert time.monotonic() - began < 4
    assert [one["ename"] for one in found if one["kind"] == "error"] == ["KeyboardInterrupt"]
    assert "'fit' still runs in thread 1" in str(found)
    later = """
print("later")
go.set()
while wf.last_run.events[-1].detail != {"notice": ""}: time.sleep(0.01)
print(wf.last_run.outputs["fit"].text, end="")
wf.find_nodes()[0].func = lambda: "new"
print(wf.run())
go.clear()
"""
    assert kernel.run(later) == "later\nlate\nnew\n"


INTERACT = """
from ipywidgets import interact
from ipywidgets.widgets.widget import _instances
def build(n):
    return LocalWorkflow(workflow(lambda n: n)(n))
slider = interact(build, n=(0, 60)).widget
"""
MOVE = """
for n in range(1, 51): slider.children[0].value = n
print(sum(isinstance(one, DAGWidget) for one in _instances.values()))
"""


def test_fifty_rebuilds_by_interact_leave_one_widget(kernel: Kernel) -> None:
    kernel.run(INTERACT, "interact")
    assert kernel.run(MOVE, "move") == "1\n"
    kernel.run("slider.close(); [one.close() for one in list(_instances.values())]")


def test_the_output_of_another_cell_shows_the_end_of_the_run(kernel: Kernel) -> None:
    kernel.run("shown = LocalWorkflow(workflow(lambda: 1)().set_name('fit'), workflow_name='shown')")
    found = kernel.finish(kernel.start("shown", "first"))
    (first,) = [one for one in found if one["kind"] == "display_data"]
    name = first["transient"]["display_id"]
    view = "application/vnd.jupyter.widget-view+json"
    assert "1 pending" in first["data"]["text/html"]
    for code in ("shown.run()", "shown.start().wait()"):
        updates = [
            one for one in kernel.finish(kernel.start(code, "second")) if one["kind"] == "update_display_data"
        ]
        assert updates[-1]["transient"]["display_id"] == name
        assert "1 done" in updates[-1]["data"]["text/html"]
        assert updates[-1]["data"][view] == first["data"][view]
