"""The bodies of changes: read for callers who are known, within limits."""

import socket
from urllib.parse import urlsplit

import pytest
from tests.api.conftest import ADMIN, Site

LARGE = 64 << 20


def announce(site: Site, path: str, *headers: str) -> bytes:
    """The first bytes of the answer to a request whose body never comes."""
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        head = "\r\n".join([f"POST /api/v1{path} HTTP/1.1", "Host: hilum", "Content-Type: application/json", *headers, "", ""])
        connection.sendall(head.encode())
        return connection.recv(4096)


@pytest.mark.parametrize("path", ["/projects", "/tokens", "/studies/search"])
def test_nobodys_body_is_waited_for(site: Site, path: str) -> None:
    assert announce(site, path, "Content-Length: 1000").startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("path", ["/projects", "/tokens", "/studies/search"])
def test_a_change_that_is_too_large_is_refused_at_its_announcement(site: Site, path: str) -> None:
    answer = announce(site, path, f"Content-Length: {LARGE}", f"Authorization: Bearer {ADMIN}")
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_change_without_a_length_is_refused_when_it_grows_too_large(site: Site) -> None:
    reply = site.client().post("/projects", content=iter([bytes(1 << 20)] * 20), headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()["mend"]) == (413, "Send it in several calls.")
