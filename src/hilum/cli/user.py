"""hilum user: people who sign in."""

from typing import Annotated

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say
from hilum.cli.token import ProjectOption, RoleOption, Sees
from hilum.model.identity import ADMIN_PROJECT

commands = make_group("Add, list and remove people.")

Name = Annotated[str, typer.Argument(help="What they sign in with.")]
Password = Annotated[
    str,
    typer.Option(
        "--password", envvar="HILUM_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True, help="At least twelve characters."
    ),
]


@commands.callback()
def user() -> None:
    """Add, list and remove people."""


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


@commands.command("list")
def list_users(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the people of your projects."""
    from hilum.cli.administering import list_all, tell_grants

    with connect(server, data) as hilum:
        people = list_all(hilum, "/users")
    if json:
        print_json(people)
    else:
        print_columns(("name", "since", "may"), [(one["name"], one["created_at"][:10], tell_grants(one)) for one in people])


@commands.command()
def remove(name: Name, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Remove a person, who comes in no more; the history keeps the name."""
    from hilum.cli.administering import delete
    from hilum_sdk.session import path_of

    with connect(server, data) as hilum:
        delete(hilum, path_of("users", name))
    say(printable(f"{name} comes in no more."))
