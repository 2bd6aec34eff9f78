"""Run a notebook without a browser, and say what every node of its workflow did.

    python examples/headless.py NOTEBOOK FOLDER

The notebook runs in FOLDER, with storage that starts empty. Left there are the executed notebook, and the finished
run of its last workflow, the variable `wf`, as an HTML page and as SVG. Exits non-zero if a cell or a node failed.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbclient.util import run_sync

STORAGE = ".fuse-storage"
REPORT = """
import json
from fuse_widgets import DAGWidget
DAGWidget(wf).save_svg({svg!r})
DAGWidget(wf).save_html({html!r})
print(json.dumps(wf.last_run.report(), default=str))
"""


def main(notebook: Path, folder: Path) -> int:
    """Run the notebook; return the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / STORAGE, ignore_errors=True)
    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        content,
        timeout=600,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    error = None
    with client.setup_kernel():
        try:
            run_cells(client)
        except CellExecutionError as failed:
            error = failed
        client.set_widgets_metadata()
        nbformat.write(content, folder / notebook.name)
        names = {kind: f"{notebook.stem}.{kind}" for kind in ("svg", "html")}
        rows = ask(client, REPORT.format(**names))
    print_table(rows)
    failed = [row["node"] for row in rows if row["state"] == "failed"]
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    if error is not None:
        print(f"\nA cell of {notebook.name} failed:\n{error}", file=sys.stderr)
    print(f"\nLeft in {folder}: " + ", ".join([notebook.name, *names.values()]))
    return 1 if failed or error is not None or not rows else 0


def run_cells(client: NotebookClient) -> None:
    """Execute every cell in order, with a line for each code cell."""
    total = sum(cell.cell_type == "code" for cell in client.nb.cells)
    number = 0
    for index, cell in enumerate(client.nb.cells):
        if cell.cell_type != "code":
            continue
        number += 1
        began = time.perf_counter()
        print(f"[{number:2}/{total}] {cell.id:20}", end="", flush=True)
        try:
            client.execute_cell(cell, index)
        finally:
            print(f" {time.perf_counter() - began:6.1f} s", flush=True)


def ask(client: NotebookClient, code: str) -> list[dict]:
    """Run code in the kernel, outside the notebook, and return the JSON that it prints."""
    printed: list[str] = []

    def keep(message: dict) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream" and content["name"] == "stdout":
            printed.append(content["text"])
        elif kind == "error":
            print("\n".join(content["traceback"]), file=sys.stderr)

    run_sync(client.kc.execute_interactive)(code, store_history=False, timeout=120, output_hook=keep)
    lines = "".join(printed).splitlines()
    return json.loads(lines[-1]) if lines else []


def print_table(rows: list[dict]) -> None:
    """Print a row for each node: its state, its seconds, and where its result came from."""
    width = max([len(row["node"]) for row in rows], default=4)
    print(f"\n{'node':{width}}  {'state':9}  {'seconds':>7}  result")
    for row in rows:
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.2f}"
        print(f"{row['node']:{width}}  {row['state']:9}  {seconds:>7}  {row['source'] or '-'}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
