"""One JupyterLab and one browser for all browser tests; each test has a page and a kernel of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.lab import Lab, Notebook
from tests.browser.lab import chromium as open_chromium


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def notebook(lab: Lab, chromium: Browser) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook with the given cells; fails the test where the page had an error nobody caught."""
    contexts: list[BrowserContext] = []
    opened: list[Notebook] = []

    def open_notebook(cells: list[str], *, width: int = 1200, height: int = 900, kernel: str = "python3") -> Notebook:
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        opened.append(Notebook(lab, context.new_page(), cells, kernel=kernel))
        return opened[-1]

    yield open_notebook
    for context in contexts:
        context.close()
    lab.stop_kernels()
    for book in opened:
        assert book.problems == []
