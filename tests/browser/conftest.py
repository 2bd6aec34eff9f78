"""One JupyterLab, browser and page for all browser tests; each test has a notebook and a kernel of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest
from playwright.sync_api import Browser, Page

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


@pytest.fixture(scope="package")
def free(chromium: Browser) -> list[Page]:
    """Pages with a JupyterLab that shows nothing: to load one takes longer than most tests."""
    return []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(FAILED, False)
    item.stash[FAILED] = item.stash[FAILED] or report.failed
    return report


@pytest.fixture
def notebook(
    lab: Lab, chromium: Browser, free: list[Page], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook with the given cells; fails the test where the page had an error nobody caught.

    With `alone` in a page that no other test uses.
    """
    opened: list[Notebook] = []
    kept_apart: list[Notebook] = []

    def open_notebook(
        cells: list[str],
        *,
        width: int = 1200,
        height: int = 900,
        kernel: str = "python3",
        alone: bool = False,
    ) -> Notebook:
        page = free.pop() if free and not alone else chromium.new_context().new_page()
        page.set_viewport_size({"width": width, "height": height})
        opened.append(Notebook(lab, page, cells, kernel=kernel))
        kept_apart.extend(opened[-1:] if alone else ())
        return opened[-1]

    yield open_notebook
    failed = request.node.stash.get(FAILED, False)
    if failed:
        pictures = ROOT / "build" / "browser-failures"
        for number, book in enumerate(opened):
            book.page.screenshot(path=pictures / f"{request.node.name}-{number}.png")
            print(book.describe())
        print(lab.stacks())
    for book in opened:
        page, usable = book.page, not failed and not free and book not in kept_apart
        if usable and book.close() and len(page.context.pages) == 1:
            free.append(page)
        else:
            page.context.close()
    lab.stop_kernels()
    for book in opened:
        assert book.problems == []
