"""A notebook without IPython: cells are executed as IPython does, in one namespace."""

from __future__ import annotations

import itertools
import linecache
from typing import Any
from uuid import uuid4

from fuse_widgets.engine import cells

_executions = itertools.count(1)


class Notebook:
    """Executes the text of cells, and knows the number of each execution.

    Attributes:
        namespace: The names that the cells define.
    """

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.id = uuid4().hex
        self.run("import fuse_widgets", "setup")
        exec("from fuse_widgets import LocalWorkflow, BaseWorkflow, workflow", self.namespace)

    def run(self, code: str, cell: str | None = None) -> None:
        """Execute a cell; one without an id is what a terminal executes."""
        file = f"<In[{next(_executions)}] of {self.id}>"
        linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
        cells.begin(None if cell is None else f"{self.id}-{cell}")
        complete = False
        try:
            exec(compile(code, file, "exec"), self.namespace)
            complete = True
        finally:
            cells.end(complete=complete)

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def value(self, expression: str) -> Any:
        """Evaluate an expression outside of cells."""
        return eval(expression, self.namespace)
