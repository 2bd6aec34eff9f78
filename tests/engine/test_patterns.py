"""The pattern that matches exactly some of the names."""

from __future__ import annotations

import re
from collections.abc import Collection

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuse_widgets.engine.patterns import escape, shortest_pattern
from tests.lines import lines_run

SETS = ("moons", "circles")
KINDS = ("Linear SVM", "RBF SVM", "Nearest neighbours", "Decision tree")
#: Two data sets, and a model and nothing else for each of four classifiers, and what goes around them.
MODELS = [
    *[f"{data}-load" for data in SETS],
    *[f"{data}-split" for data in SETS],
    *[f"{data}, {kind}-model" for data in SETS for kind in KINDS],
    *[f"table_{number:04d}" for number in range(4)],
    "summary",
]


def matched(pattern: str, names: Collection[str]) -> list[str]:
    return [name for name in names if re.fullmatch(pattern, name)]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (MODELS, ".*"),
        (["summary"], "summary"),
        (["moons, RBF SVM-model"], "moons, RBF SVM-model"),
        ([name for name in MODELS if "SVM" in name], ".*SVM.*"),
        ([name for name in MODELS if name.startswith("moons")], "moons.*"),
        ([name for name in MODELS if name.endswith("model")], ".*model"),
        (["moons, Linear SVM-model", "moons, RBF SVM-model"], "moons.*SVM.*"),
        ([f"moons, {kind}-model" for kind in KINDS], "moons,.*"),
        ([f"table_{number:04d}" for number in range(4)], "table.*"),
        (["moons-load", "moons-split"], "moons-.*"),
        (["table_0001", "summary"], "table_0001|summary"),
        (["table_0001", "table_0003"], "table_(0001|0003)"),
        (["moons-load", "circles-load"], ".*load"),
        (["moons-split", "summary", "circles-load"], "moons-split|summary|circles-load"),
    ],
)
def test_a_pattern_says_what_a_person_would_say(names: list[str], pattern: str) -> None:
    found = shortest_pattern(names, [name for name in MODELS if name not in names])
    assert found == pattern
    assert matched(found, MODELS) == [name for name in MODELS if name in names]


@pytest.mark.parametrize(
    ("names", "others", "pattern"),
    [
        ([f"train_{n}" for n in range(20)], ["train_all", "train_"], "train_[0-9]+"),
        ([f"run2_train_{n}" for n in range(20)], ["run3_train_1", "run2_train_x"], "run2_train_[0-9]+"),
        ([f"s_{n:02d}" for n in range(10)], [f"s_{n:02d}" for n in range(10, 30)], "s_0.*"),
        (["ä", "ß"], ["é"], "ä|ß"),
        (["a\nb", "a\nc"], ["b"], r"a[\s\S]*"),
        (["aa.bb", "aa*bb"], ["aaxbb"], r"aa(\.|\*)bb"),
        (["left", "right"], ["top", "bottom"], "left|right"),
        (["fit_a", "fit_b", "fit_c", "x"], ["fig", "y", "fit"], "fit_.*|x"),
    ],
)
def test_other_forms(names: list[str], others: list[str], pattern: str) -> None:
    assert shortest_pattern(names, others) == pattern


def test_without_others_a_name_with_a_line_feed_matches() -> None:
    assert re.fullmatch(shortest_pattern(["a\nb", "c"], []), "a\nb")


def test_no_names_or_a_name_on_both_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="no names"):
        shortest_pattern([], ["a"])
    with pytest.raises(ValueError, match="'a' is to match and not to match"):
        shortest_pattern(["a"], ["a", "b"])


words = st.sampled_from(
    ["a", "b", "ab", "SVM", "-", "_", ", ", "1", "12", "007", ".*", "\n", "\0", "é", "|", "\\"]
)
like_names = st.lists(words, min_size=1, max_size=5).map("".join)
any_names = st.text(st.characters(), min_size=1, max_size=8)


@given(st.sets(like_names | any_names, min_size=1, max_size=25), st.data())
@example({"\ud800", "a"}, None)
def test_a_pattern_matches_exactly_these_names(names: set[str], data: st.DataObject | None) -> None:
    ordered = sorted(names)
    chosen = (
        ordered[:1]
        if data is None
        else data.draw(st.lists(st.sampled_from(ordered), min_size=1, unique=True))
    )
    others = [name for name in ordered if name not in chosen]
    pattern = shortest_pattern(chosen, others)
    assert sorted(matched(pattern, ordered)) == sorted(chosen)
    assert pattern.isprintable()


@given(st.text(st.characters()))
def test_an_escaped_text_matches_itself_alone(text: str) -> None:
    assert re.fullmatch(escape(text), text)
    assert not re.fullmatch(escape(text), f"{text}x")
    assert escape(text).isprintable()


@pytest.mark.parametrize("step", [1, 3, 5])
@pytest.mark.parametrize("shape", ["node_{0:04d}", "data {1}, model {2}, part {0}", "{3}"])
def test_a_pattern_of_four_times_as_many_names_is_four_to_five_times_the_work(step: int, shape: str) -> None:
    work = []
    for size in (500, 2000):
        names = [shape.format(n, n % 7, n % 11, f"{n * 7919:x}" * 4) for n in range(size)]
        chosen = names[: size // 5 * step : step]
        others = sorted(set(names) - set(chosen))
        pattern = ""

        def find(chosen: list[str] = chosen, others: list[str] = others) -> None:
            nonlocal pattern
            pattern = shortest_pattern(chosen, others)

        work.append(lines_run(find))
        assert matched(pattern, names) == chosen
    assert work[1] < 5 * work[0]
