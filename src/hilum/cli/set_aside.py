"""hilum set-aside: what senders gave and nobody can use."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.held import Project
from hilum.cli.telling import print_columns, print_json, say
from hilum.model.words import count

commands = make_group("List and delete what could not be used.")

Ids = Annotated[list[int], typer.Argument(help="Their ids: `hilum set-aside list`.")]


@commands.command("list")
def list_set_aside(project: Project = None, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the files that were set aside, each with its reason."""
    from hilum.cli.administering import list_all

    with connect(server, data) as hilum:
        files = [one for one in list_all(hilum, "/set-aside") if project in (None, one["project"])]
    if json:
        print_json(files)
    elif not files:
        say("Nothing is set aside.")
    else:
        rows = [(str(one["id"]), one["project"], str(one["size"]), one["file_name"], one["reason"]) for one in files]
        print_columns(("id", "project", "bytes", "file", "reason"), rows)


@commands.command()
def delete(ids: Ids, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Delete files that were set aside, for good. For administrators."""
    from hilum.cli.administering import delete as delete_at

    with connect(server, data) as hilum:
        for one in ids:
            delete_at(hilum, f"/set-aside/{one}")
    say(f"{count(len(ids), 'file')} deleted; the bytes are erased from the packs now.")
