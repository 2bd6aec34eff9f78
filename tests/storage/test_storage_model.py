"""Storage beside a model of it: a read under a fingerprint gives what was saved under it, or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fuse_widgets.storage import DamagedTaskError, FileStorage, Fingerprint, TaskNotFoundError
from fuse_widgets.storage.naming import safe_name, version_name

WORKFLOWS, TASKS = ("w", "W/../é"), ("t", "T", "")
PRINTS = [None, *(Fingerprint(code) for code in "abcd")]

places = st.tuples(st.sampled_from(WORKFLOWS), st.sampled_from(TASKS))
prints = st.sampled_from(PRINTS)
fingerprints = st.sampled_from(PRINTS[1:])
damage = st.sampled_from(
    [
        lambda path, data: path.write_bytes(b""),
        lambda path, data: path.write_bytes(data[: len(data) // 2]),
        lambda path, data: path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:]),
        lambda path, data: path.write_bytes(data[:-60] + bytes([data[-60] ^ 1]) + data[-59:]),
        lambda path, data: (path.unlink(), os.mkfifo(path)),
        lambda path, data: (path.unlink(), path.symlink_to(path)),
        lambda path, data: (path.unlink(), path.mkdir()),
    ]
)


class Model(RuleBasedStateMachine):
    """What was saved, and what may have been removed or damaged since."""

    options: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        # All that was ever saved there; the last one counts.
        self.saved: dict[tuple[str, str, Any], list[Any]] = {}
        self.sure: set[tuple[str, str, Any]] = set()  # neither removed nor damaged since
        self.last: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.count = 0

    @initialize(keep=st.sampled_from([None, 1, 2, {"bytes": 3_000}]))
    def make(self, keep: Any) -> None:
        self.keep = keep

    def storage(self, **more: Any) -> FileStorage:
        return FileStorage(self.folder, **{"keep": None, **self.options, **more})

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(place=places, fingerprint=prints)
    def save(self, place: tuple[str, str], fingerprint: Any) -> None:
        self.count += 1
        self.storage().save(*place, self.count, fingerprint=fingerprint)
        key = (*place, fingerprint and fingerprint.digest)
        self.saved.setdefault(key, []).append(self.count)
        self.sure.add(key)
        self.last[place] = key

    @rule(place=places, fingerprint=fingerprints)
    def read(self, place: tuple[str, str], fingerprint: Fingerprint) -> None:
        key = (*place, fingerprint.digest)
        try:
            value = self.storage().read_task(*place, fingerprint=fingerprint)
        except (DamagedTaskError, TaskNotFoundError):
            assert key not in self.sure
        else:
            assert value == self.saved[key][-1]

    @rule(place=places)
    def read_newest(self, place: tuple[str, str]) -> None:
        try:
            value = self.storage().read_task(*place)
        except TaskNotFoundError:
            assert self.last.get(place) not in self.sure
        except DamagedTaskError:  # what damaged a file made it the newest
            assert any(key[:2] == place for key in self.saved.keys() - self.sure)
        else:
            assert value in [values[-1] for key, values in self.saved.items() if key[:2] == place]
            if self.last[place] in self.sure:
                assert value == self.saved[self.last[place]][-1]

    @rule(place=places, fingerprint=fingerprints)
    def look_up(self, place: tuple[str, str], fingerprint: Fingerprint) -> None:
        key = (*place, fingerprint.digest)
        (found,) = self.storage().lookup_many(place[0], {place[1]: fingerprint})
        if key in self.sure:
            assert found.fingerprint == fingerprint
            assert self.storage().lookup(*place, fingerprint=fingerprint).fingerprint == fingerprint
            assert self.storage().file_exists(*place, fingerprint=fingerprint)

    @rule(place=places)
    def remove(self, place: tuple[str, str]) -> None:
        self.storage().remove_task(*place)
        assert self.storage().lookup(*place) is None
        self.forget(lambda key: key[:2] == place)

    @rule(name=st.sampled_from(WORKFLOWS))
    def remove_workflow(self, name: str) -> None:
        self.storage().remove_workflow(name)
        assert self.storage().list_tasks(name) == []
        self.forget(lambda key: key[0] == name)

    def forget(self, matches: Any) -> None:
        for key in [key for key in self.saved if matches(key)]:
            del self.saved[key]
            self.sure.discard(key)
            self.last.pop(key[:2], None)

    @rule()
    def prune(self) -> None:
        storage = self.storage(keep=self.keep)
        removed = {(r.workflow, r.task, r.fingerprint) for r in storage.prune()}
        self.sure -= removed
        if isinstance(self.keep, dict):
            assert storage.usage().bytes <= self.keep["bytes"]
        elif self.keep is not None:
            counts = [part.versions - self.keep * part.tasks for part in storage.usage().workflows.values()]
            assert all(count <= 0 for count in counts)

    @precondition(lambda self: self.sure)
    @rule(data=st.data(), spoil=damage)
    def spoil(self, data: Any, spoil: Any) -> None:
        key = data.draw(st.sampled_from(sorted(self.sure, key=str)))
        path = Path(self.folder, safe_name(key[0]), version_name(key[1], key[2]))
        spoil(path, path.read_bytes())
        self.sure.discard(key)

    @rule(name=st.sampled_from(WORKFLOWS))
    def begin(self, name: str) -> None:
        self.storage().new_workflow(name)

    @invariant()
    def lists(self) -> None:
        storage = self.storage()
        for name in WORKFLOWS:
            tasks = storage.list_tasks(name)
            assert {key[1] for key in self.sure if key[0] == name} <= set(tasks)
            assert set(tasks) <= {key[1] for key in self.saved if key[0] == name}
        assert {key[0] for key in self.sure} <= set(storage.list_workflows()) <= set(WORKFLOWS)
        storage.usage()
        storage.damaged()


class SignedModel(Model):
    options: ClassVar[dict[str, Any]] = {"key": "secret"}


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestSigned = SignedModel.TestCase
TestSigned.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)

if os.name == "nt":
    pytestmark = pytest.mark.skip(reason="FIFOs and links of POSIX")
