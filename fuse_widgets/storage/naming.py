"""File names for names of any characters: readable, safe on every file system, and never shared by two names.

A version of a task is `<task>.<fingerprint>.task`; a version that was saved without a fingerprint, and every file of
format 1, is `<task>.task`. `safe_name` contains no dot, so that names can be split at dots.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata

#: Characters of the readable part.
SLUG = 48
#: Ends the name of a file that holds a result.
TASK = ".task"

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*-[0-9a-f]{32}")
_VERSION = re.compile(rf"(?P<task>{_SAFE.pattern})(?:\.(?P<key>[0-9A-Za-z_-]+))?\.task")
_SET_ASIDE = re.compile(
    rf"(?P<file>{_SAFE.pattern}(?:(?:\.[0-9A-Za-z_-]+)?\.task)?|workflow\.json)\.damaged-[0-9]+"
)
_KEY = re.compile(r"[0-9A-Za-z_-]{1,100}")


@functools.lru_cache(maxsize=10_000)
def safe_name(name: str) -> str:
    """A file name for `name`: letters, digits, `_` and `-` of it, then a hash of its exact characters.

    The hash keeps names apart that a file system would take for the same (`A` and `a`, composed and decomposed
    accents), and the fixed end keeps reserved names (`con`, `..`, the empty string) from standing alone.

    Args:
        name: Any string, lone surrogates included.

    Returns:
        1 to 48 readable characters, a dash and 32 hexadecimal digits.
    """
    if not isinstance(name, str):
        raise TypeError(f"names in storage must be strings, got {type(name).__name__}")
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    plain = unicodedata.normalize("NFKD", name[: 4 * SLUG]).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", lambda gap: "-" if gap[0] == "-" else "_", plain)[:SLUG].strip("_-")
    return f"{slug or '_'}-{digest}"


def is_safe_name(name: str) -> bool:
    """Return whether `name` has the form of what `safe_name` returns."""
    return _SAFE.fullmatch(name) is not None


def version_name(task_name: str, key: str | None) -> str:
    """Return the file name of a version of a task.

    Args:
        task_name: The task.
        key: The digest of the fingerprint, or None for a version without one.
    """
    if key is None:
        return safe_name(task_name) + TASK
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise TypeError(
            f"the digest of a fingerprint must be a string of letters and digits, got {key!r:.100}"
        )
    return f"{safe_name(task_name)}.{key}{TASK}"


def parse_version(name: str) -> tuple[str, str | None] | None:
    """Return the safe name of the task and the digest that a file name stands for; None for other files."""
    match = _VERSION.fullmatch(name)
    return None if match is None else (match["task"], match["key"])


def set_aside_from(name: str) -> str | None:
    """Return the name that a damaged file had before it was set aside; None for other files."""
    match = _SET_ASIDE.fullmatch(name)
    return None if match is None else match["file"]
