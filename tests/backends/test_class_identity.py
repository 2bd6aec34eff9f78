"""Objects of decorated classes stay instances: in other processes, on Ray, and in the next session."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fuse_widgets import LocalWorkflow, workflow


@workflow
class Model:
    def __init__(self, a: int = 0) -> None:
        self.a = a

    def fit(self, x: int) -> Any:
        self.a += x
        return self

    class Part:
        pass


@workflow
@dataclasses.dataclass
class Record:
    model: Any


@workflow
def make_model(a: int) -> Any:
    return Model.func(a)


@workflow
def check(model: Any) -> bool:
    return isinstance(model, Model) and type(model) is Model.func


@workflow
def same(x: Any) -> Any:
    return x


def test_objects_are_instances_wherever_they_are_read(make: Any) -> None:
    model = Model(1)
    fitted = model.fit(2)
    nested = Record(make_model(3))
    nodes = [
        check(model),
        check(fitted),
        check(make_model(1)),
        fitted,
        nested,
        same(Model.func(4)),
    ]
    *checks, fitted_value, record, given = make(*nodes, targets_only=True).run()
    assert checks == [True] * 3
    assert type(fitted_value) is Model.func
    assert fitted_value.a == 3
    assert type(record) is Record.func
    assert type(record.model) is type(given) is Model.func
    assert isinstance(record.model, Model)


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_the_plain_class_itself_comes_back_as_it_is(executor: str) -> None:
    wf = LocalWorkflow(same(Model.func), executor=executor, targets_only=True)
    assert wf.run() is Model.func
    wf.close()


SESSION = """
import sys
from fuse_widgets import FileStorage, LocalWorkflow, workflow

class Plain:
    pass

@workflow
class Model:
    class Part: pass
    def __init__(self, a): self.a, self.part, self.plain = a, self.Part(), Plain()

@workflow
def make(a):
    print("made")
    return Model.func(a), [Plain()]

if __name__ == "__main__":
    wf = LocalWorkflow(make(3).set_name("m"), workflow_name="w", executor=sys.argv[2])
    wf.set_storage(FileStorage(sys.argv[1]))
    model, (plain,) = wf.run()
    assert type(model) is Model.func and isinstance(model, Model) and model.a == 3
    assert type(plain) is Plain and type(model.plain) is Plain
    assert type(model.part) is Model.func.Part
    print(wf.last_run.report()[0]["source"])
"""


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_stored_objects_of_a_script_are_instances_in_the_next_session(executor: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SESSION)
    sources = [
        subprocess.run(
            [sys.executable, script, tmp_path / "results", executor],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[-1]
        for _ in range(2)
    ]
    assert sources == ["computed", "stored"]
