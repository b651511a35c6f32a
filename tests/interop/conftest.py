"""Real peers against a real server in its own processes."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from served import hilum, project  # noqa: F401 - fixtures

from hilum.runtime.private_server import PrivateServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """One server for all peers; each test uses a project of its own."""
    with PrivateServer(tmp_path_factory.mktemp("server") / "data", ["--dimse", "127.0.0.1:0", "--workers", "2"]) as running:
        yield running


@pytest.fixture(scope="session")
def run_peer() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a peer's program, which must be installed."""

    def run(*command: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        if shutil.which(str(command[0])) is None:
            why = f"{command[0]} is not installed"
            if os.environ.get("HILUM_REQUIRE_PEERS") == "1":
                pytest.fail(why)
            pytest.skip(why)
        return subprocess.run(
            [str(part) for part in command], env={**os.environ, **environment}, capture_output=True, text=True, timeout=240, check=False
        )

    return run
