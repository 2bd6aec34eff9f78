"""The context variables that work handed to another thread begins with."""

from __future__ import annotations

import contextvars
import sys

__all__ = ["copied_context"]


def copied_context() -> contextvars.Context:
    """Copy the context of this thread, with a decimal context of its own.

    A decimal context can be changed in place, so that threads which share one would change each other's precision.
    """
    context = contextvars.copy_context()
    decimal = sys.modules.get("decimal")
    if decimal is not None:
        context.run(lambda: decimal.setcontext(decimal.getcontext().copy()))
    return context
