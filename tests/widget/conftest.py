"""What all tests of widgets share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ipywidgets import Widget


@pytest.fixture(autouse=True)
def close_widgets() -> Iterator[None]:
    """Leave no widget to the next test."""
    yield
    Widget.close_all()
