"""hilum review: a reviewer's verdict on a result."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Reason, Server, connect
from hilum.cli.deciding import tell_item

commands = make_group("Accept or reject a result, or have it made again.")

Workitem = Annotated[str, typer.Argument(help="The id of a workitem that waits for a reviewer: `hilum held`.")]
Needed = Annotated[str, typer.Option("--reason", help="What is wrong; kept in the history.")]


@commands.command()
def accept(workitem: Workitem, reason: Reason = "", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """The result is right: it is delivered."""
    with connect(server, data) as hilum:
        tell_item(hilum.workitems.review(workitem, "accept", reason), json)


@commands.command()
def reject(workitem: Workitem, reason: Needed, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """The result is wrong: it is never delivered."""
    with connect(server, data) as hilum:
        tell_item(hilum.workitems.review(workitem, "reject", reason), json)


@commands.command()
def rerun(workitem: Workitem, reason: Reason = "", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """The result is made again, by the newest version of its template."""
    with connect(server, data) as hilum:
        tell_item(hilum.workitems.review(workitem, "rerun", reason), json)
