"""hilum token: credentials of programs."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import note, print_json, say
from hilum.model.identity import ADMIN_PROJECT, Role

commands = make_group("Make tokens for programs.")

RoleOption = Annotated[Role, typer.Option("--role", help="What it may do.")]
ProjectOption = Annotated[str, typer.Option("--project", help="Where; a role in project admin holds in every project.")]
Sees = Annotated[bool, typer.Option("--may-see-identity", help="Names, patient IDs and accession numbers are shown.")]
Name = Annotated[str, typer.Option("--name", help="What it is for; written into the history.")]


@commands.callback()
def token() -> None:
    """Make tokens for programs."""


@commands.command()
def create(
    role: RoleOption,
    name: Name = "command line",
    project: ProjectOption = ADMIN_PROJECT,
    may_see_identity: Sees = False,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Make a token; it is shown this once."""
    from hilum.cli.administering import post

    with connect(server, data) as hilum:
        made = post(hilum, "/tokens", {"name": name, "role": role, "project": project, "may_see_identity": may_see_identity})
    if json:
        print_json(made)
    else:
        note("Keep it: it is shown this once.")
        say(made["token"])
