"""One set of tests for every executor of this machine and for Ray: results, states, logs, and what is stored."""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuse_widgets import (
    FileStorage,
    FuseError,
    InitializerPlugin,
    NodeExecutionError,
    NodeState,
    RandomStatePlugin,
    RunCancelledError,
    workflow,
)
from tests.backends.waiting import gate, until


@workflow
def plus(x: int = 0) -> int:
    return x + 1


@workflow
def divide(a: int, b: int) -> float:
    return a / b


@workflow
def same(*values: Any, **named: Any) -> Any:
    return (list(values), named) if named else list(values)


class Trouble(Exception):
    pass


def test_nested_arguments_items_and_keywords_arrive_as_they_were_given(make: Any, check_log: Any) -> None:
    made = workflow(lambda: {"a": [1, 2, {"b": 3}], "s": "x"})()
    one = plus()
    array = np.arange(5)
    taken = same(one, [made["a"][0], (one, {made["a"][2]["b"]: one})], {one, 7}, key=made["s"], array=array)
    values, named = make(taken).run()
    assert values == [1, [1, (1, {3: 1})], {1, 7}]
    assert named["key"] == "x"
    assert named["array"].tolist() == [0, 1, 2, 3, 4]


def test_outputs_may_be_items_and_one_node_twice(make: Any) -> None:
    made = workflow(lambda: [1, {"x": 2}])()
    assert make(made[1]["x"], made, plus(made[0])).run() == [2, [1, {"x": 2}], 2]


def test_the_same_parent_may_be_taken_several_times(make: Any) -> None:
    one = plus()
    assert make(workflow(lambda a, b, *, c: (a, b, c))(one, one, c=one)).run() == (1, 1, 1)


def test_no_outputs_give_an_empty_list(make: Any) -> None:
    wf = make()
    assert wf.run() == []
    assert wf.last_run.state == "done"


shapes = st.integers(1, 10).flatmap(
    lambda n: st.tuples(
        *(st.lists(st.integers(0, i - 1), max_size=3) if i else st.just([]) for i in range(n))
    )
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shapes, st.data())
def test_results_states_and_logs_are_those_of_a_plain_evaluation(
    make: Any, check_log: Any, shape: Any, data: Any
) -> None:
    few = st.dictionaries(st.integers(0, len(shape) - 1), st.integers(1, 2), max_size=2)
    faults, retries = data.draw(few), data.draw(few)

    def combine(i: int, *inputs: int) -> int:
        return i + 7 * sum(inputs)

    def fail(i: int, *inputs: int) -> int:
        raise Trouble(f"fault of {i}")

    nodes: list[Any] = []
    for i, parents in enumerate(shape):
        func = workflow(fail if faults.get(i) else combine)
        nodes.append(func(i, *[nodes[p] for p in parents]).set_name(f"n{i}"))
        if i in retries:
            nodes[i].backend_info["retries"] = retries[i]
    values: dict[int, int] = {}
    for i, parents in enumerate(shape):
        if i not in faults and all(p in values for p in parents):
            values[i] = i + 7 * sum(values[p] for p in parents)
    failed = {i for i in faults if all(p in values for p in shape[i])}
    wf = make(*nodes)
    if failed:
        with pytest.raises(NodeExecutionError) as caught:
            wf.run()
        assert {int(failure.node.name[1:]) for failure in caught.value.failures} == failed
        assert all(type(failure.__cause__) is Trouble for failure in caught.value.failures)
    else:
        assert wf.run() == (list(values.values()) if len(shape) > 1 else values[0])
    run = wf.last_run
    check_log(run)
    assert {name: str(state) for name, state in run.states.items()} == {
        f"n{i}": "done" if i in values else "failed" if i in failed else "skipped" for i in range(len(shape))
    }
    attempts = {row["node"]: row["attempt"] for row in run.report()}
    assert {i: attempts[f"n{i}"] for i in failed} == {i: retries.get(i, 0) + 1 for i in failed}
    roots = {e.node: e.detail["root"] for e in run.events if e.state is NodeState.SKIPPED}
    assert set(roots.values()) <= {f"n{i}" for i in failed}


def test_a_failure_carries_cause_and_traceback(make: Any) -> None:
    bad = divide(plus(), b=0).set_name("bad")
    wf = make(plus(bad).set_name("after"), plus(5).set_name("fine"))
    with pytest.raises(
        NodeExecutionError, match="node 'bad' failed with ZeroDivisionError: division by zero"
    ) as caught:
        wf.run()
    assert caught.value.node is bad
    assert type(caught.value.__cause__) is ZeroDivisionError
    (event,) = [e for e in wf.last_run.events if e.state is NodeState.FAILED and e.node]
    assert event.detail["error"]["type"] == "ZeroDivisionError"
    assert "in divide" in event.detail["error"]["traceback"]
    assert event.detail["seconds"] >= 0


def test_inputs_of_a_failure_are_kept_for_a_replay(make: Any) -> None:
    bad = divide(plus(), b=0)
    with pytest.raises(NodeExecutionError) as caught:
        make(bad).run()
    assert caught.value.inputs == ((1,), {"b": 0})
    with pytest.raises(ZeroDivisionError):
        caught.value.replay()


def test_fail_fast_starts_nothing_more(make: Any, states: Any, check_log: Any) -> None:
    bad = divide(1, 0).set_name("bad")
    go = workflow(lambda: __import__("time").sleep(0.3))().set_name("go")
    wf = make(plus(bad).set_name("lost"), same(same(go)).set_name("late"))
    with pytest.raises(NodeExecutionError, match="'bad'"):
        wf.run(fail_fast=True)
    assert (states(wf.last_run)["bad"], states(wf.last_run)["lost"]) == ("failed", "skipped")
    assert states(wf.last_run)["late"] == "pending"
    check_log(wf.last_run)


def test_a_node_is_tried_again_as_often_as_it_says(make: Any, tmp_path: Path, check_log: Any) -> None:
    def flaky(folder: str, faults: int) -> int:
        count = len(list(Path(folder).iterdir()))
        Path(folder, str(count)).touch()
        if count < faults:
            raise ValueError(f"fault {count}")
        return count

    node = workflow(flaky)(str(tmp_path), 2).set_name("flaky")
    node.backend_info["retries"] = 2
    wf = make(plus(node))
    assert wf.run() == 3
    told = [
        (str(e.state), e.attempt) for e in wf.last_run.events if e.node == "flaky" and e.state != "queued"
    ]
    assert told == [("running", 1), ("running", 2), ("running", 3), ("done", 3)]
    errors = [e.detail["error"]["message"] for e in wf.last_run.events if e.detail and "error" in e.detail]
    assert errors == ["fault 0", "fault 1"]
    check_log(wf.last_run)


@workflow
class Counter:
    def __init__(self, start: int) -> None:
        self.value = start

    def add(self, n: int) -> int:
        self.value += n
        return self.value

    def fail(self) -> None:
        raise ValueError("no more")


@workflow
def read(counter: Any) -> int:
    return counter.value


def test_methods_run_in_order_and_readers_see_what_was_before(make: Any, check_log: Any) -> None:
    counter = Counter(plus())
    before = read(counter)
    first = counter.add(plus(1))
    between = read(counter)
    second = counter.add(first)
    after = same(read(counter), counter)
    wf = make(before, first, between, second, after)
    got = wf.run()
    assert got[:4] == [1, 3, 3, 6]
    assert (got[4][0], got[4][1].value) == (6, 6)
    check_log(wf.last_run)


def test_an_object_can_be_an_output(make: Any) -> None:
    counter = Counter(1)
    counter.add(4)
    assert make(counter).run().value == 5


def test_methods_after_one_that_failed_are_skipped(make: Any, states: Any, check_log: Any) -> None:
    counter = Counter(1).set_name("counter")
    early = read(counter).set_name("early")
    counter.add(1).set_name("add")
    counter.fail().set_name("fail")
    wf = make(counter.add(1).set_name("later"), early, read(counter).set_name("reader"))
    with pytest.raises(NodeExecutionError, match="'fail' failed with ValueError: no more"):
        wf.run()
    assert states(wf.last_run) == {
        "counter": "done",
        "early": "done",
        "add": "done",
        "fail": "failed",
        "later": "skipped",
        "reader": "skipped",
    }
    check_log(wf.last_run)


@pytest.mark.parametrize("count", [60])
def test_many_methods_of_one_object(make: Any, count: int) -> None:
    counter = Counter(0)
    results = [counter.add(i) for i in range(count)]
    assert make(*results).run() == [sum(range(i + 1)) for i in range(count)]


def draw() -> float:
    return random.random() + float(np.random.random())


def test_random_numbers_depend_on_seed_and_name_alone(make: Any) -> None:
    wf = make(*[workflow(draw)().set_name(f"draw {i}") for i in range(3)])
    wf.set_plugin(None, RandomStatePlugin(seed=7))
    expected = []
    for i in range(3):
        plugin = RandomStatePlugin(seed=7).for_node(f"draw {i}")
        plugin.remote_initialize()()
        expected.append(draw())
    assert wf.run() == expected
    assert len(set(expected)) == 3


def test_a_plugin_that_raises_fails_its_node_and_both_are_named(make: Any) -> None:
    def fail() -> None:
        raise ValueError("no driver")

    node = plus().set_name("n")
    node.backend_info["plugin"] = InitializerPlugin(fail)
    with pytest.raises(
        NodeExecutionError,
        match=r"PluginError: plugin .*InitializerPlugin.* of node 'n' raised ValueError: no driver",
    ):
        make(node).run()


def test_who_keeps_standard_output_prints_for_the_node_that_runs(make: Any) -> None:
    def say(line: str, after: Any = None) -> None:
        logger = logging.getLogger("a library's own")
        if not logger.handlers:
            logger.addHandler(logging.StreamHandler(sys.stdout))
        logger.warning(line)

    wf = make(second := workflow(say)("two", first := workflow(say)("one")))
    wf.run()
    printed = wf.last_run.outputs
    assert [printed[node.name].text for node in (first, second)] == ["one\n", "two\n"]


def test_bytes_are_not_printed_as_text(make: Any) -> None:
    def say() -> str:
        sys.stdout.flush()
        with pytest.raises(TypeError, match="must be str, not bytes"):
            sys.stdout.write(b"bytes")
        print("text", file=sys.stderr)
        return f"{sys.stdout.encoding} {sys.stdout.writable()}"

    wf = make(node := workflow(say)())
    assert wf.run().lower() == "utf-8 true"
    assert wf.last_run.outputs[node.name].text == "text\n"


def test_what_a_node_prints_is_kept_with_it(make: Any, capsys: Any) -> None:
    def speak(text: str) -> None:
        print(text, "is what I say")

    wf = make(*[workflow(speak)(text).set_name(text) for text in ("one", "two")], prefix_prints=False)
    wf.run()
    assert {name: tail.text for name, tail in wf.last_run.outputs.items()} == {
        "one": "one is what I say\n",
        "two": "two is what I say\n",
    }
    assert sorted(capsys.readouterr().out.splitlines()) == ["one is what I say", "two is what I say"]


def test_a_node_that_returns_a_node_says_what_to_do(make: Any) -> None:
    with pytest.raises(NodeExecutionError, match="inside a node, call the plain function"):
        make(workflow(lambda: plus(1))()).run()


def test_an_item_that_is_not_there_is_named(make: Any) -> None:
    made = workflow(lambda: {"a": 1})().set_name("made")
    with pytest.raises(NodeExecutionError, match=r"the result of node 'made' is a dict and has no item 'b'"):
        make(plus(made["b"])).run()


def test_a_result_inside_a_set_that_cannot_be_hashed_fails_its_node(make: Any, states: Any) -> None:
    made = workflow(lambda: [1])().set_name("made")
    wf = make(same({made}).set_name("takes"))
    with pytest.raises(NodeExecutionError, match="node 'takes' failed with TypeError: unhashable"):
        wf.run()
    assert states(wf.last_run) == {"made": "done", "takes": "failed"}


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_fails_the_node_and_not_the_run(
    make: Any, kind: type[BaseException], request: Any
) -> None:
    if kind is KeyboardInterrupt and "inline" in request.node.name:
        pytest.skip("in the caller's own thread it is the caller's")

    def leave() -> None:
        raise kind("bye")

    wf = make(workflow(leave)().set_name("bad"), plus().set_name("fine"))
    with pytest.raises(NodeExecutionError, match=f"node 'bad' failed with {kind.__name__}: bye"):
        wf.run()
    assert wf.last_run.states["fine"] == "done"


# --- storage -------------------------------------------------------------------------------------------------


def pipeline(make: Any, storage: Any, factor: int = 1) -> Any:
    values = workflow(lambda n: list(range(n)))(4).set_name("values")
    total = workflow(lambda values, factor: factor * sum(values))(values, factor).set_name("sum")
    wf = make(workflow(lambda value: f"<{value}>")(total).set_name("text"), workflow_name="pipeline")
    wf.set_storage(storage)
    return wf


def column(wf: Any, name: str) -> dict[str, Any]:
    return {row["node"]: row[name] for row in wf.last_run.report()}


def test_storage_is_used_where_it_holds_and_says_why_not(make: Any, tmp_path: Path, check_log: Any) -> None:
    storage = FileStorage(tmp_path / "store")
    wf = pipeline(make, storage)
    assert wf.run() == "<6>"
    assert set(column(wf, "why").values()) == {"it was not stored yet"}
    saved = {e.node: e.detail["saved"] for e in wf.last_run.events if e.node and e.state == "done"}
    assert saved == {"values": True, "sum": True, "text": True}
    assert storage.list_tasks("pipeline") == ["sum", "text", "values"]
    assert storage.read_task("pipeline", "values") == [0, 1, 2, 3]
    wf = pipeline(make, storage)
    assert wf.run() == "<6>"
    assert column(wf, "source") == {"values": "stored", "sum": "stored", "text": "stored"}
    wf = pipeline(make, storage, factor=2)
    assert wf.run() == "<12>"
    assert column(wf, "source") == {"values": "stored", "sum": "computed", "text": "computed"}
    assert column(wf, "why") == {
        "values": "stored",
        "sum": "argument factor changed",
        "text": "parent sum changed",
    }
    check_log(wf.last_run)


def test_an_object_that_no_node_uses_is_made_in_each_run(make: Any, tmp_path: Path) -> None:
    class Notes:
        def __init__(self, path: Path, value: int) -> None:
            with path.open("a") as file:
                file.write(f"{value}\n")

    for _ in range(2):
        first = workflow(lambda: 1)().set_name("first")
        wf = make(first, workflow_name="notes")
        workflow(Notes)(tmp_path / "notes", first).set_name("notes")
        wf.set_storage(FileStorage(tmp_path / "store"))
        assert wf.run() == 1
        assert wf.last_run.states["notes"] == "done"
        assert column(wf, "why")["notes"] == "objects are not stored"
    assert (tmp_path / "notes").read_text() == "1\n1\n"
    assert column(wf, "source") == {"first": "stored", "notes": "computed"}


def test_what_one_backend_stored_another_uses(make: Any, tmp_path: Path) -> None:
    from fuse_widgets import LocalWorkflow

    storage = FileStorage(tmp_path / "store")
    assert pipeline(make, storage).run() == "<6>"
    local = pipeline(LocalWorkflow, storage)
    assert local.run() == "<6>"
    assert set(column(local, "source").values()) == {"stored"}
    storage.remove_task("pipeline", "text")
    wf = pipeline(make, storage)
    assert wf.run() == "<6>"
    assert column(wf, "source") == {"values": "stored", "sum": "stored", "text": "computed"}


def test_a_damaged_task_runs_again(make: Any, tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "store")
    pipeline(make, storage).run()
    path = Path(storage.lookup("pipeline", "sum").path)
    content = bytearray(path.read_bytes())
    content[20] ^= 255  # in the payload, which is read where it is needed
    path.write_bytes(content)
    storage.remove_task("pipeline", "text")
    wf = pipeline(make, storage)
    assert wf.run() == "<6>"
    assert column(wf, "source")["sum"] == "computed"
    assert "its stored result cannot be used" in column(wf, "why")["sum"]


def test_a_result_that_cannot_be_saved_is_told_and_the_run_goes_on(make: Any, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    wf = make(plus(plus()))
    wf.set_storage(FileStorage(folder))
    folder.write_text("a file stands where the folder should be")
    assert wf.run() == 2
    details = [e.detail for e in wf.last_run.events if e.node and e.state == "done"]
    assert [(d["saved"], str(folder) in d["why_not_saved"]) for d in details] == [(False, True)] * 2


def test_objects_are_stored_by_what_their_methods_gave(make: Any, tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "store")

    def again(extra: int) -> Any:
        counter = Counter(1).set_name("counter")
        wf = make(
            counter.add(1).set_name("first"),
            counter.add(extra).set_name("second"),
            read(counter).set_name("reader"),
            workflow_name="objects",
        )
        wf.set_storage(storage)
        return wf

    wf = again(2)
    assert wf.run() == [2, 4, 4]
    assert storage.list_tasks("objects") == ["first", "reader", "second"]
    wf = again(2)
    assert wf.run() == [2, 4, 4]
    assert set(column(wf, "source").values()) == {"stored"}, column(wf, "why")
    wf = again(3)
    assert wf.run() == [2, 5, 5]
    assert set(column(wf, "source").values()) == {"computed"}


# --- controls ------------------------------------------------------------------------------------------------


def test_cancelled_once_what_runs_may_finish_and_the_rest_stays_pending(
    make: Any, tmp_path: Path, states: Any, check_log: Any
) -> None:
    first = workflow(gate)(str(tmp_path), "first").set_name("first")
    wf = make(same(same(first).set_name("second")).set_name("third"))
    run = wf.start()
    until((tmp_path / "first").exists)
    run.cancel()
    (tmp_path / "go").touch()
    with pytest.raises(RunCancelledError, match="was cancelled"):
        run.wait(30)
    assert states(run) == {"first": "done", "second": "pending", "third": "pending"}
    check_log(run)
    assert wf.run() == [["first"]]


def test_paused_nothing_starts_and_resumed_everything_runs(
    make: Any, tmp_path: Path, states: Any, check_log: Any
) -> None:
    first = workflow(gate)(str(tmp_path), "first").set_name("first")
    counter = Counter(1).set_name("counter")
    total = counter.add(3).set_name("total")
    wf = make(same(same(first).set_name("second"), total).set_name("third"))
    run = wf.start()
    until((tmp_path / "first").exists)
    run.pause()
    (tmp_path / "go").touch()
    until(lambda: run.states["first"] == "done")
    assert "done" not in (states(run)["second"], states(run)["third"])
    run.resume()
    assert run.wait(30) == [["first"], 4]
    check_log(run)


def test_step_starts_one_node_and_pauses_after_it(make: Any, check_log: Any) -> None:
    node = plus().set_name("n0")
    for i in range(1, 4):
        node = plus(node).set_name(f"n{i}")
    run = make(node).start(paused=True)
    until(lambda: run.states["n0"] == "paused")
    assert run.counts == {"paused": 1, "pending": 3}
    for done in (1, 2):
        run.step()
        until(lambda done=done: run.states[f"n{done}"] == "paused")
        assert run.counts == {"done": done, "paused": 1, "pending": 3 - done}
    run.resume()
    assert run.wait(30) == 4
    check_log(run)


def test_a_node_cannot_run_its_own_workflow_or_be_run_while_it_runs(make: Any, tmp_path: Path) -> None:
    wf = make(workflow(gate)(str(tmp_path), "first"))
    run = wf.start()
    with pytest.raises(FuseError, match="under way"):
        wf.start()
    until((tmp_path / "first").exists)
    (tmp_path / "go").touch()
    assert run.wait(30) == "first"
