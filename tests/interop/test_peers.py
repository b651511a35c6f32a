"""`hilum pacs` and /pacs with the server's own DIMSE door as the peer."""

import json
import os
import subprocess
import sys

from hilum.runtime.private_server import PrivateServer


def run_hilum(server: PrivateServer, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "HILUM_SERVER": server.url, "HILUM_TOKEN": server.token}
    command = [sys.executable, "-m", "hilum", "pacs", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_peer_is_added_listed_and_echoed(server: PrivateServer) -> None:
    host, port = server.dimse.split(":")
    ran = run_hilum(server, "add", "ourselves", "--ae-title", "HILUM", "--host", host, "--port", port)
    assert ran.returncode == 0, ran.stderr
    listed = json.loads(run_hilum(server, "list", "--json").stdout)
    assert ("ourselves", "HILUM", int(port)) in [(peer["name"], peer["ae_title"], peer["port"]) for peer in listed]
    ran = run_hilum(server, "echo", "ourselves")
    assert ran.returncode == 0, ran.stderr
    assert "ourselves answered after" in ran.stdout


def test_a_peer_that_rejects_says_why(server: PrivateServer) -> None:
    host, port = server.dimse.split(":")
    assert run_hilum(server, "add", "misnamed", "--ae-title", "NOBODY", "--host", host, "--port", port).returncode == 0
    ran = run_hilum(server, "echo", "misnamed")
    assert ran.returncode == 1
    assert "it is not called so" in ran.stdout


def test_an_unknown_peer_is_a_sentence(server: PrivateServer) -> None:
    ran = run_hilum(server, "echo", "nobody")
    assert ran.returncode == 1
    assert "There is no peer 'nobody'." in ran.stderr


def test_a_peer_that_is_removed_is_known_no_more(server: PrivateServer) -> None:
    assert run_hilum(server, "add", "leaving", "--ae-title", "LEAVING", "--host", "127.0.0.1", "--port", "104").returncode == 0
    ran = run_hilum(server, "remove", "leaving")
    assert ran.returncode == 0, ran.stderr
    assert "leaving" not in [peer["name"] for peer in json.loads(run_hilum(server, "list", "--json").stdout)]
    ran = run_hilum(server, "remove", "leaving")
    assert ran.returncode == 1
    assert "There is no peer 'leaving'." in ran.stderr
