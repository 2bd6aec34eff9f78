"""What travels with each node of a Ray run, 3,000 times in a chain of 3,000."""

from __future__ import annotations

import pytest

pytest.importorskip("ray")

from fuse_widgets.backends._ray.live import Who
from fuse_widgets.backends._ray.pack import Code
from fuse_widgets.backends._ray.task import Report, Spec
from fuse_widgets.backends._ray.wire import from_wire, to_wire

SPEC = Spec("collector", "run", 3, 1, "node", 0, Code(b"digest", b"pickled"), None, 1, {})
REPORT = Report(
    "done", 2, Who("host", 17, "id"), 1.5, 0.25, 10, 0.125, "text", 4, "lost", ((1.0, 2.0, b"e"),)
)


def test_a_report_comes_back_as_it_was():
    assert Report.read(REPORT.written_down()) == REPORT
    assert type(Report.read(REPORT.written_down()).who) is Who


@pytest.mark.parametrize("more", [{}, {"retries": 2, "initialize": Code(b"d", b"p"), "raises": True}])
def test_a_spec_comes_back_as_it_was(more):
    spec = SPEC._replace(more=more)
    assert Spec._make(from_wire(to_wire(spec))) == spec


def test_no_class_is_named_on_the_way():
    """To look one up takes longer than everything else together."""
    assert b"Code" not in to_wire(SPEC)
    assert b"Who" not in REPORT.written_down()
    assert b"Code" in to_wire(SPEC._replace(more={"initialize": SPEC.code}))
