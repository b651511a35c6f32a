"""hilum pacs: PACS nodes and other DICOM peers."""

from typing import Annotated, Any

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say

commands = make_group("Add, list, echo and remove PACS nodes and other DICOM peers.")

Name = Annotated[str, typer.Argument(help="What we call it.")]
AeTitle = Annotated[str, typer.Option("--ae-title", help="What it calls itself.")]
Host = Annotated[str, typer.Option("--host", help="Name or address; who may send from it, too.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65_535)]
OurAeTitle = Annotated[str, typer.Option("--our-ae-title", help="What we call ourselves towards it (default: the setting).")]
Tls = Annotated[bool, typer.Option("--tls", help="It speaks TLS.")]
Retrieve = Annotated[str, typer.Option("--retrieve", help="How images are retrieved: c-move, c-get or wado.")]
DicomwebUrl = Annotated[str, typer.Option("--dicomweb-url")]


@commands.command()
def add(
    name: Name,
    ae_title: AeTitle,
    host: Host,
    port: Port = 104,
    our_ae_title: OurAeTitle = "",
    tls: Tls = False,
    retrieve: Retrieve = "c-move",
    dicomweb_url: DicomwebUrl = "",
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Add a peer."""
    from hilum.cli.administering import post

    body = {
        "name": name,
        "ae_title": ae_title,
        "host": host,
        "port": port,
        "our_ae_title": our_ae_title,
        "tls": tls,
        "retrieve": retrieve,
        "dicomweb_url": dicomweb_url,
    }
    with connect(server, data) as hilum:
        made = post(hilum, "/pacs", body)
    if json:
        print_json(made)
    else:
        say(printable(f"{name} is known. Ask it with `hilum pacs echo {name}`."))


@commands.command("list")
def list_peers(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the peers."""
    from hilum.cli.administering import get

    with connect(server, data) as hilum:
        peers: list[dict[str, Any]] = get(hilum, "/pacs")["items"]
    if json:
        print_json(peers)
    else:
        rows = [(peer["name"], peer["ae_title"], f"{peer['host']}:{peer['port']}", peer["retrieve"]) for peer in peers]
        print_columns(("name", "AE title", "address", "retrieve"), rows)


@commands.command()
def echo(name: Name, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Ask a peer with C-ECHO; exit status 1 where it does not answer."""
    from hilum.cli.administering import post

    with connect(server, data) as hilum:
        answer = post(hilum, f"/pacs/{name}/echo", {})
    if json:
        print_json(answer)
    elif answer["answered"]:
        say(printable(f"{name} answered after {answer['seconds'] * 1000:.0f} ms."))
    else:
        say(printable(f"{name} did not answer. {answer['why']}"))
    if not answer["answered"]:
        raise typer.Exit(1)


@commands.command()
def remove(name: Name, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Remove a peer: it is neither asked nor, where only peers may, let in any more."""
    from hilum.cli.administering import delete

    with connect(server, data) as hilum:
        delete(hilum, f"/pacs/{name}")
    say(printable(f"{name} is known no more."))
