"""hilum retry: let an item go on."""

from typing import Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Reason, Server, connect
from hilum.cli.deciding import tell_item

Id = Annotated[str, typer.Argument(help="The id of a study, workitem or upload, as `hilum held` shows it.")]


def run(item: Id, reason: Reason = "", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Let a held, failed or deferred item go on at its stage; a workitem held for findings goes on in spite of them."""
    from hilum.cli.administering import retry

    with connect(server, data) as hilum:
        tell_item(retry(hilum, item, reason), json)
