"""One JupyterLab and one browser for all browser tests; each test has a page and a kernel of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.lab import ROOT, Lab, Notebook
from tests.browser.lab import chromium as open_chromium

#: Whether a part of the test has failed; then its pages are kept as pictures.
FAILED = pytest.StashKey[bool]()


# For this package alone: Playwright keeps an event loop running, and tests that start one of their own may follow.
@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(FAILED, False)
    item.stash[FAILED] = item.stash[FAILED] or report.failed
    return report


@pytest.fixture
def notebook(
    lab: Lab, chromium: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook with the given cells; fails the test where the page had an error nobody caught."""
    contexts: list[BrowserContext] = []
    opened: list[Notebook] = []

    def open_notebook(
        cells: list[str], *, width: int = 1200, height: int = 900, kernel: str = "python3"
    ) -> Notebook:
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        opened.append(Notebook(lab, context.new_page(), cells, kernel=kernel))
        return opened[-1]

    yield open_notebook
    if request.node.stash.get(FAILED, False):
        pictures = ROOT / "build" / "browser-failures"
        for number, book in enumerate(opened):
            book.page.screenshot(path=pictures / f"{request.node.name}-{number}.png")
            print(book.describe())
        print(lab.stacks())
    for context in contexts:
        context.close()
    lab.stop_kernels()
    for book in opened:
        assert book.problems == []
