"""hilum serve: its address, its refusals, its ready line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hilum.cli.serve import parse_address, refuse_open_door
from hilum.model.errors import InvalidError
from hilum.runtime.private_server import PrivateServer


@pytest.mark.parametrize(
    ("http", "address"), [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:0", ("::1", 0)), ("localhost:1", ("localhost", 1))]
)
def test_an_address_is_host_and_port(http: str, address: tuple[str, int]) -> None:
    assert parse_address(http) == address


@pytest.mark.parametrize("http", ["", "8080", ":8080", "host:", "host:http", "host:65536", "host:-1"])
def test_what_is_no_address_is_refused(http: str) -> None:
    with pytest.raises(InvalidError, match="HOST:PORT"):
        parse_address(http)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_listening_to_others_needs_a_proxy(host: str) -> None:
    with pytest.raises(InvalidError, match="--behind-proxy"):
        refuse_open_door(host, behind_proxy=False)
    refuse_open_door(host, behind_proxy=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_listening_to_this_machine_needs_nothing(host: str) -> None:
    refuse_open_door(host, behind_proxy=False)  # it would raise


def test_serve_refuses_an_open_door_with_the_mend(hilum: Callable, tmp_path: Path) -> None:
    ran = hilum("serve", "--data", tmp_path / "data", "--http", "0.0.0.0:0")

    assert ran.returncode == 1
    assert "--behind-proxy" in ran.stderr
    assert not (tmp_path / "data").exists()


def test_a_second_server_names_the_first(hilum: Callable, server: tuple[PrivateServer, Path]) -> None:
    _, data = server

    ran = hilum("serve", "--data", data, "--http", "127.0.0.1:0", "--dimse", "off")

    assert ran.returncode == 1
    assert "is held by `hilum serve" in ran.stderr


def test_a_wrong_setting_is_named(hilum: Callable, tmp_path: Path) -> None:
    (tmp_path / "hilum.toml").write_text("workers = 'many'\n")

    ran = hilum("serve", "--data", tmp_path / "data", "--config", tmp_path / "hilum.toml")

    assert ran.returncode == 1
    assert "The setting workers is wrong" in ran.stderr


def test_the_parts_say_that_serve_starts_them(hilum: Callable, tmp_path: Path) -> None:
    for part in ("web", "work"):
        ran = hilum(part, "--data", tmp_path)
        assert ran.returncode == 1
        assert "Start `hilum serve`." in ran.stderr
