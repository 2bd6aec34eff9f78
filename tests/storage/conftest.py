"""Storages to hold to the contract: a local folder, memory, an object store, a file system without atomic put."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from fuse_widgets.storage import FileStorage

KINDS = ("local", "memory", "s3", "plain")


class PlainFileSystem(LocalFileSystem):
    """Stands for sftp and the like: files over fsspec, where a put is not atomic."""

    protocol = ("plain",)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:  # older releases of fsspec take off `file://` alone
        stripped: str = super()._strip_protocol(str(path).removeprefix("plain://"))
        return stripped


fsspec.register_implementation("plain", PlainFileSystem, clobber=True)


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, object]]:
    """Options for an object store (moto) with the bucket `bucket`."""
    moto_server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    options = {
        "key": "key",
        "secret": "secret",
        "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{port}"},
    }
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        patch.delenv(name)
    fsspec.filesystem("s3", **options, use_listings_cache=False).mkdir("bucket")
    yield options
    fsspec.filesystem("s3", **options, use_listings_cache=False).clear_instance_cache()
    patch.undo()
    server.stop()


@pytest.fixture
def open_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., FileStorage]:
    """Opens the same new storage of the kind `request.param`, again and again."""
    name = uuid.uuid4().hex
    options = {"storage_options": request.getfixturevalue("s3")} if request.param == "s3" else {}
    address = {
        "local": str(tmp_path / "local folder"),
        "memory": f"memory://{name}/tasks",
        "s3": f"s3://bucket/{name}/tasks",
        "plain": f"plain://{tmp_path}/plain",
    }[request.param]
    return lambda **more: FileStorage(address, **{**options, **more})


@pytest.fixture
def storage(open_storage: Callable[..., FileStorage]) -> FileStorage:
    return open_storage()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `storage` or `open_storage` runs on every kind."""
    if {"storage", "open_storage"} & set(metafunc.fixturenames):
        metafunc.parametrize("open_storage", KINDS, indirect=True)


@pytest.fixture
def local(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "store")
