"""The forms in which Jupyter can show a value, richest first, each tried by itself and bounded."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from typing import Any

import numpy as np
from IPython.core.formatters import DisplayFormatter, PlainTextFormatter
from IPython.core.getipython import get_ipython
from IPython.lib.pretty import RepresentationPrinter

from ..engine.errors import message_of
from ..view._preview import facts_of, type_name
from ..view._text import bounded, one_line, plain

__all__ = ["LIMIT", "form_of"]

#: Bytes of a form beyond which the next one is taken; of text the beginning is shown.
LIMIT = 64_000
#: Rows and columns of a frame that are shown.
ROWS, COLUMNS = 20, 30
_RICH = {"image/png": ("png", "PNG"), "image/svg+xml": ("svg", "SVG"), "text/html": ("html", "HTML")}
_FRAMES = frozenset({"DataFrame", "Series"})


def form_of(value: Any) -> dict[str, Any]:
    """The richest form of a value that is small enough: `{kind, content, note}`, see `Preview` in types.ts.

    Formatters are tried one by one: what is wrong with one is noted, and the next one is taken.
    """
    notes: list[str] = []
    try:
        if type(value) is np.ndarray:
            text = np.array2string(value, max_line_width=100, threshold=1000, edgeitems=3)
            return {"kind": "text", "content": plain(text, LIMIT), "note": _facts(value)}
        if _is_of(value, "matplotlib", {"Figure"}):
            return {"kind": "png", "content": base64.b64encode(_figure(value)).decode(), "note": ""}
        if _is_of(value, "pandas", _FRAMES) or _is_of(value, "polars", _FRAMES):
            value, note = _head(value)
            notes.append(note)
    except Exception as error:
        notes.append(f"Its own preview raised {_error(error)}.")
    shell = get_ipython()
    formatter = (None if shell is None else shell.display_formatter) or DisplayFormatter()
    found = _richest(formatter, value, notes)
    kind, content = ("text", _text(formatter, value, notes)) if found is None else found
    return {"kind": kind, "content": content, "note": " ".join(notes)}


def _richest(formatter: DisplayFormatter, value: Any, notes: list[str]) -> tuple[str, str] | None:
    bundle = _called(formatter.mimebundle_formatter, value, notes, "MIME bundle")
    bundle = bundle[0] if isinstance(bundle, tuple) and bundle else bundle
    for mime, (kind, name) in _RICH.items():
        form = bundle.get(mime) if isinstance(bundle, dict) else None
        if form is None and mime in formatter.formatters:
            form = _called(formatter.formatters[mime], value, notes, f"{name} form")
        form = form[0] if isinstance(form, tuple) and form else form
        if form is None:
            continue
        data = _bytes(form, kind)
        if data is None:
            notes.append(f"Its {name} form is a {type_name(form)} and no {name}.")
        elif len(data) > LIMIT:
            notes.append(f"Its {name} form of {_size(len(data))} is too large and is not shown.")
        else:
            return kind, base64.b64encode(data).decode() if kind == "png" else data.decode()
    return None


def _called(formatter: Any, value: Any, notes: list[str], what: str) -> Any:
    """What a formatter gives; where it raises, that is noted, and not printed as IPython would."""
    call = type(formatter).__call__
    try:
        return getattr(call, "__wrapped__", call)(formatter, value)
    except NotImplementedError:
        return None
    except Exception as error:
        notes.append(f"Its {what} raised {_error(error)}.")
        return None


def _bytes(form: Any, kind: str) -> bytes | None:
    """A form as the bytes that it is; None where it is none of its kind."""
    if kind != "png":
        return form.replace("\0", "").encode("utf-8", "replace") if isinstance(form, str) else None
    if isinstance(form, str):
        try:
            form = base64.b64decode("".join(form.split()), validate=True)
        except ValueError:
            return None
    return form if isinstance(form, bytes) and form.startswith(b"\x89PNG\r\n\x1a\n") else None


class _Enough(BaseException):  # not an Exception, which a `_repr_pretty_` might swallow
    """There is as much text as can be shown."""


class _Bounded(io.StringIO):
    """Takes text until there is enough."""

    def write(self, text: str) -> int:
        super().write(text[:LIMIT])
        if self.tell() > LIMIT:
            raise _Enough
        return len(text)


def _text(formatter: DisplayFormatter, value: Any, notes: list[str]) -> str:
    """The text that Jupyter shows for a value, the beginning of it where it is long."""
    kind, pretty = type(value), formatter.formatters.get("text/plain")
    if kind in (str, bytes, bytearray) and len(value) > LIMIT:
        notes.append(_cut(value))
        return bounded(repr(value[:LIMIT]), LIMIT)
    stream = _Bounded()
    try:
        if isinstance(pretty, PlainTextFormatter) and pretty.pprint:
            printer: Any = RepresentationPrinter(  # type: ignore[no-untyped-call]
                stream,
                pretty.verbose,
                pretty.max_width,
                pretty.newline,
                max_seq_length=pretty.max_seq_length,
                singleton_pprinters=pretty.singleton_printers,
                type_pprinters=pretty.type_printers,
                deferred_pprinters=pretty.deferred_printers,
            )
            printer.pretty(value)
            printer.flush()
        else:
            stream.write(repr(value))
    except _Enough:
        pass
    except Exception as error:
        notes.append(f"Its repr raised {_error(error)}.")
        return f"<{type_name(value)}: repr raised {type(error).__name__}>"
    text = stream.getvalue()
    if len(text) > LIMIT or len(text.encode("utf-8", "replace")) > LIMIT:
        notes.append(_cut(value))
    return plain(text, LIMIT)


def _cut(value: Any) -> str:
    facts = facts_of(value)
    said = f" of {facts['detail']}" if facts["detail"] else ""
    return f"The beginning{said}: {_size(LIMIT)} at most are shown."


def _is_of(value: Any, package: str, names: Collection[str]) -> bool:
    """Whether a value is of a class of another package, without importing that."""
    return any(
        base.__name__ in names and base.__module__.partition(".")[0] == package
        for base in type(value).__mro__
    )


def _facts(value: Any) -> str:
    facts = facts_of(value)
    size = "" if facts["bytes"] is None else _size(facts["bytes"])
    return ", ".join(filter(None, [facts["type"], facts["shape"], facts["detail"], size])) + "."


def _head(value: Any) -> tuple[Any, str]:
    """The first rows and columns of a frame, cut out before anything is formatted, and what it is as a whole."""
    note = _facts(value)
    rows, columns = len(value), value.shape[1] if len(value.shape) > 1 else 0
    head = value.head(ROWS)
    if columns > COLUMNS:
        head = head.iloc[:, :COLUMNS] if hasattr(head, "iloc") else head[:, :COLUMNS]
    said = [f"{ROWS} rows"] if rows > ROWS else []
    said += [f"{COLUMNS} columns"] if columns > COLUMNS else []
    return head, f"{note} The first {' and '.join(said)}." if said else note


def _figure(figure: Any) -> bytes:
    """A matplotlib figure as PNG, coarser where it would be too large."""
    for dpi in (min(float(figure.dpi), 100.0), 60.0, 30.0):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", bbox_inches="tight", dpi=dpi)
        if buffer.tell() <= LIMIT:
            return buffer.getvalue()
    raise ValueError(f"its PNG is larger than {_size(LIMIT)}")


def _error(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {message_of(error)}", 400).rstrip(".")


def _size(count: int) -> str:
    """`12 kB`, `3.4 MB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
