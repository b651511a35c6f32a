"""The command line as a user has it, and a server that it talks to."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.phantoms import make_phantom_study
from hilum.runtime.private_server import PrivateServer

Completed = subprocess.CompletedProcess[str]


def run_hilum(*arguments: str | Path, **environment: str) -> Completed:
    """Run `hilum` in a process of its own, with nothing of ours in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HILUM_")}
    command = [sys.executable, "-m", "hilum", *map(str, arguments)]
    return subprocess.run(
        command, env=kept | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="session")
def hilum() -> Callable[..., Completed]:
    return run_hilum


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrivateServer, Path]]:
    """A running server and its data directory."""
    data = tmp_path_factory.mktemp("server") / "data"
    with PrivateServer(data, ["--workers", "1"]) as running:
        yield running, data


@pytest.fixture(scope="module")
def at_server(server: tuple[PrivateServer, Path]) -> Callable[..., Completed]:
    """`hilum ...` as that server's administrator."""
    running, data = server
    return lambda *arguments, **environment: run_hilum(*arguments, HILUM_SERVER=running.url, HILUM_DATA=str(data), **environment)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies: `whole`, and `short`, whose FLAIR lacks slice 17."""
    folder = tmp_path_factory.mktemp("phantoms")
    make_phantom_study(folder / "whole", patient_id="PHANTOM-1")
    make_phantom_study(folder / "short", patient_id="PHANTOM-2", seed=1, without_slice=17)
    return folder
