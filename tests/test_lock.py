"""What is installed is what requirements.lock says, and the lock covers all that pyproject.toml asks for."""

from __future__ import annotations

import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: What a virtual environment comes with, or what is installed from this checkout.
NOT_LOCKED = {"pip", "setuptools", "fuse-widgets"}

pytestmark = pytest.mark.locked


@pytest.fixture(scope="module")
def locked(root: Path) -> list[Requirement]:
    lines = (root / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def declared(root: Path) -> list[Requirement]:
    """All that pyproject.toml asks for, in whatever extra or group, except the project itself."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    project = settings["project"]
    lists = [
        settings["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *settings["dependency-groups"].values(),
    ]
    found = [Requirement(text) for group in lists for text in group]
    return [requirement for requirement in found if requirement.name != project["name"]]


def test_every_package_installed_here_has_the_version_of_the_lock(locked: list[Requirement]) -> None:
    # Not all of sys.path: once imported, Ray adds a folder with packages of its own.
    here = {
        line.name: str(line.specifier) for line in locked if line.marker is None or line.marker.evaluate()
    }
    wrong = {
        f"{dist.name}=={dist.version}"
        for dist in distributions(path=[sysconfig.get_path("purelib")])
        if canonicalize_name(dist.name) not in NOT_LOCKED
        and here.get(canonicalize_name(dist.name)) != f"=={dist.version}"
    }
    assert wrong == set()


def test_the_lock_has_every_declared_dependency_in_an_allowed_version(
    root: Path, locked: list[Requirement]
) -> None:
    versions: dict[str, list[str]] = {}
    for line in locked:
        versions.setdefault(line.name, []).append(str(line.specifier).removeprefix("=="))
    wanted = declared(root)
    assert {"numpy", "ray", "pytest", "uv", "jupyterlab"} <= {requirement.name for requirement in wanted}
    missing = [
        str(requirement)
        for requirement in wanted
        if not any(
            requirement.specifier.contains(v) for v in versions.get(canonicalize_name(requirement.name), ())
        )
    ]
    assert missing == [], "run make lock"


def test_the_locks_name_no_index_address(root: Path) -> None:
    assert "://" not in (root / "requirements.lock").read_text()
    assert '"resolved":' not in (root / "js" / "package-lock.json").read_text()
