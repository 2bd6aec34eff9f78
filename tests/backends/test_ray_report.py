"""What travels with each node of a Ray run, 3,000 times in a chain of 3,000."""

from __future__ import annotations

import pickle
import pickletools

import pytest

pytest.importorskip("ray")

from fuse_widgets.backends._ray_live import Who
from fuse_widgets.backends._ray_pack import Code
from fuse_widgets.backends._ray_task import Report, Spec
from fuse_widgets.backends._ray_wire import from_wire, to_wire

SPEC = Spec("collector", "run", 3, 1, "node", 0, Code(b"digest", b"pickled"), None, 1, {})
REPORT = Report(
    "done", 2, Who("host", 17, "id"), 1.5, 0.25, 10, 0.125, "text", 4, "lost", ((1.0, 2.0, b"e"),)
)


def looked_up(pickled: bytes) -> list[str]:
    """The opcodes that import a class."""
    return [op.name for op, _, _ in pickletools.genops(pickled) if "GLOBAL" in op.name or op.name == "REDUCE"]


def test_a_report_comes_back_as_it_was():
    assert Report.read(REPORT.written_down()) == REPORT
    assert type(Report.read(REPORT.written_down()).who) is Who


def test_a_spec_comes_back_as_it_was():
    assert Spec._make(from_wire(to_wire(SPEC))) == SPEC


def test_no_class_is_looked_up():
    wire = to_wire(SPEC)
    assert looked_up(wire[wire.index(b"\0") + 1 :]) == []
    assert looked_up(REPORT.written_down()) == []
    assert looked_up(pickle.dumps(REPORT)) != []
