"""What surrounds a node is the same in every executor, as it was when the run began."""

from __future__ import annotations

import contextvars
import decimal
import locale
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import LocalWorkflow, NodeExecutionError, workflow
from fuse_widgets.backends._surroundings import THREADS

REQUEST = contextvars.ContextVar("request", default="none")


def around() -> dict[str, Any]:
    import decimal
    import locale
    import os
    import subprocess
    import sys
    import warnings

    with warnings.catch_warnings(record=True) as shown:
        warnings.warn("careful", UserWarning, stacklevel=1)
        try:
            warnings.warn("mind the gap", DeprecationWarning, stacklevel=1)
        except DeprecationWarning:
            shown.append("raised")  # type: ignore[arg-type]
    child = "import os; print(os.getcwd(), os.environ.get('SETTING'), os.environ.get('GONE'))"
    said = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout
    context = decimal.getcontext()
    return {
        "environment": {k: v for k, v in os.environ.items() if "PYTEST" not in k and k not in THREADS},
        "folder": os.getcwd(),
        "child": said,
        "path": list(sys.path),
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": (str(decimal.Decimal(1) / 3), context.rounding, context.traps[decimal.Inexact]),
        "warnings": ["raised" if w == "raised" else str(w.message) for w in shown],  # type: ignore[comparison-overlap]
    }


@pytest.fixture
def changed(monkeypatch: Any, tmp_path: Path) -> Any:
    """Changes what surrounds this process."""
    monkeypatch.setenv("SETTING", "old")
    monkeypatch.setenv("GONE", "there")
    numeric = locale.setlocale(locale.LC_ALL)

    def change() -> None:
        monkeypatch.setenv("SETTING", "new")
        monkeypatch.setenv("LINES", "two\nlines")
        monkeypatch.setenv("ODD", os.fsdecode(b"\xff\xfe="))
        monkeypatch.setenv("EMPTY", "")
        monkeypatch.delenv("GONE")
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path / "more"))
        decimal.getcontext().prec = 5
        decimal.getcontext().rounding = decimal.ROUND_UP
        decimal.getcontext().traps[decimal.FloatOperation] = True
        warnings.simplefilter("ignore", UserWarning)
        warnings.filterwarnings("error", "mind.*", DeprecationWarning)
        locale.setlocale(locale.LC_ALL, "C")

    with decimal.localcontext(), warnings.catch_warnings():
        yield change
    locale.setlocale(locale.LC_ALL, numeric)


def test_nodes_have_the_surroundings_of_their_run_in_every_executor(processes: Any, changed: Any) -> None:
    inline = LocalWorkflow(workflow(around)())
    workflows = [
        LocalWorkflow(workflow(around)(), executor="thread"),
        processes(workflow(around)()),
    ]
    assert [wf.run() for wf in workflows] == [inline.run()] * 2
    assert inline.start().wait(20) == inline.run()
    changed()
    here = inline.run()
    assert here["environment"]["SETTING"] == "new"
    assert "GONE" not in here["environment"]
    assert here["decimal"][:2] == ("0.33334", decimal.ROUND_UP)
    assert here["warnings"] == ["raised"]
    assert [wf.run() for wf in workflows] == [here, here]
    assert inline.start().wait(20) == here
    assert workflows[1].start().wait(20) == here


def test_what_a_node_changes_in_a_worker_is_put_back_before_the_next_node(
    processes: Any, tmp_path: Any
) -> None:
    def change(folder: str) -> None:
        import decimal
        import locale
        import os
        import sys
        import warnings

        os.environ["ADDED"] = "1"
        del os.environ["PATH"]
        os.chdir(folder)
        os.rmdir(folder)
        sys.path.append("elsewhere")
        decimal.getcontext().prec = 3
        warnings.simplefilter("ignore")
        locale.setlocale(locale.LC_ALL, "C")

    folder = tmp_path / "gone"
    folder.mkdir()
    first = workflow(change)(str(folder))
    before = LocalWorkflow(workflow(around)()).run()
    assert processes(first, workflow(lambda _, look: look())(first, around)).run() == [None, before]


def test_a_filter_for_a_warning_of_another_module_needs_no_import_of_it(
    processes: Any, tmp_path: Path
) -> None:
    class Mine(UserWarning):
        pass

    def warn() -> Any:
        import warnings

        import fuse_test_categories  # type: ignore[import-not-found]

        seen = []
        for kind in (fuse_test_categories.Noise, fuse_test_categories.Louder, Mine, RuntimeWarning):
            try:
                with warnings.catch_warnings(record=True):
                    warnings.warn("careful", kind, stacklevel=1)
            except Warning:
                seen.append(kind.__name__)
        return seen

    def loaded() -> bool:
        import sys

        return "fuse_test_categories" in sys.modules

    (tmp_path / "fuse_test_categories.py").write_text(
        "class Noise(UserWarning): pass\nclass Louder(Noise): pass\nclass Other(UserWarning): pass\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        import fuse_test_categories

        with warnings.catch_warnings():
            warnings.simplefilter("error", fuse_test_categories.Noise)
            warnings.simplefilter("error", Mine)
            assert processes(workflow(loaded)(), workflow(warn)()).run() == [
                False,
                ["Noise", "Louder", "Mine"],
            ]
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("fuse_test_categories", None)


def test_a_working_directory_that_is_gone_is_an_error_in_words(
    processes: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    here = workflow(lambda: 1)().set_name("here")
    here.backend_info["executor"] = "inline"
    wf = processes(here, workflow(os.getpid)().set_name("there"))
    monkeypatch.chdir(folder)
    shutil.rmtree(folder)
    with pytest.raises(
        NodeExecutionError, match=r"'there' failed with FuseError: .*change to another one with os.chdir"
    ):
        wf.run()
    assert wf.last_run.results == {"here": 1}
    monkeypatch.chdir(tmp_path)
    assert wf.run()[0] == 1


def test_context_variables_reach_threads_and_runs_in_the_background() -> None:
    def request(change: bool) -> str:
        found = REQUEST.get()
        if change:
            REQUEST.set("changed by a node")
        return found

    token = REQUEST.set("here")
    try:
        nodes = [workflow(request)(change) for change in (True, False)]
        assert LocalWorkflow(*nodes, executor="thread", max_workers=1).run() == ["here", "here"]
        assert LocalWorkflow(nodes[0]).start().wait(10) == "here"
        run = LocalWorkflow(*nodes, max_workers=2).start(paused=True)
        REQUEST.set("later")
        run.resume()
        assert run.wait(10) == ["here", "here"]
        assert REQUEST.get() == "later"
    finally:
        REQUEST.reset(token)


def test_threads_have_a_decimal_context_each() -> None:
    meet = threading.Barrier(2)

    def third(precision: int) -> str:
        decimal.getcontext().prec = precision
        meet.wait(10)
        return str(decimal.Decimal(1) / 3)

    with decimal.localcontext() as mine:
        mine.prec = 7
        wf = LocalWorkflow(*[workflow(third)(n) for n in (2, 4)], max_workers=2)
        assert wf.run() == ["0.33", "0.3333"]
        assert wf.start().wait(10) == ["0.33", "0.3333"]
        assert decimal.getcontext().prec == 7


# --- threads of numerical libraries --------------------------------------------------------------------------


def limits() -> list[str | None]:
    import os

    return [os.environ.get(name) for name in THREADS]


@pytest.mark.parametrize(
    ("workers", "given", "expected"),
    [
        (1, {}, [None] * 7),
        (2, {}, ["2"] * 7),
        (3, {}, ["1"] * 7),
        (9, {}, ["1"] * 7),
        (2, {"OMP_NUM_THREADS": "3"}, ["3", *[None] * 6]),
        (2, {"MKL_NUM_THREADS": "3"}, ["2", "2", "3", *["2"] * 4]),
    ],
)
def test_workers_share_the_cpus_unless_the_person_says_otherwise(
    processes: Callable[..., Any], monkeypatch: Any, workers: int, given: dict[str, str], expected: Any
) -> None:
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("loky.cpu_count", lambda: 4)
    assert processes(workflow(limits)(), max_workers=workers).run() == expected
    assert limits() == [given.get(name) for name in THREADS]


def test_a_library_is_loaded_with_the_limit(monkeypatch: Any) -> None:
    def threads() -> set[int]:
        import numpy as np
        import threadpoolctl

        np.ones((2, 2)) @ np.ones((2, 2))
        return {library["num_threads"] for library in threadpoolctl.threadpool_info()}

    pytest.importorskip("threadpoolctl", reason="asks the libraries for the number of their threads")
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("loky.cpu_count", lambda: 2)
    wf = LocalWorkflow(workflow(threads)(), executor="process", max_workers=2)
    assert wf.run() == {1}
    wf.close()
