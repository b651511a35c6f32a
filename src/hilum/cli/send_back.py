"""hilum send-back: an item goes through earlier stages once more."""

from typing import Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Reason, Server, connect
from hilum.cli.deciding import tell_item
from hilum.cli.retry import Id

To = Annotated[str, typer.Option("--to", help="The stage: gathering, checking, matching, deidentifying, processing, ...")]


def run(item: Id, to: To, reason: Reason = "", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Send an item back to an earlier stage."""
    with connect(server, data) as hilum:
        tell_item(hilum.items.send_back(item, to, reason), json)
