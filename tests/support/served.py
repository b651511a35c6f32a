"""Fixtures for folders of tests that have a `server`: each of their conftest.py imports them, so that each has its own client."""

from collections.abc import Iterator

import pytest

from hilum.runtime.private_server import PrivateServer
from hilum_sdk import Hilum


@pytest.fixture(scope="session")
def hilum(server: PrivateServer) -> Iterator[Hilum]:
    """An administrator's client."""
    with Hilum(server.url, token=server.token) as client:
        yield client


@pytest.fixture
def project(hilum: Hilum, request: pytest.FixtureRequest) -> str:
    """A project that no other test knows, with a name that fits an AE title."""
    name = f"j{abs(hash(request.node.nodeid)) % 10**10}"
    hilum.projects.create(name)
    return name
