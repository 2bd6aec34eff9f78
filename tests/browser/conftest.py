"""One JupyterLab, one browser and mostly one page for all browser tests; each test has notebooks and kernels of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.lab import ROOT, Lab, Notebook
from tests.browser.lab import chromium as open_chromium

#: Whether a part of the test has failed; then its pages are kept as pictures.
FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def warm() -> list[Page]:
    """The page of a test that has ended well, for the next one to go on with; at most one."""
    return []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(FAILED, False)
    item.stash[FAILED] = item.stash[FAILED] or report.failed
    return report


@pytest.fixture
def notebook(
    lab: Lab, chromium: Browser, warm: list[Page], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook with the given cells; fails the test where the page had an error nobody caught.

    `fresh` is for what JupyterLab reads as it starts: a page that no other test has had, nor gets.
    """
    opened: list[Notebook] = []
    fresh_ones: list[Notebook] = []

    def open_notebook(
        cells: list[str],
        *,
        width: int = 1200,
        height: int = 900,
        kernel: str = "python3",
        fresh: bool = False,
    ) -> Notebook:
        page = warm.pop() if warm and not fresh else chromium.new_context().new_page()
        page.set_viewport_size({"width": width, "height": height})
        opened.append(Notebook(lab, page, cells, kernel=kernel))
        if fresh:
            fresh_ones.append(opened[-1])
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
        if not (failed or warm or book in fresh_ones) and book.leave():
            warm.append(book.page)
        else:
            book.page.context.close()
    lab.stop_kernels()
    for book in opened:
        assert book.problems == []
