"""hilum user: people who sign in."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_json, printable, say
from hilum.cli.token import ProjectOption, RoleOption, Sees
from hilum.model.identity import ADMIN_PROJECT

commands = make_group("Add people.")

Name = Annotated[str, typer.Argument(help="What they sign in with.")]
Password = Annotated[
    str,
    typer.Option(
        "--password", envvar="HILUM_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True, help="At least twelve characters."
    ),
]


@commands.callback()
def user() -> None:
    """Add people."""


@commands.command()
def add(
    name: Name,
    role: RoleOption,
    password: Password,
    project: ProjectOption = ADMIN_PROJECT,
    may_see_identity: Sees = False,
    server: Server = DEFAULT_SERVER,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Add a person; the password is asked for, or taken from HILUM_PASSWORD."""
    from hilum.cli.administering import post

    body = {"name": name, "role": role, "project": project, "may_see_identity": may_see_identity, "password": password}
    with connect(server, data) as hilum:
        made = post(hilum, "/users", body)
    if json:
        print_json(made)
    else:
        say(printable(f"{name} is {role} in project {project}."))
