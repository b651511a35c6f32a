"""hilum serve: the supervisor of the web process, the DIMSE processes and the workers."""

import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.configuring import BehindProxy, Config, Data, configure
from hilum.model.errors import InvalidError

if TYPE_CHECKING:
    import socket

    from hilum.runtime.settings import Settings
    from hilum.runtime.supervising import ChildSpec

HILUM = (sys.executable, "-m", "hilum")

OFF = "off"

Http = Annotated[str | None, typer.Option("--http", help="HOST:PORT of web and API (default: 127.0.0.1:8080).")]
Dimse = Annotated[str | None, typer.Option("--dimse", help="HOST:PORT of the DIMSE door, or off (default: 127.0.0.1:11112).")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes (default: 2).")]


def run(
    data: Data = None,
    http: Http = None,
    dimse: Dimse = None,
    config: Config = None,
    workers: Workers = None,
    behind_proxy: BehindProxy = False,
) -> None:
    """Run everything: web, API, the DIMSE door and workers.

    Prints one line `ready http=... dimse=... credentials=...` when it can take work. SIGTERM stops it within 20 s; a kill at any moment
    loses nothing.
    """
    from hilum.runtime.holding import DataDirectoryLock
    from hilum.runtime.supervised import take_parent
    from hilum.runtime.supervising import Supervisor, listen

    _log_plainly()
    settings = configure(data, config, http=http, dimse=dimse, workers=workers, behind_proxy=behind_proxy or None)
    host, port = parse_address(settings.http)
    refuse_open_door(host, settings.behind_proxy)
    dimse_address = None if settings.dimse == OFF else parse_address(settings.dimse)
    refuse_open_dimse(dimse_address, settings)
    with DataDirectoryLock.acquire(settings.data, f"hilum serve --data {settings.data.absolute()}") as lock:
        sockets = {"http": listen(host, port)}
        if dimse_address is not None:
            sockets["dimse"] = listen(*dimse_address)
        supervisor = Supervisor(
            children=_children(settings, config),
            lock=lock,
            ready={
                "http": url_of(sockets["http"]),
                "dimse": address_of(sockets["dimse"]) if "dimse" in sockets else None,
                "credentials": _credentials(settings),
            },
            sockets=sockets,
            prepare=_part("prepare", settings, config),
            parent=take_parent(),
        )
        raise typer.Exit(supervisor.run())


def parse_address(http: str) -> tuple[str, int]:
    """HOST:PORT; an IPv6 host stands in brackets.

    Raises:
        InvalidError: it is none.
    """
    host, colon, port = http.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise InvalidError(f"{http!r} is no HOST:PORT.", "Give one like 127.0.0.1:8080.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def refuse_open_door(host: str, behind_proxy: bool) -> None:
    """Without TLS, tokens and images would pass readable over the network.

    Raises:
        InvalidError: `host` is not this machine alone, and no proxy is said to be in front.
    """
    if not (is_loopback(host) or behind_proxy):
        raise InvalidError(
            f"Listening on {host} would send tokens and images unencrypted.",
            "Listen on 127.0.0.1, or put a proxy that speaks TLS in front and add --behind-proxy.",
        )


def refuse_open_dimse(address: tuple[str, int] | None, settings: "Settings") -> None:
    """Who may send from other machines must be said.

    Raises:
        InvalidError: it is not.
    """
    is_said = bool(settings.dimse_allow) or settings.dimse_tls_ca is not None
    if address is not None and not (is_loopback(address[0]) or is_said):
        raise InvalidError(
            f"Listening on {address[0]} would take images from anybody.",
            "Set dimse_allow to peers (see `hilum pacs add`) or to any, or ask for certificates with dimse_tls_ca.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_of(listening: "socket.socket") -> str:
    """Where a listening socket is found."""
    return f"http://{address_of(listening)}"


def address_of(listening: "socket.socket") -> str:
    """HOST:PORT of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _children(settings: "Settings", config: Path | None) -> list["ChildSpec"]:
    from hilum.runtime.supervising import ChildSpec

    web = ChildSpec("web", _part("web", settings, config), sockets=("http",))
    work = _part("work", settings, config)
    dimse = _part("dimse", settings, config)
    receivers = range(1, settings.dimse_processes + 1) if settings.dimse != OFF else ()
    return [
        web,
        *(ChildSpec(f"dimse {number}", dimse, sockets=("dimse",)) for number in receivers),
        *(ChildSpec(f"worker {number}", work) for number in range(1, settings.workers + 1)),
    ]


def _part(name: str, settings: "Settings", config: Path | None) -> list[str]:
    """The command of a part, with the options that this one was given: they are stronger than file and environment."""
    options = ["--data", str(settings.data.absolute())]
    if config is not None:
        options += ["--config", str(config.absolute())]
    if settings.behind_proxy and name == "web":
        options += ["--behind-proxy"]
    return [*HILUM, name, *options]


def _credentials(settings: "Settings") -> str | None:
    """Where the first start writes, or wrote, the administrator's token; None where somebody took the file away on purpose."""
    path = settings.credentials.absolute()
    is_first_start = not (settings.data / "ledger.sqlite").exists()
    return str(path) if is_first_start or path.exists() else None


def _log_plainly() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
