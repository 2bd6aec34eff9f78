"""What a person reads when a node fails: their own code, and hardly any of ours."""

from __future__ import annotations

import traceback

import pytest

from fuse_widgets import LocalWorkflow, NodeExecutionError, workflow


@workflow
def divide(x: int) -> float:
    return 1 / x


@pytest.mark.parametrize("options", [{}, {"executor": "thread"}])
def test_a_failure_shows_the_call_of_run_and_the_line_of_the_node(options: dict[str, str]) -> None:
    with pytest.raises(NodeExecutionError) as caught:
        LocalWorkflow(divide(0), **options).run()  # type: ignore[arg-type]
    ours = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:]
    assert ours == ["driven", "drive", "_outcome"]
    assert caught.value.__cause__ is not None
    own = traceback.extract_tb(caught.value.__cause__.__traceback__)
    assert [frame.line for frame in own] == ["return 1 / x"]


def test_asking_twice_for_the_outcome_of_a_run_does_not_grow_the_traceback() -> None:
    run = LocalWorkflow(divide(0)).start()
    lengths = []
    for _ in range(2):
        with pytest.raises(NodeExecutionError) as caught:
            run.wait(30)
        lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert lengths[0] == lengths[1]
