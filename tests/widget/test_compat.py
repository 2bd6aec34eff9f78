"""What the widget room uses of ipywidgets and ipykernel beside their public names, and what happens without it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ipywidgets.widgets import widget as ipywidgets_widget

from fuse_widgets import DAGWidget, LocalWorkflow, workflow
from fuse_widgets.widget._compat import route_to_subshell
from fuse_widgets.widget.bridge import bridge

Sent = list[tuple[str, Any]]


@workflow
def one() -> int:
    return 1


@pytest.fixture
def browser() -> Callable[[], tuple[DAGWidget, Sent]]:
    """A widget whose connection is recorded: the method of each message and what it says of `selected`."""

    def make() -> tuple[DAGWidget, Sent]:
        widget, sent = DAGWidget(LocalWorkflow(one().set_name("a"))), []
        real = widget.comm.send

        def send(data: Any = None, *args: Any, **kwargs: Any) -> None:
            if "selected" in (data or {}).get("state", {}):
                sent.append((data["method"], data["state"]["selected"]))
            real(data, *args, **kwargs)

        widget.comm.send = send
        return widget, sent

    return make


def test_a_change_from_a_browser_is_echoed_once_and_not_sent_back(browser: Any) -> None:
    widget, sent = browser()
    widget.set_state({"selected": ["a"]})
    assert bridge.wait_idle()
    assert widget.selected == ["a"]
    assert sent == [("echo_update", ["a"])]


def test_without_the_flag_of_ipywidgets_nothing_is_echoed(browser: Any, monkeypatch: Any) -> None:
    monkeypatch.delattr(ipywidgets_widget, "JUPYTER_WIDGETS_ECHO")
    widget, sent = browser()
    widget.set_state({"selected": ["a"]})
    assert bridge.wait_idle()
    assert (widget.selected, sent) == (["a"], [])


def test_without_the_lock_of_ipywidgets_a_change_is_taken_and_sent_back(
    browser: Any, monkeypatch: Any
) -> None:
    monkeypatch.delattr(ipywidgets_widget.Widget, "_lock_property")
    widget, sent = browser()
    widget.set_state({"selected": ["a"]})
    assert bridge.wait_idle()
    assert widget.selected == ["a"]
    assert sent == [("echo_update", ["a"]), ("update", ["a"])]


def test_messages_go_to_the_subshell_where_ipykernel_lets_us_say_so() -> None:
    new, old = SimpleNamespace(_reply_subshell_for="main"), SimpleNamespace()
    route_to_subshell(new)
    route_to_subshell(old)
    assert new._reply_subshell_for is None
    assert vars(old) == {}


def test_the_installed_packages_have_what_is_guarded() -> None:
    """Fails when a release moves it: look at what each fallback costs, then at a new way."""
    assert hasattr(ipywidgets_widget, "JUPYTER_WIDGETS_ECHO")
    assert hasattr(ipywidgets_widget.Widget, "_lock_property")
