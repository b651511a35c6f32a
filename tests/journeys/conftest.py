"""Journeys: an image through everything, with the real server in its own processes and the real SDK."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import hilum, project  # noqa: F401 - fixtures

from hilum.runtime.private_server import PrivateServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """One server for all journeys; each journey uses a project of its own."""
    with PrivateServer(tmp_path_factory.mktemp("server") / "data", ["--workers", "2"]) as running:
        yield running


@pytest.fixture
def patient01(shared_data: Path, tmp_path: Path) -> Path:
    """A copy of a real T1 + FLAIR study that a test may take files out of."""
    return Path(shutil.copytree(shared_data / "ms_dicom" / "patient01", tmp_path / "patient01"))


def run_hilum(*arguments: str | Path, data: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """The command line as a user has it."""
    place = [] if data is None else ["--data", str(data)]
    command = [sys.executable, "-m", "hilum", *map(str, arguments), *place]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
