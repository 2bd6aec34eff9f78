"""A first use of everything, in an environment with nothing but what the package needs: run, store, look, and fail.

`make smoke-oldest` runs it with the lowest versions that pyproject.toml allows.
"""

from __future__ import annotations

import tempfile

from fuse_widgets import DAGWidget, FileStorage, LocalWorkflow, NodeExecutionError, workflow


@workflow
def load(n):
    return list(range(n))


@workflow
def total(numbers, power=1):
    return sum(numbers) ** power


@workflow
def fail(numbers):
    return numbers["no such key"]


def failure(wf: LocalWorkflow) -> NodeExecutionError:
    try:
        wf.run()
    except NodeExecutionError as error:
        return error
    raise AssertionError("a node that fails must raise")


def main() -> None:
    numbers = load(4).set_name("numbers")
    totals = [total(numbers, power).set_name(f"power {power}") for power in (1, 2)]
    for executor in ("inline", "thread", "process"):
        with tempfile.TemporaryDirectory() as folder:
            wf = LocalWorkflow(*totals, workflow_name="smoke", executor=executor, targets_only=True)
            wf.set_storage(FileStorage(folder))
            widget = DAGWidget(wf)
            assert wf.run() == [6, 36], executor
            assert wf.run() == [6, 36], executor
            assert {row["source"] for row in wf.last_run.report()} == {"stored"}, wf.last_run.report()
            assert set(widget.states.values()) == {"cached"}, widget.states
            assert "<svg" in widget.save_svg(f"{folder}/smoke.svg").read_text()
            wf.close()
        broken = LocalWorkflow(
            fail(numbers).set_name(f"broken {executor}"), executor=executor, targets_only=True
        )
        cause = failure(broken).__cause__
        assert isinstance(cause, TypeError), cause
        broken.close()
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
