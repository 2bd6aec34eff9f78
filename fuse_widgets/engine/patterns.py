"""Patterns for sets of names: the way back from nodes that were clicked to the regular expression of a query."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

__all__ = ["escape", "shortest_pattern"]

#: Up to so many names are rather listed than told by a part of a word.
FEW = 3
#: How much is tried, so that the time stays bounded: beginnings or ends, parts, of each in pairs, joined patterns.
ENDS, PARTS, PAIRED, ROUNDS = 40, 300, 8, 20

_WORD = re.compile(r"[0-9]+|[^\W\d_]+|.", re.S)
_NUMBER = re.compile(r"([0-9]+)")
_SPECIAL = frozenset(r"\.^$*+?{}[]()|")
_CONTROL = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
Cut = Callable[[str], list[int]]


def shortest_pattern(names: Collection[str], others: Collection[str]) -> str:
    r"""The shortest pattern that matches exactly `names`, as `re.fullmatch` does, and none of `others`.

    Shortest means: the fewest characters among the patterns of the first of these groups that has one.

    1. `.*` where there are no others. A single name, escaped.
    2. `start.*`, `.*end`, `start.*end`, `.*part.*`, `start.*part.*`, `.*part.*end`, `.*part.*part.*`; the names with
       `[0-9]+` for the numbers in which they differ.
    3. For more than three names: as the first three of 2, with words cut anywhere; or several patterns of 2, found
       greedily, joined by `|`.

    All names, escaped and joined by `|`, with what both ends have in common written once, stand in where nothing else
    matches or where that is shorter. Pieces are whole words of the names (runs of letters, runs of digits, any other
    character), so that a pattern says what a person would. `[\s\S]` stands for `.` where a name has a line feed.

    Args:
        names: The names to match, at least one.
        others: The names that must not match; none of them is in `names`.

    Raises:
        ValueError: There are no names, or one is on both sides.
    """
    wanted, unwanted = list(dict.fromkeys(names)), list(dict.fromkeys(others))
    if not wanted:
        raise ValueError("there are no names to match")
    both = set(wanted).intersection(unwanted)
    if both:
        raise ValueError(f"{min(both)!r} is to match and not to match")
    wild = r"[\s\S]*" if any("\n" in name for name in wanted) else ".*"
    if not unwanted:
        return wild
    if len(wanted) == 1:
        return escape(wanted[0])
    listed = _listed(wanted)
    search = _Search(wanted, unwanted, wild)
    for group in (search.of_words, search.cut_or_joined):
        found = sorted(set(group()), key=lambda pattern: (len(pattern), pattern))
        exact = next((pattern for pattern in found if _is_exact(pattern, wanted, unwanted)), None)
        if exact is not None:
            return min(exact, listed, key=len)
    return listed


def escape(text: str) -> str:
    """A pattern that matches `text` alone, in characters that can be printed; no longer than needed."""
    return "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    if char in _SPECIAL:
        return f"\\{char}"
    if char.isprintable():
        return char
    if char in _CONTROL:
        return _CONTROL[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _is_exact(pattern: str, names: Iterable[str], others: Iterable[str]) -> bool:
    match = re.compile(pattern).fullmatch
    return all(map(match, names)) and not any(map(match, others))


def _word_ends(text: str) -> list[int]:
    return [match.end() for match in _WORD.finditer(text)]


def _anywhere(text: str) -> list[int]:
    return list(range(1, len(text) + 1))


def _starts(names: Sequence[str], cut: Cut) -> list[str]:
    """The beginnings that all names have, shortest first."""
    common = _shared(min(names), max(names))  # what these have in common, all between them have
    return [names[0][:end] for end in cut(names[0]) if end <= common]


def _reversed(names: Iterable[str]) -> list[str]:
    return [name[::-1] for name in names]


def _ends(names: Sequence[str], cut: Cut) -> list[str]:
    return _reversed(_starts(_reversed(names), cut))


def _listed(names: Sequence[str]) -> str:
    """All names, joined by `|`."""
    plain = "|".join(map(escape, names))
    start = max(_starts(names, _word_ends), key=len, default="")
    rest = [name[len(start) :] for name in names]
    end = max(_ends(rest, _word_ends), key=len, default="")
    inner = "|".join(escape(name[: len(name) - len(end)]) for name in rest)
    return min(plain, f"{escape(start)}({inner}){escape(end)}", key=len)


def _shared(text: str, start: str) -> int:
    """How many characters both begin with."""
    low, high = 0, len(start)
    while low < high:
        middle = (low + high + 1) // 2
        if text.startswith(start[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


class _Search:
    """Candidates of each group; the caller checks that they match what they should.

    Args:
        names, others: See `shortest_pattern`.
        wild: What matches any text.
    """

    def __init__(self, names: Sequence[str], others: Sequence[str], wild: str) -> None:
        self.names, self.others, self.wild = names, others, wild
        #: In one text, so that one search tells whether any of them has a part.
        self.all_others = "\0".join(others)
        self.parts = self._common_parts()

    def of_words(self) -> Iterator[str]:
        """Pieces of whole words; or numbers."""
        yield from self._at_ends(_word_ends)
        for part in self.parts:
            if part not in self.all_others:
                yield self._pattern("", part, "")
        yield from self._pairs()
        yield from filter(None, [self._numbered(self.names)])

    def _pairs(self) -> Iterator[str]:
        few = self.parts[:PAIRED]
        for part in few:
            others = [other for other in self.others if part in other]
            for start in _starts(self.names, _word_ends)[:PAIRED]:
                if not any(o.startswith(start) and o.find(part, len(start)) >= 0 for o in others):
                    yield self._pattern(start, part, "")
            for end in _ends(self.names, _word_ends)[:PAIRED]:
                if not any(o.endswith(end) and part in o[: len(o) - len(end)] for o in others):
                    yield self._pattern("", part, end)
            for second in few:
                if not any(o.find(second, o.find(part) + len(part)) >= 0 for o in others):
                    yield self._pattern("", part, second, "")

    def cut_or_joined(self) -> Iterator[str]:
        """Words cut anywhere, and several patterns, for more than a few names."""
        if len(self.names) > FEW:
            yield from self._at_ends(_anywhere)
            yield from self._joined()

    def _pattern(self, *pieces: str) -> str:
        return self.wild.join(map(escape, pieces))

    def _at_ends(self, cut: Cut) -> Iterator[str]:
        """How all begin, how all end, and both, each as short as none of the others allows."""
        starts, ends = _starts(self.names, cut)[:ENDS], _ends(self.names, cut)[:ENDS]
        start, end = max(starts, default=""), (ends or [""])[-1][::-1]
        overlaps = [(_shared(other, start), _shared(other[::-1], end)) for other in self.others]
        for first in ["", *starts]:
            taken = max((back for front, back in overlaps if front >= len(first)), default=None)
            if taken is None:
                yield self._pattern(first, "")
                return
            last = next((last for last in ends if len(last) > taken), None)
            if last is not None:
                yield self._pattern(first, last)

    def _common_parts(self) -> list[str]:
        """Runs of words that all names have, shortest first; at least a letter or a digit each."""
        name = min(self.names, key=len)
        words = [match.span() for match in _WORD.finditer(name)][:PARTS]
        level, found, tried = list(range(len(words))), dict[str, None](), 0
        for length in range(len(words)):  # a run can be common only where those within it are
            common = set()
            for place in level:
                part = name[words[place][0] : words[place + length][1]]
                tried += 1
                if all(part in other for other in self.names):
                    common.add(place)
                    if any(map(str.isalnum, part)):
                        found[part] = None
            level = [place for place in sorted(common) if place + 1 in common]
            if not level or tried > PARTS:
                break
        return sorted(found, key=len)

    @staticmethod
    def _numbered(names: Sequence[str]) -> str | None:
        """The names with `[0-9]+` where they have different numbers, None where they differ in more."""
        split = [_NUMBER.split(name) for name in names]
        if len({tuple(pieces[::2]) for pieces in split}) > 1:
            return None
        columns = zip(*split, strict=True)
        return "".join("[0-9]+" if len(set(column)) > 1 else escape(column[0]) for column in columns)

    def _joined(self) -> Iterator[str]:
        """Patterns that match some of the names each, and together all; what is left is listed."""
        left, chosen = (1 << len(self.names)) - 1, []
        covers = self._covers()
        for _ in range(ROUNDS):
            best = max(
                covers,
                key=lambda pattern: (covers[pattern] & left).bit_count() / (len(pattern) + 1),
                default="",
            )
            if not best or (covers[best] & left).bit_count() < 2:
                break
            chosen.append(best)
            left &= ~covers[best]
        rest = [name for place, name in enumerate(self.names) if left >> place & 1]
        if chosen:
            yield "|".join([*chosen, *([_listed(rest)] if rest else [])])

    def _covers(self) -> dict[str, int]:
        """Patterns that match some of the names and none of the others; the names as bits."""
        found: dict[tuple[str, str], int] = defaultdict(int)
        numbered: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(self.names):
            bit = 1 << place
            ends = _word_ends(name)
            numbered[_NUMBER.sub("0", name)].append(place)
            for begin, end in zip([0, *ends], ends, strict=False):
                found["start", name[:end]] |= bit
                found["end", name[begin:]] |= bit
                if name[begin].isalnum():
                    found["part", name[begin:end]] |= bit
        forwards, backwards = sorted(self.others), sorted(_reversed(self.others))
        known = {
            "start": lambda text: _any_starts(forwards, text),
            "end": lambda text: _any_starts(backwards, text[::-1]),
            "part": lambda text: text in self.all_others,
        }
        makes = {
            "start": lambda text: self._pattern(text, ""),
            "end": lambda text: self._pattern("", text),
            "part": lambda text: self._pattern("", text, ""),
        }
        often = sorted(
            (key for key in found if found[key].bit_count() > 1), key=lambda k: -found[k].bit_count()
        )
        covers = {
            makes[kind](text): found[kind, text] for kind, text in often[:PARTS] if not known[kind](text)
        }
        for places in sorted(numbered.values(), key=len, reverse=True)[:ROUNDS]:
            pattern = self._numbered([self.names[place] for place in places]) if len(places) > 1 else None
            if pattern and not any(map(re.compile(pattern).fullmatch, self.others)):
                covers[pattern] = sum(1 << place for place in places)
        return covers


def _any_starts(ordered: Sequence[str], text: str) -> bool:
    place = bisect_left(ordered, text)
    return place < len(ordered) and ordered[place].startswith(text)
