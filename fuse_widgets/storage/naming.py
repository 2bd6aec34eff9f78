"""File names for names of any characters: readable, safe on every file system, and never shared by two names."""

from __future__ import annotations

import hashlib
import re
import unicodedata

#: Characters of the readable part.
SLUG = 48


def safe_name(name: str) -> str:
    """A file name for `name`: letters, digits, `_` and `-` of it, then a hash of its exact characters.

    The hash keeps names apart that a file system would take for the same (`A` and `a`, composed and decomposed
    accents), and the fixed end keeps reserved names (`con`, `..`, the empty text) from standing alone.

    Args:
        name: Any text, lone surrogates included.

    Returns:
        1 to 48 readable characters, a dash and 32 hexadecimal digits.
    """
    if not isinstance(name, str):
        raise TypeError(f"names in storage are texts, not {type(name).__name__}")
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    plain = unicodedata.normalize("NFKD", name[: 4 * SLUG]).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", lambda gap: "-" if gap[0] == "-" else "_", plain)[:SLUG].strip("_-")
    return f"{slug or '_'}-{digest}"
