"""hilum cancel: stop an item for good."""

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Reason, Server, connect
from hilum.cli.deciding import tell_item
from hilum.cli.retry import Id


def run(item: Id, reason: Reason = "", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Stop an item for good. Its images stay."""
    with connect(server, data) as hilum:
        tell_item(hilum.items.cancel(item, reason), json)
