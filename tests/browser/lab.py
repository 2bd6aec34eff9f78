"""A real JupyterLab and a real browser, for tests, benchmarks and screenshots."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
#: Milliseconds until what has not happened is called broken: many, as the machine may be slow and busy with other tests.
PATIENCE = 120_000
#: Milliseconds until a key that changed nothing is pressed again.
KEY_LOST = 15_000
expect.set_options(timeout=PATIENCE)  # it would be 5 s
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def browser_path() -> str | None:
    """The browser that `make` found, or one of the system; None for Playwright's own."""
    noted = ROOT / ".venv" / ".browser"
    path = noted.read_text().strip() if noted.exists() else ""
    return path or next(
        (p for p in ("/usr/bin/chromium", "/usr/bin/google-chrome") if Path(p).exists()), None
    )


#: Runs in each kernel as it starts, so that `Lab.stacks` can ask what it does.
STACKS = """
import faulthandler as _faults, os as _os, signal as _signal
_faults.register(_signal.SIGUSR1, file=open(f"{folder}/{{_os.getpid()}}.stacks", "w"), all_threads=True)
del _faults, _os, _signal
"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS, timeout=PATIENCE)
        try:
            yield browser
        finally:
            browser.close()


class Lab:
    """A JupyterLab server of our own.

    Args:
        folder: Where its notebooks, settings and logs go.
        dark: Whether JupyterLab has its dark theme.
        unlimited: Let through any number of messages; by default the server drops some of more than 1,000 a second.
    """

    def __init__(self, folder: Path, *, dark: bool = False, unlimited: bool = False) -> None:
        self.folder = folder
        themes = folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
        themes.parent.mkdir(parents=True)
        themes.write_text(json.dumps({"theme": f"JupyterLab {'Dark' if dark else 'Light'}"}))
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self.token = uuid.uuid4().hex
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_PREFER_ENV_PATH": "1",
        }
        startup = folder / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "stacks.py").write_text(STACKS.format(folder=str(folder)))
        limit = "--ZMQChannelsWebsocketConnection.iopub_{}_rate_limit=1e12"
        self._log = (folder / "lab.log").open("w")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={self.port}",
                "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.notebooks}", "--LabApp.news_url=", "--LabApp.check_for_updates_class="
                "jupyterlab.NeverCheckForUpdate", "--LabApp.expose_app_in_browser=True",
                *([limit.format("msg"), limit.format("data")] if unlimited else ()),
            ],
            stdout=self._log, stderr=subprocess.STDOUT, env=environment, cwd=self.notebooks,
        )  # fmt: skip
        self._wait_until_up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def api(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Ask the server's REST interface."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=PATIENCE / 1000) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def write(self, cells: list[str], *, kernel: str = "python3") -> str:
        """Write a notebook with these code cells and start a kernel for it; returns its name."""
        name = f"{uuid.uuid4().hex[:8]}.ipynb"
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
            "cells": [
                {
                    "cell_type": "code", "id": f"cell-{number}", "metadata": {}, "outputs": [],
                    "execution_count": None, "source": source,
                }
                for number, source in enumerate(cells)
            ],
        }  # fmt: skip
        (self.notebooks / name).write_text(json.dumps(notebook))
        self.start_kernel(name, kernel)
        return name

    def start_kernel(self, name: str, kernel: str = "python3") -> None:
        """Start a kernel for a notebook in this server's folder."""
        session = {"path": name, "name": name, "type": "notebook", "kernel": {"name": kernel}}
        self.api("sessions", "POST", session)  # with a kernel there, JupyterLab does not ask for one

    def need_kernel(self, name: str) -> None:
        """Install a kernel with another ipykernel, named like `ipykernel-7.3`, into this server's data folder."""
        packages = self.folder / name
        if packages.exists():
            return
        version = name.removeprefix("ipykernel-")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={packages}", f"ipykernel=={version}.*"],
            check=True,
        )  # fmt: skip
        spec = self.folder / "data" / "kernels" / name
        spec.mkdir(parents=True)
        (spec / "kernel.json").write_text(
            json.dumps(
                {
                    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                    "display_name": name,
                    "language": "python",
                    "env": {"PYTHONPATH": os.pathsep.join([str(packages), *_python_path()])},
                    "metadata": {"debugger": False},
                }
            )
        )

    def stacks(self) -> str:
        """What all threads of all kernels do at present."""
        found = []
        for path in self.folder.glob("*.stacks"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.stem), signal.SIGUSR1)
                time.sleep(0.5)  # it has no other way to say that it has written
                found.append(f"kernel {path.stem}:\n{path.read_text()}")
        return "\n".join(found)

    def stop_kernels(self) -> None:
        """End all kernels."""
        for session in self.api("sessions"):
            with contextlib.suppress(OSError):
                self.api(f"sessions/{session['id']}", "DELETE")

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()

    def _wait_until_up(self) -> None:
        end = time.monotonic() + PATIENCE / 1000
        while True:
            try:
                self.api("status")
                return
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > end:
                    log = (self.folder / "lab.log").read_text()[-4000:]
                    raise RuntimeError(f"JupyterLab did not start: {error}\n{log}") from error
                time.sleep(0.1)


def _python_path() -> list[str]:
    """Where this process was told to find packages; its kernels shall find the same."""
    return list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))


class Notebook:
    """A notebook that is open in JupyterLab, as a person sees it.

    Args:
        lab, page: The server, and a page: one without anything, or one whose notebook was closed.
        cells: Code cells to write it with; None for one that is there, called `name`.
        kernel: The kernel's name.
    """

    def __init__(
        self, lab: Lab, page: Page, cells: list[str] | None = None, *, name: str = "", kernel: str = "python3"
    ) -> None:
        self.lab, self.page = lab, page
        self.name = name if cells is None else lab.write(cells, kernel=kernel)
        self.problems: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        if page.url.startswith(lab.url):
            page.evaluate("path => jupyterapp.commands.execute('docmanager:open', { path })", self.name)
            self._ready()
        else:
            self.load()

    def load(self) -> None:
        """Open the notebook, or reload its page."""
        self.page.goto(f"{self.lab.url}/lab/tree/{self.name}?token={self.lab.token}&reset")
        self._ready()

    def close(self) -> bool:
        """Close what is open in JupyterLab, saved or not. Whether the page can show another notebook then."""
        self.page.mouse.move(0, 0)
        self.page.evaluate("for (const open of [...jupyterapp.shell.widgets('main')]) open.dispose()")
        return self.page.locator(".jp-Dialog").count() == 0

    def _ready(self) -> None:
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        # A cell that is run before its kernel is connected makes JupyterLab ask for one.
        self.page.locator(".jp-Toolbar-kernelName").filter(has_not_text="No Kernel").wait_for()
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for()

    def code_cells(self) -> dict[int, str]:
        """The code cells of the notebook's file: number among all cells, and source."""
        cells = json.loads((self.lab.notebooks / self.name).read_text())["cells"]
        return {n: "".join(cell["source"]) for n, cell in enumerate(cells) if cell["cell_type"] == "code"}

    def cell(self, number: int) -> Locator:
        """A cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def start(self, number: int) -> None:
        """Click into a cell and run it; does not wait for its end."""
        before = self.prompt(number)
        for attempt in (1, 2):  # the first key can be lost while JupyterLab is still busy with itself
            self.cell(number).locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")
            try:
                prompt = self.cell(number).locator(".jp-InputPrompt")
                expect(prompt).not_to_have_text(before, timeout=KEY_LOST if attempt == 1 else PATIENCE)
                return
            except AssertionError:
                if attempt == 2:
                    raise

    def run(self, *numbers: int) -> None:
        """Run cells one after another, and wait for each."""
        for number in numbers:
            before = self.prompt(number)
            self.start(number)
            self.finished(number, before)

    def finished(self, number: int, before: str = "") -> None:
        """Wait until a cell that was started has ended."""
        self.page.wait_for_function(
            "([cell, before]) => { const t = document.querySelectorAll('.jp-Notebook .jp-Cell')[cell]"
            ".querySelector('.jp-InputPrompt').textContent; return /\\[\\d+\\]/.test(t) && t !== before; }",
            arg=[number, before],
        )

    def prompt(self, number: int) -> str:
        """The cell's prompt, such as `[3]:`."""
        return self.cell(number).locator(".jp-InputPrompt").inner_text()

    def describe(self) -> str:
        """What a person sees of the cells and the kernel, in words."""
        cells = [
            f"{cell.locator('.jp-InputPrompt').inner_text()} {cell.locator('.jp-OutputArea-output').all_inner_texts()}"
            for cell in self.page.locator(".jp-Notebook .jp-Cell").all()
        ]
        return "\n".join([*cells, self.page.locator("#jp-main-statusbar").inner_text()])

    def output(self, number: int) -> str:
        """The text that a cell has put out; waits until there is some."""
        outputs = self.cell(number).locator(".jp-OutputArea-output")
        outputs.first.wait_for()
        return "\n".join(outputs.all_inner_texts()).strip()

    def dag(self, nth: int = 0) -> Dag:
        """The nth widget of the page."""
        root = self.page.locator("[data-fuse-view='dag']").nth(nth)
        root.wait_for()
        return Dag(self.page, root)


class Dag:
    """A DAGWidget on the page."""

    def __init__(self, page: Page, root: Locator) -> None:
        self.page, self.root = page, root

    def number(self, what: str) -> int:
        """A count as painted, such as `done`, `failed` or `nodes`."""
        return int(self.root.get_attribute(f"data-fuse-{what}") or 0)

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript condition over `d`, the element's dataset, holds: `+d.fuseDone === 3`."""
        handle = self.root.element_handle()
        self.page.wait_for_function(f"root => {{ const d = root.dataset; return {condition}; }}", arg=handle)

    def button(self, role: str) -> Locator:
        """A button or field by its role."""
        return self.root.locator(f"[data-fuse-role='{role}']")

    def centre(self, name: str) -> dict[str, float]:
        """Where a node is on the page; scrolls there."""
        self.root.scroll_into_view_if_needed()
        return self.root.evaluate("(root, name) => root.fuse.nodeCentre(name)", name)

    def told_by_bars(self) -> set[str]:
        """What the timeline says of its bars, wherever the mouse is over it."""
        lanes = self.root.locator(".fuse-lanes")
        lanes.scroll_into_view_if_needed()
        box = lanes.bounding_box()
        assert box is not None
        told = set()
        for y in range(10, int(box["height"]) - 20, 20):
            for x in range(130, int(box["width"]), 12):
                self.page.mouse.move(box["x"] + x, box["y"] + y)
                told.add(lanes.get_attribute("title") or "")
        return told

    def click(self, name: str, **options: Any) -> None:
        """Click a node."""
        centre = self.centre(name)
        self.page.mouse.click(centre["x"], centre["y"], **options)

    def hover(self, name: str) -> None:
        """Move the mouse over a node."""
        centre = self.centre(name)
        self.page.mouse.move(centre["x"], centre["y"], steps=3)
