"""What is private in other packages may be gone in a later version: what breaks then, and what goes on."""

from __future__ import annotations

import atexit
import ctypes
import io
import sys
import threading
import types
from collections import OrderedDict
from typing import Any

import pytest

from fuse_widgets import _compat as package
from fuse_widgets.backends import _compat as backends
from fuse_widgets.backends import _displays


def module(**names: Any) -> Any:
    return types.SimpleNamespace(**names)


def test_without_the_kernels_own_handler_an_idle_interrupt_does_not_reach_runs_in_the_background() -> None:
    def handler(number: int, frame: Any) -> None: ...

    kernel = module(saved_sigint_handler=None)
    assert package.on_idle_interrupt(module(kernel=kernel), handler)
    assert kernel.saved_sigint_handler is handler
    for shell in (module(), module(kernel=None), module(kernel=module())):
        assert not package.on_idle_interrupt(shell, handler)


@pytest.mark.parametrize("gone", ["parent_header", "register_hook"])
def test_without_the_header_of_a_stream_displays_go_to_the_cell_that_runs(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[Any] = []
    names = {"register_hook": hooks.append, "unregister_hook": hooks.remove}
    publisher = module(**{name: value for name, value in names.items() if name != gone})
    monkeypatch.setattr(
        sys, "stdout", module(**({} if gone == "parent_header" else {"parent_header": {"id": 1}}))
    )
    with package.in_cell_of_context(publisher):
        assert hooks == []
    monkeypatch.setattr(sys, "stdout", module(parent_header={"id": 1}))
    with package.in_cell_of_context(module(**names)):
        assert hooks[0]({"a": 1}) == {"a": 1, "parent_header": {"id": 1}}
    assert hooks == []


@pytest.mark.parametrize(
    "helpers", [None, module(), module(Gcf=None), module(Gcf=module()), module(Gcf=module(figs={}))]
)
def test_without_the_list_of_figures_nodes_share_it_and_nothing_is_shown(
    helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib._pylab_helpers", helpers)
    monkeypatch.setitem(sys.modules, "matplotlib_inline.backend_inline", module())
    assert not package.separate_figures(lambda making: None)
    package.show_figures()
    backends.close_figures()


def test_the_list_of_figures_is_separated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = module(figs=OrderedDict())
    monkeypatch.setitem(sys.modules, "matplotlib._pylab_helpers", module(Gcf=manager))
    assert package.separate_figures(lambda making: None)
    separated = manager.figs
    assert package.separate_figures(lambda making: None)
    assert manager.figs is separated


def test_without_the_settings_of_matplotlib_figures_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", module())
    assert package._backend() == ""


def test_without_its_hook_in_threading_a_function_is_called_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(threading, "_register_atexit", lambda func: called.append(("threads", func)))
    monkeypatch.setattr(atexit, "register", lambda func: called.append(("exit", func)))
    backends.call_before_threads_end(print)
    monkeypatch.delattr(threading, "_register_atexit")
    backends.call_before_threads_end(print)
    assert called == [("threads", print), ("exit", print)]


def test_without_the_standard_output_of_c_what_it_holds_back_is_not_flushed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: Any) -> Any:
        raise OSError(name)

    backends._c_stdout.cache_clear()
    try:
        assert backends._c_stdout() is not None
        backends._c_stdout.cache_clear()
        monkeypatch.setattr(ctypes, "CDLL", missing)
        assert backends._c_stdout() is None
        backends.flush_c_stdout()
    finally:
        backends._c_stdout.cache_clear()


def test_without_lokys_limit_workers_end_as_loky_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    from loky import process_executor

    monkeypatch.setattr(process_executor, "_MAX_MEMORY_LEAK_SIZE", 1)
    backends.keep_large_workers()
    assert sys.maxsize == process_executor._MAX_MEMORY_LEAK_SIZE
    monkeypatch.delattr(process_executor, "_MAX_MEMORY_LEAK_SIZE")
    backends.keep_large_workers()
    assert not hasattr(process_executor, "_MAX_MEMORY_LEAK_SIZE")


def test_without_cloudpickles_functions_nothing_is_pickled_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudpickle import cloudpickle

    assert backends.class_by_value(Kept) is not None
    assert backends.function_by_value(cloudpickle.Pickler(io.BytesIO()), module) is not None
    monkeypatch.delattr(cloudpickle, "_dynamic_class_reduce")
    assert backends.class_by_value(Kept) is None
    assert backends.function_by_value(object(), module) is None


class Kept:
    """A class that has a name."""


@pytest.mark.parametrize("gone", ["instance", "DisplayFormatter", "EventManager"])
def test_without_the_parts_of_ipython_there_is_no_shell_in_a_worker(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`display()` then prints, as it does in any process without a shell."""
    from IPython.core import events, formatters
    from IPython.core.interactiveshell import InteractiveShell

    place: Any = {"instance": InteractiveShell, "DisplayFormatter": formatters, "EventManager": events}[gone]
    monkeypatch.setattr(place, gone, None)
    with pytest.raises((TypeError, ImportError)):
        backends.make_shell(lambda *args: None, lambda wait: None)
    monkeypatch.setattr(_displays, "_shell", None)
    _displays._make(lambda display: True)
    assert _displays._shell is None
